//! Variables that earlier sessions and other programs have left in the user manager's environment.

use std::path::Path;

use super::Finding;
use super::catalogue::{
    ENVIRONMENT_DEAD_COOKIE, ENVIRONMENT_DEAD_DISPLAY, ENVIRONMENT_DEAD_WAYLAND, ENVIRONMENT_LOGIN_VARIABLES,
};
use super::machine::Machine;
use crate::environment::Block;
use crate::environment::policy::{self, Tag};
use crate::records::attached::AttachedRecord;
use crate::records::session::SessionRecord;
use crate::x11::display::Display;
use crate::x11::occupied::{self, Taken};

/// What there is.
#[derive(Debug, Default)]
struct EnvironmentFacts {
    /// The environment.
    environment: Block,
    /// Whether `DISPLAY` is alive.
    display: bool,
    /// Whether the file of `XAUTHORITY` exists.
    cookie: bool,
    /// Whether `WAYLAND_DISPLAY` exists.
    wayland: bool,
    /// Whether a session is up, or a display attached.
    session: bool,
}

/// Examines the environment.
pub async fn examine(machine: &Machine) -> Vec<Finding> {
    let Some(environment) = &machine.environment else { return Vec::new() };
    let get = |name: &str| environment.get(name).map(String::as_str);
    let runtime = machine.runtime.as_ref().and_then(|runtime| runtime.bus_socket().parent().map(Path::to_owned));
    judge(&EnvironmentFacts {
        display: get("DISPLAY").is_some_and(is_alive),
        cookie: get("XAUTHORITY").is_some_and(|path| Path::new(path).exists()),
        // A relative name is below the runtime directory (wl_display_connect(3)); joining an absolute one leaves it
        // unchanged.
        wayland: get("WAYLAND_DISPLAY").zip(runtime).is_some_and(|(name, runtime)| runtime.join(name).exists()),
        session: machine.runtime.as_ref().is_some_and(|runtime| {
            matches!(SessionRecord::of(runtime), Ok(Some(_))) || AttachedRecord::of(runtime).is_some()
        }),
        environment: environment.clone(),
    })
}

/// Whether a server serves a display, given as in `$DISPLAY`. This opens no connection, which could start a server.
pub fn is_alive(display: &str) -> bool {
    // The screen does not matter.
    let name = display.split_once('.').map_or(display, |(name, _)| name);
    Display::parse(name).is_ok_and(|display| matches!(occupied::look(display), Ok(Taken::Bound { .. })))
}

fn judge(facts: &EnvironmentFacts) -> Vec<Finding> {
    let get = |name: &str| facts.environment.get(name);
    let unset = |names: &str| format!("systemctl --user unset-environment {names}");
    // Unsetting them would cut off the programs of a session that is up.
    let mend = |names: &str| if facts.session { "startxd env --repair".to_owned() } else { unset(names) };
    let mut findings = Vec::new();
    if let Some(display) = get("DISPLAY").filter(|_| !facts.display) {
        let what = if display.starts_with(':') || display.is_empty() {
            format!("the user manager has DISPLAY={display}, a display that does not exist")
        } else {
            format!(
                "the user manager has DISPLAY={display}, which is not a display of this machine (ssh -X sets such names)"
            )
        };
        findings.push(ENVIRONMENT_DEAD_DISPLAY.found(what, mend("DISPLAY XAUTHORITY")));
    } else if let Some(path) = get("XAUTHORITY").filter(|_| !facts.cookie) {
        findings.push(
            ENVIRONMENT_DEAD_COOKIE.found(
                format!("the user manager has XAUTHORITY={path}, a file that does not exist"),
                mend("XAUTHORITY"),
            ),
        );
    }
    if let Some(name) = get("WAYLAND_DISPLAY").filter(|_| !facts.wayland) {
        let what = format!("the user manager has WAYLAND_DISPLAY={name}, a display that does not exist");
        findings.push(ENVIRONMENT_DEAD_WAYLAND.found(what, unset("WAYLAND_DISPLAY")));
    }
    let names: Vec<&str> = policy::tagged(Tag::Login).filter(|name| get(name).is_some()).collect();
    if !names.is_empty() {
        let names = names.join(" ");
        let what = format!("the user manager has variables of a login: {names}");
        findings.push(ENVIRONMENT_LOGIN_VARIABLES.found(what, unset(&names)));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{EnvironmentFacts, is_alive, judge};

    #[test]
    fn each_fault_is_found() {
        let facts = |pairs: &[(&str, &str)], display, cookie, wayland| EnvironmentFacts {
            environment: pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            session: false,
            display,
            cookie,
            wayland,
        };
        let x = [("DISPLAY", ":0"), ("XAUTHORITY", "/a")];
        let cases = [
            (facts(&[("PATH", "/bin"), ("HOME", "/")], false, false, false), None),
            (facts(&x, true, true, false), None),
            (facts(&x, false, false, false), Some("environment.dead-display")),
            (facts(&[("DISPLAY", "localhost:10.0")], false, false, false), Some("environment.dead-display")),
            (facts(&x, true, false, false), Some("environment.dead-cookie")),
            (facts(&[("WAYLAND_DISPLAY", "wayland-0")], false, false, false), Some("environment.dead-wayland")),
            (facts(&[("WAYLAND_DISPLAY", "wayland-0")], false, false, true), None),
            (facts(&[("XDG_VTNR", "1"), ("SHLVL", "1")], false, false, false), Some("environment.login-variables")),
        ];
        for (facts, id) in cases {
            let ids: Vec<&str> = judge(&facts).iter().map(|finding| finding.kind.id).collect();
            assert_eq!(ids, Vec::from_iter(id), "{facts:?}");
        }
    }

    #[test]
    fn a_name_that_is_not_a_display_is_not_alive() {
        for display in ["", ":", "localhost:10.0", ":59535", ":59535.0", "x"] {
            assert!(!is_alive(display), "{display}");
        }
    }
}
