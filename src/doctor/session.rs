//! Graphical sessions: one that died, and one that another program started.

use super::Finding;
use super::catalogue::{SESSION_DEAD_HOST, SESSION_OTHER};
use super::machine::Machine;
use crate::host::repair;
use crate::manager::{UnitState, names};
use crate::records::session::SessionRecord;

/// What there is.
#[derive(Debug, Default)]
struct SessionFacts {
    /// The record of a session exists, and its host is dead.
    dead: bool,
    /// The record of a session exists.
    record: bool,
    /// `graphical-session.target`.
    target: Option<UnitState>,
    /// A display of another program is attached.
    attached: bool,
    /// The active units that are bound to it, which keep it up.
    holders: Vec<String>,
}

/// Looks for graphical sessions.
pub async fn examine(machine: &Machine) -> Vec<Finding> {
    judge(&gather(machine).await).into_iter().collect()
}

async fn gather(machine: &Machine) -> SessionFacts {
    let (Some(runtime), Some(manager)) = (&machine.runtime, &machine.manager) else { return SessionFacts::default() };
    let mut facts = SessionFacts {
        dead: repair::is_dead(runtime),
        record: !matches!(SessionRecord::of(runtime), Ok(None)),
        ..SessionFacts::default()
    };
    facts.target = machine.ask(manager.state(names::GRAPHICAL_SESSION)).await;
    if facts.is_up() {
        let attached = machine.ask(manager.state(names::ATTACHED)).await;
        facts.attached = attached.is_some_and(|state| !state.is_down());
        let bound = machine.ask(manager.bound_by(names::GRAPHICAL_SESSION)).await.unwrap_or_default();
        let units: Vec<&str> = bound.iter().map(String::as_str).collect();
        let states = machine.ask(manager.states(&units)).await.unwrap_or_default();
        let active = bound.iter().zip(&states).filter(|(_, state)| !state.is_down());
        facts.holders = active.map(|(unit, _)| unit.clone()).collect();
    }
    facts
}

impl SessionFacts {
    fn is_up(&self) -> bool {
        self.target.as_ref().is_some_and(|state| !state.is_down())
    }
}

fn judge(facts: &SessionFacts) -> Option<Finding> {
    if facts.dead {
        return Some(
            SESSION_DEAD_HOST.found(
                "a session of startxd has died and was not cleaned up",
                "the next startxd start cleans up first",
            ),
        );
    }
    if !facts.is_up() || facts.record || facts.attached {
        return None;
    }
    let target = names::GRAPHICAL_SESSION;
    let by = match facts.holders.as_slice() {
        [] => String::new(),
        holders => format!(", held by {}", holders.join(", ")),
    };
    let stop = facts.holders.first().map_or(target, String::as_str);
    Some(SESSION_OTHER.found(
        format!("a graphical session that startxd did not start is up ({target}{by})"),
        format!("log out of it, or end it: systemctl --user stop {stop}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::{SessionFacts, UnitState, judge};

    #[test]
    fn each_fault_is_found() {
        let state = |active: &str| {
            Some(UnitState { load: "loaded".into(), active: active.into(), sub: String::new(), job: None })
        };
        let cases = [
            (SessionFacts::default(), None),
            (SessionFacts { target: state("inactive"), ..SessionFacts::default() }, None),
            (SessionFacts { target: state("active"), record: true, ..SessionFacts::default() }, None),
            (SessionFacts { target: state("active"), attached: true, ..SessionFacts::default() }, None),
            (SessionFacts { target: state("active"), ..SessionFacts::default() }, Some("session.other")),
            (
                SessionFacts { target: state("active"), record: true, dead: true, ..SessionFacts::default() },
                Some("session.dead-host"),
            ),
        ];
        for (facts, id) in cases {
            assert_eq!(judge(&facts).map(|finding| finding.kind.id), id, "{facts:?}");
        }
        let facts =
            SessionFacts { target: state("active"), holders: vec!["kiosk.service".into()], ..SessionFacts::default() };
        let finding = judge(&facts).unwrap();
        assert!(finding.what.contains("held by kiosk.service") && finding.remedy.ends_with("stop kiosk.service"));
    }
}
