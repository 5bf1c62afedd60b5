//! What `startxd status` learns about the screen.

use std::time::SystemTime;

use super::Driver;
use crate::host::idle::Reasons;
use crate::host::screen::Screen;
use crate::launch::ScreenState;

/// Since when it has been so.
#[derive(Default)]
pub(super) struct Since {
    locked: Option<SystemTime>,
    idle: Option<SystemTime>,
    /// The inhibitors of idleness on the user's bus.
    pub(super) reasons: Reasons,
}

impl Since {
    /// The screen is locked, or open.
    pub(super) fn locked(&mut self, locked: bool) {
        self.locked = locked.then(|| self.locked.unwrap_or_else(SystemTime::now));
    }

    /// Nobody is at the screen, or somebody is.
    pub(super) fn idle(&mut self, idle: bool) {
        self.idle = idle.then(|| self.idle.unwrap_or_else(SystemTime::now));
    }
}

impl Driver {
    /// The current state of the screen.
    pub(super) fn screen_state(&self) -> ScreenState {
        let by_command = || self.locker.as_ref().map(|locker| locker.pid().as_raw());
        ScreenState {
            locked: self.screen_since.locked,
            locker: self
                .screen_since
                .locked
                .and_then(|_| self.screen.as_ref().and_then(Screen::locker).or_else(by_command)),
            idle: self.screen_since.idle,
            inhibitors: self.screen_since.reasons.all(),
        }
    }
}
