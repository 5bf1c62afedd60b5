//! Who serves the display: the server and its supervisor, and what was heard and seen of them.

use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

use super::crash::Crashes;
use super::launch::Launch;
use super::life::Life;
use super::peers::Peer;
use super::server::Server;
use super::watch::{Sight, watch};
use crate::launch::Ending;

/// The display's server, if one runs, and whoever speaks for it.
#[derive(Default)]
pub(super) struct Serving {
    /// The server.
    pub server: Option<Server>,
    /// The supervisor that asked for it.
    pub supervisor: Option<Peer>,
    /// Whether a supervisor has failed, so that systemd has started the repair.
    pub supervisor_failed: bool,
    /// When servers have crashed.
    pub crashes: Crashes,
    /// No server is launched before this.
    pub not_before: Option<Instant>,
    /// The supervisor's last words about a server that it gave up.
    pub last_words: Option<String>,
    /// A launch that waits.
    pub held: Option<Launch>,
    /// What the watch on the display sees; `None` while there is no server to watch.
    pub sights: Option<Receiver<Sight>>,
    /// Whether a server ever served: a client of ours was answered.
    pub has_served: bool,
    /// Whether a server of this session has ended: programs that were on it may notice that late.
    pub has_ended: bool,
}

impl Serving {
    /// Whether this client of the launch socket is the server's supervisor.
    pub(super) fn is_supervisor(&self, peer: &Peer) -> bool {
        self.supervisor.as_ref().is_some_and(|supervisor| supervisor.is(peer))
    }

    /// Whether the session has lost its display, as opposed to waiting for its first server.
    pub(super) fn is_without_display(&self) -> bool {
        match &self.server {
            Some(server) => server.is_exiting(),
            None => self.has_served,
        }
    }
}

/// The end of a server; never, if there is none. May be dropped while it waits.
pub(super) async fn ended(server: Option<&Server>) -> Ending {
    match server {
        Some(server) => server.ended().await,
        None => std::future::pending().await,
    }
}

/// What the watch sees next, and `None` once, when it has ended. May be dropped while it waits.
pub(super) async fn seen(sights: &mut Option<Receiver<Sight>>) -> Option<Sight> {
    let sight = match sights {
        Some(queue) => queue.recv().await,
        None => std::future::pending().await,
    };
    if sight.is_none() {
        // A queue that has ended is ready for ever.
        *sights = None;
    }
    sight
}

impl Life {
    /// Begins to watch the display.
    pub(super) fn watch(&mut self) {
        let deadline = self.config.deadlines.window_manager;
        self.serving.sights = Some(watch(self.prepared.display, self.prepared.cookie, deadline));
    }

    /// Waits for the supervisor's word on the server's end, as long as the supervisor lives and is quick.
    pub(super) async fn await_last_words(&mut self) {
        let end = Instant::now() + self.config.deadlines.launch;
        while self.serving.supervisor.is_some() && self.serving.last_words.is_none() {
            let Ok(event) = tokio::time::timeout_at(end, self.peers.next()).await else { return };
            if let Some(why) = self.serve(event).await {
                // Kept for the loop: what ends a session must not be lost because it came now.
                self.asked = Some(why);
            }
        }
    }
}
