//! The names of sessions, and the units that run them; pure.

use std::fmt;

use clap::ValueEnum;
use thiserror::Error;

use crate::manager::names::{self, UNIT_NAME_MAX};
use crate::text::shell_word;

/// A multiplexer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// tmux(1)
    Tmux,
    /// screen(1)
    Screen,
    /// zellij
    Zellij,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tmux, Self::Screen, Self::Zellij];

    /// The program, which is also the name of the unit's template.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Tmux => "tmux",
            Self::Screen => "screen",
            Self::Zellij => "zellij",
        }
    }

    /// The command with which a person attaches to a session.
    #[must_use]
    pub fn attach_command(self, name: &Name) -> String {
        let name = shell_word(name.as_str());
        match self {
            Self::Tmux => format!("tmux attach -t {name}"),
            Self::Screen => format!("screen -r {name}"),
            Self::Zellij => format!("zellij attach {name}"),
        }
    }

    /// The unit of a session.
    #[must_use]
    pub fn unit(self, name: &Name) -> String {
        format!("{}@{}.service", self.program(), names::escape(name.as_str()))
    }

    /// Characters that a name cannot contain, and why.
    fn forbidden(self) -> &'static [(char, &'static str)] {
        match self {
            Self::Tmux => &[
                (':', "separates a session from its windows"),
                ('.', "separates a window from its panes"),
                ('$', "begins the number of a session"),
                ('#', "begins a format"),
                (';', "separates commands"),
                ('\\', "escapes"),
            ],
            Self::Screen | Self::Zellij => &[('/', "cannot be in the name of its socket")],
        }
    }

    /// Characters that a name cannot begin with, because they have another meaning (tmux(1), "target-session").
    fn forbidden_first(self) -> &'static [(char, &'static str)] {
        match self {
            Self::Tmux => &[
                ('@', "begins the number of a window"),
                ('%', "begins the number of a pane"),
                ('=', "asks for the exact name"),
                ('{', "begins a special target"),
                ('~', "stands for the marked pane"),
            ],
            Self::Screen | Self::Zellij => &[],
        }
    }

    /// How long a name may be, in bytes: it becomes a unit's name, or part of a socket's (unix(7): 107 bytes with the
    /// directory).
    const fn longest(self) -> usize {
        match self {
            Self::Tmux => UNIT_NAME_MAX - "tmux@.service".len(),
            Self::Screen | Self::Zellij => 50,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program())
    }
}

/// Why a text cannot be the name of a session.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(clippy::missing_docs_in_private_items, reason = "each variant's sentence is its documentation")]
pub enum BadName {
    #[error("the name of the {0} session is empty; give one, or omit it for \"main\"")]
    Empty(Kind),
    #[error(
        "{name:?} cannot be the name of a {kind} session: {kind} would take it for an option; begin it with a letter"
    )]
    Option { kind: Kind, name: String },
    #[error("{name:?} cannot be the name of a {kind} session: in {kind}, {character:?} {why}; omit it")]
    Character { kind: Kind, name: String, character: char, why: &'static str },
    #[error("{name:?} cannot be the name of a {kind} session: it has control characters; omit them")]
    Control { kind: Kind, name: String },
    #[error("{name:?} cannot be the name of a {kind} session: it names a directory; choose another")]
    Dots { kind: Kind, name: String },
    #[error(
        "{name:?} is too long for the name of a {kind} session: {length} bytes, as written in the name of its unit or \
         socket, and the limit is {longest}; choose a shorter one"
    )]
    TooLong { kind: Kind, name: String, length: usize, longest: usize },
}

