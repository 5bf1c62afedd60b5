//! The manager's signals, read from the connection by a separate task.
//!
//! zbus stops reading a connection, including method replies, while the queue of one of its streams is full. A stop of
//! a whole session causes hundreds of signals, while we may be waiting for a reply. So every stream must be read at
//! once, and a task moves the relevant signals into an unbounded queue (a few dozen entries in practice).

use std::collections::HashMap;

use tokio::sync::mpsc;
use zbus::{Connection, MatchRule, Message, MessageStream, OwnedObjectPath, OwnedVariant};

use super::{SERVICE_INTERFACE, ServiceEnd, names};
use crate::dbus;

/// A signal of the manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// A job has ended (`JobRemoved`).
    JobDone {
        /// The job's object.
        job: OwnedObjectPath,
        /// The unit that it was for.
        unit: String,
        /// "done", "canceled", "timeout", "failed", "dependency", "skipped".
        result: String,
    },
    /// A property of this unit has changed; read it to see which.
    UnitChanged(String),
    /// A service that is [watched](super::Manager::watch_restarts) has ended by itself, and its own policy (`Restart=`)
    /// restarts it.
    Restarts {
        /// The unit.
        unit: String,
        /// How its main process ended.
        end: ServiceEnd,
    },
    /// A job was queued for a unit that is [watched](super::Manager::watch_jobs).
    UnitJob {
        /// The unit.
        unit: String,
        /// Whether it is a stop; `None` while that is queried. The same job is reported once more when it is known.
        is_stop: Option<bool>,
    },
    /// The connection is gone: the manager was re-executed, or has ended.
    Lost,
}

/// The queue for restarts of services, for as long as it exists.
#[derive(Clone)]
pub struct Watcher {
    pub(super) sender: mpsc::WeakUnboundedSender<Signal>,
}

/// A queue of the manager's signals.
pub struct Signals {
    queue: mpsc::UnboundedReceiver<Signal>,
    // Weak: the queue ends with the tasks that fill it.
    sender: mpsc::WeakUnboundedSender<Signal>,
}

impl Signals {
    /// Begins to listen. The bus forwards only what the two rules name: everything else would wake us for nothing.
    ///
    /// # Errors
    /// The connection is gone.
    pub(super) async fn listen(connection: &Connection) -> zbus::Result<Self> {
        let from_manager = || MatchRule::builder().msg_type(zbus::message::Type::Signal).sender(super::SERVICE);
        let jobs = from_manager().interface(super::MANAGER_INTERFACE).member("JobRemoved").build()?;
        let changes = from_manager()
            .interface(crate::dbus::PROPERTIES)
            .member("PropertiesChanged")
            .path_namespace(names::UNIT_NAMESPACE)
            .arg(0, super::UNIT_INTERFACE)
            .build()?;
        let (jobs, changes) = tokio::try_join!(
            MessageStream::for_match_rule(jobs, connection, None),
            MessageStream::for_match_rule(changes, connection, None),
        )?;
        let (sender, queue) = mpsc::unbounded_channel();
        let weak = sender.downgrade();
        tokio::spawn(forward(jobs, sender.clone()));
        tokio::spawn(forward(changes, sender));
        Ok(Self { queue, sender: weak })
    }

    /// The handle for [`Watcher::watch`].
    #[must_use]
    pub fn watcher(&self) -> Watcher {
        Watcher { sender: self.sender.clone() }
    }

    /// The next signal; [`Signal::Lost`] forever once the connection is gone. May be dropped while it waits.
    pub async fn next(&mut self) -> Signal {
        self.queue.recv().await.unwrap_or(Signal::Lost)
    }

    /// Waits for the end of a job, and ignores everything else.
    ///
    /// Returns the job's result, `None` if the connection was lost. The signals must have been subscribed to before
    /// the job was queued; otherwise its end may be missed.
    pub async fn job_done(&mut self, job: &OwnedObjectPath) -> Option<String> {
        loop {
            match self.next().await {
                Signal::JobDone { job: done, result, .. } if &done == job => return Some(result),
                Signal::Lost => return None,
                _ => {}
            }
        }
    }
}

impl Watcher {
    /// From now on [`Signal::Restarts`] is sent for this service.
    ///
    /// A query of the service's state after a change comes too late, as systemd may have restarted it by then:
    /// after `RestartSec=`, which may be 0. The signals themselves contain what has happened, and they are not lost:
    /// systemd sends pending signals before it waits for the time of a restart (manager.c, `manager_loop`), for the
    /// specific type first, and then for the unit, and promises this order (dbus-unit.c, `send_changed_signal`).
    ///
    /// # Errors
    /// The connection is gone.
    pub(super) async fn watch(&self, connection: &Connection, unit: &str) -> zbus::Result<()> {
        let path = names::object_path(unit);
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .sender(super::SERVICE)
            .interface(crate::dbus::PROPERTIES)
            .member("PropertiesChanged")
            .path(path.as_str())
            .build()?;
        // One stream for both interfaces, because their order matters.
        let stream = MessageStream::for_match_rule(rule, connection, None).await?;
        tokio::spawn(forward_restarts(stream, unit.to_owned(), self.sender.clone()));
        Ok(())
    }
}

