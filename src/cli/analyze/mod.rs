//! `startxd analyze`: where the time of the last start went, from what systemd, logind and the host recorded
//! already.

mod svg;
mod timeline;

use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::time::{ClockId, clock_gettime};
use tokio::time::timeout;

use super::exit::Exit;
use crate::files;
use crate::logind;
use crate::manager::{Manager, UnitTimes, names};
use crate::records::session::SessionRecord;
use crate::runtime_dir::RuntimeDir;
use crate::text;
use timeline::{Kind, Span, Timeline};

/// Prints how long each part of the last start took, and draws it into `drawing`.
pub async fn run(runtime: &RuntimeDir, drawing: Option<&Path>) -> Exit {
    let deadline = super::configuration().deadlines.user_manager;
    let record = match SessionRecord::of(runtime) {
        Ok(Some(record)) => record,
        Ok(None) => {
            tracing::error!("no session of startxd is up; start one on a virtual terminal: startxd start");
            return Exit::NotRunning;
        }
        Err(error) => {
            tracing::error!("the session's record cannot be read: {error}");
            return Exit::System;
        }
    };
    let manager = match Manager::connect_proven(runtime, deadline).await {
        Ok(manager) => manager,
        Err(why) => {
            tracing::error!("{why}");
            return Exit::NoManager;
        }
    };
    let Ok(timeline) = timeout(deadline, gather(runtime, &record, &manager)).await else {
        tracing::error!("the user manager does not say when its units started; see: startxd status");
        return Exit::NoManager;
    };
    if let Some(path) = drawing
        && let Err(error) = files::replace(path, svg::draw(&timeline), 0o644)
    {
        tracing::error!("{} cannot be written: {error}", text::path(path));
        return Exit::System;
    }
    let _ = std::io::stdout().write_all(timeline.text().as_bytes());
    Exit::Success
}

/// Asks for the times of the session's units, and of everything that started with them.
async fn gather(runtime: &RuntimeDir, record: &SessionRecord, manager: &Manager) -> Timeline {
    let login = login(&record.session).await;
    let mut spans = Vec::new();
    let targets = [names::XORG_TARGET, names::WM_TARGET, names::WM_READY_TARGET, names::GRAPHICAL_SESSION];
    let socket = names::xorg_socket(record.display);
    let service = names::xorg_service(record.display);
    let core =
        [socket.as_str(), service.as_str()].into_iter().chain(record.units.iter().map(String::as_str)).chain(targets);
    for unit in core {
        if let Some(span) = times(manager, unit, Kind::Session).await {
            spans.push(span);
        }
    }
    let began = spans.iter().filter_map(|span| span.times.leaves).min();
    if let Some(began) = began {
        for unit in manager.units_like(&["*.service"]).await.unwrap_or_default() {
            let is_known = spans.iter().any(|span| span.name == unit.name);
            if !is_known
                && let Some(span) = times(manager, &unit.name, Kind::Other).await
                && span.times.leaves.is_some_and(|leaves| leaves >= began)
            {
                spans.push(span);
            }
        }
    }
    // The host starts to listen once it has its lock and display, right before it asks for the first unit.
    let asked = std::fs::symlink_metadata(runtime.host_socket()).and_then(|facts| facts.modified()).ok();
    Timeline::new(&record.what, record.display, login, asked.and_then(monotonic), spans)
}

async fn times(manager: &Manager, unit: &str, kind: Kind) -> Option<Span> {
    let times = manager.times(unit).await.ok().filter(|times: &UnitTimes| times.leaves.is_some())?;
    Some(Span { name: unit.to_owned(), kind, times })
}

/// When the login session began, in microseconds of the monotonic clock.
async fn login(session: &str) -> Option<u64> {
    let bus = logind::connect().await.ok()?;
    let session = logind::session_by_id(&bus, session).await.ok()?;
    logind::began(&bus, &session.path).await.ok()
}

/// A time of day, in microseconds of the monotonic clock.
fn monotonic(time: SystemTime) -> Option<u64> {
    let ago = time.elapsed().ok()?;
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).ok()?;
    let then = Duration::from(now).checked_sub(ago)?;
    u64::try_from(then.as_micros()).ok()
}
