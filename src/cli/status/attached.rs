//! A display that another program has started, and that `startxd attach` has given to the user manager.

use super::Connected;
use super::gather::{self, DisplayState, NotGathered};
use super::judge::Findings;
use super::render::{self, Rows};
use crate::doctor::Finding;
use crate::environment::block::Block;
use crate::json::Json;
use crate::manager::{NoManager, UnitState, names};
use crate::records::attached::AttachedRecord;
use crate::runtime_dir::RuntimeDir;
use crate::x11::display::Display;
use crate::x11::xauthority;

/// The targets that come with it, in the order in which they are reached.
const TARGETS: [&str; 4] =
    [names::XORG_TARGET, names::GRAPHICAL_SESSION_PRE, names::GRAPHICAL_SESSION, names::WM_READY_TARGET];

/// Everything that is shown.
#[derive(Debug, Clone)]
pub struct AttachedSnapshot {
    /// The display.
    display: Display,
    /// Its authority file.
    authority: String,
    /// The names that were exported for it.
    exported: Vec<String>,
    /// What watches it.
    watch: UnitState,
    /// What it says itself.
    state: DisplayState,
    /// The states of [`TARGETS`].
    targets: Vec<UnitState>,
    /// The manager's environment.
    environment: Block,
}

/// Gathers everything; `None` if nothing is attached.
///
/// # Errors
/// [`NotGathered::Manager`].
pub(super) async fn gather(runtime: &RuntimeDir, manager: &Connected) -> Result<Option<AttachedSnapshot>, NotGathered> {
    let Some(attached) = AttachedRecord::of(runtime) else { return Ok(None) };
    let manager = manager.as_ref().map_err(Clone::clone)?;
    let (environment, targets, watch) =
        tokio::join!(manager.environment(), manager.states(&TARGETS), manager.state(names::ATTACHED));
    let cookie = xauthority::cookie_in(&attached.authority, attached.display);
    Ok(Some(AttachedSnapshot {
        state: gather::ask_display(attached.display, cookie, manager).await,
        display: attached.display,
        authority: attached.authority.display().to_string(),
        exported: attached.exported,
        watch: watch.map_err(NoManager::silent)?,
        targets: targets.map_err(NoManager::silent)?,
        environment: environment.map_err(NoManager::silent)?,
    }))
}

impl AttachedSnapshot {
    /// What is wrong with it.
    #[must_use]
    pub fn judge(&self) -> Vec<Finding> {
        let mut findings = Findings::default();
        if self.watch.active != "active" {
            let (unit, active, display) = (names::ATTACHED, &self.watch.active, self.display);
            findings.problem(
                format!("{unit} is {active}, so nothing notices the end of display {display}"),
                format!("see: systemctl --user status {unit}; to detach the display: startxd detach"),
            );
        }
        findings.display(self.display, &self.state, "start a window manager on it");
        findings.graphical_session(&self.state, gather::graphical_session(&TARGETS, &self.targets));
        findings.environment(self.display, &self.authority, &self.environment);
        findings.into_list()
    }

    /// The state in one line.
    #[must_use]
    pub fn headline(&self) -> String {
        let name = render::manager_name(&self.state, "a display");
        format!("{name} on {}, attached; another program started the display", self.display)
    }

    /// The rows of `startxd status`.
    #[must_use]
    pub fn rows(&self) -> Rows {
        vec![
            ("attached", format!("display {}, watched by {}, {}", self.display, names::ATTACHED, self.watch.active)),
            ("manager", render::window_manager(&self.state)),
            ("targets", render::targets(&TARGETS, &self.targets)),
            ("exported", render::exported(&self.environment, &self.exported)),
        ]
    }

    /// The members of `startxd status --json`.
    #[must_use]
    pub fn members(&self) -> Vec<(&'static str, Json)> {
        vec![
            ("display", super::json::display(self.display, &self.state)),
            ("window_manager", super::json::window_manager(&self.state)),
            ("units", super::json::units(&[(names::ATTACHED.to_owned(), self.watch.clone())])),
            ("targets", super::json::targets(&TARGETS, &self.targets)),
            ("exported", super::json::exported(&self.environment, &self.exported)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::{AttachedSnapshot, DisplayState, TARGETS};
    use crate::cli::status::render::tests::active;
    use crate::environment;
    use crate::x11::display::Display;
    use crate::x11::managed::{Sign, WindowManager};

    fn healthy() -> AttachedSnapshot {
        let (display, authority) = (Display::parse(":0").unwrap(), "/home/ada/.Xauthority");
        let manager = WindowManager { sign: Sign::Ewmh, name: Some("Openbox".into()), pid: None };
        AttachedSnapshot {
            display,
            authority: authority.into(),
            exported: vec!["DISPLAY".into()],
            watch: active(),
            state: DisplayState::Up(Some((manager, None))),
            targets: vec![active(); TARGETS.len()],
            environment: environment::of_display(display, authority.as_ref()),
        }
    }

    #[test]
    fn each_fault_is_found() {
        type Fault = fn(&mut AttachedSnapshot);
        let faults: [(Fault, &str); 5] = [
            (|s| s.watch.active = "failed".into(), "startxd-attached.service is failed"),
            (|s| s.state = DisplayState::Unwell("it does not answer".into()), "display :0 does not work"),
            (|s| s.state = DisplayState::Up(None), "no window manager"),
            (|s| s.targets[2].active = "inactive".into(), "graphical-session.target is not active"),
            (|s| drop(s.environment.remove("XAUTHORITY")), "lost XAUTHORITY"),
        ];
        assert_eq!(healthy().judge(), []);
        for (fault, words) in faults {
            let mut snapshot = healthy();
            fault(&mut snapshot);
            let findings = snapshot.judge();
            assert!(findings.len() == 1 && findings[0].sentence().contains(words), "{words}: {findings:?}");
        }
    }
}
