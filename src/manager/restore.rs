//! The environment of the user manager and of D-Bus activation: exported when a session starts, restored when it ends.
//!
//! [`crate::environment`] computes the changes; this module makes them in the right order.

use tokio::time::{Instant, sleep, timeout};

use super::{BusState, Manager};
use crate::dbus::CallError;
use crate::deadline::{CALL, FORWARDED, LOOK_AGAIN_SOON};
use crate::environment::block::Block;
use crate::environment::restore::{bus_values, difference};
use crate::session_bus::update_activation_environment;

/// Exports variables to the manager and to D-Bus activation, and unsets those of `unset` in the manager; the bus
/// cannot unset variables.
///
/// The manager first, and by a call of our own: the bus would forward them, but at an unknown time, and the
/// window manager must not be started before.
///
/// # Errors
/// The manager refused. A refusal of the bus is only logged: sessions work without it.
pub async fn export(manager: &Manager, variables: &Block, unset: &[String]) -> Result<(), CallError> {
    // A race: if this were asked earlier, the bus could start in between, without them.
    let to_bus = async {
        if manager.bus_state().await? == BusState::Waits { Ok(()) } else { tell_bus(manager, variables).await }
    };
    let (set, told) = tokio::join!(biased; manager.change_environment(unset, variables), to_bus);
    if let Err(error) = told {
        tracing::warn!("services started by D-Bus will not know the display: {error}");
    }
    set
}

/// Restores the manager's environment of `before`, and for `exported` names that of D-Bus
/// activation, as far as the bus can (names cannot be unset, so they become empty).
///
/// A bus that is not up has nothing to undo, and is not started for this: the manager may be about to stop
/// the calling unit, and the start of the bus would wait for that.
///
/// The order matters. The bus forwards its variables to the manager, dbus-broker some time after it has answered: a
/// forwarded `DISPLAY=` could arrive after the manager's environment was restored, and stay. So the bus comes first.
/// What it is told arrives in the manager in one call: once all of it has arrived, nothing can follow. If the manager
/// has all of it already, nothing can arrive late. We set no variable of our own as a mark: it would stay in the
/// environment of services that dbus-daemon starts, because it cannot be unset there.
///
/// # Errors
/// The manager refused, or is gone (and its environment with it).
pub async fn restore(manager: &Manager, before: &Block, exported: &[String]) -> Result<(), CallError> {
    let names: Block = exported.iter().map(|name| (name.clone(), String::new())).collect();
    if !names.is_empty() && manager.bus_state().await? == BusState::Up {
        let values = bus_values(before, &names);
        let now = manager.environment().await?;
        if has_all(&now, &values) {
            // This happens after an interrupted restore. Forwarded values could not be told from those that are set
            // already, and an empty value could arrive late: it is unset first, so that its arrival is seen.
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

/// Sets variables for services that the bus starts from now on.
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
        // All that the bus forwards has arrived by then; sessions last longer than that.
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
    async fn exported_variables_reach_units_and_activated_services() {
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
    async fn a_bus_that_refuses_affects_only_the_services_that_it_activates() {
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
    async fn everything_is_restored_and_stays_so() {
        for forwarding in ALL {
            let (fake, manager) = during_a_session(forwarding).await;
            restore(&manager, &before(), &names()).await.unwrap();
            assert_eq!(fake.environment(), before(), "{forwarding:?}");
            // Nothing arrives later, and no name of ours is left.
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

    /// A restore that was interrupted before the manager was restored: the empty values are set already.
    #[tokio::test(start_paused = true)]
    async fn an_interrupted_restore_can_be_repeated() {
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
    async fn unchanged_variables_are_not_touched() {
        let fake = FakeManager::new();
        fake.set_environment(&[("LANG", "C")]);
        let manager = fake.connect().await;
        restore(&manager, &environment(&[("LANG", "C")]), &[]).await.unwrap();
        assert_eq!(fake.calls(), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn a_manager_that_hangs_is_distinguished_from_one_that_vanished() {
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
