//! A server ends while the screen is locked: the steps back to a locked screen.

use super::locking::{LOCKER, count, starts, unit};
use super::*;
use crate::deadline::DROPS_CLIENTS;

/// A session that its command or its unit has locked.
fn locked(by_command: bool) -> World {
    let mut setup = setup(&["i3.service"], None);
    setup.has_lock_command = by_command;
    setup.dotfiles = DotfilesTime::First;
    let mut world = World::up(setup);
    world.lockers.extend((!by_command).then(|| unit("active", false)));
    world.tell(Event::LockAsked(None));
    world.settle();
    world.tell(Event::Covered(true));
    world.settle();
    world
}

/// Whether the window manager, or what depends on it, was started after this many actions.
fn desktop_since(world: &World, begin: usize) -> bool {
    world.all[begin..].iter().any(|action| match action {
        Action::StartAgain(_) | Action::StartAnew(_) | Action::StartRescue(_) | Action::StartTransient(_) => true,
        Action::Start { unit, .. } => [names::WM_READY_TARGET, names::WM_TARGET].contains(&unit.as_str()),
        _ => false,
    })
}

/// The look that was asked for finds the window manager's unit like this.
fn is_seen(world: &mut World, wm: &Observed) {
    let asked = world.open.iter().position(|action| matches!(action, Action::Look { .. })).expect("a look");
    let Action::Look { number, units } = world.open.remove(asked) else { unreachable!() };
    let find = |name: String| (name.clone(), if name == "i3.service" { wm.clone() } else { up() });
    let units = units.into_iter().map(find).collect();
    world.tell(Event::Looked(number, Ok(Seen { units, server: None })));
}

#[test]
fn it_comes_back_covered_then_locked_then_with_a_window_manager() {
    for (by_command, ending) in [(true, Ending::Signal(9)), (true, Ending::Code(0)), (false, Ending::Signal(11))] {
        let mut world = locked(by_command);
        let begin = world.all.len();
        if by_command {
            world.tell(Event::LockerEnded(Ending::Code(1)));
        }
        world.server_ends(ending, None);
        // Late reports about the old server.
        world.tell(Event::Covered(true));
        world.tell(Event::LockerLocks);
        assert_eq!(count(&world, &Action::CoverFirst), 1);
        assert_eq!(count(&world, &Action::SetLockedHint(false)), 0);
        if !by_command {
            world.lockers[0].active = "failed".into();
            world.tell(Event::Changed(LOCKER.into()));
        }
        world.settle();
        world.unit("i3.service", failed(CLD_EXITED, 1, true));
        world.settle();
        world.next_supervisor();
        world.settle();
        world.tell(Event::Served);
        world.settle();
        assert!(!desktop_since(&world, begin), "{:?}", &world.all[begin..]);
        let (commands, targets) = (count(&world, &Action::StartLocker), starts(&world, names::LOCK_TARGET));
        world.tell(Event::CoveredFirst);
        assert_eq!(starts(&world, names::LOCK_TARGET), targets + 1);
        // A window manager that was started for the old server waits for this one.
        assert!(!by_command || commands == 2 || count(&world, &Action::StartLocker) == 2);
        if !by_command {
            world.lockers[0].active = "active".into();
        }
        world.settle();
        assert!(!desktop_since(&world, begin));
        world.tell(Event::Covered(true));
        is_seen(&mut world, &failed(CLD_EXITED, 1, true));
        assert!(desktop_since(&world, begin));
        world.tell(Event::Managed);
        world.pass(seconds(3600));
        world.goes_on();
        assert_eq!(starts(&world, names::WM_READY_TARGET), 2);
        assert_eq!((count(&world, &Action::SetLockedHint(false)), count(&world, &Action::Uncover)), (0, 0));
        // And then a person unlocks it.
        world.tell(Event::Covered(false));
        world.lockers.iter_mut().for_each(|locker| locker.active = "inactive".into());
        world.tell(Event::LockerEnded(Ending::Code(0)));
        world.tell(Event::Changed(LOCKER.into()));
        world.settle();
        assert_eq!((count(&world, &Action::SetLockedHint(false)), count(&world, &Action::Uncover)), (1, 1));
        world.goes_on();
    }
}

