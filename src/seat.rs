//! Where a session's screen is: on a seat and, where that has them, on one of its virtual terminals (sd-login(3)).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The seat that there always is, and the only one that can have virtual terminals: the kernel's are all on it (logind,
/// `seat_has_vts`; xserver, `ServerIsNotSeat0`).
pub const SEAT0: &str = "seat0";

/// A session's place at the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// logind's id of the seat.
    #[serde(rename = "seat")]
    pub id: String,
    /// The number of the virtual terminal. `None` on a seat without any: a session there shares its screen with nobody,
    /// has no text mode to come back to, and is in the foreground from its login on.
    pub vt: Option<u32>,
}

impl Seat {
    /// The place of a session by what logind says of it; `None` if it lacks the terminal that sessions on that seat are
    /// on.
    #[must_use]
    pub fn new(id: String, vt: Option<u32>) -> Option<Self> {
        (vt.is_some() || id != SEAT0).then_some(Self { id, vt })
    }

    /// The name by which a person knows the place: the terminal's, or the seat's.
    #[must_use]
    pub fn name(&self) -> String {
        self.vt.map_or_else(|| self.id.clone(), |vt| format!("tty{vt}"))
    }
}

impl fmt::Display for Seat {
    /// `seat0, tty1`, or `seat1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        self.vt.map_or(Ok(()), |vt| write!(f, ", tty{vt}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Seat;

    #[test]
    fn only_seat0_needs_a_terminal() {
        let cases = [
            ("seat0", Some(1), Some(("tty1", "seat0, tty1"))),
            ("seat1", None, Some(("seat1", "seat1"))),
            ("seat0", None, None),
        ];
        for (id, vt, expected) in cases {
            let seat = Seat::new(id.to_owned(), vt).map(|seat| (seat.name(), seat.to_string()));
            assert_eq!(seat, expected.map(|(name, whole)| (name.to_owned(), whole.to_owned())), "{id}");
        }
    }
}
