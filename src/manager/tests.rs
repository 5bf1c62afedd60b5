//! Calls, jobs and signals, against a fake manager.

use std::time::Duration;

use nix::libc::{CLD_EXITED, CLD_KILLED};
use nix::sys::signal::Signal as Signo;
use nix::unistd::Pid;
use zbus::Variant;

use super::{
    BusState, Manager, Mode, NoManager, SERVICE_INTERFACE, ServiceEnd, Signal, UNIT_INTERFACE, UnitState, restore,
};
use crate::dbus::CallError;
use crate::deadline;
use crate::manager::transient::{RestartPolicy, Service};
use crate::runtime_dir::RuntimeDir;
use crate::test_dir::TestDir;
use crate::testing::manager::NO_SUCH_UNIT;
use crate::testing::{FakeManager, Job, Unit};

/// A manager with these units, and a connection to it.
async fn with(units: &[(&str, Unit)]) -> (FakeManager, Manager) {
    let fake = FakeManager::new();
    for (name, unit) in units {
        fake.unit(name, unit.clone());
    }
    let manager = fake.connect().await;
    (fake, manager)
}

fn service() -> Service {
    Service {
        name: "startxd-wm@openbox.service".into(),
        description: "openbox".into(),
        program: "/usr/bin/openbox".into(),
        arguments: vec!["openbox".into()],
        directory: None,
        restart: Some(RestartPolicy { limit: 3, window: Duration::from_secs(60) }),
        environment: Default::default(),
        attributes: Default::default(),
    }
}

