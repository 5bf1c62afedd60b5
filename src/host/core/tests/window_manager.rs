//! What the end of a window manager means, and what starts it again.

use super::*;

#[test]
fn once_known_only_the_window_manager_decides() {
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
    let gone = |end: ServiceEnd| ended_saying(WM, end);
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
        assert_eq!(world.count(starts_again), 0, "{observed:?}");
    }
}

#[test]
fn a_persons_own_unit_without_restart_comes_back_three_times_in_a_minute() {
    let again = |world: &World| world.count(starts_again);
    let mut world = World::up(setup(&["i3.service"], None));
    for count in 1..=3 {
        world.unit("i3.service", failed(CLD_KILLED, 9, true));
        world.goes_on();
        assert_eq!(again(&world), count);
    }
    world.unit("i3.service", failed(CLD_KILLED, 9, true));
    assert!(matches!(world.ended(), Why::SessionFailed { .. }));
    assert_eq!(again(&world), 3, "the limit is three");

    // Spread over more than a minute, each counts by itself.
    let mut world = World::up(setup(&["i3.service"], None));
    for count in 1..=9 {
        world.unit("i3.service", failed(CLD_KILLED, 9, true));
        world.goes_on();
        assert_eq!(again(&world), count);
        world.pass(seconds(25));
    }

    // With a restart policy it is left to systemd; so is a program that cannot be executed.
    for (observed, count) in [(failed(CLD_KILLED, 9, false), 0), (failed(CLD_EXITED, 203, true), 0)] {
        let mut world = World::up(setup(&["i3.service"], None));
        world.unit("i3.service", observed);
        assert!(matches!(world.ended(), Why::SessionFailed { .. }));
        assert_eq!(again(&world), count);
    }
}

#[test]
fn a_unit_is_not_judged_while_it_is_started_again() {
    let mut world = World::up(setup(&["i3.service"], None));
    let first = world.unit("i3.service", failed(CLD_KILLED, 9, true));
    assert_eq!(first, [Action::StartAgain("i3.service".into())]);
    // Reports before the answer are about the past.
    for _ in 0..5 {
        assert_eq!(world.unit("i3.service", failed(CLD_KILLED, 9, true)), []);
    }
    world.goes_on();
    assert_eq!(world.count(starts_again), 1);

    // The same for a unit that has lost its server.
    let dying = Some(ServerSeen { number: 1, is_ending: true });
    let mut world = World::ours();
    assert_eq!(world.unit_with(WM, failed(CLD_EXITED, 1, false), dying), []);
    world.server_ends(Ending::Signal(11), None);
    assert_eq!(world.count(starts_again), 1);
    assert_eq!(world.unit_with(WM, failed(CLD_EXITED, 1, false), dying), []);
    assert_eq!(world.count(starts_again), 1);
    world.goes_on();
}

