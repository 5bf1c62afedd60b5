//! Writes as root in /etc, and with a user's rights in their home.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, getegid, geteuid, getgroups, initgroups, setegid, seteuid, setgroups};

use super::person::Person;
use crate::files::replace_durably;
use crate::small_file;

/// Creates directories, the outermost first, readable for everybody.
///
/// # Errors
/// One could not be created; those before it exist.
pub fn make_directories(paths: &[PathBuf]) -> io::Result<()> {
    for path in paths {
        fs::DirBuilder::new().mode(0o755).create(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Removes links and empty directories, the last one first. Directories in use stay.
pub fn remove_made(paths: &[PathBuf]) {
    for path in paths.iter().rev() {
        let Ok(metadata) = fs::symlink_metadata(path) else { continue };
        let removed = if metadata.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
        if let Err(error) = removed {
            tracing::debug!("{} stays: {error}", path.display());
        }
    }
}

/// The text of a profile; empty if it does not exist. Follows links, as dotfiles are often kept elsewhere.
///
/// # Errors
/// It cannot be read, is not a file, or not UTF-8.
pub fn read_profile(path: &Path) -> io::Result<String> {
    match small_file::read_if_there(path)? {
        Some(bytes) => String::from_utf8(bytes).map_err(|_| io::Error::other("it is not a text file")),
        // A write would replace a dangling link.
        None if path.is_symlink() => Err(io::Error::other("it is a dangling link")),
        None => Ok(String::new()),
    }
}

/// Replaces the text of a profile; of a link, the file that it leads to. The mode stays; a new file gets 0644.
///
/// # Errors
/// As [`replace_durably`].
pub fn write_profile(path: &Path, text: &str) -> io::Result<()> {
    match fs::canonicalize(path) {
        Ok(real) => {
            let mode = fs::metadata(&real)?.permissions().mode() & 0o7777;
            replace_durably(&real, text, mode)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => replace_durably(path, text, 0o644),
        Err(error) => Err(error),
    }
}

/// Does something with the rights of a user, because a home may contain traps for root, above all links to other
/// people's files.
///
/// Changes the effective ids of the whole process, so nothing else may run in the process meanwhile. The real
/// uid stays 0, so the user cannot send signals to it.
///
/// # Errors
/// The ids cannot be changed, or the error of `work`.
pub fn as_user<T>(person: &Person, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    if geteuid() == person.uid {
        return work();
    }
    let (uid, gid, groups) = (geteuid(), getegid(), getgroups()?);
    let become_user = || {
        initgroups(&person.c_name(), person.gid)?;
        setegid(person.gid)?;
        seteuid(person.uid)
    };
    let outcome = become_user().map_err(io::Error::from).and_then(|()| work());
    become_again(uid, gid, &groups);
    outcome
}

/// Restores root's rights. Ends the process if that fails: it must not go on with a user's.
fn become_again(uid: Uid, gid: Gid, groups: &[Gid]) {
    if seteuid(uid).and_then(|()| setegid(gid)).and_then(|()| setgroups(groups)).is_err() {
        tracing::error!("the kernel did not restore root's rights; stopped here");
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::{make_directories, read_profile, remove_made, write_profile};
    use crate::test_dir::TestDir;

    #[test]
    fn only_empty_directories_are_removed() {
        let directory = TestDir::new();
        let made = [directory.path("a"), directory.path("a/b"), directory.path("a/b/link")];
        make_directories(&made[..2]).unwrap();
        symlink("nowhere", &made[2]).unwrap();
        std::fs::write(directory.path("a/theirs"), "").unwrap();
        remove_made(&made);
        assert_eq!(directory.names(), ["a"]);
        assert!(!made[1].exists());
    }

    #[test]
    fn profiles_keep_their_links_and_modes() {
        let directory = TestDir::new();
        let (real, link) = (directory.path("dotfiles"), directory.path(".profile"));
        assert_eq!(read_profile(&link).unwrap(), "");
        std::fs::write(&real, "a\n").unwrap();
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&real, &link).unwrap();
        write_profile(&link, "b\n").unwrap();
        assert_eq!(read_profile(&real).unwrap(), "b\n");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&real, [0xe9]).unwrap();
        assert!(read_profile(&link).is_err());
        nix::unistd::mkfifo(&directory.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(read_profile(&directory.path("pipe")).is_err());
    }
}
