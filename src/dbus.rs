//! What the bus modules share: one call, and its errors in words.
//!
//! Each service has its own module ([`crate::logind`], [`crate::manager`], [`crate::session_bus`]) with only the methods
//! that we call, each saying what we rely on. Each takes a `Connection`, so that a test can pass in a fake peer.

use std::io::ErrorKind;

use serde::Serialize;
use thiserror::Error;
use zbus::message::Message;
use zbus::{Connection, DynamicType, OwnedVariant};

/// A call that failed.
#[derive(Debug, Error)]
pub enum CallError {
    /// The service answered with an error.
    #[error("{method}: {text} ({name})")]
    Remote {
        /// The method that was called.
        method: &'static str,
        /// The error's D-Bus name.
        name: String,
        /// What the service said.
        text: String,
    },
    /// There was no answer in time: the service hangs, or is busy. The connection is still valid.
    #[error("{method}: no answer in time")]
    TimedOut {
        /// The method that was called.
        method: &'static str,
    },
    /// The connection is gone, or the answer could not be read.
    #[error("{method}: {error}")]
    Local {
        /// The method that was called.
        method: &'static str,
        /// What zbus says.
        error: zbus::Error,
    },
}

impl CallError {
    /// The error of a call of this method, as one of ours.
    #[must_use]
    pub fn new(method: &'static str, error: zbus::Error) -> Self {
        match error {
            zbus::Error::MethodError(name, text, _) => {
                Self::Remote { method, name: name.to_string(), text: text.unwrap_or_default() }
            }
            zbus::Error::FDO(error) => {
                use zbus::DBusError;
                let text = error.description().unwrap_or_default().to_owned();
                Self::Remote { method, name: error.name().to_string(), text }
            }
            // zbus has one error for both, the end of a connection and that of its own deadline for calls.
            zbus::Error::InputOutput(error) if error.kind() == ErrorKind::TimedOut => Self::TimedOut { method },
            error => Self::Local { method, error },
        }
    }

    /// Whether the service answered with the error of this D-Bus name.
    #[must_use]
    pub fn is(&self, error: &str) -> bool {
        matches!(self, Self::Remote { name, .. } if name == error)
    }

    /// Whether the connection is gone, as opposed to an error or a late answer: a service
    /// that hangs is not gone, and connecting to it again does not help.
    #[must_use]
    pub fn is_disconnect(&self) -> bool {
        matches!(self, Self::Local { error: zbus::Error::InputOutput(error), .. } if error.kind() != ErrorKind::TimedOut)
    }

    /// Whether the service did not run when it was called, or ended before it answered, as one does that re-executes itself.
    /// What dbus-daemon and dbus-broker say then, also of a service that is activated by a program that fails.
    #[must_use]
    pub fn is_away(&self) -> bool {
        const AWAY: [&str; 4] = ["NoReply", "ServiceUnknown", "NameHasNoOwner", "Spawn.ChildExited"];
        let Self::Remote { name, .. } = self else { return false };
        name.strip_prefix("org.freedesktop.DBus.Error.").is_some_and(|error| AWAY.contains(&error))
    }

    /// Whether there was no answer in time (`method_timeout` of the connection).
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Local { error: zbus::Error::InputOutput(error), .. } if error.kind() == ErrorKind::TimedOut)
    }
}

/// The object and interface that calls go to.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The service's bus name.
    pub destination: &'a str,
    /// The object's path.
    pub path: &'a str,
    /// The interface.
    pub interface: &'a str,
}

/// The interface by which every object has its properties (D-Bus Specification, "Standard Interfaces").
pub const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// The bus itself, on every bus (D-Bus Specification, "Message Bus Messages").
pub const BUS: Target<'_> =
    Target { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };

impl Target<'_> {
    /// Calls a method and returns the reply.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call<B: Serialize + DynamicType>(
        &self,
        connection: &Connection,
        method: &'static str,
        body: &B,
    ) -> Result<Message, CallError> {
        let call = connection.call_method(Some(self.destination), self.path, Some(self.interface), method, body);
        call.await.map_err(|error| CallError::new(method, error))
    }
}

/// Reads one property (`org.freedesktop.DBus.Properties.Get`) of the target's interface.
///
/// # Errors
/// There is no such object or property, or it is of another type.
pub async fn property<T>(connection: &Connection, target: Target<'_>, name: &'static str) -> Result<T, CallError>
where
    T: TryFrom<OwnedVariant, Error: Into<zbus::Error>>,
{
    let properties = Target { interface: PROPERTIES, ..target };
    let value: OwnedVariant = body(name, &properties.call(connection, "Get", &(target.interface, name)).await?)?;
    T::try_from(value).map_err(|error| CallError::Local { method: name, error: error.into() })
}

/// Reads a reply's body.
///
/// # Errors
/// [`CallError::Local`] if it has another signature than the service documents.
pub fn body<T>(method: &'static str, message: &Message) -> Result<T, CallError>
where
    T: for<'d> zbus::wire::DynamicDeserialize<'d>,
{
    message.body().deserialize().map_err(|error| CallError::Local { method, error })
}

/// The next message of a stream; `None` once the connection is closed.
pub async fn next(stream: &mut zbus::MessageStream) -> Option<Message> {
    use zbus::export::futures_core::Stream;
    loop {
        match std::future::poll_fn(|context| std::pin::Pin::new(&mut *stream).poll_next(context)).await {
            Some(Ok(message)) => return Some(message),
            Some(Err(_)) => {}
            None => return None,
        }
    }
}
