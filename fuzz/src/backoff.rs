//! The count of sessions that failed one after the other.

use std::time::Duration;

use startxd::for_tests::deadline::STEADY;
use startxd::for_tests::host::backoff::FailureStreak;
use startxd::for_tests::records::Record as _;

/// What is read would be written so and is said in a line; pauses grow with the count and have an end, and time only makes
/// a streak shorter.
pub fn holds(input: &[u8]) {
    // What is not ours to understand says that nothing has failed.
    let streak = FailureStreak::from_toml(input).unwrap_or_default();
    let written = streak.to_toml().expect("what came from a file can be written into one");
    assert_eq!(FailureStreak::from_toml(written.as_bytes()).expect("what is written can be read"), streak);
    if let Some(why) = &streak.why {
        assert!(!why.contains(char::is_control) && why.len() <= input.len(), "{why:?}");
    }
    let most = Duration::from_secs(300);
    let pause = streak.pause(most);
    assert!(pause <= most && pause.is_zero() == (streak.failed == 0 || (streak.failed == 1 && streak.is_logout)));
    let next = FailureStreak { failed: streak.failed.saturating_add(1), ..streak.clone() };
    assert!(next.pause(most) >= pause);
    for now in [0, streak.began, streak.began.saturating_add(STEADY.as_secs()), u64::MAX] {
        let at = streak.clone().at(now);
        assert!(at.failed <= streak.failed && (at.failed > 0) == (streak.failed > 0), "{at:?}");
        assert_eq!((at.began, &at.why), (streak.began, &streak.why));
        assert!(at.failed == streak.failed || now > streak.began.saturating_add(STEADY.as_secs()));
        assert_eq!(at.clone().at(now), at);
    }
}
