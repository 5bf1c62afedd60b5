//! A wait of the kernel, had while we are busy with something else.
//!
//! systemd writes the pid of every process that it starts for a unit into `cgroup.procs` (exec-invoke.c,
//! `attach_to_subcgroup`; seen on 252, 257 and 262). The first such write after some 20 ms of quiet waits for an RCU grace
//! period, because the kernel's `cgroup_threadgroup_rwsem` is a per-CPU lock whose writers need one (kernel/cgroup/cgroup.c,
//! `cgroup_attach_lock`; kernel/rcu/sync.c); further ones within that time do not. Seen: 6 to 16 ms, between the user
//! manager's fork of the supervisor and its exec, on the way to the server and so in every login.
//!
//! The same wait had earlier, beside our own checks, costs nobody anything. What asks for it is a write that changes
//! nothing: the user manager's own pid into the very group that it is in, which belongs to the user (systemd delegates
//! `user@UID.service`). Where that cannot be done, nothing is lost but those milliseconds. (By version it must not be told
//! apart: newer sources of systemd look as if they did not write, and 262 as distributed does.)

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// Asks for the grace period, in a thread that ends with it. As early as possible, and never waited for.
pub fn ask() {
    let uid = nix::unistd::geteuid();
    let group = PathBuf::from(format!("/sys/fs/cgroup/user.slice/user-{uid}.slice/user@{uid}.service/init.scope"));
    // The write sleeps in the kernel; on the one thread of the event loop everything else would wait with it.
    let _ = std::thread::Builder::new().name("grace".to_owned()).stack_size(64 << 10).spawn(move || {
        let members = group.join("cgroup.procs");
        let manager = std::fs::read_to_string(&members).ok().and_then(|pids| pids.lines().next().map(str::to_owned));
        if let Some(manager) = manager {
            let _ = File::options().write(true).open(&members).and_then(|mut file| file.write_all(manager.as_bytes()));
        }
    });
}
