//! The course of a session as tables that read like "When something breaks", and one property test over random events.

use std::time::{Duration, Instant};

use nix::libc::{CLD_DUMPED, CLD_EXITED, CLD_KILLED};

use super::*;
use crate::config::Crash;
use crate::launch::Ending;
use crate::manager::{ServiceEnd, UnitState};

const WM: &str = "startxd-wm@i3.service";
const RESCUE: &str = "startxd-wm@rescue.service";
const SUPERVISOR: ClientId = ClientId(1);

fn display() -> Display {
    Display::new(0).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A session and its world: time, and the answers that a healthy manager would give.
struct World {
    session: Session,
    begin: Instant,
    now: Instant,
    /// What was asked for and not answered yet, in order.
    open: Vec<Action>,
    /// All that was ever asked for.
    all: Vec<Action>,
    jobs: u32,
    supervisors: u64,
    server: bool,
}

fn state(active: &str, sub: &str, job: Option<&str>) -> UnitState {
    UnitState { load: "loaded".into(), active: active.into(), sub: sub.into(), job: job.map(str::to_owned) }
}

fn end(result: &str, code: i32, status: i32) -> ServiceEnd {
    ServiceEnd { result: result.into(), code, status }
}

fn up() -> Observed {
    Observed { state: state("active", "running", None), end: None, never_restarts: false }
}

fn exited() -> Observed {
    Observed { state: state("active", "exited", None), end: Some(end("success", CLD_EXITED, 0)), never_restarts: false }
}

/// A service that has failed for good; `never_restarts` as a person's own unit without `Restart=`.
fn failed(code: i32, status: i32, never_restarts: bool) -> Observed {
    let result = if code == CLD_EXITED { "exit-code" } else { "core-dump" };
    Observed { state: state("failed", "failed", None), end: Some(end(result, code, status)), never_restarts }
}

fn down() -> Observed {
    Observed { state: state("inactive", "dead", None), end: None, never_restarts: false }
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
        }
    }

    /// A session with this own unit that is up: its server serves, and a window manager manages.
    fn up(setup: Setup) -> Self {
        let mut world = Self::new(setup);
        world.tell(Event::Prepared(display()));
        world.settle();
        world.ask_for_server(SUPERVISOR);
        world.settle();
        world.tell(Event::Served);
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

    /// Time goes on, and what becomes due by then is told.
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

    /// Answers everything as a healthy world does, until there is nothing open but looks, which find all units up (or down,
    /// while the session ends).
    fn settle(&mut self) {
        while let Some(action) = (!self.open.is_empty()).then(|| self.open.remove(0)) {
            for event in self.answer(&action) {
                self.tell(event);
            }
        }
    }

    /// As [`World::settle`], until one of these is asked for, which is left to the case.
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
            Action::StartTransient(order) | Action::StartRescue(order) => self.job(*order),
            Action::StartAgain(unit) | Action::StartAnew(unit) => vec![Event::StartedAgain(unit.clone(), Ok(()))],
            Action::ReplaceServer => vec![Event::ServerReplaced(Ok(()))],
            Action::Look { number, units } => {
                let observed = if ending { down() } else { up() };
                let units = units.iter().map(|unit| (unit.clone(), observed.clone())).collect();
                vec![Event::Looked(*number, Ok(Seen { units, server: None }))]
            }
            Action::Reconnect => vec![Event::Reconnected],
            Action::Fork(client) => {
                assert!(!std::mem::replace(&mut self.server, true), "two servers");
                vec![Event::Forked(*client, Ok(()))]
            }
            Action::TerminateServer | Action::KillServer if self.server => {
                self.server = false;
                vec![Event::ServerEnded(Ending::Code(0))]
            }
            Action::GiveUpServer => vec![Event::ServerGivenUp { pid: 42, state: 'D' }],
            Action::AskForDevices => vec![Event::Control(Control::Possible)],
            Action::EndApplications => vec![Event::ApplicationsEnded],
            Action::AskForDependents => vec![Event::Dependents(Ok(vec![WM.to_owned()]))],
            Action::AskWhetherManagerStops => vec![Event::ManagerStops(Ok(false))],
            Action::TakeBackFromMultiplexers => vec![Event::TakenBack],
            Action::RestoreTerminal => vec![Event::TerminalRestored],
            Action::PutBack(..) => vec![Event::PutBack],
            Action::CloseLogin => vec![Event::LoginClosed],
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

    /// A unit has changed, and a look finds it like this, with all others up.
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

    /// The next supervisor comes, as one does when a client connects.
    fn next_supervisor(&mut self) -> ClientId {
        self.supervisors += 1;
        let supervisor = ClientId(self.supervisors);
        self.ask_for_server(supervisor);
        supervisor
    }

    fn count(&self, which: impl Fn(&Action) -> bool) -> usize {
        self.all.iter().filter(|action| which(action)).count()
    }

    /// Settles, and says why the session has ended.
    fn ended(&mut self) -> Why {
        self.settle();
        self.session.why().cloned().unwrap_or_else(|| panic!("it goes on: {:?}", self.session.stage))
    }

    fn goes_on(&mut self) {
        self.settle();
        assert!(matches!(self.session.stage, Stage::Up), "it has ended: {:?}", self.session.stage);
    }
}

#[test]
fn a_start_asks_in_order_and_waits_for_nothing_that_it_does_not_need() {
    let mut world = World::new(setup(&[WM], Some(true)));
    let begin = world.tell(Event::Prepared(display()));
    let [Action::Start { order: server, unit, .. }, Action::Export, Action::WatchUnits(_)] = &begin[..] else {
        panic!("{begin:?}")
    };
    assert_eq!(unit, "xorg@0.service");
    // The supervisor is quick: the server is forked, and nothing else is started yet.
    let asked = world.tell(Event::LaunchAsked { client: SUPERVISOR, display: display(), problem: None });
    assert_eq!(asked, [Action::Fork(SUPERVISOR)]);
    assert_eq!(world.tell(Event::Forked(SUPERVISOR, Ok(()))), [Action::Watch]);
    assert_eq!(world.tell(Event::Queued(*server, Ok(JobId("/1".into())))), []);
    let exported = world.tell(Event::Exported(Ok(())));
    let [Action::Start { order: target, unit, mode: Mode::Replace }] = &exported[..] else { panic!("{exported:?}") };
    assert_eq!(unit, "xorg.target");
    let session = world.tell(Event::Queued(*target, Ok(JobId("/2".into()))));
    let [Action::Look { .. }, Action::StartTransient(_), Action::Start { unit, mode, .. }] = &session[..] else {
        panic!("{session:?}")
    };
    assert_eq!((unit.as_str(), *mode), ("wm.target", Mode::IgnoreDependencies));
}

#[test]
fn a_window_manager_is_queued_after_the_fork_and_once() {
    let is_session = |action: &Action| {
        matches!(action, Action::StartTransient(_))
            || matches!(action, Action::Start { unit, .. } if unit == "wm.target")
    };
    let mut world = World::new(setup(&[WM], Some(true)));
    world.tell(Event::Prepared(display()));
    world.settle();
    assert_eq!(world.count(is_session), 0, "no server was forked");
    world.ask_for_server(SUPERVISOR);
    world.settle();
    assert_eq!(world.count(is_session), 2);
    // Another server starts nothing anew.
    world.tell(Event::Served);
    world.server_ends(Ending::Signal(11), None);
    world.settle();
    world.next_supervisor();
    world.settle();
    assert_eq!(world.count(is_session), 2);
}

#[test]
fn units_that_wm_target_wants_come_with_it() {
    let mut world = World::up(setup(&["a.service", "b.service"], None));
    let own = |action: &Action| matches!(action, Action::Start { unit, .. } if unit == "a.service");
    assert_eq!(world.count(own), 0);
    let wm = |action: &&Action| matches!(action, Action::Start { unit, .. } if unit == "wm.target");
    let wm = world.all.iter().find(wm);
    assert!(matches!(wm, Some(Action::Start { mode: Mode::Replace, .. })));
    let watched = world.all.iter().find(|action| matches!(action, Action::WatchUnits(_)));
    assert_eq!(watched, Some(&Action::WatchUnits(vec!["a.service".into(), "b.service".into()])));
    // One of two that ends is not the session's end; the last one is.
    world.unit("a.service", exited());
    world.goes_on();
    let look = world.tell(Event::Changed("b.service".into()));
    let Some(Action::Look { number, .. }) = look.first() else { panic!("{look:?}") };
    let units = vec![("a.service".to_owned(), exited()), ("b.service".to_owned(), exited())];
    world.tell(Event::Looked(*number, Ok(Seen { units, server: None })));
    assert_eq!(world.ended(), Why::LoggedOut);
}

#[test]
fn the_window_manager_that_is_known_decides_alone() {
    let mut world = World::up(setup(&["a.service", "b.service"], None));
    world.tell(Event::WindowManagerUnit("b.service".into()));
    world.tell(Event::WindowManagerUnit("firefox.scope".into()));
    world.unit("a.service", failed(CLD_EXITED, 1, false));
    world.goes_on();
    world.unit("b.service", exited());
    assert_eq!(world.ended(), Why::LoggedOut);
}

#[test]
fn what_the_end_of_a_window_manager_means() {
    let not_executed = failed(CLD_EXITED, 203, false);
    let gone = |end: ServiceEnd| Why::SessionFailed { unit: WM.into(), end };
    for (observed, why) in [
        (exited(), Some(Why::LoggedOut)),
        (down(), Some(Why::LoggedOut)),
        (up(), None),
        (restarting(), None),
        // systemd has given it up.
        (failed(CLD_DUMPED, 11, false), Some(gone(end("core-dump", CLD_DUMPED, 11)))),
        (failed(CLD_EXITED, 1, false), Some(gone(end("exit-code", CLD_EXITED, 1)))),
        (not_executed, Some(gone(end("exit-code", CLD_EXITED, 203)))),
    ] {
        let mut world = World::ours();
        world.unit(WM, observed.clone());
        match why {
            Some(why) => assert_eq!(world.ended(), why, "{observed:?}"),
            None => world.goes_on(),
        }
        assert_eq!(world.count(|action| matches!(action, Action::StartAgain(_))), 0, "{observed:?}");
    }
}

