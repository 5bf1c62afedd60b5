//! Finds, reports and cleans up what a session has left whose host died (crash-only software).
//!
//! The record shows that there was a session, and the lock, which the kernel releases however a host ends, that it is
//! dead.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::session_lock::{NotLocked, SessionLock, is_free, is_served};
use super::{closing, orphan, session_files};
use crate::deadline::{ACTIVATED, Deadlines, KILLED, LOOK_AGAIN, STEADY};
use crate::files::remove;
use crate::manager::{Manager, Mode, UnitState, names, restore};
use crate::multiplexer::tell;
use crate::os::{self, Pid};
use crate::records::last::{self, LastSession};
use crate::records::session::SessionRecord;
use crate::runtime_dir::RuntimeDir;
use crate::session::{activated, applications, autostart};
use crate::x11::occupied::{remove_lock, remove_socket};

/// Whether there is a session whose host is dead.
#[must_use]
pub fn is_dead(runtime: &RuntimeDir) -> bool {
    is_free(runtime) && is_recorded(runtime)
}

fn is_recorded(runtime: &RuntimeDir) -> bool {
    !matches!(SessionRecord::of(runtime), Ok(None))
}

/// Cleans up after a dead session, if there is one. We hold the lock, so no other process does.
pub async fn repair(lock: &SessionLock, manager: &Manager, deadlines: &Deadlines) {
    put_right(lock, manager, deadlines, false).await;
}

/// Like [`repair`]. `inside`: this process is in the server's unit, and must not wait for its end.
async fn put_right(lock: &SessionLock, manager: &Manager, deadlines: &Deadlines, inside: bool) {
    let runtime = &lock.runtime;
    match SessionRecord::of(runtime) {
        Ok(None) => {}
        Ok(Some(record)) => {
            tracing::warn!(
                "the last session (display {}, host {}) ended without cleaning up; ending what is left of it and putting \
                 its environment back",
                record.display,
                record.host
            );
            // First, because until then whoever is at the terminal has the shell below.
            closing::close_in_place_of_host(&record, deadlines.user_manager).await;
            note_end(&record);
            bury(manager, &record, deadlines, inside).await;
            // Stopping a window manager ends only its main process, and one that was killed has left all its children.
            applications::end(manager, &record.units, deadlines.applications).await;
            orphan::end(&runtime.authority(record.display), deadlines.server_stop).await;
            tell::take_back(runtime, deadlines.multiplexers).await;
            await_groups(manager, &record).await;
            undo(manager, &record, false).await;
            remove_lock(record.display);
            remove_socket(record.display);
            session_files::remove(runtime, &record);
            remove(&runtime.record());
        }
        Err(error) => {
            let path = runtime.record();
            tracing::warn!("{} is left from an earlier session and cannot be read ({error}); removed", path.display());
            remove(&path);
            tell::take_back(runtime, deadlines.multiplexers).await;
        }
    }
}

/// Records how the session has ended, in place of its host.
fn note_end(record: &SessionRecord) {
    let why = format!("its host (pid {}) was killed, and the session was ended in its place", record.host);
    // If it has closed its login, the next login may start a session again.
    let is_brief = record.closes_login && last::age(record.started) < STEADY;
    if let Err(error) = LastSession::ends_now(false, why, &record.session, is_brief).keep() {
        tracing::debug!("how the session ended cannot be recorded: {error}");
    }
}

/// Ends the units of a session that has neither a host nor a supervisor.
async fn bury(manager: &Manager, record: &SessionRecord, deadlines: &Deadlines, inside: bool) {
    // All three: a host that was killed at the beginning has started the server's units and not yet the target,
    // and sockets that stay bound with a connection in them start the server's unit again and again.
    let (service, socket) = (names::xorg_service(record.display), names::xorg_socket(record.display));
    let units = [names::XORG_TARGET, &service, &socket];
    let Ok(states) = manager.states(if inside { &units[..1] } else { &units }).await else { return };
    if states.iter().all(UnitState::is_down) {
        return;
    }
    let end = async {
        applications::end(manager, &record.units, deadlines.applications).await;
        stop(manager, names::SHUTDOWN_TARGET, true).await;
        // Then the units that are not bound to the targets.
        for unit in &record.units {
            stop(manager, unit, false).await;
        }
    };
    if timeout(deadlines.going_down, end).await.is_err() {
        tracing::warn!("the last session does not go down; see: systemctl --user list-jobs");
    }
}

