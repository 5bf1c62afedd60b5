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
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::dbus::CallError;
use crate::deadline::KILLED;
use crate::manager::{Manager, UnitState, names};
use crate::os::{self, Pid};
use crate::small_file;

/// How often we look for processes that were started while others were ending, such as the status program of a bar that
/// was just starting. Programs that the window manager restarts again and again end after it.
const ROUNDS: usize = 4;

/// A process that was told to end.
pub(super) type Asked = (Pid, AsyncFd<OwnedFd>);

/// Whether services or scopes are up that were started since `xorg.target` was, other than those that startxd has made: what
/// they run when they stop may need the display. `true` if the manager does not tell.
pub async fn have_units_left(manager: &Manager) -> bool {
    find_left(manager).await.unwrap_or(true)
}

async fn find_left(manager: &Manager) -> Result<bool, CallError> {
    let (units, begin) =
        tokio::try_join!(manager.units_like(&["*.service", "*.scope"]), manager.active_since(names::XORG_TARGET))?;
    // All at once: a desktop has dozens.
    let mut asked = JoinSet::new();
    for unit in units.into_iter().filter(|unit| may_need_display(&unit.name, &unit.state)) {
        let manager = manager.clone();
        asked.spawn(async move { manager.active_since(&unit.name).await });
    }
    while let Some(since) = asked.join_next().await {
        // One that is still starting has not been up yet.
        let is_older = since.is_ok_and(|since| since.is_ok_and(|since| since != 0 && since < begin));
        if !is_older {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a unit is up that startxd did not make.
fn may_need_display(name: &str, state: &UnitState) -> bool {
    let is_ours = name.starts_with("startxd-") || name.starts_with("xorg@") || names::BUS.contains(&name);
    !state.is_down() && !is_ours
}

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
        if !unit.ends_with(".service") {
            continue;
        }
        let (leaves, main, pids) =
            tokio::join!(biased; manager.stop_leaves_children(unit), manager.main_pid(unit), manager.processes(unit));
        if !leaves.unwrap_or(false) {
            continue;
        }
        let main = main.ok().flatten();
        let pids = pids.unwrap_or_default();
        asked.extend(pids.into_iter().filter(|&pid| Some(pid) != main).filter_map(|pid| ask(unit, pid)));
    }
    asked
}

pub(super) async fn gone(asked: &[Asked]) {
    for (_, pidfd) in asked {
        // After an error of the reactor we cannot wait.
        let _ = pidfd.readable().await;
    }
}

pub(super) fn kill(asked: &[Asked]) {
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

#[cfg(test)]
mod tests {
    use super::may_need_display;
    use crate::manager::UnitState;

    #[test]
    fn units_that_startxd_did_not_make_may_need_the_display_until_they_are_down() {
        for (name, active, expected) in [
            ("panel.service", "active", true),
            ("panel.service", "deactivating", true),
            ("panel.service", "failed", false),
            ("app-browser-1.scope", "active", true),
            ("mywm.service", "deactivating", true),
            ("startxd-wm@i3.service", "active", false),
            ("startxd-dotfiles.service", "activating", false),
            ("xorg@0.service", "active", false),
            ("dbus.service", "active", false),
        ] {
            let state = UnitState { load: "loaded".into(), active: active.into(), sub: "x".into(), job: None };
            assert_eq!(may_need_display(name, &state), expected, "{name} {active}");
        }
    }
}
