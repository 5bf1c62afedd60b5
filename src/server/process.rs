//! The server's process, and how it is ended.

use std::borrow::Borrow;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

use crate::deadline::SERVER_KILLED;
use crate::environment::policy::{self, Tag};
use crate::os::{self, Ending, Image, Pid};

/// A server's process, no matter which process forked it.
pub struct Process {
    /// Its pid.
    pub pid: Pid,
    pidfd: AsyncFd<OwnedFd>,
}

/// A server that is our child.
pub struct Server {
    process: Process,
}

/// Our own environment, without the variables that would mislead a server.
///
/// # Errors
/// None in practice: a variable cannot hold a NUL.
pub fn environment() -> io::Result<Vec<CString>> {
    let misleads = |name: &OsStr| name.to_str().is_some_and(|name| policy::is_tagged(Tag::Activation, name));
    let ours = std::env::vars_os().filter(|(name, _)| !misleads(name));
    let entry = |(name, value): (OsString, OsString)| {
        CString::new([name.into_vec(), vec![b'='], value.into_vec()].concat()).map_err(io::Error::from)
    };
    ours.map(entry).collect()
}

impl Process {
    /// The process behind a pidfd.
    ///
    /// # Errors
    /// Out of memory for epoll(7).
    pub fn new(pid: Pid, pidfd: OwnedFd) -> io::Result<Self> {
        Ok(Self { pid, pidfd: os::watch(pidfd)? })
    }

    /// A descriptor of the process, to hand on.
    #[must_use]
    pub fn pidfd(&self) -> &OwnedFd {
        self.pidfd.get_ref()
    }

    /// Whether it is exiting, even if it cannot be reaped yet.
    ///
    /// A dying process closes its sockets before it becomes waitable, so its clients may know, and act, before
    /// [`Server::ended`] does. The kernel marks it first.
    #[must_use]
    pub fn is_exiting(&self) -> bool {
        os::stat(self.pid).map_or(true, |stat| os::is_exiting(&stat))
    }

    /// Waits until its parent can reap it. May be dropped while it waits.
    pub async fn is_waitable(&self) {
        // The readiness is not cleared, so the next call finds it.
        let _ = self.pidfd.readable().await;
    }

    /// Sends it a signal; an ended server is fine.
    pub fn signal(&self, signal: Signal) {
        let _ = os::pidfd_signal(self.pidfd.get_ref(), signal);
    }

    /// Ends it: SIGTERM, and SIGKILL after `patience`. Returns when it can be reaped, or when even SIGKILL does not
    /// help, which is reported. `name` is its name in messages.
    pub async fn end(&self, name: &str, patience: Duration) {
        self.signal(Signal::SIGTERM);
        if timeout(patience, self.is_waitable()).await.is_ok() {
            return;
        }
        tracing::error!("{name} does not end within {} s; killing it", patience.as_secs_f32());
        self.signal(Signal::SIGKILL);
        if timeout(SERVER_KILLED, self.is_waitable()).await.is_err() {
            let state =
                os::stat(self.pid).ok().and_then(|stat| os::state(&stat)).map_or_else(String::new, String::from);
            tracing::error!(
                "{name} (pid {}, state {state}) still exists {} s after it was killed: the kernel holds it; see: \
                 sudo dmesg",
                self.pid,
                SERVER_KILLED.as_secs_f32()
            );
        }
    }
}

impl Deref for Server {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Borrow<Process> for Server {
    fn borrow(&self) -> &Process {
        &self.process
    }
}

impl Server {
    /// Forks a server.
    ///
    /// # Errors
    /// The program could not be executed.
    pub fn start(image: &Image<'_>) -> io::Result<Self> {
        let pid = os::spawn(image)?;
        Ok(Self { process: Process::new(pid, os::pidfd_open(pid)?)? })
    }

    /// Waits for the server's end, kills its children, and reaps it. May be dropped while it waits.
    pub async fn ended(&self) -> Ending {
        loop {
            // After an error of the reactor we cannot wait; waitpid then has the answer.
            let ready = self.pidfd.readable().await;
            match waitid(Id::Pid(self.pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT) {
                Ok(WaitStatus::StillAlive) => {}
                _ => return self.reap(),
            }
            if let Ok(mut ready) = ready {
                ready.clear_ready();
            }
        }
    }

    /// The server has ended and can be waited for.
    ///
    /// A server that ended before it was adopted may have left children, xkbcomp for one, which would hold its sockets
    /// in the login session's scope. They are in its process group, which is killed *before* the server is reaped:
    /// until then its pid, and so the group's number, cannot become anybody else's.
    fn reap(&self) -> Ending {
        let _ = killpg(self.pid, Signal::SIGKILL);
        match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => Ending::Code(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => Ending::Signal(signal as i32),
            // It was reaped elsewhere: that cannot happen, but must not become a loop.
            _ => Ending::Code(0),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::ffi::CString;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::time::{Duration, Instant};

    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

    use super::{Process, Server};
    use crate::os::{self, Ending, Image, Pid};

    /// A server that is a shell script.
    pub fn shell(script: &str, output: BorrowedFd<'_>) -> Server {
        let arguments = ["sh", "-c", script].map(|text| CString::new(text).unwrap());
        let image = Image {
            program: c"/bin/sh",
            arguments: &arguments,
            environment: &[],
            output,
            listeners: &[],
            ends_with_us: false,
        };
        Server::start(&image).unwrap()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_running_process_is_not_exiting() {
        let pidfd = || os::pidfd_open(Pid::this()).unwrap();
        assert!(!Process::new(Pid::this(), pidfd()).unwrap().is_exiting());
        // The highest number that the kernel gives is below this one.
        assert!(Process::new(Pid::from_raw(1 << 23), pidfd()).unwrap().is_exiting());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_server_that_does_not_end_is_killed() {
        let output = std::fs::File::options().write(true).open("/dev/null").unwrap();
        let start = |script: &str| shell(script, output.as_fd());
        let begin = Instant::now();
        let polite = start("exec sleep 60");
        polite.end("it", Duration::from_secs(60)).await;
        assert_eq!(polite.ended().await, Ending::Signal(15));
        // A stopped process does not see SIGTERM. Before it is stopped, the signal would end it.
        let stubborn = start("kill -STOP $$; exec sleep 60");
        let stopped = waitpid(stubborn.pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
        assert!(matches!(stopped, WaitStatus::Stopped(..)), "{stopped:?}");
        stubborn.end("it", Duration::from_millis(50)).await;
        assert_eq!(stubborn.ended().await, Ending::Signal(9));
        assert!(begin.elapsed() < Duration::from_secs(30));
    }
}
