//! The screen lock: which lockers are asked, when it counts as locked, and what is reported if it is not.

use super::*;

const ASKING: ClientId = ClientId(7);
pub(super) const LOCKER: &str = "i3lock.service";

pub(super) fn count(world: &World, wanted: &Action) -> usize {
    world.count(|action| action == wanted)
}

pub(super) fn starts(world: &World, target: &str) -> usize {
    world.count(|action| matches!(action, Action::Start { unit, .. } if unit == target))
}

fn reply(world: &World) -> Vec<&Action> {
    let to_client = |action: &&Action| matches!(action, Action::Reply(ASKING, _) | Action::Refuse(ASKING, _));
    world.all.iter().filter(to_client).collect()
}

fn with_command() -> World {
    let mut setup = setup(&[WM], Some(true));
    setup.has_lock_command = true;
    World::up(setup)
}

pub(super) fn unit(active: &str, notifies: bool) -> LockerUnit {
    LockerUnit { unit: LOCKER.into(), active: active.into(), notifies }
}

#[test]
fn nothing_is_asked_before_a_window_manager_is_there() {
    let mut world = World::serves(setup(&[WM], Some(true)));
    world.settle();
    assert_eq!(count(&world, &Action::WatchScreen), 0);
    world.tell(Event::Managed);
    world.tell(Event::Managed);
    assert_eq!(count(&world, &Action::WatchScreen), 1);
    assert_eq!(count(&world, &Action::AskForLockers), 0);
}

#[test]
fn without_a_locker_of_ours_the_servers_screen_saver_is_used() {
    let mut world = World::ours();
    world.tell(Event::LockAsked(Some(ASKING)));
    world.settle();
    assert_eq!(count(&world, &Action::AskForScreenSaver), 1);
    assert_eq!((count(&world, &Action::StartLocker), starts(&world, names::LOCK_TARGET)), (0, 1));
    assert!(reply(&world).is_empty(), "it is not locked yet");
    world.tell(Event::Covered(true));
    assert_eq!(reply(&world), [&Action::Reply(ASKING, Reply::Locked)]);
    assert_eq!(count(&world, &Action::SetLockedHint(true)), 1);
    // A second request: it is locked.
    world.tell(Event::LockAsked(Some(ASKING)));
    assert_eq!((reply(&world).len(), count(&world, &Action::AskForScreenSaver)), (2, 1));
    // A person enters the password.
    world.tell(Event::Covered(false));
    world.settle();
    assert_eq!((count(&world, &Action::SetLockedHint(false)), starts(&world, names::UNLOCK_TARGET)), (1, 1));
    world.server_ends(Ending::Signal(11), None);
    world.goes_on();
}

#[test]
fn who_locks() {
    // A command, a unit, both; the screen saver only if there is neither, or if that is unknown.
    for (command, units, saver) in [(true, false, 0), (false, true, 0), (true, true, 0), (false, false, 1)] {
        let mut world = if command { with_command() } else { World::ours() };
        world.lockers.extend(units.then(|| unit("active", false)));
        world.tell(Event::LockAsked(None));
        world.tell(Event::LockAsked(Some(ASKING)));
        world.settle();
        assert_eq!(count(&world, &Action::StartLocker), usize::from(command));
        assert_eq!(starts(&world, names::LOCK_TARGET), 1);
        assert_eq!(count(&world, &Action::AskForScreenSaver), saver, "{command} {units}");
    }
    let mut world = World::ours();
    world.tell(Event::LockAsked(None));
    world.tell(Event::Lockers(Err(silent())));
    assert_eq!(count(&world, &Action::AskForScreenSaver), 1);
}

#[test]
fn each_sign_counts() {
    // The command closes its descriptor, then ends.
    let mut world = with_command();
    world.tell(Event::LockAsked(Some(ASKING)));
    world.settle();
    world.tell(Event::LockerLocks);
    assert_eq!(reply(&world), [&Action::Reply(ASKING, Reply::Locked)]);
    world.tell(Event::Covered(true));
    world.tell(Event::LockerEnded(Ending::Code(0)));
    assert_eq!(count(&world, &Action::SetLockedHint(false)), 0, "its window is still there");
    world.tell(Event::Covered(false));
    assert_eq!(count(&world, &Action::SetLockedHint(false)), 1);
    // A unit that sends READY=1, and one that does not.
    for (active, notifies, locked) in
        [("active", true, true), ("activating", true, false), ("active", false, false), ("failed", true, false)]
    {
        let mut world = World::ours();
        world.lockers.push(unit(active, notifies));
        world.tell(Event::LockAsked(Some(ASKING)));
        world.settle();
        assert_eq!(reply(&world).len(), usize::from(locked), "{active} {notifies}");
        // It is watched, and its end is noticed.
        world.lockers[0].active = "inactive".into();
        world.tell(Event::Changed(LOCKER.into()));
        world.settle();
        assert_eq!(count(&world, &Action::SetLockedHint(false)), usize::from(locked));
    }
}

