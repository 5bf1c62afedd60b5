//! The machine's sleep: the signal before it, and delaying it (org.freedesktop.login1(5), systemd-inhibit(1)).

use std::os::fd::OwnedFd;
use std::time::Duration;

use zbus::{Connection, MatchRule, Message, MessageStream, OwnedFd as BusFd};

use super::{MANAGER, SERVICE, is_from_logind};
use crate::dbus::{self, CallError};

/// The signals around a sleep.
pub struct SleepSignals {
    connection: Connection,
    signals: MessageStream,
}

impl SleepSignals {
    /// Begins to listen on the system bus of `connection`.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn listen(connection: &Connection) -> zbus::Result<Self> {
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .sender(SERVICE)
            .path(MANAGER.path)
            .interface(MANAGER.interface)
            .member("PrepareForSleep")
            .build()?;
        let signals = MessageStream::for_match_rule(rule, connection, None).await?;
        Ok(Self { connection: connection.clone(), signals })
    }

    /// The next signal; `None` if the bus has closed the connection. May be dropped while it waits.
    pub async fn next(&mut self) -> Option<Message> {
        dbus::next(&mut self.signals).await
    }

    /// Whether this signal says that the machine is about to sleep (`true`), or was woken up.
    ///
    /// Every user of the machine can send such a signal to our unique name on the bus, so it counts only if logind has
    /// sent it.
    pub async fn read(&self, message: &Message) -> Option<bool> {
        let is_the_signal = message.header().member().is_some_and(|member| member.as_str() == "PrepareForSleep");
        if is_the_signal && is_from_logind(&self.connection, message, MANAGER.path, MANAGER.interface).await {
            return message.body().deserialize().ok();
        }
        None
    }
}

/// Makes logind wait before each sleep until the returned descriptor is closed (`Inhibit`, mode "delay").
///
/// # Errors
/// The policy forbids it (`org.freedesktop.login1.inhibit-delay-sleep`), polkit does not run, or the machine
/// is about to sleep.
pub async fn delay(connection: &Connection, why: &str) -> Result<OwnedFd, CallError> {
    let reply = MANAGER.call(connection, "Inhibit", &("sleep", "startxd", why, "delay")).await?;
    dbus::body::<BusFd>("Inhibit", &reply).map(OwnedFd::from)
}

/// Whether the machine can sleep at all (`CanSuspend`), no matter who may request it.
///
/// # Errors
/// logind does not answer.
pub async fn is_possible(connection: &Connection) -> Result<bool, CallError> {
    match MANAGER.call(connection, "CanSuspend", &()).await {
        Ok(reply) => Ok(dbus::body::<String>("CanSuspend", &reply)? != "na"),
        // logind checks the permission last, and without polkit that check returns an error.
        Err(error) if error.is("org.freedesktop.DBus.Error.AccessDenied") => Ok(true),
        Err(error) => Err(error),
    }
}

/// How long logind waits at most (`InhibitDelayMaxSec=`, logind.conf(5)).
///
/// # Errors
/// logind does not answer.
pub async fn longest_delay(connection: &Connection) -> Result<Duration, CallError> {
    dbus::property::<u64>(connection, MANAGER, "InhibitDelayMaxUSec").await.map(Duration::from_micros)
}