#[test]
fn a_restart_is_reported_once_and_a_target_that_is_starting_is_no_end() {
    let mut world = World::ours();
    assert_eq!(world.unit(WM, restarting()), []);
    assert_eq!(world.session.units.said(), [WM]);
    assert_eq!(world.unit(WM, restarting()), []);
    assert_eq!(world.session.units.said(), [WM]);
    // Nor does an answer mean anything that nothing waits for.
    assert_eq!(world.tell(Event::Looked(99, Ok(Seen { units: vec![(WM.into(), exited())], server: None }))), []);
    assert_eq!(world.tell(Event::Queued(Order(99), Ok(JobId("/99".into())))), []);
    // What cannot be queried now is looked at on the next connection.
    let mut world = World::up(setup(&["i3.service"], None));
    world.unit("i3.service", failed(CLD_KILLED, 9, true));
    let actions = world.tell(Event::StartedAgain("i3.service".into(), Err(disconnected())));
    assert!(matches!(actions[..], [Action::Look { .. }]), "{actions:?}");

    let mut world = World::launched(setup(&[WM], Some(true)));
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
fn a_service_that_systemd_cannot_read_again_is_created_again_once() {
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
    // A script, which must not be restarted, is not.
    let mut world = World::up(setup(&[WM], Some(false)));
    world.unit(WM, forgotten);
    assert!(matches!(world.ended(), Why::SessionFailed { .. }));
}

#[test]
fn a_requested_stop_is_a_logout_however_the_unit_ends() {
    // i3 exits with 143 when it is told to end.
    for observed in [failed(CLD_EXITED, 143, true), failed(CLD_KILLED, 9, true), down()] {
        let mut world = World::up(setup(&["i3.service"], None));
        world.tell(Event::UnitJob { unit: "i3.service".into(), is_stop: Some(true) });
        world.unit("i3.service", Observed { state: state("deactivating", "stop-sigterm", Some("stop")), ..up() });
        world.goes_on();
        world.unit("i3.service", observed);
        assert_eq!(world.ended(), Why::LoggedOut);
    }
    // A unit that was stopped and is up again may crash like any other.
    let mut world = World::up(setup(&["i3.service"], None));
    world.tell(Event::UnitJob { unit: "i3.service".into(), is_stop: Some(true) });
    world.unit("i3.service", up());
    world.unit("i3.service", failed(CLD_EXITED, 143, true));
    world.goes_on();
    assert_eq!(world.count(starts_again), 1);
    // Only a stop of these units counts.
    world.tell(Event::UnitJob { unit: "firefox.service".into(), is_stop: Some(true) });
    world.unit("i3.service", failed(CLD_EXITED, 1, true));
    world.goes_on();
}

#[test]
fn a_unit_that_is_down_is_not_judged_before_its_job_is_known() {
    let down = failed(CLD_EXITED, 143, false);
    for (is_stop, is_logout) in [(true, true), (false, false)] {
        let mut world = World::up(setup(&["i3.service"], None));
        let job = |is_stop| Event::UnitJob { unit: "i3.service".into(), is_stop };
        assert_eq!(world.tell(job(None)), []);
        assert_eq!(world.unit("i3.service", down.clone()), []);
        world.goes_on();
        let actions = world.tell(job(Some(is_stop)));
        let [Action::Look { number, .. }] = actions[..] else { panic!("{actions:?}") };
        world.open.clear();
        world.tell(Event::Looked(number, Ok(Seen { units: vec![("i3.service".into(), down.clone())], server: None })));
        assert_eq!(matches!(world.ended(), Why::LoggedOut), is_logout, "{is_stop}");
    }
    // Nothing waits for a query on a connection that is gone, nor is there a look for a job of a unit that is up.
    let mut world = World::up(setup(&["i3.service"], None));
    world.tell(Event::UnitJob { unit: "i3.service".into(), is_stop: None });
    assert_eq!(world.tell(Event::UnitJob { unit: "i3.service".into(), is_stop: Some(false) }), []);
    world.tell(Event::UnitJob { unit: "i3.service".into(), is_stop: None });
    world.tell(Event::Reconnected);
    world.settle();
    world.unit("i3.service", down);
    assert!(matches!(world.ended(), Why::SessionFailed { .. }));
}

#[test]
fn running_out_of_memory_is_no_logout_even_with_exit_status_0() {
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
    // The same where its own policy restarts it.
    let mut world = World::up(setup(&["i3.service"], None));
    let end = end("oom-kill", CLD_EXITED, 0);
    world.tell(Event::Restarts { unit: "i3.service".into(), end, server: None });
    world.goes_on();
}

#[test]
fn a_unit_that_restarts_itself_after_exit_0_is_a_logout() {
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
fn the_rescue_command_takes_over_once_and_the_session_still_fails() {
    let mut with_rescue = setup(&[WM], Some(true));
    with_rescue.policy.crash.rescue = vec!["xterm".into()];
    let crash = failed(CLD_DUMPED, 11, false);
    let first = ended_saying(WM, end("core-dump", CLD_DUMPED, 11));

    let mut world = World::up(with_rescue.clone());
    let rescued = world.unit(WM, crash.clone());
    assert!(matches!(rescued[..], [Action::StartRescue(_)]), "{rescued:?}");
    world.goes_on();
    // A change of the window manager that failed does not matter any more.
    assert_eq!(world.unit(WM, exited()), []);
    world.unit(RESCUE, exited());
    assert_eq!(world.ended(), first);

    // A rescue command that fails, or cannot be started, is not rescued in turn.
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
fn ready_when_started_holds_for_a_silent_window_manager() {
    let ready = |action: &Action| matches!(action, Action::Start { unit, .. } if unit == "wm-ready.target");
    for (ready_when_started, count) in [(false, 0), (true, 1)] {
        let mut setup = setup(&[WM], Some(true));
        setup.policy.ready_when_started = ready_when_started;
        let mut world = World::launched(setup);
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
fn a_window_manager_that_never_came_up_is_not_started_again() {
    let wrong = end("exit-code", CLD_EXITED, 1);
    let restarts = |unit: &str, end: &ServiceEnd| Event::Restarts { unit: unit.into(), end: end.clone(), server: None };
    let auto_restart = Observed { state: state("activating", "auto-restart", None), end: Some(wrong.clone()), ..up() };
    let again = |world: &World| world.count(starts_again);
    let stops = |world: &World, unit: &str| {
        world.count(|action| matches!(action, Action::Stop { unit: stopped, .. } if stopped == unit))
    };

    // If systemd is about to start it again, it is stopped; otherwise it would be started.
    let mut world = World::serves(setup(&[WM], Some(true)));
    world.tell(restarts(WM, &wrong));
    assert_eq!(stops(&world, WM), 1);
    assert_eq!(world.ended(), ended_saying(WM, wrong.clone()));
    // The same if a look finds it first, and for a user's own unit.
    let mut world = World::serves(setup(&["i3.service"], None));
    world.unit("i3.service", auto_restart);
    assert_eq!(stops(&world, "i3.service"), 1);
    assert_eq!(world.ended(), ended_saying("i3.service", wrong.clone()));
    // A unit without `Restart=` is not started again by us; also before the server has answered anybody.
    for mut world in [World::serves(setup(&["i3.service"], None)), World::launched(setup(&["i3.service"], None))] {
        world.unit("i3.service", failed(CLD_EXITED, 1, true));
        assert_eq!((again(&world), stops(&world, "i3.service")), (0, 0));
        assert_eq!(world.ended(), ended_saying("i3.service", wrong.clone()));
    }

    // A signal is a crash. So is an error exit after it managed the display, or after it ran for a while without.
    for (managed, waits, observed) in [
        (false, 0, failed(CLD_KILLED, 11, true)),
        (true, 0, failed(CLD_EXITED, 1, true)),
        (false, COMES_UP.as_secs() + 1, failed(CLD_EXITED, 1, true)),
    ] {
        let mut world = World::serves(setup(&["i3.service"], None));
        if managed {
            world.tell(Event::Managed);
        }
        world.pass(seconds(waits));
        world.unit("i3.service", observed.clone());
        world.goes_on();
        assert_eq!(again(&world), 1, "{observed:?}");
    }
    // Of two units it is not known which one is the window manager's.
    let mut world = World::serves(setup(&["a.service", "b.service"], None));
    world.tell(restarts("a.service", &wrong));
    world.goes_on();

    // The rescue command takes its place at once.
    let mut with_rescue = setup(&[WM], Some(true));
    with_rescue.policy.crash.rescue = vec!["xterm".into()];
    let mut world = World::serves(with_rescue);
    let actions = world.tell(restarts(WM, &wrong));
    assert!(matches!(&actions[..], [Action::Stop { unit, .. }, Action::StartRescue(_)] if unit == WM), "{actions:?}");
    world.goes_on();
    world.unit(RESCUE, exited());
    assert_eq!(world.ended(), ended_saying(WM, wrong));
}

#[test]
fn restarts_are_reported_with_their_number_but_not_one_that_systemd_refuses() {
    let crash = end("core-dump", CLD_DUMPED, 11);
    let mut world = World::ours();
    for count in 1..=3 {
        world.tell(Event::Restarts { unit: WM.into(), end: crash.clone(), server: None });
        world.unit(WM, restarting());
        assert_eq!(world.session.units.said(), [WM], "{count}");
        world.unit(WM, up());
        assert_eq!(world.session.units.said(), <[&str; 0]>::default(), "{count}");
    }
    world.tell(Event::Restarts { unit: WM.into(), end: crash, server: None });
    world.goes_on();
    assert_eq!(world.session.units.said(), <[&str; 0]>::default());
    world.unit(WM, failed(CLD_DUMPED, 11, false));
    assert!(matches!(world.ended(), Why::SessionFailed { .. }));
}

#[test]
fn a_crash_that_systemd_cannot_mend_counts_once() {
    // systemd 252 after a reload: it announces a restart, and then cannot read the unit.
    let crash = |pid| ServiceEnd { pid, ..end("signal", CLD_KILLED, 9) };
    let unreadable = |pid| Observed {
        state: UnitState { load: "bad-setting".into(), ..state("failed", "failed", None) },
        end: Some(crash(pid)),
        never_restarts: false,
    };
    let mut world = World::ours();
    for (index, pid) in [41, 42, 43].into_iter().enumerate() {
        world.tell(Event::Restarts { unit: WM.into(), end: crash(pid), server: None });
        world.unit(WM, unreadable(pid));
        world.goes_on();
        assert_eq!(world.count(|action| matches!(action, Action::StartAnew(_) | Action::StartAgain(_))), index + 1);
    }
    world.tell(Event::Restarts { unit: WM.into(), end: crash(44), server: None });
    world.unit(WM, unreadable(44));
    assert!(matches!(world.ended(), Why::SessionFailed { .. }), "the limit is three");
}
