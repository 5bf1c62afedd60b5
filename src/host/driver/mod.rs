//! The driver of a session: it turns what happens into events of the core, and does what the core asks for.
//!
//! There is one `select!` for the whole life of the host, starting before anything is done that has to be undone.
//! Nothing in it waits for an answer: every question is a task, and its answer is an event like any other.

mod putting_back;
mod server;
mod sources;
mod state;

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use tokio::sync::mpsc::{self, Receiver, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::act::{self, Call, Ends, RunningServer, ServerProbe};
use super::closing;
use super::core::{Action, CallFailure, ClientId, Event, JobId, Session, Setup, Standing, UnitPolicy};
use super::dotfiles;
use super::failure::Failure;
use super::idle;
use super::interrupts::Interrupts;
use super::locker::{Locker, LockerEvent};
use super::logind_requests::{Wanted, Wish};
use super::logind_watch::LogindWatch;
use super::manager_link::{ManagerEvent, ManagerLink};
use super::multiplexers::Telling;
use super::peers::{Peer, PeerEvent, Peers};
use super::prepare::Prepared;
use super::readiness::Readiness;
use super::screen::Screen;
use super::server::Plan;
use super::terminal::{Terminal, Typed};
use super::variables::{self, Exported};
use super::waits::if_there;
use super::watch::{Sight, watch};
use super::why::Why;
use crate::config::{Config, Ready};
use crate::environment::{self, Block};
use crate::launch::{Reply, Request};
use crate::manager::transient::Service;
use crate::manager::{self, Manager, names, restore};
use crate::os;
use crate::session::{self, Choice, Surroundings};
use crate::text;
use crate::x11::display::Display;
use sources::{Happened, prepared};

/// What the preparation returns.
pub(super) struct Ground {
    /// The session's place, and what has to be undone.
    pub prepared: Prepared,
    /// The launch socket, served.
    pub peers: Peers,
    /// The user manager.
    pub link: ManagerLink,
    /// How to start a server.
    pub plan: Plan,
    /// Where the session reports that it is ready.
    pub readiness: Readiness,
}

/// The preparation that is running.
pub(super) type Preparation = Pin<Box<dyn Future<Output = Result<Ground, Failure>> + Send>>;

/// What a driver starts with.
pub(super) struct Parts {
    /// What to run.
    pub choice: Choice,
    /// The configuration.
    pub config: Config,
    /// Started when the core asks for it.
    pub preparation: Preparation,
    /// The signals that end a session.
    pub interrupts: Interrupts,
    /// What logind says about the server's devices.
    pub logind: LogindWatch,
    /// The terminal; on a seat without terminals there is no text mode to return to.
    pub terminal: Option<Terminal>,
    /// logind's id of the login session.
    pub session: String,
    /// Whether its command was given on the command line.
    pub asked_for: bool,
    /// Whether the login session exists for this session alone.
    pub is_login: bool,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Why.
    pub why: Why,
    /// How far it came.
    pub standing: Standing,
}

/// A supervisor's request, kept until its server is forked.
struct LaunchRequest {
    /// A pipe for output, then the listening socket.
    fds: Vec<OwnedFd>,
}

/// A session that is being prepared, is up, or is ending.
pub(super) struct Driver {
    core: Session,
    choice: Choice,
    config: Config,
    preparation: Option<Preparation>,
    /// Why the preparation failed.
    failure: Option<Failure>,
    prepared: Option<Prepared>,
    peers: Option<Peers>,
    link: Option<ManagerLink>,
    plan: Option<Plan>,
    readiness: Option<Readiness>,
    interrupts: Interrupts,
    logind: LogindWatch,
    terminal: Option<Terminal>,
    session: String,
    is_login: bool,
    /// When it started, by the clock of the journal.
    since: SystemTime,
    /// The supervisors that can be answered.
    clients: HashMap<ClientId, Peer>,
    launches: HashMap<ClientId, LaunchRequest>,
    server: Option<Arc<RunningServer>>,
    /// The number of servers so far.
    launched: u32,
    sights: Option<Receiver<Sight>>,
    /// The last process that managed the display, if the server could tell.
    window_manager: Option<OwnedFd>,
    rescue: Option<Service>,
    telling: Option<Telling>,
    /// The environment is being put back; whether it could be.
    restoring: Option<JoinHandle<bool>>,
    /// The watch on screen lockers.
    screen: Option<Screen>,
    /// The watch on input,
    idle: Option<idle::Task>,
    /// and the one on inhibitors.
    inhibitors: Option<idle::Task>,
    /// Since when the screen is in its current state.
    screen_since: state::Since,
    /// The screen locker's command.
    locker: Option<Locker>,
    /// The questions for a manager that is being reconnected.
    backlog: Vec<Action>,
    /// Results of actions that were done at once; the core is told these first.
    at_once: VecDeque<Event>,
    events: UnboundedSender<Event>,
    answers: UnboundedReceiver<Event>,
}

/// Runs a session from its preparation until everything is undone. Returns how it ended.
///
/// # Errors
/// The preparation failed.
pub(super) async fn run(parts: Parts) -> Result<Ended, Failure> {
    let Parts { choice, config, preparation, interrupts, logind, terminal, session, .. } = parts;
    let mut setup = setup(&choice, &config);
    (setup.asked_for, setup.is_login) = (parts.asked_for, parts.is_login);
    let (core, actions) = Session::begin(setup);
    let (events, answers) = mpsc::unbounded_channel();
    let mut driver = Driver {
        core,
        choice,
        config,
        preparation: None,
        failure: None,
        prepared: None,
        peers: None,
        link: None,
        plan: None,
        readiness: None,
        interrupts,
        logind,
        terminal,
        session,
        is_login: parts.is_login,
        since: SystemTime::now(),
        clients: HashMap::new(),
        launches: HashMap::new(),
        server: None,
        launched: 0,
        sights: None,
        window_manager: None,
        rescue: None,
        telling: None,
        restoring: None,
        screen: None,
        idle: None,
        inhibitors: None,
        screen_since: state::Since::default(),
        locker: None,
        backlog: Vec::new(),
        at_once: VecDeque::new(),
        events,
        answers,
    };
    let mut preparation = Some(preparation);
    for action in actions {
        match action {
            Action::Prepare => driver.preparation = preparation.take(),
            action => driver.execute(action).await,
        }
    }
    while !driver.core.over() {
        if let Some(event) = driver.next().await {
            driver.tell(event).await;
        }
    }
    match (driver.core.why().cloned(), driver.failure.take()) {
        (Some(why), _) => Ok(Ended { why, standing: driver.core.standing() }),
        (None, Some(failure)) => Err(failure),
        (None, None) => unreachable!("a session that ended without a reason could not be prepared, and says why"),
    }
}

/// What the core needs to know about a session.
fn setup(choice: &Choice, config: &Config) -> Setup {
    let own = match choice {
        Choice::Wanted(_) => None,
        one => one.units().pop(),
    };
    Setup {
        policy: UnitPolicy {
            units: choice.units(),
            transient: choice.service().map(|service| (service.name.clone(), service.restart.is_some())),
            ready_when_started: config.session.ready == Ready::Started,
            crash: config.crash.clone(),
        },
        own,
        deadlines: config.deadlines,
        description: choice.describe(),
        asked_for: false,
        is_login: false,
        dotfiles: dotfiles::time(choice, config),
        has_lock_command: !config.lock.command.is_empty(),
        locks_for_sleep: !config.lock.sleeps_open,
        locks_in_background: config.lock.vt_switch,
        idle_after: config.idle.after.map(|seconds| Duration::from_secs(seconds.into())),
        idle_lock: config.idle.lock.map(|seconds| Duration::from_secs(seconds.into())),
    }
}

impl Driver {
    /// Tells the core what happened, and does what it asks for.
    async fn tell(&mut self, event: Event) {
        tracing::trace!("{event:?}");
        let actions = self.core.step(std::time::Instant::now(), event);
        for action in actions {
            tracing::trace!("{action:?}");
            self.execute(action).await;
        }
    }

    /// The next event for the core. Every branch may be dropped while it waits without losing anything.
    async fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.at_once.pop_front() {
            return Some(event);
        }
        let due = self.core.due(std::time::Instant::now());
        let due = async {
            match due {
                Some(due) => sleep_until(Instant::from_std(due)).await,
                None => std::future::pending().await,
            }
        };
        let happened = tokio::select! {
            // The server's end comes first, so that it is known when its consequences arrive (a window manager that
            // exits).
            biased;
            ending = act::ended(self.server.as_ref()) => Happened::ServerEnded(ending),
            locker = if_there(&mut self.locker, Locker::next) => Happened::Locker(locker),
            signal = self.interrupts.next() => Happened::Event(Event::Interrupt(signal.as_str())),
            typed = if_there(&mut self.terminal, Terminal::typed) => Happened::Typed(typed),
            ground = prepared(&mut self.preparation) => Happened::Prepared(Box::new(ground)),
            event = if_there(&mut self.peers, Peers::next) => Happened::Peer(event),
            sight = if_there(&mut self.sights, Receiver::recv) => Happened::Sight(sight),
            event = if_there(&mut self.link, ManagerLink::next) => Happened::Manager(event),
            event = self.logind.next() => Happened::Event(event),
            // We hold a sender ourselves, so this queue never closes.
            Some(event) = self.answers.recv() => Happened::Event(event),
            () = due => Happened::Event(Event::Due),
        };
        match happened {
            Happened::Event(event) => Some(event),
            Happened::Typed(Typed::Interrupt(signal)) => Some(Event::Interrupt(signal.as_str())),
            Happened::Typed(Typed::Continued) => {
                if let Some(terminal) = &mut self.terminal {
                    terminal.continues();
                }
                None
            }
            Happened::ServerEnded(ending) => {
                self.server_ended();
                Some(Event::ServerEnded(ending))
            }
            Happened::Locker(LockerEvent::Locks) => Some(Event::LockerLocks),
            Happened::Locker(LockerEvent::Ended(ending)) => {
                self.locker = None;
                Some(Event::LockerEnded(ending))
            }
            Happened::Prepared(ground) => Some(self.is_prepared(*ground)),
            Happened::Peer(event) => self.peer(event).await,
            Happened::Sight(sight) => self.sight(sight).await,
            Happened::Manager(event) => self.manager(event).await,
        }
    }

    fn is_prepared(&mut self, ground: Result<Ground, Failure>) -> Event {
        match ground {
            Ok(Ground { prepared, peers, link, plan, readiness }) => {
                let display = prepared.display;
                self.prepared = Some(prepared);
                self.peers = Some(peers);
                self.link = Some(link);
                self.plan = Some(plan);
                self.readiness = Some(readiness);
                Event::Prepared(display)
            }
            Err(failure) => {
                self.failure = Some(failure);
                Event::NotPrepared
            }
        }
    }

    /// From now on nothing that is typed reaches the shell.
    fn hold_terminal(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.hold();
        }
    }

    fn display(&self) -> Option<Display> {
        self.prepared.as_ref().map(|prepared| prepared.display)
    }

    /// What a client did, as an event of the core.
    async fn peer(&mut self, event: PeerEvent) -> Option<Event> {
        Some(match event {
            PeerEvent::Request(peer, request, fds) => {
                let client = peer.id();
                self.clients.insert(client, peer);
                match request {
                    Request::Launch { display, listeners } => {
                        let problem = self.problem_with(listeners, &fds);
                        self.launches.insert(client, LaunchRequest { fds });
                        Event::LaunchAsked { client, display, problem }
                    }
                    Request::Stop => Event::StopAsked(client),
                    Request::Lock => Event::LockAsked(Some(client)),
                    Request::Unlock => Event::UnlockAsked(Some(client)),
                    Request::State => {
                        if let Some(peer) = self.clients.get(&client) {
                            peer.reply(&Reply::State(self.screen_state().encode()), &[]);
                        }
                        return None;
                    }
                    Request::Failed(text) => Event::LastWords(client, text),
                    Request::Left(text) => Event::ServerLeft(client, text),
                    Request::Ready(variables) => {
                        self.exports(client, variables, true).await;
                        return None;
                    }
                    Request::Sourced(variables) => {
                        let variables = dotfiles::exported(variables, &self.config);
                        self.exports(client, variables, false).await;
                        return None;
                    }
                    Request::Complaint(text) => {
                        tracing::warn!("{}", text::one_line(&text));
                        if let Some(peer) = self.clients.get(&client) {
                            peer.reply(&Reply::Heard, &[]);
                        }
                        return None;
                    }
                }
            }
            PeerEvent::Gone(peer) => {
                self.clients.remove(&peer.id());
                self.launches.remove(&peer.id());
                Event::ClientGone(peer.id())
            }
        })
    }

    /// A program of the session asks to export variables, and perhaps reports that it is ready. They are recorded
    /// before they are exported, so that whoever ends the session restores them.
    async fn exports(&mut self, client: ClientId, variables: Block, is_ready: bool) {
        let Some(peer) = self.clients.get(&client).cloned() else { return };
        // A race: variables exported after the end has restored everything would stay.
        let manager = self.connected().filter(|_| self.core.is_going_on());
        let (Some(prepared), Some(manager), Some(readiness)) = (self.prepared.as_mut(), manager, &self.readiness)
        else {
            return peer.refuse("the session is not up, or is about to end".to_owned());
        };
        let own = environment::of_display(prepared.display, &prepared.runtime().authority(prepared.display));
        if let Some(name) = variables.keys().find(|name| own.contains_key(*name)) {
            return peer.refuse(format!("{name} belongs to the session"));
        }
        let said = readiness.voice();
        let new = variables.keys().filter(|name| !prepared.record.exported.contains(name)).cloned();
        let new: Vec<String> = new.collect();
        if !new.is_empty() {
            prepared.record.exported.extend(new);
            if let Err(error) = prepared.write_record() {
                return peer.refuse(error.to_string());
            }
        }
        let call = Box::pin(async move {
            let outcome = if variables.is_empty() { Ok(()) } else { restore::export(&manager, &variables, &[]).await };
            match outcome {
                Ok(()) => {
                    if is_ready {
                        said.send_replace(());
                    }
                    peer.reply(&Reply::Heard, &[]);
                }
                Err(error) => peer.refuse(error.to_string()),
            }
            None
        });
        act::send(call, &self.events).await;
    }

    /// Something was seen on the display.
    async fn sight(&mut self, sight: Option<Sight>) -> Option<Event> {
        Some(match sight {
            Some(Sight::Served) => {
                if let Some(server) = &self.server {
                    server.serves.store(true, Ordering::Relaxed);
                }
                if let Some(terminal) = &mut self.terminal {
                    terminal.is_served();
                }
                Event::Served
            }
            Some(Sight::Managed(window_manager)) => {
                let (name, sign) = (&window_manager.name, window_manager.sign);
                tracing::info!(name, ?sign, "a window manager manages the display");
                self.window_manager = window_manager.pid.and_then(|pid| os::pidfd_open(pid).ok());
                if let (Some(pid), Some(manager)) = (window_manager.pid, self.connected()) {
                    act::send(act::find_window_manager(manager, pid), &self.events).await;
                }
                Event::Managed
            }
            Some(Sight::Unmanaged) => Event::Unmanaged,
            None => {
                // A closed queue is always ready.
                self.sights = None;
                return None;
            }
        })
    }

    /// Something that the manager reported.
    async fn manager(&mut self, event: ManagerEvent) -> Option<Event> {
        Some(match event {
            ManagerEvent::Told(manager::Signal::UnitChanged(unit)) => Event::Changed(unit),
            ManagerEvent::Told(manager::Signal::UnitJob { unit, is_stop }) => Event::UnitJob { unit, is_stop },
            ManagerEvent::Told(manager::Signal::JobDone { job, result, .. }) if result == "done" => {
                Event::JobDone { job: JobId(job.to_string()), result, end: None }
            }
            ManagerEvent::Told(manager::Signal::JobDone { job, unit, result }) => {
                let of_the_server = |display: &Display| result == "dependency" && unit == names::xorg_service(*display);
                let call = match self.display().filter(of_the_server) {
                    Some(display) => act::socket_failed(self.connected(), job, display),
                    None => act::job_done(self.connected(), job, unit, result),
                };
                act::send(call, &self.events).await;
                return None;
            }
            ManagerEvent::Told(manager::Signal::Restarts { unit, end }) => {
                act::send(act::restarts(unit, end, self.probe()), &self.events).await;
                return None;
            }
            // The link never reports this; it reconnects.
            ManagerEvent::Told(manager::Signal::Lost) => return None,
            ManagerEvent::Reconnected => {
                for action in std::mem::take(&mut self.backlog) {
                    self.execute(action).await;
                }
                Event::Reconnected
            }
            ManagerEvent::Gone(why) => {
                self.backlog.clear();
                Event::ManagerGone(why)
            }
        })
    }

    /// The manager, if it can be called now.
    fn connected(&self) -> Option<Manager> {
        self.link.as_ref().filter(|link| !link.is_connecting()).and_then(ManagerLink::manager).cloned()
    }

    fn probe(&self) -> Option<ServerProbe> {
        let (server, prepared) = (self.server.clone()?, self.prepared.as_ref()?);
        Some(ServerProbe { server, display: prepared.display, cookie: prepared.cookie })
    }

    /// Does what the core asks for.
    async fn execute(&mut self, action: Action) {
        let action = match self.execute_here(action) {
            Ok(()) => return,
            Err(action) => action,
        };
        if self.link.as_ref().is_some_and(ManagerLink::is_connecting) {
            return self.backlog.push(action);
        }
        // A manager that is gone was reported; calls to it fail.
        let Some(manager) = self.connected() else { return };
        if let Some(call) = self.call(action, manager) {
            act::send(call, &self.events).await;
        }
    }

    /// Does what needs no answer; returns what is for the manager.
    fn execute_here(&mut self, action: Action) -> Result<(), Action> {
        match action {
            Action::Prepare => {}
            Action::AbandonPreparation => self.preparation = None,
            Action::Reconnect => {
                if let Some(link) = &mut self.link {
                    link.reconnect();
                }
            }
            Action::Fork(client) => {
                let outcome = self.fork(client);
                self.at_once.push_back(Event::Forked(client, outcome));
            }
            Action::Watch => {
                if let (Some(prepared), Some(readiness)) = (&self.prepared, &self.readiness) {
                    let deadline = self.config.deadlines.window_manager;
                    self.sights = Some(watch(prepared.display, prepared.cookie, deadline, readiness));
                }
            }
            Action::Reply(client, reply) => {
                if let Some(peer) = self.clients.get(&client) {
                    peer.reply(&reply, &[]);
                }
            }
            Action::Refuse(client, reason) => {
                self.launches.remove(&client);
                if let Some(peer) = self.clients.get(&client) {
                    peer.refuse(reason);
                }
            }
            Action::EndWindowManager { kill } => {
                if let Some(process) = &self.window_manager {
                    // It may be gone, which is what we want.
                    let _ = os::pidfd_signal(process, if kill { Signal::SIGKILL } else { Signal::SIGTERM });
                }
            }
            Action::TerminateServer => self.signal_server(Signal::SIGTERM),
            Action::KillServer => self.signal_server(Signal::SIGKILL),
            Action::GiveUpServer => self.give_up_server(),
            Action::AskForDevices => self.logind.ask(),
            Action::LookAtServer(question) => act::spawn(act::look_at_server(question, self.probe()), &self.events),
            Action::NoteClosing(closes) => self.note_closing(closes),
            Action::CloseLogin => {
                let (session, deadline) = (self.session.clone(), self.config.deadlines.user_manager);
                self.spawn(async move {
                    closing::close_own(&session, deadline).await;
                    Event::LoginClosed
                });
            }
            Action::WatchScreen | Action::CoverFirst => {
                let covers_first = action == Action::CoverFirst;
                let config = &self.config;
                let inhibitors = idle::matters(&config.idle);
                self.logind.listen_for_requests(Wanted { inhibitors, foreground: config.lock.vt_switch });
                if let Some(prepared) = &self.prepared {
                    let (display, cookie) = (prepared.display, prepared.cookie);
                    let watch = if covers_first { Screen::cover_first } else { Screen::watch };
                    self.screen = Some(watch(display, cookie, self.events.clone()));
                    self.idle = idle::watch(display, cookie, &config.idle, self.events.clone());
                    if inhibitors && self.inhibitors.is_none() {
                        let (runtime, deadline) = (prepared.runtime().clone(), config.deadlines.user_manager);
                        let reasons = self.screen_since.reasons.clone();
                        self.inhibitors = Some(idle::offer(runtime, deadline, reasons, self.events.clone()));
                    }
                }
            }
            Action::StartLocker => {
                let outcome = self.start_locker();
                self.at_once.push_back(Event::LockerStarted(outcome));
            }
            Action::EndLocker => match (&self.locker, &self.screen) {
                (Some(locker), _) => locker.terminate(),
                (None, Some(screen)) => screen.end_locker(),
                (None, None) => {}
            },
            Action::LookForGrabs => self.screen.iter().for_each(Screen::look_for_grabs),
            Action::Cover => self.screen.iter().for_each(Screen::cover),
            Action::Uncover => self.screen.iter().for_each(Screen::uncover),
            Action::AskForScreenSaver => self.screen.iter().for_each(Screen::show_screen_saver),
            Action::SetLockedHint(locked) => {
                self.screen_since.locked(locked);
                self.logind.tell(Wish::LockedHint(locked));
            }
            Action::SetIdleHint(idle) => {
                self.screen_since.idle(idle);
                self.logind.tell(Wish::IdleHint(idle));
            }
            Action::LetSleep => self.logind.tell(Wish::LetSleep),
            Action::TellMultiplexers => self.tell_multiplexers(),
            Action::TakeBackFromMultiplexers => match self.telling.take() {
                Some(telling) => self.spawn(async move {
                    telling.take_back().await;
                    Event::TakenBack
                }),
                None => self.at_once.push_back(Event::TakenBack),
            },
            Action::RestoreTerminal => match self.terminal.take() {
                Some(terminal) => {
                    let deadline = self.config.deadlines.text_mode;
                    self.spawn(async move {
                        terminal.restore(deadline).await;
                        Event::TerminalRestored
                    });
                }
                None => self.at_once.push_back(Event::TerminalRestored),
            },
            Action::PutEnvironmentBack => self.put_environment_back(),
            Action::PutBack(state, last) => {
                self.put_back(state, last);
            }
            action => return Err(action),
        }
        Ok(())
    }

    /// Does what is asked of the manager.
    fn call(&mut self, action: Action, manager: Manager) -> Option<Call> {
        Some(match action {
            Action::Export => {
                let Exported { set, unset } = self.prepared.as_ref()?.exported().clone();
                Box::pin(async move {
                    let outcome = restore::export(&manager, &set, &unset).await;
                    Some(Event::Exported(outcome.map_err(|error| act::failure(&error))))
                })
            }
            Action::Start { order, unit, mode } => act::start(manager, order, unit, mode),
            Action::Stop { order, unit } => act::stop(manager, order, unit),
            Action::StartTransient(order) => act::start_transient(manager, order, self.choice.service()?.clone()),
            Action::ReadDotfiles { order, again } => {
                let of_login = variables::of_login(&self.session, &self.plan.as_ref()?.seat);
                act::read_dotfiles(manager, order, again, dotfiles::service(&self.choice, &self.config, &of_login))
            }
            Action::StartRescue(order) => match self.make_rescue() {
                Ok(service) => act::start_transient(manager, order, service),
                Err(failure) => Box::pin(std::future::ready(Some(Event::Queued(order, Err(failure))))),
            },
            Action::StartAgain(unit) => act::start_again(manager, unit),
            Action::StartAnew(unit) => {
                let services = self.choice.service().into_iter().chain(&self.rescue);
                act::start_anew(manager, services.into_iter().find(|service| service.name == unit)?.clone())
            }
            Action::WatchUnits(units) => {
                let watching = self.link.as_mut()?.watch(units);
                Box::pin(async move {
                    watching.await;
                    None
                })
            }
            Action::ReplaceServer => act::replace_server(manager, self.display()?),
            Action::Look { number, units } if self.core.is_going_on() => {
                // Somebody has managed the display, so the start is over.
                let ends = if self.window_manager.is_some() { Ends::AtOnce } else { Ends::IfDown };
                act::look(manager, number, units, self.probe(), ends)
            }
            Action::Look { number, units } => act::look_at_rest(manager, number, units),
            Action::EndApplications => {
                act::end_applications(manager, self.unit_names(), self.probe(), self.config.deadlines.applications)
            }
            Action::AskForAutostart => {
                act::ask_for_autostart(manager, self.config.session.autostart, self.unit_names())
            }
            Action::AskForDependents => act::ask_for_dependents(manager),
            Action::AskForLockers => act::ask_for_lockers(manager),
            Action::Kill(unit) => Box::pin(async move {
                let _ = manager.kill(&unit, Signal::SIGKILL).await;
                None
            }),
            Action::AskWhetherManagerStops => act::ask_whether_it_stops(manager),
            _ => return None,
        })
    }

    fn spawn(&self, task: impl Future<Output = Event> + Send + 'static) {
        act::spawn(async move { Some(task.await) }, &self.events);
    }

    /// The session's own units, including the rescue command's.
    fn unit_names(&self) -> Vec<String> {
        self.choice.units().into_iter().chain(self.rescue.iter().map(|rescue| rescue.name.clone())).collect()
    }

    fn tell_multiplexers(&mut self) {
        if let Some(prepared) = &self.prepared {
            self.telling = Some(Telling::begin(prepared, self.config.deadlines.multiplexers));
        }
    }

    /// The rescue command's service, recorded before it is started: if this host dies too, the next start ends it with
    /// the others.
    fn make_rescue(&mut self) -> Result<Service, CallFailure> {
        let service = session::rescue(&self.config.crash.rescue, &Surroundings::from_env())
            .map_err(|error| act::refused(format!("crash.rescue in startxd.toml: {error}")))?;
        self.rescue = Some(service.clone());
        let units = self.unit_names();
        if let Some(prepared) = &mut self.prepared {
            prepared.record.units = units;
            if let Err(error) = prepared.write_record() {
                tracing::warn!("{error}");
            }
        }
        Ok(service)
    }

    /// Runs the screen locker's command.
    fn start_locker(&mut self) -> Result<(), String> {
        let words = &self.config.lock.command;
        let name = words.first().map(String::as_str).unwrap_or_default();
        let program = Surroundings::from_env().find(name).ok_or_else(|| format!("there is no program {name}"))?;
        let prepared = self.prepared.as_ref().ok_or("the session is not up")?;
        let locker = Locker::start(&program, words, &prepared.exported().set).map_err(|error| error.to_string())?;
        self.locker = Some(locker);
        Ok(())
    }
}
