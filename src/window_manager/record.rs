//! What `startxd enable wm` has written, and `disable` may remove: `$XDG_STATE_HOME/startxd/window-managers.toml`.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::records::Record;
use crate::{small_file, xdg};

/// A unit that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenUnit {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// The text that was written. If the file has another text, it was edited and is the person's.
    pub text: String,
    /// The directories that were created for it, the outermost first.
    pub directories: Vec<PathBuf>,
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenUnits {
    /// The enabled one comes last; earlier ones were in use when another one replaced them.
    pub units: Vec<WrittenUnit>,
}

impl Record for WrittenUnits {
    const WHAT: &'static str = "a record of what was written";
    const VERSION: Option<u32> = Some(1);
}

/// Where it is kept; `None` without a home.
#[must_use]
pub fn path() -> Option<PathBuf> {
    xdg::in_state_home("window-managers.toml", xdg::variable)
}

impl WrittenUnits {
    /// Forgets a unit that was removed. Directories that were created for it and are still in use pass to the unit
    /// `name`.
    pub fn hand_on(&mut self, removed: &WrittenUnit, name: &str) {
        self.units.retain(|unit| unit.name != removed.name);
        if let Some(unit) = self.units.iter_mut().find(|unit| unit.name == name) {
            unit.directories.extend(removed.directories.iter().filter(|path| path.is_dir()).cloned());
            // The outermost first.
            unit.directories.sort();
            unit.directories.dedup();
        }
    }

    /// The unit of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&WrittenUnit> {
        self.units.iter().find(|unit| unit.name == name)
    }
}

impl WrittenUnit {
    /// Whether the file is unchanged.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        has_text(&self.path, &self.text)
    }

    /// Removes the file, and the directories that were created for it and are empty. An edited file stays.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(&self) -> io::Result<()> {
        if self.is_unchanged() {
            std::fs::remove_file(&self.path)?;
        }
        for directory in self.directories.iter().rev() {
            // A directory in use stays.
            let _ = std::fs::remove_dir(directory);
        }
        Ok(())
    }
}

/// Whether a path is a file, no link, with exactly this text.
#[must_use]
pub fn has_text(path: &Path, text: &str) -> bool {
    !path.is_symlink() && small_file::read(path).is_ok_and(|bytes| bytes == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{WrittenUnit, WrittenUnits};
    use crate::records::Record;
    use crate::test_dir::TestDir;

    fn written(directory: &TestDir) -> WrittenUnit {
        let path = directory.path("a/b/i3.service");
        std::fs::create_dir_all(directory.path("a/b")).unwrap();
        std::fs::write(&path, "text\n").unwrap();
        let directories = ["a", "a/b"].map(|name| directory.path(name)).to_vec();
        WrittenUnit { name: "i3.service".into(), path, text: "text\n".into(), directories }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let directory = TestDir::new();
        let path = directory.path("state/startxd/window-managers.toml");
        assert_eq!(WrittenUnits::kept(&path).unwrap(), WrittenUnits::default());
        let units = WrittenUnits { units: vec![written(&directory)] };
        units.keep_or_remove(&path).unwrap();
        assert_eq!(WrittenUnits::kept(&path).unwrap(), units);
        assert!(units.find("i3.service").is_some() && units.find("openbox.service").is_none());
        std::fs::write(&path, "version = 2").unwrap();
        assert!(WrittenUnits::kept(&path).is_err());
        WrittenUnits::default().keep_or_remove(&path).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn directories_in_use_pass_to_the_next_unit() {
        let directory = TestDir::new();
        let first = written(&directory);
        let next = WrittenUnit { name: "twm.service".into(), directories: Vec::new(), ..first.clone() };
        let mut units = WrittenUnits { units: vec![first.clone(), next] };
        std::fs::write(directory.path("a/twm.service"), "").unwrap();
        first.remove().unwrap();
        units.hand_on(&first, "twm.service");
        assert!(units.find("i3.service").is_none());
        assert_eq!(units.find("twm.service").unwrap().directories, [directory.path("a")]);
    }

    #[test]
    fn only_what_was_created_is_removed() {
        let directory = TestDir::new();
        written(&directory).remove().unwrap();
        assert!(!directory.path("a").exists());

        let unit = written(&directory);
        std::fs::write(&unit.path, "edited\n").unwrap();
        unit.remove().unwrap();
        assert_eq!(std::fs::read_to_string(&unit.path).unwrap(), "edited\n");

        let unit = written(&directory);
        std::fs::write(directory.path("a/other"), "").unwrap();
        unit.remove().unwrap();
        assert!(!directory.path("a/b").exists() && directory.path("a/other").exists());

        let unit = written(&directory);
        let target = directory.path("elsewhere");
        std::fs::rename(&unit.path, &target).unwrap();
        std::os::unix::fs::symlink(&target, &unit.path).unwrap();
        unit.remove().unwrap();
        assert!(unit.path.is_symlink());
    }
}
