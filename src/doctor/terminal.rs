//! Other users of the terminal: a display manager, a getty beside the login.

use super::Finding;
use super::catalogue::{TERMINAL_DISPLAY_MANAGER, TERMINAL_DISPLAY_MANAGER_ENABLED, TERMINAL_GETTY};
use super::machine::Machine;
use crate::logind;
use crate::os::Pid;
use crate::records::session::SessionRecord;

/// The alias of every display manager (systemd.special(7)).
const DISPLAY_MANAGER: &str = "display-manager.service";

/// Where `systemctl enable` creates that alias.
const ENABLED: &str = "/etc/systemd/system/display-manager.service";

/// What there is.
#[derive(Debug, Default, PartialEq, Eq)]
struct TerminalFacts {
    /// `ActiveState` of the display manager.
    display_manager: Option<String>,
    /// The unit that the alias leads to, if one is enabled.
    enabled: Option<String>,
    /// The PAM service that opened the login of the graphical session, or this one; a greeter's has the name of its program.
    opened_by: Option<String>,
    /// The login's terminal, the process that opened the session, and the main process of the getty there.
    getty: Option<(u32, Pid, Pid)>,
}

/// Looks for other users of the terminal.
pub async fn examine(machine: &Machine) -> Vec<Finding> {
    judge(&gather(machine).await)
}

async fn gather(machine: &Machine) -> TerminalFacts {
    let enabled = std::fs::read_link(ENABLED).ok();
    let enabled = enabled.and_then(|link| Some(link.file_name()?.to_string_lossy().into_owned()));
    let mut facts = TerminalFacts { enabled, ..TerminalFacts::default() };
    let Some(manager) = machine.system_manager() else { return facts };
    facts.display_manager = machine.ask(manager.state(DISPLAY_MANAGER)).await.map(|state| state.active);
    facts.opened_by = opened_by(machine).await;
    if let (Some(session), Some(bus)) = (&machine.session, &machine.system)
        && let Some(vt) = session.vt
    {
        let unit = format!("getty@tty{vt}.service");
        let leader = machine.ask(logind::leader(bus, &session.path)).await.flatten();
        let getty = machine.ask(manager.main_pid(&unit)).await.flatten();
        facts.getty = leader.zip(getty).map(|(leader, getty)| (vt, leader, getty));
    }
    facts
}

/// The service of [`TerminalFacts::opened_by`]. A terminal window is in no login, so the graphical session's counts first.
async fn opened_by(machine: &Machine) -> Option<String> {
    let record = machine.runtime.as_ref().and_then(|runtime| SessionRecord::of(runtime).ok().flatten());
    match (record, &machine.system) {
        (Some(record), Some(bus)) => Some(machine.ask(logind::session_by_id(bus, &record.session)).await?.service),
        _ => machine.session.as_ref().map(|session| session.service.clone()),
    }
}

impl TerminalFacts {
    /// Whether the display manager is a greeter that opened this login, as greetd is for `startxd start`: it is no
    /// other user of the terminal.
    fn greets(&self) -> bool {
        let program = self.enabled.as_deref().and_then(|unit| unit.strip_suffix(".service"));
        program.is_some() && program == self.opened_by.as_deref()
    }

    /// What is to be said of the display manager.
    fn of_display_manager(&self) -> Option<Finding> {
        let name = self.enabled.as_deref().unwrap_or(DISPLAY_MANAGER);
        let state = self.display_manager.as_deref();
        if self.greets() {
            None
        } else if state.is_some_and(|state| matches!(state, "active" | "activating" | "reloading")) {
            Some(TERMINAL_DISPLAY_MANAGER.found(
                format!("a display manager is up ({name})"),
                format!(
                    "sudo systemctl disable {name}, save your work and reboot; or at once, \
                     which kills every desktop that it started, perhaps also this one: sudo systemctl disable \
                     --now {name}"
                ),
            ))
        } else if self.enabled.is_some() {
            let remedy = format!("sudo systemctl disable {name}");
            Some(TERMINAL_DISPLAY_MANAGER_ENABLED.found(format!("a display manager is enabled ({name})"), remedy))
        } else {
            None
        }
    }
}

fn judge(facts: &TerminalFacts) -> Vec<Finding> {
    let mut findings = Vec::from_iter(facts.of_display_manager());
    if let Some((vt, leader, getty)) = facts.getty
        && leader != getty
    {
        findings.push(TERMINAL_GETTY.found(
            format!(
                "getty@tty{vt}.service (pid {getty}) runs on tty{vt} beside your login (pid {leader})"
            ),
            format!(
                "add Conflicts=getty@tty{vt}.service to the unit that opens your login, and log in again; the getty can be \
                 stopped at once, but that may hang up this login: sudo systemctl stop getty@tty{vt}.service"
            ),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{TerminalFacts, judge};
    use crate::os::Pid;

    /// People may run a remedy before they have read all of it, so the first command must end nothing.
    #[test]
    fn a_remedy_that_ends_sessions_says_so_first() {
        let pid = Pid::from_raw;
        let facts = TerminalFacts {
            display_manager: Some("active".into()),
            enabled: Some("lightdm.service".into()),
            getty: Some((1, pid(7), pid(8))),
            ..TerminalFacts::default()
        };
        let words = [("--now", "kills every desktop"), ("systemctl stop", "may hang up this login")];
        for (finding, (ending, warning)) in judge(&facts).iter().zip(words) {
            let (ending, warning) = (finding.remedy.find(ending), finding.remedy.find(warning));
            assert!(warning.is_some() && warning < ending, "{}", finding.remedy);
        }
    }

    #[test]
    fn each_fault_is_found() {
        let pid = Pid::from_raw;
        let cases = [
            (TerminalFacts { display_manager: Some("inactive".into()), ..TerminalFacts::default() }, None),
            (TerminalFacts { getty: Some((1, pid(7), pid(7))), ..TerminalFacts::default() }, None),
            (TerminalFacts { getty: Some((1, pid(7), pid(8))), ..TerminalFacts::default() }, Some("terminal.getty")),
            (
                TerminalFacts { display_manager: Some("active".into()), ..TerminalFacts::default() },
                Some("terminal.display-manager"),
            ),
            (
                TerminalFacts {
                    display_manager: Some("active".into()),
                    enabled: Some("greetd.service".into()),
                    opened_by: Some("greetd".into()),
                    ..TerminalFacts::default()
                },
                None,
            ),
            (
                TerminalFacts {
                    display_manager: Some("active".into()),
                    enabled: Some("greetd.service".into()),
                    opened_by: Some("login".into()),
                    ..TerminalFacts::default()
                },
                Some("terminal.display-manager"),
            ),
            (
                TerminalFacts { enabled: Some("sddm.service".into()), ..TerminalFacts::default() },
                Some("terminal.display-manager-enabled"),
            ),
        ];
        for (facts, id) in cases {
            let ids: Vec<&str> = judge(&facts).iter().map(|finding| finding.kind.id).collect();
            assert_eq!(ids, Vec::from_iter(id), "{facts:?}");
        }
    }
}
