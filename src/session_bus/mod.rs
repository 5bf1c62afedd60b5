//! The user's message bus: its activation environment (D-Bus Specification, "Message Bus Messages"), and a service on it.

pub mod screen_saver;

use zbus::{Connection, connection};

use crate::dbus::{BUS, CallError};
use crate::deadline;
use crate::environment::block::Block;
use crate::runtime_dir::RuntimeDir;

/// Connects to the user's bus at `$XDG_RUNTIME_DIR/bus`, whatever `$DBUS_SESSION_BUS_ADDRESS` says: the bus that belongs
/// to the user manager, not one that `dbus-run-session` made for a shell.
///
/// # Errors
/// There is none, or it does not answer.
pub async fn connect(runtime: &RuntimeDir) -> zbus::Result<Connection> {
    let address = zbus::Address::try_from(format!("unix:path={}", runtime.bus_socket().display()).as_str())?;
    connection::Builder::address(address).method_timeout(deadline::CALL).build().await
}

/// Sets variables for services that the bus starts from now on (`UpdateActivationEnvironment`).
///
/// Both dbus-daemon (bus/driver.c) and dbus-broker (launcher.c) forward them to the user manager's `SetEnvironment`,
/// dbus-broker some time after it has answered. There is no method to take a variable out again.
///
/// # Errors
/// The bus refused, as it does in a container that shares another's bus.
pub async fn update_activation_environment(connection: &Connection, variables: &Block) -> Result<(), CallError> {
    BUS.call(connection, "UpdateActivationEnvironment", &(variables,)).await.map(|_| ())
}