#[test]
fn a_persons_own_unit_without_restart_comes_back_three_times_in_a_minute() {
    let again = |world: &World| world.count(|action| matches!(action, Action::StartAgain(_)));
    let mut world = World::up(setup(&["i3.service"], None));
    for count in 1..=3 {
        world.unit("i3.service", failed(CLD_KILLED, 9, true));
        world.goes_on();
        assert_eq!(again(&world), count);
    }
    world.unit("i3.service", failed(CLD_KILLED, 9, true));
    assert!(matches!(world.ended(), Why::SessionFailed { .. }));
    assert_eq!(again(&world), 3, "the limit is three");

    // Spread over more than a minute each counts alone.
    let mut world = World::up(setup(&["i3.service"], None));
    for count in 1..=9 {
        world.unit("i3.service", failed(CLD_KILLED, 9, true));
        world.goes_on();
        assert_eq!(again(&world), count);
        world.pass(seconds(25));
    }

    // With a policy of its own it is systemd's; so is a program that cannot be executed.
    for (observed, count) in [(failed(CLD_KILLED, 9, false), 0), (failed(CLD_EXITED, 203, true), 0)] {
        let mut world = World::up(setup(&["i3.service"], None));
        world.unit("i3.service", observed);
        assert!(matches!(world.ended(), Why::SessionFailed { .. }));
        assert_eq!(again(&world), count);
    }
}

#[test]
fn a_unit_that_is_being_started_again_is_not_judged_meanwhile() {
    let mut world = World::up(setup(&["i3.service"], None));
    let first = world.unit("i3.service", failed(CLD_KILLED, 9, true));
    assert_eq!(first, [Action::StartAgain("i3.service".into())]);
    // What is told before the answer is what was.
    for _ in 0..5 {
        assert_eq!(world.unit("i3.service", failed(CLD_KILLED, 9, true)), []);
    }
    world.goes_on();
    assert_eq!(world.count(|action| matches!(action, Action::StartAgain(_))), 1);

    // The same for one that has lost its server.
    let dying = Some(ServerSeen { number: 1, is_ending: true });
    let mut world = World::ours();
    assert_eq!(world.unit_with(WM, failed(CLD_EXITED, 1, false), dying), [Action::StartAgain(WM.into())]);
    assert_eq!(world.unit_with(WM, failed(CLD_EXITED, 1, false), dying), []);
    world.goes_on();
}

#[test]
fn a_unit_on_its_way_back_is_said_once_and_a_target_on_its_way_up_is_no_end() {
    let mut world = World::ours();
    assert_eq!(world.unit(WM, restarting()), []);
    assert_eq!(world.session.units.said(), [WM]);
    assert_eq!(world.unit(WM, restarting()), []);
    assert_eq!(world.session.units.said(), [WM]);
    // Neither does an answer that nobody waits for mean anything, whatever it says.
    assert_eq!(world.tell(Event::Looked(99, Ok(Seen { units: vec![(WM.into(), exited())], server: None }))), []);
    assert_eq!(world.tell(Event::Queued(Order(99), Ok(JobId("/99".into())))), []);
    // What cannot be asked for just now is looked at on the next connection.
    let mut world = World::up(setup(&["i3.service"], None));
    world.unit("i3.service", failed(CLD_KILLED, 9, true));
    let actions = world.tell(Event::StartedAgain("i3.service".into(), Err(disconnected())));
    assert!(matches!(actions[..], [Action::Look { .. }]), "{actions:?}");

    let mut world = World::new(setup(&[WM], Some(true)));
    world.tell(Event::Prepared(display()));
    world.settle();
    world.ask_for_server(SUPERVISOR);
    world.settle();
    world.tell(Event::Managed);
    let Action::Look { number, units } = world.settle_until(|action| matches!(action, Action::Look { .. })) else {
        panic!()
    };
    let waits = |unit: String| {
        let observed = if unit == names::WM_READY_TARGET { down() } else { up() };
        (unit, observed)
    };
    let units: Vec<_> = units.into_iter().map(waits).collect();
    assert!(units.iter().any(|(unit, _)| unit == names::WM_READY_TARGET));
    assert_eq!(world.tell(Event::Looked(number, Ok(Seen { units, server: None }))), []);
    world.goes_on();
}

#[test]
fn a_service_that_systemd_cannot_read_again_is_made_anew_once() {
    let forgotten = Observed {
        state: UnitState { load: "not-found".into(), ..state("failed", "failed", None) },
        ..failed(CLD_DUMPED, 11, false)
    };
    let mut world = World::ours();
    assert_eq!(world.unit(WM, forgotten.clone()), [Action::StartAgain(WM.into())]);
    let anew = world.tell(Event::StartedAgain(WM.into(), Err(refused("bad setting"))));
    assert_eq!(anew, [Action::StartAnew(WM.into())]);
    let given_up = world.tell(Event::StartedAgain(WM.into(), Err(refused("bad setting"))));
    assert!(matches!(given_up[..], [Action::Look { .. }]), "{given_up:?}");
    // A script, which is not to be restarted, is left.
    let mut world = World::up(setup(&[WM], Some(false)));
    world.unit(WM, forgotten);
    assert!(matches!(world.ended(), Why::SessionFailed { .. }));
}

#[test]
fn a_stop_that_somebody_asked_for_is_a_logout_however_the_unit_ends() {
    // i3 exits with 143 when it is told to end.
    for observed in [failed(CLD_EXITED, 143, true), failed(CLD_KILLED, 9, true), down()] {
        let mut world = World::up(setup(&["i3.service"], None));
        world.tell(Event::UnitStopAsked("i3.service".into()));
        world.unit("i3.service", Observed { state: state("deactivating", "stop-sigterm", Some("stop")), ..up() });
        world.goes_on();
        world.unit("i3.service", observed);
        assert_eq!(world.ended(), Why::LoggedOut);
    }
    // One that was stopped and is up again may crash as any other.
    let mut world = World::up(setup(&["i3.service"], None));
    world.tell(Event::UnitStopAsked("i3.service".into()));
    world.unit("i3.service", up());
    world.unit("i3.service", failed(CLD_EXITED, 143, true));
    world.goes_on();
    assert_eq!(world.count(|action| matches!(action, Action::StartAgain(_))), 1);
    // Nobody's else's stop counts.
    world.tell(Event::UnitStopAsked("firefox.service".into()));
    world.unit("i3.service", failed(CLD_EXITED, 1, true));
    world.goes_on();
}

#[test]
fn want_of_memory_is_no_logout_although_the_program_exits_with_0() {
    let killed = Observed {
        state: state("failed", "failed", None),
        end: Some(end("oom-kill", CLD_EXITED, 0)),
        never_restarts: false,
    };
    let mut world = World::ours();
    world.unit(WM, killed);
    let why = world.ended();
    assert!(matches!(&why, Why::SessionFailed { end, .. } if end.is_out_of_memory()), "{why:?}");
    assert!(why.to_string().contains("out of memory"), "{why}");
    // The same where its own policy starts it again.
    let mut world = World::up(setup(&["i3.service"], None));
    let end = end("oom-kill", CLD_EXITED, 0);
    world.tell(Event::Restarts { unit: "i3.service".into(), end, server: None });
    world.goes_on();
}

#[test]
fn a_restart_by_its_own_policy_is_a_logout_if_it_was_left() {
    let restarts = |end: ServiceEnd, server| Event::Restarts { unit: "i3.service".into(), end, server };
    let serving = Some(ServerSeen { number: 1, is_ending: false });
    let mut world = World::up(setup(&["i3.service"], None));
    world.tell(restarts(end("core-dump", CLD_DUMPED, 11), serving));
    world.goes_on();
    world.tell(restarts(end("success", CLD_EXITED, 0), Some(ServerSeen { number: 1, is_ending: true })));
    world.goes_on();
    world.tell(restarts(end("success", CLD_EXITED, 0), serving));
    assert_eq!(world.ended(), Why::LoggedOut);
}

#[test]
fn the_rescue_command_takes_over_once_and_the_session_fails_all_the_same() {
    let mut with_rescue = setup(&[WM], Some(true));
    with_rescue.policy.crash.rescue = vec!["xterm".into()];
    let crash = failed(CLD_DUMPED, 11, false);
    let first = Why::SessionFailed { unit: WM.into(), end: end("core-dump", CLD_DUMPED, 11) };

    let mut world = World::up(with_rescue.clone());
    let rescued = world.unit(WM, crash.clone());
    assert!(matches!(rescued[..], [Action::StartRescue(_)]), "{rescued:?}");
    world.goes_on();
    // The window manager that failed is of no interest any more.
    assert_eq!(world.unit(WM, exited()), []);
    world.unit(RESCUE, exited());
    assert_eq!(world.ended(), first);

    // A rescue command that fails, or cannot be started, is not rescued.
    let mut world = World::up(with_rescue.clone());
    world.unit(WM, crash.clone());
    world.settle();
    world.unit(RESCUE, failed(CLD_EXITED, 1, false));
    assert_eq!(world.ended(), first);
    let mut world = World::up(with_rescue.clone());
    let rescued = world.unit(WM, crash);
    let Some(Action::StartRescue(order)) = rescued.first() else { panic!("{rescued:?}") };
    world.open.clear();
    world.tell(Event::Queued(*order, Err(refused("no such program"))));
    assert_eq!(world.ended(), first);

    // A logout needs no rescue.
    let mut world = World::up(with_rescue);
    world.unit(WM, exited());
    assert_eq!(world.ended(), Why::LoggedOut);
    assert_eq!(world.count(|action| matches!(action, Action::StartRescue(_))), 0);
}

