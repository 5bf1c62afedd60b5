//! The environment of the user manager and of D-Bus activation: out at the start of a session, back at its end.
//!
//! The algebra is in [`crate::environment`]; here is the order in which it has to happen.

use tokio::time::{Instant, sleep, timeout};

use super::{BusState, Manager};
use crate::dbus::CallError;
use crate::deadline::{CALL, FORWARDED, LOOK_AGAIN_SOON};
use crate::environment::block::Block;
use crate::environment::restore::{bus_values, difference};
use crate::session_bus::update_activation_environment;

/// Exports variables to the manager and to D-Bus activation, and takes those of `unset` out of the manager; the bus
/// cannot take any out.
///
/// The manager first, and by a call of our own: the bus would forward them to it, but nobody knows when, and the
/// window manager must not be started before.
///
/// # Errors
/// The manager refused. A bus that does not take them is logged: sessions work without.
pub async fn export(manager: &Manager, variables: &Block, unset: &[String]) -> Result<(), CallError> {
    // A race: asked before, the bus might start in between, without them.
    let to_bus = async {
        if manager.bus_state().await? == BusState::Waits { Ok(()) } else { tell_bus(manager, variables).await }
    };
    let (set, told) = tokio::join!(biased; manager.change_environment(unset, variables), to_bus);
    if let Err(error) = told {
        tracing::warn!("services started by D-Bus will not know the display: {error}");
    }
    set
}

/// Puts the manager's environment back to exactly what it was `before`, and for `exported` names that of D-Bus
/// activation too, as far as the bus can (names cannot be taken out, so they become empty).
///
/// A bus that is not up has nothing that could be taken back, and is not started for it: the manager may be about to stop
/// the unit that asks, behind which the start of the bus would wait.
///
/// The order matters. The bus forwards what it is told to the manager, dbus-broker some time after it has answered: a
/// forwarded `DISPLAY=` could arrive after the manager's environment was put back, and stay. So the bus goes first. What it
/// is told arrives in the manager at once, in one call: once all of it is there, the rest is ours. Where the manager has
/// all of it already, there is nothing that could arrive late. No name of our own is used as a mark: it would stay in
/// what dbus-daemon gives to the services that it starts, as no name can be taken out there.
///
/// # Errors
/// The manager refused, or is gone (and its environment with it).
pub async fn restore(manager: &Manager, before: &Block, exported: &[String]) -> Result<(), CallError> {
    let names: Block = exported.iter().map(|name| (name.clone(), String::new())).collect();
    if !names.is_empty() && manager.bus_state().await? == BusState::Up {
        let values = bus_values(before, &names);
        let now = manager.environment().await?;
        if has_all(&now, &values) {
            // As after a restore that was cut off. What is forwarded now could not be told from what is there, and an empty
            // value could arrive late: it is taken out first, so that it is seen.
            let changes = difference(before, &now);
            let unset: Vec<String> = changes.unset.into_iter().collect();
            if !unset.is_empty() {
                manager.change_environment(&unset, &Block::new()).await?;
            }
        }
        match tell_bus(manager, &values).await {
            Ok(()) => await_forwarded(manager, &values).await?,
            Err(error) => tracing::warn!("services started by D-Bus keep the variables of this session: {error}"),
        }
    }
    let changes = difference(before, &manager.environment().await?);
    if changes.is_empty() {
        return Ok(());
    }
    let unset: Vec<String> = changes.unset.into_iter().collect();
    manager.change_environment(&unset, &changes.set).await
}

/// Sets variables for what the bus starts from now on.
async fn tell_bus(manager: &Manager, variables: &Block) -> Result<(), CallError> {
    let late = |_| CallError::TimedOut { method: "Hello" };
    let bus = timeout(CALL, manager.bus()).await.map_err(late)?.map_err(|error| CallError::new("Hello", error))?;
    update_activation_environment(&bus, variables).await
}

fn has_all(has: &Block, values: &Block) -> bool {
    values.iter().all(|(name, value)| has.get(name) == Some(value))
}

