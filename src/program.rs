//! Which program a word means.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{NoSession, Surroundings};

/// The program that a shell would run for this word, by the login's `$PATH`.
pub(crate) fn find(name: &OsStr, around: &Surroundings) -> Option<PathBuf> {
    let given = Path::new(name);
    if name.is_empty() {
        return None;
    }
    if name.as_encoded_bytes().contains(&b'/') {
        // The unit's working directory is another: the path must hold there too.
        let absolute = std::path::absolute(given).ok()?;
        return is_executable(&absolute).then_some(absolute);
    }
    let path = around.path.as_ref()?;
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(given))
        .find(|file| is_executable(file))
}

/// Whether a path leads to a file that somebody may execute.
pub fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Why a word is no command.
pub(super) fn why_not(name: &str) -> NoSession {
    if name.is_empty() {
        return NoSession::Path("the session's name is empty; give a command or a unit, or leave it away".to_owned());
    }
    if !name.contains('/') {
        return NoSession::Command(name.to_owned());
    }
    NoSession::Path(match std::fs::metadata(name) {
        Ok(metadata) if metadata.is_dir() => format!("{name} is a directory, not a program; give the program's path"),
        Ok(metadata) if metadata.is_file() => format!("{name} is not executable; chmod +x {name}, or check the path"),
        Ok(_) => format!("{name} is not a program; check the path"),
        Err(error) => format!("{name} cannot be run: {error}; check the path"),
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::PathBuf;

    use super::super::tests::{file, surroundings};
    use super::find;
    use crate::test_dir::TestDir;

    #[test]
    fn commands_are_found_as_a_shell_finds_them() {
        let directory = TestDir::new();
        let program = file(&directory, "wm", "#!/bin/sh\n", 0o755);
        file(&directory, "plain", "", 0o644);
        std::fs::create_dir(directory.path("folder")).unwrap();
        // A relative entry means another directory in the unit, so it does not count.
        let path = std::env::join_paths([PathBuf::from("."), "/nonexistent".into(), directory.path("")]).unwrap();
        let around = surroundings(path, &directory);
        let find = |name: &str| find(OsStr::new(name), &around);
        assert_eq!(find("wm"), Some(program.clone()));
        assert_eq!(find(program.to_str().unwrap()), Some(program));
        for name in ["", "plain", "folder", "missing", "/", "/nonexistent/wm"] {
            assert_eq!(find(name), None, "{name:?}");
        }
    }
}
