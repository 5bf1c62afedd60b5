//! The server's end: asked for, a crash, or because it has lost its devices.

use std::time::Duration;

use tokio::time::Instant;

use super::ground::Control;
use super::life::Life;
use super::why::Why;
use crate::config::Crash;
use crate::launch::{Ending, Reply};
use crate::manager::names;
use crate::os::Pid;
use crate::x11::occupied::lock_holder_of;

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
        let pid = self.server.take().map(|server| server.pid);
        self.sights = None;
        self.lost_server = true;
        self.revived.clear();
        // Whatever it lacked, the next one is another.
        self.needs_new_server = false;
        self.remove_lock(pid);
        if let Some(supervisor) = &self.supervisor {
            supervisor.reply(&Reply::Exited(ending), &[]);
        }
        // A server that ends by itself is its supervisor's failure.
        self.supervisor_failed |= ending != Ending::Code(0);
        if self.ending {
            return None;
        }
        // The supervisor's last words come next; without them the message would lack the server's own.
        self.await_last_words().await;
        // It exits with 0 when it was told to: somebody restarts its unit. Its supervisor has nothing to say of that, as
        // opposed to a server that it gave up and told to end.
        let told = self.served && ending == Ending::Code(0) && self.last_words.is_none();
        self.crashes.retain(|crash| crash.elapsed() < self.config.crash.window);
        if !told {
            self.crashes.push(Instant::now());
        }
        let count = self.crashes.len();
        let pause = if told { Some(Duration::ZERO) } else { pause(&self.config.crash, count) };
        let Some(pause) = pause.filter(|_| self.served) else {
            return Some(Why::ServerFailed { ending: Some(ending), words: self.last_words.take().unwrap_or_default() });
        };
        self.not_before = (!pause.is_zero()).then(|| Instant::now() + pause);
        let limit = self.config.crash.limit;
        match pause {
            _ if told => tracing::info!("the X server was stopped; it comes back with the window manager"),
            Duration::ZERO => {
                tracing::warn!("the X server {ending}; it comes back with the window manager ({count} of {limit})");
            }
            pause => tracing::warn!(
                "the X server {ending}; it comes back with the window manager in {} s ({count} of {limit})",
                pause.as_secs_f32()
            ),
        }
        self.review_all().await
    }

    /// The server's control of the login session has changed. `Some` if that ends the session.
    pub(super) async fn control_changed(&mut self, control: Control) -> Option<Why> {
        match control {
            Control::Lost(why) => {
                tracing::error!("{why}: the X server has lost its screen, keyboard and mouse, and is started again");
                self.control_is_lost = true;
                self.needs_new_server = self.server.is_some();
                None
            }
            Control::Possible => {
                self.control_is_lost = false;
                self.replace_server().await
            }
            Control::Gone(why) => Some(Why::LogindLost(why)),
        }
    }

    /// Starts the server again if it needs that and can be. `Some` if that ends the session.
    pub(super) async fn replace_server(&mut self) -> Option<Why> {
        // One that is still starting may have been too early or just in time: it is replaced once it serves.
        if !self.needs_new_server || self.control_is_lost || !self.served {
            return None;
        }
        self.needs_new_server = false;
        let unit = names::xorg_service(self.prepared.display);
        match self.manager.as_ref()?.restart(&unit).await {
            Ok(_) => None,
            Err(error) => Some(Why::NotStarted { unit, why: error.to_string() }),
        }
    }

    /// Whether the session has lost its display, as opposed to waiting for its first server.
    pub(super) fn is_without_display(&self) -> bool {
        match &self.server {
            Some(server) => server.is_exiting(),
            None => self.served,
        }
    }

    /// Waits for the supervisor's word on the server's end, as long as the supervisor lives and is quick.
    pub(super) async fn await_last_words(&mut self) {
        let end = Instant::now() + self.config.deadlines.launch;
        while self.supervisor.is_some() && self.last_words.is_none() {
            let Ok(event) = tokio::time::timeout_at(end, self.peers.next()).await else { return };
            if let Some(why) = self.serve(event).await {
                // Kept for the loop: what ends a session must not be lost because it came now.
                self.asked = Some(why);
            }
        }
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

    use super::pause;
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
}
