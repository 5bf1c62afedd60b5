//! What the clients of the launch socket ask for: the supervisor its server, a person the end.

use nix::sys::signal::Signal;

use super::launch::Launch;
use super::life::Life;
use super::peers::PeerEvent;
use super::why::Why;
use crate::launch::{Reply, Request};

impl Life {
    /// Answers a client; `Some` if it ends the session.
    pub(super) async fn serve(&mut self, event: PeerEvent) -> Option<Why> {
        match event {
            PeerEvent::Request(peer, Request::Launch { display, listeners }, fds) => {
                self.ask_launch(Launch { peer, display, listeners, fds }).await
            }
            PeerEvent::Request(peer, Request::Stop, _) => {
                peer.reply(&Reply::Stopping, &[]);
                self.waiting.push(peer);
                Some(Why::Asked)
            }
            PeerEvent::Request(peer, Request::Failed(text), _) => {
                if self.serving.is_supervisor(&peer) {
                    self.serving.last_words = Some(text);
                } else {
                    peer.refuse("only the supervisor of the server can tell of its end".to_owned());
                }
                None
            }
            PeerEvent::Gone(peer) => {
                self.waiting.retain(|waiting| !waiting.is(&peer));
                self.serving.held.take_if(|held| held.peer.is(&peer));
                if self.serving.is_supervisor(&peer) {
                    self.serving.supervisor = None;
                    // Without its supervisor the server is nobody's: it goes too, and its end is handled like any.
                    if let Some(server) = &self.serving.server {
                        self.serving.supervisor_failed = true;
                        server.signal(Signal::SIGTERM);
                    }
                }
                None
            }
        }
    }
}
