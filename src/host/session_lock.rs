//! The lock that allows each user one host, and our runtime directory.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::deadline::LOOK_AGAIN;
use crate::files::{self, NotWritten};
use crate::launch::Connection;
use crate::runtime_dir::{NoRuntimeDir, RuntimeDir};

/// Why the lock cannot be acquired.
#[derive(Debug, Error)]
#[allow(clippy::missing_docs_in_private_items, reason = "each variant's sentence is its documentation")]
pub enum NotLocked {
    #[error("{0}")]
    NoRuntimeDir(#[from] NoRuntimeDir),
    #[error("another startxd start of yours is at work right now; wait for it, or end it: startxd stop")]
    Busy,
    #[error("{0}")]
    Write(#[from] NotWritten),
}

/// Our directory, with its lock held: one host for each user.
pub struct SessionLock {
    /// Our directory.
    pub runtime: RuntimeDir,
    // Held as long as the host lives; the kernel releases it however the host ends.
    _lock: Flock<File>,
}

impl SessionLock {
    /// Creates the directory and acquires the lock.
    ///
    /// A process that holds the lock without a launch socket is ending its session, cleaning up after a dead one, or
    /// just starting. This waits for it, at most for `deadline`.
    ///
    /// # Errors
    /// The directory cannot be created or written to, or a host of this user lives.
    pub async fn take(runtime: &RuntimeDir, deadline: Duration) -> Result<Self, NotLocked> {
        let end = Instant::now() + deadline;
        loop {
            // In each round: the holder of the lock removes it.
            runtime.create()?;
            match take_lock(runtime) {
                Err(NotLocked::Busy) if Instant::now() < end && !is_served(runtime) => sleep(LOOK_AGAIN).await,
                // The directory was removed between the two calls.
                Err(NotLocked::Write(write)) if write.error.kind() == io::ErrorKind::NotFound => {}
                lock => return Ok(Self { _lock: lock?, runtime: runtime.clone() }),
            }
        }
    }
}

impl Drop for SessionLock {
    /// Removes launch socket, lock and directory in any case, also after a start that failed.
    fn drop(&mut self) {
        files::remove(&self.runtime.host_socket());
        // While the lock is still held: see `take_lock`. The kernel releases it when the file is closed.
        files::remove(&self.runtime.lock());
        // Only if it is empty; a supervisor of another display may have files in it.
        let _ = std::fs::remove_dir(self.runtime.path());
    }
}

/// Acquires the lock that allows each user one host.
///
/// The file is removed at the end of a session. A process that opened it before that and locks it afterwards would hold
/// a lock on a file that no other start can find. So the lock counts only if the path still leads to the same file.
fn take_lock(runtime: &RuntimeDir) -> Result<Flock<File>, NotLocked> {
    let path = runtime.lock();
    let fail = |error: io::Error| NotLocked::Write(NotWritten::new(&path, error));
    loop {
        let mut options = File::options();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(nix::libc::O_NOFOLLOW);
        let file = options.open(&path).map_err(fail)?;
        let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => return Err(NotLocked::Busy),
            Err((_, error)) => return Err(fail(error.into())),
        };
        match (std::fs::symlink_metadata(&path), lock.metadata()) {
            (Ok(there), Ok(here)) if there.ino() == here.ino() => return Ok(lock),
            _ => {}
        }
    }
}

/// Whether a host answers on the launch socket.
#[must_use]
pub fn is_served(runtime: &RuntimeDir) -> bool {
    Connection::connect(&runtime.host_socket()).is_ok()
}

/// Whether this user has no host: the lock does not exist, or nothing holds it.
#[must_use]
pub fn is_free(runtime: &RuntimeDir) -> bool {
    let Ok(file) = File::options().write(true).custom_flags(nix::libc::O_NOFOLLOW).open(runtime.lock()) else {
        return true;
    };
    // Released at once: this is only a query.
    Flock::lock(file, FlockArg::LockSharedNonblock).is_ok()
}
