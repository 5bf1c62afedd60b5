//! Whether a unit was stopped by a request, from the jobs of the unit.
//!
//! The way in which a service ends does not say why: i3 exits with 143 when it is told to end, others with 1. A stop
//! job that was queued does, and it is announced (`JobNew`) before it runs. The kind of a job has to be queried.
//!
//! A race: a job may have ended before that query arrives: the stop job of a window manager that ends within a
//! millisecond, or the start job of one that cannot be executed. What is left then is the job's end (`JobRemoved`),
//! which comes next on the same stream, and the service itself: if it is down, and has not been executed since the last
//! job of it ended, the job was its stop. Every execution is by a job, also an automatic one (service.c,
//! `service_enter_restart`).

use tokio::sync::mpsc;
use zbus::{Connection, MatchRule, MessageStream, OwnedObjectPath, OwnedVariant};

use super::names;
use super::signals::{Signal, Watcher};
use crate::dbus;

/// From now on [`Signal::UnitJob`] is sent for this unit.
///
/// # Errors
/// The connection is gone.
pub(super) async fn watch(watcher: &Watcher, connection: &Connection, unit: &str) -> zbus::Result<()> {
    let rule = MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender(super::SERVICE)
        .interface(super::MANAGER_INTERFACE)
        // For `JobNew` and `JobRemoved`. One stream for both, because their order matters.
        .arg(2, unit)
        .build()?;
    // A race: the caller starts the unit next, and the state must be from before that start.
    let (stream, executed) =
        tokio::join!(MessageStream::for_match_rule(rule, connection, None), last_executed(connection, unit));
    tokio::spawn(forward(stream?, connection.clone(), executed, watcher.sender.clone()));
    Ok(())
}

/// Moves the jobs of a unit into the queue, until either end is gone; the other streams report that.
async fn forward(
    mut stream: MessageStream,
    connection: Connection,
    mut executed: u64,
    queue: mpsc::WeakUnboundedSender<Signal>,
) {
    let mut over: Vec<OwnedObjectPath> = Vec::new();
    while let Some(message) = dbus::next(&mut stream).await {
        // `None` as long as it is not known.
        let tell = |unit: &str, is_stop: Option<bool>| {
            queue.upgrade().is_some_and(|queue| queue.send(Signal::UnitJob { unit: unit.to_owned(), is_stop }).is_ok())
        };
        let body = message.body();
        let (unit, is_stop) = if let Ok(removed) = body.deserialize::<(u32, OwnedObjectPath, String, String)>() {
            let (_, job, unit, result) = removed;
            let before = std::mem::replace(&mut executed, last_executed(&connection, &unit).await);
            let Some(at) = over.iter().position(|over| *over == job) else { continue };
            over.swap_remove(at);
            let active: String = of_unit(&connection, &unit, super::UNIT_INTERFACE, "ActiveState").await;
            let is_stop = was_stop(&result, &active, before, executed);
            (unit, is_stop)
        } else if let Ok((_, job, unit)) = body.deserialize::<(u32, OwnedObjectPath, String)>() {
            if !tell(&unit, None) {
                return;
            }
            let target =
                dbus::Target { destination: super::SERVICE, path: job.as_str(), interface: super::JOB_INTERFACE };
            let Ok(kind) = dbus::property::<String>(&connection, target, "JobType").await else {
                over.push(job);
                continue;
            };
            (unit, kind == "stop")
        } else {
            continue;
        };
        if !tell(&unit, Some(is_stop)) {
            return;
        }
    }
}

/// Whether a job that could not be queried was a stop: it ended with `result`, the unit is `active` now, and it was
/// executed last at `before` when the job before ended, and at `now` now (microseconds of the monotonic clock; 0 if it
/// never was). Pure.
///
/// A restart that failed, for example by the start limit, is not "done". A service that was running and is no longer
/// loaded was stopped.
fn was_stop(result: &str, active: &str, before: u64, now: u64) -> bool {
    let is_down = matches!(active, "inactive" | "failed" | "deactivating");
    result == "done" && is_down && before != 0 && (now == before || now == 0)
}

/// When a service was executed last: microseconds of the monotonic clock, 0 if it never was or is not known.
async fn last_executed(connection: &Connection, unit: &str) -> u64 {
    of_unit(connection, unit, super::SERVICE_INTERFACE, "ExecMainStartTimestampMonotonic").await
}

/// A property of a unit; nothing if it cannot be read.
async fn of_unit<T>(connection: &Connection, unit: &str, interface: &'static str, name: &'static str) -> T
where
    T: Default + TryFrom<OwnedVariant, Error: Into<zbus::Error>>,
{
    let path = names::object_path(unit);
    let target = dbus::Target { destination: super::SERVICE, path: &path, interface };
    dbus::property(connection, target, name).await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::was_stop;

    #[test]
    fn a_job_that_could_not_be_queried_was_a_stop_if_nothing_was_executed_since() {
        for (result, active, before, now, expected) in [
            ("done", "inactive", 7, 7, true),
            ("done", "failed", 7, 7, true),
            // Its end was not seen yet.
            ("done", "deactivating", 7, 7, true),
            // Nobody keeps it.
            ("done", "inactive", 7, 0, true),
            // It was started, and could not be executed.
            ("done", "failed", 0, 8, false),
            ("done", "failed", 7, 8, false),
            ("done", "inactive", 0, 0, false),
            // It was started and runs.
            ("done", "active", 7, 8, false),
            ("done", "activating", 7, 8, false),
            // A reload.
            ("done", "active", 7, 7, false),
            // A stop that was cancelled; a restart that reached the start limit.
            ("canceled", "active", 7, 7, false),
            ("failed", "failed", 7, 7, false),
            // The connection is gone.
            ("done", "", 7, 0, false),
        ] {
            assert_eq!(was_stop(result, active, before, now), expected, "{result} {active} {before} {now}");
        }
    }
}
