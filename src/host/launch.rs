//! The launch of a server: at once, or later, when one has crashed before.

use std::os::fd::{AsFd, OwnedFd};

use tokio::time::Instant;

use super::life::Life;
use super::peers::Peer;
use super::why::Why;
use crate::launch::Reply;
use crate::x11::display::Display;

/// A supervisor's request.
pub(super) struct Launch {
    /// The supervisor.
    pub peer: Peer,
    /// The display that it serves.
    pub display: Display,
    /// How many listening sockets came along.
    pub listeners: usize,
    /// A pipe for output, and the sockets.
    pub fds: Vec<OwnedFd>,
}

impl Life {
    /// Launches the server that a supervisor asks for, or holds the request back. `Some` if it ends the session.
    ///
    /// Held back here, because whoever wants the display back after a crash comes by this way, the window manager and
    /// every other client that is started again: they all wait in the socket's backlog meanwhile.
    pub(super) async fn ask_launch(&mut self, request: Launch) -> Option<Why> {
        if !self.ending && self.serving.server.is_none() && self.serving.held.is_none() && self.must_wait() {
            request.peer.reply(&Reply::Later, &[]);
            self.serving.held = Some(request);
            return None;
        }
        self.answer_launch(request).await
    }

    /// Whether a server that was launched now would come too early.
    fn must_wait(&self) -> bool {
        self.devices.are_withheld() || self.serving.not_before.is_some_and(|not_before| Instant::now() < not_before)
    }

    /// When the request that was held back is due; `None` as long as that depends on something else.
    pub(super) fn launch_due(&self) -> Option<Instant> {
        let due = self.serving.not_before.unwrap_or_else(Instant::now);
        (self.serving.held.is_some() && !self.devices.are_withheld()).then_some(due)
    }

    /// Launches the server that was held back: its time has come.
    pub(super) async fn launch_held(&mut self) -> Option<Why> {
        let held = self.serving.held.take()?;
        self.answer_launch(held).await
    }

    /// Nothing is launched any more.
    pub(super) fn refuse_held(&mut self) {
        if let Some(held) = self.serving.held.take() {
            self.serving.supervisor_failed = true;
            held.peer.refuse("the session is going down".to_owned());
        }
    }

    /// Launches the server, or says why not.
    async fn answer_launch(&mut self, request: Launch) -> Option<Why> {
        let peer = request.peer.clone();
        if let Err(reason) = self.launch(request) {
            // Its unit fails with that, and systemd starts the repair, also while the session goes down.
            self.serving.supervisor_failed = true;
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

    /// Forks the server for the supervisor, or says why not.
    fn launch(&mut self, request: Launch) -> Result<(), String> {
        let Launch { peer, display, listeners, mut fds } = request;
        if self.ending {
            return Err("the session is going down".to_owned());
        }
        if display != self.plan.display {
            return Err(format!("this session's display is {}, not {display}", self.plan.display));
        }
        if self.serving.server.is_some() {
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
            self.serving.last_words = Some(reason.clone());
            reason
        })?;
        peer.reply(&Reply::Launched(server.pid), &[server.pidfd().as_fd()]);
        self.serving.server = Some(server);
        self.serving.launched += 1;
        self.serving.supervisor = Some(peer);
        self.serving.last_words = None;
        // Not before: until the supervisor came with the socket nobody knew that it was bound, and a connect would have
        // failed. From here on it waits in the backlog, as every other client's.
        self.watch();
        Ok(())
    }
}
