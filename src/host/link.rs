//! The host's way to the user manager: the connection, what comes over it, and the process behind it.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::ground::ManagerProcess;
use super::why::Why;
use crate::dbus::CallError;
use crate::deadline::TRY_AGAIN;
use crate::manager::{Manager, Signal, Signals};
use crate::runtime_dir::RuntimeDir;

/// What is said of a manager whose process is no more.
const ENDED: &str = "its process has ended";

/// Something came from the manager's side.
pub(super) enum News {
    /// The manager tells something.
    Told(Signal),
    /// Its process has ended.
    Ended,
}

/// The user manager, as long as it is there.
pub(super) struct Link {
    manager: Option<Manager>,
    /// Why it is gone.
    lost: Option<Why>,
    signals: Signals,
    /// The services whose restarts are told.
    watched: Vec<String>,
    process: ManagerProcess,
}

impl Link {
    /// A connection that is open, what comes over it, and the process at its other end.
    pub(super) const fn new(manager: Manager, signals: Signals, process: ManagerProcess) -> Self {
        Self { manager: Some(manager), lost: None, signals, watched: Vec::new(), process }
    }

    /// The manager; `None` once it is gone.
    pub(super) const fn manager(&self) -> Option<&Manager> {
        self.manager.as_ref()
    }

    /// The next thing that comes; nothing once the manager is gone. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> News {
        if self.manager.is_none() {
            // A connection that is gone says so for ever.
            std::future::pending::<()>().await;
        }
        tokio::select! {
            biased;
            // Before what its bus says, which ends with it.
            () = self.process.ended() => News::Ended,
            signal = self.signals.next() => News::Told(signal),
        }
    }

    /// From now on is told when one of these services ends by itself and is started again.
    ///
    /// # Errors
    /// The connection is gone.
    pub(super) async fn watch(&mut self, units: Vec<String>) -> Result<(), CallError> {
        self.watched.extend(units);
        if let Some(manager) = &self.manager {
            for unit in &self.watched {
                manager.watch_restarts(&self.signals, unit).await?;
            }
        }
        Ok(())
    }

    /// Connects again: the bus was restarted, or the manager re-executed, or it is gone.
    ///
    /// # Errors
    /// Why it is lost: it has ended, or does not answer within `deadline`.
    pub(super) async fn connect_again(&mut self, runtime: &RuntimeDir, deadline: Duration) -> Result<(), Why> {
        let connected = tokio::select! {
            biased;
            // The bus may come back with another manager, started by the next login, which knows nothing of us.
            () = self.process.ended() => Err(ENDED.to_owned()),
            connected = connect(runtime, deadline) => connected,
        };
        match connected {
            Ok((manager, signals)) => {
                (self.manager, self.signals) = (Some(manager), signals);
                // If it is gone already, that is told.
                let _ = self.watch(Vec::new()).await;
                Ok(())
            }
            Err(why) => Err(self.lose(&why)),
        }
    }

    /// The manager's process has ended, and this is why the session ends.
    pub(super) fn has_ended(&mut self) -> Why {
        self.lose(ENDED)
    }

    /// The manager stops, and takes the session's units with it: why the session ends, also if they were the first to go.
    pub(super) fn exits(&mut self) -> Why {
        self.lost.take().unwrap_or_else(|| self.lose("it exits"))
    }

    fn lose(&mut self, why: &str) -> Why {
        self.manager = None;
        let why = Why::ManagerLost(why.to_owned());
        self.lost = Some(why.clone());
        why
    }

    /// What is left of it for after the session.
    pub(super) fn into_manager(self) -> Option<Manager> {
        self.manager
    }
}

/// Connects to the manager after `daemon-reexec`, or finds that it is gone.
///
/// # Errors
/// What kept us from it, within the deadline.
async fn connect(runtime: &RuntimeDir, deadline: Duration) -> Result<(Manager, Signals), String> {
    let end = Instant::now() + deadline;
    loop {
        let attempt = async {
            let manager = Manager::connect(runtime, deadline)
                .await
                .map_err(|error| zbus::Error::Failure(error.why().to_owned()))?;
            let failed = |error: CallError| zbus::Error::Failure(error.to_string());
            let signals = manager.signals().await.map_err(failed)?;
            manager.version().await.map_err(failed)?;
            Ok::<_, zbus::Error>((manager, signals))
        };
        let error = match timeout_at(end, attempt).await {
            Ok(Ok(connected)) => return Ok(connected),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        // Without its socket there is no bus to come back.
        if Instant::now() >= end || !runtime.bus_socket().exists() {
            return Err(error);
        }
        // A manager that is being re-executed has nothing to wait on.
        sleep(TRY_AGAIN).await;
    }
}
