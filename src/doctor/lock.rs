//! The screen locker: one that is not there, and two at once.

use super::Finding;
use super::catalogue::{LOCK_MISSING, LOCK_TWO};
use super::machine::Machine;
use crate::manager::names;
use crate::session::Surroundings;

/// What there is.
#[derive(Debug, Default)]
struct LockFacts {
    /// The program of `lock.command`, and whether it is there.
    command: Option<(String, bool)>,
    /// The services that are enabled for `startxd-lock.target`.
    units: Vec<String>,
}

/// Looks at what is to lock the screen.
pub async fn examine(machine: &Machine) -> Vec<Finding> {
    let program = machine.config.lock.command.first();
    let around = Surroundings::from_env();
    let mut facts = LockFacts {
        command: program.map(|program| (program.clone(), around.find(program).is_some())),
        units: Vec::new(),
    };
    if let Some(manager) = &machine.manager {
        let wanted = machine.ask(manager.wanted_by(names::LOCK_TARGET)).await.unwrap_or_default();
        for unit in wanted.into_iter().filter(|unit| unit.ends_with(".service")) {
            let simple = machine.ask(manager.is_oneshot(&unit)).await != Some(true);
            facts.units.extend(simple.then_some(unit));
        }
    }
    judge(&facts)
}

fn judge(facts: &LockFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some((program, false)) = &facts.command {
        findings.push(LOCK_MISSING.found(
            format!("lock.command names {program}, and there is no such program"),
            "install it, or correct lock.command in startxd.toml; see: startxd config show",
        ));
    }
    let mut lockers: Vec<String> =
        facts.command.iter().map(|(program, _)| format!("lock.command ({program})")).collect();
    lockers.extend(facts.units.iter().cloned());
    if lockers.len() > 1 {
        let last = facts.units.last().map_or("UNIT", String::as_str);
        findings.push(LOCK_TWO.found(
            format!("the screen has {} lockers: {}", lockers.len(), lockers.join(", ")),
            format!("systemctl --user disable {last}"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{LockFacts, judge};

    #[test]
    fn each_fault_is_found() {
        let command = |found| Some(("i3lock".to_owned(), found));
        let unit = || vec!["slock.service".to_owned()];
        let cases: [(_, _, &[&str]); 6] = [
            (None, Vec::new(), &[]),
            (command(true), Vec::new(), &[]),
            (None, unit(), &[]),
            (command(false), Vec::new(), &["lock.missing"]),
            (command(true), unit(), &["lock.two"]),
            (command(false), unit(), &["lock.missing", "lock.two"]),
        ];
        for (command, units, expected) in cases {
            let facts = LockFacts { command, units };
            let found: Vec<&str> = judge(&facts).iter().map(|finding| finding.kind.id).collect();
            assert_eq!(found, expected, "{facts:?}");
        }
    }
}
