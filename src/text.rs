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

/// Takes a text and returns it as a word of a shell's, for a command that a person may copy.
#[must_use]
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.@%+/:".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    String::from_utf8_lossy(&quoted(word.as_bytes())).into_owned()
}

/// Takes any bytes and returns them as one word of a shell's, in quotes.
#[must_use]
pub fn quoted(word: &[u8]) -> Vec<u8> {
    let parts: Vec<&[u8]> = word.split(|byte| *byte == b'\'').collect();
    [b"'", parts.join(&br"'\''"[..]).as_slice(), b"'"].concat()
}

#[cfg(test)]
mod tests {
    use super::{one_line, path, shell_word};

    #[test]
    fn words_of_a_shell() {
        for (text, word) in [("/a/b-c", "/a/b-c"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("", "''"), ("~", "'~'")] {
            assert_eq!(shell_word(text), word);
        }
    }

    #[test]
    fn control_characters_are_made_visible() {
        assert_eq!(one_line("a\n\u{1b}[2J\té\u{85}"), "a\\n\\u{1b}[2J\\té\\u{85}");
        assert_eq!(path("/a\nb".as_ref()), "/a\\nb");
    }
}
