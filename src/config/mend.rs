//! Takes all that is valid from a file, however broken the rest of it is.
//!
//! The file is cut before each table header, and each piece is parsed on its own, so that an error in one spoils
//! no other. In a piece the parser goes on after an error and reports its place: lines without an error
//! are used, and keys that touch a line with one are not. If an error makes it lose the rest of the piece, the line is
//! removed and the piece is parsed once more.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::Config;
use super::keys::keys;
use super::lines::{TomlLines, pieces};
use crate::suggest::nearest;

/// How often a piece is parsed, and how many findings a file gets. A text with more errors is not a configuration.
const ENOUGH: usize = 32;

/// The replacement of a broken header, so that the keys below it do not belong to the table above it. A list of tables,
/// because its header may appear as often as there are broken headers.
const NOWHERE: &str = "[[_]]";

const AGAIN: &str = "the key is set twice; the first value is used";

/// Something invalid: its line, or `None` for the whole file, and why.
pub(super) type Mistake = (Option<usize>, String);

/// Errors of syntax, by the first line that they spoil; each with its own line. Only the first one is kept, as others
/// mostly follow from it.
type Faults = BTreeMap<usize, (usize, String)>;

/// Takes a file's bytes and sets the valid keys in the configuration. Returns the keys that it set, each with
/// its line, and the errors, line by line.
pub(super) fn apply(bytes: &[u8], config: &mut Config) -> (BTreeMap<&'static str, usize>, Vec<Mistake>) {
    let text = String::from_utf8_lossy(bytes);
    let not_utf8 = not_utf8(bytes);
    let mut file = File { config, set: BTreeMap::new(), wrong: Vec::new() };
    let mut headers = BTreeSet::new();
    for (first_line, piece) in pieces(text.strip_prefix('\u{feff}').unwrap_or(&text)) {
        let header = piece.trim_start().split_inclusive(']').next().filter(|start| start.starts_with('['));
        if header.is_some_and(|header| !headers.insert(header)) {
            let why = "the table appears twice; put all its keys in one place";
            file.wrong.push((first_line, why.to_owned()));
        }
        file.apply_piece(piece, first_line, &not_utf8);
    }
    file.wrong.extend(not_utf8.into_values());
    (file.set, shortened(file.wrong))
}

fn not_utf8(bytes: &[u8]) -> Faults {
    let lines = (1..).zip(bytes.split(|b| *b == b'\n'));
    let bad = lines.filter(|(_, line)| std::str::from_utf8(line).is_err()).map(|(line, _)| line);
    bad.map(|line| (line, (line, "the line is not UTF-8; save the file in that encoding".to_owned()))).collect()
}

fn shortened(mut wrong: Vec<(usize, String)>) -> Vec<Mistake> {
    wrong.sort_by_key(|(line, _)| *line);
    let more = wrong.len().saturating_sub(ENOUGH);
    wrong.truncate(ENOUGH);
    let mut findings: Vec<Mistake> = wrong.into_iter().map(|(line, why)| (Some(line), why)).collect();
    if more > 0 {
        findings.push((None, format!("{more} more lines cannot be used")));
    }
    findings
}

/// The result of a file.
struct File<'a> {
    config: &'a mut Config,
    /// The keys that were set, and by which line.
    set: BTreeMap<&'static str, usize>,
    /// The errors, by line.
    wrong: Vec<(usize, String)>,
}

impl File<'_> {
    fn apply_piece(&mut self, piece: &str, first_line: usize, not_utf8: &Faults) {
        let mut faults = Faults::new();
        let mut text = piece.to_owned();
        let mut rounds = 1;
        while let Some(edited) = edit_out_what_blocks(&TomlLines::of(&text, first_line), &mut faults) {
            text = edited;
            rounds += 1;
            if rounds > ENOUGH {
                let why = "too many errors from here to the next table; all of these lines are ignored".to_owned();
                self.wrong.push((first_line, why));
                return;
            }
        }
        let lines = TomlLines::of(&text, first_line);
        let (table, _) = DeTable::parse_recoverable(&text);
        for leaf in leaves(&table, &lines) {
            let spoiled = |faults: &Faults| faults.range(leaf.lines.clone()).next().is_some();
            if !spoiled(&faults) && !spoiled(not_utf8) {
                self.set(&leaf);
            }
        }
        self.wrong.extend(faults.into_values());
    }

    fn set(&mut self, leaf: &Leaf<'_>) {
        let why = match keys().find(|key| key.name == leaf.name) {
            Some(key) if self.set.contains_key(key.name) => AGAIN.to_owned(),
            Some(key) => match key.set(self.config, leaf.value) {
                Ok(()) => {
                    self.set.insert(key.name, *leaf.lines.start());
                    return;
                }
                Err(why) => why,
            },
            // The search for the nearest key is slow, and a large file may consist of errors.
            None if self.wrong.len() > ENOUGH => String::new(),
            None => unknown(leaf),
        };
        self.wrong.push((*leaf.lines.start(), why));
    }
}

