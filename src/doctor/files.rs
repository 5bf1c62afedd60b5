//! Reading small text files, whatever has their names.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

/// Larger files are none that a person wrote; no more than this is read of any.
const MAX_LENGTH: u64 = 256 * 1024;

/// More entries of a directory are not looked at.
const MAX_ENTRIES: usize = 4096;

/// The text of a regular file; `None` if there is none, or it cannot be read.
pub fn text(path: &Path) -> Option<String> {
    // O_NONBLOCK, as opening a FIFO would wait for a writer; O_NOCTTY, as a terminal would become ours.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(MAX_LENGTH).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The paths in a directory, sorted; none if it cannot be read.
pub fn entries(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().take(MAX_ENTRIES).map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The last part of a path as text.
pub fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// The directories of all processes below /proc.
pub fn processes() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| name(path).bytes().all(|byte| byte.is_ascii_digit())).collect()
}