#[test]
fn a_locker_that_forks_before_its_window_is_seen_has_not_unlocked() {
    for is_seen in [true, false] {
        let mut world = with_command();
        world.tell(Event::LockAsked(Some(ASKING)));
        world.settle();
        world.tell(Event::LockerLocks);
        world.tell(Event::LockerEnded(Ending::Code(0)));
        assert_eq!(count(&world, &Action::SetLockedHint(false)), 0);
        if is_seen {
            world.tell(Event::Covered(true));
        }
        world.pass(LOCKER_ENDS);
        // What nobody sees on the screen has ended.
        assert_eq!(count(&world, &Action::SetLockedHint(false)), usize::from(!is_seen));
        world.tell(Event::Covered(false));
        world.pass(LOCKER_ENDS);
        assert_eq!((count(&world, &Action::SetLockedHint(false)), count(&world, &Action::Uncover)), (1, 1));
    }
}

#[test]
fn a_locker_that_is_told_to_end_while_it_goes_into_the_background_ends() {
    for is_over in [true, false] {
        let mut world = with_command();
        world.tell(Event::LockAsked(Some(ASKING)));
        world.settle();
        world.tell(Event::LockerLocks);
        if is_over {
            world.tell(Event::LockerEnded(Ending::Code(0)));
        }
        world.tell(Event::UnlockAsked(Some(ClientId(8))));
        if !is_over {
            world.tell(Event::LockerEnded(Ending::Code(0)));
        }
        let ends = count(&world, &Action::EndLocker);
        world.tell(Event::Covered(true));
        assert_eq!(count(&world, &Action::EndLocker), ends + 1);
        assert_eq!(count(&world, &Action::SetLockedHint(false)), 0);
        world.tell(Event::Covered(false));
        assert_eq!(count(&world, &Action::Reply(ClientId(8), Reply::Unlocked)), 1);
        assert_eq!(count(&world, &Action::SetLockedHint(false)), 1);
    }
}

#[test]
fn a_lock_that_fails_is_reported() {
    let refusal = |world: &World| match reply(world).as_slice() {
        [Action::Refuse(_, why)] => why.clone(),
        other => panic!("{other:?}"),
    };
    let lock = Deadlines::default().lock;
    let mut world = World::ours();
    world.tell(Event::LockAsked(Some(ASKING)));
    world.pass(lock);
    assert!(refusal(&world).contains("nothing has answered the X server's screen saver"));
    let mut world = World::ours();
    world.lockers.push(unit("failed", false));
    world.tell(Event::LockAsked(Some(ASKING)));
    world.pass(lock);
    assert_eq!(refusal(&world), "i3lock.service has not locked it within 10 s");
    let mut world = with_command();
    world.tell(Event::LockAsked(Some(ASKING)));
    world.pass(lock);
    assert_eq!(refusal(&world), "lock.command has not locked it within 10 s");
    // Before the deadline, if it is known earlier.
    let mut world = with_command();
    world.tell(Event::LockAsked(Some(ASKING)));
    world.settle();
    world.tell(Event::LockerEnded(Ending::Code(1)));
    assert_eq!(refusal(&world), "the screen locker exited with status 1");
    let mut world = with_command();
    world.tell(Event::LockAsked(Some(ASKING)));
    world.tell(Event::LockerStarted(Err("there is no program i3lock".into())));
    assert_eq!(refusal(&world), "lock.command cannot be run: there is no program i3lock");
    // The next request starts afresh.
    world.tell(Event::LockAsked(None));
    assert_eq!(count(&world, &Action::StartLocker), 2);
    // No display yet, and no display any more.
    let mut world = World::new(setup(&[WM], Some(true)));
    world.tell(Event::Prepared(display()));
    world.tell(Event::LockAsked(Some(ASKING)));
    assert_eq!(refusal(&world), "the display is not there");
    let mut world = World::ours();
    world.tell(Event::StopAsked(ClientId(8)));
    world.tell(Event::LockAsked(Some(ASKING)));
    refusal(&world);
}

