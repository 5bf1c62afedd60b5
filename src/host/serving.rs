//! Who serves the display: the server and its supervisor, and what was heard and seen of them.

use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};

use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout};

use super::crash::Crashes;
use super::launch::Launch;
use super::life::Life;
use super::peers::Peer;
use super::watch::{Sight, watch};
use crate::deadline::STATUS;
use crate::launch::Ending;
use crate::server::Server;
use crate::x11::client::{Client, ClientError};
use crate::x11::cookie::Cookie;
use crate::x11::display::Display;

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
    /// How many servers there have been: the number of the last one.
    pub launched: u32,
    /// Whether the one that runs serves already.
    pub serves: bool,
}

impl Serving {
    /// Whether this client of the launch socket is the server's supervisor.
    pub(super) fn is_supervisor(&self, peer: &Peer) -> bool {
        self.supervisor.as_ref().is_some_and(|supervisor| supervisor.is(peer))
    }

    /// The number of the server whose end a client of this session has seen that has ended; `None` if it has seen none,
    /// and has ended by itself. `failed` says that it did not end with 0.
    ///
    /// A server that dies is marked by the kernel before its clients can know. One that was told to end (SIGTERM, or
    /// Ctrl+Alt+Backspace) drops its clients first (xserver, dix/dispatch.c, `KillAllClients` at the end of `Dispatch`),
    /// then its devices, and exits milliseconds later: by then a client's unit has failed. But it answers nobody any more,
    /// so it is asked. One that does not answer and does not end either hangs, and its clients with it.
    ///
    /// And any other client may be quicker to notice an end than a window manager on a busy machine, and what it connects to
    /// is the next server already, by the time that this one fails with the one before. Only if it fails: what exits with 0
    /// while there is a display was left by its user.
    pub(super) async fn lost(&self, display: Display, cookie: &Cookie, failed: bool) -> Option<u32> {
        let is_lost = match &self.server {
            None => self.has_served,
            Some(server) if server.is_exiting() => true,
            // Nobody has had it yet.
            Some(_) if !self.serves => false,
            Some(server) => !answers(server, display, cookie).await,
        };
        match is_lost {
            true => Some(self.launched),
            false => (failed && self.launched > 1).then(|| self.launched - 1),
        }
    }
}

/// Whether a server has not begun to end.
async fn answers(server: &Server, display: Display, cookie: &Cookie) -> bool {
    tokio::select! {
        biased;
        () = server.is_waitable() => false,
        answer = timeout(STATUS, Client::connect(display, cookie)) => match answer {
            Ok(Err(ClientError::Io(error))) => !matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe),
            Ok(Ok(_) | Err(_)) | Err(_) => true,
        },
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
