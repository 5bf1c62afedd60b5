//! The user's service manager, `systemd --user` (org.freedesktop.systemd1(5)).
//!
//! We use its own socket ([`private`]), and if that is missing the user's message bus. Only the bus has the environment
//! for what D-Bus activates ([`restore`]).

mod files;
pub mod inbox;
mod itself;
mod jobs;
mod memory;
pub mod names;
mod private;
pub mod restore;
pub mod signals;
pub mod transient;
pub mod verdict;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};
use zbus::{Connection, OwnedObjectPath, OwnedVariant};

use crate::dbus::{self, CallError, Target};
use crate::deadline::{self, EXECUTES_ANEW, FORGETS, LOOK_AGAIN, TRY_AGAIN};
use crate::runtime_dir::RuntimeDir;
use crate::session_bus;
use nix::unistd::Pid;

use inbox::Wanted;
use private::Private;

pub use files::{FileState, ListedUnit};
pub use signals::{Signal, Signals, Watcher};

const SERVICE: &str = "org.freedesktop.systemd1";
/// The error for a unit that is already loaded, or has a file.
const UNIT_EXISTS: &str = "org.freedesktop.systemd1.UnitExists";
const MANAGER_INTERFACE: &str = "org.freedesktop.systemd1.Manager";
const UNIT_INTERFACE: &str = "org.freedesktop.systemd1.Unit";
const JOB_INTERFACE: &str = "org.freedesktop.systemd1.Job";
const SERVICE_INTERFACE: &str = "org.freedesktop.systemd1.Service";
const MANAGER: Target<'_> =
    Target { destination: SERVICE, path: "/org/freedesktop/systemd1", interface: MANAGER_INTERFACE };

/// How a job affects jobs that are already queued (systemctl(1), `--job-mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Replaces queued jobs that conflict.
    Replace,
    /// Only this unit: nothing that it requires or wants, and no ordering.
    IgnoreDependencies,
    /// Like `Replace`, and no later job may replace the resulting ones.
    ReplaceIrreversibly,
}

impl Mode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::IgnoreDependencies => "ignore-dependencies",
            Self::ReplaceIrreversibly => "replace-irreversibly",
        }
    }
}

/// A unit as `ListUnits` and similar calls return it: name, description, load, active and sub state, the unit it
/// follows, its object, and the id, type and object of its job.
type UnitRow = (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

/// The states of a unit (`ListUnitsByNames`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitState {
    /// `LoadState`: "loaded", "not-found", "masked", "bad-setting" and more.
    pub load: String,
    /// `ActiveState`: "active", "inactive", "failed", "activating", "deactivating" and more.
    pub active: String,
    /// `SubState`: specific to the unit's type, for example "running" or "auto-restart".
    pub sub: String,
    /// The type of its queued job ("start", "stop", "restart"), if it has one.
    pub job: Option<String>,
}

impl UnitState {
    /// The states of a unit that is not loaded.
    fn none() -> Self {
        Self { load: "not-found".into(), active: "inactive".into(), sub: "dead".into(), job: None }
    }

    /// Whether the manager has loaded the unit, with or without a file.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.load != "not-found" || !self.is_down()
    }

    /// Whether it is down, and no job is queued for it.
    #[must_use]
    pub fn is_down(&self) -> bool {
        matches!(self.active.as_str(), "inactive" | "failed") && self.job.is_none()
    }

    /// Whether it is stopping, or is going to.
    #[must_use]
    pub fn is_going_down(&self) -> bool {
        self.active == "deactivating" || self.job.as_deref() == Some("stop")
    }
}

/// Whether a graphical session is ending, by the states of units that are up while there is one. The shutdown target is up
/// only then, and every other one may lag behind it.
#[must_use]
pub fn is_session_ending(units: &[&str], states: &[UnitState]) -> bool {
    let is_ending = |(unit, state): (&&str, &UnitState)| {
        state.is_going_down() || (*unit == names::SHUTDOWN_TARGET && !state.is_down())
    };
    units.iter().zip(states).any(is_ending)
}

/// When the parts of a unit's start happened, in microseconds of the monotonic clock; `None` for what did not happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnitTimes {
    /// The start began (`InactiveExitTimestampMonotonic`).
    pub leaves: Option<u64>,
    /// The main process was forked (`ExecMainStartTimestampMonotonic`).
    pub forked: Option<u64>,
    /// Its program was executed (`ExecMainHandoffTimestampMonotonic`, systemd 256).
    pub executed: Option<u64>,
    /// The unit was up (`ActiveEnterTimestampMonotonic`).
    pub active: Option<u64>,
}