#[test]
fn a_requested_unlocking_ends_the_locker() {
    let mut world = with_command();
    world.tell(Event::UnlockAsked(Some(ASKING)));
    assert_eq!(reply(&world), [&Action::Reply(ASKING, Reply::Unlocked)], "it is open");
    world.tell(Event::LockAsked(None));
    world.settle();
    world.tell(Event::Covered(true));
    world.tell(Event::UnlockAsked(Some(ASKING)));
    assert_eq!((count(&world, &Action::EndLocker), reply(&world).len()), (1, 1));
    world.tell(Event::Covered(false));
    world.tell(Event::LockerEnded(Ending::Signal(15)));
    assert_eq!((reply(&world).len(), count(&world, &Action::StartLocker)), (2, 1));
    // A unit stops with its target.
    let mut world = World::ours();
    world.lockers.push(unit("active", false));
    world.tell(Event::LockAsked(None));
    world.settle();
    world.tell(Event::Covered(true));
    world.tell(Event::UnlockAsked(Some(ASKING)));
    assert_eq!((count(&world, &Action::EndLocker), starts(&world, names::UNLOCK_TARGET)), (0, 1));
    world.pass(Deadlines::default().lock);
    assert!(matches!(reply(&world).as_slice(), [Action::Refuse(..)]));
}

#[test]
fn requests_are_done_one_after_the_other() {
    const OTHER: ClientId = ClientId(8);
    let replies = |world: &World, of: ClientId| -> Vec<Action> {
        let is_his =
            |action: &&Action| matches!(action, Action::Reply(client, _) | Action::Refuse(client, _) if *client == of);
        world.all.iter().filter(is_his).cloned().collect()
    };
    // The locker was started and is not seen yet: it may lock at any moment.
    let locking = || {
        let mut world = with_command();
        world.tell(Event::LockAsked(Some(ASKING)));
        world.settle();
        world.tell(Event::UnlockAsked(Some(OTHER)));
        assert!(replies(&world, OTHER).is_empty(), "nobody knows yet whether it is open");
        world
    };
    let mut world = locking();
    world.tell(Event::Covered(true));
    assert_eq!(reply(&world), [&Action::Reply(ASKING, Reply::Locked)]);
    assert_eq!((count(&world, &Action::EndLocker), replies(&world, OTHER).len()), (1, 0));
    world.tell(Event::Covered(false));
    world.tell(Event::LockerEnded(Ending::Signal(15)));
    assert_eq!(replies(&world, OTHER), [Action::Reply(OTHER, Reply::Unlocked)]);
    world.pass(seconds(3600));
    assert_eq!(count(&world, &Action::StartLocker), 1);
    world.goes_on();

    // It never locks; then it is ended, and the screen is open.
    let mut world = locking();
    world.pass(Deadlines::default().lock);
    assert!(matches!(reply(&world).as_slice(), [Action::Refuse(..)]));
    assert_eq!((count(&world, &Action::EndLocker), replies(&world, OTHER).len()), (1, 0));
    world.tell(Event::Covered(false));
    assert!(replies(&world, OTHER).is_empty(), "it still runs");
    world.tell(Event::LockerEnded(Ending::Signal(15)));
    assert_eq!(replies(&world, OTHER), [Action::Reply(OTHER, Reply::Unlocked)]);
    // It ignores that.
    let mut world = locking();
    world.pass(Deadlines::default().lock * 2);
    assert_eq!(replies(&world, OTHER), [Action::Refuse(OTHER, "the screen locker does not end".into())]);
    // It cannot be started.
    let mut world = locking();
    world.tell(Event::LockerEnded(Ending::Code(1)));
    assert_eq!(replies(&world, OTHER), [Action::Reply(OTHER, Reply::Unlocked)]);

    // Locked after all: the last request counts.
    let mut world = locking();
    world.tell(Event::LockAsked(None));
    assert_eq!(replies(&world, OTHER), [Action::Refuse(OTHER, "a later request locks the screen".into())]);
    world.tell(Event::Covered(true));
    world.pass(seconds(60));
    assert_eq!((count(&world, &Action::EndLocker), count(&world, &Action::SetLockedHint(false))), (0, 0));

    // And the other way round: the locker that was told to end still covers the screen.
    let unlocking = || {
        let mut world = locked();
        world.tell(Event::UnlockAsked(Some(OTHER)));
        world.tell(Event::LockAsked(Some(ASKING)));
        assert!(reply(&world).is_empty(), "it is about to open");
        world
    };
    let mut world = unlocking();
    world.tell(Event::Covered(false));
    world.tell(Event::LockerEnded(Ending::Signal(15)));
    assert_eq!(replies(&world, OTHER), [Action::Reply(OTHER, Reply::Unlocked)]);
    assert_eq!((count(&world, &Action::StartLocker), reply(&world).len()), (2, 0));
    world.settle();
    world.tell(Event::Covered(true));
    assert_eq!(reply(&world), [&Action::Reply(ASKING, Reply::Locked)]);
    // It does not end, and so the screen is locked.
    let mut world = unlocking();
    world.pass(Deadlines::default().lock);
    assert!(matches!(replies(&world, OTHER).as_slice(), [Action::Refuse(..)]));
    assert_eq!(reply(&world), [&Action::Reply(ASKING, Reply::Locked)]);
    let mut world = unlocking();
    world.tell(Event::UnlockAsked(Some(OTHER)));
    assert_eq!(reply(&world), [&Action::Refuse(ASKING, "a later request opens the screen".into())]);
}