#[test]
fn a_start_job_that_fails_ends_the_session_with_how_its_program_ended() {
    let own_end = end("exit-code", CLD_EXITED, 1);
    for (end, why) in [
        (Some(own_end.clone()), Why::SessionFailed { unit: WM.into(), end: own_end }),
        (None, Why::NotStarted { unit: WM.into(), why: "its start job ended with \"dependency\"".into() }),
    ] {
        // Also if the job ends before its answer is there.
        for early in [false, true] {
            let mut world = World::new(setup(&[WM], Some(true)));
            world.tell(Event::Prepared(display()));
            world.settle();
            world.ask_for_server(SUPERVISOR);
            world.open.clear();
            world.server = true;
            let actions = world.tell(Event::Forked(SUPERVISOR, Ok(())));
            let [Action::Watch, Action::StartTransient(order), _] = &actions[..] else { panic!("{actions:?}") };
            let job = JobId("/own".into());
            let done = Event::JobDone { job: job.clone(), result: "dependency".into(), end: end.clone() };
            let mut events = vec![Event::Queued(*order, Ok(job)), done];
            if early {
                events.reverse();
            }
            for event in events {
                world.tell(event);
            }
            assert_eq!(world.ended(), why);
        }
    }
}

#[test]
fn what_cannot_be_started_ends_the_session() {
    let mut world = World::new(setup(&[WM], Some(true)));
    let actions = world.tell(Event::Prepared(display()));
    let Some(Action::Start { order, .. }) = actions.first() else { panic!("{actions:?}") };
    world.open.clear();
    world.tell(Event::Queued(*order, Err(refused("masked"))));
    assert_eq!(world.ended(), Why::NotStarted { unit: "xorg@0.service".into(), why: "masked".into() });

    let mut world = World::new(setup(&[WM], Some(true)));
    world.tell(Event::Prepared(display()));
    world.open.clear();
    world.tell(Event::Exported(Err(refused("no"))));
    assert_eq!(world.ended(), Why::NotExported("no".into()));

    // wm-ready.target is not the session.
    let mut world = World::ours();
    world.session.units = {
        let mut units = units::Units::new(setup(&[WM], Some(true)).policy);
        units.count(WM);
        units
    };
    let actions = world.tell(Event::Managed);
    let Some(Action::Start { order, unit, .. }) = actions.first() else { panic!("{actions:?}") };
    assert_eq!(unit, "wm-ready.target");
    world.open.clear();
    world.tell(Event::Queued(*order, Err(refused("masked"))));
    world.goes_on();
}

#[test]
fn a_server_that_crashes_comes_back_three_times_after_growing_pauses() {
    let mut world = World::ours();
    for (count, pause) in [(1, 0), (2, 1), (3, 2)] {
        world.server_ends(Ending::Signal(11), Some("the X server was ended by SIGSEGV"));
        world.goes_on();
        let supervisor = world.next_supervisor();
        if pause > 0 {
            assert_eq!(world.all.last(), Some(&Action::Reply(supervisor, Reply::Later)));
            world.pass(seconds(pause) - Duration::from_millis(1));
            assert_eq!(world.all.last(), Some(&Action::Reply(supervisor, Reply::Later)), "not before its time");
            world.pass(Duration::from_millis(1));
        }
        world.settle();
        assert_eq!(world.count(|action| matches!(action, Action::Fork(_))), 1 + count);
        world.tell(Event::Served);
    }
    world.server_ends(Ending::Signal(11), Some("its last lines"));
    let why = Why::ServerFailed { ending: Some(Ending::Signal(11)), words: "its last lines".into() };
    assert_eq!(world.ended(), why);
}

#[test]
fn a_server_that_never_served_does_not_come_back() {
    let mut world = World::new(setup(&[WM], Some(true)));
    world.tell(Event::Prepared(display()));
    world.settle();
    world.ask_for_server(SUPERVISOR);
    world.settle();
    world.server_ends(Ending::Code(1), Some("no screens found"));
    let why = Why::ServerFailed { ending: Some(Ending::Code(1)), words: "no screens found".into() };
    assert_eq!(world.ended(), why);
}

#[test]
fn a_server_that_is_told_to_end_comes_back_at_once_and_does_not_count() {
    let mut world = World::ours();
    for _ in 0..9 {
        world.server_ends(Ending::Code(0), None);
        world.goes_on();
        world.next_supervisor();
        world.settle();
        world.tell(Event::Served);
    }
    assert_eq!(world.count(|action| matches!(action, Action::Fork(_))), 10);
    // One that its supervisor gave up was told to end, too, and counts.
    for _ in 0..3 {
        world.server_ends(Ending::Code(0), Some("it hung"));
        world.goes_on();
        world.next_supervisor();
        world.pass(seconds(5));
        world.tell(Event::Served);
    }
    world.server_ends(Ending::Code(0), Some("it hung"));
    assert!(matches!(world.ended(), Why::ServerFailed { .. }));
}

#[test]
fn the_supervisors_last_words_are_waited_for_and_not_for_ever() {
    let mut world = World::ours();
    for _ in 0..4 {
        world.server_ends(Ending::Signal(6), None);
        world.settle();
        world.next_supervisor();
        world.pass(seconds(5));
        world.tell(Event::Served);
        if world.session.over() {
            break;
        }
    }
    // The fourth was too many, and had no words.
    assert_eq!(world.ended(), Why::ServerFailed { ending: Some(Ending::Signal(6)), words: String::new() });

    // A supervisor that stays and says nothing: its time is over.
    let mut world = World::ours();
    world.tell(Event::ServerEnded(Ending::Signal(6)));
    world.server = false;
    assert!(world.session.server.is_undecided());
    // Meanwhile the window manager fails. It is judged after that, as one that was lost with its server.
    assert_eq!(world.tell(Event::Changed(WM.into())), []);
    world.pass(seconds(4));
    assert!(world.session.server.is_undecided());
    world.pass(seconds(1));
    assert!(!world.session.server.is_undecided());
    world.goes_on();
}

#[test]
fn a_server_whose_program_cannot_be_executed_is_said() {
    let mut world = World::new(setup(&[WM], Some(true)));
    let actions = world.tell(Event::Prepared(display()));
    let Some(Action::Start { order, .. }) = actions.first().cloned() else { panic!("{actions:?}") };
    world.tell(Event::LaunchAsked { client: SUPERVISOR, display: display(), problem: None });
    world.open.clear();
    let actions = world.tell(Event::Forked(SUPERVISOR, Err("it cannot be executed".into())));
    assert_eq!(actions, [Action::Refuse(SUPERVISOR, "it cannot be executed".into())]);
    world.tell(Event::Queued(order, Ok(JobId("/x".into()))));
    world.tell(Event::JobDone { job: JobId("/x".into()), result: "failed".into(), end: None });
    assert_eq!(world.ended(), Why::ServerFailed { ending: None, words: "it cannot be executed".into() });
}

#[test]
fn a_socket_that_did_not_come_up_is_said() {
    let mut world = World::new(setup(&[WM], Some(true)));
    let actions = world.tell(Event::Prepared(display()));
    let Some(Action::Start { order, .. }) = actions.first().cloned() else { panic!("{actions:?}") };
    world.tell(Event::Queued(order, Ok(JobId("/x".into()))));
    let result = "dependency: xorg@0.socket failed (resources)".to_owned();
    world.tell(Event::JobDone { job: JobId("/x".into()), result, end: None });
    assert_eq!(world.ended(), Why::ServerFailed { ending: None, words: "xorg@0.socket failed (resources)".into() });
}

#[test]
fn who_was_lost_with_a_server_is_started_again_once() {
    let dying = Some(ServerSeen { number: 1, is_ending: true });
    let serving = Some(ServerSeen { number: 1, is_ending: false });
    for (observed, server, again) in [
        (failed(CLD_EXITED, 1, false), dying, true),
        // Openbox exits with 0 or 1, whichever it feels like, when its display goes.
        (exited(), dying, true),
        (restarting(), dying, true),
        (exited(), serving, false),
        (failed(CLD_EXITED, 1, false), serving, false),
    ] {
        let mut world = World::ours();
        world.unit_with(WM, observed.clone(), server);
        let count = world.count(|action| matches!(action, Action::StartAgain(_)));
        assert_eq!(count, usize::from(again), "{observed:?} {server:?}");
        if !again {
            continue;
        }
        // What fails with the same server once more fails by itself.
        world.settle();
        world.unit_with(WM, failed(CLD_EXITED, 1, false), dying);
        assert!(matches!(world.ended(), Why::SessionFailed { .. }));
    }
}

#[test]
fn who_notices_the_crash_after_the_next_server_came_is_not_taken_for_a_failure() {
    let next = Some(ServerSeen { number: 2, is_ending: false });
    let mut world = World::ours();
    world.server_ends(Ending::Signal(11), None);
    world.next_supervisor();
    world.settle();
    world.tell(Event::Served);
    world.unit_with(WM, failed(CLD_EXITED, 1, false), next);
    world.goes_on();
    assert_eq!(world.count(|action| matches!(action, Action::StartAgain(_))), 1);
    // What exits with 0 while there is a display was left.
    world.unit_with(WM, exited(), next);
    assert_eq!(world.ended(), Why::LoggedOut);

    // Also by a window manager that has not been started again since: it survived its server's end.
    let mut world = World::ours();
    world.server_ends(Ending::Signal(11), None);
    world.next_supervisor();
    world.settle();
    world.tell(Event::Served);
    world.unit_with(WM, exited(), next);
    assert_eq!(world.ended(), Why::LoggedOut);
}

#[test]
fn a_supervisor_that_is_killed_takes_its_server_along() {
    let mut world = World::ours();
    let actions = world.tell(Event::ClientGone(SUPERVISOR));
    assert_eq!(actions, [Action::TerminateServer]);
    world.goes_on();
    world.next_supervisor();
    world.settle();
    assert_eq!(world.count(|action| matches!(action, Action::Fork(_))), 2);
}

