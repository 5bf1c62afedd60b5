//! The environment of the user manager and of D-Bus activation: out at the start of a session, back at its end.
//!
//! The algebra is in [`crate::environment`]; here is the order in which it has to happen.

use tokio::time::{Instant, sleep};

use super::Manager;
use crate::dbus::CallError;
use crate::deadline::{FORWARDED, LOOK_AGAIN_SOON};
use crate::environment::block::Block;
use crate::environment::restore::{bus_values, difference};
use crate::session_bus::update_activation_environment;

/// Set on the bus during a restore to see that the bus has forwarded everything; gone afterwards.
const MARK: &str = "STARTXD_RESTORE";

/// Exports variables to the manager and to D-Bus activation, and takes those of `unset` out of the manager; the bus
/// cannot take any out.
///
/// The manager first, and by a call of our own: the bus would forward them to it, but nobody knows when, and the
/// window manager must not be started before.
///
/// # Errors
/// The manager refused. A bus that does not take them is logged: sessions work without.
pub async fn export(manager: &Manager, variables: &Block, unset: &[String]) -> Result<(), CallError> {
    let to_bus = update_activation_environment(manager.bus(), variables);
    let (set, told) = tokio::join!(manager.change_environment(unset, variables), to_bus);
    if let Err(error) = told {
        tracing::warn!("services started by D-Bus will not know the display: {error}");
    }
    set
}

/// Puts the manager's environment back to exactly what it was `before`, and for `exported` names that of D-Bus
/// activation too, as far as the bus can (names cannot be taken out, so they become empty).
///
/// The order matters. The bus forwards what it is told to the manager, dbus-broker some time after it has answered: a
/// forwarded `DISPLAY=` could arrive after the manager's environment was put back, and stay. So the bus goes first, with a
/// mark among the values; once the mark has arrived in the manager, so has everything else, and the rest is ours.
///
/// # Errors
/// The manager refused, or is gone (and its environment with it).
pub async fn restore(manager: &Manager, before: &Block, exported: &[String]) -> Result<(), CallError> {
    let names: Block = exported.iter().map(|name| (name.clone(), String::new())).collect();
    if !names.is_empty() {
        let mut values = bus_values(before, &names);
        let mark = nix::unistd::getpid().to_string();
        values.insert(MARK.to_owned(), mark.clone());
        match update_activation_environment(manager.bus(), &values).await {
            Ok(()) => await_mark(manager, &mark).await?,
            Err(error) => tracing::warn!("services started by D-Bus keep the variables of this session: {error}"),
        }
    }
    let changes = difference(before, &manager.environment().await?);
    if changes.is_empty() {
        return Ok(());
    }
    let unset: Vec<String> = changes.unset.into_iter().collect();
    manager.change_environment(&unset, &changes.set).await
}

async fn await_mark(manager: &Manager, mark: &str) -> Result<(), CallError> {
    let deadline = Instant::now() + FORWARDED;
    while manager.environment().await?.get(MARK).is_none_or(|value| value != mark) {
        if Instant::now() >= deadline {
            tracing::debug!("the message bus does not forward its environment to the manager");
            break;
        }
        sleep(LOOK_AGAIN_SOON).await;
    }
    Ok(())
}
