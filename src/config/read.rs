//! Reads a configuration file, whatever has its name.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

/// Far above any real file; what is larger was not written for us.
const MAX_LENGTH: u64 = 1024 * 1024;

/// Takes a path and returns what is in the file, or `None` if there is none.
///
/// # Errors
/// A text that says why the file is passed over.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let passed_over = |why: &str| format!("the file is passed over: {why}");
    // O_NONBLOCK, as opening a FIFO would wait for a writer; O_NOCTTY, as a terminal would become ours.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
            return Ok(None);
        }
        Err(error) => return Err(passed_over(&error.to_string())),
    };
    let facts = file.metadata().map_err(|error| passed_over(&error.to_string()))?;
    if !facts.is_file() {
        return Err(passed_over("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    // One byte more than it may have, as it can grow after fstat(2).
    file.take(MAX_LENGTH + 1).read_to_end(&mut bytes).map_err(|error| passed_over(&error.to_string()))?;
    if bytes.len() as u64 > MAX_LENGTH {
        return Err(passed_over("it is larger than 1 MiB"));
    }
    Ok(Some(bytes))
}