#[test]
fn requests_that_are_none_of_ours_are_refused_with_the_reason() {
    let mut world = World::ours();
    let other = ClientId(99);
    let ask = |display: &str, problem: Option<&str>| Event::LaunchAsked {
        client: other,
        display: Display::parse(display).unwrap(),
        problem: problem.map(str::to_owned),
    };
    for (event, reason) in [
        (ask(":1", None), "this session's display is :0, not :1"),
        (ask(":0", Some("a socket does not listen")), "its server runs already"),
        (Event::LastWords(other, "boo".into()), "only the supervisor of the server can tell of its end"),
    ] {
        assert_eq!(world.tell(event), [Action::Refuse(other, reason.to_owned())]);
    }
    world.goes_on();
    // While none runs, wrong descriptors are what is wrong.
    world.server_ends(Ending::Code(0), None);
    world.settle();
    let reason = "a socket does not listen";
    assert_eq!(world.tell(ask(":0", Some(reason))), [Action::Refuse(other, reason.to_owned())]);
    world.next_supervisor();
    world.settle();
    // While one waits, no other one slips in before it.
    world.tell(Event::Control(Control::Lost("systemd-logind was restarted")));
    world.server_ends(Ending::Code(0), None);
    world.open.clear();
    let first = world.next_supervisor();
    assert_eq!(world.all.last(), Some(&Action::Reply(first, Reply::Later)));
    assert!(matches!(world.tell(ask(":0", None))[..], [Action::Refuse(..)]));
    // Nor while one is just being forked.
    let mut starting = World::new(setup(&[WM], Some(true)));
    starting.tell(Event::Prepared(display()));
    starting.ask_for_server(SUPERVISOR);
    let second = starting.tell(ask(":0", None));
    assert!(matches!(&second[..], [Action::Refuse(client, _)] if *client == other), "{second:?}");
    // One that goes makes place.
    world.tell(Event::ClientGone(first));
    assert_eq!(world.tell(ask(":0", None)), [Action::Reply(other, Reply::Later)]);
}

#[test]
fn a_server_that_lost_its_devices_is_replaced_when_the_next_one_gets_them() {
    let mut world = World::ours();
    assert_eq!(world.tell(Event::Control(Control::Lost("logind was restarted"))), []);
    assert_eq!(world.tell(Event::Control(Control::Possible)), [Action::ReplaceServer]);
    assert_eq!(world.tell(Event::Control(Control::Possible)), [], "once");
    world.goes_on();
    // One that is still starting is replaced once it serves.
    world.server_ends(Ending::Code(0), None);
    world.next_supervisor();
    world.settle();
    world.session.server = {
        let mut server = display::Server::default();
        server.forked(SUPERVISOR);
        server
    };
    world.tell(Event::Control(Control::Lost("logind was restarted")));
    assert_eq!(world.tell(Event::Control(Control::Possible)), []);
    assert_eq!(world.tell(Event::Served), [Action::ReplaceServer]);
    world.tell(Event::ServerReplaced(Err(refused("masked"))));
    assert_eq!(world.ended(), Why::NotStarted { unit: "xorg@0.service".into(), why: "masked".into() });

    let mut world = World::ours();
    world.tell(Event::Control(Control::Gone("no answer".into())));
    assert_eq!(world.ended(), Why::LogindLost("no answer".into()));
}

#[test]
fn a_locked_session_gets_no_other_server_and_its_login_is_closed() {
    let forks = |world: &World| world.count(|action| matches!(action, Action::Fork(_)));
    let closes = |world: &World| world.count(|action| matches!(action, Action::CloseLogin));
    // A crash, a server that is told to end (a restart of its unit, Ctrl+Alt+Backspace), a supervisor that is killed.
    for ending in [Ending::Signal(11), Ending::Code(0), Ending::Code(1)] {
        let mut world = World::ours();
        assert_eq!(world.tell(Event::LockedHint(true)), [Action::NoteClosing(true)]);
        world.server_ends(ending, None);
        world.next_supervisor();
        assert_eq!(world.ended(), Why::Closed(Some(ending)));
        assert_eq!((forks(&world), closes(&world)), (1, 1));
        assert_eq!(world.all.last(), Some(&Action::CloseLogin), "nothing comes after it");
    }
    // Its devices are lost: the server would be replaced.
    let mut world = World::ours();
    world.tell(Event::LockedHint(true));
    world.tell(Event::Control(Control::Lost("systemd-logind was restarted")));
    assert_eq!(world.ended(), Why::Closed(None));
    assert_eq!((world.count(|action| *action == Action::ReplaceServer), closes(&world)), (0, 1));
    // Locked in the moment of the crash, and heard of after it: at once, or from logind before the next server comes.
    for settled in [false, true] {
        let mut world = World::ours();
        world.server_ends(Ending::Signal(11), None);
        if settled {
            world.settle_until(|action| *action == Action::AskForDevices);
        }
        world.next_supervisor();
        world.tell(Event::LockedHint(true));
        world.tell(Event::Control(Control::Possible));
        assert_eq!(world.ended(), Why::Closed(None), "{settled}");
        assert_eq!((forks(&world), closes(&world)), (1, 1), "{settled}");
    }
    // However it ends while it is locked, the shell below is not left open.
    let mut world = World::ours();
    world.tell(Event::LockedHint(true));
    world.tell(Event::StopAsked(ClientId(7)));
    assert_eq!((world.ended(), closes(&world)), (Why::Asked, 1));
    let mut world = World::ours();
    world.tell(Event::StopAsked(ClientId(7)));
    world.tell(Event::LockedHint(true));
    assert_eq!((world.ended(), closes(&world)), (Why::Asked, 1));
    // The window manager's crash leaves server and locker alone.
    let mut world = World::up(setup(&["i3.service"], None));
    world.tell(Event::LockedHint(true));
    world.unit("i3.service", failed(CLD_KILLED, 9, true));
    world.goes_on();
}

#[test]
fn an_unlocking_that_the_servers_end_has_made_does_not_count() {
    // What the locker's end has its starter say before the server's end is heard of.
    for answered in [false, true] {
        let mut world = World::ours();
        world.tell(Event::LockedHint(true));
        assert_eq!(world.tell(Event::LockedHint(false)), [Action::LookAtServer(1)]);
        world.open.clear();
        if answered {
            world.tell(Event::ServerLooked(1, Some(ServerSeen { number: 1, is_ending: true })));
        }
        world.server_ends(Ending::Signal(11), None);
        assert_eq!(world.ended(), Why::Closed(Some(Ending::Signal(11))), "{answered}");
    }
    // A person's counts: then a crash is one as any other, and a logout leaves the shell alone.
    let mut world = World::ours();
    world.tell(Event::LockedHint(true));
    world.tell(Event::LockedHint(false));
    world.settle();
    assert_eq!(world.count(|action| *action == Action::NoteClosing(false)), 1);
    world.server_ends(Ending::Signal(11), None);
    world.goes_on();
    world.next_supervisor();
    world.settle();
    assert_eq!(world.count(|action| matches!(action, Action::Fork(_))), 2);
    world.unit(WM, exited());
    assert_eq!(world.ended(), Why::LoggedOut);
    assert_eq!(world.count(|action| *action == Action::CloseLogin), 0);
}

#[test]
fn a_login_of_its_own_ends_with_the_session_once_that_was_up() {
    let notes = |world: &World| world.count(|action| *action == Action::NoteClosing(true));
    let mut login = setup(&[WM], Some(true));
    login.is_login = true;
    let mut world = World::up(login.clone());
    assert_eq!((notes(&world), world.session.course.was_up()), (1, true));
    // The shell does that, unless the host is killed before.
    world.unit(WM, exited());
    assert_eq!(world.ended(), Why::LoggedOut);
    assert_eq!(world.count(|action| *action == Action::CloseLogin), 0);
    // One that never was up leaves the shell, with the reason.
    let mut world = World::new(login);
    world.tell(Event::Prepared(display()));
    world.settle();
    world.ask_for_server(SUPERVISOR);
    world.settle();
    world.tell(Event::Served);
    world.unit(WM, failed(CLD_EXITED, 1, false));
    assert!(matches!(world.ended(), Why::SessionFailed { .. }));
    assert_eq!((notes(&world), world.session.course.was_up()), (0, false));
    // A program without a window manager is up when nobody waits for one any more.
    let mut world = World::new(setup(&[WM], Some(true)));
    world.tell(Event::Prepared(display()));
    world.settle();
    world.ask_for_server(SUPERVISOR);
    world.settle();
    world.tell(Event::Served);
    assert!(!world.session.course.was_up());
    world.tell(Event::Unmanaged);
    assert!(world.session.course.was_up());
}

#[test]
fn what_ends_before_anything_managed_the_display_is_no_logout() {
    let begun = |setup: Setup| {
        let mut world = World::new(setup);
        world.tell(Event::Prepared(display()));
        world.settle();
        world.ask_for_server(SUPERVISOR);
        world.settle();
        world.tell(Event::Served);
        world
    };
    let script = || setup(&[WM], Some(false));
    let second = seconds(1);
    // `openbox &` and nothing behind it.
    let mut world = begun(script());
    world.pass(second);
    world.unit(WM, exited());
    assert_eq!(world.ended(), Why::NeverUp { what: "i3".into(), after: second });
    assert_eq!(world.session.standing(), Standing::NeverUp);
    // A command that was given for this once, somebody's stop, and `startxd stop` were asked for.
    let mut world = begun(Setup { asked_for: true, ..script() });
    world.unit(WM, exited());
    assert_eq!(world.ended(), Why::LoggedOut);
    let mut world = begun(script());
    world.tell(Event::UnitStopAsked(WM.into()));
    world.unit(WM, down());
    assert_eq!(world.ended(), Why::LoggedOut);
    let mut world = begun(script());
    world.tell(Event::StopAsked(ClientId(7)));
    assert_eq!(world.ended(), Why::Asked);
    // A window manager that says nothing on the display, and a program without one, when nobody waits for one any more.
    let mut started = script();
    started.policy.ready_when_started = true;
    let mut world = begun(started);
    world.unit(WM, up());
    world.unit(WM, exited());
    assert_eq!(world.ended(), Why::LoggedOut);
    let mut world = begun(script());
    world.tell(Event::Unmanaged);
    world.unit(WM, exited());
    assert_eq!(world.ended(), Why::LoggedOut);
    // A user manager that exits is why, here too.
    let mut world = begun(script());
    world.unit(WM, exited());
    world.settle_until(|action| matches!(action, Action::AskWhetherManagerStops));
    world.tell(Event::ManagerStops(Ok(true)));
    assert_eq!(world.ended(), Why::ManagerLost("it exits".into()));
}

