//! What is held back in a session whose server has ended or is about to end. Pure.
//!
//! A window manager that ended with its server is started again. Its end may be noticed milliseconds before the
//! server's, and only that tells what follows: a server that crashed comes back; one that was told to end (SIGTERM,
//! Ctrl+Alt+Backspace) ends the session. If the screen was locked, what comes back waits until it is locked again.

use std::time::Instant;

use super::Session;
use super::event::Action;
use super::orders::Purpose;
use crate::deadline::DROPS_CLIENTS;

/// Something that is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held {
    /// The start of this unit.
    Again(String),
    /// The start of the rescue command.
    Rescue,
}

/// Everything that is held back.
#[derive(Debug, Default)]
pub(super) struct Holding {
    held: Vec<Held>,
    /// Until when to wait for the end of a server that has dropped its clients.
    until: Option<Instant>,
}

impl Holding {
    /// When to stop waiting for a server that does not end.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.until
    }
}

impl Session {
    /// Holds back the start of a unit, if it has to wait. Returns whether it does.
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

    /// Holds a start back.
    pub(super) fn hold(&mut self, held: Held) {
        if !self.holding.held.contains(&held) {
            self.holding.held.push(held);
        }
    }

    /// The server has ended, and another one will be started.
    pub(super) fn server_comes_back(&mut self) {
        self.holding.until = None;
        self.let_go();
    }

    /// Does what was held back, unless it has to wait longer.
    pub(super) fn let_go(&mut self) {
        if self.relocks() || self.screen_lock.is_locked() || self.holding.until.is_some() {
            return;
        }
        self.release(|session, unit| session.act(Action::StartAgain(unit)));
    }

    /// The screen is locked again, and with that everything is let go. That took seconds: a unit's own policy (`Restart=`)
    /// may have restarted it meanwhile, so first look whether it is up.
    pub(super) fn let_go_if_down(&mut self) {
        self.release(|session, unit| {
            session.units.is_let_go(unit);
            session.look();
        });
    }

    fn release(&mut self, again: impl Fn(&mut Self, String)) {
        for held in std::mem::take(&mut self.holding.held) {
            match held {
                Held::Again(unit) => again(self, unit),
                Held::Rescue => {
                    let order = self.jobs.ask(Purpose::Rescue);
                    self.act(Action::StartRescue(order));
                }
            }
        }
    }

    /// A server that was expected to end has not ended.
    pub(super) fn holding_overdue(&mut self, now: Instant) {
        if self.holding.until.take_if(|until| *until <= now).is_some() {
            self.let_go();
        }
    }
}
