//! What the guest's processes cost, measured from outside.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use crate::harness::{Guest, Login, wait_until};

/// What host and supervisor together cost a session.
#[derive(Debug, Clone)]
pub struct Cost {
    /// The host's processor time from its fork until the display was managed, in ms.
    pub host_cpu: f64,
    /// The supervisor's, in ms, including what systemd does in the same process before it executes startxd:
    /// [`executor`].
    pub supervisor_cpu: f64,
    /// Memory of both in MB (10^6 bytes): the proportional set size, which counts shared pages once.
    pub memory: f64,
}

/// Host and supervisor of the current session.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    host: i32,
    supervisor: i32,
}

impl Pair {
    /// Finds the two by their control groups: checking every process would take a millisecond in which they continue.
    ///
    /// # Panics
    /// When one is missing.
    pub fn find(guest: &Guest, login: &Login) -> Self {
        let user = "/sys/fs/cgroup/user.slice/user-1000.slice";
        let find = |group: String| {
            let pids = fs::read_to_string(guest.outside(&format!("{user}/{group}/cgroup.procs"))).unwrap_or_default();
            let pid = pids.lines().filter_map(|pid| pid.parse().ok()).find(|&pid| name(pid) == "startxd");
            pid.unwrap_or_else(|| panic!("no startxd runs in {group}: {pids:?}"))
        };
        Self {
            host: find(format!("session-{}.scope", login.session)),
            supervisor: find("user@1000.service/session.slice/xorg@0.service".to_owned()),
        }
    }

    /// The processor time of host and supervisor, in ms.
    pub fn cpu(self) -> (f64, f64) {
        (cpu(self.host), cpu(self.supervisor))
    }

    /// The memory of the two, in MB.
    pub fn memory(self) -> f64 {
        memory(self.host) + memory(self.supervisor)
    }
}

/// The processor time of all threads (Documentation/scheduler/sched-stats.rst), in ms. Ended processes count 0.
fn cpu(pid: i32) -> f64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0.0 };
    let stats = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok());
    stats.filter_map(|stat| stat.split(' ').next()?.parse::<f64>().ok()).sum::<f64>() / 1e6
}

/// `Pss` (proc_pid_smaps(5)), in MB.
fn memory(pid: i32) -> f64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse().ok());
    pss.map_or(0.0, |kib: f64| kib * 1024.0 / 1e6)
}

fn name(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

/// ada's processes, as seen from outside.
fn processes(guest: &Guest) -> Vec<i32> {
    let namespace = |pid| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let (ours, ada) = (namespace(guest.init()), guest.uid("ada"));
    let all = fs::read_dir("/proc").expect("/proc is there").flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let of_ada = |pid: &i32| fs::metadata(format!("/proc/{pid}")).is_ok_and(|process| process.uid() == ada);
    pids.filter(of_ada).filter(|&pid| namespace(pid) == ours).collect()
}

/// ada's process with this name.
///
/// # Panics
/// When there is none.
pub fn pid_of(guest: &Guest, program: &str) -> i32 {
    let pid = processes(guest).into_iter().find(|&pid| name(pid) == program);
    pid.unwrap_or_else(|| panic!("no {program} of ada runs"))
}

/// A process's pid inside the guest.
pub fn pid_inside(pid: i32) -> i32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let inside = status.lines().find_map(|line| line.strip_prefix("NSpid:")?.split_whitespace().next_back());
    inside.and_then(|pid| pid.parse().ok()).unwrap_or(pid)
}

/// Waits until all of ada's processes are idle: window managers continue to work after they have begun to manage.
///
/// # Panics
/// When they do not become idle.
pub fn wait_idle(guest: &Guest) {
    /// No process may use a processor for this long.
    const QUIET: Duration = Duration::from_millis(50);
    wait_until("the processes of ada to come to rest", crate::harness::SOON, || {
        let state = || processes(guest).into_iter().map(|pid| (pid, cpu(pid), name(pid))).collect::<Vec<_>>();
        let before = state();
        std::thread::sleep(QUIET);
        let after = state();
        let busy: Vec<_> = after.iter().filter(|process| !before.contains(process)).collect();
        if busy.is_empty() { Ok(()) } else { Err(format!("{busy:?}")) }
    });
}

/// The processor time that systemd spends in a service's process before it executes the program, in ms. It is slightly
/// too high, by the start of cat(1).
pub fn executor(guest: &Guest) -> f64 {
    let service = "systemd-run --user --quiet --pipe --wait --property=Type=exec cat /proc/self/schedstat";
    let times = guest.user("ada", &format!("for i in 1 2 3 4 5; do {service}; done")).text();
    let mut times: Vec<f64> = times.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).map_or(0.0, |median| median / 1e6)
}

/// The processor time of the whole guest, in ms.
pub fn guest_cpu(guest: &Guest) -> f64 {
    usage(guest, "")
}

/// The parts whose processor time is listed, each with the control group that counts it. `{}` is the login session.
///
/// The server of startxd starts in the login session and is moved when it answers, so its time counts there, like that
/// of xinit's.
pub const PARTS: [(&str, &str); 8] = [
    ("login session: launcher, server", "user.slice/user-1000.slice/session-{}.scope"),
    (
        "supervisor, with systemd's executor",
        "user.slice/user-1000.slice/user@1000.service/session.slice/xorg@0.service",
    ),
    ("user manager", "user.slice/user-1000.slice/user@1000.service/init.scope"),
    ("user's message bus", "user.slice/user-1000.slice/user@1000.service/session.slice/dbus.service"),
    ("system manager", "init.scope"),
    ("system's message bus", "system.slice/dbus.service"),
    ("logind", "system.slice/systemd-logind.service"),
    ("journald", "system.slice/systemd-journald.service"),
];

/// The processor time of each of [`PARTS`], in ms.
pub fn parts(guest: &Guest, session: &str) -> Vec<f64> {
    PARTS.iter().map(|(_, group)| usage(guest, &group.replace("{}", session))).collect()
}

/// The processor time of a control group, in ms; 0 if there is no such group.
fn usage(guest: &Guest, group: &str) -> f64 {
    let file = format!("/sys/fs/cgroup/{group}/cpu.stat");
    let stat = fs::read_to_string(guest.outside(&file)).unwrap_or_default();
    let usage = stat.lines().find_map(|line| line.strip_prefix("usage_usec ")?.parse().ok());
    usage.map_or(0.0, |usec: f64| usec / 1e3)
}
