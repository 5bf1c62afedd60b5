//! `startxd status`: a session at a glance, and what is wrong with it.

mod gather;
mod judge;
mod render;

use std::io::Write;

use super::exit::Exit;
use crate::runtime_dir::RuntimeDir;

/// Prints the state of this user's session.
pub async fn run(runtime: &RuntimeDir) -> Exit {
    let snapshot = match gather::gather(runtime).await {
        Ok(Some(snapshot)) => snapshot,
        Ok(None) => {
            let _ = writeln!(
                std::io::stdout(),
                "no session of startxd is up; start one on a virtual terminal: startxd start"
            );
            return Exit::NotRunning;
        }
        Err(error) => {
            tracing::error!("{error}");
            return Exit::NoManager;
        }
    };
    let findings = judge::judge(&snapshot);
    let _ = std::io::stdout().write_all(render::render(&snapshot, &findings).as_bytes());
    if findings.iter().any(|finding| finding.severity == judge::Severity::Problem) {
        Exit::Degraded
    } else {
        Exit::Success
    }
}

/// The problems of this user's session, as `status` says them; none if there is no session.
pub async fn problems() -> Option<Vec<String>> {
    let snapshot = gather::gather(&RuntimeDir::find().ok()?).await.ok()??;
    let findings = judge::judge(&snapshot).into_iter();
    let problems = findings.filter(|finding| finding.severity == judge::Severity::Problem);
    Some(problems.map(|finding| finding.text).collect())
}
