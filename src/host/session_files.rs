//! What a session has on disk beside its record: the cookie, where clients without `XAUTHORITY` find it, and what describes
//! the login.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::environment::Block;
use crate::files::{self, NotWritten};
use crate::records::session::SessionRecord;
use crate::runtime_dir::RuntimeDir;
use crate::text;
use crate::x11::cookie::Cookie;
use crate::x11::xauthority::{self, shared};

/// The file where libXau looks without `XAUTHORITY`, or with the one that this person's logins set: there startx(1) has the
/// cookie, for ssh(1), su(1) and cron(8). `None` if it is not to be there.
pub(super) fn shared_authority(config: &Config, own: &Path) -> Option<PathBuf> {
    if config.server.hides_cookie {
        return None;
    }
    let named = std::env::var_os("XAUTHORITY").map(PathBuf::from).filter(|path| path.is_absolute() && path != own);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".Xauthority"));
    named.or_else(home).filter(|path| path.is_absolute())
}

/// Takes a session's files away again. The shared one first, as it is known by the cookie in the other.
pub(super) fn remove(runtime: &RuntimeDir, record: &SessionRecord) {
    let own = runtime.authority(record.display);
    if let Some(path) = &record.shared
        && let Some(cookie) = xauthority::cookie_in(&own, record.display)
        && let Err(error) = shared::remove(path, &cookie)
    {
        tracing::info!("the cookie of display {} stays in {}: {error}", record.display, path.display());
    }
    files::remove(&own);
    files::remove(&runtime.session_env());
    files::remove(&runtime.notify_socket());
}

/// Writes what describes the login, and the cookie into the shared file. The session's own file has it already, and the
/// record tells of all of them.
///
/// # Errors
/// The runtime directory is full. A shared file that cannot be written is logged: sessions work without.
pub(super) fn write(
    runtime: &RuntimeDir,
    record: &SessionRecord,
    of_login: &Block,
    cookie: &Cookie,
) -> Result<(), NotWritten> {
    let lines: String = of_login.iter().map(|(name, value)| format!("{name}={value:?}\n")).collect();
    let path = runtime.session_env();
    files::replace(&path, lines, 0o600).map_err(|error| NotWritten::new(&path, error))?;
    if let Some(path) = &record.shared
        && let Err(error) = shared::add(path, record.display, cookie)
    {
        let path = text::path(path);
        tracing::info!("the cookie of this display is not in {path}: {error}");
    }
    Ok(())
}
