//! Which program a word means.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The program that a shell would run for this word, where `path` is its `$PATH`.
#[must_use]
pub fn find(name: &OsStr, path: Option<&OsStr>) -> Option<PathBuf> {
    let given = Path::new(name);
    if name.is_empty() {
        return None;
    }
    if name.as_encoded_bytes().contains(&b'/') {
        // The unit's working directory is another: the path must hold there too.
        let absolute = std::path::absolute(given).ok()?;
        return is_runnable(&absolute).then_some(absolute);
    }
    std::env::split_paths(path?)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(given))
        .find(|file| is_runnable(file))
}

/// As [`find`], for a program that runs in our directory: there relative directories count, as those of
/// `PATH=node_modules/.bin:$PATH`, and an empty one is the current directory.
#[must_use]
pub fn find_here(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    if name.is_empty() {
        return None;
    }
    let directories = std::env::split_paths(path);
    directories
        .map(|directory| if directory.as_os_str().is_empty() { ".".into() } else { directory })
        .map(|directory: PathBuf| directory.join(name))
        .find(|file| is_executable(file))
}

/// `$PATH`, or what a shell takes where it is not set (dash's `defpathvar`, bash's `DEFAULT_PATH_VALUE`).
#[must_use]
pub fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into())
}

/// Whether the user manager can run it: what it takes is text.
fn is_runnable(path: &Path) -> bool {
    path.to_str().is_some() && is_executable(path)
}

/// Whether a path leads to a file that somebody may execute.
#[must_use]
pub fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::{find, find_here};
    use crate::test_dir::TestDir;

    #[test]
    fn commands_are_found_as_a_shell_finds_them() {
        let directory = TestDir::new();
        let program = directory.path("wm");
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(directory.path("plain"), "").unwrap();
        std::fs::create_dir(directory.path("folder")).unwrap();
        // A relative entry means another directory in the unit, so it does not count.
        let path = std::env::join_paths([PathBuf::from("."), "/nonexistent".into(), directory.path("")]).unwrap();
        let find = |name: &str| find(OsStr::new(name), Some(&path));
        assert_eq!(find("wm"), Some(program.clone()));
        assert_eq!(find(program.to_str().unwrap()), Some(program));
        for name in ["", "plain", "folder", "missing", "/", "/nonexistent/wm"] {
            assert_eq!(find(name), None, "{name:?}");
        }
        // For a child in our own directory it does.
        let here = |path: &str| find_here(OsStr::new("Cargo.toml"), OsStr::new(path));
        assert_eq!(here("/nonexistent:src:tests"), None);
        let here = |path: &str| find_here(OsStr::new("check"), OsStr::new(path));
        assert_eq!(here("/nonexistent:scripts:/usr/bin"), Some("scripts/check".into()));
        assert_eq!(here("/nonexistent:scripts/../scripts"), Some("scripts/../scripts/check".into()));
        assert_eq!(here(""), None);
    }
}
