//! The session while it lives: one loop over everything that can happen.

use std::io;

use nix::sys::signal::Signal as Signo;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::end;
use super::jobs::Job;
use super::peers::{Peer, PeerEvent, Peers};
use super::prepare::Prepared;
use super::server::{Plan, Server};
use super::watch::{Sight, watch};
use super::why::Why;
use crate::config::Config;
use crate::launch::{Ending, Listener};
use crate::manager::{self, Manager, Signals};
use crate::os;
use crate::session::Choice;

/// The signals that end a session in order.
pub struct Interrupts {
    signals: Vec<(Signo, Signal)>,
}

impl Interrupts {
    /// Catches them from now on, and ignores those of job control.
    ///
    /// # Errors
    /// sigaction(2) failed.
    pub fn catch() -> io::Result<Self> {
        os::ignore_job_control()?;
        let catch = |signo: Signo| Ok((signo, signal(SignalKind::from_raw(signo as i32))?));
        let signals = [Signo::SIGTERM, Signo::SIGINT, Signo::SIGHUP, Signo::SIGQUIT].map(catch);
        Ok(Self { signals: signals.into_iter().collect::<io::Result<_>>()? })
    }

    async fn next(&mut self) -> Signo {
        std::future::poll_fn(|context| {
            for (signo, stream) in &mut self.signals {
                if stream.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*signo);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

/// What a life is made of.
pub(super) struct Parts {
    /// The user manager.
    pub manager: Manager,
    /// What it tells.
    pub events: Signals,
    /// What to run.
    pub choice: Choice,
    /// The configuration.
    pub config: Config,
    /// How to start a server.
    pub plan: Plan,
    /// The session's place.
    pub prepared: Prepared,
    /// The launch socket.
    pub listener: Listener,
    /// The signals.
    pub signals: Interrupts,
}

/// A session that is up, coming up, or going down.
pub(super) struct Life {
    /// `None` once it is gone.
    pub(super) manager: Option<Manager>,
    pub(super) choice: Choice,
    pub(super) config: Config,
    pub(super) prepared: Prepared,
    pub(super) plan: Plan,
    pub(super) peers: Peers,
    interrupts: Interrupts,
    pub(super) events: Signals,
    pub(super) server: Option<Server>,
    /// The supervisor that asked for the server.
    pub(super) supervisor: Option<Peer>,
    /// The supervisor's last words about a server that it gave up.
    pub(super) last_words: Option<String>,
    /// Whether a server ever served: a client of ours was answered.
    pub(super) served: bool,
    /// When servers ended that should not have.
    pub(super) crashes: Vec<Instant>,
    /// What the watch on the display sees; `None` while there is no server to watch.
    pub(super) sights: Option<mpsc::Receiver<Sight>>,
    /// The units that are the session's own.
    pub(super) units: Vec<String>,
    /// The window manager's, once it is known which of them that is.
    pub(super) wm_unit: Option<String>,
    /// The jobs whose failure is the session's end.
    pub(super) jobs: Vec<Job>,
    /// Whether the window manager was queued.
    pub(super) queued: bool,
    /// Whether `wm-ready.target` was started.
    pub(super) ready: bool,
    /// The units whose crash was said already, so that it is said once.
    pub(super) restarting: Vec<String>,
    /// Set once the session goes down; no server is launched any more.
    pub(super) ending: bool,
    /// An end that was asked for while the loop waited for something else.
    pub(super) asked: Option<Why>,
    /// Clients that wait for the end; they are told by end-of-file.
    pub(super) waiting: Vec<Peer>,
}

/// Something happened.
pub(super) enum Event {
    Peer(PeerEvent),
    ServerEnded(Ending),
    Interrupt(Signo),
    Manager(manager::Signal),
    Sight(Option<Sight>),
}

impl Life {
    /// Lives a session from its first job to its last, and returns why it ended, and what is left to put back: the
    /// manager is `None` if it is gone.
    pub(super) async fn begin(parts: Parts) -> (Why, Prepared, Option<Manager>) {
        let Parts { manager, events, choice, config, plan, prepared, listener, signals } = parts;
        let peers = Peers::serve(listener, config.deadlines.launch);
        let units = choice.units();
        let mut life = Self {
            manager: Some(manager),
            choice,
            config,
            prepared,
            plan,
            peers,
            interrupts: signals,
            events,
            server: None,
            supervisor: None,
            last_words: None,
            served: false,
            crashes: Vec::new(),
            sights: None,
            units,
            wm_unit: None,
            jobs: Vec::new(),
            queued: false,
            ready: false,
            restarting: Vec::new(),
            ending: false,
            asked: None,
            waiting: Vec::new(),
        };
        let why = match life.queue_display().await {
            Ok(()) => life.live().await,
            Err(why) => why,
        };
        let why = end::end(&mut life, why).await;
        (why, life.prepared, life.manager)
    }

    /// The loop, until something ends the session.
    async fn live(&mut self) -> Why {
        loop {
            let event = self.next().await;
            let end = match event {
                Event::Manager(manager::Signal::JobDone { job, result }) => {
                    let position = self.jobs.iter().position(|(ours, _)| *ours == job);
                    match position.map(|position| self.jobs.swap_remove(position)) {
                        Some((_, unit)) if result != "done" => Some(self.job_failed(unit, &result).await),
                        _ => None,
                    }
                }
                Event::Manager(manager::Signal::UnitChanged(unit)) => self.review(&unit).await,
                Event::Manager(manager::Signal::Lost) => self.reconnect().await,
                Event::Sight(sight) => {
                    self.see(sight).await;
                    None
                }
                Event::Interrupt(signo) => Some(Why::Signal(signo)),
                Event::ServerEnded(ending) => self.server_ended(ending).await,
                Event::Peer(event) => self.serve(event).await,
            };
            if let Some(why) = end.or_else(|| self.asked.take()) {
                return why;
            }
        }
    }

    /// Begins to watch the display.
    pub(super) fn watch(&mut self) {
        let deadline = self.config.deadlines.window_manager;
        self.sights = Some(watch(self.prepared.display, self.prepared.cookie, deadline));
    }

    /// The next thing that happens. Every branch may be dropped while it waits, so nothing is lost.
    pub(super) async fn next(&mut self) -> Event {
        let server_ended = async {
            match &self.server {
                Some(server) => server.ended().await,
                None => std::future::pending().await,
            }
        };
        let sight = async {
            match &mut self.sights {
                Some(sights) => sights.recv().await,
                None => std::future::pending().await,
            }
        };
        let event = tokio::select! {
            // The server's end first: what follows from it (a window manager that exits) must find it known.
            biased;
            ending = server_ended => Event::ServerEnded(ending),
            signo = self.interrupts.next() => Event::Interrupt(signo),
            event = self.peers.next() => Event::Peer(event),
            sight = sight => Event::Sight(sight),
            signal = self.events.next() => Event::Manager(signal),
        };
        if matches!(event, Event::Sight(None)) {
            // A queue that has ended is ready for ever.
            self.sights = None;
        }
        event
    }

    /// The manager's connection broke: it was re-executed, or it is gone.
    async fn reconnect(&mut self) -> Option<Why> {
        match end::reconnect(self.prepared.runtime(), self.config.deadlines.user_manager).await {
            Ok((manager, events)) => {
                (self.manager, self.events) = (Some(manager), events);
                self.review_all().await
            }
            Err(why) => {
                self.manager = None;
                Some(Why::ManagerLost(why))
            }
        }
    }
}
