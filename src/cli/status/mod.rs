//! `startxd status`: a session at a glance, and what is wrong with it.

mod gather;
mod judge;
mod render;

use std::io::Write;

use super::exit::Exit;
use crate::displays::{claim, list};
use crate::manager::Manager;
use crate::runtime_dir::RuntimeDir;

/// Prints the state of this user's session.
pub async fn run() -> Exit {
    let runtime = match RuntimeDir::find() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("{error}");
            return Exit::NoRuntimeDir;
        }
    };
    let snapshot = match gather::gather(&runtime).await {
        Ok(Some(snapshot)) => snapshot,
        Ok(None) => {
            let none = "no session of startxd is up; start one on a virtual terminal: startxd start\n";
            let _ = std::io::stdout().write_all((none.to_owned() + &displays(&runtime).await).as_bytes());
            return Exit::NotRunning;
        }
        Err(error) => {
            tracing::error!("{error}");
            return Exit::NoManager;
        }
    };
    let findings = judge::judge(&snapshot);
    let text = render::render(&snapshot, &findings) + &displays(&runtime).await;
    let _ = std::io::stdout().write_all(text.as_bytes());
    if findings.iter().any(|finding| finding.severity == judge::Severity::Problem) {
        Exit::Degraded
    } else {
        Exit::Success
    }
}

/// The displays without a screen, which belong to no session; nothing if there are none.
async fn displays(runtime: &RuntimeDir) -> String {
    // Not asked for in vain: most have none.
    if claim::all(runtime).is_empty() {
        return String::new();
    }
    let Ok(manager) = Manager::connect(runtime).await else { return String::new() };
    render::displays(&list::list(runtime, &manager).await.unwrap_or_default())
}

/// The problems of this user's session, as `status` says them; none if there is no session.
pub async fn problems() -> Option<Vec<String>> {
    let snapshot = gather::gather(&RuntimeDir::find().ok()?).await.ok()??;
    let findings = judge::judge(&snapshot).into_iter();
    let problems = findings.filter(|finding| finding.severity == judge::Severity::Problem);
    Some(problems.map(|finding| finding.text).collect())
}