/// How the main process of a service ended last (`Result`, `ExecMainCode`, `ExecMainStatus`, `ExecMainPID`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceEnd {
    /// "success", "exit-code", "signal", "core-dump", "start-limit-hit" and more (systemd.exec(5), `$SERVICE_RESULT`).
    pub result: String,
    /// How it ended: `CLD_EXITED`, `CLD_KILLED` or `CLD_DUMPED` (sigaction(2)); 0 if it has not run.
    pub code: i32,
    /// The exit status or the signal's number.
    pub status: i32,
    /// Its pid; 0 if it has not run.
    pub pid: u32,
}

impl ServiceEnd {
    /// The statuses with which systemd reports that it could not execute the program (systemd.exec(5), "Process Exit
    /// Codes"). Trying again does not help.
    pub const NOT_EXECUTED: std::ops::RangeInclusive<i32> = 200..=245;

    /// Whether the main process ran and did not end successfully.
    #[must_use]
    pub fn is_crash(&self) -> bool {
        let not_executed = self.code == nix::libc::CLD_EXITED && Self::NOT_EXECUTED.contains(&self.status);
        self.code != 0 && !self.is_clean_exit() && !not_executed
    }

    /// Whether the main process exited by itself with an error status of its own.
    #[must_use]
    pub fn is_error_status(&self) -> bool {
        self.code == nix::libc::CLD_EXITED && self.is_crash() && !self.is_out_of_memory()
    }

    /// Whether the main process exited by itself with status 0, and not because the kernel killed something that it
    /// needed.
    #[must_use]
    pub fn is_clean_exit(&self) -> bool {
        self.code == nix::libc::CLD_EXITED && self.status == 0 && !self.is_out_of_memory()
    }

    /// Whether the kernel killed a process of the service because memory ran out, so that the service's policy ended it
    /// (`OOMPolicy=`, systemd.service(5)). The main process may still have exited with 0.
    #[must_use]
    pub fn is_out_of_memory(&self) -> bool {
        self.result == "oom-kill"
    }
}

/// Whether systemd is this machine's, or this container's, first process (sd_booted(3)).
#[must_use]
pub fn is_booted() -> bool {
    std::path::Path::new("/run/systemd/system").is_dir()
}

/// Why the user manager cannot be used, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(clippy::missing_docs_in_private_items, reason = "each variant's sentence is its documentation")]
pub enum NoManager {
    #[error("the user manager does not answer ({why}); log out and in again, or run: sudo systemctl start user@{uid}")]
    Silent { uid: u32, why: String },
    #[error("the user's message bus does not answer ({0}); see: systemctl --user status dbus.socket dbus")]
    NoBus(String),
}

impl NoManager {
    /// It does not answer; `why` is what a call or the connection reported.
    pub fn silent(why: impl ToString) -> Self {
        Self::Silent { uid: nix::unistd::geteuid().as_raw(), why: why.to_string() }
    }

    /// The connection broke while an answer was awaited.
    #[must_use]
    pub fn lost() -> Self {
        Self::silent("the connection broke")
    }

    /// What is wrong, without the remedy.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::Silent { why, .. } | Self::NoBus(why) => why,
        }
    }
}

/// The state of a message bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusState {
    /// It is not up. Its first client starts it, with the manager's environment of that moment.
    Waits,
    /// It is up or starting, or nothing is known about it.
    Up,
}

fn no_answer(deadline: Duration) -> String {
    format!("no answer within {} s", deadline.as_secs_f32())
}

/// Gives something at most `deadline`, or says why it failed.
async fn in_time<T, E: ToString>(deadline: Duration, work: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match timeout(deadline, work).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err(no_answer(deadline)),
    }
}

/// A connection to the manager.
#[derive(Clone)]
pub struct Manager {
    connection: Connection,
    way: Way,
}

/// What a connection uses.
#[derive(Clone)]
enum Way {
    /// A message bus, which it shares with others.
    Bus,
    /// The manager's own socket.
    Own {
        runtime: Box<RuntimeDir>,
        /// The manager's process.
        manager: Option<Pid>,
        wanted: Arc<Wanted>,
        /// A connection to the bus, if it was made already.
        bus: Arc<Mutex<Option<Connection>>>,
    },
}

