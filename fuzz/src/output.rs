//! What an X server prints: into the journal, and its end onto a person's terminal.

use startxd::for_tests::server::lines::{LINE, Lines};

/// However it comes in pieces, the same is said, nothing of it is lost, nothing of it moves a cursor, and the end fits
/// above a prompt.
pub fn holds(input: &[u8]) {
    let (whole, tail) = said(input, usize::MAX);
    let piece = 1 + input.len() % 11;
    assert_eq!(said(input, piece), (whole.clone(), tail.clone()));
    for line in &whole {
        assert!(!line.is_empty() && line.chars().all(|c| c == '\t' || !c.is_control()), "{line:?}");
        // What is not UTF-8 takes three bytes for each.
        assert!(line.len() <= 3 * LINE);
    }
    let lines = input.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let expected: Vec<&[u8]> = lines.flat_map(|line| line.chunks(LINE)).collect();
    assert_eq!(whole.len(), expected.len());
    for (line, bytes) in whole.iter().zip(expected) {
        assert_eq!(line.chars().count(), String::from_utf8_lossy(bytes).chars().count());
    }
    assert!(!tail.contains(|c: char| c.is_control() && c != '\n'), "{tail:?}");
    let rows: usize = tail.lines().map(|line| line.chars().count().div_ceil(80).max(1)).sum();
    assert!(rows <= 12, "{rows} rows");
    assert_eq!(tail.is_empty(), whole.is_empty());
    if let Some(last) = whole.last() {
        let shown: String = last.replace('\t', " ").chars().take(158).collect();
        assert!(tail.rsplit('\n').next().is_some_and(|line| line.starts_with(&shown)), "{tail}");
    }
}

fn said(input: &[u8], piece: usize) -> (Vec<String>, String) {
    let (mut lines, mut said) = (Lines::default(), Vec::new());
    for bytes in input.chunks(piece.min(input.len().max(1))) {
        lines.take(bytes, |line| said.push(line.to_owned()));
    }
    lines.finish(|line| said.push(line.to_owned()));
    (said, lines.tail())
}