#[test]
fn a_logout_within_seconds_is_one_and_is_told_apart() {
    for (after, standing) in [(0, Standing::Brief), (2, Standing::Brief), (3, Standing::Lasted)] {
        let mut world = World::ours();
        world.pass(seconds(after));
        world.unit(WM, exited());
        assert_eq!((world.ended(), world.session.standing()), (Why::LoggedOut, standing), "{after}");
        let told = world.all.iter().find_map(|action| match action {
            Action::PutBack(_, last) => Some(last.standing),
            _ => None,
        });
        assert_eq!(told, Some(standing));
    }
}

#[test]
fn whoever_stops_a_target_ends_the_session() {
    for target in ["xorg.target", "wm.target", "wm-ready.target"] {
        for observed in [down(), Observed { state: state("active", "active", Some("stop")), ..up() }] {
            let mut world = World::ours();
            world.unit(target, observed);
            assert!(matches!(world.ended(), Why::TargetStopped(stopped) if stopped == target), "{target}");
        }
    }
    // A target that takes the window manager along is what was stopped.
    let mut world = World::ours();
    let look = world.tell(Event::Changed("wm.target".into()));
    let Some(Action::Look { number, .. }) = look.first() else { panic!("{look:?}") };
    let units = vec![(WM.to_owned(), failed(CLD_KILLED, 15, false)), ("wm.target".to_owned(), down())];
    world.tell(Event::Looked(*number, Ok(Seen { units, server: None })));
    assert_eq!(world.ended(), Why::TargetStopped("wm.target"));
    // The rescue command's session has its targets, too.
    let mut with_rescue = setup(&[WM], Some(true));
    with_rescue.policy.crash.rescue = vec!["xterm".into()];
    let mut world = World::up(with_rescue);
    world.unit(WM, failed(CLD_DUMPED, 11, false));
    world.settle();
    world.unit("xorg.target", down());
    assert_eq!(world.ended(), Why::TargetStopped("xorg.target"));
}

#[test]
fn a_window_manager_that_says_nothing_is_ready_when_it_is_started_if_that_is_configured() {
    let ready = |action: &Action| matches!(action, Action::Start { unit, .. } if unit == "wm-ready.target");
    for (ready_when_started, count) in [(false, 0), (true, 1)] {
        let mut setup = setup(&[WM], Some(true));
        setup.policy.ready_when_started = ready_when_started;
        let mut world = World::new(setup);
        world.tell(Event::Prepared(display()));
        world.settle();
        world.ask_for_server(SUPERVISOR);
        world.settle();
        world.unit(WM, up());
        assert_eq!(world.count(ready), count);
        world.tell(Event::Unmanaged);
        world.tell(Event::Managed);
        world.tell(Event::Managed);
        assert_eq!(world.count(ready), 1, "once");
        world.goes_on();
    }
}

#[test]
fn the_manager_may_come_back_and_may_be_gone() {
    let mut world = World::ours();
    assert!(matches!(world.tell(Event::Reconnected)[..], [Action::Look { .. }]));
    world.goes_on();
    // A look that found nobody is made up for by the next connection, one that was not answered is repeated.
    let look = world.tell(Event::Changed(WM.into()));
    let Some(Action::Look { number, .. }) = look.first().cloned() else { panic!("{look:?}") };
    world.open.clear();
    assert_eq!(world.tell(Event::Looked(number, Err(disconnected()))), []);
    assert!(matches!(world.tell(Event::Reconnected)[..], [Action::Look { .. }]));
    world.open.clear();
    assert!(matches!(world.tell(Event::Looked(number + 1, Err(silent())))[..], [Action::Look { .. }]));
    world.goes_on();
    world.tell(Event::ManagerGone("its process has ended".into()));
    assert_eq!(world.ended(), Why::ManagerLost("its process has ended".into()));
    assert!(matches!(world.all.last(), Some(Action::PutBack(ManagerState::Gone, _))), "{:?}", world.all.last());
    assert_eq!(world.count(|action| matches!(action, Action::TerminateServer)), 1, "the server ends all the same");
}

#[test]
fn a_manager_that_exits_is_why_its_units_stopped() {
    for (event, why) in [
        (Event::ManagerStops(Ok(true)), Why::ManagerLost("it exits".into())),
        (Event::ManagerStops(Ok(false)), Why::LoggedOut),
        (Event::ManagerGone("its process has ended".into()), Why::ManagerLost("its process has ended".into())),
    ] {
        let mut world = World::ours();
        world.unit(WM, exited());
        while let Some(at) = world.open.iter().position(|action| !matches!(action, Action::AskWhetherManagerStops)) {
            let action = world.open.remove(at);
            for event in world.answer(&action) {
                world.tell(event);
            }
        }
        world.open.clear();
        world.tell(event);
        assert_eq!(world.ended(), why);
    }
}

/// The actions of an end in which everybody answers.
fn asked_at_the_end(why: Event) -> Vec<Action> {
    let mut world = World::ours();
    let before = world.all.len();
    world.tell(why);
    world.ended();
    world.all.split_off(before)
}

#[test]
fn an_end_has_its_order() {
    let actions = asked_at_the_end(Event::Interrupt("SIGTERM"));
    let kinds: Vec<String> = actions.iter().map(|action| format!("{action:?}")).collect();
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.split([' ', '(']).next().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "TakeBackFromMultiplexers",
            "EndApplications",
            "AskForDependents",
            "Start",
            "EndApplications",
            "Look",
            "Look",
            "TerminateServer",
            "Reply",
            "RestoreTerminal",
            "PutBack",
        ]
    );
    let shutdown = |action: &&Action| matches!(action, Action::Start { unit, mode: Mode::ReplaceIrreversibly, .. } if unit == "startxd-shutdown.target");
    assert_eq!(actions.iter().filter(shutdown).count(), 1);
}

#[test]
fn units_that_know_nothing_of_the_display_go_before_it() {
    let mut world = World::up(setup(&["a.service"], None));
    let before = world.all.len();
    world.tell(Event::Interrupt("SIGTERM"));
    world.ended();
    let stopped = |action: &Action| match action {
        Action::Stop { unit, .. } | Action::Start { unit, .. } => Some(unit.clone()),
        _ => None,
    };
    let stopped: Vec<String> = world.all[before..].iter().filter_map(stopped).collect();
    assert_eq!(stopped, ["wm-ready.target", "a.service", "startxd-shutdown.target"]);
}

#[test]
fn what_is_left_after_the_shutdown_target_is_stopped() {
    let mut world = World::ours();
    world.tell(Event::Interrupt("SIGTERM"));
    loop {
        let action = world.open.remove(0);
        if let Action::Look { number, units } = &action {
            assert_eq!(units, &["startxd-shutdown.target", WM]);
            let units = vec![("startxd-shutdown.target".to_owned(), down()), (WM.to_owned(), exited())];
            let actions = world.tell(Event::Looked(*number, Ok(Seen { units, server: None })));
            assert!(matches!(&actions[..], [Action::Stop { unit, .. }] if unit == WM), "{actions:?}");
            break;
        }
        for event in world.answer(&action) {
            world.tell(event);
        }
    }
    assert_eq!(world.ended(), Why::Signal("SIGTERM"));
}

#[test]
fn an_end_that_nobody_answers_keeps_its_deadlines() {
    // All phases that wait for the manager share `stop`; a question that is not answered takes `user_manager`.
    let deadlines = Deadlines::default();
    let mut world = World::ours();
    world.tell(Event::StopAsked(ClientId(7)));
    world.open.clear();
    let mut steps = 0;
    while !world.session.over() {
        let due = world.session.due(world.now).expect("every phase has a deadline");
        world.now = world.now.max(due);
        for action in world.tell(Event::Due) {
            if action == Action::GiveUpServer {
                world.tell(Event::ServerGivenUp { pid: 42, state: 'D' });
            }
        }
        steps += 1;
        assert!(steps < 40, "{:?}", world.session.stage);
    }
    assert_eq!(world.session.why(), Some(&Why::ServerStays { pid: 42, state: 'D' }));
    let took = world.now.duration_since(world.begin);
    let longest =
        deadlines.stop + deadlines.server_stop * 3 + deadlines.user_manager * 2 + deadlines.text_mode + seconds(20);
    assert!(took <= longest, "{took:?}");
}

#[test]
fn a_manager_that_does_not_answer_is_not_waited_for_again_and_again() {
    let mut world = World::ours();
    world.tell(Event::StopAsked(ClientId(7)));
    world.tell(Event::ApplicationsEnded);
    world.open.retain(|action| matches!(action, Action::TakeBackFromMultiplexers));
    world.pass(Deadlines::default().user_manager);
    let why = world.ended();
    assert!(matches!(why, Why::ManagerSilent { waited } if waited == Deadlines::default().user_manager), "{why:?}");
    assert!(matches!(world.all.last(), Some(Action::PutBack(ManagerState::Silent, _))), "{:?}", world.all.last());
    assert_eq!(world.count(|action| matches!(action, Action::Kill(_))), 2, "it finds the orders when it wakes up");
}

#[test]
fn units_that_do_not_stop_are_killed_and_that_is_said() {
    let mut world = World::ours();
    world.tell(Event::StopAsked(ClientId(7)));
    // The shutdown target's job never ends.
    loop {
        let action = world.open.remove(0);
        if let Action::Start { order, .. } = &action {
            world.tell(Event::Queued(*order, Ok(JobId("/never".into()))));
            break;
        }
        for event in world.answer(&action) {
            world.tell(event);
        }
    }
    world.settle();
    world.pass(seconds(99));
    assert!(!world.session.over());
    world.pass(seconds(1));
    world.settle();
    let why = world.ended();
    assert!(matches!(why, Why::Stuck { waited } if waited == seconds(100)), "{why:?}");
    let killed: Vec<&Action> = world.all.iter().filter(|action| matches!(action, Action::Kill(_))).collect();
    assert_eq!(killed, [&Action::Kill(WM.into()), &Action::Kill("xorg@0.service".into())]);
}

