//! Commands that remove something from a startup file, for a person to copy.
//!
//! A remedy is code that changes files which a login depends on. It is offered only if the file stays valid: a
//! command is replaced in its line, so that no block becomes empty and no line number moves, and only what is read here
//! is touched. Anything less clear (text of several lines, here-documents, loops, an `exit` that would come
//! next) is left to the person.

use crate::text::shell_word;

/// The replacement of a command: it does nothing, succeeds, and is a command of every shell.
const NOTHING: &str = "true";

/// Words before a command that belong to the shell.
const KEYWORDS: [&str; 14] =
    ["if", "then", "elif", "else", "do", "while", "until", "!", "{", "and", "or", "not", "begin", "time"];

/// Words that close a block of the shell.
const CLOSERS: [&str; 7] = ["}", "{", "fi", "done", "esac", "end", "then"];

/// Commands that end a login shell or replace it: without the command before them, they would run.
const LEAVING: [&str; 8] = ["exit", "logout", "exec", "kill", "poweroff", "reboot", "halt", "shutdown"];

/// What is removed from a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwanted {
    /// The command itself.
    Command(&'static [&'static str]),
    /// The start of X, in a login shell.
    Start(&'static [&'static str]),
    /// A wrapper of another command, which then runs without it.
    Wrapper(&'static [&'static str]),
}

/// A text in one line, and its replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The line, from 1.
    pub line: usize,
    from: String,
    to: String,
}

impl Edit {
    /// Takes its line and returns it edited; `None` if the text is not the first of its kind there, which sed would
    /// take.
    #[must_use]
    fn apply(&self, line: &str, column: usize) -> Option<String> {
        (line.find(&self.from)? == column).then(|| line.replacen(&self.from, &self.to, 1))
    }

    /// For sed(1), as a basic regular expression.
    fn script(&self) -> String {
        let mut from = String::new();
        for character in self.from.chars() {
            if r".*[]^$/\".contains(character) {
                from.push('\\');
            }
            from.push(character);
        }
        let to: String = self.to.replace('\\', r"\\").replace('/', r"\/").replace('&', r"\&");
        format!("{}s/{from}/{to}/", self.line)
    }
}

/// Takes what a file has in these lines (numbers from 1), in commands of which `is_it` holds, and returns the edits and
/// the edited text; `None` if that is not clear enough.
#[must_use]
pub fn edits(
    text: &str,
    lines: &[usize],
    unwanted: Unwanted,
    is_it: impl Fn(&str) -> bool,
    fish: bool,
) -> Option<(Vec<Edit>, String)> {
    let commands = read(text, fish)?;
    let mut new: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let mut edits = Vec::new();
    for &number in lines {
        // Beginning with the last, so that the columns before it stay the same.
        for at in (0..commands.len()).rev().filter(|at| commands[*at].line == number) {
            // A wrapper's command may be inside another one, which is examined as a whole.
            if !matches!(unwanted, Unwanted::Wrapper(_)) && !is_it(commands[at].text) {
                continue;
            }
            let Some((edit, column)) = edit(text, &commands, at, unwanted) else { continue };
            let line = new.get_mut(number - 1)?;
            *line = edit.apply(line, column)?;
            edits.push(edit);
        }
    }
    Some((edits, new.join("\n")))
}

/// The command that makes the edits in a file. Links to it stay links, as managers of dotfiles make them.
#[must_use]
pub fn command(edits: &[Edit], path: &str) -> String {
    let scripts: Vec<String> = edits.iter().map(Edit::script).collect();
    let scripts = match scripts.as_slice() {
        [one] => shell_word_always(one),
        many => many.iter().map(|one| format!("-e {}", shell_word_always(one))).collect::<Vec<_>>().join(" "),
    };
    format!("sed -i --follow-symlinks {scripts} {}", shell_word(path))
}

fn shell_word_always(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CommandEnd {
    /// With the line, a semicolon, a comment, or an operator.
    Plain,
    /// With the parenthesis or backquote of a nested command, or with a line that continues on the next one.
    Nested,
}

/// A simple command: its place, without the shell's words before it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SimpleCommand<'a> {
    line: usize,
    column: usize,
    text: &'a str,
    /// Whether it is in a loop, or is the condition of one.
    looped: bool,
    /// Whether it contains a substitution or is part of one.
    nested: bool,
}

impl<'a> SimpleCommand<'a> {
    fn words(&self) -> impl Iterator<Item = &'a str> {
        self.text.split_ascii_whitespace()
    }

    /// Its first word without a path.
    fn name(&self) -> &'a str {
        base(self.words().next().unwrap_or_default())
    }
}

fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// The edit of one command, and the column where it stands.
fn edit(text: &str, commands: &[SimpleCommand<'_>], at: usize, unwanted: Unwanted) -> Option<(Edit, usize)> {
    let command = &commands[at];
    // A word that closes a block after only a space, as in zsh, would be lost with the command.
    if command.words().any(|word| CLOSERS.contains(&word)) {
        return None;
    }
    let replace = |from: &str, to: &str| {
        Some((Edit { line: command.line, from: from.to_owned(), to: to.to_owned() }, command.column))
    };
    match unwanted {
        Unwanted::Command(names) => {
            let clear = !command.nested && !command.looped && names.contains(&command.name());
            clear.then(|| replace(command.text, NOTHING))?
        }
        Unwanted::Start(names) => {
            let mut words = command.words().skip_while(|word| *word == "exec");
            let clear = !command.nested && !command.looped && names.contains(&base(words.next()?));
            let leaves = commands[at + 1..].iter().any(|later| LEAVING.contains(&later.name()));
            (clear && !leaves).then(|| replace(command.text, NOTHING))?
        }
        Unwanted::Wrapper(names) => {
            if matches!(command.name(), "eval" | "export") {
                let line = text.split('\n').nth(command.line - 1)?;
                let from = substitution(line.get(command.column..)?, names)?;
                return replace(from, NOTHING);
            }
            if command.nested || command.looped {
                return None;
            }
            let words: Vec<&str> = command.words().collect();
            let wrapper = words.iter().position(|word| names.contains(&base(word)))?;
            let options = words[wrapper + 1..].iter().take_while(|word| is_flag(word)).count();
            let mut rest = wrapper + 1 + options;
            if words.get(rest) == Some(&"--") {
                rest += 1;
            }
            match words.get(rest) {
                // Alone it prints an address, or starts a bus that nothing uses.
                None => (wrapper == 0).then(|| replace(command.text, NOTHING))?,
                Some(word) if word.starts_with(|c: char| c.is_ascii_alphanumeric() || "/~$\"_".contains(c)) => {
                    let start = |index: usize| words[index].as_ptr() as usize - command.text.as_ptr() as usize;
                    let (head, tail) = (&command.text[..start(wrapper)], &command.text[start(rest)..]);
                    replace(command.text, &format!("{head}{tail}"))
                }
                Some(_) => None,
            }
        }
    }
}

/// Whether it is an option of dbus-launch(1) or dbus-run-session(1) that takes no word after it.
fn is_flag(word: &str) -> bool {
    let valued = ["--config-file", "--dbus-daemon", "--autolaunch"];
    word.strip_prefix("--").is_some_and(|name| !name.is_empty()) && !valued.contains(&word)
}

/// The whole of `eval $(NAME OPTIONS)` and its like, with quotes, backquotes or `export`, at the beginning of a text.
fn substitution<'a>(text: &'a str, names: &[&str]) -> Option<&'a str> {
    let rest = text.strip_prefix("eval").or_else(|| text.strip_prefix("export"))?;
    let rest = rest.strip_prefix([' ', '\t'])?.trim_start();
    let (rest, quoted) = rest.strip_prefix('"').map_or((rest, false), |rest| (rest, true));
    let (rest, close) =
        rest.strip_prefix("$(").map(|rest| (rest, ')')).or_else(|| Some((rest.strip_prefix('`')?, '`')))?;
    let (inner, rest) = rest.split_once(close)?;
    let mut words = inner.split_ascii_whitespace();
    if !names.contains(&base(words.next()?)) || !words.all(is_flag) {
        return None;
    }
    let rest = if quoted { rest.strip_prefix('"')? } else { rest };
    // Text that is joined to it would be joined to the other command.
    let ends = rest.is_empty() || rest.starts_with([' ', '\t', '\r', ';', '&', '|', ')', '}']);
    ends.then(|| &text[..text.len() - rest.len()])
}

