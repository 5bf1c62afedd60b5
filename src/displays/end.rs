//! The end of a display, and the clean-up after one whose supervisor was killed.

use tokio::time::timeout;

use super::Failure;
use super::claim::{self, Claim};
use crate::deadline::{Deadlines, LOOK_AGAIN};
use crate::manager::{Manager, Mode, NoManager, Signal, UnitState, names};
use crate::runtime_dir::RuntimeDir;
use crate::session::applications;
use crate::x11::display::Display;

/// Ends a display in order: the programs of its window manager, commands, the window manager, the server, the sockets;
/// then removes its files. Returns when all is gone.
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
        // Its supervisor has removed the claim, unless it was killed. If another process holds the claim, that process
        // removes it.
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

/// The units of a display, whether of one command or for everybody. Commands on it are bound to these, and end with
/// them.
#[must_use]
pub fn units(display: Display, own: bool) -> Vec<String> {
    // Its session is bound as well, but it may have failed, and then its state has to be reset here.
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

/// Stops units, and resets their failed state. Returns when they are down.
///
/// # Errors
/// The connection is gone.
pub async fn stop_units(manager: &Manager, units: &[String]) -> Result<(), Failure> {
    let mut signals = manager.signals().await?;
    let mut jobs = Vec::new();
    for unit in units {
        // A unit that is not loaded need not be stopped.
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

/// Removes what is left of a display whose supervisor was killed. Called by the unit that systemd starts then, and
/// before a new display is created.
pub async fn repair(runtime: &RuntimeDir, manager: &Manager, display: Display) {
    // Not while it is starting or ending: then a process holds the claim, or the unit is active.
    let Some(claim) = Claim::hold(runtime, display) else { return };
    let own = matches!(claim::settings(runtime, display), Ok(Some(settings)) if settings.client.is_some());
    let service = names::display_service(display);
    if !own && !manager.state(&service).await.is_ok_and(|state| state.is_down()) {
        return;
    }
    // Not this unit itself, if this is the repair unit.
    let units: Vec<String> =
        units(display, own).into_iter().filter(|unit| *unit != names::display_repair(display)).collect();
    if let Err(error) = stop_units(manager, &units).await {
        tracing::debug!("{units:?}: {error}");
    }
    // The macro has a `display` of its own.
    let which = display;
    tracing::warn!("display {which} was left behind by a supervisor that was killed; cleaning it up");
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
    // Asked before any claim is locked, so that a running display is not delayed.
    let Ok(states) = manager.states(&units).await else { return };
    let down = |(display, state): (Display, UnitState)| state.is_down().then_some(display);
    for display in displays.into_iter().zip(states).filter_map(down) {
        repair(runtime, manager, display).await;
    }
}