#[test]
fn a_manager_that_goes_while_units_are_killed_is_not_waited_for() {
    let mut world = World::ours();
    world.tell(Event::StopAsked(ClientId(7)));
    let is_start = |action: &Action| matches!(action, Action::Start { .. });
    let Action::Start { order, .. } = world.settle_until(is_start) else { panic!() };
    world.tell(Event::Queued(order, Err(refused("no"))));
    world.settle_until(is_start);
    let killing = |action: &Action| matches!(action, Action::Kill(_));
    assert_eq!(world.count(killing), 2);
    world.open.clear();
    let actions = world.tell(Event::ManagerGone("its process has ended".into()));
    assert_eq!(actions, [Action::TerminateServer]);
    assert_eq!(world.count(killing), 2);
    world.open.push(Action::TerminateServer);
    let why = world.ended();
    assert!(matches!(why, Why::Stuck { .. }), "{why}");
}

#[test]
fn an_order_to_kill_that_is_not_answered_is_not_waited_for() {
    let is_start = |action: &Action| matches!(action, Action::Start { .. });
    let killing = || {
        let mut world = World::ours();
        world.tell(Event::StopAsked(ClientId(7)));
        let Action::Start { order, .. } = world.settle_until(is_start) else { panic!() };
        world.tell(Event::Queued(order, Err(refused("no"))));
        let Action::Start { order, .. } = world.settle_until(is_start) else { panic!() };
        (world, order)
    };
    let (mut world, order) = killing();
    assert_eq!(world.tell(Event::Queued(order, Err(silent()))), [Action::TerminateServer]);
    assert!(matches!(world.ended(), Why::Stuck { .. }));

    // Nor does its answer matter when the server's turn has come meanwhile.
    let (mut world, order) = killing();
    assert_eq!(world.tell(Event::Due), [], "it is not due");
    world.now += Deadlines::default().server_stop;
    assert_eq!(world.tell(Event::Due), [Action::TerminateServer]);
    assert_eq!(world.tell(Event::Queued(order, Err(silent()))), []);
    assert!(matches!(world.ended(), Why::Stuck { .. }));
}

#[test]
fn a_manager_that_is_silent_is_not_asked_whether_it_stops() {
    let mut world = World::ours();
    world.unit(WM, exited());
    world.settle_until(|action| matches!(action, Action::AskForDependents));
    world.tell(Event::Dependents(Err(silent())));
    assert!(matches!(world.ended(), Why::ManagerSilent { .. }));
    assert_eq!(world.count(|action| matches!(action, Action::AskWhetherManagerStops)), 0);
}

#[test]
fn the_deadline_of_an_end_cuts_every_question_short() {
    for stop in [Duration::ZERO, Duration::from_millis(1)] {
        let mut setup = setup(&[WM], Some(true));
        setup.deadlines.stop = stop;
        let mut world = World::up(setup);
        world.tell(Event::StopAsked(ClientId(7)));
        if !stop.is_zero() {
            world.settle_until(|action| matches!(action, Action::AskForDependents));
        }
        world.open.clear();
        world.now += stop;
        let actions = world.tell(Event::Due);
        assert!(matches!(actions[..], [Action::Kill(_), Action::Kill(_), Action::Start { .. }]), "{actions:?}");
    }
}

#[test]
fn a_server_that_is_being_forked_when_its_turn_to_end_comes_is_ended() {
    for forked in [true, false] {
        let mut world = World::ours();
        world.server_ends(Ending::Signal(11), None);
        world.settle();
        let supervisor = world.next_supervisor();
        world.settle_until(|action| *action == Action::Fork(supervisor));
        world.tell(Event::Interrupt("SIGTERM"));
        world.settle();
        assert!(!world.session.over(), "it may yet come");
        world.server = forked;
        let outcome = if forked { Ok(()) } else { Err("no such program".to_owned()) };
        world.tell(Event::Forked(supervisor, outcome));
        assert_eq!(world.ended(), Why::Signal("SIGTERM"));
        assert_eq!(world.count(|action| matches!(action, Action::TerminateServer)), usize::from(forked));
    }
}

#[test]
fn multiplexers_have_their_variables_again_before_the_terminal_is_given_back() {
    let mut world = World::ours();
    world.session.told = true;
    world.tell(Event::StopAsked(ClientId(7)));
    world.open.retain(|action| !matches!(action, Action::TakeBackFromMultiplexers));
    world.settle();
    assert_eq!(world.count(|action| matches!(action, Action::RestoreTerminal)), 0);
    assert_eq!(world.tell(Event::TakenBack), [Action::RestoreTerminal]);
    assert_eq!(world.ended(), Why::Asked);
}

#[test]
fn an_end_whose_connection_breaks_goes_on_on_the_next_one() {
    let mut world = World::ours();
    world.tell(Event::StopAsked(ClientId(7)));
    loop {
        let action = world.open.remove(0);
        if let Action::Start { order, .. } = &action {
            assert_eq!(world.tell(Event::Queued(*order, Err(disconnected()))), [Action::Reconnect]);
            break;
        }
        for event in world.answer(&action) {
            world.tell(event);
        }
    }
    assert_eq!(world.ended(), Why::Asked);
    let shutdowns =
        world.count(|action| matches!(action, Action::Start { unit, .. } if unit == "startxd-shutdown.target"));
    assert_eq!(shutdowns, 2);
}

#[test]
fn a_job_whose_end_was_told_on_the_broken_connection_is_looked_for() {
    let mut world = World::ours();
    world.tell(Event::StopAsked(ClientId(7)));
    loop {
        let action = world.open.remove(0);
        if let Action::Start { order, .. } = &action {
            world.tell(Event::Queued(*order, Ok(JobId("/missed".into()))));
            break;
        }
        for event in world.answer(&action) {
            world.tell(event);
        }
    }
    world.tell(Event::Reconnected);
    assert_eq!(world.ended(), Why::Asked);
}

/// Whether a step of the end was refused, cut off, or not answered.
const FAILURES: [fn() -> CallFailure; 3] = [|| refused("no"), disconnected, silent];

#[test]
fn an_end_goes_on_whatever_becomes_of_its_questions() {
    let is_shutdown =
        |action: &Action| matches!(action, Action::Start { unit, .. } if unit == "startxd-shutdown.target");
    for (index, failure) in FAILURES.into_iter().enumerate() {
        let says = |failure: CallFailure, refused: Why, silent: Why| match failure.kind {
            FailureKind::Refused => refused,
            FailureKind::Disconnected => Why::Asked,
            FailureKind::Silent => silent,
        };
        let zero = Duration::ZERO;
        let (stuck, quiet) = (Why::Stuck { waited: zero }, Why::ManagerSilent { waited: zero });

        let mut world = World::ours();
        world.tell(Event::StopAsked(ClientId(7)));
        world.settle_until(|action| matches!(action, Action::AskForDependents));
        world.tell(Event::Dependents(Err(failure())));
        assert_eq!(world.ended(), says(failure(), Why::Asked, quiet.clone()), "dependents {index}");

        let mut world = World::ours();
        world.tell(Event::StopAsked(ClientId(7)));
        let Action::Start { order, .. } = world.settle_until(is_shutdown) else { panic!() };
        world.tell(Event::Queued(order, Err(failure())));
        assert_eq!(world.ended(), says(failure(), stuck, quiet), "shutdown {index}");

        // From here on everything is down, and an answer that does not come changes nothing of why.
        let mut world = World::ours();
        world.tell(Event::StopAsked(ClientId(7)));
        let Action::Look { number, .. } = world.settle_until(|action| matches!(action, Action::Look { .. })) else {
            panic!()
        };
        world.tell(Event::Looked(number, Err(failure())));
        if index == 1 {
            world.tell(Event::Reconnected);
        }
        assert_eq!(world.ended(), Why::Asked, "leftovers {index}");

        let mut world = World::ours();
        world.unit(WM, exited());
        world.settle_until(|action| matches!(action, Action::AskWhetherManagerStops));
        world.tell(Event::ManagerStops(Err(failure())));
        assert_eq!(world.ended(), Why::LoggedOut, "whether the manager stops {index}");

        // Units that stand outside: what cannot be stopped is not waited for.
        let mut world = World::up(setup(&["a.service"], None));
        world.tell(Event::Interrupt("SIGTERM"));
        let Action::Stop { order, .. } = world.settle_until(|action| matches!(action, Action::Stop { .. })) else {
            panic!()
        };
        world.tell(Event::Queued(order, Err(failure())));
        let why = world.ended();
        assert_eq!(matches!(why, Why::ManagerSilent { .. }), index == 2, "strangers {index}: {why}");
    }
}

#[test]
fn the_shutdown_target_is_waited_for_until_it_is_down() {
    let mut world = World::ours();
    world.tell(Event::StopAsked(ClientId(7)));
    let look = |world: &mut World| match world.settle_until(|action| matches!(action, Action::Look { .. })) {
        Action::Look { number, .. } => number,
        other => panic!("{other:?}"),
    };
    let still = |state: Observed| vec![("startxd-shutdown.target".to_owned(), state)];
    let leftovers = look(&mut world);
    world.tell(Event::Looked(leftovers, Ok(Seen { units: still(up()), server: None })));
    let settling = look(&mut world);
    world.tell(Event::Looked(settling, Ok(Seen { units: still(up()), server: None })));
    assert!(world.open.is_empty(), "{:?}", world.open);
    // Somebody else's change is of no interest.
    assert_eq!(world.tell(Event::Changed(WM.into())), []);
    // What changes while a look is under way brings another one.
    let actions = world.tell(Event::Changed("startxd-shutdown.target".into()));
    assert!(matches!(actions[..], [Action::Look { .. }]), "{actions:?}");
    assert_eq!(world.tell(Event::Changed("startxd-shutdown.target".into())), []);
    let first = look(&mut world);
    assert_eq!(world.tell(Event::Looked(first + 9, Err(silent()))), [], "somebody else's look");
    let actions = world.tell(Event::Looked(first, Ok(Seen { units: still(up()), server: None })));
    assert!(matches!(actions[..], [Action::Look { .. }]), "{actions:?}");
    assert_eq!(world.ended(), Why::Asked);

    // Its deadline is the end's, and that everything went down counts.
    let mut world = World::ours();
    world.tell(Event::StopAsked(ClientId(7)));
    for _ in 0..2 {
        let number = look(&mut world);
        world.tell(Event::Looked(number, Ok(Seen { units: still(up()), server: None })));
    }
    world.pass(seconds(100));
    assert_eq!(world.ended(), Why::Asked);
}

