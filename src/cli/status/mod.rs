//! `startxd status`: a session at a glance, and what is wrong with it.

mod attached;
mod failed;
mod gather;
mod json;
mod judge;
mod multiplexers;
mod paint;
mod render;
mod screen;

use std::io::{IsTerminal, Write};
use std::time::Duration;

use gather::NotGathered;

use super::exit::Exit;
use crate::deadline::Deadlines;
use crate::displays::list;
use crate::doctor::Finding;
use crate::json::Json;
use crate::manager::{Manager, NoManager};
use crate::multiplexer::survey::{self, Multiplexers};
use crate::records::last::LastSession;
use crate::runtime_dir::RuntimeDir;
pub(super) use gather::cookie;

/// Prints the state of this user's session, or of the display that is attached in its place.
pub async fn run(runtime: &RuntimeDir, as_json: bool) -> Exit {
    let deadlines = super::configuration().deadlines;
    let manager = Manager::connect(runtime, deadlines.user_manager).await;
    let (found, multiplexers) = tokio::join!(
        find(runtime, &manager, deadlines.window_manager),
        survey::look(manager.as_ref().ok(), deadlines.multiplexers)
    );
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            tracing::error!("{error}");
            return (&error).into();
        }
    };
    let findings = found.judge();
    let text = if as_json {
        found.json(&findings, &multiplexers)
    } else {
        found.text(&findings) + &multiplexers::render(&multiplexers) + &displays(runtime, &manager).await
    };
    let text = if !as_json && has_colours() { paint::paint(&text) } else { text };
    let _ = std::io::stdout().write_all(text.as_bytes());
    if matches!(found, StatusOf::Nothing(_)) {
        Exit::NotRunning
    } else if findings.iter().any(Finding::is_problem) {
        Exit::Degraded
    } else {
        Exit::Success
    }
}

impl From<&NotGathered> for Exit {
    fn from(error: &NotGathered) -> Self {
        match error {
            NotGathered::Record { .. } => Self::System,
            NotGathered::Manager(_) => Self::NoManager,
        }
    }
}

/// Whether what is printed is for a person who wants colours (no-color.org).
fn has_colours() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal() && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The displays without a screen, which belong to no session; nothing if there are none.
async fn displays(runtime: &RuntimeDir, manager: &Connected) -> String {
    let Ok(manager) = manager else { return String::new() };
    render::displays(&list::list(runtime, manager).await.unwrap_or_default())
}

/// The user manager, or why it cannot be asked.
type Connected = Result<Manager, NoManager>;

/// What there is.
enum StatusOf {
    Session(Box<gather::Snapshot>),
    Attached(Box<attached::AttachedSnapshot>),
    /// None is up; how the last one ended.
    Nothing(Option<LastSession>),
}

async fn find(runtime: &RuntimeDir, manager: &Connected, patience: Duration) -> Result<StatusOf, NotGathered> {
    Ok(match gather::gather(runtime, manager, patience).await? {
        Some(snapshot) => StatusOf::Session(Box::new(snapshot)),
        None => attached::gather(runtime, manager).await?.map_or_else(
            || StatusOf::Nothing(LastSession::recall()),
            |snapshot| StatusOf::Attached(Box::new(snapshot)),
        ),
    })
}

impl StatusOf {
    fn judge(&self) -> Vec<Finding> {
        match self {
            Self::Session(snapshot) => judge::judge(snapshot),
            Self::Attached(snapshot) => snapshot.judge(),
            Self::Nothing(_) => Vec::new(),
        }
    }

    fn text(&self, findings: &[Finding]) -> String {
        match self {
            Self::Session(snapshot) => render::render(&render::headline(snapshot), render::rows(snapshot), findings),
            Self::Attached(snapshot) => render::render(&snapshot.headline(), snapshot.rows(), findings),
            Self::Nothing(last) => {
                let none = "no session of startxd is up; start one on a virtual terminal: startxd start\n".to_owned();
                none + &last.as_ref().map(render::last_session).unwrap_or_default()
            }
        }
    }

    fn json(&self, findings: &[Finding], multiplexers: &Multiplexers) -> String {
        let (state, mut members): (_, Vec<(&'static str, Json)>) = match self {
            Self::Session(snapshot) => ("session", json::members(snapshot)),
            Self::Attached(snapshot) => ("attached", snapshot.members()),
            Self::Nothing(last) => ("none", vec![("last", json::last_session(last.as_ref()))]),
        };
        members.push(("multiplexers", multiplexers::json(multiplexers)));
        json::report(state, members, findings)
    }
}

/// The problems of this user's session, or of the attached display, as `status` says them; none if there is neither.
pub async fn problems(deadline: Duration) -> Option<Vec<Finding>> {
    let runtime = RuntimeDir::find().ok()?;
    let manager = Manager::connect(&runtime, deadline).await;
    let found = find(&runtime, &manager, Deadlines::default().window_manager).await.ok()?;
    if matches!(found, StatusOf::Nothing(_)) {
        return None;
    }
    Some(found.judge().into_iter().filter(Finding::is_problem).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Exit, find};
    use crate::manager::NoManager;
    use crate::runtime_dir::RuntimeDir;
    use crate::test_dir::TestDir;

    #[tokio::test]
    async fn a_record_that_cannot_be_read_is_said_so() {
        let directory = TestDir::new();
        let runtime = RuntimeDir::of(directory.path("")).unwrap();
        runtime.create().unwrap();
        for text in ["", "version = 2", "\0"] {
            std::fs::write(runtime.record(), text).unwrap();
            let error = find(&runtime, &Err(NoManager::lost()), Duration::ZERO).await.err().expect("an error");
            assert_eq!(Exit::from(&error), Exit::System, "{text:?}");
            let said = error.to_string();
            let path = runtime.record().display().to_string();
            assert!(said.contains(&path) && said.ends_with(": startxd stop"), "{said}");
            assert!(!said.contains('\n'), "{said}");
        }
    }
}
