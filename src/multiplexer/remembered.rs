//! What `startxd enable multiplexer` has set, and `disable` may undo: `$XDG_STATE_HOME/startxd/multiplexers.toml`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::records::Record;
use crate::xdg;

/// What was set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The units that were enabled by this.
    pub units: Vec<String>,
    /// Whether `multiplexer.target` was enabled by this.
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

#[cfg(test)]
mod tests {
    use super::Remembered;
    use crate::records::Record;
    use crate::test_dir::TestDir;

    #[test]
    fn what_is_written_is_read_again() {
        let directory = TestDir::new();
        let path = directory.path("state/startxd/multiplexers.toml");
        assert_eq!(Remembered::kept(&path).unwrap(), Remembered::default());
        let set = Remembered { units: vec!["tmux@a.service".into()], target: true, linger: false };
        set.keep_or_remove(&path).unwrap();
        assert_eq!(Remembered::kept(&path).unwrap(), set);
        std::fs::write(&path, "version = 2").unwrap();
        assert!(Remembered::kept(&path).is_err());
        Remembered::default().keep_or_remove(&path).unwrap();
        assert!(!path.exists());
        Remembered::default().keep_or_remove(&path).unwrap();
    }
}
