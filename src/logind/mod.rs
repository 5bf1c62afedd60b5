//! systemd-logind: which session, seat and VT this process belongs to (org.freedesktop.login1(5)).

mod changes;
mod inhibitors;
pub mod linger;
pub mod locks;
pub mod sleep;
mod survey;

use std::time::Duration;

use serde::Deserialize;
use zbus::{Connection, MatchRule, MessageStream, OwnedObjectPath, Type, connection};

use crate::dbus::{self, CallError, Target};
use crate::deadline;

pub use changes::{Changes, LockChanges, idle_inhibitors, in_foreground};
pub use inhibitors::{Inhibitor, of_idleness as inhibitors_of_idleness};
pub use survey::{KillPolicy, can_graphical, kill_policy, leader};

const SERVICE: &str = "org.freedesktop.login1";
const SESSION: &str = "org.freedesktop.login1.Session";
const MANAGER: Target<'_> =
    Target { destination: SERVICE, path: "/org/freedesktop/login1", interface: "org.freedesktop.login1.Manager" };

/// The error of `GetSessionByPID` for a process outside every session.
pub const NO_SESSION: &str = "org.freedesktop.login1.NoSessionForPID";

/// Connects to the system bus.
///
/// # Errors
/// There is no bus, or it does not answer.
pub async fn connect() -> zbus::Result<Connection> {
    connection::Builder::system().method_timeout(deadline::CALL).build().await
}

#[cfg(test)]
impl LoginSession {
    /// A user's graphical session on tty1, in the foreground, for unit tests.
    pub(crate) fn on_tty1() -> Self {
        Self {
            path: "/org/freedesktop/login1/session/c1".try_into().expect("a path"),
            id: "c1".into(),
            uid: 1000,
            seat: Some("seat0".into()),
            vt: Some(1),
            class: "user".into(),
            kind: "x11".into(),
            service: "login".into(),
            remote: false,
            active: true,
            state: "active".into(),
            locked: false,
        }
    }
}

/// Whether logind has sent this signal about one of its objects: the bus knows its unique name.
///
/// Every user of the machine can send a signal to our unique name on the bus, whatever we subscribed to.
async fn is_from_logind(connection: &Connection, message: &zbus::Message, path: &str, interface: &str) -> bool {
    let header = message.header();
    if header.path().is_none_or(|other| other.as_str() != path)
        || header.interface().is_none_or(|other| other.as_str() != interface)
    {
        return false;
    }
    let Some(sender) = header.sender() else { return false };
    let Ok(reply) = dbus::BUS.call(connection, "GetNameOwner", &(SERVICE,)).await else { return false };
    dbus::body::<String>("GetNameOwner", &reply).is_ok_and(|owner| owner == sender.as_str())
}

/// The restarts of logind.
pub struct Restarts {
    changes: MessageStream,
}

impl Restarts {
    /// Begins to listen on the system bus for another owner of logind's name.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn listen(connection: &Connection) -> zbus::Result<Self> {
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .sender(dbus::BUS.destination)
            .interface(dbus::BUS.interface)
            .member("NameOwnerChanged")
            .arg(0, SERVICE)
            .build()?;
        Ok(Self { changes: MessageStream::for_match_rule(rule, connection, None).await? })
    }

    /// Waits until another process of logind owns the name. Returns `false` if instead the bus has closed the
    /// connection.
    pub async fn next(&mut self) -> bool {
        while let Some(change) = dbus::next(&mut self.changes).await {
            let owners: zbus::Result<(String, String, String)> = change.body().deserialize();
            // A name without an owner is no restart yet: logind is started again when a program asks for it.
            if owners.is_ok_and(|(_, _, new)| !new.is_empty()) {
                return true;
            }
        }
        false
    }
}

/// The properties of a session that we read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginSession {
    /// Its object, for further calls.
    pub path: OwnedObjectPath,
    /// `Id`, as loginctl(1) shows it.
    pub id: String,
    /// `User`: the numeric uid.
    pub uid: u32,
    /// `Seat`: its id, `None` if the session is on none.
    pub seat: Option<String>,
    /// `VTNr`: the number of its virtual terminal, `None` if it has none.
    pub vt: Option<u32>,
    /// `Class`: "user", "greeter", "manager" and more.
    pub class: String,
    /// `Type`: "tty", "x11", "wayland" and more.
    pub kind: String,
    /// `Service`: the PAM service that opened it: "login", "greetd", "startxd" and more.
    pub service: String,
    /// `Remote`: whether the login comes from another machine.
    pub remote: bool,
    /// `Active`: whether it is in the foreground of its seat.
    pub active: bool,
    /// `State`: "online", "active" or "closing".
    pub state: String,
    /// `LockedHint`: whether a screen locker has said that it locks.
    pub locked: bool,
}

impl LoginSession {
    /// The unit that opened it, if it is on a virtual terminal: greetd's, or else the terminal's getty.
    #[must_use]
    pub fn unit(&self) -> Option<String> {
        let vt = self.vt?;
        Some(if self.service == "greetd" { "greetd.service".into() } else { format!("getty@tty{vt}.service") })
    }
}