#[tokio::test]
async fn states_come_in_the_order_of_the_question() {
    let (_fake, manager) = with(&[("a.service", Unit::new("active")), ("b.target", Unit::new("failed"))]).await;
    let states = manager.states(&["b.target", "none.target", "a.service"]).await.unwrap();
    let active: Vec<&str> = states.iter().map(|state| state.active.as_str()).collect();
    assert_eq!(active, ["failed", "inactive", "active"]);
    assert_eq!(states[1].load, "not-found");
    assert_eq!(states.iter().map(UnitState::is_down).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(manager.states(&[]).await.unwrap(), []);
    assert_eq!(manager.state("a.service").await.unwrap().sub, "running");
}

#[tokio::test]
async fn a_job_is_waited_for_to_its_end() {
    let (fake, manager) = with(&[
        ("good.service", Unit::new("inactive")),
        ("bad.service", Unit::new("inactive").whose_job(Job::Ends("failed"))),
        ("late.service", Unit::new("inactive").whose_job(Job::Hangs)),
    ])
    .await;
    let done = async |unit: &'static str| manager.until_done(manager.start(unit, Mode::Replace)).await;
    assert_eq!(done("good.service").await.unwrap().as_deref(), Some("done"));
    assert_eq!(done("bad.service").await.unwrap().as_deref(), Some("failed"));
    assert!(done("none.service").await.unwrap_err().is(NO_SUCH_UNIT));
    // A job that does not end is up to the caller's deadline. It is dropped once the manager has it, however long that takes.
    let queued = async {
        while !fake.calls().iter().any(|call| call.contains("late.service")) {
            tokio::time::sleep(deadline::LOOK_AGAIN).await;
        }
    };
    tokio::select! {
        result = done("late.service") => panic!("it does not end: {result:?}"),
        () = queued => {}
    }
    assert_eq!(manager.until_done(manager.restart("good.service")).await.unwrap().as_deref(), Some("done"));
    let stopped = manager.until_done(manager.stop("good.service", Mode::IgnoreDependencies)).await.unwrap();
    assert_eq!((stopped.as_deref(), fake.active("good.service")), (Some("done"), Some("inactive")));
    let ended = manager.start("good.service", Mode::ReplaceIrreversibly).await;
    assert!(ended.is_ok());
    let calls = fake.calls();
    let modes: Vec<&str> = calls.iter().filter_map(|call| call.split(' ').nth(2)).collect();
    assert_eq!(
        modes,
        ["replace", "replace", "replace", "replace", "replace", "ignore-dependencies", "replace-irreversibly"]
    );
}

#[tokio::test]
async fn a_job_whose_manager_goes_has_no_result() {
    let (fake, manager) = with(&[("late.service", Unit::new("inactive").whose_job(Job::Hangs))]).await;
    let job = manager.until_done(manager.start("late.service", Mode::Replace));
    let gone = async {
        while fake.calls().is_empty() {
            tokio::task::yield_now().await;
        }
        fake.vanish();
    };
    let (job, ()) = tokio::join!(job, gone);
    assert_eq!(job.unwrap(), None);
}

#[tokio::test]
async fn the_end_of_another_job_is_not_taken_for_ours() {
    let (_fake, manager) = with(&[("a.target", Unit::new("inactive")), ("b.target", Unit::new("inactive"))]).await;
    let mut signals = manager.signals().await.unwrap();
    let first = manager.start("a.target", Mode::Replace).await.unwrap();
    let second = manager.start("b.target", Mode::Replace).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(signals.job_done(&second).await.as_deref(), Some("done"));
}

#[tokio::test]
async fn signals_tell_of_units_and_of_the_end() {
    let (fake, manager) = with(&[("a.target", Unit::new("inactive"))]).await;
    let mut signals = manager.signals().await.unwrap();
    // The same connection has subscribed already, which is not an error.
    let mut others = manager.signals().await.unwrap();
    let job = manager.start("a.target", Mode::Replace).await.unwrap();
    for queue in [&mut signals, &mut others] {
        let told = [queue.next().await, queue.next().await];
        assert!(told.contains(&Signal::UnitChanged("a.target".into())), "{told:?}");
        assert!(
            told.contains(&Signal::JobDone { job: job.clone(), unit: "a.target".into(), result: "done".into() }),
            "{told:?}"
        );
    }
    fake.vanish();
    for _ in 0..5 {
        assert_eq!(signals.next().await, Signal::Lost);
    }
    assert_eq!(signals.job_done(&job).await, None);
}

#[tokio::test]
async fn restarts_are_told_of_the_services_that_are_watched() {
    let (fake, manager) = with(&[("a.service", Unit::new("active")), ("b.service", Unit::new("active"))]).await;
    let mut signals = manager.signals().await.unwrap();
    manager.watch_restarts(&signals.watcher(), "a.service").await.unwrap();
    for unit in ["b.service", "a.service"] {
        let end = [
            ("Result", Variant::from("signal")),
            ("ExecMainCode", Variant::from(CLD_KILLED)),
            ("ExecMainStatus", Variant::from(9_i32)),
            ("ExecMainPID", Variant::from(7_u32)),
        ];
        fake.tell_changed(unit, SERVICE_INTERFACE, &end).await;
        fake.tell_changed(unit, UNIT_INTERFACE, &[("SubState", Variant::from("auto-restart"))]).await;
    }
    let end = ServiceEnd { result: "signal".into(), code: CLD_KILLED, status: 9, pid: 7 };
    let mut restarts = Vec::new();
    while restarts.is_empty() {
        match signals.next().await {
            Signal::Restarts { unit, end } => restarts.push((unit, end)),
            Signal::UnitChanged(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(restarts, [("a.service".to_owned(), end)]);
}

#[tokio::test]
async fn a_job_that_ended_before_it_could_be_queried_is_recognised_by_its_effect() {
    const EXECUTED: &str = "ExecMainStartTimestampMonotonic";
    let executed = |active: &'static str, at: u64| Unit::new(active).with(EXECUTED, at);
    let (fake, manager) = with(&[("a.service", Unit::new("inactive"))]).await;
    let mut signals = manager.signals().await.unwrap();
    manager.watch_jobs(&signals.watcher(), "a.service").await.unwrap();
    for (after, result, is_stop) in [
        // A start of a program that ends at once.
        (executed("failed", 7), "done", false),
        // One that goes on, and its stop.
        (executed("active", 8), "done", false),
        (executed("failed", 8), "done", true),
        // A restart of what cannot begin.
        (executed("failed", 9), "done", false),
        (executed("failed", 9), "failed", false),
    ] {
        fake.unit("a.service", after);
        fake.tell_brief_job("a.service", result).await;
        for expected in [None, Some(is_stop)] {
            let mut told = signals.next().await;
            // The other stream reports it as well, sooner or later.
            while let Signal::JobDone { .. } = told {
                told = signals.next().await;
            }
            assert_eq!(told, Signal::UnitJob { unit: "a.service".into(), is_stop: expected });
        }
    }
}

#[tokio::test]
async fn the_settings_and_the_end_of_a_service_are_read() {
    let running = Unit::new("active")
        .with("MainPID", 42_u32)
        .with("ExecMainPID", 42_u32)
        .with("KillMode", "process".to_owned())
        .with("Restart", "on-failure".to_owned())
        .with("ControlGroup", "/user.slice/a.service".to_owned())
        .with("ActiveEnterTimestamp", 7_u64);
    let crashed = Unit::new("failed")
        .with("Result", "exit-code".to_owned())
        .with("ExecMainCode", CLD_EXITED)
        .with("ExecMainStatus", 3_i32)
        .with("ExecMainPID", 43_u32);
    let (_fake, manager) = with(&[("a.service", running), ("b.service", crashed)]).await;
    assert_eq!(manager.main_pid("a.service").await.unwrap(), Some(Pid::from_raw(42)));
    assert_eq!(manager.last_main_pid("a.service").await.unwrap(), 42);
    assert_eq!(manager.active_since("a.service").await.unwrap(), 7);
    assert!(!manager.never_restarts("a.service").await.unwrap());
    assert!(manager.stop_leaves_children("a.service").await.unwrap());
    assert!(manager.has_control_group("a.service").await.unwrap());
    let end = manager.service_end("b.service").await.unwrap();
    assert_eq!(end, ServiceEnd { result: "exit-code".into(), code: CLD_EXITED, status: 3, pid: 43 });
    assert!(end.is_crash() && !end.is_clean_exit());
    // A unit that never existed has done nothing.
    assert_eq!(manager.main_pid("none.service").await.unwrap(), None);
    assert!(manager.never_restarts("none.service").await.unwrap());
    assert!(!manager.stop_leaves_children("none.service").await.unwrap());
    assert!(!manager.has_control_group("none.service").await.unwrap());
    assert!(!manager.service_end("none.service").await.unwrap().is_crash());
    assert!(manager.service_end("xorg.target").await.is_err(), "a target is not a service");
}

#[tokio::test]
async fn units_that_belong_together_are_found() {
    let list = |units: &[&str]| units.iter().map(|&unit| unit.to_owned()).collect::<Vec<_>>();
    let target = Unit::new("active")
        .with("Wants", list(&["w.service"]))
        .with("Requires", list(&["r.service"]))
        .with("RequiredBy", list(&["a.service"]))
        .with("BoundBy", list(&["b.service"]))
        .with("ConsistsOf", list(&["c.service"]));
    let (_fake, manager) = with(&[("xorg.target", target), ("bad.service", Unit::new("failed"))]).await;
    assert_eq!(manager.wanted_by("xorg.target").await.unwrap(), ["w.service", "r.service"]);
    assert_eq!(manager.dependents("xorg.target").await.unwrap(), ["a.service", "b.service", "c.service"]);
    assert_eq!(manager.bound_by("xorg.target").await.unwrap(), ["b.service"]);
    assert_eq!(manager.failed_units().await.unwrap(), ["bad.service"]);
}

#[tokio::test]
async fn a_transient_unit_exists_once_and_vanishes_when_it_ends() {
    let (fake, manager) = with(&[]).await;
    let service = service();
    let started = manager.until_done(manager.start_transient(&service)).await.unwrap();
    assert_eq!(started.as_deref(), Some("done"));
    let made = fake.loaded(&service.name).unwrap();
    assert_eq!(made.active, "active");
    let sent: Vec<String> = made.properties.into_keys().collect();
    let mut meant: Vec<String> = service.properties().into_iter().map(|(name, _)| name.to_owned()).collect();
    meant.sort();
    assert_eq!(sent, meant);
    let again = manager.start_transient(&service).await.unwrap_err();
    assert!(again.is("org.freedesktop.systemd1.UnitExists"), "{again}");
    manager.until_done(manager.stop(&service.name, Mode::Replace)).await.unwrap();
    assert_eq!(fake.active(&service.name), None);
}

#[tokio::test]
async fn processes_of_units() {
    let (fake, manager) = with(&[("a.service", Unit::new("active")), ("down.service", Unit::new("failed"))]).await;
    let pid = Pid::from_raw(77);
    assert_eq!(manager.processes("a.service").await.unwrap(), []);
    assert!(manager.unit_of_pid(pid).await.is_err());
    manager.attach("a.service", pid).await.unwrap();
    assert_eq!(manager.processes("a.service").await.unwrap(), [pid]);
    assert_eq!(manager.unit_of_pid(pid).await.unwrap().as_deref(), Some("a.service"));
    assert!(manager.attach("down.service", pid).await.is_err());
    manager.kill("a.service", Signo::SIGKILL).await.unwrap();
    assert!(manager.kill("a.service", Signo::SIGKILL).await.is_err(), "there is nobody any more");
    manager.reset_failed("down.service").await.unwrap();
    assert_eq!(fake.active("down.service"), Some("inactive"));
    assert!(manager.reset_failed("none.service").await.unwrap_err().is(NO_SUCH_UNIT));
}

#[tokio::test]
async fn the_manager_itself() {
    let (fake, manager) = with(&[]).await;
    assert_eq!(manager.pid().await.unwrap(), nix::unistd::getpid());
    assert_eq!(manager.version().await.unwrap(), "257.9");
    assert!(!manager.is_stopping().await.unwrap());
    fake.is_stopping();
    assert!(manager.is_stopping().await.unwrap());
    fake.set_environment(&[("A", "1"), ("B", "x=y")]);
    let set = crate::testing::manager::environment(&[("C", "3")]);
    manager.change_environment(&["A".to_owned()], &set).await.unwrap();
    let now = crate::testing::manager::environment(&[("B", "x=y"), ("C", "3")]);
    assert_eq!(manager.environment().await.unwrap(), now);
    manager.reload().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_re_executes_itself_is_waited_for() {
    let (fake, manager) = with(&[]).await;
    fake.refuse_first("Version", "org.freedesktop.DBus.Error.ServiceUnknown", 3);
    manager.reexecute(Duration::from_secs(1)).await.unwrap();
    fake.hang_at("Version");
    let late = manager.reexecute(Duration::from_secs(1)).await.err().unwrap();
    assert_eq!(late.why(), "it re-executes itself and does not come back");
}

/// A manager with a socket of its own and a bus, in a runtime directory, and a connection to it.
async fn itself(units: &[(&str, Unit)]) -> (TestDir, FakeManager, Manager) {
    let (directory, fake) = (TestDir::new(), FakeManager::new());
    for (name, unit) in units {
        fake.unit(name, unit.clone());
    }
    let runtime = RuntimeDir::of(directory.path("")).unwrap();
    fake.listen_itself(&runtime);
    fake.listen(&runtime.bus_socket());
    let manager = Manager::connect(&runtime, Duration::from_secs(5)).await.unwrap();
    assert!(matches!(manager.way, super::Way::Own { .. }));
    (directory, fake, manager)
}

#[tokio::test]
async fn over_its_own_socket_the_manager_answers_and_sends_requested_signals() {
    let (_directory, fake, manager) =
        itself(&[("a.service", Unit::new("inactive")), ("b.service", Unit::new("active"))]).await;
    assert_eq!(manager.pid().await.unwrap(), nix::unistd::getpid());
    assert_eq!(manager.version().await.unwrap(), "257.9");
    let mut signals = manager.signals().await.unwrap();
    manager.watch_restarts(&signals.watcher(), "b.service").await.unwrap();
    fake.tell_changed("a.service", SERVICE_INTERFACE, &[("ExecMainCode", Variant::from(0))]).await;
    let job = manager.start("a.service", Mode::Replace).await.unwrap();
    assert_eq!(signals.job_done(&job).await.as_deref(), Some("done"));
    let end = [
        ("Result", Variant::from("signal")),
        ("ExecMainCode", Variant::from(CLD_KILLED)),
        ("ExecMainStatus", Variant::from(9_i32)),
    ];
    fake.tell_changed("b.service", SERVICE_INTERFACE, &end).await;
    fake.tell_changed("b.service", UNIT_INTERFACE, &[("SubState", Variant::from("auto-restart"))]).await;
    let end = ServiceEnd { result: "signal".into(), code: CLD_KILLED, status: 9, pid: 0 };
    loop {
        match signals.next().await {
            Signal::Restarts { unit, end: told } => {
                assert_eq!((unit.as_str(), told), ("b.service", end));
                break;
            }
            Signal::UnitChanged(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_re_executes_itself_has_a_new_socket() {
    let (_directory, fake, manager) = itself(&[("a.service", Unit::new("active"))]).await;
    fake.break_first("StopUnit", 2);
    manager.stop("a.service", Mode::Replace).await.unwrap();
    assert_eq!(fake.active("a.service"), Some("inactive"));
    fake.break_first("Reexecute", 1);
    let manager = manager.reexecute(Duration::from_secs(1)).await.unwrap();
    assert_eq!(manager.state("a.service").await.unwrap().active, "inactive");
}

#[tokio::test]
async fn a_bus_that_is_not_up_is_not_started_for_the_environment() {
    let socket = ("dbus.socket", Unit::new("active"));
    let variables = crate::testing::manager::environment(&[("DISPLAY", ":0")]);
    for (state, told) in [("inactive", false), ("active", true), ("activating", true), ("failed", false)] {
        let (_directory, fake, manager) = itself(&[socket.clone(), ("dbus.service", Unit::new(state))]).await;
        restore::export(&manager, &variables, &[]).await.unwrap();
        assert_eq!(fake.environment(), variables, "{state}");
        assert_eq!(!fake.activation().is_empty(), told, "{state}");
    }
    // It belongs to no unit: another program started this bus.
    let (_directory, fake, manager) = itself(&[socket]).await;
    restore::export(&manager, &variables, &[]).await.unwrap();
    assert_eq!(fake.activation(), variables);
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_is_up_is_proven() {
    let (directory, fake, manager) = itself(&[]).await;
    let prove = async |state| manager.prove_bus(state, Duration::from_millis(50)).await;
    assert_eq!(prove(BusState::Up).await, Ok(()));
    let runtime = RuntimeDir::of(directory.path("")).unwrap();
    std::fs::remove_file(runtime.bus_socket()).unwrap();
    assert_eq!(prove(BusState::Waits).await, Ok(()));
    assert!(matches!(prove(BusState::Up).await, Err(NoManager::NoBus(_))));
    // A bus that accepts no client.
    let _hangs = std::os::unix::net::UnixListener::bind(runtime.bus_socket()).unwrap();
    assert_eq!(prove(BusState::Up).await, Err(NoManager::NoBus("no answer within 0.05 s".to_owned())));
    // A manager that exits ends its bus first.
    fake.is_stopping();
    assert_eq!(prove(BusState::Up).await, Err(NoManager::silent("it exits")));
}

#[tokio::test]
async fn it_is_known_whether_a_bus_waits_for_its_first_client() {
    let up = Unit::new("active");
    let down = Unit::new("inactive");
    for (units, expected) in [
        (vec![("dbus.socket", &up), ("dbus.service", &down)], BusState::Waits),
        (vec![("dbus.socket", &up), ("dbus-broker.service", &down)], BusState::Waits),
        (vec![("dbus.socket", &up), ("dbus.service", &down), ("dbus-broker.service", &up)], BusState::Up),
        (vec![("dbus.socket", &up), ("dbus.service", &up)], BusState::Up),
        (vec![("dbus.socket", &down), ("dbus.service", &down)], BusState::Up),
        (vec![("dbus.socket", &up)], BusState::Up),
        (vec![], BusState::Up),
    ] {
        let units: Vec<(&str, Unit)> = units.into_iter().map(|(name, unit)| (name, unit.clone())).collect();
        let (_directory, _fake, manager) = itself(&units).await;
        assert_eq!(
            manager.bus_state().await.unwrap(),
            expected,
            "{:?}",
            units.iter().map(|unit| unit.0).collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn without_its_own_socket_the_manager_is_found_on_the_bus() {
    let (directory, fake) = (TestDir::new(), FakeManager::new());
    let runtime = RuntimeDir::of(directory.path("")).unwrap();
    let nobody = Manager::connect(&runtime, Duration::from_secs(5)).await.err().unwrap();
    assert!(matches!(nobody, NoManager::Silent { .. }), "{nobody}");
    fake.listen(&runtime.bus_socket());
    let manager = Manager::connect(&runtime, Duration::from_secs(5)).await.unwrap();
    assert_eq!(manager.version().await.unwrap(), "257.9");
    assert_eq!(manager.bus_state().await.unwrap(), BusState::Up);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_lost_in_a_re_execution_is_queued_again() {
    for error in ["NoReply", "ServiceUnknown", "NameHasNoOwner", "Spawn.ChildExited"] {
        let (fake, manager) = with(&[("a.service", Unit::new("active"))]).await;
        let error: &'static str = format!("org.freedesktop.DBus.Error.{error}").leak();
        fake.refuse_first("StopUnit", error, 3);
        manager.stop("a.service", Mode::Replace).await.unwrap();
        assert_eq!(fake.active("a.service"), Some("inactive"));
        // A manager that does not come back is not waited for without end.
        fake.refuse("StartUnit", error);
        assert!(manager.start("a.service", Mode::Replace).await.unwrap_err().is_away());
    }
    let (fake, manager) = with(&[("a.service", Unit::new("active"))]).await;
    fake.refuse_first("StopUnit", "org.freedesktop.DBus.Error.AccessDenied", 1);
    assert!(!manager.stop("a.service", Mode::Replace).await.unwrap_err().is_away());
}

/// Makes each call once during which a manager can hang or vanish. Returns the methods, with the result of each.
async fn each_call(fault: impl Fn(&FakeManager, &str)) -> Vec<(&'static str, CallError)> {
    let mut outcomes = Vec::new();
    macro_rules! each {
        ($($method:literal => |$manager:ident| $call:expr;)+) => {$({
            let (fake, $manager) = with(&[("a.service", Unit::new("active"))]).await;
            fault(&fake, $method);
            let outcome = $call.await.map(drop);
            outcomes.push(($method, outcome.expect_err($method)));
        })+};
    }
    each! {
        "StartUnit" => |manager| manager.start("a.service", Mode::Replace);
        "StopUnit" => |manager| manager.stop("a.service", Mode::Replace);
        "RestartUnit" => |manager| manager.restart("a.service");
        "StartTransientUnit" => |manager| async { manager.start_transient(&service()).await };
        "ResetFailedUnit" => |manager| manager.reset_failed("a.service");
        "KillUnit" => |manager| manager.kill("a.service", Signo::SIGKILL);
        "AttachProcessesToUnit" => |manager| manager.attach("a.service", Pid::from_raw(1));
        "GetUnitProcesses" => |manager| manager.processes("a.service");
        "GetUnitByPID" => |manager| manager.unit_of_pid(Pid::from_raw(1));
        "ListUnitsByNames" => |manager| manager.states(&["a.service"]);
        "ListUnitsFiltered" => |manager| manager.failed_units();
        "Subscribe" => |manager| manager.signals();
        "AddMatch" => |manager| manager.signals();
        "UnsetAndSetEnvironment" => |manager| async { manager.change_environment(&[], &Default::default()).await };
        "Reload" => |manager| manager.reload();
        "Environment" => |manager| manager.environment();
        "Version" => |manager| manager.version();
        "SystemState" => |manager| manager.is_stopping();
        "GetConnectionUnixProcessID" => |manager| manager.pid();
        "ExecMainStatus" => |manager| manager.service_end("a.service");
        "MainPID" => |manager| manager.main_pid("a.service");
        "RequiredBy" => |manager| manager.dependents("a.service");
    }
    outcomes
}

/// A caller that mistakes a hanging manager for a vanished one would reconnect again and again, and wait each time.
#[tokio::test(start_paused = true)]
async fn a_manager_that_hangs_is_not_gone() {
    for (method, error) in each_call(|fake, method| fake.hang_at(method)).await {
        assert!(matches!(error, CallError::TimedOut { .. }), "{method}: {error}");
        assert!(!error.is_disconnect() && error.to_string().ends_with(": no answer in time"), "{method}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_call_ends_with_its_deadline_and_the_next_is_answered() {
    let (fake, manager) = with(&[("a.target", Unit::new("inactive"))]).await;
    fake.hang_at("Version");
    let begun = tokio::time::Instant::now();
    assert!(matches!(manager.version().await, Err(CallError::TimedOut { .. })));
    assert!((deadline::CALL..deadline::CALL * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert_eq!(manager.until_done(manager.start("a.target", Mode::Replace)).await.unwrap().as_deref(), Some("done"));
}

#[tokio::test]
async fn a_manager_that_vanishes_is_gone() {
    for (method, error) in each_call(|fake, method| fake.break_at(method)).await {
        assert!(error.is_disconnect(), "{method}: {error:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_neither_hanging_nor_vanishing() {
    const DENIED: &str = "org.freedesktop.DBus.Error.AccessDenied";
    for (method, error) in each_call(|fake, method| fake.refuse(method, DENIED)).await {
        assert!(error.is(DENIED) && !error.is_disconnect(), "{method}: {error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_is_about_to_be_forgotten_is_created_again() {
    const EXISTS: &str = "org.freedesktop.systemd1.UnitExists";
    let unit = service();
    for (state, times, made) in [("failed", 3, true), ("inactive", 1, true), ("active", 1, false)] {
        let (fake, manager) = with(&[]).await;
        fake.refuse_first("StartTransientUnit", EXISTS, times);
        fake.unit(&unit.name, Unit::new(state));
        let forgets = async {
            tokio::time::sleep(deadline::LOOK_AGAIN * 2).await;
            fake.forget(&unit.name);
        };
        let (started, ()) = tokio::join!(manager.start_transient(&unit), forgets);
        assert_eq!(started.is_ok(), made, "{state}");
    }
}