#[test]
fn a_machine_that_goes_to_sleep_while_the_screen_is_being_opened_is_locked_first() {
    let mut world = locked();
    world.tell(Event::UnlockAsked(None));
    world.tell(Event::Sleeps(Some(seconds(5))));
    world.settle();
    assert_eq!(count(&world, &Action::LetSleep), 0);
    world.tell(Event::Covered(false));
    world.tell(Event::LockerEnded(Ending::Signal(15)));
    world.settle();
    assert_eq!((count(&world, &Action::LetSleep), count(&world, &Action::StartLocker)), (0, 2));
    world.tell(Event::Covered(true));
    assert_eq!(count(&world, &Action::LetSleep), 1);
}

#[test]
fn what_is_seen_overrides_what_others_tell_logind() {
    let mut world = World::ours();
    world.tell(Event::Covered(true));
    world.tell(Event::LockedHint(true));
    assert_eq!(world.tell(Event::LockedHint(false)), [Action::SetLockedHint(true)]);
    // logind was restarted and is told again; a server that ends closes the login.
    world.server_ends(Ending::Signal(11), None);
    assert_eq!(world.ended(), Why::Closed(Some(Ending::Signal(11))));
    assert_eq!(count(&world, &Action::CloseLogin), 1);
}

/// A session that its command has locked.
fn locked() -> World {
    let mut world = with_command();
    world.tell(Event::LockAsked(None));
    world.settle();
    world.tell(Event::Covered(true));
    assert_eq!(count(&world, &Action::Cover), 1);
    world
}

#[test]
fn a_locker_that_dies_is_started_again_behind_a_cover() {
    for window_first in [false, true] {
        let mut world = locked();
        if window_first {
            world.tell(Event::Covered(false));
        }
        world.tell(Event::LockerEnded(Ending::Signal(9)));
        if !window_first {
            world.tell(Event::Covered(false));
        }
        world.settle();
        assert_eq!((count(&world, &Action::StartLocker), count(&world, &Action::SetLockedHint(false))), (2, 0));
        world.tell(Event::Covered(true));
        world.pass(seconds(3600));
        world.goes_on();
        // And then a person unlocks it.
        world.tell(Event::Covered(false));
        assert_eq!(count(&world, &Action::SetLockedHint(false)), 0, "it is not known how it ends");
        world.tell(Event::LockerEnded(Ending::Code(0)));
        assert_eq!((count(&world, &Action::SetLockedHint(false)), count(&world, &Action::Uncover)), (1, 1));
        world.pass(seconds(3600));
        world.goes_on();
    }
}

