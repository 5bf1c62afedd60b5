//! A display that another program has started, startx or a display manager, for the user manager: `startxd attach`.
//!
//! `attach` exports the environment and starts `startxd-attached.service`, which keeps a connection to the display. The
//! service starts `xorg.target`, and `wm-ready.target` once a window manager manages the display, and with it
//! `graphical-session.target`. When the connection breaks it starts `startxd-shutdown.target`, as `detach` does, which
//! ends all of that in the order of a session of our own. However the service ends, systemd runs `startxd attached
//! --restore` after it, which restores the environment.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sd_notify::NotifyState;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout, timeout_at};

use crate::config::Config;
use crate::dbus::CallError;
use crate::deadline::Deadlines;
use crate::environment;
use crate::environment::block::Block;
use crate::files::NotWritten;
use crate::manager::{Manager, Mode, NoManager, is_session_ending, names, restore};
use crate::multiplexer::tell::{self, Told};
use crate::presence::{AlreadyUp, IsRoot, refuse_root};
use crate::records::Record as _;
use crate::records::attached::AttachedRecord;
use crate::runtime_dir::{NoRuntimeDir, RuntimeDir};
use crate::session::autostart;
use crate::x11::client::{Client, ClientError};
use crate::x11::cookie::Cookie;
use crate::x11::display::Display;
use crate::x11::managed::Watch;
use crate::x11::xauthority;

