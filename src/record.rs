//! The session's record, `$XDG_RUNTIME_DIR/startxd/session.toml`: what a session is, and what has to be put back.
//!
//! It is written before the first change and removed after the last one is undone, so a record whose host is dead
//! is the trace of a session that ended badly; the next start repairs what it says (crash-only software).

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::environment::block::Block;
use crate::seat::Seat;
use crate::x11::display::Display;
use crate::{files, small_file};

/// The form of the record; another one is not read.
const VERSION: u32 = 1;

/// What is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    version: u32,
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
    /// What was asked for, for people.
    pub what: String,
    /// The units that are the session: the window manager's, or what was given in its place.
    pub units: Vec<String>,
    /// The names that were exported for the session.
    pub exported: Vec<String>,
    /// The manager's whole environment as it was before.
    pub before: Block,
}

/// Why a record could not be read.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// The file could not be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is not a record, or one of another version of startxd.
    #[error("it is not a session record of this version of startxd: {0}")]
    Form(String),
}

impl Record {
    /// A record of this version.
    #[must_use]
    pub fn new(session: &crate::logind::Session, seat: Seat, display: Display, what: String) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            version: VERSION,
            session: session.id.clone(),
            seat,
            display,
            host: nix::unistd::getpid().as_raw(),
            started: now.map_or(0, |time| time.as_secs()),
            what,
            units: Vec::new(),
            exported: Vec::new(),
            before: Block::new(),
        }
    }

    /// Writes the record, whole or not at all, 0600 from birth.
    ///
    /// # Errors
    /// The directory is full or not writable.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        files::replace(path, &self.render()?, 0o600)
    }

    /// Reads a record; `None` if there is none.
    ///
    /// # Errors
    /// See [`Unreadable`].
    pub fn read(path: &Path) -> Result<Option<Self>, Unreadable> {
        small_file::read_ours(path)?.map(|bytes| Self::parse(&bytes)).transpose()
    }

    /// The text of the file.
    ///
    /// # Errors
    /// None in practice: every record can be written as TOML.
    pub fn render(&self) -> io::Result<String> {
        toml::to_string(self).map_err(io::Error::other)
    }

    /// Takes what is in a file and returns the record.
    ///
    /// # Errors
    /// [`Unreadable::Form`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        let record: Self = toml::from_slice(bytes).map_err(|error| Unreadable::Form(error.message().to_owned()))?;
        if record.version != VERSION {
            return Err(Unreadable::Form(format!("version {}", record.version)));
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::Record;
    use crate::environment::block::Block;
    use crate::seat::Seat;
    use crate::test_dir::TestDir;
    use crate::x11::display::Display;

    fn record() -> Record {
        Record {
            version: super::VERSION,
            session: "c1".into(),
            seat: Seat::new("seat0".into(), Some(1)).unwrap(),
            display: Display::parse(":3").unwrap(),
            host: 42,
            started: 1,
            what: "openbox".into(),
            units: vec!["startxd-wm@openbox.service".into()],
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
        assert!(Record::read(&path).unwrap().is_none());
        record().write(&path).unwrap();
        assert_eq!(Record::read(&path).unwrap(), Some(record()));
        let elsewhere = Record { seat: Seat::new("seat1".into(), None).unwrap(), ..record() };
        assert_eq!(Record::parse(elsewhere.render().unwrap().as_bytes()).unwrap(), elsewhere);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(directory.path("")).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let directory = TestDir::new();
        let path = directory.path("session.toml");
        let other_version = toml::to_string(&record()).unwrap().replace("version = 1", "version = 2");
        for text in ["", "version = 1", "\u{0}", other_version.as_str()] {
            std::fs::write(&path, text).unwrap();
            assert!(Record::read(&path).is_err(), "{text:?}");
        }
        std::fs::remove_file(&path).unwrap();
        // Somebody else's file is not read through a link, and a pipe does not block.
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(Record::read(&path).is_err());
        std::fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(Record::read(&path).is_err());
    }
}