/// Reads the simple commands of a file, up to a here-document. `None` if its quotes do not match.
///
/// This is not a parser of a shell: it knows quotes, comments, operators and loops, and says where it does not know.
fn read(text: &str, fish: bool) -> Option<Vec<SimpleCommand<'_>>> {
    // fish has escapes in single quotes (fish-doc(1), "Quotes").
    if fish && text.contains("\\'") {
        return None;
    }
    let bytes = text.as_bytes();
    let mut commands = Commands { text, found: Vec::new(), loops: 0, fish };
    let (mut line, mut line_start, mut start, mut nested, mut at) = (1, 0, 0, 0_usize, 0);
    let mut joined = false;
    while at < bytes.len() {
        let previous = at.checked_sub(1).map_or(b'\n', |before| bytes[before]);
        match bytes[at] {
            b'\\' => {
                // A line that continues on the next one is treated as nested.
                if bytes.get(at + 1) == Some(&b'\n') {
                    (line, line_start, joined) = (line + 1, at + 2, true);
                }
                at += 1;
            }
            quote @ (b'\'' | b'"') => {
                let mut inner = at + 1;
                while *bytes.get(inner)? != quote {
                    match bytes[inner] {
                        b'\\' if quote == b'"' => inner += 1,
                        _ => {}
                    }
                    inner += 1;
                }
                let lines = bytes[at..inner].iter().filter(|byte| **byte == b'\n').count();
                if lines > 0 {
                    line += lines;
                    line_start = at + text[at..inner].rfind('\n')? + 1;
                    joined = true;
                }
                at = inner;
            }
            b'#' if previous.is_ascii_whitespace() || b";&|(".contains(&previous) => {
                commands.push(start, at, line, line_start, nested > 0 || joined, CommandEnd::Plain);
                let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
                (start, at) = (end, end);
                continue;
            }
            b'<' if bytes.get(at + 1) == Some(&b'<') && bytes.get(at + 2) != Some(&b'<') => {
                commands.push(start, at, line, line_start, true, CommandEnd::Nested);
                return Some(commands.found);
            }
            b'&' if previous == b'>' || previous == b'<' || bytes.get(at + 1) == Some(&b'>') => {}
            b'|' if previous == b'>' => {}
            b'\n' | b';' | b'&' | b'|' => {
                commands.push(start, at, line, line_start, nested > 0 || joined, CommandEnd::Plain);
                start = at + 1;
                if bytes[at] == b'\n' {
                    (line, line_start, joined) = (line + 1, at + 1, false);
                }
            }
            b'(' | b')' | b'`' => {
                // A subshell is not a substitution, but its parenthesis may also open a function or a pattern: they are
                // not distinguished.
                let end = if bytes[at] == b')' { CommandEnd::Plain } else { CommandEnd::Nested };
                commands.push(start, at, line, line_start, nested > 0 || joined, end);
                start = at + 1;
                match bytes[at] {
                    b'(' => nested += 1,
                    b')' => nested = nested.saturating_sub(1),
                    // The first opens, the second closes.
                    _ if text[line_start..at].matches('`').count().is_multiple_of(2) => nested += 1,
                    _ => nested = nested.saturating_sub(1),
                }
            }
            _ => {}
        }
        at += 1;
    }
    commands.push(start, text.len(), line, line_start, nested > 0 || joined, CommandEnd::Plain);
    Some(commands.found)
}

/// The commands that were read so far.
struct Commands<'a> {
    text: &'a str,
    found: Vec<SimpleCommand<'a>>,
    /// How many loops are open.
    loops: usize,
    fish: bool,
}