#[test]
fn a_look_that_was_under_way_when_the_end_began_says_nothing_of_it() {
    let mut world = World::ours();
    let actions = world.tell(Event::Changed(WM.into()));
    let Some(Action::Look { number, .. }) = actions.first().cloned() else { panic!("{actions:?}") };
    world.open.clear();
    world.tell(Event::StopAsked(ClientId(7)));
    let is_shutdown =
        |action: &Action| matches!(action, Action::Start { unit, .. } if unit == "startxd-shutdown.target");
    let Action::Start { order, .. } = world.settle_until(is_shutdown) else { panic!() };
    world.tell(Event::Queued(order, Ok(JobId("/shutdown".into()))));
    assert_eq!(world.tell(Event::Looked(number, Ok(Seen { units: vec![(WM.into(), exited())], server: None }))), []);
    world.tell(Event::JobDone { job: JobId("/somebody's".into()), result: "done".into(), end: None });
    assert!(!world.session.over());
    world.tell(Event::JobDone { job: JobId("/shutdown".into()), result: "canceled".into(), end: None });
    assert_eq!(world.ended(), Why::Asked);
}

#[test]
fn the_manager_may_be_gone_in_every_phase_of_an_end() {
    for (observed, has_failed) in [(exited(), false), (failed(CLD_EXITED, 1, false), true)] {
        manager_gone_in_every_phase(&observed, has_failed);
    }
}

/// A window manager's failure stays the reason of an end whose manager goes; a logout is none then.
fn manager_gone_in_every_phase(observed: &Observed, has_failed: bool) {
    let mut phases = 0;
    for step in 0.. {
        let mut world = World::ours();
        world.unit(WM, observed.clone());
        for _ in 0..step {
            let Some(action) = (!world.open.is_empty()).then(|| world.open.remove(0)) else { break };
            for event in world.answer(&action) {
                world.tell(event);
            }
        }
        if world.session.over() {
            break;
        }
        phases += 1;
        world.tell(Event::ManagerGone("its process has ended".into()));
        // Nothing that was asked of it is answered any more.
        world.open.retain(|action| {
            matches!(
                action,
                Action::TakeBackFromMultiplexers
                    | Action::TerminateServer
                    | Action::RestoreTerminal
                    | Action::PutBack(..)
            )
        });
        let why = world.ended();
        let is_right = match why {
            Why::SessionFailed { .. } => has_failed,
            Why::ManagerLost(_) | Why::LoggedOut => !has_failed,
            _ => false,
        };
        assert!(is_right, "{step}: {why}");
    }
    assert!(phases > 8, "{phases}");
}

#[test]
fn clients_are_served_while_a_session_ends() {
    let mut world = World::ours();
    world.tell(Event::StopAsked(ClientId(7)));
    world.tell(Event::LastWords(SUPERVISOR, "the end".into()));
    assert!(matches!(world.tell(Event::LastWords(ClientId(8), "boo".into()))[..], [Action::Refuse(..)]));
    // A server whose supervisor is killed now is told to end, and its end is told to nobody.
    assert_eq!(world.tell(Event::ClientGone(SUPERVISOR)), [Action::TerminateServer]);
    world.server = false;
    assert_eq!(world.tell(Event::ServerEnded(Ending::Code(0))), []);
    assert_eq!(world.ended(), Why::Asked);
    assert_eq!(world.count(|action| matches!(action, Action::TerminateServer)), 1);
}

#[test]
fn a_server_that_hears_nothing_is_killed() {
    let mut world = World::ours();
    world.tell(Event::StopAsked(ClientId(7)));
    world.settle_until(|action| *action == Action::TerminateServer);
    world.pass(Deadlines::default().server_stop - Duration::from_millis(1));
    assert_eq!(world.count(|action| *action == Action::KillServer), 0);
    world.now += Duration::from_millis(1);
    assert_eq!(world.tell(Event::Due), [Action::KillServer]);
    assert_eq!(world.ended(), Why::Asked);
}

#[test]
fn nothing_is_launched_while_a_session_ends_and_whoever_asks_is_told() {
    let mut world = World::ours();
    world.tell(Event::Control(Control::Lost("logind was restarted")));
    world.server_ends(Ending::Code(0), None);
    world.open.retain(|action| !matches!(action, Action::AskForDevices));
    let held = world.next_supervisor();
    let actions = world.tell(Event::Interrupt("SIGHUP"));
    assert!(actions.contains(&Action::Refuse(held, "the session is going down".into())), "{actions:?}");
    let late = ClientId(50);
    let asked = world.tell(Event::LaunchAsked { client: late, display: display(), problem: None });
    assert_eq!(asked, [Action::Refuse(late, "the session is going down".into())]);
    assert_eq!(world.tell(Event::StopAsked(late)), [Action::Reply(late, Reply::Stopping)]);
    assert_eq!(world.tell(Event::Interrupt("SIGTERM")), [], "a second signal changes nothing");
    // A supervisor that was refused has failed, and the repair that systemd starts for it is stopped with the rest.
    let repair = |action: &Action| matches!(action, Action::Look { units, .. } if units.iter().any(|unit| unit == names::REPAIR_SERVICE));
    assert_eq!(world.ended(), Why::Signal("SIGHUP"));
    assert_eq!(world.count(repair), 1);
    assert_eq!(world.count(|action| matches!(action, Action::Fork(_))), 1);
}

#[test]
fn a_signal_during_the_preparation_ends_it_at_once() {
    let mut world = World::new(setup(&[WM], Some(true)));
    assert_eq!(world.tell(Event::Interrupt("SIGINT")), [Action::AbandonPreparation]);
    assert_eq!(world.session.why(), Some(&Why::Signal("SIGINT")));
    let mut world = World::new(setup(&[WM], Some(true)));
    world.tell(Event::NotPrepared);
    assert!(world.session.over() && world.session.why().is_none());
}

mod random {
    //! Random events, in any order, with answers that may fail, come late or not at all.

    use proptest::prelude::*;

    use super::*;

