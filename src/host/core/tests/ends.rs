//! What ends a session, and the phases of an end, with answers that fail, hang or come from a manager that is gone.

use super::*;

#[test]
fn whoever_stops_a_target_ends_the_session() {
    for target in ["xorg.target", "wm.target", "wm-ready.target"] {
        for observed in [down(), Observed { state: state("active", "active", Some("stop")), ..up() }] {
            let mut world = World::ours();
            world.unit(target, observed);
            assert!(matches!(world.ended(), Why::TargetStopped(stopped) if stopped == target), "{target}");
        }
    }
    // The target is what was stopped, though it takes the window manager with it.
    let mut world = World::ours();
    let look = world.tell(Event::Changed("wm.target".into()));
    let Some(Action::Look { number, .. }) = look.first() else { panic!("{look:?}") };
    let units = vec![(WM.to_owned(), failed(CLD_KILLED, 15, false)), ("wm.target".to_owned(), down())];
    world.tell(Event::Looked(*number, Ok(Seen { units, server: None })));
    assert_eq!(world.ended(), Why::TargetStopped("wm.target"));
    // The same in a session that runs the rescue command.
    let mut with_rescue = setup(&[WM], Some(true));
    with_rescue.policy.crash.rescue = vec!["xterm".into()];
    let mut world = World::up(with_rescue);
    world.unit(WM, failed(CLD_DUMPED, 11, false));
    world.settle();
    world.unit("xorg.target", down());
    assert_eq!(world.ended(), Why::TargetStopped("xorg.target"));
}

#[test]
fn the_manager_may_come_back_and_may_be_gone() {
    let mut world = World::ours();
    assert!(matches!(world.tell(Event::Reconnected)[..], [Action::Look { .. }]));
    world.goes_on();
    // A look that failed because there was no connection is repeated on the next one; so is a look without an answer.
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
    assert_eq!(world.count(|action| matches!(action, Action::TerminateServer)), 1, "the server ends even so");
}

