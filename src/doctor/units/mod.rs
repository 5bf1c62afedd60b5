//! Unit files of the user manager: what is enabled and cannot work.
//!
//! Read from the directories, as the manager reads them, because it does not tell of links that lead nowhere.

pub mod file;
mod tree;

use std::path::Path;

use super::Finding;
use super::catalogue::{UNITS_DANGLING, UNITS_MISSING_TARGET, UNITS_OOM, UNITS_TOO_EARLY};
use super::machine::Machine;
use crate::manager::names;
use crate::text::shell_word;
use crate::xdg;
use file::UnitFile;
use tree::{Tree, UnitLink};

/// Targets that are reached when there is a display, or on the way there.
const OF_A_DISPLAY: [&str; 5] = [
    names::GRAPHICAL_SESSION,
    names::GRAPHICAL_SESSION_PRE,
    names::XORG_TARGET,
    names::WM_TARGET,
    names::WM_READY_TARGET,
];

/// Looks at the unit files.
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

/// A window manager of one's own that goes with the first program that is killed for want of memory.
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
    // What is written and not enabled yet: the link would be made in vain.
    for (name, text) in tree.own_units() {
        let wanted = UnitFile::parse(&text).wanted_by();
        let missing = wanted.into_iter().filter(|target| tree.lacks(target));
        let missing = missing.filter(|target| !links.iter().any(|link| link.unit == name && link.of == *target));
        findings.extend(missing.map(|target| missing_target(&name, &target, true)));
    }
    findings
}

fn judge_link(tree: &Tree, link: &UnitLink) -> Option<Finding> {
    let UnitLink { of, unit, own, path } = link;
    if tree.lacks(of) {
        return Some(missing_target(unit, of, *own));
    }
    if tree.lacks(unit) {
        let what = format!("{unit} is enabled for {of} and does not exist");
        let path = shell_word(&path.to_string_lossy());
        return Some(UNITS_DANGLING.found(what, format!("{}rm {path}", if *own { "" } else { "sudo " })));
    }
    if of == "default.target" {
        let why = UnitFile::parse(&tree.text(unit)?).wants_display(&OF_A_DISPLAY)?;
        return Some(UNITS_TOO_EARLY.found(
            format!("{unit} is enabled for default.target, and has {why}"),
            enable_for(unit, "graphical-session.target", *own),
        ));
    }
    None
}

fn missing_target(unit: &str, target: &str, own: bool) -> Finding {
    let what = match target {
        "graphical.target" | "multi-user.target" => format!("{unit} has WantedBy={target}, which only the system has"),
        _ => format!("{unit} has WantedBy={target}, which your user manager does not have"),
    };
    let better = if target == "graphical.target" { "graphical-session.target" } else { "default.target" };
    UNITS_MISSING_TARGET.found(what, enable_for(unit, better, own))
}

/// How a unit is enabled for another target.
fn enable_for(unit: &str, target: &str, own: bool) -> String {
    // An instance has its template's file.
    let file = unit.split_once('@').map_or_else(
        || unit.to_owned(),
        |(name, rest)| format!("{name}@.{}", rest.rsplit_once('.').map_or("service", |(_, kind)| kind)),
    );
    let (manager, sudo) = if own { ("--user", "") } else { ("--global", "sudo ") };
    format!(
        "{sudo}systemctl {manager} disable {unit}; write WantedBy={target} into its [Install] ({sudo}systemctl {manager} \
         edit --full {file}); {sudo}systemctl {manager} enable {unit}"
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
        let tree = Tree::new(vec![own.clone(), system.clone()], 1);
        assert_eq!(judge(&tree), []);

        write("own/early.service", "[Unit]\nAfter=a.target \\\n graphical-session.target\n");
        link("own/default.target.wants/early.service", "../early.service");
        link("own/default.target.wants/gone.service", "/nowhere");
        write("own/late.service", "[Install]\nWantedBy=graphical.target\n");
        link("system/multi-user.target.requires/fine.service", "../fine.service");
        let said: Vec<(&str, String)> =
            judge(&tree).into_iter().map(|f| (f.kind.id, f.what + "|" + &f.remedy)).collect();
        let expected = [
            ("units.too-early", "has After=graphical-session.target"),
            ("units.dangling", "gone.service is enabled for default.target and does not exist|rm "),
            ("units.missing-target", "which only the system has|sudo systemctl --global disable fine.service"),
            ("units.missing-target", "late.service has WantedBy=graphical.target"),
        ];
        assert_eq!(said.len(), expected.len(), "{said:#?}");
        for ((id, text), (expected, words)) in said.iter().zip(expected) {
            assert!(*id == expected && text.contains(words), "{expected}, {words}: {said:#?}");
        }
    }
}
