//! What a person may have meant by a key, or a session's name, that there is not.

/// Takes an unknown key and the known ones, and returns the nearest, if one is near: the one with the same last part
/// (the table was forgotten or is wrong), or else the one that takes the fewest keystrokes to correct, up to a third.
pub(crate) fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let last = |key: &str| key.rsplit('.').next().map(str::to_owned);
    if let Some(same_last) = known.clone().find(|key| last(key) == last(unknown)) {
        return Some(same_last);
    }
    let near = known.map(|key| (distance(unknown, key), key)).min()?;
    (near.0 <= near.1.len().div_ceil(3).min(4)).then_some(near.1)
}

/// The edit distance of Levenshtein. Long keys count as far from everything: they need not be measured.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 64 { usize::MAX } else { strsim::levenshtein(a, b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_ones() {
        let known = ["display", "server.binary", "server.args", "session.ready"];
        let cases = [
            ("server.binry", Some("server.binary")),
            ("binary", Some("server.binary")),
            ("session.args", Some("server.args")),
            ("dispaly", Some("display")),
            ("Display", Some("display")),
            ("colour", None),
            ("", None),
        ];
        for (unknown, expected) in cases {
            assert_eq!(nearest(unknown, known.into_iter()), expected, "{unknown:?}");
        }
        assert_eq!(nearest(&"d".repeat(100_000), known.into_iter()), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
