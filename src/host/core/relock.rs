//! A server that ends while the screen is locked comes back locked. Pure.
//!
//! One of our clients starts the next server: it connects first, and holds off every other client until our cover is on
//! every monitor and has keyboard and pointer. Behind the cover the locker is started, and once that is seen to lock,
//! the window manager. Until then nothing of the session is visible, and what is typed reaches nobody.
//!
//! This needs a locker that we can start: `lock.command`, or a unit of `startxd-lock.target`. If something else locked
//! the session, for example xss-lock, or if the screen is not locked again by the deadlines, the session ends and the
//! login is closed.
//!
//! Units that systemd restarts by itself (`Restart=`) are not held back here. They connect later than we do, so they
//! find the cover.

use std::time::Instant;

use super::event::Action;
use super::{Purpose, Session};
use crate::host::why::Why;
use crate::manager::{Mode, names};

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Step {
    /// No server has ended while the screen was locked, or it is locked again.
    #[default]
    Over,
    /// Waiting for the next server.
    Server,
    /// Waiting for the cover.
    Cover,
    /// Waiting for the locker.
    Locker,
}

/// The way back to a locked screen.
#[derive(Debug, Default)]
pub(super) struct Relock {
    step: Step,
    /// The deadline of the next step; `None` while it has none.
    until: Option<Instant>,
}

impl Relock {
    /// When it is given up.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.until
    }
}

impl Session {
    /// Whether a server ended while the screen was locked, and it is not locked again yet.
    pub(super) fn relocks(&self) -> bool {
        self.relock.step != Step::Over
    }

    /// Whether neither a locker nor our cover can be on the screen.
    pub(super) fn is_blank(&self) -> bool {
        !self.server.runs() || matches!(self.relock.step, Step::Server | Step::Cover)
    }

    /// Whether we can lock the screen on the next server.
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

    /// That supervisor is gone; wait for another one.
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

    /// The screen is locked again: do what was held back.
    pub(super) fn relocked(&mut self) {
        tracing::info!("the screen is locked again");
        (self.relock.step, self.relock.until) = (Step::Over, None);
        self.let_go_if_down();
        self.is_ready_down();
    }

    /// Whether the covered server still waits for a locker.
    pub(super) fn awaits_locker(&self) -> bool {
        self.relock.step == Step::Locker
    }

    /// Gives up if the deadline has passed.
    pub(super) fn relock_overdue(&mut self, now: Instant) {
        if self.relock.until.is_some_and(|until| until <= now) {
            self.end(now, Why::NotRelocked);
        }
    }
}
