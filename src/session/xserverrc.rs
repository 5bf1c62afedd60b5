//! `~/.xserverrc`, the script by which startx(1) starts the server. startxd starts the server itself, so all that
//! matters is which arguments the script gives to an X server. Pure, except for [`read`].

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::config::server_args;
use crate::small_file;
use crate::text::one_line;

/// The names of servers, in small letters.
const SERVERS: [&str; 5] = ["x", "xorg", "xorg.bin", "xorg.wrap", "xlibre"];
/// Arguments that startxd sets itself, and how many words follow each.
const OURS: [(&str, usize); 6] =
    [("-nolisten", 1), ("-auth", 1), ("-keeptty", 0), ("-noreset", 0), ("-displayfd", 1), ("-seat", 1)];

/// Why a script cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotFollowed {
    /// It does not end with the command of a server.
    #[error("it does not simply execute an X server")]
    NoServer,
    /// Only a shell could expand an argument.
    #[error("only a shell can expand {0:?}")]
    Expanded(String),
    /// An argument that is refused.
    #[error("{0:?} is not possible here: {1}")]
    Refused(String, &'static str),
}

/// Reads the file of this home; `None` if it does not exist or is empty.
#[must_use]
pub fn read(home: &Path) -> Option<(PathBuf, Result<Vec<String>, NotFollowed>)> {
    let path = home.join(".xserverrc");
    let text = small_file::text(&path).ok()?;
    let found = arguments(&text);
    (found != Ok(Vec::new())).then_some((path, found))
}

/// Takes the script, and returns the arguments that it gives to the server, without those that the script is given and
/// those that startxd always sets.
///
/// # Errors
/// [`NotFollowed`].
pub fn arguments(script: &str) -> Result<Vec<String>, NotFollowed> {
    let whole = script.replace("\\\n", " ");
    let mut commands = whole.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (Some(command), None) = (commands.next(), commands.next()) else {
        return if script.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#')) {
            Ok(Vec::new())
        } else {
            Err(NotFollowed::NoServer)
        };
    };
    let mut words = words(command)?.into_iter().peekable();
    words.next_if(|word| word == "exec");
    let is_server = |word: &String| {
        let name = word.rsplit('/').next().unwrap_or_default().to_lowercase();
        SERVERS.contains(&name.as_str())
    };
    words.next_if(is_server).ok_or(NotFollowed::NoServer)?;
    let mut arguments = Vec::new();
    while let Some(word) = words.next() {
        if let Some((_, more)) = OURS.iter().find(|(name, _)| *name == word) {
            words.by_ref().take(*more).for_each(drop);
            continue;
        }
        // The arguments that xinit gives it, and the terminal.
        if matches!(word.as_str(), "$@" | "${1+$@}" | "$*") || word.starts_with(':') || is_terminal(&word) {
            continue;
        }
        if word.contains(['$', '`']) {
            return Err(NotFollowed::Expanded(one_line(&word)));
        }
        if let Some(why) = server_args::refusal(&word) {
            return Err(NotFollowed::Refused(word, why));
        }
        arguments.push(word);
    }
    Ok(arguments)
}

/// `vt7`, `vt$XDG_VTNR`.
fn is_terminal(word: &str) -> bool {
    let Some(number) = word.strip_prefix("vt") else { return false };
    number.starts_with('$') || number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The words of a simple command, without quotes.
fn words(command: &str) -> Result<Vec<String>, NotFollowed> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in command.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some('\''), '$' | '`') => return Err(NotFollowed::Expanded(one_line(command))),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            // Several commands, redirections, patterns, comments.
            (None, ';' | '&' | '|' | '<' | '>' | '(' | ')' | '*' | '?' | '[' | '~' | '#' | '\\') => {
                return Err(NotFollowed::Expanded(one_line(command)));
            }
            (_, other) => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    if quote.is_some() { Err(NotFollowed::Expanded(one_line(command))) } else { Ok(words) }
}

#[cfg(test)]
mod tests {
    use super::{NotFollowed, arguments};

    #[test]
    fn what_people_have() {
        for (script, expected) in [
            ("#!/bin/sh\nexec /usr/bin/X -nolisten tcp \"$@\"\n", ""),
            ("#!/bin/sh\nexec /usr/bin/X -dpi 144 -nolisten tcp \"$@\"\n", "-dpi 144"),
            (
                "#!/bin/sh\n\n# a comment\nexec /usr/bin/Xorg -nolisten tcp \"$@\" vt$XDG_VTNR -dpi 96 -ardelay '250'",
                "-dpi 96 -ardelay 250",
            ),
            ("X :0 vt7 -keeptty -auth /x -background none ${1+\"$@\"}", "-background none"),
            ("exec /usr/lib/Xorg \\\n  -s 0 \\\n  \"$@\"", "-s 0"),
            ("", ""),
            ("#!/bin/sh\n# exec X -dpi 144\n", ""),
        ] {
            assert_eq!(arguments(script).map(|words| words.join(" ")).as_deref(), Ok(expected), "{script}");
        }
    }

    #[test]
    fn scripts_that_cannot_be_followed_are_refused() {
        let expanded = |text: &str| Err(NotFollowed::Expanded(text.to_owned()));
        for (script, expected) in [
            ("exec Xephyr \"$@\"", Err(NotFollowed::NoServer)),
            ("export A=b\nexec X -dpi 144 \"$@\"", Err(NotFollowed::NoServer)),
            ("exec X -dpi $DPI \"$@\"", expanded("$DPI")),
            ("exec X -dpi `dpi`", expanded("`dpi`")),
            ("exec X -dpi 144 \"$@\" >log", expanded("exec X -dpi 144 \"$@\" >log")),
            ("exec X 'a", expanded("exec X 'a")),
        ] {
            assert_eq!(arguments(script), expected, "{script}");
        }
        assert!(
            matches!(arguments("exec X -sharevts \"$@\""), Err(NotFollowed::Refused(word, _)) if word == "-sharevts")
        );
    }
}