impl Manager {
    /// Connects within `deadline`. Use [`Manager::version`] to find out whether the manager answers.
    ///
    /// # Errors
    /// Neither the manager nor a bus that it could be on accepts connections.
    pub async fn connect(runtime: &RuntimeDir, deadline: Duration) -> Result<Self, NoManager> {
        let socket = runtime.manager_socket();
        let own = private::connect(&socket, deadline::CALL);
        match timeout(deadline, own).await {
            Ok(Ok(Private { connection, manager, wanted })) => {
                let way = Way::Own { runtime: Box::new(runtime.clone()), manager, wanted, bus: Arc::default() };
                return Ok(Self { connection, way });
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {}
            // A bus would accept the call for a manager that re-executes itself, and we would wait.
            Ok(Err(error)) => return Err(NoManager::silent(error)),
            Err(_) => return Err(NoManager::silent(no_answer(deadline))),
        }
        in_time(deadline, session_bus::connect(runtime)).await.map(Self::new).map_err(NoManager::silent)
    }

    /// Like [`Manager::connect`], but the manager has also answered.
    ///
    /// # Errors
    /// As there; or the manager is not on the bus, or does not answer.
    pub async fn connect_proven(runtime: &RuntimeDir, deadline: Duration) -> Result<Self, NoManager> {
        let manager = Self::connect(runtime, deadline).await?;
        Self::within(deadline, manager.version()).await?;
        Ok(manager)
    }

    /// Gives a question to the manager at most `deadline`.
    ///
    /// # Errors
    /// The manager does not answer in time, or answers with an error.
    pub async fn within<T>(
        deadline: Duration,
        question: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, NoManager> {
        in_time(deadline, question).await.map_err(NoManager::silent)
    }

    /// The manager, by way of a bus.
    #[must_use]
    pub const fn new(bus: Connection) -> Self {
        Self { connection: bus, way: Way::Bus }
    }

    /// A connection to the bus that the manager is on.
    ///
    /// # Errors
    /// There is no bus, or it does not answer.
    pub async fn bus(&self) -> zbus::Result<Connection> {
        match &self.way {
            Way::Bus => Ok(self.connection.clone()),
            Way::Own { runtime, bus, .. } => {
                // Used once: by the time it is needed again, the bus may have been restarted.
                let connected = bus.lock().unwrap_or_else(PoisonError::into_inner).take();
                match connected {
                    Some(connected) => Ok(connected),
                    None => session_bus::connect(runtime).await,
                }
            }
        }
    }

    /// Connects to the bus that the manager is on, if it is up, to prove that it answers.
    ///
    /// A bus that waits for its first client is left alone, since it would start with the manager's current
    /// environment. So the first login after a boot loses no time here.
    ///
    /// # Errors
    /// There is no bus, or it does not answer within `deadline`.
    pub async fn prove_bus(&self, state: BusState, deadline: Duration) -> Result<(), NoManager> {
        let Way::Own { runtime, bus, .. } = &self.way else { return Ok(()) };
        if state == BusState::Waits {
            return Ok(());
        }
        let why = match in_time(deadline, session_bus::connect(runtime)).await {
            Ok(connected) => {
                *bus.lock().unwrap_or_else(PoisonError::into_inner) = Some(connected);
                return Ok(());
            }
            Err(why) => why,
        };
        // A manager that exits stops its bus first; then that is what to report.
        match Self::within(deadline, self.is_stopping()).await? {
            true => Err(NoManager::silent("it exits")),
            false => Err(NoManager::NoBus(why)),
        }
    }

    /// The state of the bus, as the manager sees it.
    ///
    /// # Errors
    /// The manager does not answer.
    pub async fn bus_state(&self) -> Result<BusState, CallError> {
        if let Way::Bus = self.way {
            return Ok(BusState::Up);
        }
        let [socket, services @ ..] = &self.loaded(&names::BUS).await?[..] else { return Ok(BusState::Up) };
        let mut services = services.iter().filter(|service| service.load == "loaded").peekable();
        let waits = services.peek().is_some() && services.all(UnitState::is_down) && socket.active == "active";
        Ok(if waits { BusState::Waits } else { BusState::Up })
    }

    /// Connects to the manager again, if it continues in the same process.
    async fn again(&self) -> Option<Self> {
        match &self.way {
            Way::Bus => Some(self.clone()),
            Way::Own { runtime, manager, .. } => {
                manager.filter(|manager| nix::sys::signal::kill(*manager, None).is_ok())?;
                // While it re-executes itself, nothing listens on its socket.
                Some(Self::connect(runtime, EXECUTES_ANEW).await.unwrap_or_else(|_| self.clone()))
            }
        }
    }

    /// The manager's signals, from now on (`Subscribe`).
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn signals(&self) -> Result<Signals, CallError> {
        let listen = async {
            let signals = Signals::listen(&self.connection).await;
            signals.map_err(|error| CallError::new("AddMatch", error))
        };
        if let Way::Own { wanted, .. } = &self.way {
            // On a direct connection the manager sends all of its signals.
            wanted.listen();
            return listen.await;
        }
        // All three at once: no job is started before all are answered.
        let (signals, subscribed) = tokio::join!(listen, MANAGER.call(&self.connection, "Subscribe", &()));
        match subscribed {
            // Subscribing twice on one connection is an error, and unnecessary.
            Err(error) if !error.is("org.freedesktop.systemd1.AlreadySubscribed") => Err(error),
            _ => signals,
        }
    }

    /// Accepts the manager's signals about this unit.
    fn want(&self, unit: &str) {
        if let Way::Own { wanted, .. } = &self.way {
            wanted.watch(&names::object_path(unit));
        }
    }

    /// Makes the watcher report [`Signal::UnitJob`] when somebody queues a job for this unit.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn watch_jobs(&self, watcher: &Watcher, unit: &str) -> Result<(), CallError> {
        self.want(unit);
        let failed = |error| CallError::Local { method: "AddMatch", error };
        jobs::watch(watcher, &self.connection, unit).await.map_err(failed)
    }

    /// Makes the watcher report [`Signal::Restarts`] when this service ends by itself and is restarted.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn watch_restarts(&self, watcher: &Watcher, unit: &str) -> Result<(), CallError> {
        self.want(unit);
        let failed = |error| CallError::new("AddMatch", error);
        watcher.watch(&self.connection, unit).await.map_err(failed)
    }

