//! What the end of a server means, and when another one starts.

use super::*;
use crate::deadline::DROPS_CLIENTS;

#[test]
fn a_server_that_crashes_comes_back_three_times_with_growing_pauses() {
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
    let mut world = World::launched(setup(&[WM], Some(true)));
    world.server_ends(Ending::Code(1), Some("no screens found"));
    let why = Why::ServerFailed { ending: Some(Ending::Code(1)), words: "no screens found".into() };
    assert_eq!(world.ended(), why);
}

#[test]
fn a_server_that_its_supervisor_gives_up_before_it_served_ends_the_session_at_once() {
    let words = "the X server has not answered within 30 s";
    let why = |ending| Why::ServerFailed { ending, words: words.into() };
    let gives_up = |world: &mut World, client| world.tell(Event::LastWords(client, words.into()));
    let mut world = World::launched(setup(&[WM], Some(true)));
    gives_up(&mut world, SUPERVISOR);
    assert!(matches!(world.session.stage, Stage::Ending(_)), "its end is not waited for");
    // A window manager that has found the server fails with it, and that is not the reason.
    world.unit(WM, failed(CLD_EXITED, 1, false));
    assert_eq!(world.ended(), why(None));
    let repair = |action: &Action| matches!(action, Action::Look { units, .. } if units.iter().any(|unit| unit == names::REPAIR_SERVICE));
    assert_ne!(world.count(repair), 0, "its supervisor has failed, so systemd has started the repair");

    // Not on another client's word.
    let mut world = World::launched(setup(&[WM], Some(true)));
    gives_up(&mut world, ClientId(9));
    world.goes_on();
    // One that has served comes back, once it has ended.
    let mut world = World::ours();
    gives_up(&mut world, SUPERVISOR);
    world.goes_on();
    world.server_ends(Ending::Code(0), None);
    world.goes_on();
    world.next_server();
    let supervisor = ClientId(world.supervisors);
    gives_up(&mut world, supervisor);
    world.goes_on();
    // How it ended is the reason if it has ended by itself before that.
    let mut world = World::launched(setup(&[WM], Some(true)));
    world.server = false;
    world.tell(Event::ServerEnded(Ending::Signal(11)));
    gives_up(&mut world, SUPERVISOR);
    assert_eq!(world.ended(), why(Some(Ending::Signal(11))));
}

