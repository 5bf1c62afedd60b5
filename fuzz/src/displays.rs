//! Lock files, the kernel's list of sockets, and names of displays: anybody on the machine can have written them.

use startxd::for_tests::x11::display::{Display, SOCKET_DIR};
use startxd::for_tests::x11::occupied::{BoundDisplays, bound_displays, lock_holder};

/// A lock and a name are read only if they are what a server writes, and a line of the list says something of one display
/// at most.
pub fn holds(input: &[u8]) {
    if let Some(pid) = lock_holder(input) {
        assert!(pid.as_raw() > 0, "kill(2) has other meanings for such a pid");
        assert_eq!(format!("{pid:>10}\n").as_bytes(), without_zeros(input));
    }
    let bound = bound_displays(input);
    let lines = || input.split(|byte| *byte == b'\n');
    let count = |bound: &BoundDisplays| bound.by_path.len() + bound.by_name.len();
    assert!(count(&bound) < lines().count(), "the first line is a heading");
    for display in bound.by_path.iter().chain(&bound.by_name) {
        let name = format!("{SOCKET_DIR}/X{}", display.number());
        assert!(lines().any(|line| line.ends_with(name.as_bytes())), "{display} comes from nowhere");
    }
    // Whatever else is bound, one more line is seen, and takes nothing away.
    let own = format!("\n0: 00000002 00000000 00010000 0001 01 4711 @{SOCKET_DIR}/X{}\n", Display::MAX.number());
    let after = bound_displays(&[input, own.as_bytes()].concat());
    assert!(after.by_name.contains(&Display::MAX) && after.by_name.is_superset(&bound.by_name));
    assert!(after.by_path.is_superset(&bound.by_path) && count(&after) <= count(&bound) + 1);

    let text = String::from_utf8_lossy(input);
    for word in text.split_whitespace().take(8) {
        match Display::parse(word) {
            Ok(display) => {
                assert_eq!(Display::parse(&display.to_string()), Ok(display));
                assert!(display <= Display::MAX && word.trim_start_matches([':', '0']).len() <= 5);
            }
            Err(error) => assert!(!error.to_string().contains('\n')),
        }
    }
}

/// A lock with zeros before its number names the same process; Xorg writes blanks, and reads both.
fn without_zeros(lock: &[u8]) -> Vec<u8> {
    let mut lock = lock.to_vec();
    for byte in &mut lock {
        match byte {
            b'0' => *byte = b' ',
            b' ' => {}
            _ => break,
        }
    }
    lock
}
