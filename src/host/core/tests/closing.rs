//! Sessions that were locked, and sessions that end early: what happens to the login.

use super::*;

#[test]
fn a_locked_session_gets_no_new_server_and_its_login_is_closed() {
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
        assert_eq!(world.all.last(), Some(&Action::CloseLogin), "nothing follows it");
        // The repair that systemd started for its supervisor checks that it gets that far.
        let repair = |action: &Action| matches!(action, Action::Look { units, .. } if units.iter().any(|unit| unit == names::REPAIR_SERVICE));
        assert_eq!(world.count(repair), 0);
    }
    // Somebody presses Ctrl+Alt+Backspace.
    let mut world = World::ours();
    world.tell(Event::LockedHint(true));
    world.server = false;
    world.tell(Event::ServerEnded(Ending::Code(0)));
    world.tell(Event::ServerLeft(SUPERVISOR, "it left".into()));
    assert_eq!(world.ended(), Why::Closed(Some(Ending::Code(0))));
    assert_eq!((forks(&world), closes(&world)), (1, 1));
    // Its devices are lost: the server would be replaced.
    let mut world = World::ours();
    world.tell(Event::LockedHint(true));
    world.tell(Event::Control(Control::Lost("systemd-logind was restarted")));
    assert_eq!(world.ended(), Why::Closed(None));
    assert_eq!((world.count(|action| *action == Action::ReplaceServer), closes(&world)), (0, 1));
    // Locked just before the crash, and reported after it: at once, or by logind before the next server comes.
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
    // However it ends while locked, the shell below is not left open.
    let mut world = World::ours();
    world.tell(Event::LockedHint(true));
    world.tell(Event::StopAsked(ClientId(7)));
    assert_eq!((world.ended(), closes(&world)), (Why::Asked, 1));
    let mut world = World::ours();
    world.tell(Event::StopAsked(ClientId(7)));
    world.tell(Event::LockedHint(true));
    assert_eq!((world.ended(), closes(&world)), (Why::Asked, 1));
    // A window manager's crash does not affect server and locker.
    let mut world = World::up(setup(&["i3.service"], None));
    world.tell(Event::LockedHint(true));
    world.unit("i3.service", failed(CLD_KILLED, 9, true));
    world.goes_on();
}

#[test]
fn an_unlocking_caused_by_the_servers_end_does_not_count() {
    // What the locker's parent reports when the locker ends, before we learn of the server's end.
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
    // A person's unlocking counts: after it a crash is an ordinary crash, and a logout leaves the shell alone.
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
    world.tell(Event::Managed);
    world.unit(WM, exited());
    assert_eq!(world.ended(), Why::LoggedOut);
    assert_eq!(world.count(|action| *action == Action::CloseLogin), 0);
}

#[test]
fn a_login_for_one_session_ends_with_it_once_it_was_up() {
    let notes = |world: &World| world.count(|action| *action == Action::NoteClosing(true));
    let mut login = setup(&[WM], Some(true));
    login.is_login = true;
    let mut world = World::up(login.clone());
    assert_eq!((notes(&world), world.session.course.was_up()), (1, true));
    // The shell does that, unless the host is killed first.
    world.unit(WM, exited());
    assert_eq!(world.ended(), Why::LoggedOut);
    assert_eq!(world.count(|action| *action == Action::CloseLogin), 0);
    // A session that never came up leaves the shell, and the reason.
    let mut world = World::serves(login);
    world.unit(WM, failed(CLD_EXITED, 1, false));
    assert!(matches!(world.ended(), Why::SessionFailed { .. }));
    assert_eq!((notes(&world), world.session.course.was_up()), (0, false));
    // A program without a window manager is up once nothing waits for a window manager any more.
    let mut world = World::serves(setup(&[WM], Some(true)));
    assert!(!world.session.course.was_up());
    world.tell(Event::Unmanaged);
    assert!(world.session.course.was_up());
}

#[test]
fn what_ends_before_anything_managed_the_display_is_no_logout() {
    let script = || setup(&[WM], Some(false));
    let second = seconds(1);
    // A script that ends with `openbox &`.
    let mut world = World::serves(script());
    world.pass(second);
    world.unit(WM, exited());
    assert_eq!(world.ended(), Why::NeverUp { what: "i3".into(), after: second });
    assert_eq!(world.session.standing(), Standing::NeverUp);
    // A command from the command line, a stop by somebody, and `startxd stop` were all asked for.
    let mut world = World::serves(Setup { asked_for: true, ..script() });
    world.unit(WM, exited());
    assert_eq!(world.ended(), Why::LoggedOut);
    let mut world = World::serves(script());
    world.tell(Event::UnitJob { unit: WM.into(), is_stop: Some(true) });
    world.unit(WM, down());
    assert_eq!(world.ended(), Why::LoggedOut);
    let mut world = World::serves(script());
    world.tell(Event::StopAsked(ClientId(7)));
    assert_eq!(world.ended(), Why::Asked);
    // A window manager that does not announce itself, and a program without one, once nothing waits for one any more.
    let mut started = script();
    started.policy.ready_when_started = true;
    let mut world = World::serves(started);
    world.unit(WM, up());
    world.unit(WM, exited());
    assert_eq!(world.ended(), Why::LoggedOut);
    let mut world = World::serves(script());
    world.tell(Event::Unmanaged);
    world.unit(WM, exited());
    assert_eq!(world.ended(), Why::LoggedOut);
    // If the user manager exits, that is the reason, here too.
    let mut world = World::serves(script());
    world.unit(WM, exited());
    world.settle_until(|action| matches!(action, Action::AskWhetherManagerStops));
    world.tell(Event::ManagerStops(Ok(true)));
    assert_eq!(world.ended(), Why::ManagerLost("it exits".into()));
}

#[test]
fn a_logout_within_seconds_is_recorded_as_early() {
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
fn program_output_is_not_shown_after_a_locked_session() {
    for locked in [false, true] {
        let mut world = World::ours();
        world.tell(Event::LockedHint(locked));
        world.unit(WM, failed(CLD_EXITED, 1, false));
        assert!(matches!(world.ended(), Why::SessionFailed { .. }));
        let last = world.all.iter().find_map(|action| match action {
            Action::PutBack(_, last) => Some(last.is_locked),
            _ => None,
        });
        assert_eq!(last, Some(locked));
    }
}

#[test]
fn a_server_that_lost_its_devices_is_not_replaced_once_the_screen_is_locked() {
    // The devices may come back before the server has answered its first client, or after.
    for served_first in [false, true] {
        let mut world = World::launched(setup(&[WM], Some(true)));
        world.tell(Event::Control(Control::Lost("logind was restarted")));
        world.tell(Event::LockedHint(true));
        let (first, second) = (Event::Served, Event::Control(Control::Possible));
        let events = if served_first { [first, second] } else { [second, first] };
        events.into_iter().for_each(|event| drop(world.tell(event)));
        assert_eq!(world.ended(), Why::Closed(None), "{served_first}");
        assert_eq!(world.count(|action| *action == Action::ReplaceServer), 0);
    }
}
