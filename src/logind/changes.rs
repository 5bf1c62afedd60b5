//! Changes of one property of an object of logind.

use std::collections::HashMap;

use zbus::{Connection, MessageStream, OwnedObjectPath, OwnedVariant};

use super::{MANAGER, SERVICE, SESSION, locks, properties_of};
use crate::dbus::{self, CallError, Target};

/// The changes of a property.
pub struct Changes {
    connection: Connection,
    path: OwnedObjectPath,
    interface: &'static str,
    name: &'static str,
    changes: MessageStream,
}

impl Changes {
    /// Begins to listen, on the bus of `connection`, for changes of this property of the object at `path`.
    ///
    /// # Errors
    /// The connection is gone.
    async fn listen(
        connection: &Connection,
        path: OwnedObjectPath,
        interface: &'static str,
        name: &'static str,
    ) -> zbus::Result<Self> {
        let changes = MessageStream::for_match_rule(properties_of(&path)?, connection, None).await?;
        Ok(Self { connection: connection.clone(), path, interface, name, changes })
    }

    /// Its current value.
    ///
    /// # Errors
    /// The object is gone, or logind does not answer.
    pub async fn current<T>(&self) -> Result<T, CallError>
    where
        T: TryFrom<OwnedVariant, Error: Into<zbus::Error>>,
    {
        let target = Target { destination: SERVICE, path: self.path.as_str(), interface: self.interface };
        dbus::property(&self.connection, target, self.name).await
    }

    /// Waits for the next change. Returns `None` if the bus has closed the connection. May be dropped while it waits.
    ///
    /// Every user of the machine can send such a signal, so after each one logind is asked.
    pub async fn next(&mut self) -> Option<()> {
        loop {
            let change = dbus::next(&mut self.changes).await?;
            if is_named(&change, self.interface, self.name) {
                return Some(());
            }
        }
    }
}

/// Whether a session is in the foreground of its seat (`Active`).
///
/// # Errors
/// The connection is gone.
pub async fn in_foreground(connection: &Connection, session: &OwnedObjectPath) -> zbus::Result<Changes> {
    Changes::listen(connection, session.clone(), SESSION, "Active").await
}

/// What logind's inhibitors block (`BlockInhibited`), separated by colons.
///
/// # Errors
/// The connection is gone.
pub async fn idle_inhibitors(connection: &Connection) -> zbus::Result<Changes> {
    let path = OwnedObjectPath::try_from(MANAGER.path)?;
    Changes::listen(connection, path, MANAGER.interface, "BlockInhibited").await
}

/// The changes of `LockedHint` of a session.
pub struct LockChanges(Changes);

impl LockChanges {
    /// Begins to listen, on the bus of `connection`, for changes of the session at `path`.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn listen(connection: &Connection, path: &OwnedObjectPath) -> zbus::Result<Self> {
        Changes::listen(connection, path.clone(), SESSION, "LockedHint").await.map(Self)
    }

    /// Whether a locker locks now.
    ///
    /// # Errors
    /// The session has ended, or logind does not answer.
    pub async fn current(&self) -> Result<bool, CallError> {
        self.0.current().await
    }

    /// Tells logind that no locker locks. Users may do so for their own sessions.
    ///
    /// # Errors
    /// The session has ended, or logind does not answer.
    pub async fn clear(&self) -> Result<(), CallError> {
        locks::set_hint(&self.0.connection, &self.0.path, locks::Hint::Locked, false).await
    }

    /// Waits for the next change, and returns the new value. A value that logind no longer tells stays the same.
    /// Returns `None` if the bus has closed the connection.
    pub async fn next(&mut self) -> Option<bool> {
        loop {
            self.0.next().await?;
            if let Ok(locked) = self.current().await {
                return Some(locked);
            }
        }
    }
}

/// Whether a `PropertiesChanged` (D-Bus Specification) is about this property.
fn is_named(change: &zbus::Message, interface: &str, name: &str) -> bool {
    let body = change.body();
    let parsed: zbus::Result<(String, HashMap<String, OwnedVariant>, Vec<String>)> = body.deserialize();
    parsed.is_ok_and(|(of, changed, invalidated)| {
        of == interface && (changed.contains_key(name) || invalidated.iter().any(|other| other == name))
    })
}
