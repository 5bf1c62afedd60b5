//! Golden files: what is generated, compared with what was generated when somebody last looked at it.

use std::path::Path;

/// If it is "write", the files are written instead of compared.
const VARIABLE: &str = "STARTXD_GOLDEN";

/// Compares a text with the file of this name in `tests/fixtures/golden`.
///
/// # Panics
/// They differ, or there is no such file.
#[track_caller]
pub(crate) fn golden(name: &str, text: &str) {
    let file = Path::new("tests/fixtures/golden").join(name);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
    if std::env::var(VARIABLE).is_ok_and(|value| value == "write") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == text,
        "the generated text differs from {}:\n{}if that is intended, write the file again, and look at the \
         difference: {VARIABLE}=write cargo test --lib golden && git diff tests/fixtures/golden",
        file.display(),
        difference(&expected, text)
    );
}

/// The lines that only one of both has, between the first and the last that differ.
fn difference(expected: &str, text: &str) -> String {
    let (mut old, mut new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), text.lines().collect());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    (old, new) = (old.split_off(same), new.split_off(same));
    while old.last().is_some_and(|line| new.last() == Some(line)) {
        old.pop();
        new.pop();
    }
    let marked = |mark: char, lines: Vec<&str>| lines.iter().map(|line| format!("{mark}{line}\n")).collect::<String>();
    marked('-', old) + &marked('+', new)
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn only_what_differs_is_shown() {
        assert_eq!(difference("a\nb\nc\n", "a\nx\ny\nc\n"), "-b\n+x\n+y\n");
        assert_eq!(difference("", "a\n"), "+a\n");
        assert_eq!(difference("a\n", "a\n"), "");
    }
}
