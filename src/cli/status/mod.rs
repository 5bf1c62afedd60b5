//! `startxd status`: a session at a glance, and what is wrong with it.

mod gather;
mod judge;
mod multiplexers;
mod render;

use std::io::Write;

use super::exit::Exit;
use crate::manager::Manager;
use crate::multiplexer::survey;
use crate::runtime_dir::RuntimeDir;

/// Prints the state of this user's session.
pub async fn run(runtime: &RuntimeDir) -> Exit {
    let (snapshot, multiplexers) = tokio::join!(gather::gather(runtime), look(runtime));
    let snapshot = match snapshot {
        Ok(Some(snapshot)) => snapshot,
        Ok(None) => {
            let _ = writeln!(
                std::io::stdout(),
                "no session of startxd is up; start one on a virtual terminal: startxd start"
            );
            let _ = std::io::stdout().write_all(multiplexers.as_bytes());
            return Exit::NotRunning;
        }
        Err(error) => {
            tracing::error!("{error}");
            return Exit::NoManager;
        }
    };
    let findings = judge::judge(&snapshot);
    let text = render::render(&snapshot, &findings) + &multiplexers;
    let _ = std::io::stdout().write_all(text.as_bytes());
    if findings.iter().any(|finding| finding.severity == judge::Severity::Problem) {
        Exit::Degraded
    } else {
        Exit::Success
    }
}

/// What is said of the multiplexers.
async fn look(runtime: &RuntimeDir) -> String {
    let deadline = super::configuration().deadlines.multiplexers;
    let manager = Manager::connect(runtime).await.ok();
    multiplexers::render(&survey::look(manager.as_ref(), deadline).await)
}

/// The problems of this user's session, as `status` says them; none if there is no session.
pub async fn problems() -> Option<Vec<String>> {
    let snapshot = gather::gather(&RuntimeDir::find().ok()?).await.ok()??;
    let findings = judge::judge(&snapshot).into_iter();
    let problems = findings.filter(|finding| finding.severity == judge::Severity::Problem);
    Some(problems.map(|finding| finding.text).collect())
}
