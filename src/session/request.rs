//! The requested session, before anything is looked up; pure.

use std::path::Path;

use super::Choice;
use crate::manager::names;

/// What `startxd start` should start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SessionRequest {
    /// No session was named: the enabled units, else `~/.xinitrc`, else the configured default.
    #[default]
    Nothing,
    /// A command with its arguments; not empty.
    Command(Vec<String>),
    /// A user unit.
    Unit(String),
    /// The units enabled for `wm.target`.
    Enabled,
    /// `~/.xinitrc`.
    Xinitrc,
    /// One word that may be an entry of an xsessions directory, with an action or without, or else a command.
    Name(String),
}

impl SessionRequest {
    /// Takes the words of SESSION, and whether they came after `--`, and returns the request.
    ///
    /// `home` is `$HOME`.
    #[must_use]
    pub fn parse(words: &[String], after_dashes: bool, home: Option<&Path>) -> Self {
        match words {
            [] => Self::Nothing,
            [word] if !after_dashes => Self::word(word, home),
            words => Self::Command(words.to_vec()),
        }
    }

    /// Takes `session.default` and returns the request. It is split at white space, and a first word `--` says that
    /// the rest is a command.
    #[must_use]
    pub fn parse_default(text: &str, home: Option<&Path>) -> Self {
        let words: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
        match words.as_slice() {
            [dashes, command @ ..] if dashes == "--" => Self::parse(command, true, home),
            words => Self::parse(words, false, home),
        }
    }

    /// Whether it requests a command, and the command was chosen: not an entry, a unit, or what is set up.
    #[must_use]
    pub const fn is_command(&self, choice: &Choice) -> bool {
        matches!(
            (self, choice),
            (Self::Command(_) | Self::Name(_), Choice::Command { .. }) | (Self::Command(_), Choice::StartupFile { .. })
        )
    }

    fn word(word: &str, home: Option<&Path>) -> Self {
        if word == names::WM_TARGET {
            return Self::Enabled;
        }
        if home.is_some_and(|home| Path::new(word) == home.join(".xinitrc")) {
            return Self::Xinitrc;
        }
        if word.contains('/') || word.is_empty() {
            // A path is a command even if it ends like a unit's name; for "no unit.service" the manager reports what is
            // wrong.
            return Self::Command(vec![word.to_owned()]);
        }
        if word.ends_with(".service") || word.ends_with(".target") {
            return Self::Unit(word.to_owned());
        }
        Self::Name(word.to_owned())
    }
}

/// Splits a name into an entry's id and an action, `ID:ACTION`; both may have `.desktop` behind the id.
///
/// Returns the possible readings, the likeliest first: an id may contain a colon.
#[must_use]
pub fn ids(name: &str) -> Vec<(&str, Option<&str>)> {
    let id = |text: &'_ str| text.strip_suffix(".desktop").unwrap_or(text).len();
    let mut ways = vec![(&name[..id(name)], None)];
    if let Some((before, action)) =
        name.rsplit_once(':').filter(|(before, action)| !before.is_empty() && !action.is_empty())
    {
        ways.push((&before[..id(before)], Some(action)));
    }
    ways
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{SessionRequest, ids};

    #[test]
    fn words() {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let command = |words: &[&str]| SessionRequest::Command(owned(words));
        let name = |name: &str| SessionRequest::Name(name.to_owned());
        let unit = |name: &str| SessionRequest::Unit(name.to_owned());
        let cases: [(&[&str], bool, SessionRequest); 15] = [
            (&[], false, SessionRequest::Nothing),
            (&["i3"], false, name("i3")),
            (&["i3:safe"], false, name("i3:safe")),
            (&["i3.desktop"], false, name("i3.desktop")),
            (&["i3", "-c", "x"], false, command(&["i3", "-c", "x"])),
            (&["i3"], true, command(&["i3"])),
            (&["i3.service"], true, command(&["i3.service"])),
            (&["./i3"], false, command(&["./i3"])),
            (&["/x/i3.service"], false, command(&["/x/i3.service"])),
            (&[""], false, command(&[""])),
            (&["i3.service"], false, unit("i3.service")),
            (&["a.target"], false, unit("a.target")),
            (&["wm.target"], false, SessionRequest::Enabled),
            (&["/home/a/.xinitrc"], false, SessionRequest::Xinitrc),
            (&["/home/b/.xinitrc"], false, command(&["/home/b/.xinitrc"])),
        ];
        let home = Some(Path::new("/home/a"));
        for (words, after, expected) in cases {
            assert_eq!(SessionRequest::parse(&owned(words), after, home), expected, "{words:?} {after:?}");
        }
        let cases = [
            ("", SessionRequest::Nothing),
            (" i3 ", name("i3")),
            ("-- i3", command(&["i3"])),
            ("i3 -c x", command(&["i3", "-c", "x"])),
            ("i3.service", unit("i3.service")),
        ];
        for (text, expected) in cases {
            assert_eq!(SessionRequest::parse_default(text, home), expected, "{text:?}");
        }
    }

    #[test]
    fn ids_and_actions() {
        type Ways = &'static [(&'static str, Option<&'static str>)];
        let cases: [(&str, Ways); 6] = [
            ("i3", &[("i3", None)]),
            ("i3.desktop", &[("i3", None)]),
            ("i3:a", &[("i3:a", None), ("i3", Some("a"))]),
            ("i3.desktop:a", &[("i3.desktop:a", None), ("i3", Some("a"))]),
            (":a", &[(":a", None)]),
            ("a:", &[("a:", None)]),
        ];
        for (name, expected) in cases {
            assert_eq!(ids(name), expected, "{name}");
        }
    }
}