    /// One thing that happens, by its kind; numbers choose among what there is.
    #[derive(Debug, Clone)]
    enum Op {
        /// The oldest, or another, open action is answered as a healthy world does.
        Answer(u8),
        /// An open call fails.
        Fail(u8, u8),
        Unit(u8, u8, bool),
        Restarts(bool),
        Target(u8),
        Served,
        Managed,
        Unmanaged,
        WindowManagerUnit,
        Supervisor,
        Hostile(u8),
        LastWords,
        SupervisorGone,
        ServerEnds(u8),
        Control(u8),
        Locked(bool),
        Reconnected,
        ManagerGone,
        Stop,
        Interrupt,
        Pass(u16),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            30 => any::<u8>().prop_map(Op::Answer),
            2 => (any::<u8>(), any::<u8>()).prop_map(|(at, kind)| Op::Fail(at, kind)),
            6 => (any::<u8>(), any::<u8>(), any::<bool>()).prop_map(|(unit, how, lost)| Op::Unit(unit, how, lost)),
            1 => any::<bool>().prop_map(Op::Restarts),
            1 => any::<u8>().prop_map(Op::Target),
            3 => Just(Op::Served),
            2 => Just(Op::Managed),
            1 => Just(Op::Unmanaged),
            1 => Just(Op::WindowManagerUnit),
            6 => Just(Op::Supervisor),
            1 => any::<u8>().prop_map(Op::Hostile),
            2 => Just(Op::LastWords),
            2 => Just(Op::SupervisorGone),
            4 => any::<u8>().prop_map(Op::ServerEnds),
            2 => any::<u8>().prop_map(Op::Control),
            1 => any::<bool>().prop_map(Op::Locked),
            1 => Just(Op::Reconnected),
            1 => Just(Op::ManagerGone),
            1 => Just(Op::Stop),
            1 => Just(Op::Interrupt),
            8 => any::<u16>().prop_map(Op::Pass),
        ]
    }

    /// What must hold after every step.
    struct Checks {
        exported: bool,
        asked: Vec<ClientId>,
        answered: Vec<ClientId>,
        ending: bool,
        crashes_by_us: Vec<Instant>,
        came_back: Vec<Instant>,
        /// Whether the locker said last that it locks, and no server has answered after the opposite.
        locked: bool,
        /// The last question after the locker has said that it does not.
        unlocking: Option<u32>,
        servers: u32,
    }

    impl Checks {
        fn look(&mut self, world: &mut World, actions: &[Action]) {
            for action in actions {
                match action {
                    Action::Export => self.exported = true,
                    Action::Fork(client) => {
                        assert!(!self.ending, "a launch while the session ends");
                        assert!(!world.server, "two servers");
                        assert!(!self.locked || self.servers == 0, "another server for a locked session");
                        self.servers += 1;
                        self.answered.push(*client);
                    }
                    Action::Refuse(client, _) => self.answered.push(*client),
                    Action::LookAtServer(question) => self.unlocking = Some(*question),
                    Action::ReplaceServer => assert!(!self.locked, "a locked session's server is replaced"),
                    Action::StartTransient(_)
                    | Action::StartRescue(_)
                    | Action::StartAgain(_)
                    | Action::StartAnew(_) => {
                        assert!(!self.ending, "{action:?} while the session ends");
                    }
                    _ => {}
                }
            }
            self.ending |= !matches!(world.session.stage, Stage::Up | Stage::Preparing);
        }
    }

    fn tell(world: &mut World, checks: &mut Checks, event: Event) {
        if let Event::LaunchAsked { client, .. } = &event
            && !world.session.over()
        {
            checks.asked.push(*client);
        }
        if let Event::ClientGone(client) = &event {
            checks.asked.retain(|asked| asked != client);
        }
        match &event {
            Event::LockedHint(true) if !world.session.over() => (checks.locked, checks.unlocking) = (true, None),
            Event::ServerLooked(question, Some(_)) if checks.unlocking == Some(*question) => checks.locked = false,
            _ => {}
        }
        let is_crash = matches!(event, Event::ServerEnded(ending) if ending != Ending::Code(0));
        let actions = world.tell(event);
        if is_crash && !checks.ending {
            checks.came_back.push(world.now);
        }
        checks.look(world, &actions);
        // The driver forks at once.
        while let Some(at) = world.open.iter().position(|action| matches!(action, Action::Fork(_))) {
            answer(world, checks, at);
        }
        let by_us = actions.iter().filter(|action| matches!(action, Action::StartAgain(_))).count();
        checks.crashes_by_us.extend(std::iter::repeat_n(world.now, by_us));
    }

    fn answer(world: &mut World, checks: &mut Checks, at: usize) {
        let action = world.open.remove(at);
        for event in world.answer(&action) {
            tell(world, checks, event);
        }
    }

    fn failure_of(action: &Action, kind: u8) -> Option<Event> {
        let failure = match kind % 3 {
            0 => refused("no"),
            1 => disconnected(),
            _ => silent(),
        };
        Some(match action {
            Action::Export => Event::Exported(Err(failure)),
            Action::Start { order, .. }
            | Action::Stop { order, .. }
            | Action::StartTransient(order)
            | Action::StartRescue(order) => Event::Queued(*order, Err(failure)),
            Action::StartAgain(unit) | Action::StartAnew(unit) => Event::StartedAgain(unit.clone(), Err(failure)),
            Action::ReplaceServer => Event::ServerReplaced(Err(failure)),
            Action::Look { number, .. } => Event::Looked(*number, Err(failure)),
            Action::Reconnect => Event::ManagerGone("it does not come back".into()),
            Action::Fork(client) => Event::Forked(*client, Err("no such program".into())),
            Action::AskForDevices => Event::Control(Control::Gone("no answer".into())),
            Action::AskForDependents => Event::Dependents(Err(failure)),
            Action::AskWhetherManagerStops => Event::ManagerStops(Err(failure)),
            Action::GiveUpServer => Event::ServerGivenUp { pid: 1, state: 'D' },
            _ => return None,
        })
    }

    fn apply(world: &mut World, checks: &mut Checks, units: &[&str], op: Op) {
        match op {
            Op::Answer(at) if !world.open.is_empty() => {
                // Mostly in order, as they are.
                let at = if at < 200 { 0 } else { usize::from(at) % world.open.len() };
                answer(world, checks, at);
            }
            Op::Fail(at, kind) if !world.open.is_empty() => {
                let action = world.open.remove(usize::from(at) % world.open.len());
                if let Some(event) = failure_of(&action, kind) {
                    tell(world, checks, event);
                }
            }
            Op::Unit(which, how, lost) => {
                let unit = units[usize::from(which) % units.len()];
                let observed = match how % 6 {
                    0 => up(),
                    1 => exited(),
                    2 => failed(CLD_DUMPED, 11, true),
                    3 => failed(CLD_EXITED, 1, false),
                    4 => restarting(),
                    _ => down(),
                };
                tell(world, checks, Event::Changed(unit.to_owned()));
                // The look that is under way finds it so.
                if let Some(at) = world.open.iter().position(|action| matches!(action, Action::Look { .. }))
                    && let Action::Look { number, units } = world.open.remove(at)
                {
                    let seen = |name: String| if name == unit { (name, observed.clone()) } else { (name, up()) };
                    let number_of_server = world.count(|action| matches!(action, Action::Fork(_)));
                    let server = Some(ServerSeen { number: u32::try_from(number_of_server).unwrap(), is_ending: lost });
                    let units = units.into_iter().map(seen).collect();
                    tell(world, checks, Event::Looked(number, Ok(Seen { units, server })));
                }
            }
            Op::Restarts(clean) => {
                let end = if clean { end("success", CLD_EXITED, 0) } else { end("signal", CLD_KILLED, 9) };
                tell(world, checks, Event::Restarts { unit: units[0].to_owned(), end, server: None });
            }
            Op::Target(which) => {
                tell(world, checks, Event::Changed(units::TARGETS[usize::from(which) % 3].to_owned()));
            }
            Op::Served if world.server => tell(world, checks, Event::Served),
            Op::Managed if world.server => tell(world, checks, Event::Managed),
            Op::Unmanaged if world.server => tell(world, checks, Event::Unmanaged),
            Op::WindowManagerUnit => tell(world, checks, Event::WindowManagerUnit(units[0].to_owned())),
            Op::Supervisor => {
                world.supervisors += 1;
                let client = ClientId(world.supervisors);
                tell(world, checks, Event::LaunchAsked { client, display: display(), problem: None });
            }
            Op::Hostile(which) => {
                let client = ClientId(1000 + u64::from(which));
                let event = match which % 3 {
                    0 => Event::LastWords(client, "boo".into()),
                    1 => Event::ClientGone(client),
                    _ => Event::LaunchAsked { client, display: display(), problem: Some("no socket".into()) },
                };
                tell(world, checks, event);
            }
            Op::LastWords => tell(world, checks, Event::LastWords(ClientId(world.supervisors), "so it ended".into())),
            Op::SupervisorGone => tell(world, checks, Event::ClientGone(ClientId(world.supervisors))),
            Op::ServerEnds(how) if world.server => {
                world.server = false;
                let ending = if how % 3 == 0 { Ending::Code(0) } else { Ending::Signal(11) };
                tell(world, checks, Event::ServerEnded(ending));
            }
            Op::Control(how) => {
                let control = if how % 2 == 0 { Control::Lost("logind was restarted") } else { Control::Possible };
                tell(world, checks, Event::Control(control));
            }
            Op::Locked(locked) => tell(world, checks, Event::LockedHint(locked)),
            Op::Reconnected => tell(world, checks, Event::Reconnected),
            Op::ManagerGone => tell(world, checks, Event::ManagerGone("its process has ended".into())),
            Op::Stop => tell(world, checks, Event::StopAsked(ClientId(500))),
            Op::Interrupt => tell(world, checks, Event::Interrupt("SIGTERM")),
            Op::Pass(millis) => {
                world.now += Duration::from_millis(millis.into());
                if world.session.due(world.now).is_some_and(|due| due <= world.now) {
                    tell(world, checks, Event::Due);
                }
            }
            _ => {}
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_happens(ops in proptest::collection::vec(op(), 0..160), kind in 0..3_u8, answers in any::<bool>()) {
            let units: &[&str] = if kind == 2 { &["a.service", "b.service"] } else if kind == 1 { &["i3.service"] } else { &[WM] };
            let mut setup = setup(units, (kind == 0).then_some(true));
            if kind == 1 {
                setup.policy.crash.rescue = vec!["xterm".into()];
            }
            let (limit, window) = (setup.policy.crash.limit as usize, setup.policy.crash.window);
            let deadlines = setup.deadlines;
            let mut world = World::new(setup);
            let mut checks = Checks {
                exported: false,
                asked: Vec::new(),
                answered: Vec::new(),
                ending: false,
                crashes_by_us: Vec::new(),
                came_back: Vec::new(),
                locked: false,
                unlocking: None,
                servers: 0,
            };
            tell(&mut world, &mut checks, Event::Prepared(display()));
            for op in ops {
                apply(&mut world, &mut checks, units, op);
            }
            // At most `limit` crashes of the server in a window are borne: the one after them ends the session.
            for (index, &first) in checks.came_back.iter().enumerate() {
                let within = checks.came_back[index..].iter().filter(|time| time.duration_since(first) < window).count();
                prop_assert!(within <= limit + 1, "{within} crashes of the server in a window");
            }
            // A unit is started again for its own crashes as often, and once for each server that took it along.
            let servers = world.count(|action| matches!(action, Action::Fork(_)));
            let windows = 1 + usize::try_from(world.now.duration_since(world.begin).as_secs() / window.as_secs()).unwrap();
            prop_assert!(checks.crashes_by_us.len() <= windows * limit * 2 + servers * units.len() * 2);

            // An interrupt leads to the end, whether anybody answers or not.
            tell(&mut world, &mut checks, Event::Interrupt("SIGTERM"));
            let begun = world.now;
            let mut steps = 0;
            while !world.session.over() {
                steps += 1;
                prop_assert!(steps < 500, "{:?}", world.session.stage);
                // What cannot be put off is done by the driver itself.
                let own = |action: &Action| matches!(action, Action::GiveUpServer);
                if let Some(at) = world.open.iter().position(own) {
                    let action = world.open.remove(at);
                    tell(&mut world, &mut checks, failure_of(&action, 0).unwrap());
                } else if answers && !world.open.is_empty() {
                    answer(&mut world, &mut checks, 0);
                } else {
                    let due = world.session.due(world.now).expect("every phase has a deadline");
                    world.now = world.now.max(due);
                    tell(&mut world, &mut checks, Event::Due);
                }
            }
            let longest = deadlines.stop + deadlines.server_stop * 3 + deadlines.user_manager * 2 + deadlines.text_mode
                + deadlines.multiplexers * 2 + deadlines.user_manager + seconds(20);
            prop_assert!(world.now.duration_since(begun) <= longest);
            // Whatever was exported is put back, once.
            prop_assert!(checks.exported);
            prop_assert_eq!(world.count(|action| matches!(action, Action::PutBack(..))), 1);
            // A login whose screen is locked ends at last, and after that clients are answered at most.
            if let Some(at) = world.all.iter().position(|action| *action == Action::CloseLogin) {
                let talk = |action: &Action| matches!(action, Action::Reply(..) | Action::Refuse(..));
                prop_assert!(world.all[at + 1..].iter().all(talk), "{:?}", &world.all[at..]);
            } else {
                prop_assert!(!checks.locked, "the login of a locked session is left open");
            }
            // No server is left behind that the kernel lets go.
            let asked_to_end = world.count(|action| matches!(action, Action::KillServer | Action::TerminateServer));
            prop_assert!(!world.server || asked_to_end > 0);
            // Every request for a server was answered.
            for client in &checks.asked {
                prop_assert!(checks.answered.contains(client), "{client:?} was never answered");
            }
        }
    }
}
