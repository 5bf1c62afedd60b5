//! Files that are there as a whole or not at all.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A file could not be written.
#[derive(Debug, Error)]
#[error("cannot write to {path}: {error}; see whether there is space: df {path}", path = .path.display())]
pub struct NotWritten {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl NotWritten {
    /// Takes the file and why.
    #[must_use]
    pub fn new(path: &Path, error: io::Error) -> Self {
        Self { path: path.to_owned(), error }
    }
}

/// Removes a file of ours; says so if that fails.
pub fn remove(path: &Path) {
    if let Err(error) = remove_if_there(path) {
        tracing::warn!("cannot remove {}: {error}", path.display());
    }
}

/// Removes a file; one that is not there is what was wanted.
///
/// # Errors
/// unlink(2) failed otherwise.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes the directory of a file, and those above it, for their owner alone.
///
/// # Errors
/// The path has no directory, or it cannot be made.
pub fn make_directory_of(path: &Path) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Replaces a file: writes a new one beside it, 0600 from birth, gives it its mode, and renames it.
///
/// # Errors
/// The directory is not there, full or not writable.
pub fn replace(path: &Path, content: impl AsRef<[u8]>, mode: u32) -> io::Result<()> {
    write_beside(path, content.as_ref(), mode, |_| Ok(()))
}

/// As [`replace`], and on the disk before the name is: for what the next boot needs, at the price of waiting for it.
///
/// # Errors
/// As [`replace`].
pub fn replace_durably(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    write_beside(path, text.as_bytes(), mode, File::sync_all)
}

fn write_beside(path: &Path, content: &[u8], mode: u32, settle: fn(&File) -> io::Result<()>) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".startxd-new");
    let new = path.with_file_name(name);
    remove_if_there(&new)?;
    // `create_new` is O_EXCL, which does not follow a symbolic link either.
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
    let write = |file: &mut File| {
        file.write_all(content)?;
        // By descriptor, so that the umask does not count.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        settle(file)?;
        fs::rename(&new, path)
    };
    let written = write(&mut file);
    if written.is_err() {
        // Half a file is useless; the error says more than this could.
        let _ = fs::remove_file(&new);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::replace;
    use crate::test_dir::TestDir;

    #[test]
    fn files_are_replaced_whole() {
        let directory = TestDir::new();
        let path = directory.path("a.conf");
        replace(&path, "one", 0o644).unwrap();
        replace(&path, "two", 0o644).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(directory.names(), ["a.conf"]);
        assert!(replace(&directory.path("missing/a.conf"), "x", 0o644).is_err());
    }
}
