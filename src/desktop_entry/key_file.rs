//! The file's form: lines, groups, keys (Desktop Entry Specification, "Basic format of the file").

use std::collections::BTreeMap;

use super::BrokenEntry;

/// A file by its groups.
pub(super) struct KeyFile<'a> {
    groups: Vec<EntryGroup<'a>>,
}

/// A group: a header and the keys below it.
pub(super) struct EntryGroup<'a> {
    name: &'a str,
    line: usize,
    keys: Vec<EntryKey<'a>>,
}

/// A key as it stands in the file.
struct EntryKey<'a> {
    line: usize,
    name: &'a str,
    locale: Option<&'a str>,
    value: &'a [u8],
}

/// A key's value as it stands in the file, with its escapes.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    /// The line, from 1.
    pub line: usize,
    /// The text after the equals sign, without surrounding white space.
    pub text: &'a str,
}

impl<'a> KeyFile<'a> {
    /// Takes a file's bytes and returns its groups.
    ///
    /// Checks only groups for which `matters` returns true: a mistake in another program's group, or in a translation
    /// that nobody reads, is not the session's fault.
    ///
    /// # Errors
    /// [`BrokenEntry`] with the line.
    pub(super) fn parse(bytes: &'a [u8], matters: fn(&str) -> bool) -> Result<Self, BrokenEntry> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut groups: Vec<EntryGroup<'a>> = Vec::new();
        let mut begun = BTreeMap::new();
        for (line, content) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
            let content = content.trim_ascii();
            if content.is_empty() || content.starts_with(b"#") {
                continue;
            }
            if content.starts_with(b"[") {
                let name = header(content).ok_or_else(|| {
                    BrokenEntry::at(line, "the group's header is not [NAME], with NAME in ASCII and without brackets")
                })?;
                if matters(name)
                    && let Some(first) = begun.insert(name, line)
                {
                    return Err(BrokenEntry::at(line, format!("[{name}] already begins in line {first}")));
                }
                groups.push(EntryGroup { name, line, keys: Vec::new() });
                continue;
            }
            let Some(group) = groups.last_mut() else {
                return Err(BrokenEntry::at(line, "only comments may precede [Desktop Entry]"));
            };
            if !matters(group.name) {
                continue;
            }
            let Some(at) = content.iter().position(|&byte| byte == b'=') else {
                return Err(BrokenEntry::at(line, "this is neither KEY=VALUE, nor [GROUP], nor a comment"));
            };
            // A name that the specification does not allow is never requested.
            if let Some((name, locale)) = key(content[..at].trim_ascii_end()) {
                group.keys.push(EntryKey { line, name, locale, value: content[at + 1..].trim_ascii_start() });
            }
        }
        Ok(Self { groups })
    }

    /// The first group.
    pub(super) fn first(&self) -> Option<&EntryGroup<'a>> {
        self.groups.first()
    }

    /// A group by its name.
    pub(super) fn group(&self, name: &str) -> Option<&EntryGroup<'a>> {
        self.groups.iter().find(|group| group.name == name)
    }
}

impl<'a> EntryGroup<'a> {
    /// The group's name.
    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    /// The header's line.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// The value of a key with this locale, or without one; `None` if the key is missing.
    ///
    /// # Errors
    /// [`BrokenEntry`]: the key is there twice, or its line is not UTF-8 or contains control characters.
    pub(super) fn get(&self, name: &str, locale: Option<&str>) -> Result<Option<Value<'a>>, BrokenEntry> {
        let mut found = self.keys.iter().filter(|key| key.name == name && key.locale == locale);
        let Some(key) = found.next() else { return Ok(None) };
        if let Some(again) = found.next() {
            return Err(BrokenEntry::at(again.line, format!("{name} is already set in line {}", key.line)));
        }
        let Ok(text) = std::str::from_utf8(key.value) else {
            return Err(BrokenEntry::at(key.line, format!("the value of {name} is not UTF-8")));
        };
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            let why = format!("the value of {name} contains a control character; write a tab as \\t");
            return Err(BrokenEntry::at(key.line, why));
        }
        Ok(Some(Value { line: key.line, text }))
    }
}

/// The name in `[NAME]`: ASCII without brackets and control characters.
fn header(content: &[u8]) -> Option<&str> {
    let name = content.strip_prefix(b"[")?.strip_suffix(b"]")?;
    let fits = |byte: &u8| matches!(byte, b' '..=b'~') && !b"[]".contains(byte);
    if name.is_empty() || !name.iter().all(fits) {
        return None;
    }
    std::str::from_utf8(name).ok()
}

/// A key's name and locale, `NAME` or `NAME[LOCALE]`; the name consists of letters, digits and dashes.
fn key(written: &[u8]) -> Option<(&str, Option<&str>)> {
    let written = std::str::from_utf8(written).ok()?;
    let (name, locale) = match written.split_once('[') {
        Some((name, locale)) => (name, Some(locale.strip_suffix(']')?)),
        None => (written, None),
    };
    let fits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    fits.then_some((name, locale))
}

impl Value<'_> {
    /// The value as a string: `\s`, `\n`, `\t`, `\r` and `\\` are undone.
    ///
    /// # Errors
    /// [`BrokenEntry`] on any other escape.
    pub(super) fn string(self) -> Result<String, BrokenEntry> {
        self.unescape(false).map(|mut items| items.pop().unwrap_or_default())
    }

    /// The value as a list of strings, split at `;`, with `\;` for a semicolon. Empty items are ignored.
    ///
    /// # Errors
    /// As [`Value::string`].
    pub(super) fn strings(self) -> Result<Vec<String>, BrokenEntry> {
        let mut items = self.unescape(true)?;
        items.retain(|item| !item.is_empty());
        Ok(items)
    }

    /// The value as a boolean; `0` and `1` as in files from before version 1.0 ("Deprecated items").
    ///
    /// # Errors
    /// [`BrokenEntry`] if it is neither.
    pub(super) fn boolean(self) -> Result<bool, BrokenEntry> {
        match self.text {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            other => {
                Err(BrokenEntry::at(self.line, format!("{} is neither true nor false", BrokenEntry::quote(other))))
            }
        }
    }

    fn unescape(self, list: bool) -> Result<Vec<String>, BrokenEntry> {
        let mut items = Vec::new();
        let mut item = String::new();
        let mut characters = self.text.chars();
        while let Some(character) = characters.next() {
            match character {
                ';' if list => items.push(std::mem::take(&mut item)),
                '\\' => item.push(match characters.next() {
                    Some('s') => ' ',
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some('\\') => '\\',
                    Some(';') if list => ';',
                    Some(other) => {
                        let why = format!("there is no escape \\{other}; write \\\\ for a backslash");
                        return Err(BrokenEntry::at(self.line, why));
                    }
                    None => {
                        return Err(BrokenEntry::at(self.line, "a backslash at the end; write \\\\ for a backslash"));
                    }
                }),
                other => item.push(other),
            }
        }
        items.push(item);
        Ok(items)
    }
}
