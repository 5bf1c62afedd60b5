//! What `startxd enable multiplexer` has set, `$XDG_STATE_HOME/startxd/multiplexers.toml`: what `disable` may take back.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::records::Record;
use crate::{files, small_file, xdg};

/// What was set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The units that were enabled and were not before.
    pub units: Vec<String>,
    /// Whether `multiplexer.target` was.
    pub target: bool,
    /// Whether lingering was turned on.
    pub linger: bool,
}

impl Record for Remembered {
    const WHAT: &'static str = "a record of what was enabled";
    const VERSION: Option<u32> = Some(1);
}

/// Where it is kept; `None` without a home.
#[must_use]
pub fn path() -> Option<PathBuf> {
    xdg::in_state_home("multiplexers.toml", xdg::variable)
}

impl Remembered {
    /// Reads it; nothing if there is no file.
    ///
    /// # Errors
    /// There is one that cannot be read.
    pub fn read(path: &Path) -> io::Result<Self> {
        let bytes = small_file::read_if_there(path)?;
        bytes.map_or_else(|| Ok(Self::default()), |bytes| Ok(Self::from_toml(&bytes)?))
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
        files::replace_durably(path, &self.to_toml()?, 0o600)
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
        let set = Remembered { units: vec!["tmux@a.service".into()], target: true, linger: false };
        set.write(&path).unwrap();
        assert_eq!(Remembered::read(&path).unwrap(), set);
        std::fs::write(&path, "version = 2").unwrap();
        assert!(Remembered::read(&path).is_err());
        Remembered::default().write(&path).unwrap();
        assert!(!path.exists());
        Remembered::default().write(&path).unwrap();
    }
}
