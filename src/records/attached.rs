//! The attached display, on disk: for the service that watches it, and for the process that restores the environment.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Record;
use crate::environment::block::Block;
use crate::runtime_dir::RuntimeDir;
use crate::x11::display::Display;

/// An attached display.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedRecord {
    /// The display.
    pub display: Display,
    /// Its authority file.
    pub authority: PathBuf,
    /// The names that were exported for it.
    pub exported: Vec<String>,
    /// The manager's whole environment as it was before.
    pub before: Block,
}

impl AttachedRecord {
    /// A record of these.
    #[must_use]
    pub fn new(display: Display, authority: PathBuf, exported: Vec<String>, before: Block) -> Self {
        Self { display, authority, exported, before }
    }

    /// The record of what is attached; `None` if there is none that this version of startxd has written.
    #[must_use]
    pub fn of(runtime: &RuntimeDir) -> Option<Self> {
        Self::load(&runtime.attached()).ok().flatten()
    }
}

impl Record for AttachedRecord {
    const WHAT: &'static str = "a record of an attached display";
    const VERSION: Option<u32> = Some(1);
}

#[cfg(test)]
mod tests {
    use super::{AttachedRecord, Record};
    use crate::environment::block::Block;
    use crate::test_dir::TestDir;
    use crate::x11::display::Display;

    #[test]
    fn what_is_written_is_read_again() {
        let directory = TestDir::new();
        let path = directory.path("attached.toml");
        let read = |path: &std::path::Path| AttachedRecord::load(path).ok().flatten();
        assert_eq!(read(&path), None);
        let before = Block::from([("A".to_owned(), "line\none".to_owned())]);
        let exported = vec!["DISPLAY".to_owned()];
        let attached =
            AttachedRecord::new(Display::parse(":1").unwrap(), "/home/ada/.Xauthority".into(), exported, before);
        attached.save(&path).unwrap();
        assert_eq!(read(&path), Some(attached));
        for text in ["", "version = 2", "\0"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&path), None, "{text:?}");
        }
    }
}
