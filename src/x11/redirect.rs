//! When to ask whether a client redirects the root window, and what the answers mean. Pure.
//!
//! The server reports it only when asked. A window manager that redirects usually gives a better sign soon: it
//! redirects first, and sets its properties a moment later. The oldest kind (twm, ratpoison, 9wm) and xmonad by default
//! have none. So a redirect counts if it still exists a second later.

use std::time::{Duration, Instant};

use crate::deadline::{REDIRECT_FIRST, REDIRECT_HELD, REDIRECT_LAST};

/// The questions, one after the other.
#[derive(Debug)]
pub(super) struct RedirectQuestions {
    begun: Instant,
    /// Since when the root window has been redirected, if it is.
    redirected: Option<Instant>,
    /// When the next question is due.
    due: Instant,
}

impl RedirectQuestions {
    /// From `now` on.
    pub(super) fn new(now: Instant) -> Self {
        Self { begun: now, redirected: None, due: now + REDIRECT_FIRST }
    }

    /// When the next one is due.
    pub(super) const fn due(&self) -> Instant {
        self.due
    }

    /// Takes the answer of `now`; returns whether a window manager is there.
    ///
    /// The longer there is no window manager, the longer the pauses: after a minute, two more seconds are not
    /// noticed, and a session without a window manager costs almost nothing.
    pub(super) fn answered(&mut self, now: Instant, redirected: bool) -> bool {
        if !redirected {
            self.redirected = None;
            self.due = now + pause(now.duration_since(self.begun));
            return false;
        }
        let since = *self.redirected.get_or_insert(now);
        self.due = since + REDIRECT_HELD;
        now >= self.due
    }
}

/// The pause after a question; takes the time since the first one.
fn pause(after: Duration) -> Duration {
    (after / 30).clamp(REDIRECT_FIRST, REDIRECT_LAST)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::RedirectQuestions;

    /// Asks as told for `length` seconds, of a root window that is redirected in these spans of seconds; returns the
    /// moment at which a window manager is recognised, and how often was asked.
    fn ask(length: f64, spans: &[(f64, f64)]) -> (Option<f64>, usize) {
        let begin = Instant::now();
        let mut questions = RedirectQuestions::new(begin);
        for number in 1.. {
            let now = questions.due();
            let at = now.duration_since(begin).as_secs_f64();
            if at > length {
                return (None, number);
            }
            if questions.answered(now, spans.iter().any(|&(from, to)| from <= at && at < to)) {
                return (Some(at), number);
            }
            assert!(questions.due() > now);
        }
        unreachable!()
    }

    #[test]
    fn a_redirect_counts_when_it_has_held_for_a_second() {
        for (from, latest) in [(0.0, 1.2), (0.5, 1.7), (5.0, 6.3), (31.0, 33.1), (120.0, 125.1), (3600.0, 3611.1)] {
            let (at, _) = ask(4000.0, &[(from, f64::MAX)]);
            let at = at.unwrap();
            assert!(at >= from + 1.0 && at <= latest, "{from}: {at}");
        }
    }

    #[test]
    fn a_redirect_that_ends_soon_does_not_count() {
        assert_eq!(ask(60.0, &[(0.0, 0.9), (3.0, 3.9)]).0, None);
        let (at, _) = ask(60.0, &[(0.0, 0.9), (3.0, f64::MAX)]);
        assert!(at.is_some_and(|at| at >= 4.0));
    }

    #[test]
    fn questions_become_rare_with_time() {
        let (_, questions) = ask(24.0 * 3600.0, &[]);
        assert!(questions < 9000, "{questions}");
        assert!(Duration::from_secs(24 * 3600).as_secs() / 10 < questions as u64);
    }
}
