//! The programs that the window manager has started, in its cgroup.
//!
//! The transient service of a session has `KillMode=process`, and a unit of the person may have it as well, so that a
//! crash of the window manager leaves its children alone. At the end of the session they end first: the children, not
//! the window manager, get SIGTERM here, and the rest of the end waits for them. With any other mode systemd ends them
//! together with the window manager.

use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, timeout_at};

use crate::deadline::KILLED;
use crate::manager::Manager;
use crate::os::{self, Pid};
use crate::small_file;

/// How often we look for processes that were started while others were ending, such as the status program of a bar that
/// was just starting. Programs that the window manager restarts again and again end after it.
const ROUNDS: usize = 4;

/// A process that was told to end.
pub(super) type Asked = (Pid, AsyncFd<OwnedFd>);

/// Ends all processes of those of the session's services whose stop would leave them, but for their main processes:
/// SIGTERM, and SIGKILL after `deadline`. Returns when they are gone. To be called again when the main processes are:
/// nobody else ends what they have started last.
pub async fn end(manager: &Manager, units: &[String], deadline: Duration) {
    let deadline = Instant::now() + deadline;
    for _ in 0..ROUNDS {
        let asked = ask_to_end(manager, units).await;
        if asked.is_empty() {
            return;
        }
        if timeout_at(deadline, gone(&asked)).await.is_err() {
            kill(&asked);
            let _ = timeout_at(Instant::now() + KILLED, gone(&asked)).await;
            return;
        }
    }
}

async fn ask_to_end(manager: &Manager, units: &[String]) -> Vec<Asked> {
    let mut asked = Vec::new();
    for unit in units {
        if !unit.ends_with(".service") || !manager.stop_leaves_children(unit).await.unwrap_or(false) {
            continue;
        }
        let main = manager.main_pid(unit).await.ok().flatten();
        let pids = manager.processes(unit).await.unwrap_or_default();
        asked.extend(pids.into_iter().filter(|&pid| Some(pid) != main).filter_map(|pid| ask(unit, pid)));
    }
    asked
}

async fn gone(asked: &[Asked]) {
    for (_, pidfd) in asked {
        // After an error of the reactor we cannot wait.
        let _ = pidfd.readable().await;
    }
}

fn kill(asked: &[Asked]) {
    for (pid, pidfd) in asked {
        if os::pidfd_signal(pidfd.get_ref(), Signal::SIGKILL).is_ok() {
            tracing::warn!("killed process {pid}, which did not end with the session");
        }
    }
}

/// Tells one process to end; `None` if it is gone.
///
/// The pid may have been given to another process since the manager told it: what counts is the cgroup of the process
/// that the pidfd holds, read after it was opened.
fn ask(unit: &str, pid: Pid) -> Option<Asked> {
    let pidfd = os::pidfd_open(pid).ok()?;
    let group = small_file::text(format!("/proc/{pid}/cgroup").as_ref()).ok()?;
    if !is_in(&group, unit) {
        return None;
    }
    terminate(pid, pidfd)
}

/// Sends SIGTERM to a process; `None` if it is gone.
pub(super) fn terminate(pid: Pid, pidfd: OwnedFd) -> Option<Asked> {
    os::pidfd_signal(&pidfd, Signal::SIGTERM).ok()?;
    Some((pid, os::watch(pidfd).ok()?))
}

/// Whether a text of /proc/PID/cgroup names this unit (cgroups(7)).
#[must_use]
pub fn is_in(group: &str, unit: &str) -> bool {
    group.lines().any(|line| line.split('/').any(|part| part == unit))
}
