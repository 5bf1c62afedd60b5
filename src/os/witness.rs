//! A process that finds out whether a signal was sent to our whole process group.
//!
//! `kill -TERM -- -PGID`, as a CI runner uses it, reaches both us and the command beside us, and the kernel does not
//! tell receivers (`SI_USER` in both cases). If we passed the signal on, the command would get it twice. So there is a
//! third process in the group that blocks all signals: a signal that is pending there was sent to the group.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getpgrp, setpgid};

use crate::deadline::WITNESS;

/// The process. It ends with us.
pub(super) struct Witness {
    pid: Pid,
    socket: Option<UnixStream>,
}

impl Witness {
    /// Forks the process. Call this while the signals in question are blocked here: it inherits that, so at no moment
    /// can one of them end it.
    ///
    /// # Errors
    /// fork(2) or socketpair(2) failed.
    pub(super) fn begin() -> io::Result<Self> {
        let (ours, its) = UnixStream::pair()?;
        let dev_null = File::options().read(true).write(true).open("/dev/null")?;
        // SAFETY: the child calls async-signal-safe functions only (signal-safety(7)), allocates nothing and ends by
        // _exit(2); the descriptors that it uses are open.
        match Errno::result(unsafe { libc::fork() })? {
            // SAFETY: this is the freshly forked child, and both are open.
            0 => unsafe { testify(its.as_raw_fd(), dev_null.as_raw_fd()) },
            pid => {
                ours.set_read_timeout(Some(WITNESS))?;
                Ok(Self { pid: Pid::from_raw(pid), socket: Some(ours) })
            }
        }
    }

    /// Its pid.
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Whether a signal that we got was sent to the whole group. `false` if that cannot be known.
    ///
    /// A race: the sender may still be going through the group. While it does, it holds the kernel's list of tasks for
    /// reading (`kill_something_info` in kernel/signal.c). setpgid(2) takes that lock for writing (kernel/sys.c), even
    /// if it changes nothing: once it has returned, the signal has reached everybody.
    pub(super) fn has_it_too(&self, signal: Signal) -> bool {
        let _ = setpgid(Pid::from_raw(0), getpgrp());
        let Some(mut socket) = self.socket.as_ref() else { return false };
        let mut answer = [0];
        let Ok(number) = u8::try_from(signal as i32) else { return false };
        socket.write_all(&[number]).is_ok() && socket.read_exact(&mut answer).is_ok() && answer == [1]
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        drop(self.socket.take());
        let _ = waitpid(self.pid, None);
    }
}

/// Answers, for each byte, whether that signal was pending, and takes it.
///
/// # Safety
/// Only in a freshly forked child; both descriptors are open.
unsafe fn testify(socket: i32, dev_null: i32) -> ! {
    // A reader of our output, or of a pipe that we were given, must not wait for this process.
    const SOCKET: i32 = 3;
    // SAFETY: see the function's contract; all calls are async-signal-safe.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
        // Above the numbers that are used below.
        let (socket, dev_null) =
            (libc::fcntl(socket, libc::F_DUPFD, SOCKET + 1), libc::fcntl(dev_null, libc::F_DUPFD, SOCKET + 1));
        for standard in 0..SOCKET {
            libc::dup2(dev_null, standard);
        }
        libc::dup2(socket, SOCKET);
        libc::syscall(libc::SYS_close_range, SOCKET + 1, u32::MAX, 0);
        let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let mut number = 0_u8;
        loop {
            match libc::read(SOCKET, (&raw mut number).cast(), 1) {
                1 => {}
                -1 if Errno::last_raw() == libc::EINTR => continue,
                _ => libc::_exit(0),
            }
            let mut one: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut one);
            libc::sigaddset(&raw mut one, i32::from(number));
            let answer = u8::from(libc::sigtimedwait(&raw const one, std::ptr::null_mut(), &raw const at_once) > 0);
            libc::write(SOCKET, (&raw const answer).cast(), 1);
        }
    }
}
