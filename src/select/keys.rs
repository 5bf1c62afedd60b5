//! Keys of a terminal: bytes in, keys out; pure.

/// A key that means something to the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PressedKey {
    /// One up.
    Up,
    /// One down.
    Down,
    /// To the first.
    First,
    /// To the last.
    Last,
    /// A digit.
    Digit(u8),
    /// Choose the item.
    Enter,
    /// Cancel: q, Ctrl+C or Ctrl+D.
    Quit,
    /// Anything else.
    Other,
}

/// The longest sequence.
const LONGEST: usize = 32;

/// The beginning of an incomplete sequence: a slow line may cut a sequence in two.
#[derive(Debug, Default)]
pub struct Keys {
    pending: Vec<u8>,
}

impl Keys {
    /// Takes the next bytes, and returns the keys that are complete with them.
    ///
    /// Sequences are those of the Linux console (console_codes(4)) and of ECMA-48: `ESC [` with parameters up to a
    /// final byte, `ESC O` with one byte, and `ESC [ [` with one byte. It does not matter how they are cut.
    pub fn decode(&mut self, bytes: &[u8]) -> Vec<PressedKey> {
        self.pending.extend_from_slice(bytes);
        let mut keys = Vec::new();
        while !self.pending.is_empty() {
            let Some((key, length)) = first(&self.pending) else { break };
            self.pending.drain(..length);
            keys.push(key);
        }
        keys
    }
}

/// The first key and how many bytes it has; `None` if it is not complete.
fn first(bytes: &[u8]) -> Option<(PressedKey, usize)> {
    let key = match bytes {
        [b'\r' | b'\n', ..] => PressedKey::Enter,
        [0x03 | 0x04 | b'q' | b'Q', ..] => PressedKey::Quit,
        [b'k' | 0x10, ..] => PressedKey::Up,
        [b'j' | 0x0e, ..] => PressedKey::Down,
        [digit @ b'0'..=b'9', ..] => PressedKey::Digit(digit - b'0'),
        [0x1b] => return None,
        [0x1b, b'[', b'[', ..] => return sequence(bytes, 3, 3),
        [0x1b, b'O', ..] => return sequence(bytes, 2, 2),
        [0x1b, b'[', rest @ ..] => {
            let parameters = rest.iter().take_while(|byte| (0x20..=0x3f).contains(*byte)).count();
            return sequence(bytes, 2, 2 + parameters);
        }
        // Escape and then another key, or Alt with it.
        _ => PressedKey::Other,
    };
    Some((key, 1))
}

/// The sequence with its parameters from `begin` to `end`, which is where its last byte should be.
fn sequence(bytes: &[u8], begin: usize, end: usize) -> Option<(PressedKey, usize)> {
    if end >= LONGEST {
        return Some((PressedKey::Other, LONGEST));
    }
    match *bytes.get(end)? {
        0x20..=0x7e if begin == 3 => Some((PressedKey::Other, 4)),
        last @ 0x20..=0x7e => Some((of_sequence(&bytes[begin..end], last), end + 1)),
        // No sequence ends like this, and Ctrl+C must not be swallowed by one.
        _ => Some((PressedKey::Other, end)),
    }
}

fn of_sequence(parameters: &[u8], last: u8) -> PressedKey {
    match (parameters, last) {
        (_, b'A') => PressedKey::Up,
        (_, b'B') => PressedKey::Down,
        (_, b'H') | (b"1" | b"7" | b"5", b'~') => PressedKey::First,
        (_, b'F') | (b"4" | b"8" | b"6", b'~') => PressedKey::Last,
        (b"", b'M') => PressedKey::Enter,
        _ => PressedKey::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Keys;
    use super::PressedKey::{Digit, Down, Enter, First, Last, Other, Quit, Up};

    #[test]
    fn keys_of_the_console_and_of_terminals() {
        let cases: [(&[u8], &[super::PressedKey]); 16] = [
            (b"\x1b[A\x1b[B", &[Up, Down]),
            (b"\x1bOA\x1bOB", &[Up, Down]),
            (b"\x1b[1~\x1b[4~", &[First, Last]),
            (b"\x1b[H\x1b[F", &[First, Last]),
            (b"\x1b[1;5A", &[Up]),
            (b"\x1b[[A", &[Other]),
            (b"\x1b[3~", &[Other]),
            (b"kj", &[Up, Down]),
            (b"12", &[Digit(1), Digit(2)]),
            (b"\r", &[Enter]),
            (b"q\x03\x04", &[Quit, Quit, Quit]),
            (b"x\xff", &[Other, Other]),
            (b"\x1bq", &[Other, Quit]),
            (b"\x1b[\x03", &[Other, Quit]),
            (b"\x1b[1\r", &[Other, Enter]),
            (b"\x1b[[\x03\x1bO\x1b[A", &[Other, Quit, Other, Up]),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Keys::default().decode(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_sequence_may_come_in_parts() {
        let mut keys = Keys::default();
        assert_eq!([b"\x1b", b"[", b"B"].map(|part| keys.decode(part)), [vec![], vec![], vec![Down]]);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_parts(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..9)) {
            let mut keys = Keys::default();
            let each: Vec<_> = parts.iter().flat_map(|part| keys.decode(part)).collect();
            prop_assert_eq!(Keys::default().decode(&parts.concat()), each);
            prop_assert!(keys.pending.len() < super::LONGEST);
        }
    }
}
