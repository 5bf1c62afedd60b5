//! The machine goes to sleep; the screen is locked before that. Pure.
//!
//! logind announces a sleep and waits for the owners of delay inhibitors, at most `InhibitDelayMaxSec=`
//! (logind.conf(5)). The driver holds one while the session is up. It releases it when the screen is seen locked and
//! `startxd-sleep.target` was started, or just before logind stops waiting. Without an inhibitor the same steps are
//! taken, but nothing waits for them.
//!
//! The screen is locked only if there is a locker that we can start. xss-lock learns of a sleep by itself, so the
//! server's screen saver is not used.

use std::time::{Duration, Instant};

use super::event::{Action, Event};
use super::{Purpose, Session, Stage};
use crate::deadline::BEFORE_SLEEP;
use crate::manager::{Mode, names};

/// The machine's sleep.
#[derive(Debug, Default)]
pub(super) struct Sleep {
    /// Whether it sleeps, or is about to.
    is_on: bool,
    /// How long logind waits for us; `None` if it does not.
    until: Option<Instant>,
    /// Whether the start of the target is still on its way,
    target: bool,
    /// and the lock of the screen.
    lock: bool,
    /// Whether we are still finding out what could lock.
    looks: bool,
}

impl Sleep {
    /// When logind stops waiting.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.until
    }
}

impl Session {
    /// Handles what concerns the sleep; returns any other event.
    pub(super) fn about_sleep(&mut self, now: Instant, event: Event) -> Result<(), Event> {
        match event {
            // The end of a session has its own cover, and does not wait for this.
            Event::Sleeps(Some(_)) if !matches!(self.stage, Stage::Up) => self.act(Action::LetSleep),
            Event::Sleeps(_) | Event::Woke if !matches!(self.stage, Stage::Up) => {}
            Event::Sleeps(longest) => self.falls_asleep(now, longest),
            Event::Woke => self.wakes(),
            event => return Err(event),
        }
        Ok(())
    }

    fn falls_asleep(&mut self, now: Instant, longest: Option<Duration>) {
        tracing::info!("the machine goes to sleep");
        let until = longest.map(|longest| now + longest.saturating_sub(BEFORE_SLEEP));
        self.sleep = Sleep { is_on: true, until, target: true, ..Sleep::default() };
        self.start(Purpose::Sleep, names::SLEEP_TARGET, Mode::Replace);
        if !self.setup.locks_for_sleep || self.stays_locked() {
            return;
        }
        self.sleep.lock = true;
        if self.setup.has_lock_command {
            self.lock_for_sleep(now);
        } else {
            self.sleep.looks = true;
            self.ask_for_lockers();
        }
    }

    /// It is known what could lock.
    pub(super) fn lockers_known_for_sleep(&mut self, now: Instant, is_one: bool) {
        if !std::mem::take(&mut self.sleep.looks) {
            return;
        }
        if is_one {
            return self.lock_for_sleep(now);
        }
        tracing::info!("nothing of this session can lock the screen before the machine sleeps; see: man startxd-lock");
        self.sleep.lock = false;
        self.let_sleep();
    }

    fn lock_for_sleep(&mut self, now: Instant) {
        self.lock_asked(now, None);
        if !self.is_lock_awaited() {
            self.lock_is_settled();
        }
    }

    /// The screen is locked, or will not be.
    pub(super) fn lock_is_settled(&mut self) {
        if std::mem::take(&mut self.sleep.lock) {
            if !self.is_seen_locked() {
                tracing::error!("the machine goes to sleep with an open screen");
            }
            self.let_sleep();
        }
    }

    /// The start of the target is over, or failed.
    pub(super) fn sleep_target_reached(&mut self) {
        self.sleep.target = false;
        self.let_sleep();
    }

    /// Lets the machine sleep, if there is nothing left to wait for.
    fn let_sleep(&mut self) {
        if !self.sleep.lock && !self.sleep.target && self.sleep.until.take().is_some() {
            self.act(Action::LetSleep);
        }
    }

    /// Lets the machine sleep just before logind stops waiting.
    pub(super) fn sleep_overdue(&mut self, now: Instant) {
        if self.sleep.until.take_if(|until| *until <= now).is_none() {
            return;
        }
        if self.sleep.lock {
            tracing::error!(
                "the machine goes to sleep with an open screen: it has not been locked within logind's InhibitDelayMaxSec=; \
                 a higher one, in /etc/systemd/logind.conf, gives the screen locker more time"
            );
        } else {
            tracing::warn!("the machine goes to sleep before the units of {} are started", names::SLEEP_TARGET);
        }
        self.act(Action::LetSleep);
    }

    fn wakes(&mut self) {
        if std::mem::take(&mut self.sleep).is_on {
            tracing::info!("the machine was woken up");
            let order = self.jobs.ask(Purpose::Awake);
            self.act(Action::Stop { order, unit: names::SLEEP_TARGET.to_owned() });
        }
    }

    /// The session ends: the sleep waits for nothing here.
    pub(super) fn sleep_without_us(&mut self) {
        if std::mem::take(&mut self.sleep).until.is_some() {
            self.act(Action::LetSleep);
        }
    }
}
