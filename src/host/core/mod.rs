//! The core of a session: everything that is decided in its life, and nothing else.
//!
//! A [`Session`] hears of an [`Event`] and answers with [`Action`]s. It knows no connection, file, process or clock: what a
//! decision needs is in the event, the time included, and what is to be done is an action, which the driver
//! ([`super::driver`]) carries out. So every rule here is tested in microseconds, and nothing here waits.
//!
//! | file | what it decides |
//! |---|---|
//! | `mod.rs` | the course of a session: what follows from what |
//! | `display.rs` | the server: when it may come, what its end means, who was lost with it |
//! | `units.rs` | the window manager and the targets: logout, crash, restart, rescue |
//! | `survivor.rs` | a window manager that outlives its server |
//! | `dotfiles.rs` | when `~/.Xresources` and the like are read |
//! | `standing.rs` | how far a session came: what its end by itself means |
//! | `locking.rs` | who locks the screen when that is asked for, and when it is seen to be locked |
//! | `idle.rs` | what follows when nobody is at the screen |
//! | `sleep.rs` | what is done before the machine sleeps |
//! | `screen_lock.rs` | whether the screen is locked: then no other server comes, and the end closes the login |
//! | `end.rs`, `phases.rs` | the end: its phases, each with the event that leaves it, and their deadlines |
//! | `jobs.rs` | jobs and looks that are on their way |
//!
//! # The course
//!
//! 1. *Preparing*: the session's place is taken. A signal ends it here, and nothing is left.
//! 2. *Up*: `xorg@N.service` is queued and the environment exported; then `xorg.target`. When the supervisor has asked for
//!    the server and it is forked, the window manager and `wm.target` are queued. When a window manager manages the display,
//!    `wm-ready.target` is.
//! 3. *Ending*: see the table in `end.rs`.
//! 4. *Over*.

mod display;
mod dotfiles;
mod end;
mod event;
mod idle;
mod jobs;
mod locking;
mod phases;
mod screen_lock;
mod sleep;
mod standing;
mod survivor;
#[cfg(test)]
mod tests;
mod units;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub use event::{
    Action, CallFailure, ClientId, Control, Event, FailureKind, IdleLimit, Inhibitors, JobId, LastEnd, LockerUnit,
    ManagerState, Observed, Order, Seen, ServerSeen,
};
pub use standing::Standing;
pub use units::UnitPolicy;

use super::why::Why;
use crate::deadline::{Deadlines, OUTLIVES_SERVER};
use crate::launch::{Ending, Reply};
use crate::manager::{Mode, names};
use crate::session::dotfiles::DotfilesTime;
use crate::x11::display::Display;
use display::{Fate, Gate, Server};
use idle::Idle;
use jobs::{Done, Jobs, Looks};
use locking::Locking;
use phases::End;
use screen_lock::ScreenLock;
use sleep::Sleep;
use standing::Course;
use survivor::Step;
use units::{Consequence, Units};

/// What a session begins with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What its units are judged by.
    pub policy: UnitPolicy,
    /// The unit that is started for it beside `wm.target`; `None` if the target brings its units itself.
    pub own: Option<String>,
    /// How long each thing is waited for.
    pub deadlines: Deadlines,
    /// What it runs, for people.
    pub description: String,
    /// Whether it is a command that was given for this once: its end with 0 was asked for.
    pub asked_for: bool,
    /// Whether the login session is for this session alone and ends with it (`startxd start --login`).
    pub is_login: bool,
    /// When `~/.Xresources` and the like are read.
    pub dotfiles: DotfilesTime,
    /// Whether a screen locker's command is configured (`lock.command`).
    pub has_lock_command: bool,
    /// Whether the screen is locked before the machine sleeps (`lock.sleep`).
    pub locks_for_sleep: bool,
    /// Whether it is locked when another terminal comes to the front (`lock.vt_switch`).
    pub locks_in_background: bool,
    /// After how long without input the session is idle (`idle.after`),
    pub idle_after: Option<Duration>,
    /// and the screen is locked (`idle.lock`).
    pub idle_lock: Option<Duration>,
}

