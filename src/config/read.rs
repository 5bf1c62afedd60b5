//! Reads a configuration file, whatever has its name.

use std::io;
use std::path::Path;

use crate::small_file;

/// Takes a path and returns what is in the file, or `None` if there is none.
///
/// # Errors
/// A text that says why the file is passed over.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    match small_file::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => Ok(None),
        Err(error) => Err(format!("the file is passed over: {error}")),
    }
}
