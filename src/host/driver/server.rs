//! The server's process: forking it for a supervisor, signalling it, giving it up.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::sys::signal::Signal;

use super::Driver;
use crate::host::act::RunningServer;
use crate::host::core::{ClientId, Event};
use crate::launch::{HostDeadlines, Reply};
use crate::os;

impl Driver {
    /// The server has ended and was reaped.
    pub(super) fn server_ended(&mut self) {
        self.sights = None;
        (self.screen, self.idle) = (None, None);
        self.server = None;
        self.hold_terminal();
    }

    /// What is wrong with the descriptors of a launch request: they come from another process, and are checked before a
    /// server gets them.
    pub(super) fn problem_with(&self, listeners: usize, fds: &[OwnedFd]) -> Option<String> {
        if listeners != 1 || fds.len() != 2 {
            return Some("a launch takes one descriptor for output and one listening socket".to_owned());
        }
        self.plan.as_ref()?.problem_with(&fds[1..]).map(str::to_owned)
    }

    /// Forks the server that a supervisor has asked for, and reports that.
    pub(super) fn fork(&mut self, client: ClientId) -> Result<(), String> {
        let gone = || "the supervisor is gone".to_owned();
        let request = self.launches.remove(&client).ok_or_else(gone)?;
        let (peer, plan) = (self.clients.get(&client).ok_or_else(gone)?, self.plan.as_ref().ok_or_else(gone)?);
        let (output, sockets) = request.fds.split_first().ok_or_else(gone)?;
        // Before the server sees the settings that it restores.
        if let Some(terminal) = &mut self.terminal {
            terminal.hold();
        }
        let server = plan
            .launch(sockets, output)
            .map_err(|error| format!("the X server {} cannot be executed: {error}", plan.program.display()))?;
        let told = HostDeadlines::of(&self.config.deadlines);
        let mut fds = vec![server.pidfd().as_fd()];
        fds.extend(self.prepared.as_ref().map(|prepared| prepared.number.name()));
        peer.reply(&Reply::Launched(server.pid, told), &fds);
        self.launched += 1;
        let running = RunningServer { process: server, number: self.launched, serves: AtomicBool::new(false) };
        self.server = Some(Arc::new(running));
        Ok(())
    }

    pub(super) fn signal_server(&self, signal: Signal) {
        if let Some(server) = &self.server {
            server.process.signal(signal);
        }
    }

    /// The server does not end: report its process, and give it up.
    pub(super) fn give_up_server(&mut self) {
        let pid = self.server.take().map_or(0, |server| server.process.pid.as_raw());
        let state = os::stat(os::Pid::from_raw(pid)).ok().and_then(|stat| os::state(&stat)).unwrap_or('?');
        self.at_once.push_back(Event::ServerGivenUp { pid, state });
    }
}
