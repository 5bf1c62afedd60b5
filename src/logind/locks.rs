//! The lock of a session: requests to lock or unlock it, and the hint that says whether it is locked
//! (org.freedesktop.login1(5)).

use zbus::{Connection, MatchRule, Message, MessageStream, OwnedObjectPath};

use super::{SERVICE, SESSION, is_from_logind};
use crate::dbus::{self, CallError, Target};

/// What logind asks of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockRequest {
    /// `Lock`: loginctl(1), the lid, `IdleAction=lock` (logind.conf(5)).
    Lock,
    /// `Unlock`.
    Unlock,
}

/// The requests for a session.
pub struct LockRequests {
    connection: Connection,
    path: String,
    signals: MessageStream,
}

impl LockRequests {
    /// Begins to listen on the system bus of `connection` for the session at `path`.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn listen(connection: &Connection, path: &OwnedObjectPath) -> zbus::Result<Self> {
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .sender(SERVICE)
            .path(path.as_ref())
            .interface(SESSION)
            .build()?;
        let signals = MessageStream::for_match_rule(rule, connection, None).await?;
        Ok(Self { connection: connection.clone(), path: path.as_str().to_owned(), signals })
    }

    /// The next signal; `None` if the bus has closed the connection. May be dropped while it waits.
    pub async fn next(&mut self) -> Option<Message> {
        dbus::next(&mut self.signals).await
    }

    /// The request in this signal.
    ///
    /// Every user of the machine can send such a signal to our unique name on the bus, whatever we subscribed to, so it
    /// counts only if logind has sent it.
    pub async fn read(&self, message: &Message) -> Option<LockRequest> {
        let header = message.header();
        let request = match header.member().map(|member| member.as_str()) {
            Some("Lock") => LockRequest::Lock,
            Some("Unlock") => LockRequest::Unlock,
            _ => return None,
        };
        if is_from_logind(&self.connection, message, &self.path, SESSION).await {
            return Some(request);
        }
        tracing::warn!("a request to lock or unlock the screen is ignored: it is not from systemd-logind");
        None
    }
}

/// What we tell logind about a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// Whether its screen is locked.
    Locked,
    /// Whether it is idle. logind refuses this for a session whose type is not graphical.
    Idle,
}

/// Tells logind something about the session at `path`. Users may do so for their own sessions.
///
/// # Errors
/// The session has ended, or logind does not answer, or refuses it.
pub async fn set_hint(
    connection: &Connection,
    path: &OwnedObjectPath,
    hint: Hint,
    is_so: bool,
) -> Result<(), CallError> {
    let target = Target { destination: SERVICE, path: path.as_str(), interface: SESSION };
    let method = match hint {
        Hint::Locked => "SetLockedHint",
        Hint::Idle => "SetIdleHint",
    };
    target.call(connection, method, &(is_so,)).await.map(drop)
}
