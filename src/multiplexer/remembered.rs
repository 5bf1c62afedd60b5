//! What `startxd enable multiplexer` has set, `$XDG_STATE_HOME/startxd/multiplexers.toml`: what `disable` may take back.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{files, small_file};

/// The form of the file; another one is not read.
const VERSION: u32 = 1;

/// What was set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    version: u32,
    /// The units that were enabled and were not before.
    pub units: Vec<String>,
    /// Whether `multiplexer.target` was.
    pub target: bool,
    /// Whether lingering was turned on.
    pub linger: bool,
}

/// Where it is kept (XDG Base Directory Specification); `None` without a home.
#[must_use]
pub fn path() -> Option<PathBuf> {
    let home = std::env::home_dir().filter(|path| path.is_absolute());
    files::in_state_home(std::env::var_os("XDG_STATE_HOME"), home.as_deref(), "multiplexers.toml")
}

impl Remembered {
    /// Reads it; nothing if there is no file.
    ///
    /// # Errors
    /// There is one that cannot be read.
    pub fn read(path: &Path) -> io::Result<Self> {
        let bytes = small_file::read_if_there(path)?;
        bytes.map_or_else(|| Ok(Self::default()), |bytes| Self::parse(&bytes).map_err(io::Error::other))
    }

    /// Takes what is in the file.
    ///
    /// # Errors
    /// Why it is none of this version's.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let read: Self = toml::from_slice(bytes).map_err(|error| error.message().to_owned())?;
        if read.version == VERSION { Ok(read) } else { Err("it is of another version of startxd".to_owned()) }
    }

    /// What is in the file.
    ///
    /// # Errors
    /// None in practice: all of them can be written as TOML.
    pub fn render(&self) -> io::Result<String> {
        toml::to_string(&Self { version: VERSION, ..self.clone() }).map_err(io::Error::other)
    }

    /// Writes it for good, or removes it when there is nothing to remember.
    ///
    /// # Errors
    /// The directory cannot be made or written to.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        if self.units.is_empty() && !self.target && !self.linger {
            return match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        DirBuilder::new().recursive(true).mode(0o700).create(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
        files::replace_durably(path, &self.render()?, 0o600)
    }
}

#[cfg(test)]
mod tests {
    use super::Remembered;
    use crate::test_dir::TestDir;

    #[test]
    fn what_is_written_is_read_again() {
        let directory = TestDir::new();
        let path = directory.path("state/startxd/multiplexers.toml");
        assert_eq!(Remembered::read(&path).unwrap(), Remembered::default());
        let set = Remembered { version: 1, units: vec!["tmux@a.service".into()], target: true, linger: false };
        set.write(&path).unwrap();
        assert_eq!(Remembered::read(&path).unwrap(), set);
        std::fs::write(&path, "version = 2").unwrap();
        assert!(Remembered::read(&path).is_err());
        Remembered::default().write(&path).unwrap();
        assert!(!path.exists());
        Remembered::default().write(&path).unwrap();
    }
}
