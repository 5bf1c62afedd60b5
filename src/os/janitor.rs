//! A process that cleans up after us if we are killed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, setsid};

/// The process; dismiss it when there is nothing to clean up.
pub struct Janitor {
    /// Its pid.
    pub pid: Pid,
    pipe: Option<File>,
}

/// Signals that are meant for us or for everything around us, and not for a process that cleans up afterwards.
const NOT_ITS_OWN: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

/// Forks a process, in a session of its own, that does `work` if we end without dismissing it.
///
/// This process must have only one thread: another one could hold a lock at the moment of the fork, for example the
/// allocator's, which the copy would never see released.
///
/// # Errors
/// fork(2) or pipe(2) failed.
pub fn janitor(work: impl FnOnce()) -> io::Result<Janitor> {
    let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    let dev_null = File::options().read(true).write(true).open("/dev/null")?;
    // SAFETY: by the contract above, the copy is as consistent as we are; it runs `work` and ends by _exit(2), so nothing
    // of ours is dropped or flushed twice.
    match Errno::result(unsafe { libc::fork() })? {
        0 => {
            drop(writer);
            let _ = setsid();
            for signal in NOT_ITS_OWN {
                // SAFETY: ignoring a signal installs no handler of ours.
                let _ = unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigIgn) };
            }
            for standard in 0..3 {
                // SAFETY: both descriptors are open. A reader of our output must not wait for this process.
                unsafe { libc::dup2(dev_null.as_raw_fd(), standard) };
            }
            let mut byte = [0];
            if matches!(File::from(reader).read(&mut byte), Ok(0)) {
                work();
            }
            // SAFETY: ends this process.
            unsafe { libc::_exit(0) }
        }
        pid => Ok(Janitor { pid: Pid::from_raw(pid), pipe: Some(File::from(writer)) }),
    }
}

impl Janitor {
    /// Dismisses it, and returns when it is gone.
    pub fn dismiss(mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            let _ = pipe.write_all(&[1]);
        }
        let _ = waitpid(self.pid, None);
    }
}
