//! Multiplexers, which are there with a session on a display and without; pure.

use std::fmt::Write;

use super::render::{describe, harmless};
use crate::multiplexer::survey::Multiplexers;

/// The lines about them, none if there are none.
#[must_use]
pub fn render(found: &Multiplexers) -> String {
    let mut text = String::new();
    let mut line = |label: &str, content: &str| {
        let _ = writeln!(text, "{label:>9}  {}", harmless(content));
    };
    for (session, place) in &found.sessions {
        let attached = match session.attached {
            None => String::new(),
            Some(0) => ", detached".to_owned(),
            Some(1) => ", attached".to_owned(),
            Some(count) => format!(", attached {count} times"),
        };
        line(session.kind.program(), &format!("{}{attached}{place}", session.name));
    }
    let units = found.units.iter().map(|(unit, state)| format!("{unit} {}", describe(state)));
    let units = units.collect::<Vec<_>>().join(", ");
    if !units.is_empty() {
        line("mux units", &units);
    }
    for silent in &found.silent {
        line("problem", silent);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::manager::UnitState;
    use crate::multiplexer::Kind;
    use crate::multiplexer::survey::{Multiplexers, Session};

    #[test]
    fn they_read_like_this() {
        assert_eq!(render(&Multiplexers::default()), "");
        let session = |kind, name: &str, attached| Session { kind, name: name.into(), attached };
        let state = UnitState { load: "loaded".into(), active: "active".into(), sub: "running".into(), job: None };
        let found = Multiplexers {
            units: vec![("tmux.service".into(), state.clone()), ("tmux@work.service".into(), state)],
            sessions: vec![
                (session(Kind::Tmux, "work", Some(2)), " (pid 7, in tmux.service)".into()),
                (session(Kind::Screen, "a\u{1b}[2J", Some(0)), String::new()),
                (session(Kind::Zellij, "z", None), String::new()),
            ],
            silent: vec!["the tmux server on /tmp/x does not answer (timed out)".into()],
        };
        let expected = "     tmux  work, attached 2 times (pid 7, in tmux.service)\n   screen  a?[2J, detached\n   zellij  z\n\
            mux units  tmux.service active, tmux@work.service active\n  problem  the tmux server on /tmp/x does not \
            answer (timed out)\n";
        assert_eq!(render(&found), expected);
    }
}
