//! The screen locker: one that is missing, two at once, and the machine's sleep.

use super::Finding;
use super::catalogue::{LOCK_IDLE_ACTION, LOCK_MISSING, LOCK_NO_DELAY, LOCK_SLEEP, LOCK_TWO, LOCK_XSS_LOCK};
use super::machine::Machine;
use super::xss_lock::{self, XssLock};
use crate::logind::{self, sleep};
use crate::manager::names;
use crate::session::Surroundings;

/// The session types that logind accepts an idle hint from (`SESSION_TYPE_IS_GRAPHICAL`, logind-session.h).
const GRAPHICAL: [&str; 3] = ["x11", "wayland", "mir"];

/// The facts.
#[derive(Debug, Default)]
struct LockFacts {
    /// The program of `lock.command`, and whether it is installed.
    command: Option<(String, bool)>,
    /// The services that are enabled for `startxd-lock.target`.
    units: Vec<String>,
    /// An xss-lock that is running, or that i3's configuration starts.
    xss_lock: Option<XssLock>,
    /// Whether logind lets us delay a sleep so that the screen can be locked; `None` if the machine cannot sleep, or
    /// the screen need not be locked.
    is_delayed: Option<bool>,
    /// What logind does when everything is idle, and the session's type if logind accepts no hint from it.
    idle_action: Option<(String, String)>,
}

/// Examines what locks the screen.
pub async fn examine(machine: &Machine) -> Vec<Finding> {
    let program = machine.config.lock.command.first();
    let around = Surroundings::from_env();
    let mut facts = LockFacts {
        command: program.map(|program| (program.clone(), around.find(program).is_some())),
        units: Vec::new(),
        xss_lock: if machine.is_root() { None } else { xss_lock::find(machine) },
        is_delayed: None,
        idle_action: None,
    };
    if let (Some(system), Some(session)) = (&machine.system, &machine.session)
        && !GRAPHICAL.contains(&session.kind.as_str())
    {
        let action = machine.ask(logind::idle_action(system)).await.filter(|action| action != "ignore");
        facts.idle_action = action.map(|action| (action, session.kind.clone()));
    }
    if let Some(system) = machine.system.as_ref().filter(|_| !machine.is_root() && !machine.config.lock.sleeps_open)
        && machine.ask(sleep::is_possible(system)).await == Some(true)
    {
        // The inhibitor is closed at once, so nothing waits.
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
            format!("the program of lock.command, {program}, is not installed"),
            "install it, or correct lock.command in startxd.toml; see: startxd config show",
        ));
    }
    let mut lockers: Vec<String> =
        facts.command.iter().map(|(program, _)| format!("lock.command ({program})")).collect();
    lockers.extend(facts.units.iter().cloned());
    let are_ours = !lockers.is_empty();
    lockers.extend(facts.xss_lock.iter().map(|one| one.place.trim_end_matches(',').to_owned()));
    if lockers.len() > 1 {
        let remedy = match facts.units.last() {
            _ if facts.xss_lock.is_some() => "remove what starts xss-lock from your configuration".to_owned(),
            Some(last) => format!("systemctl --user disable {last}"),
            None => "systemctl --user disable UNIT".to_owned(),
        };
        let all = lockers.join(", ");
        findings.push(LOCK_TWO.found(format!("the screen has {} lockers: {all}", lockers.len()), remedy));
    }
    if let Some(XssLock { place, has_session: false }) = facts.xss_lock.as_ref().filter(|_| !are_ours) {
        findings.push(LOCK_XSS_LOCK.found(
            format!("{place} lacks --session, and so finds no login session"),
            "replace it by lock.command in startxd.toml, or run it with --session $XDG_SESSION_ID; see: man startxd-lock",
        ));
    }
    if let Some((action, kind)) = &facts.idle_action {
        findings.push(LOCK_IDLE_ACTION.found(
            format!("IdleAction={action} of logind.conf acts on this session of type {kind:?} even while you type"),
            "set IdleAction=ignore in /etc/systemd/logind.conf, and idle.lock in startxd.toml, or correct the type: see login.type",
        ));
    }
    match facts.is_delayed {
        Some(_) if !are_ours && facts.xss_lock.is_none() => findings.push(LOCK_SLEEP.found(
            "startxd cannot lock the screen before a sleep; only a program of yours, such as xss-lock, would",
            "set lock.command in startxd.toml; see: man startxd-lock",
        )),
        Some(false) => findings.push(LOCK_NO_DELAY.found(
            "systemd-logind does not let your programs delay a sleep; most likely polkit is not installed",
            "sudo apt install polkitd",
        )),
        Some(true) | None => {}
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{LockFacts, XssLock, judge};

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
            let facts = LockFacts { command, units, is_delayed, ..LockFacts::default() };
            let found: Vec<&str> = judge(&facts).iter().map(|finding| finding.kind.id).collect();
            assert_eq!(found, expected, "{facts:?}");
        }
        let xss_lock = |has_session| Some(XssLock { place: "the xss-lock of i3".to_owned(), has_session });
        for (command, has_session, expected) in [
            (None, false, vec!["lock.xss-lock"]),
            (None, true, Vec::new()),
            (command(true), false, vec!["lock.two"]),
            (command(true), true, vec!["lock.two"]),
        ] {
            let is_delayed = Some(true);
            let facts = LockFacts { command, xss_lock: xss_lock(has_session), is_delayed, ..LockFacts::default() };
            let found: Vec<&str> = judge(&facts).iter().map(|finding| finding.kind.id).collect();
            assert_eq!(found, expected, "{facts:?}");
        }
        let idle_action = Some(("lock".to_owned(), "tty".to_owned()));
        let found = judge(&LockFacts { idle_action, ..LockFacts::default() });
        assert_eq!(found.iter().map(|finding| finding.kind.id).collect::<Vec<_>>(), ["lock.idle-action"]);
    }
}