    /// Queues a job and waits for its end. Returns its result; `None` if the connection was lost.
    ///
    /// # Errors
    /// Those of queueing the job; or the connection is gone.
    pub async fn until_done(
        &self,
        job: impl Future<Output = Result<OwnedObjectPath, CallError>>,
    ) -> Result<Option<String>, CallError> {
        // Before the job is queued, or its end could be missed.
        let mut signals = self.signals().await?;
        let job = job.await?;
        Ok(signals.job_done(&job).await)
    }

    /// Queues a job and waits for its end, at most for `deadline`.
    ///
    /// # Errors
    /// Why the job was not done, as shown to people.
    pub async fn done(
        &self,
        job: impl Future<Output = Result<OwnedObjectPath, CallError>>,
        deadline: Duration,
    ) -> Result<(), String> {
        let result = timeout(deadline, self.until_done(job)).await.map_err(|_| "it takes too long".to_owned())?;
        match result.map_err(|error| error.to_string())? {
            Some(result) if result == "done" => Ok(()),
            result => Err(result.unwrap_or_else(|| "the user manager is gone".to_owned())),
        }
    }

    /// Queues a job.
    ///
    /// A race: a manager that re-executes itself (`daemon-reexec`, an update of systemd) loses the calls that it has
    /// not answered, and is away for some hundredths of a second. Requesting the same job twice does no harm.
    async fn job(&self, method: &'static str, unit: &str, mode: Mode) -> Result<OwnedObjectPath, CallError> {
        let end = Instant::now() + EXECUTES_ANEW;
        let mut manager = self.clone();
        loop {
            match MANAGER.call(&manager.connection, method, &(unit, mode.as_str())).await {
                Err(error) if manager.is_away(&error) && Instant::now() < end => {
                    sleep(TRY_AGAIN).await;
                    manager = manager.again().await.ok_or(error)?;
                }
                answer => return dbus::body(method, &answer?),
            }
        }
    }

    /// Whether a call failed because the manager is re-executing itself.
    fn is_away(&self, error: &CallError) -> bool {
        match self.way {
            Way::Bus => error.is_away(),
            Way::Own { .. } => error.is_disconnect(),
        }
    }

