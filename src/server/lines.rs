//! The server's output in lines, and the last of them for a person; pure.

use std::collections::VecDeque;

/// How many of the server's last lines are kept for a message, and how many rows of a VT they may take.
const TAIL: usize = 12;
/// So many characters of each are shown: two rows of a VT.
const SHOWN: usize = 2 * COLUMNS - 2;
/// Columns of a VT.
const COLUMNS: usize = 80;
/// A line is passed on in pieces of at most this many bytes (journald's own `LineMax=` is 48 KiB).
pub const LINE: usize = 2048;

/// Output, cut into lines.
#[derive(Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
    tail: VecDeque<String>,
}

impl Lines {
    /// Takes the next bytes, and says each line that is whole: text, without control characters but tabs.
    pub fn take(&mut self, bytes: &[u8], mut say: impl FnMut(&str)) {
        for &byte in bytes {
            if byte == b'\n' || self.partial.len() >= LINE {
                self.finish(&mut say);
            }
            if byte != b'\n' {
                self.partial.push(byte);
            }
        }
    }

    /// Says what there is of a line that has no end.
    pub fn finish(&mut self, mut say: impl FnMut(&str)) {
        if self.partial.is_empty() {
            return;
        }
        let line = String::from_utf8_lossy(&self.partial);
        // The lines end up on a person's terminal: escape sequences must not.
        let line: String = line.chars().map(|c| if c.is_control() && c != '\t' { '?' } else { c }).collect();
        self.partial.clear();
        say(&line);
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    /// The last lines for a person, each cut to two rows of a VT, and as many as fit above a prompt.
    #[must_use]
    pub fn tail(&self) -> String {
        let cut = |line: &String| {
            // A tab would take up to eight columns.
            let line = line.replace('\t', " ");
            match line.char_indices().nth(SHOWN) {
                Some((end, _)) => format!("{}…", &line[..end]),
                None => line,
            }
        };
        let lines: Vec<String> = self.tail.iter().map(cut).collect();
        // The last ones that fit, or the sentence above them would be scrolled away.
        let mut rows = 0;
        let fits = |line: &&String| {
            rows += line.chars().count().div_ceil(COLUMNS).max(1);
            rows <= TAIL
        };
        let shown = lines.iter().rev().take_while(fits).count();
        lines[lines.len() - shown..].join("\n")
    }
}
