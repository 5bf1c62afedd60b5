//! The claims to numbers of displays, with their settings, and what has become of each.

use startxd::for_tests::config::size::{Size, depth};
use startxd::for_tests::deadline;
use startxd::for_tests::displays::claim::{ClaimSettings, ClaimState, seconds};
use startxd::for_tests::records::Record as _;
use startxd::for_tests::x11::display::Display;

/// Settings are of the display that was asked for, would be written as they are read, and name only units of it; sizes,
/// depths and deadlines are such as servers can have.
pub fn holds(input: &[u8]) {
    let Some(display) = Display::new(7) else { return };
    match ClaimSettings::parse(input, display) {
        Ok(settings) => {
            assert_eq!(settings.display, display);
            assert_eq!(settings.unit().replace(|c: char| !c.is_ascii_digit(), ""), "7");
            let deadlines = [settings.server_ready, settings.server_stop].map(seconds);
            assert!(deadlines.iter().all(|deadline| *deadline <= deadline::MAX), "{deadlines:?}");
            is_size(settings.size);
            // Not compared themselves: a deadline may be no number.
            let written = settings.to_toml().expect("paths that were text");
            let again = ClaimSettings::parse(written.as_bytes(), display).expect("what is written can be read");
            assert_eq!(again.to_toml().expect("paths that were text"), written);
            assert!(ClaimSettings::parse(written.as_bytes(), Display::MAX).is_err());
        }
        Err(why) => {
            let why = why.to_string();
            assert!(why.len() <= 1000 + 8 * input.len(), "{why}");
        }
    }
    // What cannot be read says nothing.
    let state = ClaimState::from_toml(input).unwrap_or_default();
    let written = state.to_toml().expect("every state can be written");
    assert_eq!(ClaimState::from_toml(written.as_bytes()).expect("what is written can be read"), state);
    assert!(state.failed.is_none_or(|why| why.len() <= input.len()));

    for word in String::from_utf8_lossy(input).split_ascii_whitespace().take(8) {
        match word.parse::<Size>() {
            Ok(size) => is_size(size),
            Err(why) => assert!(!why.to_string().contains(char::is_control)),
        }
        match depth(word) {
            Ok(depth) => assert!((1..=32).contains(&depth) && word.trim_start_matches(['+', '0']) == depth.to_string()),
            Err(why) => assert!(!why.to_string().contains(char::is_control)),
        }
    }
}

/// Its text is read as the same, and both numbers are coordinates.
fn is_size(size: Size) {
    let text = size.to_string();
    assert_eq!(text.parse(), Ok(size));
    let sides: Vec<i16> = text.split('x').map(|side| side.parse().expect("a coordinate")).collect();
    assert!(sides.len() == 2 && sides.iter().all(|side| *side > 0), "{text}");
}