    /// Queues a start job (`StartUnit`) and returns it.
    ///
    /// # Errors
    /// There is no such unit, it may not be started, or the job conflicts with an irreversible one.
    pub async fn start(&self, unit: &str, mode: Mode) -> Result<OwnedObjectPath, CallError> {
        self.job("StartUnit", unit, mode).await
    }

    /// Queues a stop job (`StopUnit`) and returns it.
    ///
    /// # Errors
    /// As [`Manager::start`]; also if the unit is not loaded.
    pub async fn stop(&self, unit: &str, mode: Mode) -> Result<OwnedObjectPath, CallError> {
        self.job("StopUnit", unit, mode).await
    }

    /// Queues a stop and a start (`RestartUnit`); only a start if the unit is down.
    ///
    /// # Errors
    /// As [`Manager::start`].
    pub async fn restart(&self, unit: &str) -> Result<OwnedObjectPath, CallError> {
        self.job("RestartUnit", unit, Mode::Replace).await
    }

    /// Creates a unit from properties and queues its start (`StartTransientUnit`).
    ///
    /// # Errors
    /// A unit of this name is running, or a property is not supported.
    pub async fn start_transient(&self, unit: &transient::Service) -> Result<OwnedObjectPath, CallError> {
        self.start_transient_unit(&unit.name, unit.properties()).await
    }

    /// Like [`Manager::start_transient`], for any kind of unit that can be created this way.
    ///
    /// A race: systemd removes a transient unit that has ended in the next round of its loop (manager.c,
    /// `manager_dispatch_gc_unit_queue`). A client that learns of the end may be faster, and then the name is still
    /// taken.
    ///
    /// # Errors
    /// As there.
    pub async fn start_transient_unit(
        &self,
        name: &str,
        properties: transient::UnitProperties,
    ) -> Result<OwnedObjectPath, CallError> {
        let end = Instant::now() + FORGETS;
        let auxiliary: Vec<(&str, Vec<(&str, OwnedVariant)>)> = Vec::new();
        let body = (name, Mode::Replace.as_str(), properties, auxiliary);
        loop {
            match MANAGER.call(&self.connection, "StartTransientUnit", &body).await {
                Err(error) if error.is(UNIT_EXISTS) && Instant::now() < end => {
                    if !self.loaded(&[name]).await?.iter().all(UnitState::is_down) {
                        return Err(error);
                    }
                    sleep(LOOK_AGAIN).await;
                }
                answer => return dbus::body("StartTransientUnit", &answer?),
            }
        }
    }

    /// Clears the failed state of a unit, including its start limit (`ResetFailedUnit`).
    ///
    /// # Errors
    /// The unit is not loaded.
    pub async fn reset_failed(&self, unit: &str) -> Result<(), CallError> {
        MANAGER.call(&self.connection, "ResetFailedUnit", &(unit,)).await.map(|_| ())
    }

    /// Sends a signal to all processes of a unit (`KillUnit`, whom "all").
    ///
    /// # Errors
    /// The unit is not loaded, or has no processes.
    pub async fn kill(&self, unit: &str, signal: nix::sys::signal::Signal) -> Result<(), CallError> {
        MANAGER.call(&self.connection, "KillUnit", &(unit, "all", signal as i32)).await.map(|_| ())
    }

    /// Moves one of our processes into the cgroup of a unit with `Delegate=yes` (`AttachProcessesToUnit`).
    ///
    /// # Errors
    /// The unit is not running or does not delegate, or the process is gone.
    pub async fn attach(&self, unit: &str, pid: Pid) -> Result<(), CallError> {
        let pids = [pid.as_raw().unsigned_abs()];
        MANAGER.call(&self.connection, "AttachProcessesToUnit", &(unit, "/", &pids[..])).await.map(|_| ())
    }

    /// The processes in a unit's cgroup (`GetUnitProcesses`).
    ///
    /// # Errors
    /// The unit is not loaded.
    pub async fn processes(&self, unit: &str) -> Result<Vec<Pid>, CallError> {
        let reply = MANAGER.call(&self.connection, "GetUnitProcesses", &(unit,)).await?;
        let rows: Vec<(String, u32, String)> = dbus::body("GetUnitProcesses", &reply)?;
        Ok(rows.into_iter().filter_map(|(_, pid, _)| i32::try_from(pid).ok()).map(Pid::from_raw).collect())
    }

