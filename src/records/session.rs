//! The session's record, `$XDG_RUNTIME_DIR/startxd/session.toml`: what a session is, and what has to be restored.
//!
//! It is written before the first change and removed after the last one is undone, so a record whose host is dead
//! was left by a session that ended badly; the next start cleans up after it (crash-only software).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Record, Unreadable};
use crate::environment::block::Block;
use crate::runtime_dir::RuntimeDir;
use crate::seat::Seat;
use crate::x11::display::Display;

/// What is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// logind's id of the session.
    pub session: String,
    /// Its place.
    #[serde(flatten)]
    pub seat: Seat,
    /// The display.
    pub display: Display,
    /// The host's pid.
    pub host: i32,
    /// When the session was started, seconds since the epoch.
    pub started: u64,
    /// What was started, for people.
    pub what: String,
    /// The units of the session: the window manager's, or those of another program in its place.
    pub units: Vec<String>,
    /// Whether the login session ends with it, also if the host is killed: the screen is locked, or the login is for it
    /// alone.
    #[serde(default)]
    pub closes_login: bool,
    /// The file of others' cookies in which the display's is, too.
    #[serde(default)]
    pub shared: Option<PathBuf>,
    /// The names that were exported for the session.
    pub exported: Vec<String>,
    /// The manager's whole environment as it was before.
    pub before: Block,
}

impl SessionRecord {
    /// A record of this host and this moment, without units and environment yet.
    #[must_use]
    pub fn new(session: String, seat: Seat, display: Display, what: String) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            session,
            seat,
            display,
            host: nix::unistd::getpid().as_raw(),
            started: now.map_or(0, |time| time.as_secs()),
            what,
            units: Vec::new(),
            closes_login: false,
            shared: None,
            exported: Vec::new(),
            before: Block::new(),
        }
    }

    /// The record of the user's session; `None` if there is none.
    ///
    /// # Errors
    /// See [`Unreadable`].
    pub fn of(runtime: &RuntimeDir) -> Result<Option<Self>, Unreadable> {
        Self::load(&runtime.record())
    }
}

impl Record for SessionRecord {
    const WHAT: &'static str = "a session record";
    const VERSION: Option<u32> = Some(1);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{Record, SessionRecord};
    use crate::environment::block::Block;
    use crate::seat::Seat;
    use crate::test_dir::TestDir;
    use crate::x11::display::Display;

    fn record() -> SessionRecord {
        SessionRecord {
            session: "c1".into(),
            seat: Seat::new("seat0".into(), Some(1)).unwrap(),
            display: Display::parse(":3").unwrap(),
            host: 42,
            started: 1,
            what: "openbox".into(),
            units: vec!["startxd-wm@openbox.service".into()],
            closes_login: true,
            shared: Some("/home/ada/.Xauthority".into()),
            exported: vec!["DISPLAY".into()],
            before: Block::from([
                ("A".into(), "line\none \"quoted\" \t\u{1f600}".into()),
                ("EMPTY".into(), String::new()),
            ]),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let directory = TestDir::new();
        let path = directory.path("session.toml");
        assert!(SessionRecord::load(&path).unwrap().is_none());
        record().save(&path).unwrap();
        assert_eq!(SessionRecord::load(&path).unwrap(), Some(record()));
        let elsewhere = SessionRecord { seat: Seat::new("seat1".into(), None).unwrap(), ..record() };
        assert_eq!(SessionRecord::from_toml(elsewhere.to_toml().unwrap().as_bytes()).unwrap(), elsewhere);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(directory.path("")).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_not_a_record_is_refused() {
        let directory = TestDir::new();
        let path = directory.path("session.toml");
        let other_version = record().to_toml().unwrap().replace("version = 1", "version = 2");
        for text in ["", "version = 1", "\u{0}", other_version.as_str()] {
            std::fs::write(&path, text).unwrap();
            assert!(SessionRecord::load(&path).is_err(), "{text:?}");
        }
        std::fs::remove_file(&path).unwrap();
        // Somebody else's file is not read through a link, and a pipe does not block.
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(SessionRecord::load(&path).is_err());
        std::fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(SessionRecord::load(&path).is_err());
    }
}
