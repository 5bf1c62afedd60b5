//! The session while it lives: one loop over everything that can happen.

use std::io;

use nix::sys::signal::Signal as Signo;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::end;
use super::ground::{Control, ManagerProcess};
use super::jobs::Job;
use super::launch::Launch;
use super::multiplexers::Telling;
use super::peers::{Peer, PeerEvent, Peers};
use super::prepare::Prepared;
use super::server::{Plan, Server};
use super::watch::{Sight, watch};
use super::why::Why;
use crate::config::Config;
use crate::launch::{Ending, Listener};
use crate::manager::transient::Service;
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
    /// Its process.
    pub manager_process: ManagerProcess,
    /// What it tells.
    pub events: Signals,
    /// What happens to the server's control of the login session.
    pub control: mpsc::UnboundedReceiver<Control>,
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
    /// Why it is gone.
    pub(super) lost: Option<Why>,
    pub(super) choice: Choice,
    pub(super) config: Config,
    pub(super) prepared: Prepared,
    pub(super) plan: Plan,
    pub(super) peers: Peers,
    interrupts: Interrupts,
    pub(super) events: Signals,
    manager_process: ManagerProcess,
    control: mpsc::UnboundedReceiver<Control>,
    pub(super) server: Option<Server>,
    /// The supervisor that asked for the server.
    pub(super) supervisor: Option<Peer>,
    /// The supervisor's last words about a server that it gave up.
    pub(super) last_words: Option<String>,
    /// Whether a server ever served: a client of ours was answered.
    pub(super) served: bool,
    /// When servers ended that should not have.
    pub(super) crashes: Vec<Instant>,
    /// Whether a supervisor has failed, so that systemd has started the repair.
    pub(super) supervisor_failed: bool,
    /// No server is launched before this.
    pub(super) not_before: Option<Instant>,
    /// Whether a server has lost its devices, or would get none.
    pub(super) control_is_lost: bool,
    /// Whether a new server would get them, and the one that runs has to make place.
    pub(super) needs_new_server: bool,
    /// A launch that waits.
    pub(super) held: Option<Launch>,
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
    /// What went wrong, once the rescue command runs in the window manager's place.
    pub(super) rescued: Option<Why>,
    /// That command as a service.
    pub(super) rescue_service: Option<Service>,
    /// The multiplexers that were told of the display.
    pub(super) telling: Option<Telling>,
    /// Whether `wm-ready.target` was started.
    pub(super) ready: bool,
    /// Whether a server of this session has ended: programs that were on it may notice that late.
    pub(super) lost_server: bool,
    /// The units that were started again because their display was gone, since the last server ended.
    pub(super) revived: Vec<String>,
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
    ManagerEnded,
    Control(Control),
    LaunchDue,
    Sight(Option<Sight>),
}

impl Life {
    /// Lives a session from its first job to its last, and returns why it ended, and what is left to put back: the
    /// manager is `None` if it is gone.
    pub(super) async fn begin(parts: Parts) -> (Why, Prepared, Option<Manager>) {
        let Parts { manager, manager_process, events, control, choice, config, plan, prepared, listener, signals } =
            parts;
        let peers = Peers::serve(listener, config.deadlines.launch);
        let units = choice.units();
        let mut life = Self {
            manager: Some(manager),
            lost: None,
            choice,
            config,
            prepared,
            plan,
            peers,
            interrupts: signals,
            events,
            manager_process,
            control,
            server: None,
            supervisor: None,
            last_words: None,
            served: false,
            crashes: Vec::new(),
            supervisor_failed: false,
            not_before: None,
            control_is_lost: false,
            needs_new_server: false,
            held: None,
            sights: None,
            units,
            wm_unit: None,
            jobs: Vec::new(),
            queued: false,
            rescued: None,
            rescue_service: None,
            telling: None,
            ready: false,
            lost_server: false,
            revived: Vec::new(),
            restarting: Vec::new(),
            ending: false,
            asked: None,
            waiting: Vec::new(),
        };
        let why = match life.queue_display().await {
            Ok(()) => life.live().await,
            Err(why) => why,
        };
        let taken_back = life.take_back_from_multiplexers();
        let why = end::end(&mut life, why).await;
        if let Some(taken_back) = taken_back {
            // As a rule long since done.
            let _ = taken_back.await;
        }
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
                        Some((_, unit)) if result != "done" => self.job_failed(unit, &result).await,
                        _ => None,
                    }
                }
                Event::Manager(manager::Signal::UnitChanged(unit)) => self.review(&unit).await,
                Event::Manager(manager::Signal::Lost) => self.reconnect().await.err(),
                Event::ManagerEnded => Some(self.manager_is_lost(ENDED)),
                Event::Control(control) => self.control_changed(control).await,
                Event::LaunchDue => self.launch_held().await,
                Event::Sight(sight) => self.see(sight).await,
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
        let launch_due = self.launch_due();
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
        let launch_due = async {
            match launch_due {
                Some(due) => sleep_until(due).await,
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
            // Before what its bus says, which ends with it.
            () = self.manager_process.ended(), if self.manager.is_some() => Event::ManagerEnded,
            // A connection that is gone says so for ever.
            signal = self.events.next(), if self.manager.is_some() => Event::Manager(signal),
            Some(control) = self.control.recv() => Event::Control(control),
            () = launch_due => Event::LaunchDue,
        };
        if matches!(event, Event::Sight(None)) {
            // A queue that has ended is ready for ever.
            self.sights = None;
        }
        event
    }

    /// The manager's connection broke: the bus was restarted, or the manager re-executed, or it is gone.
    async fn reconnect(&mut self) -> Result<(), Why> {
        self.connect_again().await?;
        match self.review_all().await {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }

    /// Connects to the manager again, or finds that it is lost.
    ///
    /// # Errors
    /// Why it is: it has ended, or does not answer within its deadline.
    pub(super) async fn connect_again(&mut self) -> Result<(), Why> {
        let deadline = self.config.deadlines.user_manager;
        let connected = tokio::select! {
            biased;
            // The bus may come back with another manager, started by the next login, which knows nothing of us.
            () = self.manager_process.ended() => Err(ENDED.to_owned()),
            connected = end::reconnect(self.prepared.runtime(), deadline) => connected,
        };
        match connected {
            Ok((manager, events)) => {
                (self.manager, self.events) = (Some(manager), events);
                Ok(())
            }
            Err(why) => Err(self.manager_is_lost(&why)),
        }
    }

    /// There is no manager any more, and this is why the session ends.
    pub(super) fn manager_is_lost(&mut self, why: &str) -> Why {
        self.manager = None;
        let why = Why::ManagerLost(why.to_owned());
        self.lost = Some(why.clone());
        why
    }

    async fn launch_held(&mut self) -> Option<Why> {
        let held = self.held.take()?;
        self.answer_launch(held).await
    }
}

/// What is said of a manager whose process is no more.
pub(super) const ENDED: &str = "its process has ended";