#[test]
fn a_window_manager_that_is_ready_behind_the_cover_waits_with_the_graphical_session() {
    let mut world = locked(true);
    let targets = starts(&world, names::WM_READY_TARGET);
    world.server_ends(Ending::Signal(11), None);
    world.tell(Event::LockerEnded(Ending::Code(1)));
    world.settle();
    world.next_supervisor();
    world.settle();
    world.tell(Event::Served);
    world.tell(Event::CoveredFirst);
    // Its own policy has started it again.
    world.tell(Event::Managed);
    world.settle();
    assert_eq!(starts(&world, names::WM_READY_TARGET), targets, "nothing of the session before it is locked");
    world.tell(Event::Covered(true));
    world.settle();
    assert_eq!(starts(&world, names::WM_READY_TARGET), targets + 1);
    world.goes_on();
}

#[test]
fn a_missed_deadline_ends_the_login() {
    let all: [(usize, Why); 4] = [
        (0, Why::NotRelocked),
        (1, Why::NotRelocked),
        (2, Why::LockerLost("the screen locker was ended by the end of its X server".into())),
        (3, Why::LockerLost("the screen locker was ended by SIGKILL".into())),
    ];
    for (steps, why) in all {
        let mut world = locked(true);
        world.server_ends(Ending::Signal(9), None);
        world.tell(Event::LockerEnded(Ending::Code(1)));
        world.settle();
        if steps > 0 {
            world.next_supervisor();
            world.settle();
        }
        if steps > 1 {
            world.tell(Event::CoveredFirst);
            world.settle();
        }
        if steps > 2 {
            for _ in 0..10 {
                world.tell(Event::LockerEnded(Ending::Signal(9)));
                world.settle();
            }
        }
        world.pass(seconds(3600));
        assert_eq!(world.ended(), why, "{steps}");
        assert_eq!(count(&world, &Action::CloseLogin), 1);
        assert_eq!(count(&world, &Action::SetLockedHint(false)), 0);
    }
}

#[test]
fn a_server_without_devices_is_waited_for() {
    let mut world = locked(true);
    world.server_ends(Ending::Signal(9), None);
    world.settle_until(|action| *action == Action::AskForDevices);
    world.next_supervisor();
    // Another terminal is in the foreground, for hours.
    world.pass(seconds(100_000));
    assert_eq!(count(&world, &Action::CloseLogin), 0);
    world.tell(Event::Control(Control::Possible));
    world.settle();
    world.tell(Event::CoveredFirst);
    world.tell(Event::Covered(true));
    world.goes_on();
    // Its supervisor is killed while it waits, and no other one comes.
    let mut world = locked(true);
    world.server_ends(Ending::Signal(9), None);
    world.settle_until(|action| *action == Action::AskForDevices);
    let supervisor = world.next_supervisor();
    world.tell(Event::ClientGone(supervisor));
    world.pass(seconds(100));
    assert_eq!(world.ended(), Why::NotRelocked);
}

#[test]
fn a_server_that_dies_again_meanwhile_starts_over_but_not_forever() {
    let mut world = locked(true);
    for round in 0..=Crash::default().limit {
        world.server_ends(Ending::Signal(9), None);
        world.tell(Event::LockerEnded(Ending::Code(1)));
        world.pass(seconds(1));
        if !matches!(world.session.stage, Stage::Up) {
            assert_eq!(round, Crash::default().limit);
            break;
        }
        assert_eq!(count(&world, &Action::CoverFirst), round as usize + 1);
        world.next_supervisor();
        world.pass(seconds(10));
        world.tell(Event::Served);
        world.tell(Event::CoveredFirst);
        world.settle();
    }
    assert!(matches!(world.ended(), Why::ServerFailed { .. }));
    assert_eq!(count(&world, &Action::CloseLogin), 1);
}

