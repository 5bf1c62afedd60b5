//! The screen locker of `lock.command`: a child of the host, and so in the login session, as PAM and polkit expect.
//!
//! It gets a descriptor as xss-lock passes one (`XSS_SLEEP_LOCK_FD`, `xss-lock --transfer-sleep-lock`), which lockers
//! close once the screen is locked. i3lock and xsecurelock support it; other lockers are recognised only by their
//! windows.

use std::ffi::CString;
use std::io::{self, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use tokio::io::unix::AsyncFd;

use crate::environment::block::Block;
use crate::launch::Ending;
use crate::os::{self, Image};
use crate::server::{Process, environment};

/// The variable, and the number of the descriptor in the locker: the first one that is passed.
const LOCK_FD: (&str, &str) = ("XSS_SLEEP_LOCK_FD", "3");

/// A screen locker that runs.
pub struct Locker {
    process: Process,
    /// Our end of the descriptor's pipe; `None` once the locker has closed its own.
    handed: Option<AsyncFd<OwnedFd>>,
}

/// An event of the locker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockerEvent {
    /// It locks.
    Locks,
    /// It has ended.
    Ended(Ending),
}

impl Locker {
    /// Runs `program` with the words of the command, the name first, and these variables in addition to the login's.
    ///
    /// # Errors
    /// It cannot be executed.
    pub fn start(program: &Path, words: &[String], variables: &Block) -> io::Result<Self> {
        let (reader, writer) = pipe()?;
        let variables = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain([LOCK_FD]);
        let variables: Vec<(&str, &str)> = variables.collect();
        let is_set = |entry: &CString| {
            let name = entry.as_bytes().split(|&byte| byte == b'=').next().unwrap_or_default();
            variables.iter().any(|(set, _)| set.as_bytes() == name)
        };
        let mut environment: Vec<CString> = environment()?.into_iter().filter(|entry| !is_set(entry)).collect();
        for (name, value) in &variables {
            environment.push(CString::new(format!("{name}={value}"))?);
        }
        let arguments = words.iter().map(|word| CString::new(word.as_str())).collect::<Result<Vec<_>, _>>()?;
        let program = CString::new(program.as_os_str().as_bytes())?;
        // The terminal is the server's.
        let nothing = std::fs::File::options().write(true).open("/dev/null")?;
        let pid = os::spawn(&Image {
            program: &program,
            arguments: &arguments,
            environment: &environment,
            output: nothing.as_fd(),
            listeners: &[writer.as_fd()],
            ends_with_us: false,
        })?;
        // No copy of it may remain here.
        drop(writer);
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { process: Process::new(pid, os::pidfd_open(pid)?)?, handed: Some(os::watch(reader.into())?) })
    }

    /// The locker's process.
    #[must_use]
    pub const fn pid(&self) -> os::Pid {
        self.process.pid
    }

    /// The next event; there is none after its end. May be dropped while it waits.
    pub async fn next(&mut self) -> LockerEvent {
        loop {
            tokio::select! {
                biased;
                () = closed(self.handed.as_ref()) => {
                    self.handed = None;
                    // A process closes everything before it can be reaped.
                    if !self.process.is_exiting() {
                        return LockerEvent::Locks;
                    }
                }
                () = self.process.is_waitable() => return LockerEvent::Ended(self.reap()),
            }
        }
    }

    /// Its children are left alone: a locker that goes into the background locks from there.
    fn reap(&self) -> Ending {
        match waitpid(self.process.pid, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => Ending::Code(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => Ending::Signal(signal as i32),
            _ => Ending::Code(0),
        }
    }

    /// Kills it: its display is gone, and what runs is no longer a locker.
    pub fn kill(&self) {
        self.process.signal(Signal::SIGKILL);
    }

    /// Tells it to end, with its process group, which is its own.
    ///
    /// A race: i3lock has a child that ends when it sees the window go. If i3lock ends before the child asks to be told
    /// of that, the child stays.
    pub fn terminate(&self) {
        // It is not reaped yet, so the number is still its own.
        if killpg(self.process.pid, Signal::SIGTERM).is_err() {
            self.process.signal(Signal::SIGTERM);
        }
    }
}

/// Waits until the other end is closed; forever if that has been seen already.
async fn closed(handed: Option<&AsyncFd<OwnedFd>>) {
    let Some(handed) = handed else { return std::future::pending().await };
    loop {
        let Ok(mut ready) = handed.readable().await else { return std::future::pending().await };
        match nix::unistd::read(handed.get_ref(), &mut [0; 64]) {
            Ok(0) => return,
            // A locker that writes to it has not locked yet.
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => ready.clear_ready(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Locker, LockerEvent};
    use crate::environment::Block;
    use crate::launch::Ending;
    use crate::test_dir::TestDir;

    fn shell(script: &str) -> Locker {
        let words = ["sh", "-c", script].map(str::to_owned);
        Locker::start(Path::new("/bin/sh"), &words, &Block::from([("DISPLAY".into(), ":7".into())])).unwrap()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_locker_that_closes_what_it_was_handed_locks() {
        let mut locker = shell("test $DISPLAY = :7 && test $XSS_SLEEP_LOCK_FD = 3 && exec 3>&- && exec sleep 60");
        assert_eq!(locker.next().await, LockerEvent::Locks);
        locker.terminate();
        assert_eq!(locker.next().await, LockerEvent::Ended(Ending::Signal(15)));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_a_locker_has_started_ends_with_it() {
        let dir = TestDir::new();
        let pids = dir.path("pids");
        let mut locker =
            shell(&format!("sleep 60 3>&- & echo $! >{0}.new; mv {0}.new {0}; exec 3>&-; wait", pids.display()));
        assert_eq!(locker.next().await, LockerEvent::Locks);
        let child: i32 = std::fs::read_to_string(&pids).unwrap().trim().parse().unwrap();
        let child = crate::os::pidfd_open(crate::os::Pid::from_raw(child)).unwrap();
        locker.terminate();
        assert_eq!(locker.next().await, LockerEvent::Ended(Ending::Signal(15)));
        crate::os::watch(child).unwrap().readable().await.unwrap().retain_ready();
    }

    #[tokio::test(flavor = "current_thread")]
    async fn one_that_ends_does_not() {
        let mut locker = shell("exit 3");
        assert_eq!(locker.next().await, LockerEvent::Ended(Ending::Code(3)));
        let mut locker = shell("kill -KILL $$");
        assert_eq!(locker.next().await, LockerEvent::Ended(Ending::Signal(9)));
        let missing = Locker::start(Path::new("/nonexistent"), &["a".to_owned()], &Block::new());
        assert_eq!(missing.err().unwrap().kind(), std::io::ErrorKind::NotFound);
    }
}
