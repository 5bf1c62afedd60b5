//! What a session has left whose host died: found, said, and put back (crash-only software).
//!
//! The record tells that there was one, and the lock, which the kernel releases however a host ends, that it is dead.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::orphan;
use super::session_lock::{NotLocked, SessionLock, is_free, is_served};
use crate::deadline::{Deadlines, KILLED, LOOK_AGAIN};
use crate::files::remove;
use crate::manager::{Manager, Mode, UnitState, names, restore};
use crate::multiplexer::tell;
use crate::os::Pid;
use crate::records::session::SessionRecord;
use crate::runtime_dir::RuntimeDir;
use crate::session::applications;
use crate::x11::occupied::{remove_lock, remove_socket};

/// Whether there is a session whose host is dead.
#[must_use]
pub fn is_dead(runtime: &RuntimeDir) -> bool {
    is_free(runtime) && is_recorded(runtime)
}

fn is_recorded(runtime: &RuntimeDir) -> bool {
    !matches!(SessionRecord::of(runtime), Ok(None))
}

/// Repairs what a dead session has left, if there is anything. The lock is ours, so nobody else does.
pub async fn repair(lock: &SessionLock, manager: &Manager, deadlines: &Deadlines) {
    put_right(lock, manager, deadlines, false).await;
}

/// As [`repair`]. `inside`: this process is the server's unit, and must not wait for its end.
async fn put_right(lock: &SessionLock, manager: &Manager, deadlines: &Deadlines, inside: bool) {
    let runtime = &lock.runtime;
    match SessionRecord::of(runtime) {
        Ok(None) => {}
        Ok(Some(record)) => {
            tracing::warn!(
                "the last session (display {}, host {}) ended without cleaning up; ending what is left of it and putting \
                 its environment back",
                record.display,
                record.host
            );
            bury(manager, &record, deadlines, inside).await;
            // Stopping a window manager ends its main process alone, and one that was killed has left all the others.
            applications::end(manager, &record.units, deadlines.applications).await;
            orphan::end(&runtime.authority(record.display), deadlines.server_stop).await;
            tell::take_back(runtime, deadlines.multiplexers).await;
            await_groups(manager, &record).await;
            undo_environment(manager, &record).await;
            remove_lock(record.display);
            remove_socket(record.display);
            remove(&runtime.authority(record.display));
            remove(&runtime.record());
        }
        Err(error) => {
            let path = runtime.record();
            tracing::warn!("{} is left from an earlier session and cannot be read ({error}); removed", path.display());
            remove(&path);
            tell::take_back(runtime, deadlines.multiplexers).await;
        }
    }
}

/// Ends the units of a session that has neither a host nor a supervisor to end them.
async fn bury(manager: &Manager, record: &SessionRecord, deadlines: &Deadlines, inside: bool) {
    // All three: a host that was killed at the very beginning has asked for the server's units and not yet for the target,
    // and sockets that stay bound with a connection in them start the server's unit again and again.
    let (service, socket) = (names::xorg_service(record.display), names::xorg_socket(record.display));
    let units = [names::XORG_TARGET, &service, &socket];
    let Ok(states) = manager.states(if inside { &units[..1] } else { &units }).await else { return };
    if states.iter().all(UnitState::is_down) {
        return;
    }
    let end = async {
        applications::end(manager, &record.units, deadlines.applications).await;
        stop(manager, names::SHUTDOWN_TARGET, true).await;
        // And what has no tie to the targets.
        for unit in &record.units {
            stop(manager, unit, false).await;
        }
    };
    if timeout(deadlines.going_down, end).await.is_err() {
        tracing::warn!("the last session does not go down; see: systemctl --user list-jobs");
    }
}

/// Stops a unit, or starts the one that stops the others, and waits for it.
async fn stop(manager: &Manager, unit: &str, shutdown: bool) {
    let job = async {
        match shutdown {
            true => manager.start(unit, Mode::ReplaceIrreversibly).await,
            false => manager.stop(unit, Mode::Replace).await,
        }
    };
    // A unit that is not loaded has nothing to stop.
    if let Err(error) = manager.until_done(job).await {
        tracing::debug!("{unit}: {error}");
    }
}

/// Puts back what a session has changed in the user manager.
pub async fn undo_environment(manager: &Manager, record: &SessionRecord) {
    if let Err(error) = restore::restore(manager, &record.before, &record.exported).await {
        tracing::warn!("the user manager's environment could not be put back: {error}");
    }
    let xorg = [names::xorg_service(record.display), names::xorg_socket(record.display)];
    for unit in xorg.iter().chain(&record.units) {
        // Fails for units that are not loaded any more, which is what we want.
        let _ = manager.reset_failed(unit).await;
    }
}

/// Waits until the control groups of a session's services that have failed are gone, before they are forgotten.
///
/// A race: a process that is killed together with the main one may still be in the group when the service has failed.
/// systemd removes the group when the kernel tells that it is empty, which it does once in ten milliseconds at most; if the
/// unit is forgotten by then, as a failed one is that is reset, the group stays for ever (seen on 262).
async fn await_groups(manager: &Manager, record: &SessionRecord) {
    let xorg = names::xorg_service(record.display);
    let units: Vec<&str> = std::iter::once(&xorg).chain(&record.units).map(String::as_str).collect();
    let Ok(states) = manager.states(&units).await else { return };
    for (unit, _) in units.iter().zip(states).filter(|(_, state)| state.active == "failed") {
        let gone = async {
            while manager.has_control_group(unit).await.unwrap_or(false) {
                sleep(LOOK_AGAIN).await;
            }
        };
        let _ = timeout(KILLED, gone).await;
    }
}

/// The supervisor's part: the host has died under it, and it has ended the session in the host's place.
pub async fn repair_after(runtime: &RuntimeDir, manager: &Manager, host: Pid, deadlines: &Deadlines) {
    let ours = matches!(SessionRecord::of(runtime), Ok(Some(record)) if record.host == host.as_raw());
    if !ours {
        return;
    }
    // If somebody else has the lock, the next start is on its way, and repairs itself.
    if let Ok(lock) = SessionLock::take(runtime, Duration::ZERO).await {
        put_right(&lock, manager, deadlines, true).await;
    }
}

/// What [`clean_up`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// No session, alive or dead.
    Nothing,
    /// A dead one; nothing is left of it now.
    Dead,
    /// A host that lives.
    Alive,
}

/// Ends what is left of a dead session: for `startxd stop` where no host answers, and for the unit that systemd starts
/// when a supervisor has failed (`startxd-repair.service`), which may have been killed together with its host.
///
/// Somebody who is at it already is waited for.
pub async fn clean_up(runtime: &RuntimeDir, deadlines: &Deadlines) -> Found {
    if !is_recorded(runtime) {
        return Found::Nothing;
    }
    if is_served(runtime) {
        return Found::Alive;
    }
    let manager = match Manager::connect(runtime, deadlines.user_manager).await {
        Ok(manager) => manager,
        Err(error) => {
            tracing::error!("{error}");
            return Found::Nothing;
        }
    };
    let lock = match SessionLock::take(runtime, deadlines.going_down).await {
        Ok(lock) => lock,
        Err(NotLocked::Busy) => return Found::Alive,
        Err(error) => {
            tracing::error!("{error}");
            return Found::Nothing;
        }
    };
    repair(&lock, &manager, deadlines).await;
    Found::Dead
}
