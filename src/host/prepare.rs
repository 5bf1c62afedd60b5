//! What a session needs before its first process starts, and how that is undone.
//!
//! Files are removed when a [`Prepared`] is dropped, also by a start that is given up; changes in the user manager are
//! undone by [`Prepared::undo`]. If this host dies in between, the next start does both: the record is on disk before
//! the first change.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use thiserror::Error;
use tokio::time::timeout;

use super::checks::Clearance;
use super::repair::{repair, undo};
use super::session_files;
use super::session_lock::{NotLocked, SessionLock};
use super::variables::{self, Exported};
use crate::config::Config;
use crate::dbus::CallError;
use crate::files::{NotWritten, remove};
use crate::manager::{Manager, names};
use crate::records::Record as _;
use crate::records::session::SessionRecord;
use crate::runtime_dir::RuntimeDir;
use crate::session::Choice;
use crate::x11::cookie::Cookie;
use crate::x11::display::{Display, SOCKET_DIR};
use crate::x11::number::{NotOurs, Number};
use crate::x11::occupied::{self, SocketDirProblem, Taken, remove_socket};
use crate::x11::xauthority;

/// Why a session could not be prepared. Nothing is left behind.
#[derive(Debug, Error)]
#[allow(clippy::missing_docs_in_private_items, reason = "each variant's sentence is its documentation")]
pub enum NotPrepared {
    #[error("{0}")]
    NotLocked(#[from] NotLocked),
    #[error("display {display} is taken: {taken}; omit --display to get the next free one")]
    DisplayTaken { display: Display, taken: Taken },
    #[error("no display number is free: {0}")]
    NoDisplay(io::Error),
    #[error("{0}")]
    NoLock(NotWritten),
    #[error("{0}")]
    SocketDir(#[from] SocketDirProblem),
    #[error("{0}")]
    Write(#[from] NotWritten),
    #[error("the user manager did not return its environment ({0}); see journalctl --user -b")]
    Environment(#[from] CallError),
}

/// A session that can begin: it has its lock and its record.
pub struct Prepared {
    // Released before the lock, so that the next start finds the number free.
    pub(super) number: Number,
    lock: SessionLock,
    /// The display's name.
    pub display: Display,
    /// The display's cookie.
    pub cookie: Cookie,
    /// The record.
    pub record: SessionRecord,
    exported: Exported,
    /// Whether the files stay for the next start, which repairs.
    is_left: bool,
}

/// Takes the lock, cleans up after a dead session, chooses the display, and writes cookie and record, in this order.
///
/// # Errors
/// [`NotPrepared`].
pub async fn prepare(clearance: &Clearance, config: &Config, choice: &Choice) -> Result<Prepared, NotPrepared> {
    let manager = &clearance.manager;
    let lock = SessionLock::take(&clearance.runtime, config.deadlines.going_down).await?;
    repair(&lock, manager, &config.deadlines).await;
    let (display, number) = choose_display(config.display, manager).await?;
    let authority = lock.runtime.authority(display);
    // Nothing after the cookie waits, so a start that is given up has written either nothing of this or all of it.
    let recorded = record(clearance, config, choice, display, &authority).await;
    let (cookie, record, exported) = recorded.inspect_err(|_| {
        remove(&authority);
        remove(&lock.runtime.session_env());
    })?;
    Ok(Prepared { number, lock, display, cookie, record, exported, is_left: false })
}

/// Writes the files that must exist before the first change: the cookie and the record.
async fn record(
    clearance: &Clearance,
    config: &Config,
    choice: &Choice,
    display: Display,
    authority: &Path,
) -> Result<(Cookie, SessionRecord, Exported), NotPrepared> {
    let (runtime, manager) = (&clearance.runtime, &clearance.manager);
    let (socket, service) = (names::xorg_socket(display), names::xorg_service(display));
    // A server that failed too often has left its units failed, and failed sockets do not start. Resetting fails for
    // units that are not loaded, which is fine.
    let (before, ..) =
        tokio::join!(manager.environment(), manager.reset_failed(&socket), manager.reset_failed(&service));
    let before = before?;
    // First, because it may take a while: a start that is killed during it leaves nothing behind.
    let exported = variables::exported(config, choice, display, authority, &before).await;
    // Before any client starts, not when the supervisor does: a client that connects while the server is still
    // starting reads the cookie right after its connect has been queued, and is refused later if there was none yet.
    let cookie = xauthority::ensure(authority, display).map_err(|error| NotWritten::new(authority, error))?;
    let mut record =
        SessionRecord::new(clearance.session.id.clone(), clearance.seat.clone(), display, choice.describe());
    record.units = choice.units();
    record.exported = exported.set.keys().cloned().collect();
    record.before = before;
    let path = runtime.record();
    record.shared = session_files::shared_authority(config, authority);
    record.save(&path).map_err(|error| NotWritten::new(&path, error))?;
    let of_login = variables::of_login(&clearance.session.id, &clearance.seat);
    session_files::write(runtime, &record, &of_login, &cookie)?;
    Ok((cookie, record, exported))
}

impl Prepared {
    /// Writes the record again after a change.
    ///
    /// # Errors
    /// The runtime directory is full.
    pub fn write_record(&self) -> Result<(), NotWritten> {
        let path = self.lock.runtime.record();
        self.record.save(&path).map_err(|error| NotWritten::new(&path, error))
    }

    /// Undoes everything, within `deadline`; the manager's environment is left alone if it `is_restored` already. Problems
    /// are logged: no caller could handle them, and the rest must go on.
    pub async fn undo(self, manager: &Manager, is_restored: bool, deadline: Duration) {
        if timeout(deadline, undo(manager, &self.record, is_restored)).await.is_err() {
            self.leave_to_the_next();
        }
    }

    /// Like [`Prepared::undo`], if the user manager is gone, and its environment with it.
    pub fn undo_without_manager(self) {
        // Its sockets were closed with it; one that exits removes them, one that is killed does not.
        remove_socket(self.display);
    }

    /// Leaves the changes in the manager to the next start, which reads the record.
    pub fn leave_to_the_next(mut self) {
        self.is_left = true;
        tracing::warn!(
            "the user manager does not answer and keeps the environment of this session; the next start puts it back, or run: \
             startxd stop"
        );
    }

    /// The exported variables.
    #[must_use]
    pub const fn exported(&self) -> &Exported {
        &self.exported
    }

    /// The paths of the session's files.
    #[must_use]
    pub fn runtime(&self) -> &RuntimeDir {
        &self.lock.runtime
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if self.is_left {
            return;
        }
        session_files::remove(self.runtime(), &self.record);
        // Removed after everything that it describes: until then the next start would repair.
        remove(&self.runtime().record());
    }
}

/// Takes the requested display if it is free, or else the first free one.
///
/// A race: another process may check at the same moment. The first one to take the number has it; the loser tries the
/// next number.
async fn choose_display(asked: Option<Display>, manager: &Manager) -> Result<(Display, Number), NotPrepared> {
    occupied::check_socket_dir(Path::new(SOCKET_DIR))?;
    let first =
        asked.or_else(|| Display::new(0)).ok_or_else(|| NotPrepared::NoDisplay(io::ErrorKind::InvalidInput.into()))?;
    let mut in_the_way = Taken::Free;
    for (display, taken) in occupied::Paths::default().looks(first).map_err(NotPrepared::NoDisplay)? {
        let mut taken = taken.map_err(NotPrepared::NoDisplay)?;
        if taken.is_free() || (matches!(taken, Taken::Bound { .. }) && is_armed(display, manager).await) {
            match Number::take(display) {
                Ok(number) => return Ok((display, number)),
                Err(NotOurs::Taken(meanwhile)) => taken = meanwhile,
                Err(NotOurs::NotWritten(error)) => return Err(NotPrepared::NoLock(error)),
                Err(NotOurs::Failed(error)) => return Err(NotPrepared::NoDisplay(error)),
            }
        }
        if asked.is_some() {
            return Err(NotPrepared::DisplayTaken { display, taken: taken.with_owner(display) });
        }
        if in_the_way.is_free() {
            in_the_way = taken.with_owner(display);
        }
    }
    Err(NotPrepared::NoDisplay(occupied::all_taken(first, &in_the_way)))
}

/// Whether our own socket unit has bound the display, without a server: the user started the unit by hand.
async fn is_armed(display: Display, manager: &Manager) -> bool {
    // Only for sockets of ours the manager is asked: other users can bind thousands.
    let ours = std::fs::symlink_metadata(display.socket_path());
    if !ours.is_ok_and(|facts| facts.uid() == nix::unistd::geteuid().as_raw()) {
        return false;
    }
    let (socket, service) = (names::xorg_socket(display), names::xorg_service(display));
    match manager.states(&[&socket, &service]).await.as_deref() {
        Ok([socket, service]) => socket.active == "active" && service.is_down(),
        _ => false,
    }
}
