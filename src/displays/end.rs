//! The end of a display, and what is done for one that had none.

use tokio::time::timeout;

use super::Failure;
use super::claim::{self, Claim};
use crate::deadline::{Deadlines, LOOK_AGAIN};
use crate::manager::{Manager, Mode, NoManager, Signal, UnitState, names};
use crate::runtime_dir::RuntimeDir;
use crate::session::applications;
use crate::x11::display::Display;

/// Ends a display in order: what its window manager has started, commands, the window manager, the server, the sockets;
/// and what is on disk of it. Returns when all is gone.
///
/// # Errors
/// [`Failure::Unknown`], [`Failure::NotGone`], or the manager does not take the order.
pub async fn stop(
    runtime: &RuntimeDir,
    manager: &Manager,
    display: Display,
    deadlines: &Deadlines,
) -> Result<(), Failure> {
    let own = match claim::settings(runtime, display) {
        Ok(None) => return Err(Failure::Unknown(display)),
        Ok(Some(settings)) => settings.client.is_some(),
        Err(_) => false,
    };
    let deadline = deadlines.applications + deadlines.stop;
    let gone = async {
        applications::end(manager, &[names::display_session(display)], deadlines.applications).await;
        stop_units(manager, &units(display, own)).await?;
        // Its supervisor has removed the claim; unless it was killed, or somebody holds it, who removes it in a moment.
        while runtime.claim(display).exists() {
            match Claim::hold(runtime, display) {
                Some(claim) => claim.remove(runtime),
                None => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
        Ok(())
    };
    timeout(deadline, gone).await.unwrap_or(Err(Failure::NotGone(display, deadline)))
}

/// The units that make up a display: a command's own, or one for everybody. Commands on it are bound to these, and go with
/// them.
#[must_use]
pub fn units(display: Display, own: bool) -> Vec<String> {
    // Its session is bound as well, but may have failed before, or on its way out, which nobody would forget.
    let session = names::display_session(display);
    match own {
        true => vec![names::display_scope(display), session],
        false => vec![
            names::display_service(display),
            names::display_socket(display),
            names::display_repair(display),
            session,
        ],
    }
}

/// Stops units, and forgets that they failed. Returns when they are down.
///
/// # Errors
/// The connection is gone.
pub async fn stop_units(manager: &Manager, units: &[String]) -> Result<(), Failure> {
    let mut signals = manager.signals().await?;
    let mut jobs = Vec::new();
    for unit in units {
        // A unit that is not loaded has nothing to stop.
        jobs.extend(manager.stop(unit, Mode::Replace).await);
    }
    while !jobs.is_empty() {
        match signals.next().await {
            Signal::JobDone { job, .. } => jobs.retain(|queued| *queued != job),
            Signal::UnitChanged(_) | Signal::Restarts { .. } | Signal::UnitJob { .. } => {}
            Signal::Lost => return Err(NoManager::lost().into()),
        }
    }
    for unit in units {
        let _ = manager.reset_failed(unit).await;
    }
    Ok(())
}

/// Removes what is left of a display whose supervisor was killed; for the unit that systemd starts then, and before a new
/// display is made.
pub async fn repair(runtime: &RuntimeDir, manager: &Manager, display: Display) {
    // Not while it is on its way up or down: who does that holds the claim, or the unit is active.
    let Some(claim) = Claim::hold(runtime, display) else { return };
    let own = matches!(claim::settings(runtime, display), Ok(Some(settings)) if settings.client.is_some());
    let service = names::display_service(display);
    if !own && !manager.state(&service).await.is_ok_and(|state| state.is_down()) {
        return;
    }
    // Not this unit itself, if this is the repair.
    let units: Vec<String> =
        units(display, own).into_iter().filter(|unit| *unit != names::display_repair(display)).collect();
    if let Err(error) = stop_units(manager, &units).await {
        tracing::debug!("{units:?}: {error}");
    }
    // The macro has a `display` of its own.
    let which = display;
    tracing::warn!("display {which} was left behind by a supervisor that was killed; it is cleaned up");
    claim.remove(runtime);
}

/// [`repair`] for every display that may need it.
pub async fn repair_all(runtime: &RuntimeDir, manager: &Manager) {
    let displays = claim::all(runtime);
    if displays.is_empty() {
        return;
    }
    let unit = |&display: &Display| match claim::settings(runtime, display) {
        Ok(Some(settings)) => settings.unit(),
        _ => names::display_service(display),
    };
    let units: Vec<String> = displays.iter().map(unit).collect();
    let units: Vec<&str> = units.iter().map(String::as_str).collect();
    // Asked before anything is held, so that a display that lives is not held up for a moment.
    let Ok(states) = manager.states(&units).await else { return };
    let down = |(display, state): (Display, UnitState)| state.is_down().then_some(display);
    for display in displays.into_iter().zip(states).filter_map(down) {
        repair(runtime, manager, display).await;
    }
}
