//! What a display's variables do to what a multiplexer has; pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::environment::Block;

/// The variables that are told.
pub const TOLD: [&str; 4] = ["DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK"];

/// What tmux has of a variable, in its global environment or in that of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Had {
    /// Marked to be taken out of what new panes get (`set-environment -r`).
    Removed,
    /// This value.
    Value(String),
}

/// The variables of [`TOLD`] that one environment of tmux has.
pub type Scope = BTreeMap<String, Had>;

/// Takes the output of `show-environment` and returns what of it is of interest.
#[must_use]
pub fn parse(text: &str) -> Scope {
    let one = |line: &str| match (line.split_once('='), line.strip_prefix('-')) {
        (Some((name, value)), _) => Some((name.to_owned(), Had::Value(value.to_owned()))),
        (None, Some(name)) => Some((name.to_owned(), Had::Removed)),
        (None, None) => None,
    };
    // By line breaks alone: a value may end in a carriage return.
    text.split('\n').filter_map(one).filter(|(name, _)| TOLD.contains(&name.as_str())).collect()
}

/// What of the display's variables an environment does not have yet.
#[must_use]
pub fn to_set(has: &Scope, ours: &Block) -> Scope {
    let value = |value: &String| Had::Value(value.clone());
    let missing = ours.iter().filter(|(name, text)| has.get(*name) != Some(&value(text)));
    missing.map(|(name, text)| (name.clone(), value(text))).collect()
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
) -> BTreeMap<String, Option<Had>> {
    let mut changes = BTreeMap::new();
    for (name, value) in ours {
        let still_ours = has.get(name) == Some(&Had::Value(value.clone()));
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
    changes: impl IntoIterator<Item = (&'a String, Option<&'a Had>)>,
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
            Some(Had::Removed) => words.extend(["-r".to_owned(), name.clone()]),
            Some(Had::Value(value)) => words.extend(["--".to_owned(), name.clone(), escaped(value)]),
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
    fn what_tmux_says() {
        let scope = parse("A=1\n-DISPLAY\nSSH_AUTH_SOCK=/a=b\nXAUTHORITY=\n-x\nDISPLAYS=1\nnothing\n");
        let expected = [
            ("DISPLAY", Had::Removed),
            ("SSH_AUTH_SOCK", Had::Value("/a=b".into())),
            ("XAUTHORITY", Had::Value(String::new())),
        ];
        assert_eq!(scope, expected.map(|(name, had)| (name.to_owned(), had)).into());
    }

    /// What an environment is after changes.
    fn apply(has: &Scope, changes: &BTreeMap<String, Option<Had>>) -> Scope {
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
        for before in
            ["", "-DISPLAY\n", "DISPLAY=:9\n", "DISPLAY=:0\nSSH_AUTH_SOCK=/agent", "SSH_AUTH_SOCK=/other\n-DISPLAY"]
        {
            let before = parse(before);
            let mut told = before.clone();
            told.extend(to_set(&before, &ours()));
            assert!(to_set(&told, &ours()).is_empty());
            let changes = to_give_back(&told, &ours(), Some(&before), &ending);
            assert_eq!(apply(&told, &changes), before);
        }
    }

    #[test]
    fn what_others_have_changed_is_theirs() {
        let (before, ending) = (parse("-DISPLAY"), ["DISPLAY".to_owned()]);
        let has = parse("DISPLAY=localhost:10.0\nSSH_AUTH_SOCK=/agent");
        let changes = to_give_back(&has, &ours(), Some(&before), &ending);
        assert_eq!(changes, BTreeMap::from([("SSH_AUTH_SOCK".to_owned(), None)]));
        // A session that is newer than the display.
        let has = parse("DISPLAY=:0\nSSH_AUTH_SOCK=/agent");
        let changes = to_give_back(&has, &ours(), None, &ending);
        assert_eq!(changes, BTreeMap::from([("DISPLAY".to_owned(), None)]));
    }

    #[test]
    fn as_commands() {
        let value = Had::Value("unix:path=/x;".into());
        let names = ["A", "B", "C"].map(str::to_owned);
        let changes = || [(&names[0], Some(&value)), (&names[1], Some(&Had::Removed)), (&names[2], None)];
        let expected = "set-environment -g -- A unix:path=/x\\; ; set-environment -g -r B ; set-environment -g -u C";
        assert_eq!(commands(None, changes()).join(" "), expected);
        assert_eq!(commands(Some("$1"), changes()).join(" "), expected.replace("-g", "-t $1"));
        assert!(commands(None, []).is_empty());
    }
}
