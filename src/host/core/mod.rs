//! The core of a session: it makes every decision in a session's life, and does nothing else.
//!
//! A [`Session`] takes an [`Event`] and answers with [`Action`]s. It knows no connection, file, process or clock: the
//! event carries what a decision needs, the time included, and the driver ([`super::driver`]) carries out the actions.
//! So every rule here is tested in microseconds, and nothing here waits.
//!
//! | file | what it decides |
//! |---|---|
//! | `mod.rs` | the course of a session: what follows from what |
//! | `display.rs` | the server: when it may start, what its end means, which clients ended with it |
//! | `units.rs` | the window manager and the targets: logout, crash, restart, rescue |
//! | `survivor.rs` | a window manager that outlives its server |
//! | `dotfiles.rs` | when `~/.Xresources` and the like are read |
//! | `standing.rs` | how far a session came, and what that makes of its end |
//! | `locking.rs` | who locks the screen on request, and when it counts as locked |
//! | `idle.rs` | what happens when nobody is at the screen |
//! | `sleep.rs` | what happens before the machine sleeps |
//! | `screen_lock.rs` | whether the screen is locked: then the end closes the login |
//! | `held.rs` | what waits for a server's end to be known, or for the screen to be locked again |
//! | `relock.rs` | a server that ends while the screen is locked: the next one comes up locked |
//! | `end.rs`, `phases.rs` | the end: its phases, the event that completes each, and their deadlines |
//! | `orders.rs` | the jobs that a start asks the manager for, and what follows from each answer |
//! | `jobs.rs` | outstanding jobs and looks |
//!
//! # The course
//!
//! 1. *Preparing*: the session takes its place. A signal ends it here, and nothing is left.
//! 2. *Up*: `xorg@N.service` is queued and the environment exported; then `xorg.target`. Once the supervisor has asked
//!    for the server and the host has forked it, the window manager and `wm.target` are queued. Once a window manager
//!    manages the display, `wm-ready.target` is queued.
//! 3. *Ending*: see the table in `end.rs`.
//! 4. *Over*.

mod display;
mod dotfiles;
mod end;
mod event;
mod held;
mod idle;
mod jobs;
mod locking;
mod orders;
mod phases;
mod relock;
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
use crate::deadline::Deadlines;
use crate::launch::Reply;
use crate::manager::{Mode, names};
use crate::session::dotfiles::DotfilesTime;
use crate::x11::display::Display;
use display::Server;
use held::{Held, Holding};
use idle::Idle;
use jobs::{Done, Jobs, Looks};
use locking::Locking;
use orders::{Purpose, Starting};
use phases::End;
use relock::Relock;
use screen_lock::ScreenLock;
use sleep::Sleep;
use standing::Course;
use units::{Consequence, Units};

/// What a session starts with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The rules by which its units are judged.
    pub policy: UnitPolicy,
    /// The unit that is started beside `wm.target`; `None` if the target brings the units itself.
    pub own: Option<String>,
    /// The deadlines.
    pub deadlines: Deadlines,
    /// What it runs, as shown to people.
    pub description: String,
    /// Whether its command was given on the command line: then an exit with 0 is what the user asked for.
    pub asked_for: bool,
    /// Whether the login session exists for this session alone and ends with it (`startxd start --login`).
    pub is_login: bool,
    /// When `~/.Xresources` and the like are read.
    pub dotfiles: DotfilesTime,
    /// Whether a screen locker's command is configured (`lock.command`).
    pub has_lock_command: bool,
    /// Whether the screen is locked before the machine sleeps (`lock.sleep`).
    pub locks_for_sleep: bool,
    /// Whether it is locked when another terminal comes to the foreground (`lock.vt_switch`).
    pub locks_in_background: bool,
    /// After how long without input the session is idle (`idle.after`),
    pub idle_after: Option<Duration>,
    /// and the screen is locked (`idle.lock`).
    pub idle_lock: Option<Duration>,
}

