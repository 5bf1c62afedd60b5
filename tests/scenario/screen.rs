//! What a person reads on the terminal.

use std::fmt;

use super::Desk;
use crate::harness::{SOON, wait_until};

/// The text of a terminal, where lines are broken at its width.
#[derive(Debug, Clone)]
pub struct Screen(pub String);

impl Screen {
    /// Whether it contains `part`, whatever the line breaks.
    pub fn has(&self, part: &str) -> bool {
        without_blanks(&self.0).contains(&without_blanks(part))
    }

    /// Expects that it contains each of `parts`.
    #[track_caller]
    pub fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.has(part), "{part:?} is not on the screen:\n{self}");
        }
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Desk {
    /// Waits until the terminal shows `part`, whatever the line breaks: for messages while something else runs.
    #[track_caller]
    pub fn reads(&self, part: &str) {
        wait_until(&format!("{part:?} on the terminal"), SOON, || match Screen(self.vt().screen()) {
            screen if screen.has(part) => Ok(()),
            screen => Err(screen.to_string()),
        });
    }

    /// Waits until startxd has logged `part` to the journal.
    #[track_caller]
    pub fn journal_says(&self, part: &str) {
        wait_until(&format!("{part:?} in the journal"), SOON, || {
            let journal = self.journal("-o cat -t startxd");
            if journal.contains(part) { Ok(()) } else { Err(journal) }
        });
    }
}

fn without_blanks(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}
