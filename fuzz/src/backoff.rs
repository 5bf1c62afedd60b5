//! The count of sessions that failed one after the other.

use std::time::Duration;

use startxd::deadline::STEADY;
use startxd::host::backoff::Row;

/// What is read would be written so and is said in a line; pauses grow with the count and have an end, and time only makes
/// a row shorter.
pub fn holds(input: &[u8]) {
    let row = Row::parse(input);
    let written = row.render().expect("what came from a file can be written into one");
    assert_eq!(Row::parse(written.as_bytes()), row);
    if let Some(why) = &row.why {
        assert!(!why.contains(char::is_control) && why.len() <= input.len(), "{why:?}");
    }
    let most = Duration::from_secs(300);
    let pause = row.pause(most);
    assert!(pause <= most && pause.is_zero() == (row.failed == 0));
    let next = Row { failed: row.failed.saturating_add(1), ..row.clone() };
    assert!(next.pause(most) >= pause);
    for now in [0, row.began, row.began.saturating_add(STEADY.as_secs()), u64::MAX] {
        let at = row.clone().at(now);
        assert!(at.failed <= row.failed && (at.failed > 0) == (row.failed > 0), "{at:?}");
        assert_eq!((at.began, &at.why), (row.began, &row.why));
        assert!(at.failed == row.failed || now > row.began.saturating_add(STEADY.as_secs()));
        assert_eq!(at.clone().at(now), at);
    }
}