async fn await_forwarded(manager: &Manager, values: &Block) -> Result<(), CallError> {
    let deadline = Instant::now() + FORWARDED;
    while !has_all(&manager.environment().await?, values) {
        if Instant::now() >= deadline {
            tracing::debug!("the message bus does not forward its environment to the manager");
            break;
        }
        sleep(LOOK_AGAIN_SOON).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{export, restore};
    use crate::deadline::FORWARDED;
    use crate::environment::block::Block;
    use crate::testing::manager::environment;
    use crate::testing::{FakeManager, Forwarding};

    fn before() -> Block {
        environment(&[("LANG", "C"), ("PATH", "/usr/bin"), ("TERM", "linux")])
    }

    fn exported() -> Block {
        environment(&[("DISPLAY", ":0"), ("PATH", "/home/ada/bin"), ("XAUTHORITY", "/run/a")])
    }

    /// A manager with the environment of before, from which a session has exported its own.
    async fn during_a_session(forwarding: Forwarding) -> (FakeManager, crate::manager::Manager) {
        let fake = FakeManager::new();
        fake.set_environment(&[("LANG", "C"), ("PATH", "/usr/bin"), ("TERM", "linux")]);
        fake.forward(forwarding);
        let manager = fake.connect().await;
        export(&manager, &exported(), &["TERM".to_owned()]).await.unwrap();
        // Whatever the bus forwards of it has arrived; sessions take longer than that.
        tokio::time::sleep(FORWARDED).await;
        (fake, manager)
    }

    fn names() -> Vec<String> {
        exported().into_keys().collect()
    }

    const ALL: [Forwarding; 4] = [
        Forwarding::AtOnce,
        Forwarding::Late(Duration::from_millis(1)),
        Forwarding::Late(Duration::from_millis(300)),
        Forwarding::Never,
    ];

    #[tokio::test(start_paused = true)]
    async fn what_is_exported_is_there_for_units_and_for_activation() {
        for forwarding in ALL {
            let (fake, _manager) = during_a_session(forwarding).await;
            let mut expected = before();
            expected.extend(exported());
            expected.remove("TERM");
            assert_eq!(fake.environment(), expected, "{forwarding:?}");
            assert_eq!(fake.activation(), exported(), "{forwarding:?}");
        }
    }

    #[tokio::test]
    async fn the_manager_has_it_before_the_bus_is_asked_to_forward_it() {
        let fake = FakeManager::new();
        // The bus forwards much later, and the window manager is started by then.
        fake.forward(Forwarding::Never);
        let manager = fake.connect().await;
        export(&manager, &exported(), &[]).await.unwrap();
        assert_eq!(fake.environment(), exported());
        let methods: Vec<String> =
            fake.calls().iter().filter_map(|call| call.split(' ').next().map(Into::into)).collect();
        assert_eq!(methods, ["UnsetAndSetEnvironment", "UpdateActivationEnvironment"]);
    }

    #[tokio::test]
    async fn a_bus_that_refuses_costs_only_what_it_activates() {
        let fake = FakeManager::new();
        fake.refuse("UpdateActivationEnvironment", "org.freedesktop.DBus.Error.AccessDenied");
        let manager = fake.connect().await;
        export(&manager, &exported(), &[]).await.unwrap();
        assert_eq!(fake.environment(), exported());
        restore(&manager, &Block::new(), &names()).await.unwrap();
        assert_eq!(fake.environment(), Block::new());
        fake.refuse("UnsetAndSetEnvironment", "org.freedesktop.DBus.Error.InvalidArgs");
        assert!(export(&manager, &exported(), &[]).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn everything_is_as_before_and_stays_so() {
        for forwarding in ALL {
            let (fake, manager) = during_a_session(forwarding).await;
            restore(&manager, &before(), &names()).await.unwrap();
            assert_eq!(fake.environment(), before(), "{forwarding:?}");
            // Nothing comes after it, and nobody sees a name of ours.
            tokio::time::sleep(FORWARDED).await;
            assert_eq!(fake.environment(), before(), "{forwarding:?}");
            let activation = environment(&[("DISPLAY", ""), ("PATH", "/usr/bin"), ("XAUTHORITY", "")]);
            assert_eq!(fake.activation(), activation, "{forwarding:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_bus_goes_first() {
        let (fake, manager) = during_a_session(Forwarding::Late(Duration::from_millis(50))).await;
        let earlier = fake.calls().len();
        restore(&manager, &before(), &names()).await.unwrap();
        let calls = fake.calls().split_off(earlier);
        let methods: Vec<&str> = calls.iter().filter_map(|call| call.split(' ').next()).collect();
        assert_eq!(methods, ["UpdateActivationEnvironment", "UnsetAndSetEnvironment"]);
        assert!(calls[1].contains("-[\"DISPLAY\", \"XAUTHORITY\"]"), "{}", calls[1]);
    }

    /// One that was cut off before the manager had its own back: the empty values are there already.
    #[tokio::test(start_paused = true)]
    async fn a_restore_that_was_cut_off_can_be_done_again() {
        for forwarding in ALL {
            let (fake, manager) = during_a_session(forwarding).await;
            fake.set_environment(&[("LANG", "C"), ("PATH", "/usr/bin"), ("DISPLAY", ""), ("XAUTHORITY", "")]);
            restore(&manager, &before(), &names()).await.unwrap();
            tokio::time::sleep(FORWARDED).await;
            assert_eq!(fake.environment(), before(), "{forwarding:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_bus_that_does_not_forward_is_not_waited_for_for_long() {
        let (fake, manager) = during_a_session(Forwarding::Never).await;
        let begun = tokio::time::Instant::now();
        restore(&manager, &before(), &names()).await.unwrap();
        assert!((FORWARDED..FORWARDED * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        assert_eq!(fake.environment(), before());
    }

    #[tokio::test]
    async fn what_is_as_it_was_is_not_touched() {
        let fake = FakeManager::new();
        fake.set_environment(&[("LANG", "C")]);
        let manager = fake.connect().await;
        restore(&manager, &environment(&[("LANG", "C")]), &[]).await.unwrap();
        assert_eq!(fake.calls(), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn a_manager_that_hangs_or_goes_is_told_apart() {
        for method in ["Environment", "UnsetAndSetEnvironment"] {
            let (fake, manager) = during_a_session(Forwarding::AtOnce).await;
            fake.hang_at(method);
            let error = restore(&manager, &before(), &names()).await.unwrap_err();
            assert!(matches!(error, crate::dbus::CallError::TimedOut { .. }), "{method}: {error}");
            let (fake, manager) = during_a_session(Forwarding::AtOnce).await;
            fake.break_at(method);
            assert!(restore(&manager, &before(), &names()).await.unwrap_err().is_disconnect(), "{method}");
        }
    }
}
