//! The command line of an entry (Desktop Entry Specification, "The Exec key").

use super::BrokenEntry;

/// Must be within quotes.
const RESERVED: &[char] =
    &[' ', '\t', '\n', '"', '\'', '\\', '>', '<', '~', '|', '&', ';', '$', '*', '?', '#', '(', ')', '`'];

/// Must be escaped inside quotes.
const ESCAPED: &[char] = &['"', '`', '$', '\\'];

/// The longest command line in bytes: what the kernel accepts for a single argument (`MAX_ARG_STRLEN`, execve(2)), and
/// far above any real one. Otherwise a long name that `%c` inserts many times could fill all memory.
const LONGEST: usize = 128 * 1024;

/// What the field codes stand for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    /// `%c`: the name, in the person's language.
    pub name: &'a str,
    /// `%k`: the path of the file; `None` if there is none.
    pub path: Option<&'a str>,
    /// `%i`: the icon; `None` if the entry names none.
    pub icon: Option<&'a str>,
}

const TOO_LONG: &str = "the command line is longer than 128 KiB";

/// A word of the command line, with its quoting undone and its field codes as they are.
struct ExecWord {
    text: String,
    quoted: bool,
}

/// Takes the value of an `Exec` key with the escapes of strings already undone, and returns the program and its
/// arguments.
///
/// # Errors
/// Why this is not a command line, without a line number, which the caller knows.
pub(super) fn command(value: &str, fields: Fields<'_>) -> Result<Vec<String>, String> {
    let mut arguments = Vec::new();
    let (mut files, mut length) = (false, 0);
    for word in split(value)? {
        let before = arguments.len();
        expand(&word, fields, &mut files, &mut arguments)?;
        length += arguments[before..].iter().map(|argument| argument.len() + 1).sum::<usize>();
        if length > LONGEST {
            return Err(TOO_LONG.to_owned());
        }
    }
    checked(arguments)
}

/// Like [`command`], for a value that departs from the specification. It is read as display managers read it, which is
/// as a shell splits words (`g_shell_parse_argv` of GLib). What is not a field code is left unchanged.
///
/// # Errors
/// Not even a shell could read it.
pub(super) fn command_as_shells_read_it(value: &str, fields: Fields<'_>) -> Result<Vec<String>, String> {
    let (mut arguments, mut length) = (Vec::new(), 0);
    for word in shell_words(value)? {
        let before = arguments.len();
        // Where the specification cannot say what a code means, leaving it unchanged loses nothing.
        let mut expanded = Vec::new();
        let word = ExecWord { text: word, quoted: false };
        match expand(&word, fields, &mut false, &mut expanded) {
            Ok(()) => arguments.extend(expanded),
            Err(why) if why == TOO_LONG => return Err(why),
            Err(_) => arguments.push(word.text),
        }
        length += arguments[before..].iter().map(|argument: &String| argument.len() + 1).sum::<usize>();
        if length > LONGEST {
            return Err(TOO_LONG.to_owned());
        }
    }
    checked(arguments)
}

/// Splits into words as a shell does, and undoes its quoting; nothing is expanded.
fn shell_words(value: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '#' if word.is_none() => {
                characters.by_ref().find(|&character| character == '\n');
            }
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        Some('\'') => break,
                        Some(other) => word.push(other),
                        None => return Err("a quote is not closed".to_owned()),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        Some('"') => break,
                        Some('\\') => match characters.peek() {
                            Some(escaped) if ESCAPED.contains(escaped) => word.extend(characters.next()),
                            _ => word.push('\\'),
                        },
                        Some(other) => word.push(other),
                        None => return Err("a quote is not closed".to_owned()),
                    }
                }
            }
            '\\' => match characters.next() {
                Some('\n') => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err("a backslash is the last character".to_owned()),
            },
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

/// The rules for every command line.
fn checked(arguments: Vec<String>) -> Result<Vec<String>, String> {
    let Some(program) = arguments.first().filter(|program| !program.is_empty()) else {
        return Err("the command line is empty".to_owned());
    };
    if program.contains('=') {
        return Err(format!(
            "{} is not a program's name, as it contains an equals sign; to set variables, use env",
            BrokenEntry::quote(program)
        ));
    }
    if program.contains('/') && !program.starts_with('/') {
        return Err(format!("{} is neither an absolute path nor a name without slashes", BrokenEntry::quote(program)));
    }
    if arguments.iter().any(|argument| argument.contains('\0')) {
        return Err("an argument cannot hold a NUL".to_owned());
    }
    Ok(arguments)
}