/// Adds the errors of a piece to the faults, and returns its text without the lines that stop the parser, or
/// `None` if no line does.
fn edit_out_what_blocks(lines: &TomlLines<'_>, faults: &mut Faults) -> Option<String> {
    let (table, errors) = DeTable::parse_recoverable(lines.whole());
    let mut leaves = leaves(&table, lines);
    // For a table only the line of the header is known, and an error there does not belong to a key.
    leaves.retain(|leaf| !matches!(leaf.value, DeValue::Table(_)));
    let mut edits = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for error in &errors {
        let line = lines.at(error.span().map_or(0, |span| span.start));
        if !seen.insert(line) {
            continue;
        }
        let (first, why) = match (leaf_at(&leaves, line), lines.text(line)) {
            (Some(leaf), _) if leaf.name.is_empty() => (*leaf.lines.start(), error.message().to_owned()),
            (Some(leaf), _) => (*leaf.lines.start(), format!("{}: {}", leaf.name, error.message())),
            (None, header) if header.starts_with('[') => {
                edits.extend((header != NOWHERE).then_some((line, NOWHERE)));
                (line, format!("{}; the keys below are ignored", error.message()))
            }
            (None, stray) => {
                edits.extend((!stray.is_empty()).then_some((line, "")));
                let again = error.message() == "duplicate key";
                (line, if again { AGAIN } else { error.message() }.to_owned())
            }
        };
        faults.entry(first).or_insert((line, why));
    }
    (!edits.is_empty()).then(|| lines.edited(&edits))
}

/// A key with its value from the text, known or not.
struct Leaf<'a> {
    name: String,
    lines: RangeInclusive<usize>,
    value: &'a DeValue<'a>,
}

/// Returns all keys, by line. The keys of our tables are listed one by one, any other table as a whole.
fn leaves<'a>(table: &'a Spanned<DeTable<'a>>, lines: &TomlLines<'_>) -> Vec<Leaf<'a>> {
    let leaf = |name: String, key: &Spanned<DeString<'_>>, value: &'a Spanned<DeValue<'a>>| {
        let (key, end) = (lines.at(key.span().start), lines.at(value.span().end.saturating_sub(1)));
        Leaf { name, lines: key.min(end)..=key.max(end), value: value.get_ref() }
    };
    let mut leaves = Vec::new();
    for (key, value) in table.get_ref() {
        match value.get_ref() {
            DeValue::Table(inner) if is_table(key.get_ref()) => {
                let name = |inner: &DeString<'_>| format!("{}.{inner}", key.get_ref());
                leaves.extend(inner.iter().map(|(key, value)| leaf(name(key.get_ref()), key, value)));
            }
            _ => leaves.push(leaf(key.get_ref().to_string(), key, value)),
        }
    }
    leaves.sort_by_key(|leaf| *leaf.lines.start());
    leaves
}

/// The key whose lines contain the given one.
fn leaf_at<'a, 'b>(leaves: &'b [Leaf<'a>], line: usize) -> Option<&'b Leaf<'a>> {
    let after = leaves.partition_point(|leaf| *leaf.lines.start() <= line);
    leaves[..after].last().filter(|leaf| leaf.lines.contains(&line))
}

fn tables() -> impl Iterator<Item = &'static str> + Clone {
    keys().filter_map(|key| key.name.split_once('.')).map(|(table, _)| table)
}

fn is_table(name: &str) -> bool {
    tables().any(|table| table == name)
}

fn unknown(leaf: &Leaf<'_>) -> String {
    if is_table(&leaf.name) {
        return format!("{} is a table; write [{}], and its keys below it", leaf.name, leaf.name);
    }
    let shown: String = leaf.name.chars().take(64).collect();
    if matches!(leaf.value, DeValue::Table(_)) {
        return match nearest(&leaf.name, tables()) {
            Some(near) => format!("there is no table [{shown}]; did you mean [{near}]?"),
            None => format!("there is no table [{shown}]"),
        };
    }
    match nearest(&leaf.name, keys().map(|key| key.name)) {
        Some(near) => format!("there is no key {shown}; did you mean {near}?"),
        None => format!("there is no key {shown}"),
    }
}
