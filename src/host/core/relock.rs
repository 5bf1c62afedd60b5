//! A server that ends while the screen is locked comes back locked. Pure.
//!
//! The next server is asked for by a client of ours, which is the first that the server hears, and lets it hear nobody else
//! until a cover of ours is on every monitor and has keyboard and pointer. Behind that the locker is started, and when it is
//! seen to lock, the window manager. Nothing of the session is shown meanwhile, and nothing that is typed reaches anybody.
//!
//! This needs a locker that we can start: `lock.command`, or a unit of `startxd-lock.target`. A session that something else
//! has locked, xss-lock for one, ends closed, and so does one whose screen is not locked again by its deadlines.
//!
//! What systemd starts again by itself (`Restart=`) is not held back here. It connects later than we do, so it finds the
//! cover.

use std::time::Instant;

use super::event::Action;
use super::{Purpose, Session};
use crate::host::why::Why;
use crate::manager::{Mode, names};

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Step {
    /// No server has ended while the screen was locked, or it is locked again.
    #[default]
    Over,
    /// The next server is awaited.
    Server,
    /// The cover is.
    Cover,
    /// The locker is.
    Locker,
}

/// The way back to a locked screen.
#[derive(Debug, Default)]
pub(super) struct Relock {
    step: Step,
    /// Until when the next step has to be reached; `None` while that depends on something else.
    until: Option<Instant>,
}

impl Relock {
    /// When it is given up.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.until
    }
}

impl Session {
    /// Whether a server has ended while the screen was locked, and it is not locked again.
    pub(super) fn relocks(&self) -> bool {
        self.relock.step != Step::Over
    }

    /// Whether nothing can be on the screen, neither a locker nor our cover.
    pub(super) fn is_blank(&self) -> bool {
        !self.server.runs() || matches!(self.relock.step, Step::Server | Step::Cover)
    }

    /// Whether the screen can be locked again on the next server.
    pub(super) const fn can_relock(&self) -> bool {
        self.setup.has_lock_command || self.locking.has_units()
    }

    /// The server has ended while the screen was locked.
    pub(super) fn relock(&mut self, now: Instant) {
        tracing::warn!("the screen was locked, and is locked again before anything else is on it");
        self.relock.step = Step::Server;
        self.await_server(now);
        self.locking.returns();
        self.act(Action::CoverFirst);
        self.lock_seen(now);
    }

    fn await_server(&mut self, now: Instant) {
        let deadlines = &self.setup.deadlines;
        self.relock.until = Some(now + deadlines.user_manager + deadlines.launch);
    }

    /// A supervisor has asked for the next server, which may have to wait for its devices.
    pub(super) fn relock_asked(&mut self) {
        if self.relock.step == Step::Server {
            self.relock.until = None;
        }
    }

    /// It has gone, and another one is awaited.
    pub(super) fn relock_supervisor_gone(&mut self, now: Instant) {
        if self.relock.step == Step::Server && !self.server.is_requested() {
            self.await_server(now);
        }
    }

    /// The next server was forked.
    pub(super) fn relock_forked(&mut self, now: Instant) {
        if self.relock.step == Step::Server {
            self.relock.step = Step::Cover;
            self.relock.until = Some(now + self.setup.deadlines.server_ready);
        }
    }

    /// Our cover is on every monitor, and has keyboard and pointer.
    pub(super) fn covered_first(&mut self, now: Instant) {
        if self.relock.step != Step::Cover {
            return;
        }
        (self.relock.step, self.relock.until) = (Step::Locker, None);
        self.locking.awaits_locker(now + self.setup.deadlines.lock);
        if self.setup.has_lock_command && !self.locking.command_runs() {
            self.act(Action::StartLocker);
        }
        self.start(Purpose::Lock, names::LOCK_TARGET, Mode::Replace);
    }

    /// The screen is locked again: what waited for that goes on.
    pub(super) fn relocked(&mut self) {
        tracing::info!("the screen is locked again");
        (self.relock.step, self.relock.until) = (Step::Over, None);
        self.let_go();
        self.is_ready_down();
    }

    /// Whether a locker is awaited on the next server, which is covered.
    pub(super) fn awaits_locker(&self) -> bool {
        self.relock.step == Step::Locker
    }

    /// Gives it up, if its time is over.
    pub(super) fn relock_overdue(&mut self, now: Instant) {
        if self.relock.until.is_some_and(|until| until <= now) {
            self.end(now, Why::NotRelocked);
        }
    }
}