/// Splits at spaces, and undoes the quoting.
fn split(value: &str) -> Result<Vec<ExecWord>, String> {
    let mut words = Vec::new();
    let mut rest = value.trim_start_matches(' ');
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(inner) => quoted(inner)?,
            None => unquoted(rest)?,
        };
        if !after.is_empty() && !after.starts_with(' ') {
            return Err(format!("{} follows a closing quote; quote the whole argument", BrokenEntry::quote(after)));
        }
        words.push(word);
        rest = after.trim_start_matches(' ');
    }
    Ok(words)
}

fn unquoted(text: &str) -> Result<(ExecWord, &str), String> {
    let (word, after) = text.split_at(text.find(' ').unwrap_or(text.len()));
    match word.chars().find(|character| RESERVED.contains(character)) {
        Some('"') => Err(format!("a quote inside {}; quote the whole argument", BrokenEntry::quote(word))),
        Some('\'') => Err(format!("a single quote in {}; use double quotes", BrokenEntry::quote(word))),
        Some(reserved) => {
            Err(format!("{} must be in double quotes, because it contains {reserved:?}", BrokenEntry::quote(word)))
        }
        None => Ok((ExecWord { text: word.to_owned(), quoted: false }, after)),
    }
}

/// Takes the text after an opening quote.
fn quoted(text: &str) -> Result<(ExecWord, &str), String> {
    let mut word = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((ExecWord { text: word, quoted: true }, &text[at + 1..])),
            '\\' => match characters.next() {
                Some((_, escaped)) if ESCAPED.contains(&escaped) => word.push(escaped),
                _ => return Err("a backslash in quotes must be escaped: write \\\\\\\\".to_owned()),
            },
            '`' | '$' => {
                return Err(format!("{character} in quotes must be escaped: write \\\\{character}"));
            }
            other => word.push(other),
        }
    }
    Err("a quote is not closed".to_owned())
}

/// Expands the field codes of a word and appends the result.
fn expand(word: &ExecWord, fields: Fields<'_>, files: &mut bool, arguments: &mut Vec<String>) -> Result<(), String> {
    let mut text = String::new();
    let mut removed = false;
    let alone = word.text.chars().count() == 2;
    let mut characters = word.text.chars();
    while let Some(character) = characters.next() {
        if text.len() > LONGEST {
            return Err(TOO_LONG.to_owned());
        }
        if character != '%' {
            text.push(character);
            continue;
        }
        let code = characters.next();
        if word.quoted && code.is_some_and(|code| "fFuUickdDnNvm".contains(code)) {
            return Err(format!("the field code %{} is inside quotes", code.unwrap_or_default()));
        }
        match code {
            Some('%') => text.push('%'),
            Some(code @ ('f' | 'F' | 'u' | 'U')) => {
                if std::mem::replace(files, true) {
                    return Err("only one of %f, %F, %u and %U is allowed".to_owned());
                }
                if code.is_ascii_uppercase() && !alone {
                    return Err(format!("%{code} must be a separate argument"));
                }
                // A session opens no files.
                removed = true;
            }
            Some('d' | 'D' | 'n' | 'N' | 'v' | 'm') => removed = true,
            Some('i') if alone => {
                if let Some(icon) = fields.icon {
                    arguments.extend(["--icon".to_owned(), icon.to_owned()]);
                }
                return Ok(());
            }
            Some('i') => return Err("%i must be a separate argument".to_owned()),
            Some('c') => text.push_str(fields.name),
            Some('k') => {
                text.push_str(fields.path.unwrap_or_default());
                removed |= fields.path.is_none();
            }
            Some(other) => return Err(format!("there is no field code {}", BrokenEntry::quote(&format!("%{other}")))),
            None => return Err("an argument ends with %; write %% for a percent sign".to_owned()),
        }
    }
    if !(removed && text.is_empty()) {
        arguments.push(text);
    }
    Ok(())
}
