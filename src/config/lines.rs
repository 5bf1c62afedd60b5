//! A text, split into lines and tables.

use std::collections::BTreeMap;

/// The lines of a piece of a file, numbered as in the file.
pub(super) struct TomlLines<'a> {
    text: &'a str,
    first: usize,
    starts: Vec<usize>,
}

impl<'a> TomlLines<'a> {
    /// Takes a text and the number of its first line.
    pub(super) fn of(text: &'a str, first: usize) -> TomlLines<'a> {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        TomlLines { text, first, starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// Returns the text that was given.
    pub(super) fn whole(&self) -> &'a str {
        self.text
    }

    /// Takes an offset in bytes and returns its line. The end of the text is in the last line that is not empty.
    pub(super) fn at(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len().saturating_sub(1));
        self.starts.partition_point(|start| *start <= offset) - 1 + self.first
    }

    /// Takes a line and returns its text, without surrounding space; nothing for a line that does not exist.
    pub(super) fn text(&self, line: usize) -> &'a str {
        let index = line.checked_sub(self.first);
        let Some((index, start)) = index.and_then(|index| Some((index, self.starts.get(index)?))) else {
            return "";
        };
        let end = self.starts.get(index + 1).copied().unwrap_or(self.text.len());
        self.text[*start..end].trim()
    }

    /// Takes lines and their new texts, and returns the text with them. All lines keep their numbers.
    pub(super) fn edited(&self, edits: &BTreeMap<usize, &str>) -> String {
        let lines = (self.first..).zip(self.text.split('\n'));
        let edited = lines.map(|(number, line)| edits.get(&number).copied().unwrap_or(line));
        edited.collect::<Vec<_>>().join("\n")
    }
}

/// Takes a file's text and returns its pieces, each with the number of its first line: the lines before the first
/// table header, and each header with the lines below it.
///
/// A header could also be part of a string or list over several lines. No value of ours looks
/// like that, and more likely the string or list was never closed.
pub(super) fn pieces(text: &str) -> Vec<(usize, &str)> {
    let mut pieces = Vec::new();
    let (mut piece_at, mut piece_line, mut at) = (0, 1, 0);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if is_header(line) {
            pieces.push((piece_line, &text[piece_at..at]));
            (piece_at, piece_line) = (at, number);
        }
        at += line.len();
    }
    pieces.push((piece_line, &text[piece_at..]));
    pieces
}

/// Whether a line is `[NAME]` with nothing or a comment after it. Numbers are list items, not names.
fn is_header(line: &str) -> bool {
    let Some((name, after)) = line.trim().strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return false;
    };
    let after = after.trim_start();
    name.trim().starts_with(|c: char| c.is_ascii_alphabetic())
        && name.trim().bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && (after.is_empty() || after.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_texts() {
        let lines = TomlLines::of("a\n bc \n", 5);
        let at: Vec<_> = (0..8).map(|offset| lines.at(offset)).collect();
        assert_eq!(at, [5, 5, 6, 6, 6, 6, 6, 6]);
        assert_eq!([0, 5, 6, 7, 8].map(|line| lines.text(line)), ["", "a", "bc", "", ""]);
        assert_eq!(lines.edited(&BTreeMap::from([(6, "x"), (9, "y")])), "a\nx\n");
        assert_eq!(TomlLines::of("", 1).at(0), 1);
    }

    #[test]
    fn cut_before_each_header() {
        let text = "a\n[b] # c\nd = [\n[1]\n]\n [e.f]\r\n[\"g\"]";
        let expected = [(1, "a\n"), (2, "[b] # c\nd = [\n[1]\n]\n"), (6, " [e.f]\r\n[\"g\"]")];
        assert_eq!(pieces(text), expected);
        assert_eq!(pieces(""), [(1, "")]);
    }
}
