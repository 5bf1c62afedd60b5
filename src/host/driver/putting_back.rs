//! What the end leaves in writing, and what it undoes.

use std::time::SystemTime;

use tokio::time::Instant;

use super::Driver;
use crate::deadline::LAST_LINES;
use crate::host::core::{Event, LastEnd, ManagerState, Standing};
use crate::host::locker::Locker;
use crate::host::manager_link::ManagerLink;
use crate::journal;
use crate::records::last::LastSession;
use crate::server::lines;

impl Driver {
    /// Has the record say whether the login session ends with this one: whoever ends it in the place of a killed host reads
    /// that.
    pub(super) fn note_closing(&mut self, closes: bool) {
        if let Some(prepared) = &mut self.prepared {
            prepared.record.closes_login = closes;
            if let Err(error) = prepared.write_record() {
                tracing::warn!("{error}");
            }
        }
    }

    /// Writes down how the session has ended, and undoes what the preparation did.
    pub(super) fn put_back(&mut self, state: ManagerState, last: LastEnd) {
        // As a rule it has ended with the server.
        self.locker.iter().for_each(Locker::kill);
        // Nobody is served from here on; who connects waits for the end of this process.
        let Some(prepared) = self.prepared.take() else {
            return self.at_once.push_back(Event::PutBack(String::new()));
        };
        let manager = self.link.as_ref().and_then(ManagerLink::manager).cloned();
        let deadline = self.config.deadlines.user_manager;
        let (login, is_login, since) = (self.session.clone(), self.is_login, self.since);
        self.spawn(async move {
            let last_lines = match last.why.failed_program() {
                Some((unit, pid)) if !last.is_locked => last_lines(unit, pid, since).await,
                _ => String::new(),
            };
            note_end(last, last_lines.clone(), &login, is_login);
            match (state, manager) {
                (ManagerState::There, Some(manager)) => prepared.undo(&manager, deadline).await,
                (ManagerState::Silent, Some(_)) => prepared.leave_to_the_next(),
                _ => prepared.undo_without_manager(),
            }
            Event::PutBack(last_lines)
        });
    }
}

/// What a unit's program has said since the session began, in lines for a terminal; empty if it has said nothing that we may
/// read. By now it has ended, and the journal has it: the rest of the session has ended after it.
async fn last_lines(unit: &str, pid: u32, since: SystemTime) -> String {
    lines::abridged(&journal::last(unit, pid, lines::MANY, since, Instant::now() + LAST_LINES).await)
}

/// Writes down how the session has ended. A home that is full keeps nobody here.
fn note_end(last: LastEnd, last_lines: String, login: &str, is_login: bool) {
    let LastEnd { mut why, standing, .. } = last;
    why.add_last_lines(last_lines);
    let clean = why.is_clean();
    // A shell that goes on begins nothing by itself.
    let is_brief = standing == Standing::Brief && (clean || is_login);
    if let Err(error) = LastSession::ends_now(clean, why.to_string(), login, is_brief).keep() {
        tracing::debug!("how the session ended cannot be kept: {error}");
    }
}