/// Stops a unit, or starts the unit that stops the others, and waits for the job.
async fn stop(manager: &Manager, unit: &str, shutdown: bool) {
    let job = async {
        match shutdown {
            true => manager.start(unit, Mode::ReplaceIrreversibly).await,
            false => manager.stop(unit, Mode::Replace).await,
        }
    };
    // A unit that is not loaded need not be stopped.
    if let Err(error) = manager.until_done(job).await {
        tracing::debug!("{unit}: {error}");
    }
}

/// Undoes a session's changes in the user manager; its environment is left alone if that `is_restored`.
pub async fn undo(manager: &Manager, record: &SessionRecord, is_restored: bool) {
    // First, and all at once. A race: the manager forgets a failed unit after it has answered, and with the unit the file of a
    // transient one; but it does so before it answers the next call.
    let mut forgotten = JoinSet::new();
    let xorg = [names::xorg_service(record.display), names::xorg_socket(record.display)];
    for unit in xorg.into_iter().chain(record.units.iter().cloned()) {
        let manager = manager.clone();
        // This fails for units that are no longer loaded, which is fine.
        forgotten.spawn(async move { manager.reset_failed(&unit).await.ok() });
    }
    forgotten.join_all().await;
    let restore = async { is_restored || restore_environment(manager, record).await };
    tokio::join!(restore, autostart::forget_failed(manager));
}

/// Undoes a session's changes in the environment of the user manager, and ends what D-Bus has activated with them.
/// Returns whether it could be done.
pub async fn restore_environment(manager: &Manager, record: &SessionRecord) -> bool {
    let restored = restore::restore(manager, &record.before, &record.exported).await;
    if let Err(error) = &restored {
        tracing::warn!("the user manager's environment could not be put back: {error}");
    }
    activated::end(manager, record.display, ACTIVATED).await;
    restored.is_ok()
}

/// Waits until the control groups of a session's services that have failed are gone, before they are forgotten.
///
/// A race: a process that is killed together with the main one may still be in the group when the service has failed.
/// systemd removes the group when the kernel tells that it is empty, which it does once in ten milliseconds at most; if
/// the unit is forgotten by then, as a failed one is that is reset, the group stays forever (seen on 262).
async fn await_groups(manager: &Manager, record: &SessionRecord) {
    let xorg = names::xorg_service(record.display);
    let units: Vec<&str> = std::iter::once(&xorg).chain(&record.units).map(String::as_str).collect();
    let Ok(states) = manager.states(&units).await else { return };
    for (unit, _) in units.iter().zip(states).filter(|(_, state)| state.active == "failed") {
        let gone = async {
            while manager.has_control_group(unit).await.unwrap_or(false) {
                sleep(LOOK_AGAIN).await;
            }
        };
        let _ = timeout(KILLED, gone).await;
    }
}

/// The supervisor's part: the host has died, and the supervisor has ended the session in its place.
pub async fn repair_after(runtime: &RuntimeDir, manager: &Manager, host: Pid, deadlines: &Deadlines) {
    let ours = matches!(SessionRecord::of(runtime), Ok(Some(record)) if record.host == host.as_raw());
    if !ours {
        return;
    }
    // If another process has the lock, the next start has begun, and it repairs.
    if let Ok(lock) = SessionLock::take(runtime, Duration::ZERO).await {
        put_right(&lock, manager, deadlines, true).await;
    }
}

/// What [`clean_up`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// No session, alive or dead.
    Nothing,
    /// A dead one; it was cleaned up.
    Dead,
    /// A host that lives.
    Alive,
}

