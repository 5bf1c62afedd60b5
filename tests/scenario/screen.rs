//! What a person reads on the terminal.

use std::fmt;

/// The text of a terminal, whose lines are broken where its width ends.
#[derive(Debug, Clone)]
pub struct Screen(pub String);

impl Screen {
    /// Whether it has `part`, wherever the lines are broken.
    pub fn has(&self, part: &str) -> bool {
        without_blanks(&self.0).contains(&without_blanks(part))
    }

    /// Expects each of `parts` on it.
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

fn without_blanks(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}
