//! Lingering: a user manager that starts at boot and stays after the last logout (loginctl(1), `enable-linger`).

use std::path::Path;

use zbus::Connection;

use super::MANAGER;
use crate::dbus::CallError;

/// Where logind keeps who lingers: a file for each.
const DIRECTORY: &str = "/var/lib/systemd/linger";

/// Whether a user lingers, by the name.
#[must_use]
pub fn lingers(user: &str) -> bool {
    Path::new(DIRECTORY).join(user).exists()
}

/// Lets this user linger, or not (`SetUserLinger`). Nobody is asked for a password.
///
/// # Errors
/// The policy forbids it (`org.freedesktop.login1.set-self-linger`), or there is no polkit to ask for it.
pub async fn set(connection: &Connection, enable: bool) -> Result<(), CallError> {
    let uid = nix::unistd::geteuid().as_raw();
    MANAGER.call(connection, "SetUserLinger", &(uid, enable, false)).await.map(|_| ())
}
