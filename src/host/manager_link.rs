//! The host's way to the user manager: the connection, what comes over it, and the process behind it.

use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep, timeout_at};

use crate::dbus::CallError;
use crate::deadline::TRY_AGAIN;
use crate::manager::{Manager, Signal, Signals, Watcher, names};
use crate::os;
use crate::runtime_dir::RuntimeDir;

/// The message about a manager whose process has ended.
const ENDED: &str = "its process has ended";

/// The process of the user manager. Every unit ends with it, and the environment that it held is gone.
pub struct ManagerProcess {
    pidfd: Option<AsyncFd<OwnedFd>>,
}

impl ManagerProcess {
    /// Finds it by its connection.
    pub async fn find(manager: &Manager) -> Self {
        let pidfd = match manager.pid().await {
            Ok(pid) => os::pidfd_open(pid).and_then(os::watch).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        // Then there is still the bus, which goes with the manager, if later.
        let pidfd = pidfd.inspect_err(|error| tracing::debug!("the user manager's process is unknown: {error}"));
        Self { pidfd: pidfd.ok() }
    }

    /// Waits for its end. Not told by a re-execution, which keeps the process. May be dropped while it waits.
    async fn ended(&self) {
        match &self.pidfd {
            // Stays readable, so it is told again to whoever asks again.
            Some(pidfd) => drop(pidfd.readable().await),
            None => std::future::pending().await,
        }
    }
}

/// Something came from the manager's side.
pub(super) enum ManagerEvent {
    /// The manager tells something.
    Told(Signal),
    /// It is connected again.
    Reconnected,
    /// It is gone, and why: its process has ended, or it does not come back.
    Gone(String),
}

type Connecting = Pin<Box<dyn Future<Output = Result<(Manager, Signals), String>> + Send>>;

/// The user manager, as long as it is there.
pub(super) struct ManagerLink {
    runtime: RuntimeDir,
    /// How long the manager may take to come back.
    deadline: Duration,
    manager: Option<Manager>,
    signals: Signals,
    /// The units whose stops are told.
    watched: Vec<String>,
    process: ManagerProcess,
    /// A connection that is being made.
    connecting: Option<Connecting>,
}

impl ManagerLink {
    /// A connection that is open, what comes over it, and the process at its other end.
    pub(super) fn new(
        runtime: RuntimeDir,
        deadline: Duration,
        manager: Manager,
        signals: Signals,
        process: ManagerProcess,
    ) -> Self {
        Self { runtime, deadline, manager: Some(manager), signals, watched: Vec::new(), process, connecting: None }
    }

    /// The manager; `None` once it is gone.
    pub(super) const fn manager(&self) -> Option<&Manager> {
        self.manager.as_ref()
    }

    /// Whether it is being connected again, so that nothing can be asked of it now.
    pub(super) const fn is_connecting(&self) -> bool {
        self.connecting.is_some()
    }

    /// The next thing that comes; nothing once the manager is gone. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> ManagerEvent {
        if self.manager.is_none() {
            // A connection that is gone reports that forever.
            std::future::pending::<()>().await;
        }
        loop {
            let Self { connecting, process, signals, .. } = self;
            let is_connecting = connecting.is_some();
            let connected = async {
                match connecting {
                    Some(connecting) => connecting.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                // Before what its bus says, which ends with it; and the bus may come back with another manager, started by the
                // next login, which knows nothing about us.
                () = process.ended() => {
                    self.manager = None;
                    self.connecting = None;
                    return ManagerEvent::Gone(ENDED.to_owned());
                }
                connected = connected => return self.connected(connected),
                signal = signals.next(), if !is_connecting => match signal {
                    Signal::Lost => self.reconnect(),
                    signal => return ManagerEvent::Told(signal),
                },
            }
        }
    }

    /// Connects again: the manager was re-executed, or it is gone. [`ManagerLink::next`] tells which.
    pub(super) fn reconnect(&mut self) {
        if self.manager.is_some() && self.connecting.is_none() {
            let (runtime, deadline, watched) = (self.runtime.clone(), self.deadline, self.watched.clone());
            self.connecting = Some(Box::pin(async move { connect(&runtime, deadline, &watched).await }));
        }
    }

    fn connected(&mut self, connected: Result<(Manager, Signals), String>) -> ManagerEvent {
        self.connecting = None;
        match connected {
            Ok((manager, signals)) => {
                (self.manager, self.signals) = (Some(manager), signals);
                ManagerEvent::Reconnected
            }
            Err(why) => {
                self.manager = None;
                ManagerEvent::Gone(why)
            }
        }
    }

    /// From now on is told when somebody asks for the stop of one of these units, and when a service of the person's own ends
    /// by itself and is started again. Returns what asks the bus for it; nobody has to wait for that, as whatever is asked
    /// afterwards comes after it.
    pub(super) fn watch(&mut self, units: Vec<String>) -> impl Future<Output = ()> + Send + use<> {
        let watcher = self.signals.watcher();
        let manager = self.manager.clone();
        self.watched.extend(units.iter().cloned());
        async move {
            if let Some(manager) = manager {
                // If the connection is gone, that is told.
                let _ = watch_units(&manager, &watcher, &units).await;
            }
        }
    }
}

/// Connects to the manager after `daemon-reexec`, or finds that it is gone.
///
/// # Errors
/// What kept us from it, within the deadline.
async fn connect(runtime: &RuntimeDir, deadline: Duration, watched: &[String]) -> Result<(Manager, Signals), String> {
    let end = Instant::now() + deadline;
    loop {
        let attempt = async {
            let manager = Manager::connect(runtime, deadline).await.map_err(|error| error.why().to_owned())?;
            let failed = |error: CallError| error.to_string();
            let signals = manager.signals().await.map_err(failed)?;
            manager.version().await.map_err(failed)?;
            watch_units(&manager, &signals.watcher(), watched).await.map_err(failed)?;
            Ok::<_, String>((manager, signals))
        };
        let error = match timeout_at(end, attempt).await {
            Ok(Ok(connected)) => return Ok(connected),
            Ok(Err(error)) => error,
            Err(_) => "no answer".to_owned(),
        };
        // Without its socket there is nobody to come back.
        if Instant::now() >= end || !(runtime.manager_socket().exists() || runtime.bus_socket().exists()) {
            return Err(error);
        }
        // A manager that is being re-executed has nothing to wait on.
        sleep(TRY_AGAIN).await;
    }
}

async fn watch_units(manager: &Manager, watcher: &Watcher, units: &[String]) -> Result<(), CallError> {
    for unit in units {
        manager.watch_jobs(watcher, unit).await?;
        // A service of ours is not started again after a clean exit.
        if unit.ends_with(".service") && !names::is_session_service(unit) {
            manager.watch_restarts(watcher, unit).await?;
        }
    }
    Ok(())
}
