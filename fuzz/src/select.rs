//! Keys of a terminal, lines of one that can only print, and the choice of last time.

use std::path::Path;

use startxd::for_tests::select::keys::{Keys, PressedKey};
use startxd::for_tests::select::memory::choice;
use startxd::for_tests::select::menu::{Item, Menu, Step};
use startxd::for_tests::session::SessionRequest;

/// However keys arrive, they are the same, and Ctrl+C is one; whatever is pressed or typed, the menu stands on an item and
/// nothing else can be chosen; what is remembered is recalled.
pub fn holds(input: &[u8]) {
    let keys = Keys::default().decode(input);
    let mut pieces = Keys::default();
    let piece = 1 + input.len() % 5;
    let again: Vec<PressedKey> = input.chunks(piece).flat_map(|piece| pieces.decode(piece)).collect();
    assert_eq!(again, keys);
    assert!(keys.len() <= input.len());
    let quits = keys.iter().filter(|key| **key == PressedKey::Quit).count();
    assert!(quits >= input.iter().filter(|byte| matches!(byte, 0x03 | 0x04)).count(), "{keys:?}");
    // Behind what is not complete, a key is one as well.
    let more = Keys::default().decode(&[input, b"\x03"].concat());
    assert!(more.starts_with(&keys) && more.last() == Some(&PressedKey::Quit), "{more:?}");

    let text = String::from_utf8_lossy(input);
    for count in [1, 3, 12] {
        menu(count, &keys, &text);
    }
    match choice(input) {
        Some(choice) => remembered(&choice, &text),
        None => {
            assert!(std::str::from_utf8(input).is_err() || text.lines().next().unwrap_or_default().trim().is_empty())
        }
    }
}

fn menu(count: usize, keys: &[PressedKey], text: &str) {
    let item = |number: usize| Item { name: format!("wm{number}"), comment: text.lines().next().unwrap_or("").into() };
    let mut menu = Menu::new((0..count).map(item).collect(), count / 2);
    match menu.press(keys.to_vec()) {
        Step::Chosen(index) => assert!(index < count && keys.contains(&PressedKey::Enter)),
        Step::Cancelled => assert!(keys.contains(&PressedKey::Quit)),
        Step::Stay => assert!(!keys.contains(&PressedKey::Enter) && !keys.contains(&PressedKey::Quit)),
    }
    assert!(menu.at() < count);
    let lines = menu.lines(None, (80, 24));
    assert!(lines.len() <= 24.max(count + 5) && lines.iter().filter(|line| line.is_at).count() == 1);
    assert!(lines.iter().all(|line| line.text.chars().count() < 80));
    let at = menu.at();
    match menu.answer(text) {
        Step::Chosen(index) if text.trim().is_empty() => assert_eq!(index, at),
        Step::Chosen(index) => {
            assert!(index < count && text.trim().trim_start_matches(['+', '0']) == (index + 1).to_string())
        }
        Step::Cancelled => assert!(text.trim().eq_ignore_ascii_case("q")),
        Step::Stay => assert!(!text.trim().is_empty()),
    }
}

fn remembered(recalled: &str, text: &str) {
    assert!(!recalled.is_empty() && !recalled.contains('\n') && text.contains(recalled));
    assert_eq!(choice(format!("{recalled}\n").as_bytes()).as_deref(), Some(recalled));
    let home = Path::new("/home/ada");
    let words = || recalled.split_ascii_whitespace();
    match SessionRequest::parse_default(recalled, Some(home)) {
        SessionRequest::Command(command) => {
            assert!(command.iter().map(String::as_str).eq(words().skip(usize::from(words().next() == Some("--")))))
        }
        SessionRequest::Unit(word) | SessionRequest::Name(word) => {
            assert!(words().eq([word.as_str()]) && !word.contains('/'));
        }
        SessionRequest::Nothing => assert!(words().all(|word| word == "--")),
        SessionRequest::Enabled | SessionRequest::Xinitrc => assert_eq!(words().count(), 1),
    }
}
