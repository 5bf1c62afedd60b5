//! xdg-desktop-portal: what it needs to work (portals.conf(5)).

use std::path::PathBuf;

use super::catalogue::{PORTALS_NO_BACKEND, PORTALS_NO_CONFIG, PORTALS_NO_TARGET};
use super::machine::Machine;
use super::{Finding, environment, files};
use crate::manager::names;
use crate::xdg;

/// The portal's name on the bus.
const SERVICE: &str = "dbus-1/services/org.freedesktop.portal.Desktop.service";

/// What there is.
#[derive(Debug, Default)]
struct PortalFacts {
    /// Whether the portal is installed.
    installed: bool,
    /// The texts of its backends' files, `NAME.portal`.
    backends: Vec<String>,
    /// The names of the `portals.conf` files that exist.
    configurations: Vec<String>,
    /// `XDG_CURRENT_DESKTOP` of the session, or of this shell, in lower case.
    desktops: Vec<String>,
    /// The display in the user manager's environment, if it is alive.
    display: Option<String>,
    /// `ActiveState` of `graphical-session.target`.
    target: Option<String>,
}

/// Examines the portal.
pub async fn examine(machine: &Machine) -> Vec<Finding> {
    judge(&gather(machine).await).into_iter().collect()
}

async fn gather(machine: &Machine) -> PortalFacts {
    let all = |files: &xdg::XdgDirectories| {
        let own = files.own(xdg::variable).filter(|_| !machine.is_root());
        own.into_iter().chain(files.everybodys(xdg::variable))
    };
    let data: Vec<PathBuf> = all(&xdg::DATA).collect();
    if !data.iter().any(|directory| directory.join(SERVICE).exists()) {
        return PortalFacts::default();
    }
    let variable = |name: &str| machine.environment.as_ref().and_then(|environment| environment.get(name).cloned());
    let desktops = variable("XDG_CURRENT_DESKTOP").or_else(|| std::env::var("XDG_CURRENT_DESKTOP").ok());
    let desktops = desktops.unwrap_or_default().to_lowercase();
    let listed = |directory: &PathBuf, suffix: &str| {
        let paths = files::entries(directory).into_iter();
        paths.filter(|path| files::name(path).ends_with(suffix)).collect::<Vec<_>>()
    };
    let backends = data.iter().flat_map(|directory| listed(&directory.join("xdg-desktop-portal/portals"), ".portal"));
    let configurations = data
        .iter()
        .cloned()
        .chain(all(&xdg::CONFIGURATION))
        .chain(["/etc".into()])
        .flat_map(|directory| listed(&directory.join("xdg-desktop-portal"), "portals.conf"));
    let target = match &machine.manager {
        Some(manager) => machine.ask(manager.state(names::GRAPHICAL_SESSION)).await,
        None => None,
    };
    PortalFacts {
        installed: true,
        backends: backends.filter_map(|path| files::text(&path)).collect(),
        configurations: configurations.map(|path| files::name(&path).to_owned()).collect(),
        desktops: desktops.split(':').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        display: variable("DISPLAY").filter(|display| environment::is_alive(display)),
        target: target.map(|state| state.active),
    }
}

fn judge(facts: &PortalFacts) -> Option<Finding> {
    if !facts.installed {
        return None;
    }
    if let Some(display) = &facts.display
        && facts.target.as_deref().is_some_and(|state| state != "active")
    {
        return Some(PORTALS_NO_TARGET.found(
            format!("display {display} is up, but graphical-session.target is not"),
            "start the session by startxd start instead of startx, or run startxd attach in it",
        ));
    }
    if facts.backends.is_empty() {
        return Some(PORTALS_NO_BACKEND.found(
            "xdg-desktop-portal is installed without a backend",
            "install one: on Debian sudo apt install xdg-desktop-portal-gtk",
        ));
    }
    let desktop = facts.desktops.first()?;
    let configured = facts.configurations.iter().any(|name| {
        name == "portals.conf" || facts.desktops.iter().any(|desktop| *name == format!("{desktop}-portals.conf"))
    });
    let claimed = facts.backends.iter().any(|text| facts.desktops.iter().any(|desktop| is_for(text, desktop)));
    (!configured && !claimed).then(|| {
        PORTALS_NO_CONFIG.found(
            format!("no portals.conf says which backend the desktop {desktop:?} uses, and no installed backend is made for it"),
            "mkdir -p ~/.config/xdg-desktop-portal && printf '[preferred]\\ndefault=gtk\\n' > \
             ~/.config/xdg-desktop-portal/portals.conf",
        )
    })
}

/// Whether a backend's `UseIn=` names the desktop.
#[must_use]
pub fn is_for(text: &str, desktop: &str) -> bool {
    let lists = text.lines().filter_map(|line| line.trim().strip_prefix("UseIn="));
    lists.flat_map(|list| list.split(';')).any(|name| name.trim().eq_ignore_ascii_case(desktop))
}

#[cfg(test)]
mod tests {
    use super::{PortalFacts, judge};

    fn healthy() -> PortalFacts {
        PortalFacts {
            installed: true,
            backends: vec!["[portal]\nDBusName=a\nUseIn=gnome;Openbox\n".into()],
            configurations: Vec::new(),
            desktops: vec!["openbox".into()],
            display: Some(":0".into()),
            target: Some("active".into()),
        }
    }

    #[test]
    fn each_fault_is_found() {
        type Fault = fn(&mut PortalFacts);
        let cases: [(Fault, Option<&str>); 9] = [
            (|_| {}, None),
            (|f| f.target = Some("inactive".into()), Some("portals.no-target")),
            (|f| (f.target, f.display) = (Some("inactive".into()), None), None),
            (|f| f.backends.clear(), Some("portals.no-backend")),
            (|f| f.desktops = vec!["i3".into()], Some("portals.no-config")),
            (|f| f.desktops.clear(), None),
            (|f| (f.desktops, f.configurations) = (vec!["i3".into()], vec!["portals.conf".into()]), None),
            (|f| (f.desktops, f.configurations) = (vec!["i3".into()], vec!["i3-portals.conf".into()]), None),
            (|f| (f.installed, f.backends) = (false, Vec::new()), None),
        ];
        for (index, (fault, id)) in cases.into_iter().enumerate() {
            let mut facts = healthy();
            fault(&mut facts);
            assert_eq!(judge(&facts).map(|finding| finding.kind.id), id, "case {index}");
        }
    }
}
