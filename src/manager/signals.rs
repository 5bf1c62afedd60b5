//! The manager's signals, taken off the connection by a task of their own.
//!
//! zbus stops reading a connection while the queue of one of its streams is full, method replies included. A stop of a
//! whole session makes hundreds of signals, while we may be waiting for a reply: so nobody of ours may be slow to
//! read, and a task moves what is of interest into a queue without bounds (a few dozen entries in practice).

use std::collections::HashMap;

use tokio::sync::mpsc;
use zbus::{Connection, MatchRule, Message, MessageStream, OwnedObjectPath, OwnedVariant};

use super::{SERVICE_INTERFACE, ServiceEnd, names};
use crate::dbus;

/// What the manager tells.
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
    /// A service that is [watched](super::Manager::watch_restarts) has ended by itself, and its own policy (`Restart=`) starts it again.
    Restarts {
        /// The unit.
        unit: String,
        /// How its main process ended.
        end: ServiceEnd,
    },
    /// Somebody has queued a job for a unit that is [watched](super::Manager::watch_jobs).
    UnitJob {
        /// The unit.
        unit: String,
        /// Whether it is a stop; `None` while that is being asked. The same job is told once more when it is known.
        is_stop: Option<bool>,
    },
    /// The connection is gone: the manager was re-executed, or has ended.
    Lost,
}

/// Where the restarts of services are told to, for as long as the queue is there.
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
    /// Begins to listen. The bus passes on only what the two rules name: everything else would wake us for nothing.
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

    /// What [`Watcher::watch`] is asked of.
    #[must_use]
    pub fn watcher(&self) -> Watcher {
        Watcher { sender: self.sender.clone() }
    }

    /// The next signal; [`Signal::Lost`] for ever once the connection is gone. May be dropped while it waits.
    pub async fn next(&mut self) -> Signal {
        self.queue.recv().await.unwrap_or(Signal::Lost)
    }

    /// Waits for the end of a job, passing over everything else.
    ///
    /// Returns the job's result, `None` if the connection was lost. The signals must have been subscribed to before
    /// the job was queued, or its end may be missed.
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
    /// From now on [`Signal::Restarts`] is told of this service.
    ///
    /// Who asks a service for its state when it has changed comes too late, as systemd may have started it again by then:
    /// after `RestartSec=`, which may be nothing. What has happened stands in the signals themselves, and those are not lost:
    /// systemd sends what is due before it waits for the time to start a unit again (manager.c, `manager_loop`), for the
    /// specific type first, and then for the unit, and says that one may rely on that (dbus-unit.c, `send_changed_signal`).
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
        // One stream for both interfaces, as their order counts.
        let stream = MessageStream::for_match_rule(rule, connection, None).await?;
        tokio::spawn(forward_restarts(stream, unit.to_owned(), self.sender.clone()));
        Ok(())
    }
}

/// Moves what one stream brings into the queue, until either end is gone.
async fn forward(mut stream: MessageStream, queue: mpsc::UnboundedSender<Signal>) {
    while let Some(message) = dbus::next(&mut stream).await {
        if let Some(signal) = understand(&message)
            && queue.send(signal).is_err()
        {
            return;
        }
    }
    // Nobody may be listening any more, and that is fine.
    let _ = queue.send(Signal::Lost);
}

/// Moves the restarts of a service into the queue, until either end is gone; the other streams tell of that.
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

/// Finds restarts in what is told of a service; pure.
#[derive(Default)]
struct RestartFinder {
    /// How its main process ended, if it has since it was started.
    end: Option<ServiceEnd>,
}

impl RestartFinder {
    /// Takes the properties of one interface that were told together. Returns how the service ended that is about to be
    /// started again, once for each time.
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

/// What of the signals is of interest.
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
    fn a_restart_is_found_however_soon_it_is() {
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
        // A stop that was asked for, and what is not part of it.
        assert_eq!(told(service("success", CLD_EXITED, 0), "dead"), None);
        assert_eq!(told(service("success", 0, 0), "auto-restart"), None);
        assert_eq!(restarts.told(UNIT_INTERFACE, &Properties::new()), None);
        // Once for each end.
        assert_eq!(restarts.told(SERVICE_INTERFACE, &service("success", CLD_EXITED, 0)), None);
        assert!(restarts.told(UNIT_INTERFACE, &unit("auto-restart")).is_some());
        assert_eq!(restarts.told(UNIT_INTERFACE, &unit("auto-restart-queued")), None);
    }
}
