//! The services and autostart programs of the graphical session that have failed, with the last line of each.

use std::collections::BTreeSet;
use std::time::UNIX_EPOCH;

use tokio::time::Instant;

use crate::deadline::STATUS;
use crate::journal;
use crate::manager::{Manager, names};

/// For how many units the last line is looked up; the others are listed without.
const LOOKED_UP: usize = 5;

/// How many lines are read to find the last one.
const LINES: usize = 10;

/// A unit that has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedUnit {
    /// Its name.
    pub unit: String,
    /// Its last line in the journal, if there is one that we may read.
    pub said: Option<String>,
}

/// The units of the graphical session that have failed, sorted, without the session's own.
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

/// The last line of the program itself.
async fn last_line(manager: &Manager, unit: &str) -> Option<String> {
    let pid = manager.last_main_pid(unit).await.unwrap_or_default();
    // More than one: with several matches journalctl of 252 may omit the very last line (seen on a busy machine).
    let said = journal::last(unit, pid, LINES, UNIX_EPOCH, Instant::now() + STATUS).await;
    let line = String::from_utf8_lossy(&said).lines().next_back()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}
