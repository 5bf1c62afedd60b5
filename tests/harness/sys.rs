//! The system calls for which std and nix have no safe function: the only unsafe code of the tests.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{self, SigHandler, Signal};
use nix::sys::wait::WaitStatus;
use nix::unistd::{ForkResult, Gid, Pid, Uid};

/// `ioctl_console(2)`: text or graphics.
const KDGETMODE: u64 = 0x4B3B;
/// `ioctl_console(2)`: what the keyboard delivers.
const KDGKBMODE: u64 = 0x4B44;
/// `ioctl_console(2)`: what decides about a switch away from it.
const VT_GETMODE: u64 = 0x5601;
/// `ioctl_console(2)`: which terminals are open.
const VT_GETSTATE: u64 = 0x5603;
/// `ioctl_console(2)`: makes a terminal the active one.
const VT_ACTIVATE: u64 = 0x5606;

mod raw {
    nix::ioctl_read_bad!(kd_get_mode, super::KDGETMODE, nix::libc::c_int);
    nix::ioctl_read_bad!(kd_get_keyboard, super::KDGKBMODE, nix::libc::c_int);
    nix::ioctl_read_bad!(vt_get_mode, super::VT_GETMODE, [u8; 8]);
    nix::ioctl_read_bad!(vt_get_state, super::VT_GETSTATE, [u16; 3]);
    nix::ioctl_write_int_bad!(vt_activate, super::VT_ACTIVATE);
    nix::ioctl_write_ptr_bad!(tty_insert, nix::libc::TIOCSTI, u8);
}

/// KDGETMODE: 0 is text, 1 is graphics.
pub(super) fn console_mode(tty: &File) -> io::Result<i32> {
    let mut mode = 0;
    // SAFETY: the kernel writes one int to the pointer, which is valid for the call.
    unsafe { raw::kd_get_mode(tty.as_raw_fd(), &raw mut mode) }?;
    Ok(mode)
}

/// KDGKBMODE: 3 is unicode, 4 is off.
pub(super) fn keyboard_mode(tty: &File) -> io::Result<i32> {
    let mut mode = 0;
    // SAFETY: the kernel writes one int to the pointer, which is valid for the call.
    unsafe { raw::kd_get_keyboard(tty.as_raw_fd(), &raw mut mode) }?;
    Ok(mode)
}

/// VT_GETMODE: 0 means the kernel (VT_AUTO), 1 a process that is asked (VT_PROCESS).
pub(super) fn switch_mode(tty: &File) -> io::Result<u8> {
    // struct vt_mode: mode and waitv are chars, then three shorts.
    let mut mode = [0; 8];
    // SAFETY: the kernel writes eight bytes to the pointer, which is valid for the call.
    unsafe { raw::vt_get_mode(tty.as_raw_fd(), &raw mut mode) }?;
    Ok(mode[0])
}

/// VT_GETSTATE: bit N tells whether terminal N is open anywhere, for the first 16.
pub(super) fn open_vts(console: &File) -> io::Result<u16> {
    // struct vt_stat: v_active, v_signal, v_state.
    let mut state = [0; 3];
    // SAFETY: the kernel writes three shorts to the pointer, which is valid for the call.
    unsafe { raw::vt_get_state(console.as_raw_fd(), &raw mut state) }?;
    Ok(state[2])
}

/// VT_ACTIVATE: requests terminal `number`, without waiting for it.
pub(super) fn activate_vt(console: &File, number: u8) -> io::Result<()> {
    // SAFETY: the argument is a number, no memory is shared with the kernel.
    unsafe { raw::vt_activate(console.as_raw_fd(), i32::from(number)) }?;
    Ok(())
}

/// TIOCSTI: `byte` arrives at the terminal as if it had been typed.
pub(super) fn insert_byte(tty: &File, byte: u8) -> io::Result<()> {
    // SAFETY: the kernel reads one byte from the pointer, which is valid for the call.
    unsafe { raw::tty_insert(tty.as_raw_fd(), &raw const byte) }?;
    Ok(())
}

/// The user that a process in the guest runs as.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub uid: Uid,
    pub gid: Gid,
    /// The supplementary groups.
    pub groups: Vec<Gid>,
}

/// Every namespace of a guest except that of its processes.
const NAMESPACES: i32 =
    libc::CLONE_NEWNS | libc::CLONE_NEWUTS | libc::CLONE_NEWIPC | libc::CLONE_NEWNET | libc::CLONE_NEWCGROUP;

/// `pidfd_open(2)`.
pub(super) fn open_pid(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: no memory is shared with the kernel.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = Errno::result(fd)?;
    Ok(own(RawFd::try_from(fd).map_err(io::Error::other)?))
}

/// A descriptor that the kernel has just created for us, and that nothing else knows of.
pub(super) fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: see above.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// `setns(2)`.
fn enter(process: &OwnedFd, namespaces: i32) -> io::Result<()> {
    // SAFETY: no memory is shared with the kernel.
    Errno::result(unsafe { libc::setns(process.as_raw_fd(), namespaces) })?;
    Ok(())
}