    /// The unit whose cgroup contains a process (`GetUnitByPID`).
    ///
    /// # Errors
    /// The process is not in a unit of the user manager.
    pub async fn unit_of_pid(&self, pid: Pid) -> Result<Option<String>, CallError> {
        let reply = MANAGER.call(&self.connection, "GetUnitByPID", &(pid.as_raw().unsigned_abs(),)).await?;
        let path: OwnedObjectPath = dbus::body("GetUnitByPID", &reply)?;
        Ok(names::unit_of_path(path.as_str()))
    }

    /// The states of the named units, in that order (`ListUnitsByNames`). This loads units that are not loaded.
    ///
    /// # Errors
    /// A name is not valid.
    pub async fn states(&self, units: &[&str]) -> Result<Vec<UnitState>, CallError> {
        let reply = MANAGER.call(&self.connection, "ListUnitsByNames", &(units,)).await?;
        let rows: Vec<UnitRow> = dbus::body("ListUnitsByNames", &reply)?;
        // The reply omits units that could not be loaded at all, and uses each unit's main name.
        let rows: Vec<_> = rows.into_iter().map(ListedUnit::from).collect();
        if rows.len() == units.len() {
            return Ok(rows.into_iter().map(|row| row.state).collect());
        }
        Ok(files::in_order(rows, units))
    }

    /// The state of one unit.
    ///
    /// # Errors
    /// As [`Manager::states`].
    pub async fn state(&self, unit: &str) -> Result<UnitState, CallError> {
        let missing = || CallError::Local { method: "ListUnitsByNames", error: zbus::Error::InvalidReply };
        self.states(&[unit]).await?.pop().ok_or_else(missing)
    }

