//! What the clients of the launch socket ask for: the supervisor its server, a person the end.

use std::os::fd::{AsFd, OwnedFd};

use nix::sys::signal::Signal;

use super::life::Life;
use super::peers::{Peer, PeerEvent};
use super::why::Why;
use crate::launch::{Reply, Request};
use crate::x11::display::Display;

impl Life {
    /// Answers a client; `Some` if it ends the session.
    pub(super) async fn serve(&mut self, event: PeerEvent) -> Option<Why> {
        match event {
            PeerEvent::Request(peer, Request::Launch { display, listeners }, mut fds) => {
                if let Err(reason) = self.launch(&peer, display, listeners, &mut fds) {
                    // While the session goes down this is what happens, not what went wrong.
                    match self.ending {
                        true => tracing::debug!("refused to launch a server: {reason}"),
                        false => tracing::warn!("refused to launch a server: {reason}"),
                    }
                    peer.refuse(reason);
                    return None;
                }
                self.queue_session().await.err()
            }
            PeerEvent::Request(peer, Request::Stop, _) => {
                peer.reply(&Reply::Stopping, &[]);
                self.waiting.push(peer);
                Some(Why::Asked)
            }
            PeerEvent::Request(peer, Request::Failed(text), _) => {
                if self.is_supervisor(&peer) {
                    self.last_words = Some(text);
                } else {
                    peer.refuse("only the supervisor of the server can tell of its end".to_owned());
                }
                None
            }
            PeerEvent::Gone(peer) => {
                self.waiting.retain(|waiting| !waiting.is(&peer));
                if self.is_supervisor(&peer) {
                    self.supervisor = None;
                    // Without its supervisor the server is nobody's: it goes too, and its end is handled like any.
                    if let Some(server) = &self.server {
                        server.signal(Signal::SIGTERM);
                    }
                }
                None
            }
        }
    }

    fn is_supervisor(&self, peer: &Peer) -> bool {
        self.supervisor.as_ref().is_some_and(|supervisor| supervisor.is(peer))
    }

    /// Forks the server for the supervisor, or says why not.
    fn launch(
        &mut self,
        peer: &Peer,
        display: Display,
        listeners: usize,
        fds: &mut Vec<OwnedFd>,
    ) -> Result<(), String> {
        if self.ending {
            return Err("the session is going down".to_owned());
        }
        if display != self.plan.display {
            return Err(format!("this session's display is {}, not {display}", self.plan.display));
        }
        if self.server.is_some() {
            return Err("its server runs already".to_owned());
        }
        if !(1..=2).contains(&listeners) || fds.len() != listeners + 1 {
            return Err("a launch takes one descriptor for output and one or two listening sockets".to_owned());
        }
        let sockets = fds.split_off(1);
        if let Some(problem) = self.plan.problem_with(&sockets) {
            return Err(problem.to_owned());
        }
        let server = self.plan.launch(&sockets, &fds[0]).map_err(|error| {
            let reason = format!("the X server {} cannot be executed: {error}", self.plan.program.display());
            // The refused supervisor's unit fails; this is what the person is told of it.
            self.last_words = Some(reason.clone());
            reason
        })?;
        peer.reply(&Reply::Launched(server.pid), &[server.pidfd().as_fd()]);
        self.server = Some(server);
        self.supervisor = Some(peer.clone());
        self.last_words = None;
        // Not before: until the supervisor came with the socket nobody knew that it was bound, and a connect would have
        // failed. From here on it waits in the backlog, as every other client's.
        self.watch();
        Ok(())
    }
}
