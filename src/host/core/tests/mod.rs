//! A session's life as tables that read like the manual's "When something breaks", and a property test with random
//! events.

use std::time::{Duration, Instant};

use nix::libc::{CLD_DUMPED, CLD_EXITED, CLD_KILLED};

use super::*;
use crate::config::Crash;
use crate::deadline::{COMES_UP, LOCKER_ENDS};
use crate::launch::Ending;
use crate::manager::{ServiceEnd, UnitState};

mod closing;
mod ends;
mod idle;
mod locking;
mod random;
mod relock;
mod server;
mod sleep;
mod starts;
mod window_manager;

const WM: &str = "startxd-wm@i3.service";
const RESCUE: &str = "startxd-wm@rescue.service";
const SUPERVISOR: ClientId = ClientId(1);

fn display() -> Display {
    Display::new(0).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A session and its world: a clock, and the answers of a healthy manager.
struct World {
    session: Session,
    begin: Instant,
    now: Instant,
    /// What was asked for and not answered yet, in order.
    open: Vec<Action>,
    /// Everything that was ever asked for.
    all: Vec<Action>,
    jobs: u32,
    supervisors: u64,
    server: bool,
    /// The units of `startxd-lock.target`.
    lockers: Vec<LockerUnit>,
    /// Whether something may still need the server when the applications have ended.
    needs_server: bool,
    /// Whether the manager unloads units that are down.
    forgets: bool,
}

fn state(active: &str, sub: &str, job: Option<&str>) -> UnitState {
    UnitState { load: "loaded".into(), active: active.into(), sub: sub.into(), job: job.map(str::to_owned) }
}

fn end(result: &str, code: i32, status: i32) -> ServiceEnd {
    ServiceEnd { result: result.into(), code, status, pid: 0 }
}

/// Whether it starts a unit of the session again.
fn starts_again(action: &Action) -> bool {
    matches!(action, Action::StartAgain(_))
}

fn up() -> Observed {
    Observed { state: state("active", "running", None), end: None, never_restarts: false }
}

fn exited() -> Observed {
    Observed { state: state("active", "exited", None), end: Some(end("success", CLD_EXITED, 0)), never_restarts: false }
}

/// A service that has failed for good; `never_restarts` if it is a user's own unit without `Restart=`.
fn failed(code: i32, status: i32, never_restarts: bool) -> Observed {
    let result = if code == CLD_EXITED { "exit-code" } else { "core-dump" };
    Observed { state: state("failed", "failed", None), end: Some(end(result, code, status)), never_restarts }
}

/// The reason of a session that failed like this, with the output that the world has for the unit.
fn ended_saying(unit: &str, end: ServiceEnd) -> Why {
    let mut why = Why::failed(unit, end);
    why.add_last_lines("so it ended".to_owned());
    why
}

fn down() -> Observed {
    Observed { state: state("inactive", "dead", None), end: None, never_restarts: false }
}

fn forgotten() -> Observed {
    let mut observed = down();
    observed.state.load = "not-found".into();
    observed
}

fn restarting() -> Observed {
    let state = state("activating", "auto-restart", None);
    Observed { state, end: Some(end("core-dump", CLD_DUMPED, 11)), never_restarts: false }
}

fn refused(text: &str) -> CallFailure {
    CallFailure { kind: FailureKind::Refused, text: text.to_owned() }
}

fn disconnected() -> CallFailure {
    CallFailure { kind: FailureKind::Disconnected, text: "broken pipe".to_owned() }
}

fn silent() -> CallFailure {
    CallFailure { kind: FailureKind::Silent, text: "no answer".to_owned() }
}

fn setup(units: &[&str], transient: Option<bool>) -> Setup {
    Setup {
        policy: UnitPolicy {
            units: units.iter().map(|&unit| unit.to_owned()).collect(),
            transient: transient.map(|restart| (units[0].to_owned(), restart)),
            ready_when_started: false,
            crash: Crash::default(),
        },
        own: (units.len() == 1).then(|| units[0].to_owned()),
        deadlines: Deadlines::default(),
        description: "i3".to_owned(),
        asked_for: false,
        is_login: false,
        dotfiles: DotfilesTime::Never,
        has_lock_command: false,
        locks_for_sleep: true,
        locks_in_background: false,
        idle_after: Some(seconds(300)),
        idle_lock: Some(seconds(600)),
    }
}

impl World {
    fn new(setup: Setup) -> Self {
        let (session, actions) = Session::begin(setup);
        assert_eq!(actions, [Action::Prepare]);
        let begin = Instant::now();
        Self {
            session,
            begin,
            now: begin,
            open: Vec::new(),
            all: actions,
            jobs: 0,
            supervisors: SUPERVISOR.0,
            server: false,
            lockers: Vec::new(),
            needs_server: true,
            forgets: false,
        }
    }

    /// A session whose server was forked and has not answered anybody yet.
    fn launched(setup: Setup) -> Self {
        let mut world = Self::new(setup);
        world.tell(Event::Prepared(display()));
        world.settle();
        world.ask_for_server(SUPERVISOR);
        world.settle();
        world
    }

    /// The same, with a server that answers.
    fn serves(setup: Setup) -> Self {
        let mut world = Self::launched(setup);
        world.tell(Event::Served);
        world
    }

    /// A session of this unit that is up: its server answers and a window manager manages the display.
    fn up(setup: Setup) -> Self {
        let mut world = Self::serves(setup);
        world.tell(Event::Managed);
        world.settle();
        assert!(matches!(world.session.stage, Stage::Up));
        world
    }

    fn ours() -> Self {
        Self::up(setup(&[WM], Some(true)))
    }

    fn tell(&mut self, event: Event) -> Vec<Action> {
        let actions = self.session.step(self.now, event);
        self.all.extend(actions.iter().cloned());
        self.open.extend(actions.iter().cloned());
        actions
    }

    /// Lets time pass, and delivers what becomes due.
    fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        self.settle();
        while let Some(due) = self.session.due(self.now).filter(|&due| due <= until) {
            self.now = self.now.max(due);
            self.tell(Event::Due);
            self.settle();
        }
        self.now = until;
    }

    fn ask_for_server(&mut self, client: ClientId) {
        self.tell(Event::LaunchAsked { client, display: display(), problem: None });
    }

    /// Answers everything as a healthy world does, until only looks are open. Those find all units up, or down while
    /// the session ends.
    fn settle(&mut self) {
        while let Some(action) = (!self.open.is_empty()).then(|| self.open.remove(0)) {
            for event in self.answer(&action) {
                self.tell(event);
            }
        }
    }

    /// As [`World::settle`], until one of these is asked for; the case answers that itself.
    fn settle_until(&mut self, which: impl Fn(&Action) -> bool) -> Action {
        loop {
            assert!(!self.open.is_empty(), "it was never asked for: {:?}", self.session.stage);
            let action = self.open.remove(0);
            if which(&action) {
                return action;
            }
            for event in self.answer(&action) {
                self.tell(event);
            }
        }
    }

    fn answer(&mut self, action: &Action) -> Vec<Event> {
        let ending = !matches!(self.session.stage, Stage::Up);
        match action {
            Action::Export => vec![Event::Exported(Ok(()))],
            Action::Start { order, .. } | Action::Stop { order, .. } => self.job(*order),
            Action::StartTransient(order) | Action::StartRescue(order) | Action::ReadDotfiles { order, .. } => {
                self.job(*order)
            }
            Action::StartAgain(unit) | Action::StartAnew(unit) => vec![Event::StartedAgain(unit.clone(), Ok(()))],
            Action::ReplaceServer => vec![Event::ServerReplaced(Ok(()))],
            Action::Look { number, units } => {
                let observed = match (ending, self.forgets) {
                    (false, _) => up(),
                    (true, false) => down(),
                    (true, true) => forgotten(),
                };
                let units = units.iter().map(|unit| (unit.clone(), observed.clone())).collect();
                vec![Event::Looked(*number, Ok(Seen { units, server: None }))]
            }
            Action::Reconnect => vec![Event::Reconnected],
            Action::Fork(client) => {
                assert!(!std::mem::replace(&mut self.server, true), "there are two servers");
                vec![Event::Forked(*client, Ok(()))]
            }
            Action::TerminateServer | Action::KillServer if self.server => {
                self.server = false;
                vec![Event::ServerEnded(Ending::Code(0))]
            }
            Action::GiveUpServer => vec![Event::ServerGivenUp { pid: 42, state: 'D' }],
            Action::AskForAutostart => vec![Event::Autostart(Ok(()))],
            Action::AskForDevices => vec![Event::Control(Control::Possible)],
            Action::EndApplications => vec![Event::ApplicationsEnded { needs_server: self.needs_server }],
            Action::AskForDependents => vec![Event::Dependents(Ok(vec![WM.to_owned()]))],
            Action::AskWhetherManagerStops => vec![Event::ManagerStops(Ok(false))],
            Action::TakeBackFromMultiplexers => vec![Event::TakenBack],
            Action::RestoreTerminal => vec![Event::TerminalRestored],
            Action::PutBack(..) => vec![Event::PutBack("so it ended".to_owned())],
            Action::CloseLogin => vec![Event::LoginClosed],
            Action::StartLocker => vec![Event::LockerStarted(Ok(()))],
            Action::AskForLockers => vec![Event::Lockers(Ok(self.lockers.clone()))],
            Action::LookAtServer(question) => {
                let number = u32::try_from(self.count(|action| matches!(action, Action::Fork(_)))).unwrap();
                let server = self.server.then_some(ServerSeen { number, is_ending: false });
                vec![Event::ServerLooked(*question, server)]
            }
            _ => Vec::new(),
        }
    }

    fn job(&mut self, order: Order) -> Vec<Event> {
        self.jobs += 1;
        let job = JobId(format!("/job/{}", self.jobs));
        vec![Event::Queued(order, Ok(job.clone())), Event::JobDone { job, result: "done".to_owned(), end: None }]
    }

    /// A unit has changed, and a look finds it like this and all others up.
    fn unit(&mut self, unit: &str, observed: Observed) -> Vec<Action> {
        self.unit_with(unit, observed, None)
    }

    fn unit_with(&mut self, unit: &str, observed: Observed, server: Option<ServerSeen>) -> Vec<Action> {
        let actions = self.tell(Event::Changed(unit.to_owned()));
        let Some(Action::Look { number, units }) = actions.first().cloned() else {
            return actions;
        };
        self.open.retain(|action| !matches!(action, Action::Look { .. }));
        let find = |name: String| {
            let observed = if name == unit { observed.clone() } else { up() };
            (name, observed)
        };
        let units = units.into_iter().map(find).collect();
        self.tell(Event::Looked(number, Ok(Seen { units, server })))
    }

    fn server_ends(&mut self, ending: Ending, words: Option<&str>) {
        self.server = false;
        self.tell(Event::ServerEnded(ending));
        let supervisor = ClientId(self.supervisors);
        if let Some(words) = words {
            self.tell(Event::LastWords(supervisor, words.to_owned()));
        }
        self.tell(Event::ClientGone(supervisor));
    }

    /// The next supervisor connects, as happens when a client connects to the display.
    fn next_supervisor(&mut self) -> ClientId {
        self.supervisors += 1;
        let supervisor = ClientId(self.supervisors);
        self.ask_for_server(supervisor);
        supervisor
    }

    /// The next server is up: it was requested and forked, and answers.
    fn next_server(&mut self) {
        self.next_supervisor();
        self.settle();
        self.tell(Event::Served);
    }

    fn count(&self, which: impl Fn(&Action) -> bool) -> usize {
        self.all.iter().filter(|action| which(action)).count()
    }

    /// Settles, and returns why the session ended.
    fn ended(&mut self) -> Why {
        self.settle();
        self.session.why().cloned().unwrap_or_else(|| panic!("it has not ended: {:?}", self.session.stage))
    }

    fn goes_on(&mut self) {
        self.settle();
        assert!(matches!(self.session.stage, Stage::Up), "it has ended: {:?}", self.session.stage);
    }
}
