//! The machine goes to sleep, and the screen is locked before it does. Pure.
//!
//! logind tells of a sleep and waits for those who hold a delay inhibitor, at most `InhibitDelayMaxSec=` (logind.conf(5)).
//! The driver holds one while the session is up. It lets go when the screen is seen locked and `startxd-sleep.target` was
//! started, or just before logind waits no longer. Without an inhibitor the same is done, and nobody waits for it.
//!
//! The screen is locked only if there is something of ours to lock with. xss-lock hears of a sleep by itself, so the
//! server's screen saver is not asked for.

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
    /// Until when logind waits for us; `None` if it does not.
    until: Option<Instant>,
    /// Whether the start of the target is still on its way,
    target: bool,
    /// and the lock of the screen.
    lock: bool,
    /// Whether it is being asked who could lock.
    looks: bool,
}

impl Sleep {
    /// When logind does not wait any longer.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.until
    }
}

impl Session {
    /// What concerns the sleep; gives back what does not.
    pub(super) fn about_sleep(&mut self, now: Instant, event: Event) -> Result<(), Event> {
        match event {
            // An end has its own cover, and nothing waits for it.
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
        if !self.setup.locks_for_sleep || self.is_seen_locked() {
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

    /// Who could lock is known.
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

    /// The start of the target is over, or cannot be.
    pub(super) fn sleep_target_reached(&mut self) {
        self.sleep.target = false;
        self.let_sleep();
    }

    /// Lets go, if nothing is left to wait for.
    fn let_sleep(&mut self) {
        if !self.sleep.lock && !self.sleep.target && self.sleep.until.take().is_some() {
            self.act(Action::LetSleep);
        }
    }

    /// Lets go when logind is about to wait no longer.
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

    /// The session ends: nothing waits for it.
    pub(super) fn sleep_without_us(&mut self) {
        if std::mem::take(&mut self.sleep).until.is_some() {
            self.act(Action::LetSleep);
        }
    }
}
