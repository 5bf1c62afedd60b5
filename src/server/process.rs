//! The server's process: forked here, a child of ours.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use tokio::io::unix::AsyncFd;

use crate::environment::policy::{self, Tag};
use crate::os::{self, Ending, Image, Pid};

/// A server that runs.
pub struct Server {
    /// Its process.
    pub pid: Pid,
    pidfd: AsyncFd<OwnedFd>,
}

/// Our own environment, as far as it is for a server.
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

impl Server {
    /// Forks a server.
    ///
    /// # Errors
    /// The program could not be executed.
    pub fn start(image: &Image<'_>) -> io::Result<Self> {
        let pid = os::spawn(image)?;
        let pidfd = os::watch(os::pidfd_open(pid)?)?;
        Ok(Self { pid, pidfd })
    }

    /// A descriptor of the process, to hand on.
    #[must_use]
    pub fn pidfd(&self) -> &OwnedFd {
        self.pidfd.get_ref()
    }

    /// Waits for the server's end, kills what it has forked, and reaps it. May be dropped while it waits.
    pub async fn ended(&self) -> Ending {
        loop {
            // An error of the reactor leaves nothing to wait on; the answer is then in waitpid.
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
            // Somebody else has reaped it: cannot be, but must not become a loop.
            _ => Ending::Code(0),
        }
    }

    /// Whether it is on its way out, even if it cannot be reaped yet.
    ///
    /// A dying process closes its sockets before it becomes waitable, so its clients may know, and act, before
    /// [`Server::ended`] does. The kernel marks it first.
    #[must_use]
    pub fn is_exiting(&self) -> bool {
        os::stat(self.pid).map_or(true, |stat| os::is_exiting(&stat))
    }

    /// Waits until it can be reaped, which is left to [`Server::ended`]. May be dropped while it waits.
    pub async fn is_waitable(&self) {
        // The readiness is not cleared: whoever asks next finds it.
        let _ = self.pidfd.readable().await;
    }

    /// Sends it a signal; an ended server is fine.
    pub fn signal(&self, signal: Signal) {
        let _ = os::pidfd_signal(self.pidfd.get_ref(), signal);
    }
}

#[cfg(test)]
mod tests {
    use super::Server;
    use crate::os::{self, Pid};

    #[test]
    fn what_runs_is_not_on_its_way_out() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let pidfd = || os::watch(os::pidfd_open(Pid::this()).unwrap()).unwrap();
            assert!(!Server { pid: Pid::this(), pidfd: pidfd() }.is_exiting());
            // The highest number that the kernel gives is below this one.
            assert!(Server { pid: Pid::from_raw(1 << 23), pidfd: pidfd() }.is_exiting());
        });
    }
}