/// Moves the signals of one stream into the queue, until either end is gone.
async fn forward(mut stream: MessageStream, queue: mpsc::UnboundedSender<Signal>) {
    while let Some(message) = dbus::next(&mut stream).await {
        if let Some(signal) = understand(&message)
            && queue.send(signal).is_err()
        {
            return;
        }
    }
    // It does not matter if the receiver is gone.
    let _ = queue.send(Signal::Lost);
}

/// Moves the restarts of a service into the queue, until either end is gone; the other streams report that.
async fn forward_restarts(mut stream: MessageStream, unit: String, queue: mpsc::WeakUnboundedSender<Signal>) {
    let mut restarts = RestartFinder::default();
    while let Some(message) = dbus::next(&mut stream).await {
        let Some(queue) = queue.upgrade() else { return };
        let changed = message.body().deserialize::<(String, Properties, Vec<String>)>();
        if let Ok((interface, properties, _)) = changed
            && let Some(end) = restarts.told(&interface, &properties)
            && queue.send(Signal::Restarts { unit: unit.clone(), end }).is_err()
        {
            return;
        }
    }
}

type Properties = HashMap<String, OwnedVariant>;

/// Finds restarts in the changed properties of a service; pure.
#[derive(Default)]
struct RestartFinder {
    /// How its main process ended, if it has ended since it was started.
    end: Option<ServiceEnd>,
}

impl RestartFinder {
    /// Takes the properties of one interface that changed together. Returns how the service ended that is about to be
    /// restarted, once for each time.
    fn told(&mut self, interface: &str, properties: &Properties) -> Option<ServiceEnd> {
        if interface == SERVICE_INTERFACE {
            let number = |name: &str| properties.get(name).and_then(|value| i32::try_from(value).ok());
            let result = properties.get("Result").and_then(|value| <&str>::try_from(value).ok()).unwrap_or_default();
            let code = number("ExecMainCode").unwrap_or_default();
            let status = number("ExecMainStatus").unwrap_or_default();
            // It is 0 again as soon as it runs.
            let pid = properties.get("ExecMainPID").and_then(|value| u32::try_from(value).ok()).unwrap_or_default();
            self.end = (code != 0).then(|| ServiceEnd { result: result.to_owned(), code, status, pid });
            return None;
        }
        let sub = properties.get("SubState").and_then(|value| <&str>::try_from(value).ok());
        if sub.is_some_and(|sub| sub.starts_with("auto-restart")) { self.end.take() } else { None }
    }
}

/// The relevant part of a signal.
fn understand(message: &Message) -> Option<Signal> {
    let header = message.header();
    match header.member()?.as_str() {
        "JobRemoved" => {
            let (_, job, unit, result): (u32, OwnedObjectPath, String, String) = message.body().deserialize().ok()?;
            Some(Signal::JobDone { job, unit, result })
        }
        "PropertiesChanged" => Some(Signal::UnitChanged(names::unit_of_path(header.path()?.as_str())?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use nix::libc::{CLD_EXITED, CLD_KILLED};
    use zbus::{OwnedVariant, Variant};

    use super::{Properties, RestartFinder};
    use crate::manager::{SERVICE_INTERFACE, ServiceEnd, UNIT_INTERFACE};

    fn text(text: &'static str) -> OwnedVariant {
        OwnedVariant::try_from(Variant::from(text)).unwrap()
    }

    fn service(result: &'static str, code: i32, status: i32) -> Properties {
        let numbers = [("ExecMainCode", code), ("ExecMainStatus", status)];
        let numbers = numbers.map(|(name, value)| (name.to_owned(), OwnedVariant::from(value)));
        numbers.into_iter().chain([("Result".to_owned(), text(result))]).collect()
    }

    fn unit(sub: &'static str) -> Properties {
        [("SubState".to_owned(), text(sub))].into()
    }

    #[test]
    fn a_restart_is_found_however_soon_it_follows() {
        let end = |result: &str, code, status| Some(ServiceEnd { result: result.to_owned(), code, status, pid: 0 });
        let mut restarts = RestartFinder::default();
        let mut told = |service: Properties, sub| {
            assert_eq!(restarts.told(SERVICE_INTERFACE, &service), None);
            restarts.told(UNIT_INTERFACE, &unit(sub))
        };
        assert_eq!(told(service("success", 0, 0), "running"), None);
        assert_eq!(told(service("success", CLD_EXITED, 0), "auto-restart"), end("success", CLD_EXITED, 0));
        assert_eq!(told(service("success", 0, 0), "running"), None);
        assert_eq!(told(service("signal", CLD_KILLED, 9), "stop-post"), None);
        assert_eq!(told(service("signal", CLD_KILLED, 9), "auto-restart"), end("signal", CLD_KILLED, 9));
        // A requested stop, and changes that are not part of it.
        assert_eq!(told(service("success", CLD_EXITED, 0), "dead"), None);
        assert_eq!(told(service("success", 0, 0), "auto-restart"), None);
        assert_eq!(restarts.told(UNIT_INTERFACE, &Properties::new()), None);
        // Once for each end.
        assert_eq!(restarts.told(SERVICE_INTERFACE, &service("success", CLD_EXITED, 0)), None);
        assert!(restarts.told(UNIT_INTERFACE, &unit("auto-restart")).is_some());
        assert_eq!(restarts.told(UNIT_INTERFACE, &unit("auto-restart-queued")), None);
    }
}
