//! Lingering: a user manager that starts at boot and stays after the last logout (loginctl(1), `enable-linger`).

use std::path::Path;

use zbus::Connection;

use super::MANAGER;
use crate::dbus::CallError;

/// The directory where logind has a file for each user who lingers.
const DIRECTORY: &str = "/var/lib/systemd/linger";

/// Whether a user lingers, by the name.
#[must_use]
pub fn lingers(user: &str) -> bool {
    Path::new(DIRECTORY).join(user).exists()
}

/// Turns lingering of this user on or off (`SetUserLinger`), without asking for a password.
///
/// # Errors
/// The policy forbids it (`org.freedesktop.login1.set-self-linger`), or polkit does not run.
pub async fn set(connection: &Connection, enable: bool) -> Result<(), CallError> {
    let uid = nix::unistd::geteuid().as_raw();
    MANAGER.call(connection, "SetUserLinger", &(uid, enable, false)).await.map(|_| ())
}