/// Why a display could not be attached or detached.
#[derive(Debug, Error)]
#[allow(clippy::missing_docs_in_private_items, reason = "each variant's sentence is its documentation")]
pub enum NotAttached {
    #[error("{0}")]
    Root(#[from] IsRoot),
    #[error("{0}")]
    AlreadyUp(#[from] AlreadyUp),
    #[error("{0}")]
    NoRuntimeDir(#[from] NoRuntimeDir),
    #[error("DISPLAY is not set; run startxd attach inside an X session, such as in ~/.xinitrc")]
    NotInside,
    #[error(
        "DISPLAY is {given:?}, which is not a display of this machine; startxd attach is for X sessions on this machine"
    )]
    NotHere { given: String },
    #[error("display {display} cannot be used: {why}; check whether xdpyinfo works, and the value of XAUTHORITY")]
    Display { display: Display, why: String },
    #[error("{0}")]
    NoManager(#[from] NoManager),
    #[error("the user manager refused: {0}; see journalctl --user -b")]
    Manager(#[from] CallError),
    #[error("{0}")]
    Write(#[from] NotWritten),
    #[error("{unit} could not be started ({result}); see: systemctl --user status {unit}")]
    NotStarted { unit: &'static str, result: String },
    #[error("the graphical session has not ended ({result}); see: systemctl --user list-jobs")]
    NotStopped { result: String },
    #[error("no display is attached; to attach one: startxd attach; to end a session of startxd: startxd stop")]
    Nothing,
}

/// Attaches the display of the X session that this process is in.
///
/// # Errors
/// [`NotAttached`]; nothing is changed then.
pub async fn attach(config: &Config) -> Result<(), NotAttached> {
    refuse_root()?;
    let runtime = RuntimeDir::find()?;
    let display = own_display()?;
    let authority = authority();
    let deadlines = &config.deadlines;
    // A race: a server that loses its only client resets itself, and may take the service's connection with it, or ends
    // (Xserver(1), -terminate). So this one is kept until the service has its own.
    let first = connect(display, &authority, deadlines.server_ready).await?;
    let manager = Manager::connect(&runtime, deadlines.user_manager).await?;
    // A multiplexer that hangs delays nothing: telling them has its own deadline, and runs beside the start.
    let tell = async |told| tell::tell(&runtime, told, deadlines.multiplexers).await;
    let handed_over = hand_over(config, &runtime, &manager, display, authority, tell).await;
    drop(first);
    handed_over
}

/// Gives a display that answers to the manager; multiplexers learn of it by `tell`.
async fn hand_over(
    config: &Config,
    runtime: &RuntimeDir,
    manager: &Manager,
    display: Display,
    authority: PathBuf,
    tell: impl AsyncFnOnce(Told),
) -> Result<(), NotAttached> {
    nothing_up(runtime, manager, config.deadlines.going_down).await?;
    // Clean up after an earlier service that was killed together with the process that should clean up.
    put_back(runtime, manager).await?;

    let before = manager.environment().await?;
    let variables = variables(config, display, &authority, &before);
    runtime.create()?;
    let path = runtime.attached();
    let told = Told::new(&variables, &before);
    let attached = AttachedRecord::new(display, authority, variables.keys().cloned().collect(), before);
    attached.save(&path).map_err(|error| NotWritten::new(&path, error))?;
    let started = async {
        restore::export(manager, &variables, &[]).await?;
        let start = start(manager, names::ATTACHED, Mode::Replace, config.deadlines.server_ready);
        tokio::join!(start, tell(told)).0
    };
    let started = started.await;
    if started.is_err() {
        put_back(runtime, manager).await?;
    }
    started
}

/// Detaches the display, and returns when the user manager is as it was before.
///
/// # Errors
/// [`NotAttached`].
pub async fn detach(deadlines: &Deadlines) -> Result<(), NotAttached> {
    let runtime = RuntimeDir::find()?;
    if AttachedRecord::of(&runtime).is_none() {
        return Err(NotAttached::Nothing);
    }
    let manager = Manager::connect(&runtime, deadlines.user_manager).await?;
    let_go(&runtime, &manager, deadlines).await
}

/// Ends the units that came with the display, and restores the environment.
async fn let_go(runtime: &RuntimeDir, manager: &Manager, deadlines: &Deadlines) -> Result<(), NotAttached> {
    end(manager, deadlines).await?;
    // The service has done it, unless it was gone already.
    put_back(runtime, manager).await
}

/// `startxd-attached.service`: watches the display until it is gone, or until it is told to stop.
///
/// # Errors
/// [`NotAttached`].
pub async fn watch(config: &Config) -> Result<(), NotAttached> {
    let (deadlines, wanted) = (&config.deadlines, config.session.autostart);
    let runtime = RuntimeDir::find()?;
    let attached = AttachedRecord::of(&runtime).ok_or(NotAttached::Nothing)?;
    let display = attached.display;
    let broken = |error: ClientError| NotAttached::Display { display, why: error.to_string() };
    let failed = |error: io::Error| NotAttached::Display { display, why: error.to_string() };
    let mut stop = signal(SignalKind::terminate()).map_err(failed)?;
    let client = connect(display, &attached.authority, deadlines.server_ready).await?;
    let mut display_watch = Watch::new(client).await.map_err(broken)?;
    let manager = Manager::connect(&runtime, deadlines.user_manager).await?;
    sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&format!("Watching display {display}"))])
        .map_err(failed)?;
    let watch = async {
        if display_watch.managed().await.is_ok() {
            // A failure is that of the target's unit, and is in the journal.
            queue(&manager, names::WM_READY_TARGET).await;
            match autostart::is_ours(wanted, async { autostart::processes_of_ours() }).await {
                Ok(()) => queue(&manager, names::WM_AUTOSTART_TARGET).await,
                Err(why) => tracing::info!("the session starts its autostart programs itself: {why}"),
            }
            display_watch.closed().await;
        }
    };
    tokio::select! {
        () = watch => {}
        _ = stop.recv() => return Ok(()),
    }
    tracing::info!("display {} is gone", attached.display);
    // It also stops this service, in its turn.
    manager.start(names::SHUTDOWN_TARGET, Mode::ReplaceIrreversibly).await?;
    let _ = timeout(deadlines.stop, stop.recv()).await;
    Ok(())
}

/// Queues the start of a target that the display does not depend on.
async fn queue(manager: &Manager, target: &str) {
    if let Err(error) = manager.start(target, Mode::Replace).await {
        tracing::warn!("{target} cannot be started: {error}");
    }
}

/// After the watch, however it ended: restores the environment.
///
/// # Errors
/// [`NotAttached`].
pub async fn restore() -> Result<(), NotAttached> {
    let runtime = RuntimeDir::find()?;
    let manager = Manager::connect(&runtime, Deadlines::default().user_manager).await?;
    put_back(&runtime, &manager).await
}

/// Restores the environment and removes the record, if there is one.
async fn put_back(runtime: &RuntimeDir, manager: &Manager) -> Result<(), NotAttached> {
    tell::take_back(runtime, Deadlines::default().multiplexers).await;
    if let Some(attached) = AttachedRecord::of(runtime) {
        restore::restore(manager, &attached.before, &attached.exported).await?;
    }
    // A record that cannot be read is ignored.
    let _ = std::fs::remove_file(runtime.attached());
    // Only if it is empty.
    let _ = std::fs::remove_dir(runtime.path());
    Ok(())
}

/// Starts the ordered end and waits for it.
async fn end(manager: &Manager, deadlines: &Deadlines) -> Result<(), NotAttached> {
    let stopped = start(manager, names::SHUTDOWN_TARGET, Mode::ReplaceIrreversibly, deadlines.stop).await;
    stopped.map_err(|failure| match failure {
        NotAttached::NotStarted { result, .. } => NotAttached::NotStopped { result },
        other => other,
    })
}

/// Starts a unit and waits until it is up.
async fn start(manager: &Manager, unit: &'static str, mode: Mode, deadline: Duration) -> Result<(), NotAttached> {
    let result = match timeout(deadline, manager.until_done(manager.start(unit, mode))).await {
        Ok(result) => result?,
        Err(_) => Some("it took too long".to_owned()),
    };
    match result.as_deref() {
        Some("done") => Ok(()),
        Some(result) => Err(NotAttached::NotStarted { unit, result: result.to_owned() }),
        None => Err(NotAttached::NotStarted { unit, result: "the user manager is gone".to_owned() }),
    }
}

/// The display of this process.
fn own_display() -> Result<Display, NotAttached> {
    let given = std::env::var("DISPLAY").ok().filter(|display| !display.is_empty()).ok_or(NotAttached::NotInside)?;
    local(&given).ok_or(NotAttached::NotHere { given })
}

/// A local display by X(7): `:N`, `unix:N`, each with a screen or without.
#[must_use]
pub fn local(given: &str) -> Option<Display> {
    let number = given.strip_prefix("unix").unwrap_or(given);
    let number = match number.rsplit_once('.') {
        Some((number, screen)) if screen.bytes().all(|byte| byte.is_ascii_digit()) => number,
        _ => number,
    };
    number.starts_with(':').then(|| Display::parse(number).ok()).flatten()
}

/// The authority file of this process (Xsecurity(7)).
fn authority() -> PathBuf {
    let given = std::env::var_os("XAUTHORITY").filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".Xauthority");
    given.unwrap_or_else(home)
}

/// Connects to the display with the cookie in the file. Without a cookie, a server may still accept our uid.
async fn connect(display: Display, authority: &Path, deadline: Duration) -> Result<Client, NotAttached> {
    let failed = |why: String| NotAttached::Display { display, why };
    let cookie = match xauthority::cookie_in(authority, display) {
        Some(cookie) => cookie,
        None => Cookie::generate().map_err(|error| failed(error.to_string()))?,
    };
    let late = |_| failed(format!("no answer within {} s", deadline.as_secs_f32()));
    let connected = timeout(deadline, Client::connect(display, &cookie)).await.map_err(late)?;
    connected.map_err(|error| failed(error.to_string()))
}

/// Checks that no graphical session of this user is up, and nothing is attached. Waits, at most until `deadline`, for one
/// that is ending: a detach is over a little before its targets are.
async fn nothing_up(runtime: &RuntimeDir, manager: &Manager, deadline: Duration) -> Result<(), NotAttached> {
    const SIGNS: [&str; 4] = [names::GRAPHICAL_SESSION, names::XORG_TARGET, names::SHUTDOWN_TARGET, names::ATTACHED];
    let until = Instant::now() + deadline;
    let mut signals = None;
    loop {
        let states = manager.states(&SIGNS).await?;
        if !is_session_ending(&SIGNS, &states) || Instant::now() >= until {
            let up = SIGNS.iter().zip(&states).find(|(_, state)| !state.is_down());
            let up = up.map(|(unit, state)| (*unit, state.active.as_str()));
            return AlreadyUp::find(runtime, up).map_or(Ok(()), |up| Err(up.into()));
        }
        match &mut signals {
            // Asked once more when they are listened to: earlier changes are not announced.
            None => signals = Some(manager.signals().await?),
            Some(signals) => drop(timeout_at(until, signals.next()).await),
        }
    }
}

/// The variables to export, as for a session of our own.
fn variables(config: &Config, display: Display, authority: &Path, before: &Block) -> Block {
    let mut session = environment::of_display(display, authority);
    let given = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    for name in ["XDG_CURRENT_DESKTOP", "DESKTOP_SESSION"] {
        session.extend(given(name).map(|value| (name.to_owned(), value)));
    }
    let login: Vec<_> = std::env::vars_os().collect();
    environment::export(&login, before, &session, &config.environment.never)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::{NotAttached, hand_over, let_go, local, nothing_up, put_back};
    use crate::config::Config;
    use crate::dbus::CallError;
    use crate::environment::Block;
    use crate::manager::{Manager, names};
    use crate::presence::AlreadyUp;
    use crate::records::Record;
    use crate::records::attached::AttachedRecord;
    use crate::records::session::SessionRecord;
    use crate::runtime_dir::RuntimeDir;
    use crate::seat::Seat;
    use crate::test_dir::TestDir;
    use crate::testing::manager::environment;
    use crate::testing::{FakeManager, Job, Unit};
    use crate::x11::display::Display;

    /// A login on display :3 that startx started, and its user manager.
    struct Scene {
        _directory: TestDir,
        runtime: RuntimeDir,
        fake: FakeManager,
        manager: Manager,
        config: Config,
    }

    fn before() -> Block {
        environment(&[("LANG", "C"), ("DISPLAY", ":9")])
    }

    fn display() -> Display {
        Display::new(3).unwrap()
    }

    impl Scene {
        async fn new() -> Self {
            let (directory, fake) = (TestDir::new(), FakeManager::new());
            let runtime = RuntimeDir::of(directory.path("")).unwrap();
            fake.set_environment(&[("LANG", "C"), ("DISPLAY", ":9")]);
            fake.unit(names::ATTACHED, Unit::new("inactive"));
            fake.unit(names::SHUTDOWN_TARGET, Unit::new("inactive").against(&[names::ATTACHED, names::XORG_TARGET]));
            let manager = fake.connect().await;
            Self { _directory: directory, runtime, fake, manager, config: Config::default() }
        }

        async fn hand_over(&self) -> Result<(), NotAttached> {
            let authority = "/home/ada/.Xauthority".into();
            // Leaves the multiplexers of the person who runs the tests alone.
            hand_over(&self.config, &self.runtime, &self.manager, display(), authority, async |_| {}).await
        }

        async fn let_go(&self) -> Result<(), NotAttached> {
            let_go(&self.runtime, &self.manager, &self.config.deadlines).await
        }

        fn is_as_before(&self) {
            assert_eq!(self.fake.environment(), before());
            assert!(!self.runtime.path().exists());
        }
    }

    #[tokio::test]
    async fn detach_undoes_attach() {
        let scene = Scene::new().await;
        for _ in 0..2 {
            scene.hand_over().await.unwrap();
            let attached = AttachedRecord::of(&scene.runtime).unwrap();
            assert_eq!((attached.display, attached.before), (display(), before()));
            let now = scene.fake.environment();
            assert_eq!(now.get("DISPLAY").map(String::as_str), Some(":3"));
            assert_eq!(now.get("XAUTHORITY").map(String::as_str), Some("/home/ada/.Xauthority"));
            assert_eq!(scene.fake.active(names::ATTACHED), Some("active"));
            scene.let_go().await.unwrap();
            assert_eq!(scene.fake.active(names::ATTACHED), Some("inactive"));
            scene.fake.unit(names::SHUTDOWN_TARGET, Unit::new("inactive").against(&[names::ATTACHED]));
            scene.is_as_before();
        }
        // Usually the service has restored it already, and another time changes nothing.
        put_back(&scene.runtime, &scene.manager).await.unwrap();
        scene.is_as_before();
    }

    #[tokio::test]
    async fn a_second_graphical_session_is_refused() {
        let scene = Scene::new().await;
        let refused = async || match nothing_up(&scene.runtime, &scene.manager, Duration::ZERO).await {
            Err(NotAttached::AlreadyUp(up)) => Some(up),
            Ok(()) => None,
            Err(other) => panic!("{other}"),
        };
        assert!(refused().await.is_none());
        scene.fake.unit(names::GRAPHICAL_SESSION, Unit::new("active"));
        assert!(matches!(refused().await, Some(AlreadyUp::Other { .. })));
        scene.fake.unit(names::GRAPHICAL_SESSION, Unit::new("inactive"));
        scene.hand_over().await.unwrap();
        assert!(matches!(refused().await, Some(AlreadyUp::Attached { display: there }) if there == display()));
        assert!(matches!(scene.hand_over().await, Err(NotAttached::AlreadyUp(AlreadyUp::Attached { .. }))));
        let seat = Seat::new("seat0".into(), Some(1)).unwrap();
        let session = SessionRecord::new("1".into(), seat, Display::new(0).unwrap(), "openbox".into());
        session.save(&scene.runtime.record()).unwrap();
        assert!(matches!(refused().await, Some(AlreadyUp::Ours { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_ending_is_waited_for() {
        let scene = Scene::new().await;
        scene.fake.unit(names::SHUTDOWN_TARGET, Unit::new("active"));
        let ends = async {
            // Passes when everybody waits.
            sleep(Duration::from_secs(5)).await;
            scene.fake.unit(names::SHUTDOWN_TARGET, Unit::new("inactive"));
            scene.fake.tell_changed(names::SHUTDOWN_TARGET, "org.freedesktop.systemd1.Unit", &[]).await;
        };
        let (nothing, ()) = tokio::join!(nothing_up(&scene.runtime, &scene.manager, Duration::from_secs(60)), ends);
        nothing.unwrap();
        scene.fake.unit(names::SHUTDOWN_TARGET, Unit::new("active"));
        let refused = nothing_up(&scene.runtime, &scene.manager, Duration::from_secs(1)).await;
        assert!(matches!(refused, Err(NotAttached::AlreadyUp(AlreadyUp::Other { .. }))), "{refused:?}");
    }

    #[tokio::test]
    async fn what_an_earlier_one_has_left_is_cleaned_up_first() {
        let scene = Scene::new().await;
        scene.hand_over().await.unwrap();
        // Its service was killed, and the process that should clean up after it as well.
        scene.fake.unit(names::ATTACHED, Unit::new("failed"));
        scene.hand_over().await.unwrap();
        assert_eq!(AttachedRecord::of(&scene.runtime).unwrap().before, before());
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_does_not_start_leaves_nothing_behind() {
        for (job, words) in [(Job::Ends("failed"), "(failed)"), (Job::Hangs, "(it took too long)")] {
            let scene = Scene::new().await;
            scene.fake.unit(names::ATTACHED, Unit::new("inactive").whose_job(job));
            let error = scene.hand_over().await.unwrap_err();
            assert!(matches!(error, NotAttached::NotStarted { .. }) && error.to_string().contains(words), "{error}");
            scene.is_as_before();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_that_does_not_come_keeps_the_record() {
        for (job, words) in [(Job::Ends("canceled"), "(canceled)"), (Job::Hangs, "(it took too long)")] {
            let scene = Scene::new().await;
            scene.hand_over().await.unwrap();
            scene.fake.unit(names::SHUTDOWN_TARGET, Unit::new("inactive").whose_job(job));
            let error = scene.let_go().await.unwrap_err();
            assert!(matches!(error, NotAttached::NotStopped { .. }) && error.to_string().contains(words), "{error}");
            assert!(AttachedRecord::of(&scene.runtime).is_some());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_manager_that_hangs_or_vanishes_is_reported() {
        for method in ["ListUnitsByNames", "Environment", "UnsetAndSetEnvironment", "StartUnit"] {
            let scene = Scene::new().await;
            scene.fake.hang_at(method);
            let error = scene.hand_over().await.unwrap_err();
            assert!(matches!(error, NotAttached::Manager(CallError::TimedOut { .. })), "{method}: {error}");
            let scene = Scene::new().await;
            scene.fake.break_at(method);
            let error = scene.hand_over().await.unwrap_err();
            assert!(matches!(&error, NotAttached::Manager(error) if error.is_disconnect()), "{method}: {error}");
        }
    }

    #[test]
    fn only_displays_of_this_machine_are_accepted() {
        for (given, number) in [(":0", 0), (":1.0", 1), ("unix:2", 2), ("unix:10.1", 10)] {
            assert_eq!(local(given).map(|display| display.number()), Some(number), "{given}");
        }
        for given in ["", "0", "localhost:10.0", "far:0", ":", ":x", "unix/:0", ":0.x", "tcp/far:0"] {
            assert_eq!(local(given), None, "{given:?}");
        }
    }
}
