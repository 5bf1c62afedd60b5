//! The screen of a session: since when it is locked, and by what; since when nobody is there, and who keeps it awake.

use std::time::SystemTime;

use tokio::time::timeout;

use crate::cli::ask::ask;
use crate::deadline::STATUS;
use crate::launch::{Connection, Reply, Request, ScreenState};
use crate::logind::{self, Inhibitor};
use crate::manager::Manager;
use crate::os::{self, Pid};
use crate::small_file;

/// What is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScreenSeen {
    /// Since when it is locked, if it is.
    pub locked: Option<SystemTime>,
    /// What locks it.
    pub locker: Option<LockerSeen>,
    /// Since when nobody is there.
    pub idle: Option<SystemTime>,
    /// Who is in the way of that.
    pub inhibitors: Vec<Inhibitor>,
}

/// What locks a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockerSeen {
    /// Its process.
    pub pid: Pid,
    /// The name of its program.
    pub program: String,
    /// The unit of the user manager that it is in.
    pub unit: Option<String>,
}

/// Asks the host and logind. A host that does not answer, or is older than the question, tells nothing.
pub(super) async fn gather(host: &Connection, manager: &Manager) -> ScreenSeen {
    let mut told = ScreenState::default();
    let asking = async {
        let keep = |reply: &Reply| matches!(reply, Reply::State(_));
        ask(host, &Request::State, keep).await
    };
    if let Ok(Ok(Reply::State(lines))) = timeout(STATUS, asking).await {
        told = ScreenState::read(&lines);
    }
    let mut inhibitors: Vec<Inhibitor> = told.inhibitors.into_iter().map(|(who, why)| Inhibitor { who, why }).collect();
    let of_logind = async { logind::inhibitors_of_idleness(&logind::connect().await.ok()?).await.ok() };
    inhibitors.extend(timeout(STATUS, of_logind).await.ok().flatten().unwrap_or_default());
    let locker = match told.locker {
        Some(pid) => locker(Pid::from_raw(pid), manager).await,
        None => None,
    };
    ScreenSeen { locked: told.locked, locker, idle: told.idle, inhibitors }
}

async fn locker(pid: Pid, manager: &Manager) -> Option<LockerSeen> {
    let text = small_file::text(format!("/proc/{pid}/status").as_ref()).ok()?;
    let program = os::status(&text)?.name.to_owned();
    let unit = manager.unit_of_pid(pid).await.ok().flatten().filter(|unit| unit.ends_with(".service"));
    Some(LockerSeen { pid, program, unit })
}
