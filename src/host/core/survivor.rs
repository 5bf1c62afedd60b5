//! A window manager that outlives its server. Pure.
//!
//! Normally a client ends with its connection: Xlib exits, and XCB programs check. i3 4.24 does not check: it runs on
//! without a display, keeps one processor busy and ignores SIGTERM. While it is there, nothing starts it again and
//! nothing manages the display. So a window manager that is still there a while after its server, with no other one on
//! the display, is told to end, and later killed. Its unit's end then counts as caused by the server.

use std::time::Instant;

use crate::deadline::OUTLIVES_SERVER;

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Tell it to end.
    Tell,
    /// Kill it.
    Kill,
}

/// Tracks a window manager from its server's end until it has ended too.
#[derive(Debug, Default)]
pub(super) struct Survivor {
    /// The number of the server that has ended, and what to do when.
    next: Option<(u32, Step, Instant)>,
    /// The number of the server whose window manager was told to end.
    told: Option<u32>,
}

impl Survivor {
    /// The server with this number has ended, and another one is to come.
    pub(super) fn server_ended(&mut self, now: Instant, number: u32) {
        self.next = Some((number, Step::Tell, now + OUTLIVES_SERVER));
        self.told = None;
    }

    /// Its window manager has ended, or another one manages the display.
    pub(super) const fn is_over(&mut self) {
        self.next = None;
        self.told = None;
    }

    /// When the next step is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.next.map(|(_, _, due)| due)
    }

    /// Takes the step that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Step> {
        let (number, step, _) = self.next.take_if(|(_, _, due)| *due <= now)?;
        self.told = Some(number);
        self.next = (step == Step::Tell).then(|| (number, Step::Kill, now + OUTLIVES_SERVER));
        Some(step)
    }

    /// The number of the server that the window manager has outlived: however that ends now, its server is the cause. A
    /// desktop may take its time to end in order, and exit with 0.
    pub(super) fn outlived(&self) -> Option<u32> {
        self.told.or(self.recently_outlived())
    }

    /// The same, until it would have been killed: for a program of which it is not known that it is the window manager.
    pub(super) fn recently_outlived(&self) -> Option<u32> {
        self.next.map(|(number, ..)| number)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Step, Survivor};

    #[test]
    fn one_that_stays_is_told_and_then_killed_once() {
        let (begin, mut survivor) = (Instant::now(), Survivor::default());
        assert_eq!(survivor.due(), None);
        survivor.server_ended(begin, 3);
        assert_eq!((survivor.outlived(), survivor.recently_outlived()), (Some(3), Some(3)));
        let mut steps = Vec::new();
        while let Some(due) = survivor.due() {
            assert_eq!(survivor.take_due(due - Duration::from_millis(1)), None);
            steps.push((due.duration_since(begin).as_secs(), survivor.take_due(due)));
        }
        assert_eq!(steps, [(1, Some(Step::Tell)), (2, Some(Step::Kill))]);
        assert_eq!((survivor.outlived(), survivor.recently_outlived()), (Some(3), None));
        survivor.is_over();
        assert_eq!((survivor.outlived(), survivor.due()), (None, None));
    }
}
