//! The machine's sleep: what logind waits for, and for how long.

use super::*;
use crate::deadline::BEFORE_SLEEP;

const LOCKER: &str = "i3lock.service";
const LONGEST: Duration = crate::deadline::DELAYS_SLEEP;

fn count(world: &World, wanted: &Action) -> usize {
    world.count(|action| action == wanted)
}

fn starts(world: &World, unit: &str) -> usize {
    world.count(|action| matches!(action, Action::Start { unit: started, .. } if started == unit))
}

fn stops(world: &World, unit: &str) -> usize {
    world.count(|action| matches!(action, Action::Stop { unit: stopped, .. } if stopped == unit))
}

/// A session with a locker that is a command, or a unit, or neither.
fn world(command: bool, unit: bool) -> World {
    let mut setup = setup(&[WM], Some(true));
    setup.has_lock_command = command;
    let mut world = World::up(setup);
    world.lockers.extend(unit.then(|| LockerUnit { unit: LOCKER.into(), active: "active".into(), notifies: false }));
    world
}

#[test]
fn the_machine_waits_for_the_lock_and_the_target() {
    // Whether there is a command, or a unit; and whether the machine has to wait for the lock.
    for (command, unit, waits) in [(true, false, true), (false, true, true), (true, true, true), (false, false, false)]
    {
        let mut world = world(command, unit);
        world.tell(Event::Sleeps(Some(LONGEST)));
        assert_eq!(count(&world, &Action::LetSleep), 0, "nothing has happened yet");
        world.settle();
        assert_eq!(starts(&world, names::SLEEP_TARGET), 1);
        assert_eq!(
            (count(&world, &Action::StartLocker), starts(&world, names::LOCK_TARGET)),
            (usize::from(command), usize::from(command || unit)),
        );
        assert_eq!(count(&world, &Action::AskForScreenSaver), 0, "xss-lock learns of a sleep by itself");
        assert_eq!(count(&world, &Action::LetSleep), usize::from(!waits), "{command} {unit}");
        if waits {
            world.tell(Event::Covered(true));
        }
        world.pass(LONGEST);
        assert_eq!(count(&world, &Action::LetSleep), 1);
        assert_eq!(stops(&world, names::SLEEP_TARGET), 0);
        world.tell(Event::Woke);
        assert_eq!(stops(&world, names::SLEEP_TARGET), 1);
        // The next sleep.
        world.tell(Event::Sleeps(Some(LONGEST)));
        world.settle();
        assert_eq!((starts(&world, names::SLEEP_TARGET), count(&world, &Action::LetSleep)), (2, 2), "it is locked");
        world.goes_on();
    }
}

#[test]
fn a_lock_that_is_in_force_or_under_way_is_enough() {
    let mut world = world(true, false);
    world.tell(Event::LockAsked(None));
    world.settle();
    world.tell(Event::Sleeps(Some(LONGEST)));
    world.settle();
    assert_eq!((count(&world, &Action::StartLocker), count(&world, &Action::LetSleep)), (1, 0));
    world.tell(Event::LockerLocks);
    assert_eq!(count(&world, &Action::LetSleep), 1);
    world.tell(Event::Woke);
    world.tell(Event::Sleeps(Some(LONGEST)));
    world.settle();
    assert_eq!((count(&world, &Action::StartLocker), count(&world, &Action::LetSleep)), (1, 2));
}

#[test]
fn it_does_not_wait_forever() {
    // The locker does not lock; it cannot be run; it ends.
    let mut slow = world(true, false);
    slow.tell(Event::Sleeps(Some(LONGEST)));
    slow.settle();
    // Until just before logind stops waiting.
    let soon = Duration::from_millis(1);
    slow.pass(LONGEST - BEFORE_SLEEP - soon);
    assert_eq!(count(&slow, &Action::LetSleep), 0);
    slow.pass(soon);
    assert_eq!(count(&slow, &Action::LetSleep), 1);
    // It locks in the end, while the machine sleeps.
    slow.tell(Event::Covered(true));
    assert_eq!((count(&slow, &Action::SetLockedHint(true)), count(&slow, &Action::LetSleep)), (1, 1));
    for event in [Event::LockerStarted(Err("there is no program i3lock".into())), Event::LockerEnded(Ending::Code(1))] {
        let mut world = world(true, false);
        world.tell(Event::Sleeps(Some(LONGEST)));
        world.settle();
        world.tell(event);
        assert_eq!(count(&world, &Action::LetSleep), 1);
    }
    // The units of the target are not started in time; it cannot be started.
    for fails in [false, true] {
        let mut world = world(false, false);
        world.tell(Event::Sleeps(Some(LONGEST)));
        let Action::Start { order, .. } = world.settle_until(|action| matches!(action, Action::Start { .. })) else {
            unreachable!()
        };
        if fails {
            world.tell(Event::Queued(order, Err(refused("no such unit"))));
        }
        world.settle();
        assert_eq!(count(&world, &Action::LetSleep), usize::from(fails));
        world.pass(LONGEST);
        assert_eq!(count(&world, &Action::LetSleep), 1);
    }
    // It is not known what could lock, or there is no display.
    let mut unknown = world(false, true);
    unknown.lockers.clear();
    unknown.tell(Event::Sleeps(Some(LONGEST)));
    unknown.open.retain(|action| *action != Action::AskForLockers);
    unknown.settle();
    unknown.tell(Event::Lockers(Err(silent())));
    assert_eq!(count(&unknown, &Action::LetSleep), 1);
    let mut dark = world(true, false);
    dark.server_ends(Ending::Signal(11), None);
    dark.tell(Event::Sleeps(Some(LONGEST)));
    dark.settle();
    assert_eq!((count(&dark, &Action::StartLocker), count(&dark, &Action::LetSleep)), (0, 1));
}

#[test]
fn the_same_happens_when_logind_does_not_wait() {
    let mut world = world(true, false);
    world.tell(Event::Sleeps(None));
    world.settle();
    world.tell(Event::Covered(true));
    assert_eq!((count(&world, &Action::StartLocker), starts(&world, names::SLEEP_TARGET)), (1, 1));
    assert_eq!(count(&world, &Action::LetSleep), 0);
}

#[test]
fn the_lock_before_sleep_can_be_turned_off() {
    let mut setup = setup(&[WM], Some(true));
    (setup.has_lock_command, setup.locks_for_sleep) = (true, false);
    let mut world = World::up(setup);
    world.tell(Event::Sleeps(Some(LONGEST)));
    world.settle();
    assert_eq!((count(&world, &Action::StartLocker), count(&world, &Action::LetSleep)), (0, 1));
}

#[test]
fn a_session_that_ends_delays_nothing() {
    let mut ending = world(true, false);
    ending.tell(Event::Sleeps(Some(LONGEST)));
    ending.tell(Event::Interrupt("SIGTERM"));
    assert_eq!(count(&ending, &Action::LetSleep), 1);
    // The end began before the sleep.
    let mut ending = world(true, false);
    ending.tell(Event::Interrupt("SIGTERM"));
    ending.tell(Event::Sleeps(Some(LONGEST)));
    assert_eq!((count(&ending, &Action::LetSleep), starts(&ending, names::SLEEP_TARGET)), (1, 0));
    ending.tell(Event::Woke);
    assert_eq!(ending.ended(), Why::Signal("SIGTERM"));
}
