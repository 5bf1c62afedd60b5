//! What a display's variables do to what a multiplexer has; pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::environment::Block;

/// The variables that are told.
pub const TOLD: [&str; 4] = ["DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK"];

/// By this variable a login by ssh is known.
pub const SSH_CONNECTION: &str = "SSH_CONNECTION";

/// What tmux has of a variable, in its global environment or in that of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PreviousValue {
    /// Marked to be taken out of what new panes get (`set-environment -r`).
    Removed,
    /// This value.
    Value(String),
}

/// The variables of [`TOLD`], and [`SSH_CONNECTION`], that one environment of tmux has.
pub type Scope = BTreeMap<String, PreviousValue>;

/// Takes the output of `show-environment -s` and returns what of it is of interest.
///
/// Without `-s` it would have values as they are, and a line of one that has several could be taken for a variable.
#[must_use]
pub fn parse(text: &str) -> Scope {
    let (mut scope, mut rest) = (Scope::new(), text);
    while !rest.is_empty() {
        let line = rest.split_once('\n').map_or(rest, |(line, _)| line);
        let (name, had, length) = match valued(rest, line) {
            Some((name, value, length)) => (name, PreviousValue::Value(value), length),
            None => (
                line.strip_prefix("unset ").and_then(|name| name.strip_suffix(';')).unwrap_or(""),
                PreviousValue::Removed,
                line.len(),
            ),
        };
        if TOLD.contains(&name) || name == SSH_CONNECTION {
            scope.insert(name.to_owned(), had);
        }
        rest = rest[length..].strip_prefix('\n').unwrap_or(&rest[length..]);
    }
    scope
}

/// What begins in this line, the first one of a text, if it is `NAME="VALUE"; export NAME;`, with VALUE as the shell has it
/// in double quotes (cmd-show-environment.c): name, value and length.
fn valued<'a>(text: &str, line: &'a str) -> Option<(&'a str, String, usize)> {
    let (name, _) = line.split_once("=\"")?;
    let (begin, mut value) = (name.len() + 2, String::new());
    let mut characters = text[begin..].char_indices();
    loop {
        match characters.next()? {
            (at, '"') => {
                let end = format!("\"; export {name};");
                let rest = text[begin + at..].strip_prefix(&end)?;
                return (rest.is_empty() || rest.starts_with('\n')).then(|| (name, value, text.len() - rest.len()));
            }
            (_, '\\') => value.push(characters.next()?.1),
            (_, other) => value.push(other),
        }
    }
}

/// What of the display's variables an environment does not have yet.
#[must_use]
pub fn to_set(has: &Scope, ours: &Block) -> Scope {
    let value = |value: &String| PreviousValue::Value(value.clone());
    let missing = ours.iter().filter(|(name, text)| has.get(*name) != Some(&value(text)));
    missing.map(|(name, text)| (name.clone(), value(text))).collect()
}

/// The variables that are nobody's to tell, because an environment has them from a login on another machine, as `ssh -X -A`
/// makes it: its windows would come up here, where nobody looks at them, and ask an agent that is somebody else's key.
///
/// `value` returns what the environment has of a variable. `current` says whether it is of whoever looks at it, as that of
/// a session of tmux is, which is renewed by each attach (tmux(1), `update-environment`), and not of whoever has started
/// it: then a login by ssh is enough.
#[must_use]
pub fn left_alone<'a>(value: impl Fn(&str) -> Option<&'a str>, current: bool) -> &'static [&'static str] {
    let value = |name: &str| value(name).filter(|value| !value.is_empty());
    let by_ssh = value(SSH_CONNECTION).is_some();
    let display = value("DISPLAY").is_some_and(is_elsewhere);
    let agent = value("SSH_AUTH_SOCK").is_some() && (by_ssh || display);
    match (display || current && by_ssh, agent || current && by_ssh) {
        (true, true) => &["DISPLAY", "XAUTHORITY", "SSH_AUTH_SOCK"],
        (true, false) => &["DISPLAY", "XAUTHORITY"],
        (false, true) => &["SSH_AUTH_SOCK"],
        (false, false) => &[],
    }
}

