//! The output of a server that runs for one command: it goes to the journal, not to the terminal, where the command may
//! write; and to a file, if requested.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::OnceLock;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::files::NotWritten;
use crate::log;
use crate::server::Out;

/// The file.
static FILE: OnceLock<File> = OnceLock::new();

/// Where the server's lines go.
pub(super) const OUT: Out = Out { say, has_room };

/// Also appends the server's lines to a file.
///
/// # Errors
/// It cannot be opened.
pub fn to(path: &Path) -> Result<(), NotWritten> {
    let file = open(path).map_err(|error| NotWritten::new(path, error))?;
    let _ = FILE.set(file);
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    // These two may be things that we cannot open again: another user's file or terminal, a socket.
    let standard = match path.to_str() {
        Some("/dev/stdout" | "/proc/self/fd/1") => Some(io::stdout().as_fd().try_clone_to_owned()?),
        Some("/dev/stderr" | "/proc/self/fd/2") => Some(io::stderr().as_fd().try_clone_to_owned()?),
        _ => None,
    };
    match standard {
        Some(standard) => Ok(File::from(standard)),
        None => File::options().append(true).create(true).open(path),
    }
}

fn say(lines: &str) {
    tracing::info!("X server: {lines}");
    if let Some(mut file) = FILE.get().filter(|file| takes(file)) {
        let _ = writeln!(file, "{}", lines.trim_end_matches('\n'));
    }
}

fn has_room() -> bool {
    log::has_room() && FILE.get().is_none_or(takes)
}

/// Whether a write would not block: a pipe that nobody reads must not delay the command.
fn takes(file: &File) -> bool {
    let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
    matches!(poll(&mut fds, PollTimeout::ZERO), Ok(1))
}
