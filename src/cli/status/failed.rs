//! What of the graphical session has failed: its services and its autostart programs, with the last thing that each said.

use std::collections::BTreeSet;
use std::process::Command;

use tokio::time::Instant;

use crate::deadline::STATUS;
use crate::manager::{Manager, names};
use crate::subprocess::{self, Streams};

/// How many last lines are looked up; the others are listed without.
const LOOKED_UP: usize = 5;

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
        let said = if index < LOOKED_UP { last_line(&unit).await } else { None };
        units.push(FailedUnit { unit, said });
    }
    units
}

/// What the program itself has said last.
async fn last_line(unit: &str) -> Option<String> {
    let mut command = Command::new("journalctl");
    // Of the unit's own processes, and not what the manager says of it.
    command.args(["--boot", "--quiet", "--lines=1", "--output=cat"]).arg(format!("_SYSTEMD_USER_UNIT={unit}"));
    let output = subprocess::run(command, Streams::Output, Instant::now() + STATUS).await.ok()?;
    let line = String::from_utf8_lossy(&output.said).lines().next_back()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}
