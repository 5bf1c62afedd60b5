//! `startxd doctor`.

use std::io::Write;

use super::exit::Exit;
use super::status;
use crate::config::{self, Places};
use crate::doctor::catalogue::SESSION_UNWELL;
use crate::doctor::{self, Severity, render};

/// Prints what is wrong with the machine and the login, as text or as JSON.
pub async fn run(json: bool) -> Exit {
    let loaded = config::load(&Places::from_env());
    let deadline = loaded.config.deadlines.user_manager;
    let (mut findings, machine) = doctor::examine(&loaded).await;
    // What `status` says of a session that is up, if it answers: with the same words.
    if let Ok(Some(problems)) = tokio::time::timeout(deadline, status::problems(deadline)).await {
        findings
            .extend(problems.iter().map(|one| SESSION_UNWELL.found(one.sentence(), "see all of it: startxd status")));
    }
    // The worst comes first.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.kind.severity));
    let text = if json { render::json(&findings, &machine) } else { render::text(&findings) };
    let _ = std::io::stdout().write_all(text.as_bytes());
    match findings.first().map(|finding| finding.kind.severity) {
        None | Some(Severity::Note) => Exit::Success,
        Some(Severity::Warning) => Exit::Warnings,
        Some(Severity::Error) => Exit::Faults,
    }
}
