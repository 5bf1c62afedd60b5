//! The session while it lives: one loop over everything that can happen.

use std::io;

use nix::sys::signal::Signal as Signo;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep_until;

use super::devices::Devices;
use super::ground::{Control, Ground};
use super::link::{Link, News};
use super::multiplexers::Telling;
use super::peers::{Peer, PeerEvent, Peers};
use super::prepare::Prepared;
use super::server::Plan;
use super::serving::Serving;
use super::targets::Targets;
use super::units::Units;
use super::watch::Sight;
use super::why::Why;
use super::{end, serving};
use crate::config::Config;
use crate::launch::{Ending, Listener};
use crate::manager::{self, Manager};
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

/// A session that is up, coming up, or going down.
pub(super) struct Life {
    pub(super) link: Link,
    /// What to run.
    pub(super) choice: Choice,
    pub(super) config: Config,
    /// The session's place.
    pub(super) prepared: Prepared,
    /// How to start a server.
    pub(super) plan: Plan,
    pub(super) peers: Peers,
    interrupts: Interrupts,
    /// What happens to the server's control of the login session.
    pub(super) ground: Ground,
    pub(super) serving: Serving,
    pub(super) devices: Devices,
    pub(super) units: Units,
    pub(super) targets: Targets,
    /// The multiplexers that were told of the display.
    pub(super) telling: Option<Telling>,
    /// Set once the session goes down; no server is launched any more.
    pub(super) ending: bool,
    /// An end that was asked for while the loop waited for something else.
    pub(super) asked: Option<Why>,
    /// Clients that wait for the end; they are told by end-of-file.
    pub(super) waiting: Vec<Peer>,
}

/// What a life begins with.
pub(super) struct Parts {
    pub link: Link,
    pub ground: Ground,
    pub choice: Choice,
    pub config: Config,
    pub plan: Plan,
    pub prepared: Prepared,
    /// The launch socket.
    pub listener: Listener,
    pub signals: Interrupts,
}

/// Something happened.
pub(super) enum Event {
    Peer(PeerEvent),
    ServerEnded(Ending),
    Interrupt(Signo),
    Manager(News),
    Control(Control),
    LaunchDue,
    Sight(Option<Sight>),
}

impl Life {
    /// Lives a session from its first job to its last, and returns why it ended, and what is left to put back: the
    /// manager is `None` if it is gone.
    pub(super) async fn begin(parts: Parts) -> (Why, Prepared, Option<Manager>) {
        let Parts { link, ground, choice, config, plan, prepared, listener, signals } = parts;
        let peers = Peers::serve(listener, config.deadlines.launch);
        let units = Units::new(choice.units());
        let mut life = Self {
            link,
            choice,
            config,
            prepared,
            plan,
            peers,
            interrupts: signals,
            ground,
            serving: Serving::default(),
            devices: Devices::default(),
            units,
            targets: Targets::default(),
            telling: None,
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
        (why, life.prepared, life.link.into_manager())
    }

    /// The loop, until something ends the session.
    async fn live(&mut self) -> Why {
        loop {
            let event = self.next().await;
            let end = match event {
                Event::Manager(News::Told(manager::Signal::JobDone { job, result })) => {
                    self.job_done(&job, &result).await
                }
                Event::Manager(News::Told(manager::Signal::UnitChanged(unit))) => self.review(&unit).await,
                Event::Manager(News::Told(manager::Signal::Restarts { unit, end })) => self.restarts(&unit, end).await,
                Event::Manager(News::Told(manager::Signal::Lost)) => self.reconnect().await.err(),
                Event::Manager(News::Ended) => Some(self.link.has_ended()),
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

    /// The next thing that happens. Every branch may be dropped while it waits, so nothing is lost.
    pub(super) async fn next(&mut self) -> Event {
        let launch_due = self.launch_due();
        let launch_due = async {
            match launch_due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let Serving { server, sights, .. } = &mut self.serving;
        tokio::select! {
            // The server's end first: what follows from it (a window manager that exits) must find it known.
            biased;
            ending = serving::ended(server.as_ref()) => Event::ServerEnded(ending),
            signo = self.interrupts.next() => Event::Interrupt(signo),
            event = self.peers.next() => Event::Peer(event),
            sight = serving::seen(sights) => Event::Sight(sight),
            news = self.link.next() => Event::Manager(news),
            control = self.ground.next() => Event::Control(control),
            () = launch_due => Event::LaunchDue,
        }
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
    /// Why it is.
    pub(super) async fn connect_again(&mut self) -> Result<(), Why> {
        self.link.connect_again(self.prepared.runtime(), self.config.deadlines.user_manager).await
    }
}