/// The name of a session, which its multiplexer takes literally and which is part of the name of a unit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// The default name of a session.
    pub const DEFAULT: &'static str = "main";

    /// Takes a text and returns it as a name.
    ///
    /// # Errors
    /// [`BadName`].
    pub fn parse(kind: Kind, text: &str) -> Result<Self, BadName> {
        if text.is_empty() {
            return Err(BadName::Empty(kind));
        }
        let name = shortened(text);
        if text.starts_with('-') {
            return Err(BadName::Option { kind, name });
        }
        if text.chars().any(char::is_control) {
            return Err(BadName::Control { kind, name });
        }
        let first = kind.forbidden_first().iter().find(|(character, _)| text.starts_with(*character));
        let within = kind.forbidden().iter().find(|(character, _)| text.contains(*character));
        if let Some(&(character, why)) = first.or(within) {
            return Err(BadName::Character { kind, name, character, why });
        }
        if matches!(text, "." | "..") {
            return Err(BadName::Dots { kind, name });
        }
        let length = if kind == Kind::Tmux { names::escape(text).len() } else { text.len() };
        if length > kind.longest() {
            return Err(BadName::TooLong { kind, name, length, longest: kind.longest() });
        }
        Ok(Self(text.to_owned()))
    }

    /// Like [`parse`](Self::parse), or the default name.
    ///
    /// # Errors
    /// [`BadName`].
    pub fn or_default(kind: Kind, text: Option<&str>) -> Result<Self, BadName> {
        Self::parse(kind, text.unwrap_or(Self::DEFAULT))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The beginning of a text that is too long to show.
fn shortened(text: &str) -> String {
    let end = text.floor_char_boundary(60);
    if end < text.len() { format!("{}...", &text[..end]) } else { text.to_owned() }
}

/// The unit of tmux's server.
pub const TMUX_SERVER: &str = "tmux.service";

/// The target of the multiplexers' units.
pub const TARGET: &str = "multiplexer.target";

#[cfg(test)]
mod tests {
    use super::{BadName, Kind, Name};

    #[test]
    fn valid_names_become_units() {
        for (kind, name, unit) in [
            (Kind::Tmux, "main", "tmux@main.service"),
            (Kind::Tmux, "a-b c/d", r"tmux@a\x2db\x20c-d.service"),
            (Kind::Screen, "a.b:c", "screen@a.b:c.service"),
            (Kind::Tmux, "50%h@a", r"tmux@50\x25h\x40a.service"),
            (Kind::Screen, "a$HOME%h", r"screen@a\x24HOME\x25h.service"),
            (Kind::Zellij, "ü", r"zellij@\xc3\xbc.service"),
        ] {
            let name = Name::parse(kind, name).unwrap();
            assert_eq!(kind.unit(&name), unit);
            assert!(unit.len() <= 255);
        }
        let longest = Name::parse(Kind::Tmux, &"a".repeat(242)).unwrap();
        assert_eq!(Kind::Tmux.unit(&longest).len(), 255);
        assert_eq!(Name::or_default(Kind::Tmux, None).unwrap().as_str(), "main");
    }

    #[test]
    fn invalid_names_are_refused_with_a_reason() {
        let error = |kind, text: &str| Name::parse(kind, text).unwrap_err().to_string();
        for (kind, text, part) in [
            (Kind::Tmux, "", "is empty"),
            (Kind::Tmux, "a.b", "'.' separates"),
            (Kind::Tmux, "a:b", "':' separates"),
            (Kind::Tmux, "#(reboot)", "'#' begins"),
            (Kind::Tmux, "$1", "'$' begins"),
            (Kind::Tmux, "a;b", "';' separates"),
            (Kind::Tmux, "%1", "'%' begins"),
            (Kind::Tmux, "@1", "'@' begins"),
            (Kind::Tmux, "=a", "'=' asks"),
            (Kind::Tmux, "{last}", "'{' begins"),
            (Kind::Tmux, "-a", "an option"),
            (Kind::Tmux, "a\nb", "control characters"),
            (Kind::Screen, "a/b", "'/' cannot be"),
            (Kind::Screen, "..", "names a directory"),
            (Kind::Zellij, &"a".repeat(51), "51 bytes"),
            (Kind::Tmux, &"é-".repeat(64), "768 bytes"),
        ] {
            assert!(error(kind, text).contains(part), "{kind} {text:?}: {}", error(kind, text));
        }
        assert!(matches!(Name::parse(Kind::Tmux, &"a".repeat(256)), Err(BadName::TooLong { .. })));
    }

    #[test]
    fn the_command_to_attach_is_quoted() {
        let attach = |kind: Kind, name| kind.attach_command(&Name::parse(kind, name).unwrap());
        assert_eq!(attach(Kind::Tmux, "work"), "tmux attach -t work");
        assert_eq!(attach(Kind::Screen, "it's mine"), r"screen -r 'it'\''s mine'");
        assert_eq!(attach(Kind::Zellij, "a"), "zellij attach a");
    }
}