#[test]
fn a_manager_that_exits_is_the_reason_that_its_units_stopped() {
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

/// The names of the actions of an end in which everything answers.
fn asked_at_the_end(world: &mut World, why: Event) -> Vec<String> {
    let before = world.all.len();
    world.tell(why);
    world.ended();
    let kinds = world.all[before..].iter().map(|action| format!("{action:?}"));
    kinds.map(|kind| kind.split([' ', '(']).next().unwrap().to_owned()).collect()
}

#[test]
fn an_end_has_a_fixed_order() {
    let mut world = World::ours();
    assert_eq!(
        asked_at_the_end(&mut world, Event::Interrupt("SIGTERM")),
        [
            "TakeBackFromMultiplexers",
            "EndApplications",
            "AskForDependents",
            "Start",
            "Look",
            "EndApplications",
            "Look",
            "TerminateServer",
            "Reply",
            "RestoreTerminal",
            "PutBack",
        ]
    );
    let shutdown = |action: &Action| matches!(action, Action::Start { unit, mode: Mode::ReplaceIrreversibly, .. } if unit == "startxd-shutdown.target");
    assert_eq!(world.count(shutdown), 1);
}

#[test]
fn one_look_is_enough_if_the_manager_has_unloaded_the_units() {
    let mut world = World::ours();
    world.forgets = true;
    assert_eq!(
        asked_at_the_end(&mut world, Event::Interrupt("SIGTERM"))[2..],
        ["AskForDependents", "Start", "Look", "TerminateServer", "Reply", "RestoreTerminal", "PutBack"]
    );
}

#[test]
fn a_server_without_clients_ends_while_the_units_do() {
    let mut world = World::ours();
    (world.forgets, world.needs_server) = (true, false);
    world.tell(Event::Interrupt("SIGTERM"));
    let early = world.settle_until(|action| *action == Action::TerminateServer);
    // Its supervisor is told before it is, and the manager before both.
    let at = world.all.iter().position(|action| *action == early).unwrap();
    let before = &world.all[at - 2..at];
    assert!(
        matches!(
            before,
            [Action::Start { mode: Mode::ReplaceIrreversibly, .. }, Action::Reply(SUPERVISOR, Reply::Stopping)]
        ),
        "{before:?}"
    );
    world.open.insert(0, early);
    assert_eq!(world.ended(), Why::Signal("SIGTERM"));
    assert_eq!(world.count(|action| *action == Action::TerminateServer), 1);
    // What leads to it is put back meanwhile.
    assert_eq!(world.all[at + 1], Action::PutEnvironmentBack);
    assert_eq!(world.count(|action| *action == Action::PutEnvironmentBack), 1);

    // A server that is slow to end is told again in its phase, and waited for like any other.
    let mut world = World::ours();
    (world.forgets, world.needs_server) = (true, false);
    world.tell(Event::Interrupt("SIGTERM"));
    world.settle_until(|action| *action == Action::TerminateServer);
    let again = world.settle_until(|action| *action == Action::TerminateServer);
    assert!(world.open.is_empty() && !world.session.over());
    world.open.push(again);
    assert_eq!(world.ended(), Why::Signal("SIGTERM"));
}

#[test]
fn a_server_under_a_locked_screen_ends_after_the_units() {
    let mut world = World::ours();
    (world.forgets, world.needs_server) = (true, false);
    world.tell(Event::LockedHint(true));
    let asked = asked_at_the_end(&mut world, Event::Interrupt("SIGTERM"));
    let at = |name: &str| asked.iter().rposition(|asked| asked == name);
    assert!(at("Look") < at("TerminateServer"), "{asked:?}");
    assert_eq!(at("PutEnvironmentBack"), None, "what is stopped may still need it");
}

#[test]
fn the_manager_is_asked_again_whether_it_exits_if_its_units_do_not_stop() {
    let is_question = |action: &Action| *action == Action::AskWhetherManagerStops;
    let mut world = World::ours();
    world.unit(WM, exited());
    assert_eq!(world.ended(), Why::LoggedOut);
    assert_eq!(world.count(is_question), 1);

    // It started to exit after it had been asked, and never executes our order.
    let mut world = World::ours();
    world.unit(WM, exited());
    let Action::Start { order, .. } = world.settle_until(|action| matches!(action, Action::Start { .. })) else {
        panic!()
    };
    world.tell(Event::Queued(order, Ok(JobId("/waits".into()))));
    world.settle();
    world.now += Deadlines::default().stop;
    assert_eq!(world.tell(Event::Due), [Action::AskWhetherManagerStops]);
    world.tell(Event::ManagerStops(Ok(true)));
    assert_eq!(world.ended(), Why::ManagerLost("it exits".into()));
}

#[test]
fn units_that_are_not_tied_to_the_display_stop_before_it() {
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
    let mut look = || {
        let Action::Look { number, units } = world.settle_until(|action| matches!(action, Action::Look { .. })) else {
            panic!()
        };
        assert_eq!(units, ["startxd-shutdown.target", WM]);
        let units = vec![("startxd-shutdown.target".to_owned(), down()), (WM.to_owned(), exited())];
        world.tell(Event::Looked(number, Ok(Seen { units, server: None })))
    };
    // Before the unit is stopped, the programs that it started since the first time are asked to end.
    assert_eq!(look(), [Action::EndApplications]);
    let actions = look();
    assert!(matches!(&actions[..], [Action::Stop { unit, .. }] if unit == WM), "{actions:?}");
    assert_eq!(world.ended(), Why::Signal("SIGTERM"));
}

#[test]
fn an_end_without_answers_keeps_its_deadlines() {
    // The phases that wait for the manager share `stop`; each unanswered question takes `user_manager`.
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
fn a_manager_that_does_not_answer_is_waited_for_once() {
    let mut world = World::ours();
    world.tell(Event::StopAsked(ClientId(7)));
    world.tell(Event::ApplicationsEnded { needs_server: true });
    world.open.retain(|action| matches!(action, Action::TakeBackFromMultiplexers));
    world.pass(Deadlines::default().user_manager);
    let why = world.ended();
    assert!(matches!(why, Why::ManagerSilent { waited } if waited == Deadlines::default().user_manager), "{why:?}");
    assert!(matches!(world.all.last(), Some(Action::PutBack(ManagerState::Silent, _))), "{:?}", world.all.last());
    assert_eq!(
        world.count(|action| matches!(action, Action::Kill(_))),
        2,
        "it executes the orders when it responds again"
    );
}

#[test]
fn units_that_do_not_stop_are_killed_and_that_is_reported() {
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
fn an_unanswered_kill_is_not_waited_for() {
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

    // Nor does its answer matter if the phase of the server has begun by then.
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
fn a_server_that_is_being_forked_in_the_servers_phase_is_ended() {
    for forked in [true, false] {
        let mut world = World::ours();
        world.server_ends(Ending::Signal(11), None);
        world.settle();
        let supervisor = world.next_supervisor();
        world.settle_until(|action| *action == Action::Fork(supervisor));
        world.tell(Event::Interrupt("SIGTERM"));
        world.settle();
        assert!(!world.session.over(), "it may still come");
        world.server = forked;
        let outcome = if forked { Ok(()) } else { Err("no such program".to_owned()) };
        world.tell(Event::Forked(supervisor, outcome));
        assert_eq!(world.ended(), Why::Signal("SIGTERM"));
        assert_eq!(world.count(|action| matches!(action, Action::TerminateServer)), usize::from(forked));
    }
}

#[test]
fn multiplexers_get_their_variables_back_before_the_terminal_is_restored() {
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
fn an_end_continues_on_the_next_connection() {
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
fn a_job_whose_end_was_reported_on_a_broken_connection_is_looked_up() {
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

#[test]
fn a_manager_that_exits_is_not_waited_for_to_execute_our_order() {
    let mut world = World::ours();
    world.unit(WM, exited());
    let is_shutdown =
        |action: &Action| matches!(action, Action::Start { unit, .. } if unit == "startxd-shutdown.target");
    let Action::Start { order, .. } = world.settle_until(is_shutdown) else { panic!() };
    world.tell(Event::Queued(order, Ok(JobId("/waits".into()))));
    world.settle_until(|action| matches!(action, Action::AskWhetherManagerStops));
    world.tell(Event::ManagerStops(Ok(true)));
    let Action::Look { number, .. } = world.settle_until(|action| matches!(action, Action::Look { .. })) else {
        panic!()
    };
    world.tell(Event::Looked(number, Ok(Seen { units: vec![("xorg.target".into(), up())], server: None })));
    assert!(!world.session.over(), "xorg.target is still up");
    world.tell(Event::Changed("xorg.target".into()));
    assert_eq!(world.ended(), Why::ManagerLost("it exits".into()));
}

/// A step of the end that was refused, cut off, or not answered.
const FAILURES: [fn() -> CallFailure; 3] = [|| refused("no"), disconnected, silent];

#[test]
fn an_end_continues_whatever_the_answers_are() {
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

        // By now everything is down, and a missing answer does not change the reason.
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

        // Units that are not tied to the display: one that cannot be stopped is not waited for.
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
    // A change of another unit does not matter.
    assert_eq!(world.tell(Event::Changed(WM.into())), []);
    // A change during a look triggers another one.
    let actions = world.tell(Event::Changed("startxd-shutdown.target".into()));
    assert!(matches!(actions[..], [Action::Look { .. }]), "{actions:?}");
    assert_eq!(world.tell(Event::Changed("startxd-shutdown.target".into())), []);
    let first = look(&mut world);
    assert_eq!(world.tell(Event::Looked(first + 9, Err(silent()))), [], "another look");
    let actions = world.tell(Event::Looked(first, Ok(Seen { units: still(up()), server: None })));
    assert!(matches!(actions[..], [Action::Look { .. }]), "{actions:?}");
    assert_eq!(world.ended(), Why::Asked);

    // It has the deadline of the end, and the end counts as complete.
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
fn a_look_from_before_the_end_says_nothing_about_it() {
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

/// A window manager's failure remains the reason if the manager goes during the end; a logout does not.
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
        // Outstanding requests are not answered any more.
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
    // A server whose supervisor is killed now is told to end, and nobody is told of its end.
    assert_eq!(world.tell(Event::ClientGone(SUPERVISOR)), [Action::TerminateServer]);
    world.server = false;
    assert_eq!(world.tell(Event::ServerEnded(Ending::Code(0))), []);
    assert_eq!(world.ended(), Why::Asked);
    assert_eq!(world.count(|action| matches!(action, Action::TerminateServer)), 1);
}

#[test]
fn a_server_that_ignores_sigterm_is_killed() {
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
fn nothing_is_launched_while_a_session_ends_and_supervisors_are_told() {
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
    // A supervisor that was refused has failed; the repair that systemd starts for it is stopped with the rest.
    let repair = |action: &Action| matches!(action, Action::Look { units, .. } if units.iter().any(|unit| unit == names::REPAIR_SERVICE));
    assert_eq!(world.ended(), Why::Signal("SIGHUP"));
    // It is looked at before and after the second round of what the window manager started.
    assert_eq!(world.count(repair), 2);
    assert_eq!(world.count(|action| matches!(action, Action::Fork(_))), 1);
}
