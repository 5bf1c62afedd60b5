//! A server with an owner that ends it.

use std::borrow::Borrow;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::timeout;

use super::{NotReady, Process, Relay, Server, handshake};
use crate::deadline::CLOSED;
use crate::os::{Ending, Pid};
use crate::x11::cookie::Cookie;
use crate::x11::display::Display;

/// A server with its output. It does not outlive this value: if the owner returns without having ended it, for example
/// after an error, the drop kills it.
pub struct Supervised<P: Borrow<Process>> {
    name: &'static str,
    process: P,
    relay: Relay,
    /// Whether it has ended already.
    over: bool,
    ending: Option<Ending>,
}

impl<P: Borrow<Process>> Supervised<P> {
    /// A running server. `name` is its name in messages.
    pub fn new(name: &'static str, process: P, relay: Relay) -> Self {
        Self { name, process, relay, over: false, ending: None }
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        self.process.borrow().pid
    }

    /// A descriptor of its process.
    pub fn pidfd(&self) -> &OwnedFd {
        self.process.borrow().pidfd()
    }

    /// Relays the rest of its output.
    pub async fn drain(&self) {
        self.relay.drain().await;
    }

    /// Its last lines for a person.
    #[must_use]
    pub fn tail(&self) -> String {
        self.relay.tail()
    }

    /// Ends it, if it has not ended: SIGTERM, and SIGKILL after `patience`. Relays its last lines.
    pub async fn end(&mut self, patience: Duration) {
        if !self.over {
            self.process.borrow().end(self.name, patience).await;
            self.over = true;
        }
        self.relay.drain().await;
    }
}

impl Supervised<Server> {
    /// Waits for its end, and reaps it; returns the same result if called again. May be dropped while it waits.
    pub async fn ended(&mut self) -> Ending {
        match self.ending {
            Some(ending) => ending,
            None => {
                let ending = self.process.ended().await;
                self.over = true;
                *self.ending.insert(ending)
            }
        }
    }

    /// Like [`end`](Self::end), and reaps it.
    pub async fn kill(&mut self, patience: Duration) {
        self.end(patience).await;
        // Returns at once, unless even SIGKILL did not help.
        let _ = timeout(CLOSED, self.ended()).await;
    }

    /// Returns when it answers; the connection is not kept.
    ///
    /// # Errors
    /// [`NotReady`].
    pub async fn ready(&mut self, display: Display, cookie: &Cookie, deadline: Duration) -> Result<(), NotReady> {
        let answered = tokio::select! {
            biased;
            answered = handshake(display, cookie, deadline) => answered,
            ending = self.ended() => return Err(NotReady::Ended(ending)),
        };
        match answered {
            Err(NotReady::Handshake(error)) => match timeout(CLOSED, self.ended()).await {
                Ok(ending) => Err(NotReady::Ended(ending)),
                Err(_) => Err(NotReady::Handshake(error)),
            },
            answered => answered.map(drop),
        }
    }
}

impl<P: Borrow<Process>> Drop for Supervised<P> {
    fn drop(&mut self) {
        if !self.over {
            self.process.borrow().signal(Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::time::Duration;

    use super::Supervised;
    use crate::os::{self, Ending, Pid};
    use crate::server::process::tests::shell;
    use crate::server::{Out, Process, Relay, Server};

    fn start(script: &str) -> Supervised<Server> {
        let (relay, output) = Relay::start(Out { say: |_| {}, has_room: || true }).unwrap();
        Supervised::new("the server", shell(script, output.as_fd()), relay)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn its_last_lines_are_kept() {
        let mut server = start("echo ready; trap 'echo gone; exit 3' TERM; while :; do sleep 0.01; done");
        while server.tail().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.kill(Duration::from_secs(10)).await;
        assert_eq!(server.tail(), "ready\ngone");
        assert_eq!((server.ended().await, server.ended().await), (Ending::Code(3), Ending::Code(3)));
        // Ended already, so nothing is waited for.
        server.kill(Duration::from_secs(600)).await;
    }

    #[tokio::test(flavor = "current_thread")]
    async fn it_does_not_outlive_its_owner() {
        let child = start("exec sleep 60");
        let pid = child.pid();
        drop(child);
        assert!(matches!(nix::sys::wait::waitpid(pid, None), Ok(status) if status.pid() == Some(pid)));

        // A process of which we have only a descriptor.
        let child = start("exec sleep 60");
        let (relay, _output) = Relay::start(Out { say: |_| {}, has_room: || true }).unwrap();
        let process = Process::new(child.pid(), os::pidfd_open(child.pid()).unwrap()).unwrap();
        let other: Supervised<Process> = Supervised::new("the server", process, relay);
        drop(other);
        let mut child = child;
        assert_eq!(child.ended().await, Ending::Signal(9));
        assert_ne!(child.pid(), Pid::this());
    }
}