#[test]
fn who_has_locked_it() {
    // Another program's locker, while we have a command, a unit, or neither.
    for (command, has_unit) in [(true, false), (false, true), (false, false)] {
        let mut setup = setup(&[WM], Some(true));
        setup.has_lock_command = command;
        let mut world = World::up(setup);
        world.lockers.extend(has_unit.then(|| unit("inactive", false)));
        world.tell(Event::Covered(true));
        world.settle();
        world.server_ends(Ending::Signal(9), None);
        if !command && !has_unit {
            assert_eq!(world.ended(), Why::Closed(Some(Ending::Signal(9))));
            continue;
        }
        assert_eq!(count(&world, &Action::CoverFirst), 1);
        world.next_supervisor();
        world.settle();
        world.tell(Event::CoveredFirst);
        assert_eq!(count(&world, &Action::StartLocker), usize::from(command));
        assert_eq!(starts(&world, names::LOCK_TARGET), 1);
        world.settle();
        world.tell(Event::Covered(true));
        world.goes_on();
    }
}

#[test]
fn nothing_unlocks_or_locks_meanwhile() {
    let mut world = locked(true);
    world.server_ends(Ending::Signal(9), None);
    world.tell(Event::LockerEnded(Ending::Code(1)));
    world.settle();
    // xss-lock tells logind what it believes, and programs ask for a lock.
    for (client, event) in [(7, Event::UnlockAsked(Some(ClientId(7)))), (8, Event::LockAsked(Some(ClientId(8))))] {
        world.tell(event);
        let refused = |action: &Action| matches!(action, Action::Refuse(ClientId(refused), _) if *refused == client);
        assert_eq!(world.count(refused), 1);
    }
    world.tell(Event::LockedHint(false));
    world.tell(Event::LockedHint(true));
    world.tell(Event::UnlockAsked(None));
    world.next_supervisor();
    world.settle();
    world.tell(Event::CoveredFirst);
    world.settle();
    world.tell(Event::LockAsked(Some(ClientId(9))));
    assert_eq!(count(&world, &Action::Reply(ClientId(9), Reply::Locked)), 1);
    world.tell(Event::UnlockAsked(Some(ClientId(9))));
    // A locker that goes into the background.
    world.tell(Event::LockerEnded(Ending::Code(0)));
    assert_eq!((count(&world, &Action::SetLockedHint(false)), count(&world, &Action::EndLocker)), (0, 0));
    world.tell(Event::Covered(true));
    world.goes_on();
}

#[test]
fn devices_lost_while_locked_bring_a_locked_server() {
    let mut world = locked(true);
    world.tell(Event::Control(Control::Lost("systemd-logind was restarted")));
    world.goes_on();
    world.tell(Event::Control(Control::Possible));
    assert_eq!(count(&world, &Action::ReplaceServer), 1);
    world.server_ends(Ending::Code(0), None);
    assert_eq!(count(&world, &Action::CoverFirst), 1);
    world.goes_on();
}

#[test]
fn a_window_manager_that_ends_before_its_server_waits_too() {
    let mut world = locked(true);
    let begin = world.all.len();
    let ending = Some(ServerSeen { number: 1, is_ending: true });
    world.unit_with("i3.service", failed(CLD_EXITED, 1, true), ending);
    assert!(!desktop_since(&world, begin));
    // It does not end, and a person unlocks it.
    world.pass(DROPS_CLIENTS);
    assert!(!desktop_since(&world, begin));
    world.tell(Event::Covered(false));
    world.tell(Event::LockerEnded(Ending::Code(0)));
    world.settle();
    assert!(desktop_since(&world, begin));
}

#[test]
fn a_window_manager_that_systemd_has_restarted_meanwhile_is_left_alone() {
    for is_back in [true, false] {
        let mut world = locked(true);
        world.server_ends(Ending::Signal(9), None);
        world.settle();
        world.unit("i3.service", failed(CLD_EXITED, 1, true));
        world.next_supervisor();
        world.settle();
        world.tell(Event::CoveredFirst);
        world.settle();
        world.tell(Event::Covered(true));
        is_seen(&mut world, &if is_back { up() } else { exited() });
        world.settle();
        assert_eq!(world.count(starts_again), usize::from(!is_back));
        world.goes_on();
    }
}
