//! The screen locker: one that is not there, two at once, and the machine's sleep.

use super::Finding;
use super::catalogue::{LOCK_MISSING, LOCK_NO_DELAY, LOCK_SLEEP, LOCK_TWO};
use super::machine::Machine;
use crate::logind::sleep;
use crate::manager::names;
use crate::session::Surroundings;

/// What there is.
#[derive(Debug, Default)]
struct LockFacts {
    /// The program of `lock.command`, and whether it is there.
    command: Option<(String, bool)>,
    /// The services that are enabled for `startxd-lock.target`.
    units: Vec<String>,
    /// Whether the screen has to be locked before a sleep, and logind waits for that; `None` if the machine cannot sleep,
    /// or need not be locked.
    is_delayed: Option<bool>,
}

/// Looks at what is to lock the screen.
pub async fn examine(machine: &Machine) -> Vec<Finding> {
    let program = machine.config.lock.command.first();
    let around = Surroundings::from_env();
    let mut facts = LockFacts {
        command: program.map(|program| (program.clone(), around.find(program).is_some())),
        units: Vec::new(),
        is_delayed: None,
    };
    if let Some(system) = machine.system.as_ref().filter(|_| !machine.is_root() && !machine.config.lock.sleeps_open)
        && machine.ask(sleep::is_possible(system)).await == Some(true)
    {
        // What it returns is closed at once, so nothing waits.
        facts.is_delayed =
            Some(machine.ask(sleep::delay(system, "startxd doctor asks whether it may")).await.is_some());
    }
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
    match facts.is_delayed {
        Some(_) if lockers.is_empty() => findings.push(LOCK_SLEEP.found(
            "startxd has nothing to lock the screen with before the machine sleeps, unless a program of yours does, as xss-lock",
            "set lock.command in startxd.toml; see: man startxd-lock",
        )),
        Some(false) => findings.push(LOCK_NO_DELAY.found(
            "systemd-logind does not let your programs delay a sleep, most likely since there is no polkit",
            "sudo apt install polkitd",
        )),
        Some(true) | None => {}
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
        let cases: [(_, _, _, &[&str]); 10] = [
            (None, Vec::new(), None, &[]),
            (None, Vec::new(), Some(true), &["lock.sleep"]),
            (None, Vec::new(), Some(false), &["lock.sleep"]),
            (command(true), Vec::new(), None, &[]),
            (command(true), Vec::new(), Some(true), &[]),
            (command(true), Vec::new(), Some(false), &["lock.no-delay"]),
            (None, unit(), Some(true), &[]),
            (command(false), Vec::new(), None, &["lock.missing"]),
            (command(true), unit(), Some(true), &["lock.two"]),
            (command(false), unit(), Some(false), &["lock.missing", "lock.two", "lock.no-delay"]),
        ];
        for (command, units, is_delayed, expected) in cases {
            let facts = LockFacts { command, units, is_delayed };
            let found: Vec<&str> = judge(&facts).iter().map(|finding| finding.kind.id).collect();
            assert_eq!(found, expected, "{facts:?}");
        }
    }
}
