//! Colours for a terminal; pure.

/// The colours of ECMA-48.
const BOLD: &str = "1";
const RED: &str = "1;31";
const YELLOW: &str = "33";
const GREEN: &str = "1;32";

/// Takes the text of `startxd status` and returns it with colours: the first line, and what is wrong.
#[must_use]
pub fn paint(text: &str) -> String {
    let mut painted = String::new();
    for (index, line) in text.lines().enumerate() {
        let label = line.trim_start().split("  ").next().unwrap_or_default();
        let colour = match (index, label) {
            (0, _) if line.ends_with("; nothing is wrong") => Some(GREEN),
            (0, _) => Some(BOLD),
            (_, "problem") => Some(RED),
            (_, "note") => Some(YELLOW),
            _ => None,
        };
        painted += &colour.map_or_else(|| format!("{line}\n"), |colour| format!("\u{1b}[{colour}m{line}\u{1b}[m\n"));
    }
    painted
}

#[cfg(test)]
mod tests {
    use super::paint;

    #[test]
    fn the_first_line_and_what_is_wrong_have_colours() {
        let text = "i3 on :0; 1 problem, 1 note\n  display  :0\n  problem  a\n     note  b\n";
        let expected = "\u{1b}[1mi3 on :0; 1 problem, 1 note\u{1b}[m\n  display  :0\n\u{1b}[1;31m  problem  a\u{1b}[m\n\u{1b}[33m     \
                        note  b\u{1b}[m\n";
        assert_eq!(paint(text), expected);
        assert_eq!(paint("i3 on :0; nothing is wrong\n"), "\u{1b}[1;32mi3 on :0; nothing is wrong\u{1b}[m\n");
    }
}
