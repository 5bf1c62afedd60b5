//! `startxd status`: a session at a glance, and what is wrong with it.

mod attached;
mod gather;
mod json;
mod judge;
mod multiplexers;
mod render;

use std::io::Write;

use gather::NotGathered;
use judge::{Finding, Severity};

use super::exit::Exit;
use crate::cli::json::Json;
use crate::displays::{claim, list};
use crate::manager::Manager;
use crate::multiplexer::survey::{self, Multiplexers};
use crate::runtime_dir::RuntimeDir;

/// Prints the state of this user's session, or of the display that is attached in its place.
pub async fn run(runtime: &RuntimeDir, as_json: bool) -> Exit {
    let (found, multiplexers) = tokio::join!(find(runtime), look(runtime));
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            tracing::error!("{error}");
            return Exit::NoManager;
        }
    };
    let findings = found.judge();
    let text = if as_json {
        found.json(&findings, &multiplexers)
    } else {
        found.text(&findings) + &multiplexers::render(&multiplexers) + &displays().await
    };
    let _ = std::io::stdout().write_all(text.as_bytes());
    if matches!(found, Found::Nothing) {
        Exit::NotRunning
    } else if findings.iter().any(|finding| finding.severity == Severity::Problem) {
        Exit::Degraded
    } else {
        Exit::Success
    }
}

/// The displays without a screen, which belong to no session; nothing if there are none.
async fn displays() -> String {
    let Ok(runtime) = RuntimeDir::find() else { return String::new() };
    // Not asked for in vain: most have none.
    if claim::all(&runtime).is_empty() {
        return String::new();
    }
    let Ok(manager) = Manager::connect(&runtime).await else { return String::new() };
    render::displays(&list::list(&runtime, &manager).await.unwrap_or_default())
}

/// The multiplexers, which are there with a session and without.
async fn look(runtime: &RuntimeDir) -> Multiplexers {
    let deadline = super::configuration().deadlines.multiplexers;
    let manager = Manager::connect(runtime).await.ok();
    survey::look(manager.as_ref(), deadline).await
}

/// What there is.
enum Found {
    Session(Box<gather::Snapshot>),
    Attached(Box<attached::Snapshot>),
    Nothing,
}

async fn find(runtime: &RuntimeDir) -> Result<Found, NotGathered> {
    Ok(match gather::gather(runtime).await? {
        Some(snapshot) => Found::Session(Box::new(snapshot)),
        None => attached::gather(runtime).await?.map_or(Found::Nothing, |snapshot| Found::Attached(Box::new(snapshot))),
    })
}

impl Found {
    fn judge(&self) -> Vec<Finding> {
        match self {
            Self::Session(snapshot) => judge::judge(snapshot),
            Self::Attached(snapshot) => snapshot.judge(),
            Self::Nothing => Vec::new(),
        }
    }

    fn text(&self, findings: &[Finding]) -> String {
        match self {
            Self::Session(snapshot) => render::render(render::rows(snapshot), findings),
            Self::Attached(snapshot) => render::render(snapshot.rows(), findings),
            Self::Nothing => "no session of startxd is up; start one on a virtual terminal: startxd start\n".to_owned(),
        }
    }

    fn json(&self, findings: &[Finding], multiplexers: &Multiplexers) -> String {
        let (state, mut members): (_, Vec<(&'static str, Json)>) = match self {
            Self::Session(snapshot) => ("session", json::members(snapshot)),
            Self::Attached(snapshot) => ("attached", snapshot.members()),
            Self::Nothing => ("none", Vec::new()),
        };
        members.push(("multiplexers", multiplexers::json(multiplexers)));
        json::report(state, members, findings)
    }
}

/// The problems of this user's session, or of the attached display, as `status` says them; none if there is neither.
pub async fn problems() -> Option<Vec<String>> {
    let found = find(&RuntimeDir::find().ok()?).await.ok()?;
    if matches!(found, Found::Nothing) {
        return None;
    }
    let problems = found.judge().into_iter().filter(|finding| finding.severity == Severity::Problem);
    Some(problems.map(|finding| finding.text).collect())
}
