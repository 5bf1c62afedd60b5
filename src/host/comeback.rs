//! How a window manager comes back that has crashed or lost its display, where that is not systemd's matter.

use tokio::time::Instant;

use super::life::Life;
use crate::dbus::CallError;
use crate::manager::verdict::Verdict;
use crate::manager::{Manager, Mode, ServiceEnd, names};

impl Life {
    /// The number of the server that a unit has ended with, if it was its display's end that has ended it.
    pub(super) async fn ended_with_server(&self, verdict: &Verdict) -> Option<u32> {
        let failed = matches!(verdict, Verdict::Failed(_) | Verdict::Restarting);
        self.serving.lost(self.prepared.display, &self.prepared.cookie, failed).await
    }

    /// Starts a unit at once, whatever pause its own policy makes. This does not count for its start limit: how often it
    /// happens is bounded here, by the server's crashes if it was the loss of its display, and else by its own.
    pub(super) async fn start_again(&self, manager: &Manager, unit: &str) {
        let _ = manager.reset_failed(unit).await;
        let restarted = match manager.restart(unit).await {
            // A transient unit that is not failed any more may be forgotten, or cannot be read.
            Err(_) if names::is_session_service(unit) => self.start_anew(manager, unit).await,
            restarted => restarted.map(|_| ()),
        };
        if let Err(error) = restarted {
            tracing::warn!("{unit} cannot be started again: {error}");
        }
    }

    /// Makes a transient unit of this session once more.
    async fn start_anew(&self, manager: &Manager, unit: &str) -> Result<(), CallError> {
        let rescue = self.units.rescue.as_ref().map(|rescue| &rescue.service);
        match self.choice.service().into_iter().chain(rescue).find(|service| service.name == unit) {
            Some(service) => manager.start_transient(service).await.map(|_| ()),
            None => manager.start(unit, Mode::Replace).await.map(|_| ()),
        }
    }

    /// Whether a window manager that has crashed is ours to start again, and the session bears it once more.
    pub(super) async fn comes_back_by_us(&mut self, manager: &Manager, unit: &str, end: &ServiceEnd) -> bool {
        if !end.is_crash() || !self.units.is_window_manager(unit) || !self.is_ours_to_restart(manager, unit).await {
            return false;
        }
        let policy = &self.config.crash;
        let count = self.units.crashes.add(Instant::now(), policy.window);
        u32::try_from(count).is_ok_and(|count| count <= policy.limit)
    }

    /// Whether systemd does not start a unit again that should be.
    ///
    /// One of the person's own that says nothing of restarts (`Restart=no`, the default). And a command that systemd cannot
    /// start again although it was told to: 252 does not read what it has written itself if there is a `$` in the command
    /// ([`crate::manager::transient`]), so after a daemon-reload it refuses to. A script whose end is the session's is none
    /// of these.
    async fn is_ours_to_restart(&self, manager: &Manager, unit: &str) -> bool {
        if let Some(service) = self.choice.service().filter(|service| service.name == unit) {
            return service.restart.is_some() && manager.state(unit).await.is_ok_and(|state| state.load != "loaded");
        }
        let own = unit.ends_with(".service") && !names::is_session_service(unit);
        own && manager.never_restarts(unit).await.unwrap_or(false)
    }

    /// Says that a unit is on its way back, once for each time.
    pub(super) fn say_restarting(&mut self, unit: &str) {
        if !self.units.restarting.iter().any(|said| said == unit) {
            tracing::warn!("{unit} crashed and is being started again");
            self.units.restarting.push(unit.to_owned());
        }
    }
}
