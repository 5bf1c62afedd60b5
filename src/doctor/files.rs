//! Reads small text files, whatever kind of file has their names.

use std::path::{Path, PathBuf};

use crate::os;
use crate::small_file;

/// How many entries of a directory are read.
const MAX_ENTRIES: usize = 4096;

/// The text of a regular file; `None` if it does not exist, cannot be read, or is larger than files that people write.
pub fn text(path: &Path) -> Option<String> {
    small_file::text(path).ok()
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
    os::processes().map(|pid| Path::new("/proc").join(pid.to_string())).collect()
}
