//! What is attached, on disk: for the service that watches it, and for who puts the environment back.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::environment::block::Block;
use crate::x11::display::Display;
use crate::{files, small_file};

/// The form of the record; another one is not read.
const VERSION: u32 = 1;

/// An attached display.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    version: u32,
    /// The display.
    pub display: Display,
    /// Its authority file.
    pub authority: PathBuf,
    /// The names that were exported for it.
    pub exported: Vec<String>,
    /// The manager's whole environment as it was before.
    pub before: Block,
}

impl Attached {
    /// A record of this version.
    #[must_use]
    pub fn new(display: Display, authority: PathBuf, exported: Vec<String>, before: Block) -> Self {
        Self { version: VERSION, display, authority, exported, before }
    }

    /// Writes the record, whole or not at all.
    ///
    /// # Errors
    /// The directory is full or not writable.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        files::replace(path, &self.render()?, 0o600)
    }

    /// What is in the file.
    ///
    /// # Errors
    /// None in practice: all of them can be written as TOML.
    pub fn render(&self) -> io::Result<String> {
        toml::to_string(self).map_err(io::Error::other)
    }

    /// Reads a record; `None` if there is none that this version of startxd has written.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        Self::parse(&small_file::read_ours(path).ok()??)
    }

    /// Takes what is in a file and returns the record; `None` if this version of startxd has not written it.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        toml::from_slice(bytes).ok().filter(|attached: &Self| attached.version == VERSION)
    }
}

#[cfg(test)]
mod tests {
    use super::Attached;
    use crate::environment::block::Block;
    use crate::test_dir::TestDir;
    use crate::x11::display::Display;

    #[test]
    fn what_is_written_is_read_again() {
        let directory = TestDir::new();
        let path = directory.path("attached.toml");
        assert_eq!(Attached::read(&path), None);
        let before = Block::from([("A".to_owned(), "line\none".to_owned())]);
        let exported = vec!["DISPLAY".to_owned()];
        let attached = Attached::new(Display::parse(":1").unwrap(), "/home/ada/.Xauthority".into(), exported, before);
        attached.write(&path).unwrap();
        assert_eq!(Attached::read(&path), Some(attached));
        for text in ["", "version = 2", "\0"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(Attached::read(&path), None, "{text:?}");
        }
    }
}
