//! Crashes of the server and of the window manager: how many of them a session bears, and what comes after the others.

use std::time::Duration;

use tokio::time::Instant;

use super::life::Life;
use super::why::Why;
use crate::config::Crash;
use crate::launch::{Ending, Reply};
use crate::os::Pid;
use crate::x11::occupied::lock_holder_of;

/// When something has crashed, as far as it counts.
#[derive(Default)]
pub(super) struct Crashes {
    times: Vec<Instant>,
}

impl Crashes {
    /// One more, at `now`. Returns how many count with it: those within the last `window`.
    pub(super) fn add(&mut self, now: Instant, window: Duration) -> usize {
        self.times.retain(|&time| now.duration_since(time) < window);
        self.times.push(now);
        self.times.len()
    }
}

/// How long a server that has crashed for the `count`th time waits before it comes back: not at all the first time, for
/// a person sits before it, then `pause`, and twice as long each further time. `None` if it does not come back.
fn pause(crash: &Crash, count: usize) -> Option<Duration> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    if count > crash.limit {
        return None;
    }
    let doublings = count.checked_sub(2);
    Some(doublings.map_or(Duration::ZERO, |doublings| {
        // No pause is longer than a crash counts.
        crash.pause.saturating_mul(2_u32.saturating_pow(doublings)).min(crash.window)
    }))
}

impl Life {
    /// The server has ended and is reaped; the supervisor is told. `Some` if that ends the session.
    ///
    /// A server that has served comes back by itself: its clients die with it, the window manager's unit starts again,
    /// and its connect is what starts a server.
    pub(super) async fn server_ended(&mut self, ending: Ending) -> Option<Why> {
        let pid = self.serving.server.take().map(|server| server.pid);
        self.serving.sights = None;
        self.serving.serves = false;
        self.devices.server_ended();
        self.remove_lock(pid);
        if let Some(supervisor) = &self.serving.supervisor {
            supervisor.reply(&Reply::Exited(ending), &[]);
        }
        // A server that ends by itself is its supervisor's failure.
        self.serving.supervisor_failed |= ending != Ending::Code(0);
        if self.ending {
            return None;
        }
        // The supervisor's last words come next; without them the message would lack the server's own.
        self.await_last_words().await;
        // It exits with 0 when it was told to: somebody restarts its unit. Its supervisor has nothing to say of that, as
        // opposed to a server that it gave up and told to end.
        let told = ending == Ending::Code(0) && self.serving.last_words.is_none();
        self.serving.supervisor_failed |= !told;
        if !self.serving.has_served || !(told || self.comes_back(ending)) {
            let words = self.serving.last_words.take().unwrap_or_default();
            return Some(Why::ServerFailed { ending: Some(ending), words });
        }
        if told {
            self.serving.not_before = None;
            tracing::info!("the X server was stopped; it comes back with the window manager");
        }
        self.ask_for_devices();
        self.review_all().await
    }

    /// Counts a crash, and says what follows. Returns whether a server may come back after it.
    fn comes_back(&mut self, ending: Ending) -> bool {
        let (now, policy) = (Instant::now(), &self.config.crash);
        let count = self.serving.crashes.add(now, policy.window);
        let Some(pause) = pause(policy, count) else { return false };
        self.serving.not_before = (!pause.is_zero()).then(|| now + pause);
        let when = if pause.is_zero() { String::new() } else { format!(" in {} s", pause.as_secs_f32()) };
        let limit = policy.limit;
        tracing::warn!("the X server {ending}; it comes back with the window manager{when} ({count} of {limit})");
        true
    }

    /// Removes the lock file that a killed server has left: it names the server that we reaped, so it is ours.
    fn remove_lock(&self, pid: Option<Pid>) {
        let holder = lock_holder_of(self.prepared.display);
        if holder.is_some() && holder == pid {
            let _ = std::fs::remove_file(self.prepared.display.lock_path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Crashes, pause};
    use crate::config::Crash;

    #[test]
    fn pauses_grow_and_end() {
        let crash =
            Crash { limit: 5, pause: Duration::from_secs(2), window: Duration::from_secs(10), ..Crash::default() };
        let seconds: Vec<_> = (1..=7).map(|count| pause(&crash, count).map(|pause| pause.as_secs())).collect();
        assert_eq!(seconds, [Some(0), Some(2), Some(4), Some(8), Some(10), None, None]);
        let never = Crash { limit: 0, ..Crash::default() };
        assert_eq!(pause(&never, 1), None);
        let often = Crash { limit: u32::MAX, pause: Duration::MAX, ..crash };
        assert_eq!(pause(&often, usize::MAX), Some(often.window));
    }

    #[test]
    fn only_those_of_late_count() {
        let (begin, mut crashes) = (Instant::now(), Crashes::default());
        let counts = [0, 9, 12, 13, 30].map(|second| {
            let now = begin + Duration::from_secs(second);
            crashes.add(now, Duration::from_secs(10))
        });
        assert_eq!(counts, [1, 2, 2, 3, 1]);
    }
}
