//! Random events in any order, with answers that fail, come late or never come.

use proptest::prelude::*;

use super::*;

/// One thing that happens; the numbers choose among the candidates.
#[derive(Debug, Clone)]
enum Op {
    /// The oldest open action, or another one, is answered as a healthy world does.
    Answer(u8),
    /// An open call fails.
    Fail(u8, u8),
    Unit(u8, u8, bool),
    Restarts(u8),
    Target(u8),
    Served,
    Managed,
    Unmanaged,
    WindowManagerUnit,
    Supervisor,
    Hostile(u8),
    LastWords,
    ServerLeft,
    SupervisorGone,
    ServerEnds(u8),
    Control(u8),
    Locked(bool),
    Covered(bool),
    CoveredFirst,
    Lock(u8),
    Sleep(u8),
    Idle(u8, bool),
    Reconnected,
    ManagerGone,
    Job(u8),
    Stop,
    Interrupt,
    Pass(u16),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        30 => any::<u8>().prop_map(Op::Answer),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(at, kind)| Op::Fail(at, kind)),
        6 => (any::<u8>(), any::<u8>(), any::<bool>()).prop_map(|(unit, how, lost)| Op::Unit(unit, how, lost)),
        1 => any::<u8>().prop_map(Op::Restarts),
        1 => any::<u8>().prop_map(Op::Target),
        3 => Just(Op::Served),
        2 => Just(Op::Managed),
        1 => Just(Op::Unmanaged),
        1 => Just(Op::WindowManagerUnit),
        6 => Just(Op::Supervisor),
        1 => any::<u8>().prop_map(Op::Hostile),
        2 => Just(Op::LastWords),
        1 => Just(Op::ServerLeft),
        2 => Just(Op::SupervisorGone),
        4 => any::<u8>().prop_map(Op::ServerEnds),
        2 => any::<u8>().prop_map(Op::Control),
        1 => any::<bool>().prop_map(Op::Locked),
        1 => any::<bool>().prop_map(Op::Covered),
        2 => Just(Op::CoveredFirst),
        1 => any::<u8>().prop_map(Op::Lock),
        1 => any::<u8>().prop_map(Op::Sleep),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(what, on)| Op::Idle(what, on)),
        1 => Just(Op::Reconnected),
        1 => Just(Op::ManagerGone),
        2 => any::<u8>().prop_map(Op::Job),
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
    /// Whether the locker's last report was that it locks, or no server has answered since it said otherwise.
    locked: bool,
    /// The last question that was asked because the locker said that it does not lock.
    unlocking: Option<u32>,
    servers: u32,
    /// Whether a server ended while the screen was locked, and no cover and locker was seen on another one since.
    bare: bool,
    /// Whether our cover is on the screen.
    covers: bool,
    /// Whether the cover was requested since the server ended.
    asked_to_cover: bool,
    /// Whether we can start a locker.
    has_locker: bool,
    /// Since when logind waits for us.
    waits: Option<Instant>,
    /// What logind was last told.
    idle: bool,
}

