//! How a display's variables change the environments of a multiplexer; pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::environment::Block;

/// The variables that multiplexers are told.
pub const TOLD: [&str; 4] = ["DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK"];

/// The variable that shows a login by ssh.
pub const SSH_CONNECTION: &str = "SSH_CONNECTION";

/// The state of a variable in tmux, in its global environment or in that of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PreviousValue {
    /// Marked for removal from the environment of new panes (`set-environment -r`).
    Removed,
    /// It has this value.
    Value(String),
}

/// The variables of [`TOLD`], and [`SSH_CONNECTION`], that one environment of tmux has.
pub type Scope = BTreeMap<String, PreviousValue>;

/// Takes the output of `show-environment -s` and returns the variables of interest.
///
/// Without `-s` values are printed raw, and a line inside a value could be mistaken for a variable.
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

/// The variable at the beginning of a text, if that is `NAME="VALUE"; export NAME;`, with VALUE escaped as in the
/// shell's double quotes (cmd-show-environment.c): name, value and length.
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

/// The variables of the display that an environment does not have yet.
#[must_use]
pub fn to_set(has: &Scope, ours: &Block) -> Scope {
    let value = |value: &String| PreviousValue::Value(value.clone());
    let missing = ours.iter().filter(|(name, text)| has.get(*name) != Some(&value(text)));
    missing.map(|(name, text)| (name.clone(), value(text))).collect()
}

/// The variables that must be left alone, because an environment has them from a login on another machine, as `ssh -X
/// -A` sets them: otherwise its windows would appear here, where its user does not see them, and it would use another
/// agent.
///
/// `value` returns the environment's value of a variable. `current` says whether the environment is that of the
/// attached client, as for a session of tmux, which renews it at each attach (tmux(1), `update-environment`), and not
/// of the process that started it: then a login by ssh is enough.
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

/// Like [`left_alone`], for an environment of tmux: that of a session, or the global one.
#[must_use]
pub fn left_alone_in(has: &Scope, session: bool) -> &'static [&'static str] {
    let value = |name: &str| match has.get(name) {
        Some(PreviousValue::Value(value)) => Some(value.as_str()),
        _ => None,
    };
    left_alone(value, session)
}

/// Whether a display is on a network (X(7), "Display names").
fn is_elsewhere(display: &str) -> bool {
    let host = display.rsplit_once(':').map_or("", |(host, _)| host);
    !host.is_empty() && host != "unix" && !host.starts_with('/')
}

/// The changes that remove the display's variables from an environment, each with the new state.
///
/// `before` is what the environment had before it was told, if it was. Later changes by others are kept. In an
/// environment that was not told, such as that of a session that is newer than the display, only variables that end
/// with the display are removed.
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

/// The commands of tmux for these changes, in the global environment or in that of the session with this id; each
/// except the first begins with a `;`.
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
    fn variables_of_a_remote_login_are_left_alone() {
        type Names = &'static [&'static str];
        /// An environment, and the variables that are left alone in it, as that of a session and as the global one.
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

    /// An environment after changes.
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
    fn changes_by_others_are_kept() {
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
