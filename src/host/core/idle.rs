//! What happens when nobody is at the screen, and what prevents it. Pure.
//!
//! The server counts the time since the last input. The driver reports when that passes a limit, and when it starts
//! again. Past `idle.after` the session is idle: `startxd-idle.target` is started and logind is told. Past `idle.lock`
//! the screen is locked, as by `startxd lock`.
//!
//! An inhibitor (a film, a download) prevents both, and ends the idleness of a session that is idle already. When the
//! last one is gone, both times start again, as if there had been input.

use std::time::{Duration, Instant};

use super::event::{Action, Event, IdleLimit, Inhibitors};
use super::{Purpose, Session, Stage};
use crate::manager::{Mode, names};

/// One limit, and how far it is.
#[derive(Debug, Default)]
struct Timer {
    /// Whether the limit is passed.
    is_over: bool,
    /// When it takes effect, if an inhibitor held it back.
    due: Option<Instant>,
}

/// Whether somebody is at the screen.
#[derive(Debug, Default)]
pub(super) struct Idle {
    after: Timer,
    lock: Timer,
    /// Whether the session is idle.
    is_idle: bool,
    /// Whether logind has an inhibitor,
    logind: bool,
    /// and whether somebody on the user's bus has one.
    bus: bool,
}

impl Idle {
    /// When a limit that is passed takes effect.
    pub(super) fn due(&self) -> Option<Instant> {
        self.after.due.into_iter().chain(self.lock.due).min()
    }

    const fn is_inhibited(&self) -> bool {
        self.logind || self.bus
    }

    const fn timer(&mut self, limit: IdleLimit) -> &mut Timer {
        match limit {
            IdleLimit::After => &mut self.after,
            IdleLimit::Lock => &mut self.lock,
        }
    }
}

impl Session {
    /// Handles what concerns idleness; returns any other event.
    pub(super) fn about_idle(&mut self, now: Instant, event: Event) -> Result<(), Event> {
        match event {
            Event::Idle(..) | Event::IdleInhibited(..) if !matches!(self.stage, Stage::Up) => {}
            Event::Idle(limit, true) => {
                self.idle.timer(limit).is_over = true;
                if !self.idle.is_inhibited() {
                    self.idles(now, limit);
                }
            }
            Event::Idle(limit, false) => {
                *self.idle.timer(limit) = Timer::default();
                if limit == IdleLimit::After {
                    self.is_back();
                }
            }
            Event::IdleInhibited(who, inhibited) => self.idle_inhibited(now, who, inhibited),
            event => return Err(event),
        }
        Ok(())
    }

    fn idle_inhibited(&mut self, now: Instant, who: Inhibitors, inhibited: bool) {
        let before = self.idle.is_inhibited();
        match who {
            Inhibitors::Logind => self.idle.logind = inhibited,
            Inhibitors::Bus => self.idle.bus = inhibited,
        }
        match (before, self.idle.is_inhibited()) {
            (false, true) => {
                (self.idle.after.due, self.idle.lock.due) = (None, None);
                self.is_back();
            }
            (true, false) => {
                for limit in [IdleLimit::After, IdleLimit::Lock] {
                    let time = self.limit(limit);
                    let timer = self.idle.timer(limit);
                    timer.due = time.filter(|_| timer.is_over).map(|time| now + time);
                }
            }
            _ => {}
        }
    }

    fn limit(&self, limit: IdleLimit) -> Option<Duration> {
        match limit {
            IdleLimit::After => self.setup.idle_after,
            IdleLimit::Lock => self.setup.idle_lock,
        }
    }

    /// A limit takes effect.
    fn idles(&mut self, now: Instant, limit: IdleLimit) {
        match limit {
            IdleLimit::After => {
                if !std::mem::replace(&mut self.idle.is_idle, true) {
                    tracing::info!("nobody is at the screen");
                    self.act(Action::SetIdleHint(true));
                    self.start(Purpose::Idle, names::IDLE_TARGET, Mode::Replace);
                }
            }
            IdleLimit::Lock => self.lock_asked(now, None),
        }
    }

    /// The session is no longer idle.
    fn is_back(&mut self) {
        if std::mem::take(&mut self.idle.is_idle) {
            tracing::info!("somebody is at the screen again");
            self.act(Action::SetIdleHint(false));
            let order = self.jobs.ask(Purpose::Idle);
            self.act(Action::Stop { order, unit: names::IDLE_TARGET.to_owned() });
        }
    }

    /// A limit that was held back may be due.
    pub(super) fn idle_overdue(&mut self, now: Instant) {
        for limit in [IdleLimit::After, IdleLimit::Lock] {
            if self.idle.timer(limit).due.take_if(|due| *due <= now).is_some() {
                self.idles(now, limit);
            }
        }
    }

    /// The server has ended, and its count with it.
    pub(super) fn idle_server_ended(&mut self) {
        (self.idle.after, self.idle.lock) = (Timer::default(), Timer::default());
        self.is_back();
    }

    /// The session ends. The login may continue, so logind is told; the target stops with `xorg.target`.
    pub(super) fn idle_ends(&mut self) {
        if std::mem::take(&mut self.idle).is_idle {
            self.act(Action::SetIdleHint(false));
        }
    }

    /// logind was restarted and has forgotten what it was told.
    pub(super) fn tell_logind_of_idleness(&mut self) {
        if self.idle.is_idle {
            self.act(Action::SetIdleHint(true));
        }
    }
}
