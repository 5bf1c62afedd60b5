//! Which variables of the login travel into the user manager, and how the manager's own are restored.
//!
//! Everything here except [`sourced`] is computed from blocks; [`crate::manager`] sends the results to systemd and
//! D-Bus.

pub mod block;
pub mod files;
pub mod policy;
pub mod restore;
pub mod sourced;

use std::ffi::OsString;
use std::path::Path;

use crate::x11::display::Display;

pub use block::Block;
pub use policy::is_value;

/// The variables by which a client finds a display: its name, the file with its cookie, and that it is one of X11
/// (pam_systemd(8), `XDG_SESSION_TYPE`).
#[must_use]
pub fn of_display(display: Display, authority: &Path) -> Block {
    Block::from([
        ("DISPLAY".to_owned(), display.to_string()),
        ("XAUTHORITY".to_owned(), authority.display().to_string()),
        ("XDG_SESSION_TYPE".to_owned(), "x11".to_owned()),
    ])
}

/// Takes the environment of the login, the one that the user manager has, and the session's own variables, and returns
/// what to send to the manager and to D-Bus before the first client starts.
///
/// That is each variable of the login that may travel ([`policy::travels`]) and that has another value or none in the
/// manager, and the session's, which override those. `extra_never` is the configured list of names that may not travel
/// either; a name that ends in `*` stands for all names with that beginning. It does not apply to the session's
/// variables: without `DISPLAY` there is no session.
///
/// A session's variable that the manager would not accept is omitted as well, because it would refuse the whole call.
pub fn export(login: &[(OsString, OsString)], manager: &Block, session: &Block, extra_never: &[String]) -> Block {
    let mut exported = Block::new();
    for (name, value) in login {
        let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else {
            continue;
        };
        let stays = policy::travels(name, value).is_err() || policy::is_listed(extra_never, name);
        if !stays && manager.get(name).is_none_or(|theirs| theirs != value) {
            exported.insert(name.to_owned(), value.to_owned());
        }
    }
    let acceptable = session.iter().filter(|(name, value)| policy::is_name(name) && policy::is_value(value));
    exported.extend(acceptable.map(|(name, value)| (name.clone(), value.clone())));
    exported
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn block(pairs: &[(&str, &str)]) -> Block {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn changed_variables_of_the_login_travel_and_the_sessions_win() {
        let login = [
            ("PATH", "/home/a/bin:/usr/bin"),
            ("LANG", "C.UTF-8"),
            ("EDITOR", "vi"),
            ("SECRET_TOKEN", "x"),
            ("SECRET", "y"),
            ("TERM", "linux"),
            ("DISPLAY", ":9"),
            ("XDG_CURRENT_DESKTOP", "old"),
        ];
        let mut login: Vec<(OsString, OsString)> = login.map(|(name, value)| (name.into(), value.into())).into();
        login.push(("LATIN".into(), OsString::from_vec(vec![0xe9])));
        let manager = block(&[("PATH", "/usr/bin"), ("LANG", "C.UTF-8"), ("OTHER", "1")]);
        let session = block(&[("DISPLAY", ":0"), ("XDG_CURRENT_DESKTOP", "i3"), ("DESKTOP_SESSION", "a\u{1}b")]);
        let expected = block(&[
            ("DISPLAY", ":0"),
            ("EDITOR", "vi"),
            ("PATH", "/home/a/bin:/usr/bin"),
            ("SECRET", "y"),
            ("XDG_CURRENT_DESKTOP", "i3"),
        ]);
        assert_eq!(export(&login, &manager, &session, &["SECRET_*".into(), "DISPLAY".into()]), expected);
    }
}
