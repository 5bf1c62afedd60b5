//! The manager itself: its process, its version, its environment (org.freedesktop.systemd1(5)).

use std::time::Duration;

use nix::unistd::Pid;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{MANAGER, Manager, NoManager, SERVICE, Way};
use crate::dbus::{self, CallError};
use crate::deadline::TRY_AGAIN;
use crate::environment::block::{self, Block};

impl Manager {
    /// Makes the manager re-execute itself, keeping all its state (`Reexecute`), and waits until it answers again.
    /// Returns a connection to it.
    ///
    /// # Errors
    /// It does not answer within `deadline`.
    pub async fn reexecute(&self, deadline: Duration) -> Result<Self, NoManager> {
        let end = Instant::now() + deadline;
        // This call gets no answer: the manager does not keep its connections.
        let _ = timeout(TRY_AGAIN, MANAGER.call(&self.connection, "Reexecute", &())).await;
        let answers = async || {
            let again = self.again().await.ok_or_else(NoManager::lost)?;
            again.version().await.map_err(NoManager::silent)?;
            Ok(again)
        };
        loop {
            match timeout_at(end, answers()).await {
                Ok(Err(_)) if Instant::now() < end => sleep(TRY_AGAIN).await,
                Ok(answer) => return answer,
                Err(_) => return Err(NoManager::silent("it re-executes itself and does not come back")),
            }
        }
    }

    /// The manager's own process, which the kernel knows from its socket, or the bus from its connection
    /// (`GetConnectionUnixProcessID`).
    ///
    /// # Errors
    /// There is no manager on the bus.
    pub async fn pid(&self) -> Result<Pid, CallError> {
        if let Way::Own { manager: Some(manager), .. } = self.way {
            return Ok(manager);
        }
        let reply = dbus::BUS.call(&self.connection, "GetConnectionUnixProcessID", &(SERVICE,)).await?;
        let pid: u32 = dbus::body("GetConnectionUnixProcessID", &reply)?;
        Ok(Pid::from_raw(pid.cast_signed()))
    }

    /// The environment that the manager gives to units.
    ///
    /// # Errors
    /// The manager is gone.
    pub async fn environment(&self) -> Result<Block, CallError> {
        let entries: Vec<String> = dbus::property(&self.connection, MANAGER, "Environment").await?;
        Ok(block::parse(&entries))
    }

    /// Unsets variables and sets others, in one step (`UnsetAndSetEnvironment`).
    ///
    /// # Errors
    /// A name or a value is not allowed.
    pub async fn change_environment(&self, unset: &[String], set: &Block) -> Result<(), CallError> {
        let body = (unset, block::render(set));
        MANAGER.call(&self.connection, "UnsetAndSetEnvironment", &body).await.map(|_| ())
    }

    /// Makes the manager read its unit files again (`Reload`).
    ///
    /// # Errors
    /// The caller may not.
    pub async fn reload(&self) -> Result<(), CallError> {
        MANAGER.call(&self.connection, "Reload", &()).await.map(|_| ())
    }

    /// The manager's version, as `systemctl --version` prints it; the cheapest call that proves that it answers.
    ///
    /// # Errors
    /// The manager does not answer.
    pub async fn version(&self) -> Result<String, CallError> {
        dbus::property(&self.connection, MANAGER, "Version").await
    }

    /// Whether the manager is shutting down (`SystemState`, org.freedesktop.systemd1(5)).
    ///
    /// # Errors
    /// The manager does not answer.
    pub async fn is_stopping(&self) -> Result<bool, CallError> {
        let state: String = dbus::property(&self.connection, MANAGER, "SystemState").await?;
        Ok(state == "stopping")
    }
}