impl Checks {
    fn look(&mut self, world: &mut World, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Export => self.exported = true,
                Action::Fork(client) => {
                    assert!(!self.ending, "a launch while the session ends");
                    assert!(!world.server, "there are two servers");
                    assert!(
                        !self.bare || self.asked_to_cover,
                        "another server for a locked session that nobody covers"
                    );
                    self.servers += 1;
                    self.answered.push(*client);
                }
                Action::Refuse(client, _) => self.answered.push(*client),
                Action::LetSleep => self.waits = None,
                Action::SetIdleHint(idle) => self.idle = *idle,
                Action::LookAtServer(question) => self.unlocking = Some(*question),
                Action::CoverFirst => self.asked_to_cover = true,
                Action::ReplaceServer => {
                    assert!(!self.locked || self.has_locker, "a locked session's server is replaced")
                }
                Action::StartTransient(_) | Action::StartRescue(_) | Action::StartAgain(_) | Action::StartAnew(_) => {
                    assert!(!self.ending, "{action:?} while the session ends");
                    assert!(!self.bare, "{action:?} for a locked screen that nothing covers");
                }
                Action::Start { unit, .. } if [names::WM_READY_TARGET, names::WM_TARGET].contains(&unit.as_str()) => {
                    assert!(!self.bare, "{unit} for a locked screen that nothing covers");
                }
                _ => {}
            }
        }
        if let Some(since) = self.waits {
            assert!(world.now.duration_since(since) < seconds(5), "logind waits in vain");
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
        Event::Covered(true) if matches!(world.session.stage, Stage::Up) => {
            (checks.locked, checks.unlocking) = (true, None);
        }
        Event::Sleeps(longest) if !world.session.over() => checks.waits = longest.map(|_| world.now),
        Event::Woke => checks.waits = None,
        Event::ServerLooked(question, Some(_)) if checks.unlocking == Some(*question) => checks.locked = false,
        _ => {}
    }
    if matches!(event, Event::ServerEnded(_)) {
        (checks.bare, checks.covers, checks.asked_to_cover) = (checks.locked && checks.servers > 0, false, false);
    }
    checks.covers |= event == Event::CoveredFirst && world.server;
    if event == Event::Covered(true) && checks.covers {
        checks.bare = false;
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
    let by_us = actions.iter().filter(|action| starts_again(action)).count();
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
        | Action::ReadDotfiles { order, .. }
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
            // Mostly in the order in which they are.
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
            // The look that is under way sees this.
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
        Op::Restarts(how) => {
            let end = match how % 3 {
                0 => end("success", CLD_EXITED, 0),
                1 => end("exit-code", CLD_EXITED, 1),
                _ => end("signal", CLD_KILLED, 9),
            };
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
        Op::ServerLeft => tell(world, checks, Event::ServerLeft(ClientId(world.supervisors), "it left".into())),
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
        Op::Covered(covered) if world.server || !covered => tell(world, checks, Event::Covered(covered)),
        Op::CoveredFirst if world.server && checks.asked_to_cover => tell(world, checks, Event::CoveredFirst),
        Op::Lock(how) => {
            let client = Some(ClientId(600 + u64::from(how)));
            let event = match how % 5 {
                0 => Event::LockAsked(None),
                1 => Event::LockAsked(client),
                2 => Event::UnlockAsked(client),
                3 => Event::LockerEnded(Ending::Signal(9)),
                _ => Event::Lockers(Ok(Vec::new())),
            };
            tell(world, checks, event);
        }
        Op::Sleep(how) => {
            let event = match how % 3 {
                0 => Event::Sleeps(Some(seconds(5))),
                1 => Event::Sleeps(None),
                _ => Event::Woke,
            };
            tell(world, checks, event);
        }
        Op::Idle(what, on) => {
            let event = match what % 5 {
                0 => Event::Idle(IdleLimit::After, on),
                1 => Event::Idle(IdleLimit::Lock, on),
                2 => Event::IdleInhibited(Inhibitors::Logind, on),
                3 => Event::IdleInhibited(Inhibitors::Bus, on),
                _ => Event::LeftForeground,
            };
            tell(world, checks, event);
        }
        Op::Reconnected => tell(world, checks, Event::Reconnected),
        Op::ManagerGone => tell(world, checks, Event::ManagerGone("its process has ended".into())),
        Op::Job(how) => {
            let is_stop = (how % 2 == 0).then_some(how % 16 == 2);
            tell(world, checks, Event::UnitJob { unit: units[0].to_owned(), is_stop });
        }
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
        setup.has_lock_command = kind == 0;
        setup.dotfiles = [DotfilesTime::First, DotfilesTime::Later, DotfilesTime::Never][usize::from(kind)];
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
            bare: false,
            covers: false,
            asked_to_cover: false,
            has_locker: kind == 0,
            waits: None,
            idle: false,
        };
        tell(&mut world, &mut checks, Event::Prepared(display()));
        for op in ops {
            apply(&mut world, &mut checks, units, op);
        }
        // Of the server, `limit` crashes in a window are survived: the next one ends the session.
        for (index, &first) in checks.came_back.iter().enumerate() {
            let within = checks.came_back[index..].iter().filter(|time| time.duration_since(first) < window).count();
            prop_assert!(within <= limit + 1, "{within} crashes of the server in a window");
        }
        // A unit is started again as often for its own crashes, and once for each server that took it down.
        let servers = world.count(|action| matches!(action, Action::Fork(_)));
        let windows = 1 + usize::try_from(world.now.duration_since(world.begin).as_secs() / window.as_secs()).unwrap();
        prop_assert!(checks.crashes_by_us.len() <= windows * limit * 2 + servers * units.len() * 2);

        // An interrupt leads to the end, whether anything answers or not.
        tell(&mut world, &mut checks, Event::Interrupt("SIGTERM"));
        let begun = world.now;
        let mut steps = 0;
        while !world.session.over() {
            steps += 1;
            prop_assert!(steps < 500, "{:?}", world.session.stage);
            // What must not be delayed the driver does itself.
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
        // What was exported is undone, once.
        prop_assert!(checks.exported);
        prop_assert_eq!(world.count(|action| matches!(action, Action::PutBack(..))), 1);
        // A login whose screen is locked is ended; after that, only clients are answered.
        if let Some(at) = world.all.iter().position(|action| *action == Action::CloseLogin) {
            let talk = |action: &Action| matches!(action, Action::Reply(..) | Action::Refuse(..) | Action::LetSleep);
            prop_assert!(world.all[at + 1..].iter().all(talk), "{:?}", &world.all[at..]);
        } else {
            prop_assert!(!checks.locked, "the login of a locked session is left open");
        }
        prop_assert!(!checks.idle, "the login is left idle");
        // No server is left, except one that the kernel does not let end.
        let asked_to_end = world.count(|action| matches!(action, Action::KillServer | Action::TerminateServer));
        prop_assert!(!world.server || asked_to_end > 0);
        // Every request for a server was answered.
        for client in &checks.asked {
            prop_assert!(checks.answered.contains(client), "{client:?} was never answered");
        }
    }
}
