//! What is held back of a session whose server has ended, or is about to. Pure.
//!
//! A window manager that has ended with its server is started again. Its end may be heard of milliseconds before the
//! server's, and only that tells what follows: a server that crashed comes back, one that was told to end (SIGTERM,
//! Ctrl+Alt+Backspace) ends the session. If the screen was locked, what comes back waits until it is locked again.

use std::time::Instant;

use super::Session;
use super::event::Action;
use super::orders::Purpose;
use crate::deadline::DROPS_CLIENTS;

/// What is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held {
    /// This unit is started again.
    Again(String),
    /// The rescue command is started.
    Rescue,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Holding {
    held: Vec<Held>,
    /// Until when the end of a server that has dropped its clients is waited for.
    until: Option<Instant>,
}

impl Holding {
    /// When a server that does not end is not waited for any more.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.until
    }
}

impl Session {
    /// Holds a unit back that is to be started again, if it has to wait. Returns whether it has.
    pub(super) fn hold_unit(&mut self, now: Instant, unit: &str) -> bool {
        let went_with_it = self.units.was_lost_with(unit).is_some_and(|number| number >= self.server.last());
        // A race: started at once, it would run for a moment in a session that ends.
        let is_open = went_with_it && self.server.may_end();
        if is_open && !self.relocks() && self.holding.until.is_none() {
            self.holding.until = Some(now + DROPS_CLIENTS);
        }
        let waits = is_open || self.relocks() || (went_with_it && self.screen_lock.is_locked());
        if waits {
            self.hold(Held::Again(unit.to_owned()));
        }
        waits
    }

    /// Holds it back.
    pub(super) fn hold(&mut self, held: Held) {
        if !self.holding.held.contains(&held) {
            self.holding.held.push(held);
        }
    }

    /// The server has ended, and another one comes.
    pub(super) fn server_comes_back(&mut self) {
        self.holding.until = None;
        self.let_go();
    }

    /// What was held back goes on, if nothing is to wait for any more.
    pub(super) fn let_go(&mut self) {
        if self.relocks() || self.holding.until.is_some() {
            return;
        }
        for held in std::mem::take(&mut self.holding.held) {
            match held {
                Held::Again(unit) => self.act(Action::StartAgain(unit)),
                Held::Rescue => {
                    let order = self.jobs.ask(Purpose::Rescue);
                    self.act(Action::StartRescue(order));
                }
            }
        }
    }

    /// A server that was to end has not.
    pub(super) fn holding_overdue(&mut self, now: Instant) {
        if self.holding.until.take_if(|until| *until <= now).is_some() && !self.screen_lock.is_locked() {
            self.let_go();
        }
    }
}