/// Makes `command` start in its own Unix session, in the namespaces of the guest with this pid 1 and in the control
/// group with this `cgroup.procs`, as `who` or else as root.
///
/// The spawned process stays outside as the session's leader, and ends as the command does, which is its child: only
/// children can enter a pid namespace, and a leader that opened a terminal would get it as its controlling terminal.
/// children get into a namespace of processes. And a leader that opened a terminal would make it its own.
pub(super) fn start_inside(command: &mut Command, init: OwnedFd, procs: OwnedFd, who: Option<Account>) {
    let go_inside = move || {
        nix::unistd::setsid()?;
        // First: the path of the control group is that outside of the namespaces.
        nix::unistd::write(procs.as_fd(), b"0")?;
        enter(&init, NAMESPACES | libc::CLONE_NEWPID)?;
        // SAFETY: there is one thread, and the parent does nothing more than wait.
        if let ForkResult::Parent { child } = unsafe { nix::unistd::fork() }? {
            end_as(child);
        }
        let Some(who) = &who else { return Ok(()) };
        nix::unistd::setgroups(&who.groups)?;
        nix::unistd::setgid(who.gid)?;
        nix::unistd::setuid(who.uid)?;
        Ok(())
    };
    // SAFETY: all of these are async-signal-safe, and nothing here allocates.
    unsafe { command.pre_exec(go_inside) };
}

/// Waits for the end of `child` and ends in the same way.
fn end_as(child: Pid) -> ! {
    close_all_but(None);
    loop {
        match nix::sys::wait::waitpid(child, None) {
            Ok(WaitStatus::Exited(_, code)) => exit_now(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => {
                // SAFETY: no handler of ours is installed.
                let _ = unsafe { signal::signal(signal, SigHandler::SigDfl) };
                let _ = signal::raise(signal);
                exit_now(128 + signal as i32)
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => exit_now(255),
        }
    }
}

/// `_exit(2)`
fn exit_now(code: i32) -> ! {
    // SAFETY: it does not return, and runs nothing of ours.
    unsafe { libc::_exit(code) }
}

/// From now on the children of this thread are processes of a guest. The thread can start no more threads.
pub(super) fn bear_inside(init: &OwnedFd) -> io::Result<()> {
    enter(init, libc::CLONE_NEWPID)
}

/// Makes this thread see the guest's files, with the rights of `who`, or else root's.
pub(super) fn see_files_inside(init: &OwnedFd, who: Option<&Account>) -> io::Result<()> {
    // SAFETY: no memory is shared with the kernel. What other threads see stays as it is.
    Errno::result(unsafe { libc::unshare(libc::CLONE_FS) })?;
    enter(init, libc::CLONE_NEWNS)?;
    if let Some(who) = who {
        nix::unistd::setfsgid(who.gid);
        nix::unistd::setfsuid(who.uid);
    }
    Ok(())
}

/// Forks a process that does `work` with `socket` and has none of our other descriptors. It is a child of the guest's
/// pid 1, which reaps it. The calling thread must have gone through [`bear_inside`].
pub(super) fn fork_inside(socket: OwnedFd, procs: &OwnedFd, work: fn(&OwnedFd)) -> io::Result<()> {
    // SAFETY: of other threads, the child has only what they had locked. It takes no lock but those of malloc, which the
    // C library keeps in order, and ends by _exit.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => {
            nix::sys::wait::waitpid(child, None)?;
            Ok(())
        }
        ForkResult::Child => {
            let _ = nix::unistd::setsid().and_then(|_| nix::unistd::write(procs, b"0"));
            // A name that differs from the test's, which a case may look for.
            let _ = nix::sys::prctl::set_name(c"porter");
            // SAFETY: as above.
            if let Ok(ForkResult::Child) = unsafe { nix::unistd::fork() } {
                close_all_but(Some(&socket));
                work(&socket);
            }
            exit_now(0)
        }
    }
}

/// Closes all other descriptors: somebody may be waiting for the end of a pipe.
fn close_all_but(kept: Option<&OwnedFd>) {
    // SAFETY: the process is a fresh child that is going to use `kept` alone.
    let close = |first: u32, last: u32| unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    match kept.map(|kept| kept.as_raw_fd().unsigned_abs()) {
        None => _ = close(0, u32::MAX),
        // It is above the standard descriptors.
        Some(kept) => _ = (close(0, kept - 1), close(kept + 1, u32::MAX)),
    }
}

/// Makes `command` start in its own Unix session, and get `signal` when the thread that spawned it ends.
pub fn start_bound(command: &mut Command, signal: Signal) {
    // SAFETY: setsid and prctl are async-signal-safe, and nothing here allocates.
    unsafe {
        command.pre_exec(move || {
            nix::unistd::setsid()?;
            nix::sys::prctl::set_pdeathsig(signal)?;
            Ok(())
        });
    }
}