#[test]
fn a_server_that_is_told_to_end_comes_back_at_once_and_does_not_count() {
    let mut world = World::ours();
    for _ in 0..9 {
        world.server_ends(Ending::Code(0), None);
        world.goes_on();
        world.next_server();
    }
    assert_eq!(world.count(|action| matches!(action, Action::Fork(_))), 10);
    // A server that its supervisor gave up was told to end too, but counts.
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
fn a_server_that_something_other_than_its_unit_ends_is_the_sessions_end() {
    let mut world = World::ours();
    // The window manager exits with its server, and is noticed first.
    world.server = false;
    world.tell(Event::ServerEnded(Ending::Code(0)));
    assert_eq!(world.tell(Event::Changed(WM.into())), []);
    world.tell(Event::ServerLeft(SUPERVISOR, "the X server exited with status 0".into()));
    assert_eq!(world.ended(), Why::Zapped);
    // Its supervisor has failed, so systemd has started the repair: wait for it.
    let repair = |action: &Action| matches!(action, Action::Look { units, .. } if units.iter().any(|unit| unit == names::REPAIR_SERVICE));
    assert_ne!(world.count(repair), 0);
    assert_eq!(world.count(|action| matches!(action, Action::StartAgain(_) | Action::Fork(_))), 1);

    // Not before it has answered, not with another status, and not on another client's word.
    let mut world = World::launched(setup(&[WM], Some(true)));
    world.server = false;
    world.tell(Event::ServerEnded(Ending::Code(0)));
    world.tell(Event::ServerLeft(SUPERVISOR, "it left".into()));
    assert!(matches!(world.ended(), Why::ServerFailed { .. }));
    for (ending, client) in [(Ending::Code(1), SUPERVISOR), (Ending::Code(0), ClientId(9))] {
        let mut world = World::ours();
        world.server = false;
        world.tell(Event::ServerEnded(ending));
        world.tell(Event::ServerLeft(client, "it left".into()));
        world.tell(Event::ClientGone(SUPERVISOR));
        world.goes_on();
    }
    // The next server is judged by its own end.
    let mut world = World::ours();
    world.server_ends(Ending::Signal(11), None);
    world.tell(Event::ServerLeft(SUPERVISOR, "late".into()));
    world.goes_on();
    world.next_server();
    world.server_ends(Ending::Code(0), None);
    world.goes_on();
}

#[test]
fn the_supervisors_last_words_are_waited_for_but_not_forever() {
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
    // The fourth crash was one too many, and had no last words.
    assert_eq!(world.ended(), Why::ServerFailed { ending: Some(Ending::Signal(6)), words: String::new() });

    // A supervisor that stays and sends nothing: its deadline passes.
    let mut world = World::ours();
    world.tell(Event::ServerEnded(Ending::Signal(6)));
    world.server = false;
    assert!(world.session.server.is_undecided());
    // Meanwhile the window manager fails. That is judged afterwards, as lost with its server.
    assert_eq!(world.tell(Event::Changed(WM.into())), []);
    world.pass(seconds(4));
    assert!(world.session.server.is_undecided());
    world.pass(seconds(1));
    assert!(!world.session.server.is_undecided());
    world.goes_on();
}

#[test]
fn a_server_program_that_cannot_be_executed_is_reported() {
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
fn a_socket_that_did_not_come_up_is_reported() {
    let mut world = World::new(setup(&[WM], Some(true)));
    let actions = world.tell(Event::Prepared(display()));
    let Some(Action::Start { order, .. }) = actions.first().cloned() else { panic!("{actions:?}") };
    world.tell(Event::Queued(order, Ok(JobId("/x".into()))));
    let result = "dependency: xorg@0.socket failed (resources)".to_owned();
    world.tell(Event::JobDone { job: JobId("/x".into()), result, end: None });
    assert_eq!(world.ended(), Why::ServerFailed { ending: None, words: "xorg@0.socket failed (resources)".into() });
}

#[test]
fn what_was_lost_with_a_server_is_started_again_once() {
    let dying = Some(ServerSeen { number: 1, is_ending: true });
    let serving = Some(ServerSeen { number: 1, is_ending: false });
    for (observed, server, again) in [
        (failed(CLD_EXITED, 1, false), dying, true),
        // Openbox exits with 0 or 1, at random, when its display goes.
        (exited(), dying, true),
        (restarting(), dying, true),
        (exited(), serving, false),
        (failed(CLD_EXITED, 1, false), serving, false),
    ] {
        let mut world = World::ours();
        world.unit_with(WM, observed.clone(), server);
        assert_eq!(world.count(starts_again), 0, "{observed:?} {server:?}");
        if !again {
            continue;
        }
        world.server_ends(Ending::Signal(11), None);
        assert_eq!(world.count(starts_again), 1, "{observed:?}");
        // What fails once more with the same server has failed by itself.
        world.settle();
        world.unit_with(WM, failed(CLD_EXITED, 1, false), dying);
        assert!(matches!(world.ended(), Why::SessionFailed { .. }));
    }
}

#[test]
fn what_was_lost_with_a_server_waits_until_the_meaning_of_its_end_is_known() {
    let dying = Some(ServerSeen { number: 1, is_ending: true });
    // Ctrl+Alt+Backspace: nothing is started in a session that ends.
    let mut world = World::ours();
    world.unit_with(WM, failed(CLD_EXITED, 1, false), dying);
    world.server = false;
    world.tell(Event::ServerLeft(SUPERVISOR, String::new()));
    world.tell(Event::ServerEnded(Ending::Code(0)));
    assert_eq!(world.ended(), Why::Zapped);
    assert_eq!(world.count(starts_again), 0);
    // A server that does not end after all.
    let mut world = World::ours();
    world.unit_with(WM, failed(CLD_EXITED, 1, false), dying);
    world.pass(DROPS_CLIENTS);
    assert_eq!(world.count(starts_again), 1);
    world.goes_on();
}

#[test]
fn noticing_a_crash_after_the_next_server_started_is_no_failure() {
    let next = Some(ServerSeen { number: 2, is_ending: false });
    let mut world = World::ours();
    world.server_ends(Ending::Signal(11), None);
    world.next_server();
    world.unit_with(WM, failed(CLD_EXITED, 1, false), next);
    world.goes_on();
    assert_eq!(world.count(starts_again), 1);
    // What exits with 0 while there is a display was left by its user.
    world.unit_with(WM, exited(), next);
    assert_eq!(world.ended(), Why::LoggedOut);

    // Also by a window manager that was not started again: it survived its server's end, and manages the next one.
    let mut world = World::ours();
    world.server_ends(Ending::Signal(11), None);
    world.next_server();
    world.tell(Event::Managed);
    world.unit_with(WM, exited(), next);
    assert_eq!(world.ended(), Why::LoggedOut);
}

#[test]
fn a_supervisor_that_is_killed_ends_its_server() {
    let mut world = World::ours();
    let actions = world.tell(Event::ClientGone(SUPERVISOR));
    assert_eq!(actions, [Action::TerminateServer]);
    world.goes_on();
    world.next_supervisor();
    world.settle();
    assert_eq!(world.count(|action| matches!(action, Action::Fork(_))), 2);
    // Its unit has failed, so systemd has started the repair: the end waits for it.
    world.tell(Event::StopAsked(ClientId(8)));
    assert_eq!(world.ended(), Why::Asked);
    let repair = |action: &Action| matches!(action, Action::Look { units, .. } if units.iter().any(|unit| unit == names::REPAIR_SERVICE));
    assert_ne!(world.count(repair), 0);
}

#[test]
fn requests_that_are_not_ours_are_refused_with_the_reason() {
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
        (Event::ServerLeft(other, "boo".into()), "only the supervisor of the server can tell of its end"),
    ] {
        assert_eq!(world.tell(event), [Action::Refuse(other, reason.to_owned())]);
    }
    world.goes_on();
    // While no server runs, the descriptors are what is wrong.
    world.server_ends(Ending::Code(0), None);
    world.settle();
    let reason = "a socket does not listen";
    assert_eq!(world.tell(ask(":0", Some(reason))), [Action::Refuse(other, reason.to_owned())]);
    world.next_supervisor();
    world.settle();
    // While one request waits, no other one overtakes it.
    world.tell(Event::Control(Control::Lost("systemd-logind was restarted")));
    world.server_ends(Ending::Code(0), None);
    world.open.clear();
    let first = world.next_supervisor();
    assert_eq!(world.all.last(), Some(&Action::Reply(first, Reply::Later)));
    assert!(matches!(world.tell(ask(":0", None))[..], [Action::Refuse(..)]));
    // Nor while a server is being forked.
    let mut starting = World::new(setup(&[WM], Some(true)));
    starting.tell(Event::Prepared(display()));
    starting.ask_for_server(SUPERVISOR);
    let second = starting.tell(ask(":0", None));
    assert!(matches!(&second[..], [Action::Refuse(client, _)] if *client == other), "{second:?}");
    // When that one is gone, the next may come.
    world.tell(Event::ClientGone(first));
    assert_eq!(world.tell(ask(":0", None)), [Action::Reply(other, Reply::Later)]);
}

#[test]
fn a_server_without_devices_is_replaced_when_a_new_one_would_get_them() {
    let mut world = World::ours();
    assert_eq!(world.tell(Event::Control(Control::Lost("logind was restarted"))), []);
    assert_eq!(world.tell(Event::Control(Control::Possible)), [Action::ReplaceServer]);
    assert_eq!(world.tell(Event::Control(Control::Possible)), [], "once");
    world.goes_on();
    // One that ends before that is not: the next one has got its devices.
    world.tell(Event::Control(Control::Lost("logind was restarted")));
    world.server_ends(Ending::Signal(11), None);
    world.tell(Event::Control(Control::Possible));
    world.next_server();
    assert_eq!(world.count(|action| *action == Action::ReplaceServer), 1);
    world.goes_on();
    // A server that is still starting is replaced once it answers.
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

fn stops_of_ready(world: &World) -> usize {
    world.count(|action| matches!(action, Action::Stop { unit, .. } if unit == names::WM_READY_TARGET))
}

fn starts_of_ready(world: &World) -> usize {
    world.count(|action| matches!(action, Action::Start { unit, .. } if unit == names::WM_READY_TARGET))
}

#[test]
fn the_graphical_session_goes_down_with_its_server_and_comes_back_with_the_window_manager() {
    let mut world = World::ours();
    for count in 1..=3 {
        world.server_ends(Ending::Code(0), None);
        world.settle();
        assert_eq!((starts_of_ready(&world), stops_of_ready(&world)), (count, count));
        // What the target does meanwhile means nothing for the session.
        world.unit(names::WM_READY_TARGET, down());
        world.goes_on();
        world.next_server();
        world.settle();
        assert_eq!(starts_of_ready(&world), count);
        world.tell(Event::Managed);
        world.goes_on();
        assert_eq!(starts_of_ready(&world), count + 1);
    }
    // Now it counts again.
    world.unit(names::WM_READY_TARGET, down());
    assert_eq!(world.ended(), Why::TargetStopped(names::WM_READY_TARGET));

    // A session that never had a window manager has nothing to take down.
    let mut world = World::serves(setup(&[WM], Some(true)));
    world.server_ends(Ending::Code(0), None);
    world.goes_on();
    assert_eq!(stops_of_ready(&world), 0);
}

#[test]
fn the_graphical_session_is_not_asked_for_before_its_stop_was_answered() {
    for answer in [Ok(JobId("/stop".into())), Err(refused("no"))] {
        let mut world = World::ours();
        world.server_ends(Ending::Code(0), None);
        let Action::Stop { order, .. } = world.settle_until(|action| matches!(action, Action::Stop { .. })) else {
            unreachable!()
        };
        world.next_server();
        world.tell(Event::Managed);
        world.goes_on();
        assert_eq!(starts_of_ready(&world), 1);
        world.tell(Event::Queued(order, answer));
        world.goes_on();
        assert_eq!(starts_of_ready(&world), 2);
    }
}

#[test]
fn autostart_programs_are_left_to_a_session_that_starts_them() {
    let starts = |world: &World| {
        world.count(|action| matches!(action, Action::Start { unit, .. } if unit == names::WM_AUTOSTART_TARGET))
    };
    let mut world = World::ours();
    assert_eq!(starts(&world), 1);
    world.tell(Event::Autostart(Err("xfce4-session starts them".into())));
    world.goes_on();
    assert_eq!(starts(&world), 1);
}

#[test]
fn ready_when_started_holds_for_a_restarted_window_manager() {
    let mut setup = setup(&[WM], Some(true));
    setup.policy.ready_when_started = true;
    let mut world = World::up(setup);
    assert_eq!(starts_of_ready(&world), 1);
    world.server_ends(Ending::Signal(11), None);
    world.settle();
    // It has not noticed yet.
    world.unit(WM, up());
    world.goes_on();
    assert_eq!(starts_of_ready(&world), 1);
    world.unit(WM, failed(CLD_EXITED, 1, false));
    world.goes_on();
    world.unit(WM, up());
    world.goes_on();
    assert_eq!(starts_of_ready(&world), 2);
}

#[test]
fn a_window_manager_that_outlives_its_server_is_told_to_end_and_then_killed() {
    let ends = |world: &World| {
        let kills = world.all.iter().filter_map(|action| match action {
            Action::EndWindowManager { kill } => Some(*kill),
            _ => None,
        });
        kills.collect::<Vec<_>>()
    };
    let lost = || {
        let mut world = World::ours();
        world.tell(Event::WindowManagerUnit(WM.into()));
        world.server_ends(Ending::Signal(11), None);
        world.settle();
        world
    };
    // It stays. Meanwhile another client has brought up the next server.
    let mut world = lost();
    world.next_server();
    world.pass(Duration::from_millis(999));
    assert_eq!(ends(&world), []);
    world.pass(seconds(1));
    assert_eq!(ends(&world), [false]);
    world.pass(seconds(10));
    assert_eq!(ends(&world), [false, true]);
    // However it ends after that, its server is the cause.
    for observed in [exited(), failed(CLD_KILLED, 9, true), failed(CLD_EXITED, 1, false)] {
        let mut world = lost();
        world.next_server();
        world.pass(seconds(1));
        let serving = Some(ServerSeen { number: 2, is_ending: false });
        world.unit_with(WM, observed.clone(), serving);
        assert_eq!(world.count(|action| *action == Action::StartAgain(WM.into())), 1, "{observed:?}");
        world.goes_on();
        world.pass(seconds(10));
        assert_eq!(ends(&world), [false], "{observed:?}");
    }

    // It needs some time to end in order, as a desktop does, while the next server is there.
    let mut world = lost();
    world.next_server();
    world.pass(Duration::from_millis(500));
    world.unit_with(WM, exited(), Some(ServerSeen { number: 2, is_ending: false }));
    assert_eq!(world.count(|action| *action == Action::StartAgain(WM.into())), 1);
    world.goes_on();
    // The same if its window manager runs elsewhere, but not forever.
    for (after, again) in [(1900, 1), (2100, 0)] {
        let mut world = World::ours();
        world.server_ends(Ending::Signal(11), None);
        world.settle();
        world.next_server();
        world.pass(seconds(1));
        world.pass(Duration::from_millis(after - 1000));
        world.unit_with(WM, exited(), Some(ServerSeen { number: 2, is_ending: false }));
        assert_eq!(world.count(|action| *action == Action::StartAgain(WM.into())), again, "{after}");
    }
    // What manages the next server is left by its user.
    world.tell(Event::Managed);
    world.unit_with(WM, exited(), Some(ServerSeen { number: 2, is_ending: false }));
    assert_eq!(world.ended(), Why::LoggedOut);

    // It ends by itself, or it manages the next server already.
    let mut world = lost();
    world.unit(WM, failed(CLD_EXITED, 1, false));
    world.pass(seconds(10));
    assert_eq!(ends(&world), []);
    let mut world = lost();
    world.next_server();
    world.tell(Event::Managed);
    world.pass(seconds(10));
    assert_eq!(ends(&world), []);
    // A program that is not known to be the window manager is left alone.
    let mut world = World::ours();
    world.server_ends(Ending::Signal(11), None);
    world.pass(seconds(10));
    assert_eq!(ends(&world), []);
}
