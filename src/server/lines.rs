//! A program's output in lines, and the last of them for a person; pure.

use std::collections::VecDeque;

/// How many last lines are kept for a message, and how many rows of a VT they may take.
const TAIL: usize = 12;
/// How many characters of each are shown: two rows of a VT.
const SHOWN: usize = 2 * COLUMNS - 2;
/// Columns of a VT.
const COLUMNS: usize = 80;
/// A line is relayed in pieces of at most this many bytes (journald's own `LineMax=` is 48 KiB).
pub const LINE: usize = 2048;

/// Up to how many lines the first ones are shown as well: a longer output is the log of a program that worked for a
/// while.
pub const MANY: usize = 200;
/// How many first lines are shown above the last ones then.
const HEAD: usize = 2;

/// The last lines of a program's output for a person, as by [`Lines::tail`]. If there are more, but fewer than [`MANY`]
/// lines, the first ones are included as well: a program with wrong arguments reports that first, and then prints its
/// usage.
#[must_use]
pub fn abridged(output: &[u8]) -> String {
    let (mut lines, mut all) = (Lines::default(), Vec::new());
    lines.take(output, |line| all.push(line.to_owned()));
    lines.finish(|line| all.push(line.to_owned()));
    if all.len() > TAIL && all.len() < MANY {
        let rest = all.len() - (TAIL - HEAD - 1);
        all.splice(HEAD..rest, ["…".to_owned()]);
        lines.tail = all.into();
    }
    lines.tail()
}

/// Output, cut into lines.
#[derive(Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
    tail: VecDeque<String>,
}

impl Lines {
    /// Takes the next bytes, and emits each complete line as text, without control characters except tabs.
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

    /// Emits the rest of a line that has no end.
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
        // Only as many as fit, or the sentence above them would scroll off the screen.
        let mut rows = 0;
        let fits = |line: &&String| {
            rows += line.chars().count().div_ceil(COLUMNS).max(1);
            rows <= TAIL
        };
        let shown = lines.iter().rev().take_while(fits).count();
        lines[lines.len() - shown..].join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::{MANY, abridged};

    #[test]
    fn the_first_lines_are_shown_with_the_last_ones_of_a_short_output() {
        let numbered = |count: usize| (1..=count).map(|number| format!("line {number}\n")).collect::<String>();
        let shown = |count: usize| abridged(numbered(count).as_bytes()).lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(abridged(b""), "");
        assert_eq!(shown(12).join("\n") + "\n", numbered(12));
        let shown_of_40 = shown(40);
        assert_eq!(shown_of_40[..4], ["line 1", "line 2", "…", "line 32"]);
        assert_eq!((shown_of_40.len(), shown_of_40.last().map(String::as_str)), (12, Some("line 40")));
        // The first lines of these were not kept.
        assert_eq!(shown(MANY)[0], format!("line {}", MANY - 11));
        // Lines that do not fit are omitted at the top.
        let long = "x".repeat(5000) + "\n";
        assert!(abridged((numbered(2) + &long.repeat(20)).as_bytes()).starts_with('x'));
        assert_eq!(abridged(b"\x1b[2Jno \xff end"), "?[2Jno \u{fffd} end");
    }
}