/// What a job is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Purpose {
    /// The server's unit.
    Server,
    /// `xorg.target`.
    Display,
    /// The session's own unit.
    Own(String),
    /// `wm.target`.
    WindowManager,
    /// `wm-ready.target`.
    Ready,
    /// The end of `wm-ready.target`, with its server.
    ReadyDown,
    /// `wm-autostart.target`.
    Autostart,
    /// The rescue command.
    Rescue,
    /// What reads `~/.Xresources` and the like.
    Dotfiles,
    /// The stop of a window manager that never came up.
    GivenUp,
    /// `startxd-lock.target` and its opposite.
    Lock,
    /// `startxd-sleep.target`.
    Sleep,
    /// Its end.
    Awake,
    /// `startxd-idle.target`, and its end.
    Idle,
    /// A step of the end.
    End,
}

/// How far a session is.
#[derive(Debug)]
enum Stage {
    Preparing,
    Up,
    Ending(End),
    /// Why it ended; `None` if it could not be prepared.
    Over(Option<Why>),
}

/// How far the start is.
#[derive(Debug, Default)]
struct Starting {
    /// Whether the environment was exported.
    exported: bool,
    /// Whether the manager has taken the order for the server's unit.
    server: bool,
    /// Whether it has taken the one for `xorg.target`.
    display: bool,
    /// Whether the first server was forked.
    forked: bool,
    /// Whether the window manager was asked for.
    asked: bool,
    /// How many of the orders for it have not been answered.
    unanswered: u8,
}

/// A session, from its preparation until all is undone.
#[derive(Debug)]
pub struct Session {
    setup: Setup,
    stage: Stage,
    display: Option<Display>,
    starting: Starting,
    server: Server,
    units: Units,
    jobs: Jobs<Purpose>,
    looks: Looks,
    screen_lock: ScreenLock,
    locking: Locking,
    sleep: Sleep,
    idle: Idle,
    course: Course,
    /// How far it came; told at its end.
    standing: Standing,
    /// Whether it was written down that the login session ends with this one.
    noted_closing: bool,
    /// Whether multiplexers were told of the display.
    told: bool,
    /// Whether that is being taken back.
    taking_back: bool,
    /// The number of the server for which `~/.Xresources` and the like were read last.
    dotfiles_of: u32,
    /// Whether `wm-ready.target` is started as soon as its stop was answered.
    ready_waits: bool,
    /// Why the manager is gone, if it is.
    manager_gone: Option<String>,
    /// What happened while a server's fate was open.
    deferred: VecDeque<Event>,
    actions: Vec<Action>,
}

impl Session {
    /// A session, and what to do first.
    #[must_use]
    pub fn begin(setup: Setup) -> (Self, Vec<Action>) {
        let session = Self {
            units: Units::new(setup.policy.clone()),
            setup,
            stage: Stage::Preparing,
            display: None,
            starting: Starting::default(),
            server: Server::default(),
            jobs: Jobs::default(),
            looks: Looks::default(),
            screen_lock: ScreenLock::default(),
            locking: Locking::default(),
            sleep: Sleep::default(),
            idle: Idle::default(),
            course: Course::default(),
            standing: Standing::NeverUp,
            noted_closing: false,
            told: false,
            taking_back: false,
            dotfiles_of: 0,
            ready_waits: false,
            manager_gone: None,
            deferred: VecDeque::new(),
            actions: Vec::new(),
        };
        (session, vec![Action::Prepare])
    }

    /// Takes what has happened at `now`, and returns what to do, in this order.
    pub fn step(&mut self, now: Instant, event: Event) -> Vec<Action> {
        if self.waits_for_fate(&event) {
            self.deferred.push_back(event);
        } else {
            self.handle(now, event);
            while !self.server.is_undecided()
                && let Some(event) = self.deferred.pop_front()
            {
                self.handle(now, event);
            }
        }
        std::mem::take(&mut self.actions)
    }

