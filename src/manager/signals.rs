//! The manager's signals, taken off the connection by a task of their own.
//!
//! zbus stops reading a connection while the queue of one of its streams is full, method replies included. A stop of a
//! whole session makes hundreds of signals, while we may be waiting for a reply: so nobody of ours may be slow to
//! read, and a task moves what is of interest into a queue without bounds (a few dozen entries in practice).

use tokio::sync::mpsc;
use zbus::{Connection, MatchRule, Message, MessageStream, OwnedObjectPath};

use super::names;
use crate::dbus;

/// What the manager tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// A job has ended (`JobRemoved`).
    JobDone {
        /// The job's object.
        job: OwnedObjectPath,
        /// "done", "canceled", "timeout", "failed", "dependency", "skipped".
        result: String,
    },
    /// A property of this unit has changed; read it to see which.
    UnitChanged(String),
    /// The connection is gone: the manager was re-executed, or has ended.
    Lost,
}

/// A queue of the manager's signals.
pub struct Signals {
    queue: mpsc::UnboundedReceiver<Signal>,
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
        tokio::spawn(forward(jobs, sender.clone()));
        tokio::spawn(forward(changes, sender));
        Ok(Self { queue })
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
                Signal::JobDone { job: done, result } if &done == job => return Some(result),
                Signal::Lost => return None,
                _ => {}
            }
        }
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

/// What of the signals is of interest.
fn understand(message: &Message) -> Option<Signal> {
    let header = message.header();
    match header.member()?.as_str() {
        "JobRemoved" => {
            let (_, job, _, result): (u32, OwnedObjectPath, String, String) = message.body().deserialize().ok()?;
            Some(Signal::JobDone { job, result })
        }
        "PropertiesChanged" => Some(Signal::UnitChanged(names::unit_of_path(header.path()?.as_str())?)),
        _ => None,
    }
}
