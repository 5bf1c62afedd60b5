//! What is wrong, and what to do about it; pure.

use super::gather::{DisplayState, Snapshot};
use crate::doctor::Finding;
use crate::doctor::catalogue::{LOGIN_TYPE, SESSION_SERVICE, SESSION_UNWELL};
use crate::environment::block::Block;
use crate::manager::{UnitState, names};
use crate::x11::display::Display;

/// Judges a session.
#[must_use]
pub fn judge(snapshot: &Snapshot) -> Vec<Finding> {
    let mut findings = Findings::default();
    findings.host(snapshot);
    findings.server(snapshot);
    findings.window_manager(snapshot);
    findings.environment(snapshot.record.display, &snapshot.authority, &snapshot.environment);
    findings.into_list()
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn into_list(self) -> Vec<Finding> {
        self.0
    }

    /// Something does not work. Without a remedy, `what` says what will happen.
    pub(super) fn problem(&mut self, what: String, remedy: String) {
        self.0.push(SESSION_UNWELL.found(what, remedy));
    }

    fn host(&mut self, snapshot: &Snapshot) {
        let record = &snapshot.record;
        if snapshot.host.is_none() {
            let host = record.host;
            let what =
                format!("the host of this session (pid {host}) is gone; the next startxd start cleans up after it");
            self.problem(what, String::new());
        }
        match &snapshot.session {
            None => self.problem(format!("the login session {} has ended", record.session), String::new()),
            Some(session) if session.kind != "x11" => {
                let unit = session.unit().map_or_else(String::new, |unit| format!(" ({unit})"));
                let kind = &session.kind;
                self.0.push(LOGIN_TYPE.found(
                    format!(
                        "the session has type {kind:?} in logind, so programs may not treat it as a graphical session"
                    ),
                    format!("put Environment=XDG_SESSION_TYPE=x11 into the unit that opens it{unit}"),
                ));
            }
            Some(_) => {}
        }
    }

    fn server(&mut self, snapshot: &Snapshot) {
        let (unit, state) = &snapshot.server_unit;
        if state.active != "active" && !snapshot.is_starting() {
            self.problem(format!("{unit} is {}", state.active), format!("see: systemctl --user status {unit}"));
        }
        if let Some(server) = snapshot.server.as_ref().filter(|server| server.uid == 0) {
            let what = format!("the server (pid {}) runs as root", server.pid);
            self.problem(what, "check server.binary in startxd.toml".to_owned());
        }
    }

    fn window_manager(&mut self, snapshot: &Snapshot) {
        for (unit, state) in &snapshot.units {
            if state.active == "failed" {
                self.problem(format!("{unit} has failed"), format!("see: journalctl --user -b -u {unit}"));
            }
        }
        for failed in &snapshot.failed {
            let unit = &failed.unit;
            let what = match &failed.said {
                Some(said) => format!("{unit} has failed; its last line: {said}"),
                None => format!("{unit} has failed"),
            };
            self.0.push(SESSION_SERVICE.found(what, format!("see: systemctl --user status {unit}")));
        }
        if snapshot.is_starting() {
            return;
        }
        let again = "to start it again: startxd restart wm; for one that leaves no sign on the display: session.ready = \
                     \"started\" in startxd.toml";
        self.display(snapshot.record.display, &snapshot.display, again);
        self.graphical_session(&snapshot.display, snapshot.graphical_session());
    }

    /// That the display answers and is managed; `unmanaged` says what to do if it is not managed.
    pub(super) fn display(&mut self, display: Display, state: &DisplayState, unmanaged: &str) {
        match state {
            DisplayState::Unwell(why) => self.problem(format!("display {display} does not work: {why}"), String::new()),
            DisplayState::Up(None) => {
                self.problem(format!("no window manager manages display {display}"), unmanaged.to_owned());
            }
            DisplayState::Down | DisplayState::Up(Some(_)) => {}
        }
    }

    /// Takes the state of `graphical-session.target`, which should be active once the display is managed.
    pub(super) fn graphical_session(&mut self, display: &DisplayState, state: Option<&UnitState>) {
        let reached = state.is_some_and(|state| state.active == "active");
        // After a restart of the server it is started again.
        let comes = state.is_some_and(|state| state.job.as_deref() == Some("start"));
        if !reached && !comes && matches!(display, DisplayState::Up(Some(_))) {
            let target = names::GRAPHICAL_SESSION;
            self.problem(
                format!("{target} is not active, so portals and the services of the session are not running"),
                format!("see: systemctl --user status {target}"),
            );
        }
    }

    pub(super) fn environment(&mut self, display: Display, authority: &str, environment: &Block) {
        let expected = [("DISPLAY", display.to_string()), ("XAUTHORITY", authority.to_owned())];
        for (name, value) in expected {
            let what = match environment.get(name) {
                Some(found) if *found == value => continue,
                Some(found) => format!(
                    "the user manager has {name}={found}, but this session's is {value}: new programs use the wrong one"
                ),
                None => format!("the user manager has lost {name}"),
            };
            self.problem(what, "startxd env --repair".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::cli::status::failed::FailedUnit;
    use crate::cli::status::gather::DisplayState;
    use crate::cli::status::render::tests::healthy;
    use crate::doctor::Finding;

    #[test]
    fn a_healthy_session_has_no_findings() {
        assert_eq!(judge(&healthy()), []);
    }

    #[test]
    fn a_failed_unit_is_reported_with_its_last_line() {
        let mut snapshot = healthy();
        let failed = |unit: &str, said: Option<&str>| FailedUnit { unit: unit.into(), said: said.map(str::to_owned) };
        snapshot.failed =
            vec![failed("app-eyes@autostart.service", Some("cannot open display")), failed("bar.service", None)];
        let sentences: Vec<String> = judge(&snapshot).iter().map(Finding::sentence).collect();
        assert_eq!(sentences.len(), 2);
        for words in
            ["app-eyes@autostart.service has failed; its last line: cannot open display", "bar.service has failed"]
        {
            assert!(sentences.iter().any(|sentence| sentence.contains(words)), "{words}: {sentences:?}");
        }
    }

    #[test]
    fn a_session_that_is_starting_has_nothing_wrong() {
        let mut snapshot = healthy();
        snapshot.is_young = true;
        snapshot.server_unit.1.active = "activating".into();
        snapshot.display = DisplayState::Down;
        snapshot.targets[3].active = "inactive".into();
        assert_eq!(judge(&snapshot), []);
        snapshot.server_unit.1.active = "active".into();
        snapshot.display = DisplayState::Up(None);
        assert_eq!(judge(&snapshot), []);
        // Managed, and not ready yet; then its target is on its way.
        snapshot.display = healthy().display;
        assert_eq!(judge(&snapshot), []);
        snapshot.is_young = false;
        snapshot.targets[3].job = Some("start".into());
        assert_eq!(judge(&snapshot), []);
        (snapshot.is_young, snapshot.display) = (true, DisplayState::Up(None));
        // No host starts it, or it has taken too long.
        snapshot.host = None;
        assert_eq!(judge(&snapshot).len(), 2);
        let mut snapshot = healthy();
        snapshot.display = DisplayState::Up(None);
        let [finding] = &judge(&snapshot)[..] else { panic!() };
        assert!(finding.sentence().contains("to start it again: startxd restart wm"), "{}", finding.sentence());
    }

    #[test]
    fn each_fault_is_found() {
        type Fault = fn(&mut super::Snapshot);
        let faults: [(Fault, &str); 9] = [
            (|s| s.host = None, "host of this session"),
            (|s| s.session = None, "has ended"),
            (|s| s.server_unit.1.active = "failed".into(), "xorg@0.service is failed"),
            (|s| s.server.as_mut().unwrap().uid = 0, "runs as root"),
            (|s| s.display = DisplayState::Unwell("it does not answer".into()), "does not work"),
            (|s| s.display = DisplayState::Up(None), "no window manager"),
            (|s| s.units[0].1.active = "failed".into(), "has failed"),
            (|s| s.targets[3].active = "inactive".into(), "graphical-session.target is not active"),
            (|s| drop(s.environment.insert("DISPLAY".into(), ":9".into())), "DISPLAY=:9"),
        ];
        for (fault, words) in faults {
            let mut snapshot = healthy();
            fault(&mut snapshot);
            let findings = judge(&snapshot);
            let is_it = |finding: &Finding| finding.is_problem() && finding.sentence().contains(words);
            assert!(findings.iter().any(is_it), "{words}: {findings:?}");
        }
    }
}