    async fn property<T>(&self, unit: &str, interface: &str, name: &'static str) -> Result<T, CallError>
    where
        T: TryFrom<OwnedVariant, Error: Into<zbus::Error>>,
    {
        let path = names::object_path(unit);
        dbus::property(&self.connection, Target { destination: SERVICE, path: &path, interface }, name).await
    }

    /// When the parts of a unit's last start happened.
    ///
    /// # Errors
    /// The unit cannot be loaded.
    pub async fn times(&self, unit: &str) -> Result<UnitTimes, CallError> {
        let time = async |interface, name| match self.property::<u64>(unit, interface, name).await {
            Ok(time) => Ok((time != 0).then_some(time)),
            // Only services are executed, and only systemd 256 and later says when.
            Err(CallError::Remote { .. }) => Ok(None),
            Err(error) => Err(error),
        };
        let (leaves, forked, executed, active) = tokio::try_join!(
            time(UNIT_INTERFACE, "InactiveExitTimestampMonotonic"),
            time(SERVICE_INTERFACE, "ExecMainStartTimestampMonotonic"),
            time(SERVICE_INTERFACE, "ExecMainHandoffTimestampMonotonic"),
            time(UNIT_INTERFACE, "ActiveEnterTimestampMonotonic"),
        )?;
        // Times of an earlier start are dropped.
        let since = |time: Option<u64>| time.filter(|time| leaves.is_some_and(|leaves| *time >= leaves));
        Ok(UnitTimes { leaves, forked: since(forked), executed: since(executed), active: since(active) })
    }

    /// How a service's main process ended last.
    ///
    /// # Errors
    /// The unit is not a service.
    pub async fn service_end(&self, unit: &str) -> Result<ServiceEnd, CallError> {
        let (result, code, status, pid) = tokio::try_join!(
            self.property(unit, SERVICE_INTERFACE, "Result"),
            self.property(unit, SERVICE_INTERFACE, "ExecMainCode"),
            self.property(unit, SERVICE_INTERFACE, "ExecMainStatus"),
            self.last_main_pid(unit),
        )?;
        Ok(ServiceEnd { result, code, status, pid })
    }

    /// The result of a socket unit's last start: "success", "resources" and more (systemd.socket(5)).
    ///
    /// # Errors
    /// The unit is not a socket.
    pub async fn socket_result(&self, unit: &str) -> Result<String, CallError> {
        self.property(unit, "org.freedesktop.systemd1.Socket", "Result").await
    }

    /// The main process of a service, if it is running.
    ///
    /// # Errors
    /// The unit is not a service.
    pub async fn main_pid(&self, unit: &str) -> Result<Option<Pid>, CallError> {
        let pid: u32 = self.property(unit, SERVICE_INTERFACE, "MainPID").await?;
        Ok(i32::try_from(pid).ok().filter(|&pid| pid > 0).map(Pid::from_raw))
    }

    /// Whether systemd never restarts a service, however it ends (`Restart=no`, systemd.service(5)).
    ///
    /// # Errors
    /// The unit is not a service.
    pub async fn never_restarts(&self, unit: &str) -> Result<bool, CallError> {
        Ok(self.property::<String>(unit, SERVICE_INTERFACE, "Restart").await? == "no")
    }

    /// Whether a service reports by itself when it is ready (`Type=notify`, systemd.service(5)).
    ///
    /// # Errors
    /// The unit is not a service.
    pub async fn says_when_ready(&self, unit: &str) -> Result<bool, CallError> {
        let kind: String = self.property(unit, SERVICE_INTERFACE, "Type").await?;
        Ok(matches!(kind.as_str(), "notify" | "notify-reload"))
    }

    /// Whether a service is down as soon as its program has ended (`Type=oneshot`, systemd.service(5)).
    ///
    /// # Errors
    /// The unit is not a service.
    pub async fn is_oneshot(&self, unit: &str) -> Result<bool, CallError> {
        Ok(self.property::<String>(unit, SERVICE_INTERFACE, "Type").await? == "oneshot")
    }

    /// What systemd does when the kernel kills a process of a service because memory ran out (`OOMPolicy=`,
    /// systemd.service(5)).
    ///
    /// # Errors
    /// The unit is not a service.
    pub async fn oom_policy(&self, unit: &str) -> Result<String, CallError> {
        self.property(unit, SERVICE_INTERFACE, "OOMPolicy").await
    }

    /// Whether a unit was created for one run and is removed after it (`systemd-run`).
    ///
    /// # Errors
    /// The unit cannot be loaded.
    pub async fn is_transient(&self, unit: &str) -> Result<bool, CallError> {
        self.property(unit, UNIT_INTERFACE, "Transient").await
    }

    /// Whether stopping a service leaves the children of its main process (`KillMode=`, systemd.kill(5)).
    ///
    /// # Errors
    /// The unit is not a service.
    pub async fn stop_leaves_children(&self, unit: &str) -> Result<bool, CallError> {
        let mode: String = self.property(unit, SERVICE_INTERFACE, "KillMode").await?;
        Ok(matches!(mode.as_str(), "process" | "none"))
    }

    /// Whether a service has a control group. It keeps that after its end as long as a process is in it.
    ///
    /// # Errors
    /// The unit is not a service.
    pub async fn has_control_group(&self, service: &str) -> Result<bool, CallError> {
        Ok(!self.property::<String>(service, SERVICE_INTERFACE, "ControlGroup").await?.is_empty())
    }

    /// When a unit became active, in microseconds of CLOCK_REALTIME; 0 if it never did.
    ///
    /// # Errors
    /// The unit cannot be loaded.
    pub async fn active_since(&self, unit: &str) -> Result<u64, CallError> {
        self.property(unit, UNIT_INTERFACE, "ActiveEnterTimestamp").await
    }

    /// The units that a unit wants or requires.
    ///
    /// # Errors
    /// The unit cannot be loaded.
    pub async fn wanted_by(&self, unit: &str) -> Result<Vec<String>, CallError> {
        let (mut wants, requires) = tokio::try_join!(
            self.property::<Vec<String>>(unit, UNIT_INTERFACE, "Wants"),
            self.property::<Vec<String>>(unit, UNIT_INTERFACE, "Requires"),
        )?;
        wants.extend(requires);
        Ok(wants)
    }

    /// The units that depend on a unit: those that require it, are bound to it, or are part of it.
    ///
    /// # Errors
    /// The unit cannot be loaded.
    pub async fn dependents(&self, unit: &str) -> Result<Vec<String>, CallError> {
        let (required, bound, parts) = tokio::try_join!(
            self.property::<Vec<String>>(unit, UNIT_INTERFACE, "RequiredBy"),
            self.property::<Vec<String>>(unit, UNIT_INTERFACE, "BoundBy"),
            self.property::<Vec<String>>(unit, UNIT_INTERFACE, "ConsistsOf"),
        )?;
        Ok([required, bound, parts].concat())
    }
}

#[cfg(test)]
mod tests;
