//! Multiplexers, which may run with or without a session on a display; pure.

use std::fmt::Write;

use super::json;
use super::render::{describe, harmless};
use crate::json::Json;
use crate::multiplexer::survey::Multiplexers;

/// The lines about them, none if there are none.
#[must_use]
pub fn render(found: &Multiplexers) -> String {
    let mut text = String::new();
    let mut line = |label: &str, content: &str| {
        let _ = writeln!(text, "{label:>9}  {}", harmless(content));
    };
    for (session, place) in &found.sessions {
        let place = place.as_ref().map(ToString::to_string).unwrap_or_default();
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
    let ended: Vec<&str> =
        found.units.iter().filter(|(_, state)| state.is_down()).map(|(unit, _)| unit.as_str()).collect();
    if !ended.is_empty() {
        line("remedy", &format!("to start it again: systemctl --user start {}", ended.join(" ")));
    }
    for silent in &found.silent {
        line("problem", silent);
    }
    text
}

/// The same for programs.
#[must_use]
pub fn json(found: &Multiplexers) -> Json {
    let sessions = found.sessions.iter().map(|(session, place)| {
        Json::Object(vec![
            ("kind", Json::text(session.kind.program())),
            ("name", Json::text(&session.name)),
            ("attached", json::number(session.attached)),
            ("pid", json::number(place.as_ref().map(|place| place.pid.as_raw()))),
            ("unit", Json::optional(place.as_ref().and_then(|place| place.unit.as_ref()))),
        ])
    });
    Json::Object(vec![
        ("sessions", Json::List(sessions.collect())),
        ("units", json::units(&found.units)),
        ("silent", Json::List(found.silent.iter().map(Json::text).collect())),
    ])
}

#[cfg(test)]
mod tests {
    use super::{json, render};
    use crate::manager::UnitState;
    use crate::multiplexer::Kind;
    use crate::multiplexer::service::Place;
    use crate::multiplexer::survey::{MultiplexerSession, Multiplexers};
    use crate::os::Pid;

    #[test]
    fn they_read_like_this() {
        assert_eq!(render(&Multiplexers::default()), "");
        let session = |kind, name: &str, attached| MultiplexerSession { kind, name: name.into(), attached };
        let state = UnitState { load: "loaded".into(), active: "active".into(), sub: "running".into(), job: None };
        let found = Multiplexers {
            units: vec![("tmux.service".into(), state.clone()), ("tmux@work.service".into(), state)],
            sessions: vec![
                (
                    session(Kind::Tmux, "work", Some(2)),
                    Some(Place { pid: Pid::from_raw(7), unit: Some("tmux.service".into()) }),
                ),
                (session(Kind::Screen, "a\u{1b}[2J", Some(0)), None),
                (session(Kind::Zellij, "z", None), None),
            ],
            silent: vec!["the tmux server on /tmp/x does not answer (timed out)".into()],
        };
        let expected = "     tmux  work, attached 2 times (pid 7, in tmux.service)\n   screen  a?[2J, detached\n   zellij  z\n\
            mux units  tmux.service active, tmux@work.service active\n  problem  the tmux server on /tmp/x does not \
            answer (timed out)\n";
        assert_eq!(render(&found), expected);
        // One that has ended is shown with the command that starts it.
        let mut ended = Multiplexers { units: found.units.clone(), ..Multiplexers::default() };
        (ended.units[1].1.active, ended.units[1].1.sub) = ("inactive".into(), "dead".into());
        assert_eq!(
            render(&ended),
            "mux units  tmux.service active, tmux@work.service inactive\n   remedy  to start it again: systemctl \
             --user start tmux@work.service\n"
        );
        let text = json(&found).to_string();
        for part in [
            r#"{"kind":"tmux","name":"work","attached":2,"pid":7,"unit":"tmux.service"}"#,
            r#"{"kind":"zellij","name":"z","attached":null,"pid":null,"unit":null}"#,
            r#""silent":["the tmux server"#,
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
