//! What every area needs: the user who asks, and the services that answer.

use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::{Uid, User, geteuid};
use tokio::time::timeout;
use zbus::Connection;

use super::{Finding, login, manager};
use crate::config::Config;
use crate::environment::Block;
use crate::logind::LoginSession;
use crate::manager::Manager;
use crate::runtime_dir::RuntimeDir;

/// The machine as this process sees it. A service that did not answer is `None`.
pub struct Machine {
    /// The configuration.
    pub config: Config,
    /// The user who asks. For root, only the machine is examined: no login, user manager or home.
    pub uid: Uid,
    /// Their name.
    pub user: Option<String>,
    /// Their home; none for root.
    pub home: Option<PathBuf>,
    /// The system bus.
    pub system: Option<Connection>,
    /// The logind session of this process.
    pub session: Option<LoginSession>,
    /// `$XDG_RUNTIME_DIR`, or where it should be.
    pub runtime: Option<RuntimeDir>,
    /// The user manager.
    pub manager: Option<Manager>,
    /// Its environment.
    pub environment: Option<Block>,
}

impl Machine {
    /// Finds out which services answer, and what is wrong with those that do not.
    pub async fn look(config: &Config) -> (Self, Vec<Finding>) {
        let uid = geteuid();
        let deadline = config.deadlines.user_manager;
        let (login, manager) = tokio::join!(login::gather(deadline), async {
            if uid.is_root() { None } else { Some(manager::gather(deadline).await) }
        });
        let mut findings = login.judge();
        findings.extend(manager.as_ref().map(manager::ManagerFacts::judge).unwrap_or_default());
        let user = User::from_uid(uid).ok().flatten().map(|user| user.name);
        let home = std::env::home_dir().filter(|home| !uid.is_root() && home.is_absolute());
        let (runtime, manager, environment) =
            manager.map_or((None, None, None), |facts| (facts.runtime, facts.manager, facts.environment));
        let (system, session) = (login.system, login.session.ok());
        (Self { config: config.clone(), uid, user, home, system, session, runtime, manager, environment }, findings)
    }

    /// Whether this is root, whose login and user manager do not matter.
    pub fn is_root(&self) -> bool {
        self.uid.is_root()
    }

    /// How long one question may take.
    pub fn deadline(&self) -> Duration {
        self.config.deadlines.user_manager
    }

    /// The answer to a question, if it comes in time.
    pub async fn ask<T, E>(&self, question: impl Future<Output = Result<T, E>>) -> Option<T> {
        timeout(self.deadline(), question).await.ok()?.ok()
    }

    /// The manager of the system's units, which has the same calls as the user's.
    pub fn system_manager(&self) -> Option<Manager> {
        self.system.clone().map(Manager::new)
    }
}
