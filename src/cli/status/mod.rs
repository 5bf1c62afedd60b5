//! `startxd status`: a session at a glance, and what is wrong with it.

mod attached;
mod gather;
mod json;
mod judge;
mod render;

use std::io::Write;

use gather::NotGathered;
use judge::{Finding, Severity};

use super::exit::Exit;
use crate::runtime_dir::RuntimeDir;

/// Prints the state of this user's session, or of the display that is attached in its place.
pub async fn run(runtime: &RuntimeDir, as_json: bool) -> Exit {
    let found = match find(runtime).await {
        Ok(found) => found,
        Err(error) => {
            tracing::error!("{error}");
            return Exit::NoManager;
        }
    };
    let findings = found.judge();
    let text = if as_json { found.json(&findings) } else { found.text(&findings) };
    let _ = std::io::stdout().write_all(text.as_bytes());
    if matches!(found, Found::Nothing) {
        Exit::NotRunning
    } else if findings.iter().any(|finding| finding.severity == Severity::Problem) {
        Exit::Degraded
    } else {
        Exit::Success
    }
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

    fn json(&self, findings: &[Finding]) -> String {
        match self {
            Self::Session(snapshot) => json::report("session", json::members(snapshot), findings),
            Self::Attached(snapshot) => json::report("attached", snapshot.members(), findings),
            Self::Nothing => json::report("none", Vec::new(), findings),
        }
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
