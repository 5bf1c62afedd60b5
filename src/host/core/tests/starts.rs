//! How a session starts: what is requested, in which order, and what happens if a start fails.

use super::*;

#[test]
fn a_start_makes_its_requests_in_order_and_waits_only_for_what_it_needs() {
    let mut world = World::new(setup(&[WM], Some(true)));
    let begin = world.tell(Event::Prepared(display()));
    let [Action::Start { order: server, unit, .. }, Action::Export, Action::WatchUnits(_)] = &begin[..] else {
        panic!("{begin:?}")
    };
    assert_eq!(unit, "xorg@0.service");
    // The supervisor is quick: the server is forked before anything else was started.
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
fn a_window_manager_is_queued_once_and_after_the_fork() {
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
    // Another server starts nothing again.
    world.tell(Event::Served);
    world.server_ends(Ending::Signal(11), None);
    world.settle();
    world.next_supervisor();
    world.settle();
    assert_eq!(world.count(is_session), 2);
}

#[test]
fn dotfiles_are_read_once_for_each_server_and_before_the_window_manager() {
    let is_read = |action: &Action| matches!(action, Action::ReadDotfiles { .. });
    for (units, transient) in [(&[WM][..], Some(true)), (&["i3.service"], None), (&["a.service", "b.service"], None)] {
        let mut world = World::up(Setup { dotfiles: DotfilesTime::First, ..setup(units, transient) });
        let at = |which: &dyn Fn(&Action) -> bool| world.all.iter().position(which);
        let is_session = |action: &Action| {
            matches!(action, Action::StartTransient(_))
                || matches!(action, Action::Start { unit, .. } if unit == "wm.target" || unit == "i3.service")
        };
        assert!(at(&is_read) < at(&is_session) && at(&is_read) > at(&|action| matches!(action, Action::Fork(_))));
        assert_eq!(world.count(is_read), 1);
        // The next server's are read before it runs: what is started again waits for that.
        world.server_ends(Ending::Signal(11), None);
        assert_eq!(world.count(is_read), 2);
        assert!(world.all.iter().any(|action| matches!(action, Action::ReadDotfiles { again: true, .. })));
        world.next_server();
        world.tell(Event::Managed);
        assert_eq!(world.count(is_read), 2);
    }
    // The window manager ends before its server does.
    let mut world = World::up(Setup { dotfiles: DotfilesTime::First, ..setup(&[WM], Some(true)) });
    let ending = Some(ServerSeen { number: 1, is_ending: true });
    assert_eq!(world.unit_with(WM, failed(CLD_EXITED, 1, false), ending), []);
    let begin = world.all.len();
    world.server_ends(Ending::Code(0), None);
    let back = |action: &&Action| matches!(action, Action::ReadDotfiles { .. } | Action::StartAgain(_));
    let actions: Vec<&Action> = world.all[begin..].iter().filter(back).collect();
    assert!(matches!(actions[..], [Action::ReadDotfiles { again: true, .. }, Action::StartAgain(_)]), "{actions:?}");
    world.next_server();
    world.tell(Event::Managed);
    world.settle();
    assert_eq!(world.count(is_read), 2);
    // One that crashes by itself comes back to a server that has them.
    world.unit_with("i3.service", failed(CLD_KILLED, 9, true), Some(ServerSeen { number: 2, is_ending: false }));
    assert_eq!(world.count(is_read), 2);
    let mut world = World::serves(Setup { dotfiles: DotfilesTime::Later, ..setup(&[WM], Some(true)) });
    assert_eq!(world.count(is_read), 0);
    for round in 1..3 {
        world.tell(Event::Managed);
        world.tell(Event::Managed);
        world.settle();
        assert_eq!(world.count(is_read), round);
        world.server_ends(Ending::Code(0), None);
        world.next_server();
    }
    // Missing or unreadable files are no reason to end.
    let mut world = World::new(Setup { dotfiles: DotfilesTime::First, ..setup(&[WM], Some(true)) });
    world.tell(Event::Prepared(display()));
    world.ask_for_server(SUPERVISOR);
    let Action::ReadDotfiles { order, again: false } = world.settle_until(is_read) else { unreachable!() };
    world.tell(Event::Queued(order, Err(refused("no"))));
    world.settle();
    world.tell(Event::Served);
    world.goes_on();
    assert_eq!(World::ours().count(is_read), 0);
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
    // The end of one of two units does not end the session; the end of the last one does.
    world.unit("a.service", exited());
    world.goes_on();
    let look = world.tell(Event::Changed("b.service".into()));
    let Some(Action::Look { number, .. }) = look.first() else { panic!("{look:?}") };
    let units = vec![("a.service".to_owned(), exited()), ("b.service".to_owned(), exited())];
    world.tell(Event::Looked(*number, Ok(Seen { units, server: None })));
    assert_eq!(world.ended(), Why::LoggedOut);
}

#[test]
fn a_start_job_that_fails_ends_the_session_with_its_programs_exit() {
    let own_end = end("exit-code", CLD_EXITED, 1);
    for (end, why) in [
        (Some(own_end.clone()), ended_saying(WM, own_end)),
        (None, Why::NotStarted { unit: WM.into(), why: "its start job ended with \"dependency\"".into() }),
    ] {
        // Also if the job ends before the order is answered.
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
fn a_signal_during_the_preparation_ends_it_at_once() {
    let mut world = World::new(setup(&[WM], Some(true)));
    assert_eq!(world.tell(Event::Interrupt("SIGINT")), [Action::AbandonPreparation]);
    assert_eq!(world.session.why(), Some(&Why::Signal("SIGINT")));
    let mut world = World::new(setup(&[WM], Some(true)));
    world.tell(Event::NotPrepared);
    assert!(world.session.over() && world.session.why().is_none());
}
