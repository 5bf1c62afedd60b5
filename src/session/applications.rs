//! What the window manager has started, in its own cgroup.
//!
//! The transient service of a session has `KillMode=process`, so that a crash of the window manager leaves its children
//! alone. At the end of the session they are the first to go, and this is how: the children, not the window manager,
//! get SIGTERM, and the rest of the end waits for them.

use std::os::fd::OwnedFd;

use nix::sys::signal::Signal;
use tokio::io::unix::AsyncFd;

use crate::manager::{Manager, names};
use crate::os::{self, Pid};

/// Processes that were asked to end.
pub struct Applications {
    processes: Vec<(Pid, AsyncFd<OwnedFd>)>,
}

impl Applications {
    /// Sends SIGTERM to all processes of the session's own transient services but their main processes.
    pub async fn ask_to_end(manager: &Manager, units: &[String]) -> Self {
        let mut processes = Vec::new();
        for unit in units.iter().filter(|unit| names::is_session_service(unit)) {
            let main = manager.main_pid(unit).await.ok().flatten();
            let pids = manager.processes(unit).await.unwrap_or_default();
            processes.extend(pids.into_iter().filter(|&pid| Some(pid) != main).filter_map(|pid| ask(unit, pid)));
        }
        Self { processes }
    }

    /// Waits until all have ended. May be dropped while it waits.
    pub async fn gone(&self) {
        for (_, pidfd) in &self.processes {
            // An error of the reactor leaves nothing to wait on.
            let _ = pidfd.readable().await;
        }
    }

    /// Kills those that have not ended.
    pub fn kill(&self) {
        for (pid, pidfd) in &self.processes {
            if os::pidfd_signal(pidfd.get_ref(), Signal::SIGKILL).is_ok() {
                tracing::warn!("killed process {pid}, which did not end with the session");
            }
        }
    }
}

/// Asks one process; `None` if it is not there any more.
///
/// The pid may have been given to another process since the manager told it: what counts is the cgroup of the process
/// that the pidfd holds, read after it was opened.
fn ask(unit: &str, pid: Pid) -> Option<(Pid, AsyncFd<OwnedFd>)> {
    let pidfd = os::pidfd_open(pid).ok()?;
    let cgroup = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    if !cgroup.lines().any(|line| line.split('/').any(|part| part == unit)) {
        return None;
    }
    os::pidfd_signal(&pidfd, Signal::SIGTERM).ok()?;
    Some((pid, os::watch(pidfd).ok()?))
}