/// Like [`clean_up`], for the unit that systemd starts when a supervisor has failed (`startxd-repair.service`), which
/// may have been killed together with its host.
///
/// A race: a host that lives may be killed a moment later, and without a supervisor nothing notices. If the login
/// session must end with the session, for example because the screen is locked, that would leave an open shell: so such
/// a host is watched for as long as an end may take.
pub async fn clean_up_after_supervisor(runtime: &RuntimeDir, deadlines: &Deadlines) {
    let found = clean_up(runtime, deadlines).await;
    let Ok(Some(record)) = SessionRecord::of(runtime) else { return forget_servers(runtime, deadlines).await };
    if found != Found::Alive || !record.closes_login {
        return;
    }
    // A host that cannot be watched has ended in the meantime.
    if let Ok(host) = os::pidfd_open(Pid::from_raw(record.host)).and_then(os::watch)
        && timeout(deadlines.stop, host.readable()).await.is_err()
    {
        return;
    }
    // Its record may be gone already: that is removed before the login is closed.
    closing::close_in_place_of_host(&record, deadlines.user_manager).await;
    clean_up(runtime, deadlines).await;
}

/// Has the manager forget servers' units that have failed, when there is no session.
///
/// A race: a supervisor that repairs after its host may be killed when all is repaired, and the record removed. Then its unit
/// is failed, and nothing says so but the manager.
async fn forget_servers(runtime: &RuntimeDir, deadlines: &Deadlines) {
    let Ok(manager) = Manager::connect(runtime, deadlines.user_manager).await else { return };
    let failed = manager.failed_units().await.unwrap_or_default();
    for unit in failed.iter().filter(|unit| unit.starts_with("xorg@")) {
        let _ = manager.reset_failed(unit).await;
    }
}