impl Commands<'_> {
    /// A piece between two operators is a command, behind words of the shell.
    fn push(&mut self, start: usize, end: usize, line: usize, line_start: usize, nested: bool, how: CommandEnd) {
        let Some(piece) = self.text.get(start..end) else { return };
        let mut rest = piece.trim_start();
        while let Some(word) = rest.split_ascii_whitespace().next() {
            match word {
                "while" | "until" => self.loops += 1,
                "for" | "select" => self.loops += 1,
                // The `end` of fish ends every block: once there was a loop, nothing is certain any more.
                "done" if !self.fish => self.loops = self.loops.saturating_sub(1),
                _ => {}
            }
            if !KEYWORDS.contains(&word) {
                break;
            }
            rest = rest[word.len()..].trim_start();
        }
        let text = rest.trim_end();
        let column = (start + piece.len() - rest.len()).checked_sub(line_start);
        if let Some(column) = column.filter(|_| !text.is_empty()) {
            let (looped, nested) = (self.loops > 0, nested || how == CommandEnd::Nested);
            // A `}` is a word only where a command may begin; else it is an argument.
            self.found.push(SimpleCommand { line, column, text, looped, nested });
        } else if !text.is_empty() {
            // It began in an earlier line.
            self.found.push(SimpleCommand { line, column: 0, text, looped: true, nested: true });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Unwanted, command, edits};

    const IMPORT: Unwanted = Unwanted::Command(&["systemctl", "dbus-update-activation-environment"]);
    const START: Unwanted = Unwanted::Start(&["startx", "xinit", "sx"]);
    const BUS: Unwanted = Unwanted::Wrapper(&["dbus-launch", "dbus-run-session"]);

    /// The last line after the edit.
    fn edited(text: &str, unwanted: Unwanted) -> Option<String> {
        let last = text.trim_end().split('\n').count();
        let (edits, new) = edits(text, &[last], unwanted, |_| true, false)?;
        (!edits.is_empty()).then(|| new.trim_end().rsplit('\n').next().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_command_is_replaced_and_the_rest_stays() {
        let cases = [
            (START, "exec startx", Some("true")),
            (START, "if [ -z \"$DISPLAY\" ]; then exec startx; fi", Some("if [ -z \"$DISPLAY\" ]; then true; fi")),
            (
                START,
                "[[ -z $DISPLAY && $XDG_VTNR == 1 ]] && exec startx -- vt1 > ~/.x 2>&1 # x",
                Some("[[ -z $DISPLAY && $XDG_VTNR == 1 ]] && true # x"),
            ),
            (START, "[ \"$(tty)\" = /dev/tty1 ] && exec /usr/bin/startx", Some("[ \"$(tty)\" = /dev/tty1 ] && true")),
            (START, "# don't\nexec startx", Some("true")),
            (START, "case $(tty) in /dev/tty1) startx;; esac", Some("case $(tty) in /dev/tty1) true;; esac")),
            // A login shell would end.
            (START, "startx; exit", None),
            (START, "startx && logout", None),
            // A loop would never end.
            (START, "while true; do startx; done", None),
            (START, "while :\ndo\nstartx", None),
            (START, "for a in b; do c; done\nstartx", Some("true")),
            // Text, not a command.
            (START, "a='\nexec startx", None),
            (START, "a='\nexec startx\n'", None),
            (START, "cat <<A\nexec startx", None),
            (START, "b; sh -c 'exec startx'", None),
            (START, "exec startx \\\n  -- vt1", None),
            (IMPORT, "systemctl --user import-environment DISPLAY \"$A\" 2>/dev/null || b", Some("true || b")),
            (START, "if [[ $TTY == /dev/tty1 ]] { startx }", None),
            (IMPORT, "systemctl --user import-environment $(names)", None),
            (
                IMPORT,
                "if which dbus-update-activation-environment; then dbus-update-activation-environment --all; fi",
                Some("if which dbus-update-activation-environment; then true; fi"),
            ),
            (IMPORT, "while ! systemctl --user import-environment; do sleep 1; done", None),
            (BUS, "exec dbus-launch --exit-with-session openbox", Some("exec openbox")),
            (BUS, "exec dbus-run-session -- openbox-session \"a b\"", Some("exec openbox-session \"a b\"")),
            (BUS, "exec ssh-agent /usr/bin/dbus-launch i3 -c ~/.i3", Some("exec ssh-agent i3 -c ~/.i3")),
            (BUS, "exec dbus-run-session --config-file a openbox", None),
            (BUS, "exec dbus-launch", None),
            (BUS, "dbus-launch > a", None),
            (BUS, "  eval $(dbus-launch --sh-syntax --exit-with-session)", Some("  true")),
            (BUS, "test -n \"$A\" || eval `dbus-launch`; b", Some("test -n \"$A\" || true; b")),
            (BUS, "eval \"$(dbus-launch --sh-syntax)\"", Some("true")),
            (BUS, "eval $(dbus-launch --sh-syntax; echo A=b)", None),
            (BUS, "a=$(dbus-launch b)", None),
        ];
        for (unwanted, text, expected) in cases {
            assert_eq!(edited(text, unwanted).as_deref(), expected, "{text}");
        }
        assert!(edits("echo it\\'s; startx", &[1], START, |_| true, true).is_none());
    }

    #[test]
    fn text_that_sed_would_find_elsewhere_is_left_alone() {
        assert_eq!(edited("x=startx; startx", START), None);
    }

    #[test]
    fn the_command() {
        let text = "startx\nb\n[ a ] && exec startx ~/.x*'a' -- /x";
        let (edits, new) = edits(text, &[1, 3], Unwanted::Command(&["startx", "exec"]), |_| true, false).unwrap();
        assert_eq!(new, "true\nb\n[ a ] && true");
        assert_eq!(
            command(&edits, "/a b"),
            r"sed -i --follow-symlinks -e '1s/startx/true/' -e '3s/exec startx ~\/\.x\*'\''a'\'' -- \/x/true/' '/a b'"
        );
        assert_eq!(command(&edits[..1], "/a"), "sed -i --follow-symlinks '1s/startx/true/' /a");
    }
}
