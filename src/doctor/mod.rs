//! `startxd doctor`: examines the machine and the login as an expert would, and reports what is wrong.
//!
//! Each area has a module. Each module has `Facts`, which are gathered from logind, the managers, the kernel and
//! files, and a `judge`, which is pure and turns them into findings. All kinds of findings are in [`catalogue`].
//!
//! Nothing is changed, no program is run but `-version` of the X server, and no question waits for longer than
//! `deadlines.user_manager`. A question without an answer makes no finding, unless the missing answer is the fault.

mod autostart;
pub mod catalogue;
mod described;
mod display;
mod environment;
mod files;
mod host_access;
mod lock;
mod login;
mod machine;
mod manager;
pub mod multiplexers;
pub mod portals;
pub mod render;
pub mod server;
mod session;
pub mod snippets;
mod startup_edit;
mod terminal;
pub mod units;
pub mod values;
pub mod versions;
mod xss_lock;

use crate::config::Loaded;
use catalogue::{CONFIG_COMPLAINT, FindingKind};
pub use described::Description;
use machine::Machine;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing has to be done.
    Note,
    /// Something will go wrong, or goes wrong for some programs.
    Warning,
    /// No session can start, or a part of the one that is up does not work.
    Error,
}

impl Severity {
    /// Its word, as it is printed.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something that a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its kind: id, severity, and why it matters.
    pub kind: &'static FindingKind,
    /// What was found.
    pub what: String,
    /// The command that mends it, or what to do; empty if nothing can be done.
    pub remedy: String,
}

impl Finding {
    /// Whether something does not work. `startxd status` has only problems and notes.
    #[must_use]
    pub fn is_problem(&self) -> bool {
        self.kind.severity == Severity::Error
    }

    /// What was found and what to do, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        if self.remedy.is_empty() { self.what.clone() } else { format!("{}; {}", self.what, self.remedy) }
    }

    /// The word for how much it matters in `startxd status`.
    #[must_use]
    pub fn status_word(&self) -> &'static str {
        if self.is_problem() { "problem" } else { "note" }
    }
}

/// Looks at everything, and returns what was found, area by area, and what machine it is.
pub async fn examine(loaded: &Loaded) -> (Vec<Finding>, Description) {
    let (machine, mut findings) = Machine::look(&loaded.config).await;
    let (terminal, server, access, session, lock, portals, units, multiplexers, environment, versions) = tokio::join!(
        terminal::examine(&machine),
        server::examine(&machine),
        host_access::examine(&machine),
        session::examine(&machine),
        lock::examine(&machine),
        portals::examine(&machine),
        units::examine(&machine),
        multiplexers::examine(&machine),
        environment::examine(&machine),
        versions::gather(&machine),
    );
    findings.extend(terminal);
    findings.extend(server);
    findings.extend(display::examine());
    findings.extend(access);
    findings.extend(session);
    findings.extend(autostart::examine(&machine).await);
    findings.extend(lock);
    findings.extend(portals);
    findings.extend(units);
    findings.extend(multiplexers);
    findings.extend(environment);
    findings.extend(snippets::examine(&machine));
    findings.extend(versions::judge(&versions));
    findings.extend(values::examine(&machine, loaded).await);
    findings.extend(loaded.complaints.iter().map(|complaint| {
        CONFIG_COMPLAINT.found(complaint.to_string(), format!("correct {}", complaint.file.display()))
    }));
    (findings, described::describe(&machine, &versions).await)
}
