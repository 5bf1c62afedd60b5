//! Unit files of the user manager: units that are enabled and cannot work.
//!
//! Read from the directories, as the manager reads them, because the manager does not report dangling links.

pub mod file;
mod tree;

use std::path::Path;

use super::Finding;
use super::catalogue::{UNITS_DANGLING, UNITS_LEFTOVER, UNITS_MISSING_TARGET, UNITS_OOM, UNITS_TOO_EARLY};
use super::machine::Machine;
use crate::manager::names;
use crate::text::shell_word;
use crate::xdg;
use file::UnitFile;
use tree::{MadeBy, Tree, UnitLink};

/// Targets that are reached when a display is up, or shortly before.
const OF_A_DISPLAY: [&str; 5] = [
    names::GRAPHICAL_SESSION,
    names::GRAPHICAL_SESSION_PRE,
    names::XORG_TARGET,
    names::WM_TARGET,
    names::WM_READY_TARGET,
];

/// Examines the unit files.
pub async fn examine(machine: &Machine) -> Vec<Finding> {
    let runtime = machine.runtime.as_ref().filter(|_| !machine.is_root());
    let Some(tree) = runtime.and_then(Tree::of_user) else { return Vec::new() };
    let mut findings = judge(&tree);
    let (Some(manager), Some(configuration)) = (&machine.manager, xdg::CONFIGURATION.own(xdg::variable)) else {
        return findings;
    };
    // As the manager sees them, with all drop-ins.
    let wanted = machine.ask(manager.wanted_by(names::WM_TARGET)).await.unwrap_or_default();
    for unit in wanted.iter().filter(|unit| unit.ends_with(".service")) {
        let loaded = machine.ask(manager.state(unit)).await.is_some_and(|state| state.load == "loaded");
        let policy = if loaded { machine.ask(manager.oom_policy(unit)).await } else { None };
        findings.extend(
            policy.filter(|policy| policy != "continue").map(|policy| stops_all(unit, &policy, &configuration)),
        );
    }
    findings
}

/// A window manager whose unit ends with the first program in it that is killed for lack of memory.
fn stops_all(unit: &str, policy: &str, configuration: &Path) -> Finding {
    let directory = shell_word(&configuration.join(format!("systemd/user/{unit}.d")).to_string_lossy());
    UNITS_OOM.found(
        format!("{unit}, the window manager, has OOMPolicy={policy}"),
        format!(
            "mkdir -p {directory} && printf '[Service]\\nOOMPolicy=continue\\n' > {directory}/oom.conf && systemctl --user \
             daemon-reload"
        ),
    )
}

fn judge(tree: &Tree) -> Vec<Finding> {
    let links = tree.links();
    let mut findings: Vec<Finding> = links.iter().filter_map(|link| judge_link(tree, link)).collect();
    // Units that are written and not enabled yet: their links would have no effect.
    for (name, text) in tree.own_units() {
        let wanted = UnitFile::parse(&text).wanted_by();
        let missing = wanted.into_iter().filter(|target| tree.lacks(target));
        let missing = missing.filter(|target| !links.iter().any(|link| link.unit == name && link.of == *target));
        findings.extend(missing.map(|target| missing_target(&name, &target)));
    }
    findings.extend(leftovers(tree, &links));
    findings
}

/// What is wrong with a link that can start its unit, or that the user made.
fn judge_link(tree: &Tree, link: &UnitLink) -> Option<Finding> {
    let UnitLink { of, unit, by, path } = link;
    if tree.lacks(of) || tree.lacks(unit) {
        // For the other links see `leftovers`.
        if *by != MadeBy::User {
            return None;
        }
        if tree.lacks(of) {
            return Some(missing_target(unit, of));
        }
        let what = format!("{unit} is enabled for {of}, but does not exist");
        return Some(UNITS_DANGLING.found(what, format!("rm {}", shell_word(&path.to_string_lossy()))));
    }
    if of == "default.target" {
        let why = UnitFile::parse(&tree.text(unit)?).wants_display(&OF_A_DISPLAY)?;
        let better = names::GRAPHICAL_SESSION;
        let remedy = match by {
            MadeBy::User => enable_for(unit, better),
            // The file is not the user's to edit. A link of the user adds the unit to the right target.
            MadeBy::Administrator => {
                format!("sudo systemctl --global disable {unit}; systemctl --user add-wants {better} {unit}")
            }
            MadeBy::Package => {
                let mask = shell_word(&format!("/etc/systemd/user/{of}.wants/{unit}"));
                format!("sudo ln -sf /dev/null {mask}; systemctl --user add-wants {better} {unit}")
            }
        };
        return Some(UNITS_TOO_EARLY.found(format!("{unit} is enabled for {of}, but has {why}"), remedy));
    }
    None
}

