//! The choice of last time, `$XDG_STATE_HOME/startxd/selected`: one line, an argument of `startxd start`.

use std::io;
use std::path::{Path, PathBuf};

use crate::{files, xdg};

/// Where it is kept; `None` without a home.
#[must_use]
pub fn path() -> Option<PathBuf> {
    xdg::in_state_home("selected", xdg::variable)
}

/// The choice of last time; `None` if there is none, or if it cannot be read.
#[must_use]
pub fn recall(path: &Path) -> Option<String> {
    choice(&crate::small_file::read(path).ok()?)
}

/// The choice in the text of the file: its first line.
#[must_use]
pub fn choice(bytes: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(bytes).ok()?.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Stores a choice: atomically, 0600, in directories that only their owner can enter.
///
/// # Errors
/// The directory cannot be made or written to.
pub fn remember(path: &Path, choice: &str) -> io::Result<()> {
    files::make_directory_of(path)?;
    files::replace(path, format!("{choice}\n"), 0o600)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::test_dir::TestDir;

    #[test]
    fn what_is_kept_is_recalled() {
        let dir = TestDir::new();
        let path = dir.path("state/startxd/selected");
        assert_eq!(recall(&path), None);
        for choice in ["i3", "/home/a b/.xinitrc"] {
            remember(&path, choice).unwrap();
            assert_eq!(recall(&path).as_deref(), Some(choice));
        }
        let mode = |path: &str| std::fs::metadata(dir.path(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(["state", "state/startxd", "state/startxd/selected"].map(mode), [0o700, 0o700, 0o600]);
        assert_eq!(std::fs::read_dir(dir.path("state/startxd")).unwrap().count(), 1);
        for text in [&b""[..], b"\n", b"\xff\n"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(recall(&path), None);
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(recall(&path).is_none() && remember(&path, "x").is_err());
        assert_eq!(std::fs::read_dir(dir.path("state/startxd")).unwrap().count(), 1);
    }
}
