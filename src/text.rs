//! Text that comes from elsewhere, for people.

/// Takes a text and returns it with its control characters escaped: what stands in a file, or is a file's name, must
/// neither break a line nor move a terminal's cursor.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_debug());
        } else {
            line.push(character);
        }
    }
    line
}

/// As [`one_line`], of a path.
#[must_use]
pub fn path(path: &std::path::Path) -> String {
    one_line(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::{one_line, path};

    #[test]
    fn control_characters_are_made_visible() {
        assert_eq!(one_line("a\n\u{1b}[2J\té\u{85}"), "a\\n\\u{1b}[2J\\té\\u{85}");
        assert_eq!(path("/a\nb".as_ref()), "/a\\nb");
    }
}
