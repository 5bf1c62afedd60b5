//! Nobody is at the screen: the target, the hint, the lock, and inhibitors.

use super::*;

fn count(world: &World, wanted: &Action) -> usize {
    world.count(|action| action == wanted)
}

/// How often logind was told that nobody is there, and that somebody is; how often the target was started and stopped.
fn told(world: &World) -> [usize; 4] {
    let is_target = |unit: &str| unit == names::IDLE_TARGET;
    [
        count(world, &Action::SetIdleHint(true)),
        count(world, &Action::SetIdleHint(false)),
        world.count(|action| matches!(action, Action::Start { unit, .. } if is_target(unit))),
        world.count(|action| matches!(action, Action::Stop { unit, .. } if is_target(unit))),
    ]
}

fn locks(world: &World) -> usize {
    world.count(|action| matches!(action, Action::Start { unit, .. } if unit == names::LOCK_TARGET))
}

#[test]
fn a_session_without_input_for_long_enough_is_idle() {
    let mut world = World::ours();
    for round in 1..3 {
        world.tell(Event::Idle(IdleLimit::After, true));
        world.settle();
        assert_eq!((told(&world), locks(&world)), ([round, round - 1, round, round - 1], 0));
        world.tell(Event::Idle(IdleLimit::After, false));
        world.settle();
        assert_eq!(told(&world), [round; 4]);
        // Somebody who is there throughout.
        world.tell(Event::Idle(IdleLimit::After, false));
        assert_eq!(told(&world), [round; 4]);
    }
    world.tell(Event::Idle(IdleLimit::Lock, true));
    world.settle();
    assert_eq!((told(&world), locks(&world)), ([2; 4], 1));
    world.goes_on();
}

#[test]
fn an_inhibitor_prevents_idleness_and_restarts_the_clock() {
    let (after, lock) = (seconds(300), seconds(600));
    for who in [Inhibitors::Logind, Inhibitors::Bus] {
        let mut world = World::ours();
        world.tell(Event::IdleInhibited(who, true));
        world.tell(Event::Idle(IdleLimit::After, true));
        world.tell(Event::Idle(IdleLimit::Lock, true));
        world.pass(lock * 2);
        assert_eq!((told(&world), locks(&world)), ([0; 4], 0), "{who:?}");
        // With another inhibitor, nothing starts before both are gone.
        let other = if who == Inhibitors::Bus { Inhibitors::Logind } else { Inhibitors::Bus };
        world.tell(Event::IdleInhibited(other, true));
        world.tell(Event::IdleInhibited(who, false));
        world.pass(lock * 2);
        assert_eq!((told(&world), locks(&world)), ([0; 4], 0));
        world.tell(Event::IdleInhibited(other, false));
        world.pass(after - seconds(1));
        assert_eq!(told(&world), [0; 4]);
        world.pass(seconds(1));
        assert_eq!((told(&world), locks(&world)), ([1, 0, 1, 0], 0));
        world.pass(lock - after);
        assert_eq!(locks(&world), 1);
        // A film that is started remotely.
        world.tell(Event::IdleInhibited(who, true));
        world.settle();
        assert_eq!(told(&world), [1; 4]);
        // Input in between: the server starts counting again.
        world.tell(Event::Idle(IdleLimit::After, false));
        world.tell(Event::Idle(IdleLimit::Lock, false));
        world.tell(Event::IdleInhibited(who, false));
        world.pass(lock * 2);
        assert_eq!((told(&world), locks(&world)), ([1; 4], 1));
        world.goes_on();
    }
}

#[test]
fn what_ends_it() {
    // The server ends.
    let mut world = World::ours();
    world.tell(Event::Idle(IdleLimit::After, true));
    world.settle();
    world.server_ends(Ending::Signal(11), None);
    assert_eq!(told(&world), [1; 4]);
    world.goes_on();
    // The session ends; its target goes with the others.
    let mut world = World::ours();
    world.tell(Event::Idle(IdleLimit::After, true));
    world.settle();
    world.tell(Event::Interrupt("SIGTERM"));
    assert_eq!(told(&world)[..2], [1, 1]);
    world.tell(Event::Idle(IdleLimit::After, true));
    world.tell(Event::IdleInhibited(Inhibitors::Bus, true));
    assert_eq!(world.ended(), Why::Signal("SIGTERM"));
    assert_eq!(told(&world)[..2], [1, 1]);
    // logind was restarted and is told again.
    let mut world = World::ours();
    world.tell(Event::Control(Control::Possible));
    assert_eq!(told(&world), [0; 4]);
    world.tell(Event::Idle(IdleLimit::After, true));
    world.tell(Event::Control(Control::Possible));
    assert_eq!(told(&world)[..2], [2, 0]);
}

#[test]
fn another_terminal_in_the_foreground_locks_if_configured() {
    for wanted in [false, true] {
        let mut setup = setup(&[WM], Some(true));
        (setup.locks_in_background, setup.has_lock_command) = (wanted, true);
        let mut world = World::up(setup);
        world.tell(Event::LeftForeground);
        world.settle();
        assert_eq!((locks(&world), count(&world, &Action::StartLocker)), (usize::from(wanted), usize::from(wanted)));
        world.goes_on();
    }
}