    /// When [`Event::Due`] is to be told, unless something else happens before.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<Instant> {
        match &self.stage {
            Stage::Up => self
                .server
                .due(now)
                .into_iter()
                .chain(self.units.due())
                .chain(self.locking.due())
                .chain(self.sleep.due())
                .chain(self.idle.due())
                .min(),
            Stage::Ending(end) => end.due(),
            Stage::Preparing | Stage::Over(_) => None,
        }
    }

    /// Whether it is over. Then [`Session::why`] says why.
    #[must_use]
    pub const fn over(&self) -> bool {
        matches!(self.stage, Stage::Over(_))
    }

    /// Whether its end has not begun.
    #[must_use]
    pub const fn is_going_on(&self) -> bool {
        matches!(self.stage, Stage::Preparing | Stage::Up)
    }

    /// Why it ended; `None` before that, and if it could not be prepared.
    #[must_use]
    pub fn why(&self) -> Option<&Why> {
        match &self.stage {
            Stage::Over(why) => why.as_ref(),
            Stage::Preparing | Stage::Up | Stage::Ending(_) => None,
        }
    }

    /// How far it came before it ended.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        self.standing
    }

    /// Whether this has to wait until it is known what a server's end means.
    ///
    /// A race: what follows from a server's end, a window manager that fails, say, is told by the manager while the
    /// supervisor's last words are still on their way. Judged before them, it would be taken for the window manager's own.
    fn waits_for_fate(&self, event: &Event) -> bool {
        let heard_at_once = matches!(
            event,
            Event::LastWords(..)
                | Event::ServerLeft(..)
                | Event::ClientGone(_)
                | Event::StopAsked(_)
                | Event::Interrupt(_)
                | Event::LockedHint(_)
                | Event::Covered(_)
                | Event::LockAsked(_)
                | Event::UnlockAsked(_)
                | Event::LockerStarted(_)
                | Event::LockerLocks
                | Event::LockerEnded(_)
                | Event::ServerLooked(..)
                | Event::Sleeps(_)
                | Event::Woke
                | Event::Idle(..)
                | Event::IdleInhibited(..)
                | Event::LeftForeground
                | Event::ManagerGone(_)
                | Event::ServerEnded(_)
                | Event::Due
        );
        self.server.is_undecided() && !heard_at_once
    }

    fn handle(&mut self, now: Instant, event: Event) {
        let event = match self.about_sleep(now, event).or_else(|event| self.about_idle(now, event)) {
            Ok(()) => return,
            Err(event) => event,
        };
        match &self.stage {
            Stage::Preparing => self.while_preparing(now, event),
            Stage::Up => self.while_up(now, event),
            Stage::Ending(end) => self.while_ending(now, end.phase, event),
            Stage::Over(_) => {}
        }
    }

    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    fn start(&mut self, purpose: Purpose, unit: &str, mode: Mode) {
        let order = self.jobs.ask(purpose);
        self.act(Action::Start { order, unit: unit.to_owned(), mode });
    }

    /// Looks at what counts, now or as soon as the look that is under way is over.
    fn look(&mut self) {
        if let Some(number) = self.looks.want() {
            let units = self.units.of_interest();
            self.act(Action::Look { number, units });
        }
    }

    fn while_preparing(&mut self, now: Instant, event: Event) {
        match event {
            Event::Prepared(display) => {
                self.course.begins(now);
                self.display = Some(display);
                self.stage = Stage::Up;
                // The server's unit before xorg.target: its Requires= brings the socket, and xorg.target is ordered after
                // the socket, which holds only among jobs that are queued. The environment is for clients, so the server's
                // unit need not wait for it.
                self.start(Purpose::Server, &names::xorg_service(display), Mode::Replace);
                self.act(Action::Export);
                self.act(Action::WatchUnits(self.units.names().to_vec()));
            }
            Event::NotPrepared => self.stage = Stage::Over(None),
            Event::Interrupt(signal) => {
                tracing::warn!("ended by {signal} before the session began");
                self.act(Action::AbandonPreparation);
                self.stage = Stage::Over(Some(Why::Signal(signal)));
            }
            _ => {}
        }
    }

    fn while_up(&mut self, now: Instant, event: Event) {
        let event = match self.about_lock(now, event) {
            Ok(()) => return,
            Err(event) => event,
        };
        match event {
            Event::Exported(Ok(())) => {
                self.starting.exported = true;
                self.go_on_starting();
            }
            Event::Exported(Err(failure)) => self.end(now, Why::NotExported(failure.text)),
            Event::Queued(order, Ok(job)) => {
                if let Some((purpose, done)) = self.jobs.answered(order, job) {
                    self.queued(&purpose);
                    if let Some(done) = done {
                        self.job_done(now, purpose, done);
                    }
                }
            }
            Event::Queued(order, Err(failure)) => self.not_queued(now, order, failure),
            Event::JobDone { job, result, end } => {
                if let Some((purpose, done)) = self.jobs.done(job, Done { result, end }) {
                    self.job_done(now, purpose, done);
                }
            }
            Event::Changed(unit) => {
                if self.units.is_of_interest(&unit) {
                    self.look();
                }
                self.locker_changed(&unit);
            }
            Event::Looked(number, found) => self.looked(now, number, found),
            Event::Restarts { unit, end, server } => {
                let consequence = self.units.restarts(now, &unit, &end, server, &self.server);
                self.follow(now, consequence);
            }
            Event::UnitJob { unit, is_stop } => {
                if self.units.job(unit, is_stop) {
                    self.look();
                }
            }
            Event::StartedAgain(unit, outcome) => self.started_again(unit, outcome),
            Event::ServerReplaced(Err(failure)) => {
                let unit = self.display.map(names::xorg_service).unwrap_or_default();
                self.end(now, Why::NotStarted { unit, why: failure.text });
            }
            Event::Reconnected => {
                self.units.forget_jobs();
                self.look();
            }
            Event::ManagerGone(why) => {
                self.manager_gone = Some(why.clone());
                self.end(now, Why::ManagerLost(why));
            }
            Event::Control(Control::Gone(why)) => self.end(now, Why::LogindLost(why)),
            // The server has lost its devices, and the next one would come up unlocked.
            Event::Control(Control::Lost(_)) if self.screen_lock.is_locked() => self.end(now, Why::Closed(None)),
            Event::Control(control) => {
                if control == Control::Possible {
                    self.tell_logind_of_lock();
                    self.tell_logind_of_idleness();
                }
                if self.server.control(&control) {
                    self.replace_server(now);
                }
                self.fork_if_due(now);
            }
            Event::Served => {
                self.server.served();
                self.units.served(now);
                if !self.told {
                    // By now nothing of a start waits for a processor any more. Multiplexers that start later have the
                    // display from the user manager, or from whoever starts them.
                    self.told = true;
                    self.act(Action::TellMultiplexers);
                }
                if self.server.take_replacement() {
                    self.replace_server(now);
                }
            }
            Event::Managed => {
                self.units.managed();
                self.ready(now);
                self.read_dotfiles(DotfilesTime::Later, self.server.last());
            }
            Event::Unmanaged => {
                self.say_unmanaged();
                self.is_up(now);
            }
            Event::Autostart(Ok(())) => self.start(Purpose::Autostart, names::WM_AUTOSTART_TARGET, Mode::Replace),
            Event::Autostart(Err(why)) => tracing::info!("the autostart programs are left to the session: {why}"),
            Event::LockedHint(locked) => self.locked_hint(now, locked),
            Event::LeftForeground if self.setup.locks_in_background => self.lock_asked(now, None),
            Event::LeftForeground => {}
            Event::ServerLooked(question, server) => self.server_looked(question, server),
            Event::WindowManagerUnit(unit) => self.units.found_window_manager(unit),
            Event::LaunchAsked { client, display, problem } => self.launch_asked(now, client, display, problem),
            Event::Forked(client, outcome) => self.forked(client, outcome),
            Event::ServerEnded(ending) => {
                self.server_ended(ending);
                self.locking.server_ended();
                self.idle_server_ended();
                self.server.ended(now, ending, self.setup.deadlines.launch);
                self.decide_fate(now);
            }
            Event::LastWords(client, text) => {
                self.last_words(client, text);
                self.decide_fate(now);
            }
            Event::ServerLeft(client, text) => {
                self.last_words(client, text);
                self.server.left(client);
                self.decide_fate(now);
            }
            Event::ClientGone(client) => {
                self.client_gone(client);
                self.decide_fate(now);
            }
            Event::StopAsked(client) => {
                self.act(Action::Reply(client, Reply::Stopping));
                self.end(now, Why::Asked);
            }
            Event::Interrupt(signal) => self.end(now, Why::Signal(signal)),
            Event::Due => {
                self.decide_fate(now);
                self.fork_if_due(now);
                self.end_survivor(now);
                self.lock_overdue(now);
                self.sleep_overdue(now);
                self.idle_overdue(now);
            }
            Event::ServerReplaced(Ok(()))
            | Event::Prepared(_)
            | Event::NotPrepared
            | Event::ApplicationsEnded
            | Event::Dependents(_)
            | Event::ManagerStops(_)
            | Event::ServerGivenUp { .. }
            | Event::TakenBack
            | Event::TerminalRestored
            | Event::PutBack(_)
            | Event::LoginClosed
            | Event::LockAsked(_)
            | Event::UnlockAsked(_)
            | Event::Covered(_)
            | Event::LockerStarted(_)
            | Event::LockerLocks
            | Event::LockerEnded(_)
            | Event::Lockers(_)
            | Event::Sleeps(_)
            | Event::Woke
            | Event::Idle(..)
            | Event::IdleInhibited(..) => {}
        }
    }

    /// The manager has taken an order.
    fn queued(&mut self, purpose: &Purpose) {
        match purpose {
            Purpose::Server => {
                self.starting.server = true;
                self.go_on_starting();
            }
            Purpose::Display => {
                self.starting.display = true;
                self.units.count(names::XORG_TARGET);
                self.look();
                self.go_on_starting();
            }
            Purpose::Own(_) | Purpose::WindowManager => {
                self.starting.unanswered -= 1;
                if self.starting.unanswered == 0 {
                    for unit in self.units.names().to_vec() {
                        self.units.count(&unit);
                    }
                    self.units.count(names::WM_TARGET);
                    self.look();
                }
            }
            Purpose::Ready => {
                self.units.count(names::WM_READY_TARGET);
                self.look();
            }
            Purpose::Rescue => {
                if let Some(unit) = self.units.rescue_unit().map(str::to_owned) {
                    self.units.count(&unit);
                }
                if let Some(why) = self.units.rescued() {
                    tracing::error!("{why}; {} runs in its place", self.setup.policy.crash.rescue.join(" "));
                }
                self.look();
            }
            Purpose::ReadyDown => self.is_ready_down(),
            Purpose::Dotfiles
            | Purpose::Autostart
            | Purpose::GivenUp
            | Purpose::Lock
            | Purpose::Sleep
            | Purpose::Awake
            | Purpose::Idle
            | Purpose::End => {}
        }
    }

    /// The manager has not taken an order.
    fn not_queued(&mut self, now: Instant, order: Order, failure: CallFailure) {
        let unit = match self.jobs.refused(order) {
            Some(Purpose::Server) => self.display.map(names::xorg_service).unwrap_or_default(),
            Some(Purpose::Display) => names::XORG_TARGET.to_owned(),
            Some(Purpose::Own(unit)) => unit,
            Some(Purpose::WindowManager) => names::WM_TARGET.to_owned(),
            Some(Purpose::Ready) => {
                return tracing::error!("{} cannot be started: {}", names::WM_READY_TARGET, failure.text);
            }
            Some(Purpose::Rescue) => {
                tracing::error!("the rescue command cannot be started: {}", failure.text);
                if let Some(why) = self.units.rescued().cloned() {
                    self.end(now, why);
                }
                return;
            }
            Some(Purpose::Autostart) => {
                return tracing::error!("{} cannot be started: {}", names::WM_AUTOSTART_TARGET, failure.text);
            }
            Some(Purpose::Dotfiles) => return dotfiles::are_not_read(&failure.text),
            Some(Purpose::ReadyDown) => return self.is_ready_down(),
            Some(Purpose::Lock) => {
                return tracing::error!("the targets of the lock cannot be started: {}", failure.text);
            }
            Some(Purpose::Sleep) => {
                tracing::error!("{} cannot be started: {}", names::SLEEP_TARGET, failure.text);
                return self.sleep_target_reached();
            }
            Some(Purpose::Idle) => return tracing::error!("{}: {}", names::IDLE_TARGET, failure.text),
            Some(Purpose::Awake | Purpose::GivenUp | Purpose::End) | None => return,
        };
        self.end(now, Why::NotStarted { unit, why: failure.text });
    }

    /// The next step of the start, if what it waits for is there.
    ///
    /// The window manager is queued when the first server has been forked, and not before: it has the server's whole start
    /// to come up in, and until the server is forked the two processors of a small machine, and the kernel's lock on moving
    /// processes between cgroups, are better left to what the server waits for, the supervisor. Not later either: its own
    /// start overlaps with the server's.
    fn go_on_starting(&mut self) {
        let starting = &mut self.starting;
        if starting.server && starting.exported && !starting.display {
            if self.jobs.is_asked(|purpose| *purpose == Purpose::Display) {
                return;
            }
            return self.start(Purpose::Display, names::XORG_TARGET, Mode::Replace);
        }
        if !starting.display || !starting.forked || std::mem::replace(&mut starting.asked, true) {
            return;
        }
        // The start of the window manager is ordered after this one.
        self.read_dotfiles(DotfilesTime::First, self.server.last());
        // A SESSION that was asked for takes the place of the units enabled for wm.target: the target is reached without
        // them.
        let mode = if self.setup.own.is_some() { Mode::IgnoreDependencies } else { Mode::Replace };
        self.starting.unanswered = 1 + u8::from(self.setup.own.is_some());
        match self.setup.own.clone() {
            Some(unit) if self.setup.policy.transient.is_some() => {
                let order = self.jobs.ask(Purpose::Own(unit));
                self.act(Action::StartTransient(order));
            }
            Some(unit) => self.start(Purpose::Own(unit.clone()), &unit, Mode::Replace),
            None => {}
        }
        self.start(Purpose::WindowManager, names::WM_TARGET, mode);
    }

    /// A job has ended; the session ends with the failure of one of these, unless the rescue command takes over.
    fn job_done(&mut self, now: Instant, purpose: Purpose, done: Done) {
        if purpose == Purpose::Lock {
            return self.lock_target_reached();
        }
        if purpose == Purpose::Sleep {
            return self.sleep_target_reached();
        }
        if done.result == "done" {
            return;
        }
        let unit = match purpose {
            Purpose::Server => {
                // The supervisor tells more than the job does; but without the socket there is none.
                let reason = done.result.strip_prefix("dependency: ").map(str::to_owned);
                self.server.job_failed(now, self.setup.deadlines.launch, reason);
                return self.decide_fate(now);
            }
            Purpose::Display => names::XORG_TARGET.to_owned(),
            Purpose::Own(unit) => unit,
            Purpose::WindowManager => names::WM_TARGET.to_owned(),
            Purpose::Rescue => self.units.rescue_unit().unwrap_or_default().to_owned(),
            Purpose::Dotfiles => return dotfiles::are_not_read(&done.result),
            // If it cannot be started the session goes on without it.
            Purpose::Ready
            | Purpose::ReadyDown
            | Purpose::Autostart
            | Purpose::GivenUp
            | Purpose::Lock
            | Purpose::Sleep
            | Purpose::Awake
            | Purpose::Idle
            | Purpose::End => return,
        };
        let why = match done.end.filter(|end| end.code != 0) {
            Some(end) => Why::failed(&unit, end),
            None => Why::NotStarted { unit, why: format!("its start job ended with \"{}\"", done.result) },
        };
        let consequence = self.units.rescue(why);
        self.follow(now, Some(consequence));
    }

    /// A look is over.
    fn looked(&mut self, now: Instant, number: u32, found: Result<Seen, CallFailure>) {
        if !self.looks.over(number) {
            return;
        }
        match found {
            Ok(seen) => {
                let consequences = self.units.review(now, &seen, &self.server);
                self.follow(now, consequences);
            }
            // What has changed is not lost with it. Without a connection the next one brings a look.
            Err(failure) if failure.kind == FailureKind::Silent => self.look(),
            Err(failure) => tracing::debug!("the session's units cannot be looked at: {}", failure.text),
        }
        if matches!(self.stage, Stage::Up) && self.looks.take_again() {
            self.look();
        }
    }

    fn follow(&mut self, now: Instant, consequences: impl IntoIterator<Item = Consequence>) {
        if let Some(unit) = self.units.take_given_up() {
            let order = self.jobs.ask(Purpose::GivenUp);
            self.act(Action::Stop { order, unit });
        }
        for consequence in consequences {
            match consequence {
                Consequence::Ready => {
                    self.start_ready();
                    self.is_up(now);
                }
                Consequence::StartAgain(unit) => {
                    // A server that is told to end drops its clients first, so its end may be heard of after theirs.
                    if let Some(server) = self.units.was_lost_with(&unit) {
                        self.read_dotfiles(DotfilesTime::First, server + 1);
                    }
                    self.act(Action::StartAgain(unit));
                }
                Consequence::Rescue => {
                    let order = self.jobs.ask(Purpose::Rescue);
                    self.act(Action::StartRescue(order));
                }
                Consequence::End(Why::LoggedOut) if !self.setup.asked_for && !self.units.was_stopped() => {
                    let why = self.course.left(now, &self.setup.description);
                    return self.end(now, why);
                }
                Consequence::End(why) => return self.end(now, why),
            }
        }
    }

    /// A unit that was to be started again was asked for, or cannot be.
    fn started_again(&mut self, unit: String, outcome: Result<(), CallFailure>) {
        match outcome {
            // A transient unit that is not failed any more may be forgotten, or cannot be read.
            Err(failure) if failure.kind == FailureKind::Refused && self.units.may_make_anew(&unit) => {
                return self.act(Action::StartAnew(unit));
            }
            Err(failure) => tracing::warn!("{unit} cannot be started again: {}", failure.text),
            Ok(()) => {}
        }
        self.units.started_again(&unit);
        self.look();
    }

    /// A window manager is there: what waits for one is started, once.
    fn ready(&mut self, now: Instant) {
        if self.units.ask_ready() {
            self.start_ready();
        }
        self.is_up(now);
    }

    /// The stop of `wm-ready.target` was answered.
    fn is_ready_down(&mut self) {
        if std::mem::take(&mut self.ready_waits) {
            self.start_ready();
        }
    }

    fn start_ready(&mut self) {
        // A race: while the manager executes itself anew, the target's stop may still be on its way to it, and would come
        // after this.
        if self.jobs.is_asked(|purpose| *purpose == Purpose::ReadyDown) {
            self.ready_waits = true;
            return;
        }
        self.start(Purpose::Ready, names::WM_READY_TARGET, Mode::Replace);
        // Not before: who starts autostart programs is seen by what runs by now.
        self.act(Action::AskForAutostart);
    }

    /// The session is up.
    fn is_up(&mut self, now: Instant) {
        self.course.is_up(now);
        self.watch_screen();
        self.note_closing();
    }

    /// Whether the login session ends with this one: a shell below a locked screen would be open to whoever sits there,
    /// and a login that is for this session alone has nothing else to do.
    fn closes_login(&self) -> bool {
        self.screen_lock.is_locked() || (self.setup.is_login && self.course.was_up())
    }

    /// Has that written down, if it has changed.
    fn note_closing(&mut self) {
        let closes = self.closes_login();
        if std::mem::replace(&mut self.noted_closing, closes) != closes {
            self.act(Action::NoteClosing(closes));
        }
    }

    /// The locker tells logind whether the screen is locked.
    fn locked_hint(&mut self, now: Instant, locked: bool) {
        if !locked && self.locking.is_locked() {
            // Another program says so, of a screen that we see locked.
            return self.tell_logind_of_lock();
        }
        if let Some(question) = self.screen_lock.told(locked) {
            self.act(Action::LookAtServer(question));
        }
        self.note_closing();
        // A race: the server ends in the moment in which the screen is locked, and is heard of first.
        if locked && self.server.is_awaited() {
            self.end(now, Why::Closed(None));
        }
    }

    fn server_looked(&mut self, question: u32, server: Option<ServerSeen>) {
        self.screen_lock.answered(question, server, self.server.running());
        self.note_closing();
    }

    fn say_unmanaged(&self) {
        // The macro has a `display` of its own.
        let Some(which) = self.display else { return };
        tracing::warn!(
            "no window manager manages display {which} after {} s (the session is {}); graphical-session.target waits for \
             one, or set session.ready = \"started\" in startxd.toml",
            self.setup.deadlines.window_manager.as_secs_f32(),
            self.setup.description
        );
    }

    fn launch_asked(&mut self, now: Instant, client: ClientId, asked: Display, problem: Option<String>) {
        let other = self.display.and_then(|ours| display::other_display(ours, asked));
        match self.server.ask(now, client, other, problem) {
            Gate::Fork => self.act(Action::Fork(client)),
            Gate::Hold => self.act(Action::Reply(client, Reply::Later)),
            Gate::Refuse(reason) => {
                tracing::warn!("refused to launch a server: {reason}");
                self.act(Action::Refuse(client, reason));
            }
        }
    }

    /// Forks the server that was held back, if its time has come.
    fn fork_if_due(&mut self, now: Instant) {
        if matches!(self.stage, Stage::Up)
            && let Some(client) = self.server.take_due(now)
        {
            self.act(Action::Fork(client));
        }
    }

    fn forked(&mut self, client: ClientId, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => {
                self.server.forked(client);
                // Not before: until the supervisor came with the socket nobody knew that it was bound, and a connect would
                // have failed. From here on it waits in the backlog, as every other client's does.
                self.act(Action::Watch);
                self.starting.forked = true;
                self.go_on_starting();
            }
            Err(reason) => {
                tracing::warn!("refused to launch a server: {reason}");
                self.server.not_forked(reason.clone());
                self.act(Action::Refuse(client, reason));
            }
        }
    }

    /// The server's supervisor learns of its end, in every stage.
    fn server_ended(&mut self, ending: Ending) {
        if let Some(supervisor) = self.server.supervisor() {
            self.act(Action::Reply(supervisor, Reply::Exited(ending)));
        }
    }

    fn last_words(&mut self, client: ClientId, text: String) {
        if !self.server.says(client, text) {
            let reason = "only the supervisor of the server can tell of its end".to_owned();
            self.act(Action::Refuse(client, reason));
        }
    }

    fn client_gone(&mut self, client: ClientId) {
        if self.server.client_gone(client) {
            self.act(Action::TerminateServer);
        }
    }

    /// What a server's end means, if it is open and can be said.
    fn decide_fate(&mut self, now: Instant) {
        match self.server.fate(now, &self.setup.policy.crash) {
            None | Some(Fate::Undecided) => {}
            // Whoever zaps the server of a locked screen does not get the shell below.
            Some(Fate::Over(Why::Zapped)) if self.screen_lock.is_locked() => {
                self.end(now, Why::Closed(Some(Ending::Code(0))));
            }
            Some(Fate::Over(why)) => self.end(now, why),
            Some(Fate::ComesBack(ending)) if self.screen_lock.is_locked() => self.end(now, Why::Closed(Some(ending))),
            Some(Fate::ComesBack(_)) => {
                self.act(Action::AskForDevices);
                // At once: a window manager that systemd starts again must find it queued.
                self.read_dotfiles(DotfilesTime::First, self.server.last() + 1);
                if self.units.server_lost(now, self.server.last()) {
                    let order = self.jobs.ask(Purpose::ReadyDown);
                    self.act(Action::Stop { order, unit: names::WM_READY_TARGET.to_owned() });
                }
                self.look();
            }
        }
    }

    /// Has the server replaced that has lost its devices.
    ///
    /// A race: the screen may have been locked between the loss and the moment in which another server gets the devices.
    fn replace_server(&mut self, now: Instant) {
        if self.screen_lock.is_locked() {
            return self.end(now, Why::Closed(None));
        }
        self.act(Action::ReplaceServer);
    }

    /// Ends a window manager that has not ended with its server, if its time has come.
    fn end_survivor(&mut self, now: Instant) {
        if !matches!(self.stage, Stage::Up) {
            return;
        }
        match self.units.take_due(now) {
            Some(Step::Tell) => {
                tracing::warn!(
                    "the window manager has not ended with its X server within {} s; it is told to",
                    OUTLIVES_SERVER.as_secs()
                );
                self.act(Action::EndWindowManager { kill: false });
            }
            Some(Step::Kill) => {
                tracing::warn!("the window manager does not end when it is told to; it is killed");
                self.act(Action::EndWindowManager { kill: true });
            }
            None => {}
        }
    }
}