/// As [`left_alone`], of an environment of tmux: that of a session, or the global one.
#[must_use]
pub fn left_alone_in(has: &Scope, session: bool) -> &'static [&'static str] {
    let value = |name: &str| match has.get(name) {
        Some(PreviousValue::Value(value)) => Some(value.as_str()),
        _ => None,
    };
    left_alone(value, session)
}

/// Whether a display is reached over a network (X(7), "Display names").
fn is_elsewhere(display: &str) -> bool {
    let host = display.rsplit_once(':').map_or("", |(host, _)| host);
    !host.is_empty() && host != "unix" && !host.starts_with('/')
}

/// What to change so that the display's variables are out of an environment, each with what it becomes.
///
/// `before` is what the environment had before it was told, if it was. What somebody has changed since is theirs. In an
/// environment that was not told, as of a session that is newer than the display, only what ends with the display goes.
#[must_use]
pub fn to_give_back(
    has: &Scope,
    ours: &Block,
    before: Option<&Scope>,
    ending: &[String],
) -> BTreeMap<String, Option<PreviousValue>> {
    let mut changes = BTreeMap::new();
    for (name, value) in ours {
        let still_ours = has.get(name) == Some(&PreviousValue::Value(value.clone()));
        let had = before.and_then(|before| before.get(name)).cloned();
        let goes = before.is_some() || ending.contains(name);
        if still_ours && goes && had.as_ref() != has.get(name) {
            changes.insert(name.clone(), had);
        }
    }
    changes
}

/// The commands of tmux that make changes, in the global environment or in that of the session with this id; each
/// begins with a `;` but the first.
#[must_use]
pub fn commands<'a>(
    session: Option<&str>,
    changes: impl IntoIterator<Item = (&'a String, Option<&'a PreviousValue>)>,
) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for (name, change) in changes {
        if !words.is_empty() {
            words.push(";".to_owned());
        }
        words.push("set-environment".to_owned());
        match session {
            Some(id) => words.extend(["-t".to_owned(), id.to_owned()]),
            None => words.push("-g".to_owned()),
        }
        match change {
            None => words.extend(["-u".to_owned(), name.clone()]),
            Some(PreviousValue::Removed) => words.extend(["-r".to_owned(), name.clone()]),
            Some(PreviousValue::Value(value)) => words.extend(["--".to_owned(), name.clone(), escaped(value)]),
        }
    }
    words
}

