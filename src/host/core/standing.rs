//! How far a session came before it ended, and what that makes of its end. Pure.
//!
//! A window manager that exits with 0 is a logout, but only if there was a session to leave: a `~/.xinitrc` that ends
//! with `openbox &` is over at once, and an automatic login would start it again forever.
//!
//! | the session ends by itself | it is | the status of `startxd start` |
//! |---|---|---|
//! | before a window manager managed the display (or was known not to) | a failure | 1 |
//! | within [`EARLY`] after that | a logout; after three in a row, no further session starts by itself | 0 |
//! | later | a logout | 0 |
//!
//! This does not apply to a command that was given on the command line: it may be anything, and its exit with 0 is what
//! the user asked for. Nor does it apply when somebody stops the unit, a target or the session.

use std::time::Instant;

use crate::deadline::{EARLY, STEADY};
use crate::host::why::Why;

/// How far a session came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It never came up.
    NeverUp,
    /// It was left within [`EARLY`] after it came up, or failed within [`STEADY`].
    Brief,
    /// It was a full session.
    Lasted,
}

/// When a session began, and when it came up.
#[derive(Debug, Default)]
pub(super) struct Course {
    begun: Option<Instant>,
    up: Option<Instant>,
}

impl Course {
    /// The session begins.
    pub(super) fn begins(&mut self, now: Instant) {
        self.begun = Some(now);
    }

    /// A window manager manages the display, or the session continues without one.
    pub(super) fn is_up(&mut self, now: Instant) {
        self.up.get_or_insert(now);
    }

    /// Whether the session ever came up.
    pub(super) const fn was_up(&self) -> bool {
        self.up.is_some()
    }

    /// What it means that a window manager exits with 0 unasked: `what` describes it.
    pub(super) fn left(&self, now: Instant, what: &str) -> Why {
        match self.up {
            Some(_) => Why::LoggedOut,
            None => {
                let after = self.begun.map(|begun| now.duration_since(begun)).unwrap_or_default();
                Why::NeverUp { what: what.to_owned(), after }
            }
        }
    }

    /// How far a session came that ends now, because of `why`.
    pub(super) fn standing(&self, now: Instant, why: &Why, asked_for: bool) -> Standing {
        let Some(up) = self.up else { return Standing::NeverUp };
        let lasted = now.duration_since(up);
        let is_brief = match why {
            Why::LoggedOut => !asked_for && lasted < EARLY,
            clean if clean.is_clean() => false,
            // However that ended, nothing starts it again by itself.
            Why::Closed(_) | Why::LockerLost(_) => false,
            _ => lasted < STEADY,
        };
        if is_brief { Standing::Brief } else { Standing::Lasted }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Course, Standing};
    use crate::deadline::{EARLY, STEADY};
    use crate::host::why::Why;

    #[test]
    fn how_far_a_session_came() {
        let begin = Instant::now();
        let (soon, failed) = (Duration::from_millis(1), Why::ManagerLost(String::new()));
        for (after, why, asked_for, standing) in [
            (None, Why::LoggedOut, false, Standing::NeverUp),
            (None, failed.clone(), false, Standing::NeverUp),
            (Some(EARLY - soon), Why::LoggedOut, false, Standing::Brief),
            (Some(EARLY - soon), Why::LoggedOut, true, Standing::Lasted),
            (Some(EARLY), Why::LoggedOut, false, Standing::Lasted),
            (Some(soon), Why::Asked, false, Standing::Lasted),
            (Some(soon), Why::Signal("SIGHUP"), false, Standing::Lasted),
            (Some(soon), Why::Closed(None), false, Standing::Lasted),
            (Some(STEADY - soon), failed.clone(), false, Standing::Brief),
            (Some(STEADY), failed, false, Standing::Lasted),
        ] {
            let mut course = Course::default();
            course.begins(begin);
            if after.is_some() {
                course.is_up(begin);
                course.is_up(begin + STEADY);
            }
            let now = begin + after.unwrap_or(STEADY);
            assert_eq!(course.standing(now, &why, asked_for), standing, "{after:?} {why}");
        }
    }
}
