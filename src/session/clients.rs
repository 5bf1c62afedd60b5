//! The display's clients that belong to no unit of the session: a browser that has put itself into a scope, programs
//! started by systemd-run(1) or from another terminal. Nothing else asks them to end while they have their display;
//! when that goes, they lose unsaved work.
//!
//! These are left alone: the main processes of units that the user wrote and that do not end with the session (a daemon
//! with windows, a sound server that watches the display's bell), and everything that is no client: a multiplexer, a
//! download.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::applications::{self, Asked};
use crate::deadline::STATUS;
use crate::manager::{Manager, names};
use crate::os::{self, Pid};
use crate::small_file;
use crate::x11::client::{Client, ClientError};
use crate::x11::clients::{self, Clients};
use crate::x11::cookie::Cookie;
use crate::x11::display::Display;

/// A client's process.
struct Running {
    pid: Pid,
    pidfd: OwnedFd,
    /// Its unit in the user manager; `None` in a login session or anywhere else outside of that manager.
    unit: Option<String>,
}

/// What is known of a client's unit.
#[derive(Debug, Clone, Copy, Default)]
struct UnitFacts {
    /// Whether it ends with the session by itself.
    ends_with_session: bool,
    /// Whether it was created for this run only, as scopes are.
    is_transient: bool,
    /// Whether the client is the unit's main process.
    is_main: bool,
}

/// Asks the clients to end, and waits until they have, at most until `deadline`. `own` are the session's units. If the
/// display does not answer, no client is asked. Returns whether there were clients other than this process.
pub async fn end(manager: &Manager, own: &[String], display: Display, cookie: &Cookie, deadline: Duration) -> bool {
    let until = Instant::now() + deadline;
    let Ok(Ok(Clients { processes, has_others })) = timeout(STATUS, connected(display, cookie)).await else {
        return true;
    };
    let mut bound = None;
    let mut asked = Vec::new();
    for client in processes.into_iter().filter_map(hold) {
        if let Some(unit) = &client.unit {
            if own.contains(unit) || *unit == names::xorg_service(display) {
                continue;
            }
            // Most sessions have no such client, and then nothing is queried.
            if bound.is_none() {
                bound = Some(ends_with_session(manager).await);
            }
            let facts = UnitFacts {
                ends_with_session: bound.as_ref().is_some_and(|bound| bound.contains(unit)),
                is_transient: unit.ends_with(".scope") || manager.is_transient(unit).await.unwrap_or(false),
                is_main: manager.main_pid(unit).await.ok().flatten() == Some(client.pid),
            };
            if !is_to_be_asked(facts) {
                continue;
            }
        }
        let place = client.unit.as_deref().unwrap_or("no unit of the user manager");
        tracing::debug!("process {}, a client of the display in {place}, is asked to end", client.pid);
        asked.extend(applications::terminate(client.pid, client.pidfd));
    }
    wait(asked, until).await;
    has_others
}

/// Whether the display has clients other than this process; `true` if it does not say.
pub async fn are_there(display: Display, cookie: &Cookie) -> bool {
    !matches!(timeout(STATUS, connected(display, cookie)).await, Ok(Ok(Clients { has_others: false, .. })))
}

async fn connected(display: Display, cookie: &Cookie) -> Result<Clients, ClientError> {
    clients::look(&mut Client::connect(display, cookie).await?).await
}

/// The units that are stopped with the session's targets.
async fn ends_with_session(manager: &Manager) -> BTreeSet<String> {
    let mut units = BTreeSet::new();
    for target in [names::GRAPHICAL_SESSION, names::XORG_TARGET, names::WM_TARGET, names::WM_READY_TARGET] {
        units.extend(manager.dependents(target).await.unwrap_or_default());
    }
    units
}

const fn is_to_be_asked(facts: UnitFacts) -> bool {
    !facts.ends_with_session && (facts.is_transient || !facts.is_main)
}

/// A process of this user; `None` if it is gone or belongs to another user. It is opened before it is examined: if the
/// pid is reused meanwhile, the pidfd refers to no process.
fn hold(pid: Pid) -> Option<Running> {
    let pidfd = os::pidfd_open(pid).ok()?;
    let process = format!("/proc/{pid}");
    let uid = nix::unistd::geteuid().as_raw();
    std::fs::metadata(&process).ok().filter(|facts| facts.uid() == uid)?;
    let group = small_file::text(format!("{process}/cgroup").as_ref()).ok()?;
    Some(Running { pid, pidfd, unit: unit_of(&group, uid) })
}

/// The unit of the user manager in the text of /proc/PID/cgroup: the first part below the manager that is not a slice,
/// as a unit may have control groups of its own.
fn unit_of(group: &str, uid: u32) -> Option<String> {
    let manager = format!("user@{uid}.service");
    let mut parts = group.lines().find_map(|line| {
        let mut parts = line.split('/').skip_while(|part| *part != manager);
        parts.next().map(|_| parts)
    })?;
    parts.find(|part| !part.ends_with(".slice")).map(str::to_owned)
}

/// Clients are never killed: they do not belong to the session.
async fn wait(asked: Vec<Asked>, until: Instant) {
    for (pid, pidfd) in asked {
        if timeout_at(until, pidfd.readable()).await.is_err() {
            tracing::warn!("process {pid} was asked to end with the session and has not; it loses its display");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{UnitFacts, is_to_be_asked, unit_of};

    #[test]
    fn units_are_found_in_control_groups() {
        for (group, unit) in [
            ("0::/user.slice/user-7.slice/user@7.service/app.slice/run-p1.scope\n", Some("run-p1.scope")),
            ("0::/user.slice/user-7.slice/user@7.service/session.slice/dbus.service", Some("dbus.service")),
            ("0::/user.slice/user-7.slice/user@7.service/app.slice/app-a.slice/a.scope/deep/er", Some("a.scope")),
            ("1:name=systemd:/user.slice/user@7.service/x.service\n0::/\n", Some("x.service")),
            ("0::/user.slice/user-7.slice/session-2.scope\n", None),
            ("0::/user.slice/user-8.slice/user@8.service/app.slice/x.scope\n", None),
            ("0::/user.slice/user-7.slice/user@7.service", None),
            ("", None),
        ] {
            assert_eq!(unit_of(group, 7).as_deref(), unit, "{group}");
        }
    }

    #[test]
    fn who_is_asked() {
        let facts = |ends_with_session, is_transient, is_main| UnitFacts { ends_with_session, is_transient, is_main };
        for (facts, asked, what) in [
            (facts(false, true, false), true, "in a scope"),
            (facts(false, true, true), true, "systemd-run's program"),
            (facts(false, false, false), true, "started by D-Bus, or from a multiplexer"),
            (facts(false, false, true), false, "a daemon of the user"),
            (facts(true, false, true), false, "a panel, which is stopped in order"),
            (facts(true, true, false), false, "a scope that is bound to the session"),
        ] {
            assert_eq!(is_to_be_asked(facts), asked, "{what}");
        }
    }
}
