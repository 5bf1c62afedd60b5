//! Reading a file that a person or a package wrote for us, whatever it is that has its name.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

/// Takes a path and returns what is in the file, at once: nothing that can have a file's name is waited for.
///
/// # Errors
/// It cannot be opened or read, is not a regular file, or is larger than 1 MiB, which is far above any real one.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    const MAX_LENGTH: u64 = 1024 * 1024;
    // O_NONBLOCK, as opening a FIFO would wait for a writer; O_NOCTTY, as a terminal would become ours.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    // One byte more than it may have, as it can grow after fstat(2).
    file.take(MAX_LENGTH + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_LENGTH {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(bytes)
}