/// Ends what is left of a dead session: for `startxd stop` if no host answers.
///
/// If another process is doing so already, waits for it.
pub async fn clean_up(runtime: &RuntimeDir, deadlines: &Deadlines) -> Found {
    if !is_recorded(runtime) {
        return Found::Nothing;
    }
    if is_served(runtime) {
        return Found::Alive;
    }
    let manager = match Manager::connect(runtime, deadlines.user_manager).await {
        Ok(manager) => manager,
        Err(error) => {
            tracing::error!("{error}");
            return Found::Nothing;
        }
    };
    let lock = match SessionLock::take(runtime, deadlines.going_down).await {
        Ok(lock) => lock,
        Err(NotLocked::Busy) => return Found::Alive,
        Err(error) => {
            tracing::error!("{error}");
            return Found::Nothing;
        }
    };
    repair(&lock, &manager, deadlines).await;
    Found::Dead
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nix::unistd::Pid;

    use super::{Found, clean_up, clean_up_after_supervisor, is_dead, repair, repair_after};
    use crate::deadline::Deadlines;
    use crate::environment::Block;
    use crate::host::session_lock::SessionLock;
    use crate::manager::{Manager, names};
    use crate::records::Record;
    use crate::records::session::SessionRecord;
    use crate::runtime_dir::RuntimeDir;
    use crate::seat::Seat;
    use crate::test_dir::TestDir;
    use crate::testing::manager::environment;
    use crate::testing::{FakeManager, Job, Unit};
    use crate::x11::display::Display;

    const HOST: i32 = 4242;
    const WM: &str = "startxd-wm@openbox.service";
    // Nobody has it, and nobody's files in /tmp are those of it.
    const DISPLAY: u16 = 59_001;

    /// A dead session: what it has left on disk and in the manager.
    struct Scene {
        _directory: TestDir,
        runtime: RuntimeDir,
        fake: FakeManager,
        manager: Manager,
        deadlines: Deadlines,
    }

    fn before() -> Block {
        environment(&[("LANG", "C")])
    }

    impl Scene {
        /// Its units are in this state.
        async fn new(state: &'static str) -> Self {
            let (directory, fake) = (TestDir::new(), FakeManager::new());
            let runtime = RuntimeDir::of(directory.path("")).unwrap();
            runtime.create().unwrap();
            let display = Display::new(DISPLAY).unwrap();
            let mut record =
                SessionRecord::new("1".into(), Seat::new("seat0".into(), Some(1)).unwrap(), display, "openbox".into());
            record.host = HOST;
            record.units = vec![WM.into()];
            record.exported = vec!["DISPLAY".into()];
            record.before = before();
            record.save(&runtime.record()).unwrap();
            std::fs::write(runtime.authority(display), "").unwrap();
            fake.set_environment(&[("LANG", "C"), ("DISPLAY", ":59001"), ("LATER", "1")]);
            for unit in [names::XORG_TARGET, WM, &names::xorg_service(display), &names::xorg_socket(display)] {
                fake.unit(unit, Unit::new(state));
            }
            fake.unit(names::SHUTDOWN_TARGET, Unit::new("inactive").against(&[names::XORG_TARGET, WM]));
            let manager = fake.connect().await;
            Self { _directory: directory, runtime, fake, manager, deadlines: Deadlines::default() }
        }

        async fn repair(&self) {
            let lock = SessionLock::take(&self.runtime, Duration::ZERO).await.unwrap();
            repair(&lock, &self.manager, &self.deadlines).await;
        }

        /// The relevant calls, with only the unit of their arguments.
        fn calls(&self) -> Vec<String> {
            let short = |call: &String| call.split(' ').take(2).collect::<Vec<_>>().join(" ");
            let calls = self.fake.calls();
            let units = calls.iter().filter(|call| !call.contains("Environment"));
            units.map(short).collect()
        }

        fn is_clean(&self) {
            assert!(!self.runtime.path().exists(), "{:?}", std::fs::read_dir(self.runtime.path()).unwrap().count());
        }
    }

    #[tokio::test]
    async fn a_session_that_is_still_up_is_ended_in_order_and_undone() {
        let scene = Scene::new("active").await;
        assert!(is_dead(&scene.runtime));
        scene.repair().await;
        assert_eq!(
            scene.calls(),
            [
                "StartUnit startxd-shutdown.target".to_owned(),
                format!("StopUnit {WM}"),
                format!("ResetFailedUnit xorg@{DISPLAY}.service"),
                format!("ResetFailedUnit xorg@{DISPLAY}.socket"),
                format!("ResetFailedUnit {WM}"),
            ]
        );
        assert!(scene.fake.calls()[0].ends_with(" replace-irreversibly"), "{:?}", scene.fake.calls());
        assert_eq!(scene.fake.environment(), before());
        assert_eq!(scene.fake.activation().get("DISPLAY").map(String::as_str), Some(""));
        scene.is_clean();
    }

    #[tokio::test]
    async fn a_session_that_went_down_is_only_undone() {
        for state in ["inactive", "failed"] {
            let scene = Scene::new(state).await;
            scene.repair().await;
            assert!(scene.calls().iter().all(|call| call.starts_with("ResetFailedUnit")), "{:?}", scene.calls());
            assert_eq!(scene.fake.active(WM), Some("inactive"));
            assert_eq!(scene.fake.environment(), before());
            scene.is_clean();
        }
    }

    #[tokio::test]
    async fn a_server_that_a_socket_would_start_again_is_ended_without_its_target() {
        let scene = Scene::new("inactive").await;
        scene.fake.unit(&names::xorg_socket(Display::new(DISPLAY).unwrap()), Unit::new("active"));
        scene.repair().await;
        assert_eq!(scene.calls()[0], "StartUnit startxd-shutdown.target");
    }

    #[tokio::test]
    async fn where_there_was_no_session_nothing_is_asked() {
        let scene = Scene::new("active").await;
        std::fs::remove_file(scene.runtime.record()).unwrap();
        assert!(!is_dead(&scene.runtime));
        scene.repair().await;
        assert_eq!(scene.fake.calls(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_read_is_removed() {
        let scene = Scene::new("active").await;
        std::fs::write(scene.runtime.record(), "version = 7").unwrap();
        assert!(is_dead(&scene.runtime));
        scene.repair().await;
        assert!(!scene.runtime.record().exists());
        assert_eq!(scene.fake.calls(), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_does_not_go_down_is_undone_all_the_same() {
        let scene = Scene::new("active").await;
        scene.fake.unit(names::SHUTDOWN_TARGET, Unit::new("inactive").whose_job(Job::Hangs));
        let begun = tokio::time::Instant::now();
        scene.repair().await;
        assert!(begun.elapsed() >= scene.deadlines.going_down, "{:?}", begun.elapsed());
        assert_eq!(scene.fake.environment(), before());
        scene.is_clean();
    }

    #[tokio::test(start_paused = true)]
    async fn a_manager_that_hangs_or_goes_ends_the_repair_too() {
        for method in ["ListUnitsByNames", "StartUnit", "Environment", "ResetFailedUnit"] {
            for fault in [FakeManager::hang_at, FakeManager::break_at] {
                let scene = Scene::new("active").await;
                fault(&scene.fake, method);
                scene.repair().await;
                scene.is_clean();
            }
        }
    }

    /// If a unit is forgotten before all of its processes are gone, its control group stays forever.
    #[tokio::test(start_paused = true)]
    async fn what_failed_is_forgotten_when_its_control_group_is_gone() {
        let scene = Scene::new("inactive").await;
        scene.fake.unit(WM, Unit::new("failed").with("ControlGroup", "/a".to_owned()));
        let gone = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(!scene.fake.calls().iter().any(|call| call.starts_with("ResetFailed")), "{:?}", scene.fake.calls());
            scene.fake.unit(WM, Unit::new("failed"));
        };
        tokio::join!(scene.repair(), gone);
        assert_eq!(scene.fake.active(WM), Some("inactive"));
    }

    #[tokio::test]
    async fn a_supervisor_repairs_after_its_own_host_and_does_not_wait_for_itself() {
        let scene = Scene::new("inactive").await;
        let service = names::xorg_service(Display::new(DISPLAY).unwrap());
        scene.fake.unit(&service, Unit::new("active").whose_job(Job::Hangs));
        repair_after(&scene.runtime, &scene.manager, Pid::from_raw(HOST + 1), &scene.deadlines).await;
        assert_eq!(scene.fake.calls(), Vec::<String>::new());
        repair_after(&scene.runtime, &scene.manager, Pid::from_raw(HOST), &scene.deadlines).await;
        assert_eq!(scene.fake.environment(), before());
        assert!(!scene.calls().iter().any(|call| call.starts_with("StartUnit")), "{:?}", scene.calls());
        scene.is_clean();
    }

    #[tokio::test]
    async fn cleaning_up_by_way_of_the_bus() {
        let scene = Scene::new("active").await;
        // Without a bus nothing can be done, and the record stays.
        assert_eq!(clean_up(&scene.runtime, &scene.deadlines).await, Found::Nothing);
        assert!(is_dead(&scene.runtime));
        scene.fake.listen(&scene.runtime.bus_socket());
        assert_eq!(clean_up(&scene.runtime, &scene.deadlines).await, Found::Dead);
        assert_eq!(scene.fake.environment(), before());
        scene.is_clean();
        assert_eq!(clean_up(&scene.runtime, &scene.deadlines).await, Found::Nothing);
    }

    #[tokio::test]
    async fn a_supervisor_that_was_killed_after_its_repair_is_forgotten() {
        let scene = Scene::new("inactive").await;
        scene.repair().await;
        let service = names::xorg_service(Display::new(DISPLAY).unwrap());
        scene.fake.unit(&service, Unit::new("failed"));
        scene.fake.listen(&scene.runtime.bus_socket());
        clean_up_after_supervisor(&scene.runtime, &scene.deadlines).await;
        assert_eq!(scene.fake.active(&service), Some("inactive"));
        scene.is_clean();
    }

    #[tokio::test]
    async fn somebody_who_is_at_work_already_is_left_alone() {
        let mut scene = Scene::new("active").await;
        scene.fake.listen(&scene.runtime.bus_socket());
        scene.deadlines.going_down = Duration::from_millis(20);
        let lock = SessionLock::take(&scene.runtime, Duration::ZERO).await.unwrap();
        assert!(!is_dead(&scene.runtime));
        assert_eq!(clean_up(&scene.runtime, &scene.deadlines).await, Found::Alive);
        assert_eq!(scene.fake.calls(), Vec::<String>::new());
        drop(lock);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bus_that_hangs_is_not_waited_for_for_ever() {
        let scene = Scene::new("active").await;
        scene.fake.hang_at("Hello");
        scene.fake.listen(&scene.runtime.bus_socket());
        let begun = tokio::time::Instant::now();
        assert_eq!(clean_up(&scene.runtime, &scene.deadlines).await, Found::Nothing);
        assert!(begun.elapsed() <= scene.deadlines.user_manager * 2, "{:?}", begun.elapsed());
        assert!(is_dead(&scene.runtime));
    }
}
