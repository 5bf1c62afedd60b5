//! The Xauthority file, which any program of the user can have written.

use startxd::for_tests::x11::display::Display;
use startxd::for_tests::x11::xauthority::{PROTOCOL, decode, encode, entries_for, find_cookie};

/// Nothing is invented and nothing lost: the entries are the file, and a cookie that is found stands in it.
pub fn holds(input: &[u8]) {
    let Some(display) = Display::new(u16::from(input.first().copied().unwrap_or(0) % 3)) else { return };
    let host = b"box";
    let entries = match decode(input) {
        Ok(entries) => entries,
        Err(malformed) => {
            // The whole entries before the broken one are whole by themselves.
            assert!(malformed.entry_at < input.len());
            assert!(decode(&input[..malformed.entry_at]).is_ok());
            return;
        }
    };
    assert_eq!(encode(&entries), input);
    // At least a family and four lengths each, so there are no more entries than the file's size allows.
    assert!(entries.len() <= input.len() / 10);

    let found = find_cookie(&entries, display, host);
    if let Some(cookie) = found {
        let holds_it = |entry: &&startxd::for_tests::x11::xauthority::AuthorityEntry| entry.data == cookie.as_bytes();
        assert!(entries.iter().filter(holds_it).any(|entry| entry.name == PROTOCOL));
    }
    // What we add ourselves is found, unless a cookie for the display stood before it.
    let Ok(own) = <[u8; 16]>::try_from(&[7; 16][..]) else { return };
    let own = startxd::for_tests::x11::cookie::Cookie::from_bytes(own);
    let mut more = entries.clone();
    more.extend(entries_for(display, host, &own));
    assert_eq!(find_cookie(&more, display, host), found.or(Some(own)));
    let shown = format!("{entries:?}");
    assert!(shown.len() <= 200 + 200 * entries.len() + 16 * input.len(), "{} bytes are shown", shown.len());
}