/// How far a session has come.
#[derive(Debug)]
enum Stage {
    Preparing,
    Up,
    Ending(End),
    /// Why it ended; `None` if it could not be prepared.
    Over(Option<Why>),
}

/// A session, from its preparation until everything is undone.
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
    relock: Relock,
    holding: Holding,
    sleep: Sleep,
    idle: Idle,
    course: Course,
    /// How far it came; for the record at its end.
    standing: Standing,
    /// Whether the record says that the login session ends with this one.
    noted_closing: bool,
    /// Whether multiplexers were told about the display.
    told: bool,
    /// Whether their own variables are being restored.
    taking_back: bool,
    /// The number of the last server for which `~/.Xresources` and the like were read.
    dotfiles_of: u32,
    /// Whether to start `wm-ready.target` as soon as its stop was answered.
    ready_waits: bool,
    /// Why the manager is gone, if it is.
    manager_gone: Option<String>,
    /// Events that wait until it is known what a server's end means.
    deferred: VecDeque<Event>,
    actions: Vec<Action>,
}

impl Session {
    /// Returns a session, and the first things to do.
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
            relock: Relock::default(),
            holding: Holding::default(),
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

    /// Takes what happened at `now`, and returns what to do, in this order.
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
        if matches!(self.stage, Stage::Up) {
            self.go_on_locking(now);
        }
        std::mem::take(&mut self.actions)
    }

    /// When to send [`Event::Due`], unless something else happens before.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<Instant> {
        match &self.stage {
            Stage::Up => self
                .server
                .due(now)
                .into_iter()
                .chain(self.units.due())
                .chain(self.locking.due())
                .chain(self.relock.due())
                .chain(self.holding.due())
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

    /// Whether its end has not started.
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
    /// A race: the manager reports what follows from a server's end, for example a window manager that fails, while the
    /// supervisor's last words are still under way. Judged first, that failure would be blamed on the window manager
    /// itself.
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
                | Event::CoveredFirst
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

    /// Looks at the units that count, now or as soon as the current look is over.
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
            // The server has lost its devices. Its replacement would come up unlocked.
            Event::Control(Control::Lost(_)) if self.screen_lock.is_locked() && !self.can_relock() => {
                self.end(now, Why::Closed(None));
            }
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
                    // The start is over, so this no longer competes with it for a processor. Multiplexers that start
                    // later get the display from the user manager, or from whatever starts them.
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
            // Asked before the server ended; the next window manager that is ready starts it.
            Event::Autostart(Ok(())) if self.relocks() => {}
            Event::Autostart(Ok(())) => self.start(Purpose::Autostart, names::WM_AUTOSTART_TARGET, Mode::Replace),
            Event::Autostart(Err(why)) => tracing::info!("the session starts its autostart programs itself: {why}"),
            Event::LockedHint(locked) => self.locked_hint(now, locked),
            Event::LeftForeground if self.setup.locks_in_background => self.lock_asked(now, None),
            Event::LeftForeground => {}
            Event::ServerLooked(question, server) => self.server_looked(question, server),
            Event::WindowManagerUnit(unit) => self.units.found_window_manager(unit),
            Event::LaunchAsked { client, display, problem } => self.launch_asked(now, client, display, problem),
            Event::Forked(client, outcome) => self.forked(now, client, outcome),
            Event::ServerEnded(ending) => {
                self.server_ended(ending);
                self.locking.server_ended();
                self.idle_server_ended();
                self.server.ended(now, ending, self.setup.deadlines.launch);
                self.decide_fate(now);
            }
            Event::LastWords(client, text) => {
                self.last_words(client, text);
                self.server.gave_up(now);
                self.decide_fate(now);
            }
            Event::ServerLeft(client, text) => {
                self.last_words(client, text);
                self.server.left(client);
                self.decide_fate(now);
            }
            Event::ClientGone(client) => {
                self.client_gone(client);
                self.relock_supervisor_gone(now);
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
                self.relock_overdue(now);
                self.holding_overdue(now);
                self.sleep_overdue(now);
                self.idle_overdue(now);
            }
            Event::ServerReplaced(Ok(()))
            | Event::Prepared(_)
            | Event::NotPrepared
            | Event::ApplicationsEnded { .. }
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
            | Event::CoveredFirst
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
            // No change is lost with it. Without a connection, the next connection triggers a look.
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
                    if self.hold_unit(now, &unit) {
                        continue;
                    }
                    if let Some(server) = self.units.was_lost_with(&unit) {
                        self.read_dotfiles(DotfilesTime::First, server + 1);
                    }
                    self.act(Action::StartAgain(unit));
                }
                Consequence::Rescue if self.relocks() => self.hold(Held::Rescue),
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

    /// A request to start a unit again was answered.
    fn started_again(&mut self, unit: String, outcome: Result<(), CallFailure>) {
        match outcome {
            Err(_) if self.relocks() => return self.hold(Held::Again(unit)),
            // The manager may forget a transient unit that is no longer failed, or be unable to read it.
            Err(failure) if failure.kind == FailureKind::Refused && self.units.may_make_anew(&unit) => {
                return self.act(Action::StartAnew(unit));
            }
            Err(failure) => tracing::warn!("{unit} cannot be started again: {}", failure.text),
            Ok(()) => {}
        }
        self.units.started_again(&unit);
        self.look();
    }

    /// A window manager is ready: start what waits for one, once.
    fn ready(&mut self, now: Instant) {
        if self.units.ask_ready() {
            self.start_ready();
        }
        self.is_up(now);
    }

    /// The manager has answered the stop of `wm-ready.target`.
    fn is_ready_down(&mut self) {
        if std::mem::take(&mut self.ready_waits) {
            self.start_ready();
        }
    }

    fn start_ready(&mut self) {
        if self.relocks() {
            self.ready_waits = true;
            return;
        }
        // A race: while the manager re-executes itself, the target's stop may still be queued on our side, and would
        // arrive after this start.
        if self.jobs.is_asked(|purpose| *purpose == Purpose::ReadyDown) {
            self.ready_waits = true;
            return;
        }
        self.start(Purpose::Ready, names::WM_READY_TARGET, Mode::Replace);
        // Not earlier: the programs that run by now show who starts the autostart programs.
        self.act(Action::AskForAutostart);
    }

    /// The session is up.
    fn is_up(&mut self, now: Instant) {
        self.course.is_up(now);
        self.watch_screen();
        self.note_closing();
    }

    /// Whether the login session ends with this one: a shell below a locked screen would be open to anybody, and a
    /// login that exists for this session alone has nothing else to do.
    fn closes_login(&self) -> bool {
        self.screen_lock.is_locked() || (self.setup.is_login && self.course.was_up())
    }

    /// Has the record updated if that has changed.
    fn note_closing(&mut self) {
        let closes = self.closes_login();
        if std::mem::replace(&mut self.noted_closing, closes) != closes {
            self.act(Action::NoteClosing(closes));
        }
    }

    /// The locker tells logind whether the screen is locked.
    fn locked_hint(&mut self, now: Instant, locked: bool) {
        if !locked && self.locking.is_locked() {
            // Another program reports this, about a screen that we see locked.
            return self.tell_logind_of_lock();
        }
        if let Some(question) = self.screen_lock.told(locked) {
            self.act(Action::LookAtServer(question));
        }
        self.note_closing();
        // A race: the server ends just as the screen is locked, and its end is reported first.
        if locked && self.server.is_awaited() && !self.relocks() {
            self.end(now, Why::Closed(None));
        }
    }

    fn server_looked(&mut self, question: u32, server: Option<ServerSeen>) {
        self.screen_lock.answered(question, server, self.server.running());
        self.let_go();
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
}