/// A value as a word of tmux: a semicolon at its end would end the command (tmux(1), "Command parsing and execution").
fn escaped(value: &str) -> String {
    value.strip_suffix(';').map_or_else(|| value.to_owned(), |rest| format!("{rest}\\;"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Block {
        Block::from([("DISPLAY".to_owned(), ":0".to_owned()), ("SSH_AUTH_SOCK".to_owned(), "/agent".to_owned())])
    }

    #[test]
    fn what_is_of_a_remote_login_is_left_alone() {
        type Names = &'static [&'static str];
        /// What an environment has, and what is left alone in that of a session and in the global one.
        type Case = (&'static [(&'static str, &'static str)], Names, Names);
        const SSH: (&str, &str) = (SSH_CONNECTION, "::1 1 ::1 22");
        const AGENT: (&str, &str) = ("SSH_AUTH_SOCK", "/tmp/ssh-x/agent.1");
        let all: Names = &["DISPLAY", "XAUTHORITY", "SSH_AUTH_SOCK"];
        let cases: [Case; 10] = [
            (&[], &[], &[]),
            (&[("DISPLAY", ":0"), AGENT], &[], &[]),
            (&[("DISPLAY", "unix:0.0")], &[], &[]),
            (&[("DISPLAY", "/tmp/launch-x/org.xquartz:0")], &[], &[]),
            (&[("DISPLAY", "")], &[], &[]),
            (&[("DISPLAY", "localhost:10.0")], &all[..2], &all[..2]),
            (&[("DISPLAY", "[::1]:10")], &all[..2], &all[..2]),
            (&[("DISPLAY", "localhost:10.0"), AGENT], all, all),
            (&[SSH, AGENT], all, &all[2..]),
            (&[SSH], all, &[]),
        ];
        for (pairs, session, global) in cases {
            let has = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
            assert_eq!((left_alone(has, true), left_alone(has, false)), (session, global), "{pairs:?}");
        }
    }

    #[test]
    fn what_tmux_says() {
        let scope = parse(
            "A=\"1\"; export A;\nunset DISPLAY;\nSSH_AUTH_SOCK=\"/a=b \\\"\\$c\\`\\\\\"; export SSH_AUTH_SOCK;\nunset x;\n\
             XAUTHORITY=\"\"; export XAUTHORITY;\nDISPLAYS=\"1\"; export DISPLAYS;\nnothing\n\
             T=\"a\nDISPLAY=:9\nunset XAUTHORITY;\nDISPLAY=\\\":9\\\"; export DISPLAY;\n\"; export T;\n",
        );
        let expected = [
            ("DISPLAY", PreviousValue::Removed),
            ("SSH_AUTH_SOCK", PreviousValue::Value("/a=b \"$c`\\".into())),
            ("XAUTHORITY", PreviousValue::Value(String::new())),
        ];
        assert_eq!(scope, expected.map(|(name, had)| (name.to_owned(), had)).into());
        for text in [
            "DISPLAY=:0",
            "-DISPLAY",
            "DISPLAY=\":0",
            "DISPLAY=\":0\"; export X;",
            "DISPLAY=\":0\"; export DISPLAY;x",
            "=",
        ] {
            assert_eq!(parse(text), Scope::new(), "{text}");
        }
    }

    /// An environment, `-` for what is removed.
    fn scope(pairs: &[(&str, &str)]) -> Scope {
        let had =
            |value: &str| if value == "-" { PreviousValue::Removed } else { PreviousValue::Value(value.to_owned()) };
        pairs.iter().map(|(name, value)| ((*name).to_owned(), had(value))).collect()
    }

    /// What an environment is after changes.
    fn apply(has: &Scope, changes: &BTreeMap<String, Option<PreviousValue>>) -> Scope {
        let mut after = has.clone();
        for (name, change) in changes {
            match change {
                Some(had) => after.insert(name.clone(), had.clone()),
                None => after.remove(name),
            };
        }
        after
    }

    #[test]
    fn there_and_back() {
        let ending = ["DISPLAY".to_owned()];
        for before in [
            &[][..],
            &[("DISPLAY", "-")],
            &[("DISPLAY", ":9")],
            &[("DISPLAY", ":0"), ("SSH_AUTH_SOCK", "/agent")],
            &[("SSH_AUTH_SOCK", "/other"), ("DISPLAY", "-")],
        ] {
            let before = scope(before);
            let mut told = before.clone();
            told.extend(to_set(&before, &ours()));
            assert!(to_set(&told, &ours()).is_empty());
            let changes = to_give_back(&told, &ours(), Some(&before), &ending);
            assert_eq!(apply(&told, &changes), before);
        }
    }

    #[test]
    fn what_others_have_changed_is_theirs() {
        let (before, ending) = (scope(&[("DISPLAY", "-")]), ["DISPLAY".to_owned()]);
        let has = scope(&[("DISPLAY", "localhost:10.0"), ("SSH_AUTH_SOCK", "/agent")]);
        let changes = to_give_back(&has, &ours(), Some(&before), &ending);
        assert_eq!(changes, BTreeMap::from([("SSH_AUTH_SOCK".to_owned(), None)]));
        // A session that is newer than the display.
        let has = scope(&[("DISPLAY", ":0"), ("SSH_AUTH_SOCK", "/agent")]);
        let changes = to_give_back(&has, &ours(), None, &ending);
        assert_eq!(changes, BTreeMap::from([("DISPLAY".to_owned(), None)]));
    }

    #[test]
    fn as_commands() {
        let value = PreviousValue::Value("unix:path=/x;".into());
        let names = ["A", "B", "C"].map(str::to_owned);
        let changes = || [(&names[0], Some(&value)), (&names[1], Some(&PreviousValue::Removed)), (&names[2], None)];
        let expected = "set-environment -g -- A unix:path=/x\\; ; set-environment -g -r B ; set-environment -g -u C";
        assert_eq!(commands(None, changes()).join(" "), expected);
        assert_eq!(commands(Some("$1"), changes()).join(" "), expected.replace("-g", "-t $1"));
        assert!(commands(None, []).is_empty());
    }
}
