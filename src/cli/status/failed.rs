//! What of the graphical session has failed: its services and its autostart programs, with the last thing that each said.

use std::collections::BTreeSet;
use std::time::UNIX_EPOCH;

use tokio::time::Instant;

use crate::deadline::STATUS;
use crate::journal;
use crate::manager::{Manager, names};

/// How many last lines are looked up; the others are listed without.
const LOOKED_UP: usize = 5;

/// How many lines are read for the last one.
const LINES: usize = 10;

/// A unit that has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedUnit {
    /// Its name.
    pub unit: String,
    /// The last line of it in the journal, if there is one that we may read.
    pub said: Option<String>,
}

/// The units of the graphical session that have failed, sorted, less the session's own.
pub(super) async fn failed(manager: &Manager, own: &[String]) -> Vec<FailedUnit> {
    let failed = manager.failed_units().await.unwrap_or_default();
    if failed.is_empty() {
        return Vec::new();
    }
    let mut members = BTreeSet::new();
    for target in [names::GRAPHICAL_SESSION, names::XORG_TARGET, names::WM_TARGET] {
        members.extend(manager.dependents(target).await.unwrap_or_default());
        members.extend(manager.wanted_by(target).await.unwrap_or_default());
    }
    let of_session = |unit: &String| (members.contains(unit) || names::is_autostart(unit)) && !own.contains(unit);
    let mut units = Vec::new();
    for (index, unit) in failed.into_iter().filter(of_session).enumerate() {
        let said = if index < LOOKED_UP { last_line(manager, &unit).await } else { None };
        units.push(FailedUnit { unit, said });
    }
    units
}

/// What the program itself has said last.
async fn last_line(manager: &Manager, unit: &str) -> Option<String> {
    let pid = manager.last_main_pid(unit).await.unwrap_or_default();
    // Not just one: with several matches journalctl of 252 may leave out the very last (seen on a busy machine).
    let said = journal::last(unit, pid, LINES, UNIX_EPOCH, Instant::now() + STATUS).await;
    let line = String::from_utf8_lossy(&said).lines().next_back()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}