#[test]
fn a_locker_that_dies_too_often_or_stays_away_ends_session_and_login() {
    let limit = Crash::default().limit;
    let mut world = locked();
    for _ in 0..=limit {
        world.tell(Event::Covered(false));
        world.tell(Event::LockerEnded(Ending::Signal(9)));
        world.settle();
        world.tell(Event::Covered(true));
    }
    assert_eq!(world.ended(), Why::LockerLost("the screen locker was ended by SIGKILL".into()));
    assert_eq!(count(&world, &Action::CloseLogin), 1);
    assert_eq!((count(&world, &Action::StartLocker), count(&world, &Action::Uncover)), (1 + limit as usize, 0));
    // It does not lock again, or is not installed any more.
    let mut world = locked();
    world.tell(Event::LockerEnded(Ending::Signal(9)));
    world.pass(Deadlines::default().lock);
    assert!(matches!(world.ended(), Why::LockerLost(_)));
    let mut world = locked();
    world.tell(Event::LockerEnded(Ending::Signal(9)));
    world.tell(Event::LockerStarted(Err("there is no program i3lock".into())));
    assert!(matches!(world.ended(), Why::LockerLost(_)));
    assert_eq!(count(&world, &Action::CloseLogin), 1);
}

#[test]
fn a_window_that_vanishes_while_its_locker_lives_is_an_unlocking() {
    let mut world = locked();
    world.tell(Event::Covered(false));
    world.pass(seconds(1));
    assert_eq!((count(&world, &Action::SetLockedHint(false)), count(&world, &Action::Uncover)), (1, 1));
    // A monitor is plugged in: the locker needs a moment to cover it.
    let mut world = locked();
    world.tell(Event::Covered(false));
    world.tell(Event::Covered(true));
    world.pass(seconds(60));
    assert_eq!(count(&world, &Action::SetLockedHint(false)), 0);
}

#[test]
fn the_end_of_a_lockers_unit() {
    // Its state after it ended, whether it is locked then, and whether we start it again.
    let limit = Crash::default().limit as usize;
    for (active, locked, started) in [("inactive", false, 0), ("failed", true, limit), ("activating", true, 0)] {
        let mut world = World::ours();
        world.lockers.push(unit("active", false));
        world.tell(Event::LockAsked(None));
        world.settle();
        world.tell(Event::Covered(true));
        world.lockers[0].active = active.into();
        world.tell(Event::Covered(false));
        world.settle();
        assert_eq!(
            (count(&world, &Action::SetLockedHint(false)) == 0, starts(&world, LOCKER)),
            (locked, started),
            "{active}"
        );
        if locked {
            world.pass(Deadlines::default().lock);
            assert!(matches!(world.ended(), Why::LockerLost(_)));
        } else {
            world.goes_on();
        }
    }
    // The next locker dies before anybody looks at it.
    let mut world = World::ours();
    world.lockers.push(unit("active", false));
    world.tell(Event::LockAsked(None));
    world.settle();
    world.tell(Event::Covered(true));
    world.lockers[0].active = "failed".into();
    world.tell(Event::Covered(false));
    // Each dies as soon as its start is over, until the limit is reached.
    assert!(matches!(world.ended(), Why::LockerLost(_)));
    assert_eq!((starts(&world, LOCKER), count(&world, &Action::SetLockedHint(false))), (limit, 0));
    // The manager does not answer, so nobody knows.
    let mut world = World::ours();
    world.lockers.push(unit("active", false));
    world.tell(Event::LockAsked(None));
    world.settle();
    world.tell(Event::Covered(true));
    world.tell(Event::Covered(false));
    for _ in 0..2 {
        world.open.clear();
        world.tell(Event::Lockers(Err(silent())));
        world.now += seconds(1);
        world.tell(Event::Due);
    }
    world.tell(Event::Lockers(Err(silent())));
    assert!(matches!(world.ended(), Why::LockerLost(_)));
}

#[test]
fn a_session_that_ends_while_it_is_locked_is_covered_until_its_server_has_ended() {
    // Locked by another program: its locker is an application like any other.
    let mut world = World::ours();
    world.tell(Event::Covered(true));
    assert_eq!(count(&world, &Action::Cover), 0);
    let actions = world.tell(Event::Interrupt("SIGTERM"));
    let at = |wanted: &Action| actions.iter().position(|action| action == wanted);
    assert!(at(&Action::Cover).is_some() && at(&Action::Cover) < at(&Action::EndApplications), "{actions:?}");
    world.tell(Event::Covered(false));
    assert_eq!(world.ended(), Why::Signal("SIGTERM"));
    assert_eq!((count(&world, &Action::Uncover), count(&world, &Action::CloseLogin)), (0, 1));
    // Locked by our own locker, which has its cover already.
    let mut world = locked();
    world.tell(Event::Interrupt("SIGTERM"));
    assert_eq!(world.ended(), Why::Signal("SIGTERM"));
    assert_eq!((count(&world, &Action::Cover), count(&world, &Action::Uncover)), (1, 0));
}