/// Units that packages have enabled, or left enabled, and that are not installed: one finding for all of them.
fn leftovers(tree: &Tree, links: &[UnitLink]) -> Option<Finding> {
    // A link that is part of a package is for another package, which may or may not be installed.
    let links = links.iter().filter(|link| link.by == MadeBy::Administrator);
    let left: Vec<&UnitLink> = links.filter(|link| tree.lacks(&link.of) || tree.lacks(&link.unit)).collect();
    if left.is_empty() {
        return None;
    }
    let what: Vec<String> = left.iter().map(|link| format!("{} (for {})", link.unit, link.of)).collect();
    let paths: Vec<String> = left.iter().map(|link| shell_word(&link.path.to_string_lossy())).collect();
    Some(UNITS_LEFTOVER.found(
        format!("units that do not exist are enabled for all users: {}", what.join(", ")),
        format!("nothing has to be done; to remove the links: sudo rm {}", paths.join(" ")),
    ))
}

fn missing_target(unit: &str, target: &str) -> Finding {
    let what = match target {
        "graphical.target" | "multi-user.target" => {
            format!("{unit} has WantedBy={target}, which only the system manager has")
        }
        _ => format!("{unit} has WantedBy={target}, which your user manager does not have"),
    };
    let better = if target == "graphical.target" { names::GRAPHICAL_SESSION } else { "default.target" };
    UNITS_MISSING_TARGET.found(what, enable_for(unit, better))
}

/// How to enable a unit of the user for another target.
fn enable_for(unit: &str, target: &str) -> String {
    // An instance uses its template's file.
    let file = unit.split_once('@').map_or_else(
        || unit.to_owned(),
        |(name, rest)| format!("{name}@.{}", rest.rsplit_once('.').map_or("service", |(_, kind)| kind)),
    );
    format!(
        "systemctl --user disable {unit}; write WantedBy={target} into its [Install] (systemctl --user edit --full {file}); \
         systemctl --user enable {unit}"
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::judge;
    use super::tree::Tree;
    use crate::test_dir::TestDir;

    #[test]
    fn each_fault_is_found() {
        let dir = TestDir::new();
        let (own, system) = (dir.path("own"), dir.path("system"));
        let write = |path: &str, text: &str| {
            let path = dir.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let link = |path: &str, to: &str| {
            let path = dir.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(to, path).unwrap();
        };
        for target in ["default.target", "graphical-session.target", "wm.target"] {
            write(&format!("system/{target}"), "");
        }
        write("system/fine.service", "[Install]\nWantedBy=default.target\n");
        write("system/template@.service", "");
        link("own/default.target.wants/fine.service", "/elsewhere/that/does/not/matter");
        link("own/default.target.wants/template@a.service", "/x");
        link("own/wm.target.wants/masked.service", "/x");
        link("own/masked.service", "/dev/null");
        let tree = Tree::new(vec![own.clone(), dir.path("etc"), system.clone()], 1);
        assert_eq!(judge(&tree), []);

        write("own/early.service", "[Unit]\nAfter=a.target \\\n graphical-session.target\n");
        link("own/default.target.wants/early.service", "../early.service");
        link("own/default.target.wants/gone.service", "/nowhere");
        write("own/late.service", "[Install]\nWantedBy=graphical.target\n");
        // A package contains this link for another package, which is not installed.
        link("system/gnome-session.target.wants/fine.service", "../fine.service");
        link("etc/multi-user.target.requires/fine.service", "/system/fine.service");
        link("etc/default.target.wants/left.service", "/system/left.service");
        write("system/vendor.service", "[Unit]\nPartOf=graphical-session.target\n");
        link("etc/default.target.wants/vendor.service", "/system/vendor.service");
        let said: Vec<(&str, String)> =
            judge(&tree).into_iter().map(|f| (f.kind.id, f.what + "|" + &f.remedy)).collect();
        let expected = [
            ("units.too-early", "has After=graphical-session.target"),
            ("units.dangling", "gone.service is enabled for default.target, but does not exist|rm "),
            // The file of a package must not be edited.
            (
                "units.too-early",
                "PartOf=graphical-session.target|sudo systemctl --global disable vendor.service; systemctl --user add-wants \
                 graphical-session.target vendor.service",
            ),
            ("units.missing-target", "late.service has WantedBy=graphical.target"),
            (
                "units.leftover",
                "left.service (for default.target), fine.service (for multi-user.target)|nothing has to be",
            ),
        ];
        assert_eq!(said.len(), expected.len(), "{said:#?}");
        for ((id, text), (expected, words)) in said.iter().zip(expected) {
            assert!(*id == expected && text.contains(words), "{expected}, {words}: {said:#?}");
        }
    }
}
