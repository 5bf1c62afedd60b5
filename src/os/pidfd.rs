//! pidfd_open(2) and pidfd_send_signal(2): naming a process without the race of a reused pid.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// A descriptor of the process, readable (poll(2)) once it has ended.
///
/// # Errors
/// `ESRCH` if there is no such process.
pub fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open(2) takes two integers and touches no memory of ours.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us (close-on-exec is always set).
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends a signal to the process behind a pidfd.
///
/// # Errors
/// `ESRCH` if it has ended and been reaped; `EPERM` if it is not ours.
pub fn pidfd_signal(pidfd: &impl AsFd, signal: Signal) -> io::Result<()> {
    let fd = pidfd.as_fd().as_raw_fd();
    // SAFETY: a null siginfo is allowed (the kernel fills in one like kill(2)); no memory of ours is touched.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, fd, signal as i32, std::ptr::null::<libc::siginfo_t>(), 0)
    };
    Errno::result(result)?;
    Ok(())
}
