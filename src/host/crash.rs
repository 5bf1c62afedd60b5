//! The server's end: asked for, or a crash.

use std::time::Duration;

use tokio::time::Instant;

use super::life::Life;
use super::why::Why;
use crate::launch::{Ending, Reply};
use crate::os::Pid;
use crate::x11::occupied::lock_holder;

/// A server that crashed comes back this often within [`CRASH_WINDOW`]; then the session ends.
const CRASHES: usize = 3;
/// See [`CRASHES`].
const CRASH_WINDOW: Duration = Duration::from_secs(60);

impl Life {
    /// The server has ended and is reaped; the supervisor is told. `Some` if that ends the session.
    ///
    /// A server that has served comes back by itself: its clients die with it, the window manager's unit starts again,
    /// and its connect is what starts a server.
    pub(super) async fn server_ended(&mut self, ending: Ending) -> Option<Why> {
        let pid = self.server.take().map(|server| server.pid);
        self.sights = None;
        self.remove_lock(pid);
        if let Some(supervisor) = &self.supervisor {
            supervisor.reply(&Reply::Exited(ending), &[]);
        }
        if self.ending {
            return None;
        }
        // The supervisor's last words come next; without them the message would lack the server's own.
        self.await_last_words().await;
        // It exits with 0 when it was told to: somebody restarts its unit.
        let told = self.served && ending == Ending::Code(0);
        self.crashes.retain(|crash| crash.elapsed() < CRASH_WINDOW);
        if !told {
            self.crashes.push(Instant::now());
        }
        let count = self.crashes.len();
        if !self.served || count > CRASHES {
            return Some(Why::ServerFailed { ending: Some(ending), words: self.last_words.take().unwrap_or_default() });
        }
        if told {
            tracing::info!("the X server was stopped; it comes back with the window manager");
        } else {
            tracing::warn!("the X server {ending}; it comes back with the window manager ({count} of {CRASHES})");
        }
        self.review_all().await
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
        let path = self.prepared.display.lock_path();
        let holder = std::fs::read(&path).ok().and_then(|content| lock_holder(&content));
        if holder.is_some() && holder == pid {
            let _ = std::fs::remove_file(path);
        }
    }
}