/// The properties as `GetAll` sends them; unknown ones are ignored, so that newer versions of logind can be read.
#[derive(Deserialize, Type)]
#[serde(rename_all = "PascalCase")]
#[zbus(signature = "dict")]
struct SessionProperties {
    #[serde(deserialize_with = "zbus::as_variant::deserialize")]
    id: String,
    #[serde(deserialize_with = "zbus::as_variant::deserialize")]
    user: (u32, OwnedObjectPath),
    #[serde(deserialize_with = "zbus::as_variant::deserialize")]
    seat: (String, OwnedObjectPath),
    #[serde(rename = "VTNr", deserialize_with = "zbus::as_variant::deserialize")]
    vt: u32,
    #[serde(deserialize_with = "zbus::as_variant::deserialize")]
    class: String,
    #[serde(rename = "Type", deserialize_with = "zbus::as_variant::deserialize")]
    kind: String,
    #[serde(deserialize_with = "zbus::as_variant::deserialize")]
    service: String,
    #[serde(deserialize_with = "zbus::as_variant::deserialize")]
    remote: bool,
    #[serde(deserialize_with = "zbus::as_variant::deserialize")]
    active: bool,
    #[serde(deserialize_with = "zbus::as_variant::deserialize")]
    state: String,
    #[serde(deserialize_with = "zbus::as_variant::deserialize")]
    locked_hint: bool,
}

/// The session of this process, which logind finds by the scope of its pid.
///
/// The server finds its session in the same way (xserver, systemd-logind.c, `connect_hook`), so it will get the same
/// answer.
///
/// # Errors
/// [`NO_SESSION`] if the process is in no session: under the user manager, under ssh without PAM, in a cron job.
pub async fn own_session(connection: &Connection) -> Result<LoginSession, CallError> {
    // Pid 0 stands for the caller.
    let path: OwnedObjectPath =
        dbus::body("GetSessionByPID", &MANAGER.call(connection, "GetSessionByPID", &(0_u32,)).await?)?;
    session(connection, path).await
}

/// The session with this id.
///
/// # Errors
/// There is no such session, or it has ended.
pub async fn session_by_id(connection: &Connection, id: &str) -> Result<LoginSession, CallError> {
    let path: OwnedObjectPath = dbus::body("GetSession", &MANAGER.call(connection, "GetSession", &(id,)).await?)?;
    session(connection, path).await
}

/// Reads the properties of a session.
///
/// # Errors
/// It has ended.
pub async fn session(connection: &Connection, path: OwnedObjectPath) -> Result<LoginSession, CallError> {
    let target = Target { destination: SERVICE, path: path.as_str(), interface: dbus::PROPERTIES };
    let reply = target.call(connection, "GetAll", &(SESSION,)).await?;
    let properties: SessionProperties = dbus::body("GetAll", &reply)?;
    Ok(LoginSession {
        path,
        id: properties.id,
        uid: properties.user.0,
        seat: Some(properties.seat.0).filter(|seat| !seat.is_empty()),
        vt: Some(properties.vt).filter(|&vt| vt != 0),
        class: properties.class,
        kind: properties.kind,
        service: properties.service,
        remote: properties.remote,
        active: properties.active,
        state: properties.state,
        locked: properties.locked_hint,
    })
}

/// What logind does when all sessions are idle (`IdleAction=`, logind.conf(5)), "ignore" for nothing.
///
/// # Errors
/// logind does not answer.
pub async fn idle_action(connection: &Connection) -> Result<String, CallError> {
    dbus::property(connection, MANAGER, "IdleAction").await
}

/// When a session began, in microseconds of the monotonic clock (`TimestampMonotonic`).
///
/// # Errors
/// There is none at that path.
pub async fn began(connection: &Connection, session: &OwnedObjectPath) -> Result<u64, CallError> {
    let target = Target { destination: SERVICE, path: session.as_str(), interface: SESSION };
    dbus::property(connection, target, "TimestampMonotonic").await
}

/// Ends a session, as `loginctl terminate-session` does: its processes get SIGTERM and SIGHUP, and finally SIGKILL.
/// Users may do that to their own sessions.
///
/// # Errors
/// There is no session of that id.
pub async fn terminate(connection: &Connection, id: &str) -> Result<(), CallError> {
    MANAGER.call(connection, "TerminateSession", &(id,)).await.map(drop)
}

/// The rule for changes of the properties of an object of logind.
fn properties_of(path: &OwnedObjectPath) -> zbus::Result<MatchRule<'_>> {
    MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender(SERVICE)
        .path(path.as_ref())
        .interface(dbus::PROPERTIES)
        .member("PropertiesChanged")
        .build()
}

/// Waits until the session is the active one of its seat.
///
/// After a greeter or agetty the session may become active late: logind learns of the switch from the kernel only after
/// the login. Without an active session the server would get paused devices and give up ("no screens found").
///
/// Returns whether it became active within `deadline`.
///
/// # Errors
/// The session ended, or the bus did.
pub async fn wait_active(
    connection: &Connection,
    session_path: &OwnedObjectPath,
    deadline: Duration,
) -> Result<bool, CallError> {
    let local = |error| CallError::new("PropertiesChanged", error);
    let rule = properties_of(session_path).map_err(local)?;
    let mut changes = MessageStream::for_match_rule(rule, connection, None).await.map_err(local)?;
    let wait = async {
        loop {
            // Read after subscribing, and again after every change, so that no change is missed.
            if session(connection, session_path.clone()).await?.active {
                return Ok(());
            }
            if dbus::next(&mut changes).await.is_none() {
                return Err(local(zbus::Error::Failure("the system bus closed the connection".into())));
            }
        }
    };
    match tokio::time::timeout(deadline, wait).await {
        Ok(outcome) => outcome.map(|()| true),
        Err(_) => Ok(false),
    }
}
