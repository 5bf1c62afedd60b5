//! What the end records and undoes.

use std::time::SystemTime;

use tokio::time::{Instant, timeout};

use super::Driver;
use crate::deadline::LAST_LINES;
use crate::host::core::{Event, LastEnd, ManagerState, Standing};
use crate::host::locker::Locker;
use crate::host::manager_link::ManagerLink;
use crate::host::repair;
use crate::journal;
use crate::records::last::LastSession;
use crate::server::lines;

impl Driver {
    /// Has the record say whether the login session ends with this one. What ends the login in place of a killed host
    /// reads that.
    pub(super) fn note_closing(&mut self, closes: bool) {
        if let Some(prepared) = &mut self.prepared {
            prepared.record.closes_login = closes;
            if let Err(error) = prepared.write_record() {
                tracing::warn!("{error}");
            }
        }
    }

    /// Puts the environment back while the server ends.
    pub(super) fn put_environment_back(&mut self) {
        let manager = self.link.as_ref().and_then(ManagerLink::manager).cloned();
        if let (Some(prepared), Some(manager)) = (&self.prepared, manager) {
            let (record, deadline) = (prepared.record.clone(), self.config.deadlines.user_manager);
            self.restoring = Some(tokio::spawn(async move {
                timeout(deadline, repair::restore_environment(&manager, &record)).await.is_ok_and(|restored| restored)
            }));
        }
    }

    /// Records how the session ended, and undoes what the preparation did.
    pub(super) fn put_back(&mut self, state: ManagerState, last: LastEnd) {
        // Normally it ended with the server.
        self.locker.iter().for_each(Locker::kill);
        // Nothing is served from now on; a client that connects waits for the end of this process.
        let Some(prepared) = self.prepared.take() else {
            return self.at_once.push_back(Event::PutBack(String::new()));
        };
        let manager = self.link.as_ref().and_then(ManagerLink::manager).cloned();
        let deadline = self.config.deadlines.user_manager;
        let (login, is_login, since) = (self.session.clone(), self.is_login, self.since);
        let restoring = self.restoring.take();
        self.spawn(async move {
            let last_lines = match last.why.failed_program() {
                Some((unit, pid)) if !last.is_locked => last_lines(unit, pid, since).await,
                _ => String::new(),
            };
            note_end(last, last_lines.clone(), &login, is_login);
            match (state, manager) {
                (ManagerState::There, Some(manager)) => {
                    let is_restored = match restoring {
                        Some(restoring) => restoring.await.unwrap_or(false),
                        None => false,
                    };
                    prepared.undo(&manager, is_restored, deadline).await;
                }
                (ManagerState::Silent, Some(_)) => prepared.leave_to_the_next(),
                _ => prepared.undo_without_manager(),
            }
            Event::PutBack(last_lines)
        });
    }
}

/// The output of a unit's program since the session started, as lines for a terminal; empty if there was none or we may
/// not read it. The rest of the session ended after the program, so the journal has its output by now.
async fn last_lines(unit: &str, pid: u32, since: SystemTime) -> String {
    lines::abridged(&journal::last(unit, pid, lines::MANY, since, Instant::now() + LAST_LINES).await)
}

/// Records how the session ended. A full home directory does not stop that from ending.
fn note_end(last: LastEnd, last_lines: String, login: &str, is_login: bool) {
    let LastEnd { mut why, standing, .. } = last;
    why.add_last_lines(last_lines);
    let clean = why.is_clean();
    // If the shell stays, nothing starts by itself.
    let is_brief = standing == Standing::Brief && (clean || is_login);
    if let Err(error) = LastSession::ends_now(clean, why.to_string(), login, is_brief).keep() {
        tracing::debug!("how the session ended cannot be recorded: {error}");
    }
}
