//! What `startxd doctor` asks logind in addition to the properties of a session.

use zbus::{Connection, OwnedObjectPath, OwnedVariant};

use super::{MANAGER, SERVICE, SESSION};
use crate::dbus::{self, CallError, Target};
use crate::os::Pid;

const SEAT: &str = "org.freedesktop.login1.Seat";

async fn property<T>(connection: &Connection, path: &str, interface: &str, name: &'static str) -> Result<T, CallError>
where
    T: TryFrom<OwnedVariant, Error: Into<zbus::Error>>,
{
    dbus::property(connection, Target { destination: SERVICE, path, interface }, name).await
}

/// The process that opened a session (`Leader`); `None` if logind no longer knows.
///
/// # Errors
/// The session has ended.
pub async fn leader(connection: &Connection, session: &OwnedObjectPath) -> Result<Option<Pid>, CallError> {
    let pid: u32 = property(connection, session.as_str(), SESSION, "Leader").await?;
    Ok(i32::try_from(pid).ok().filter(|&pid| pid > 0).map(Pid::from_raw))
}

/// Whether logind knows a graphics device on a seat (`CanGraphical`).
///
/// # Errors
/// There is no such seat.
pub async fn can_graphical(connection: &Connection, seat: &str) -> Result<bool, CallError> {
    let path: OwnedObjectPath = dbus::body("GetSeat", &MANAGER.call(connection, "GetSeat", &(seat,)).await?)?;
    property(connection, path.as_str(), SEAT, "CanGraphical").await
}

/// What logind does with processes that a login leaves behind (logind.conf(5)).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KillPolicy {
    /// `KillUserProcesses=`.
    pub kill: bool,
    /// `KillOnlyUsers=`.
    pub only: Vec<String>,
    /// `KillExcludeUsers=`.
    pub exclude: Vec<String>,
}

impl KillPolicy {
    /// Whether it kills the processes of this user (`manager_shall_kill` in logind-core.c).
    #[must_use]
    pub fn kills(&self, user: &str) -> bool {
        let has = |list: &[String]| list.iter().any(|name| name == user);
        if has(&self.exclude) {
            false
        } else if self.only.is_empty() {
            self.kill
        } else {
            has(&self.only)
        }
    }
}

/// Reads the policy.
///
/// # Errors
/// logind does not answer.
pub async fn kill_policy(connection: &Connection) -> Result<KillPolicy, CallError> {
    let (path, interface) = (MANAGER.path, MANAGER.interface);
    let (kill, only, exclude) = tokio::try_join!(
        property(connection, path, interface, "KillUserProcesses"),
        property(connection, path, interface, "KillOnlyUsers"),
        property(connection, path, interface, "KillExcludeUsers"),
    )?;
    Ok(KillPolicy { kill, only, exclude })
}

#[cfg(test)]
mod tests {
    use super::KillPolicy;

    #[test]
    fn who_is_killed() {
        let policy = |kill, only: &[&str], exclude: &[&str]| KillPolicy {
            kill,
            only: only.iter().map(|name| (*name).to_owned()).collect(),
            exclude: exclude.iter().map(|name| (*name).to_owned()).collect(),
        };
        let cases = [
            (policy(false, &[], &["root"]), false),
            (policy(true, &[], &["root"]), true),
            (policy(true, &[], &["ada"]), false),
            (policy(false, &["ada"], &[]), true),
            (policy(true, &["eve"], &[]), false),
        ];
        for (policy, kills) in cases {
            assert_eq!(policy.kills("ada"), kills, "{policy:?}");
        }
    }
}
