//! Display numbers, and the names that go with them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The directory of the X servers' sockets, as libxcb and xtrans have it built in.
pub const SOCKET_DIR: &str = "/tmp/.X11-unix";

/// The directory of the lock files, as Xorg has it built in (`LOCK_DIR` in os/utils.c).
pub const LOCK_DIR: &str = "/tmp";

/// The number of a local X display, printed as `:N`.
///
/// Only numbers that X clients can name: a server's TCP port is 6000 + N (X(7), "DISPLAY NAMES"), and although ours
/// never listens on TCP, clients and servers compute this before they look at the rest of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Display(u16);

/// Why a text does not name a local display. Each sentence says what was given and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadDisplay {
    /// Nothing was given, or only a colon.
    #[error("the display is empty; write a number such as :0")]
    Empty,
    /// A screen was given, as in `:0.7`.
    #[error("{given:?} names a screen as well as a display; omit the dot and the rest, as in :0")]
    Screen {
        /// The text as it was given.
        given: String,
    },
    /// A host was given, as in `host:0` or `unix:0`.
    #[error(
        "{given:?} names a host, but startxd serves only this machine; write only the colon and the number, as in :0"
    )]
    Host {
        /// The text as it was given.
        given: String,
    },
    /// What follows the colon is not made of decimal digits alone.
    #[error("{given:?} is not a display; write a colon and a number, as in :0")]
    NotANumber {
        /// The text as it was given.
        given: String,
    },
    /// The number has no TCP port.
    #[error("display {given:?} is too high; the highest is :{max}", max = Display::MAX.0)]
    TooHigh {
        /// The text as it was given.
        given: String,
    },
}

impl Display {
    /// The highest display: port 6000 + N has to be a TCP port.
    pub const MAX: Display = Display(u16::MAX - 6000);

    /// Takes a number, and returns its display, or `None` above [`Display::MAX`].
    pub const fn new(number: u16) -> Option<Display> {
        if number <= Self::MAX.0 { Some(Display(number)) } else { None }
    }

    /// Takes `:N` or `N` as a person writes it, and returns the display. Leading zeros are dropped.
    ///
    /// # Errors
    /// A [`BadDisplay`] for everything that X(7) would read as another host or screen, and for what it would not read.
    pub fn parse(text: &str) -> Result<Display, BadDisplay> {
        let given = || text.to_owned();
        let number = match text.split_once(':') {
            Some(("", number)) => number,
            Some((host, _)) if !host.trim().is_empty() => {
                return Err(BadDisplay::Host { given: given() });
            }
            Some(_) => return Err(BadDisplay::NotANumber { given: given() }),
            None => text,
        };
        if number.is_empty() {
            return Err(BadDisplay::Empty);
        }
        if let Some((before, after)) = number.split_once('.')
            && is_digits(before)
            && is_digits(after)
        {
            return Err(BadDisplay::Screen { given: given() });
        }
        // `u16::from_str` alone would take a leading plus sign.
        if !is_digits(number) {
            return Err(BadDisplay::NotANumber { given: given() });
        }
        number.parse().ok().and_then(Display::new).ok_or_else(|| BadDisplay::TooHigh { given: given() })
    }

    /// Takes the digits of a file or socket name, and returns the display only if they are written the one way a
    /// server writes them: no sign, no leading zero.
    pub(crate) fn from_canonical(digits: &str) -> Option<Display> {
        let plain = is_digits(digits) && (digits == "0" || !digits.starts_with('0'));
        if plain { digits.parse().ok().and_then(Display::new) } else { None }
    }

    /// Returns the number, without the colon.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Returns the path of the display's socket, `/tmp/.X11-unix/XN`.
    pub fn socket_path(self) -> PathBuf {
        PathBuf::from(self.abstract_name())
    }

    /// Returns the display's abstract socket name, without the leading NUL (which tools print as `@`).
    ///
    /// It reads the same as the path; libxcb tries it first.
    pub fn abstract_name(self) -> String {
        format!("{SOCKET_DIR}/X{}", self.0)
    }

    /// Returns the path of the lock that Xorg makes for the display, `/tmp/.XN-lock`.
    pub fn lock_path(self) -> PathBuf {
        PathBuf::from(format!("{LOCK_DIR}/{}", self.lock_name()))
    }

    /// Returns the file name of the display's socket, `XN`.
    pub(crate) fn socket_name(self) -> String {
        format!("X{}", self.0)
    }

    /// Returns the file name of the display's lock, `.XN-lock`.
    pub(crate) fn lock_name(self) -> String {
        format!(".X{}-lock", self.0)
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

impl fmt::Display for Display {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ":{}", self.0)
    }
}

impl FromStr for Display {
    type Err = BadDisplay;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Display::parse(text)
    }
}

impl Serialize for Display {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Display {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Display::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts() {
        for (text, number) in [(":0", 0), ("0", 0), (":7", 7), ("12", 12), (":007", 7), (":59535", 59535)] {
            assert_eq!(Display::parse(text).unwrap().number(), number, "{text}");
        }
    }

    #[test]
    fn each_mistake_is_refused_with_its_own_sentence() {
        let cases = [
            ("", "is empty"),
            (":", "is empty"),
            (":0.7", "names a screen"),
            ("0.0", "names a screen"),
            ("host:0", "names a host"),
            ("unix:0", "names a host"),
            ("::0", "is not a display"),
            ("+1", "is not a display"),
            (":+1", "is not a display"),
            (":-1", "is not a display"),
            (":x", "is not a display"),
            (" :0", "is not a display"),
            (":0 ", "is not a display"),
            (":0.", "is not a display"),
            (":٣", "is not a display"),
            (":59536", "too high"),
            (":99999", "too high"),
            (":99999999999999999999", "too high"),
        ];
        for (text, part) in cases {
            let error = Display::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
            assert!(text.len() < 2 || error.contains(text), "{text:?} is not named: {error}");
        }
    }

    #[test]
    fn canonical_only() {
        assert_eq!(Display::from_canonical("10"), Some(Display(10)));
        for text in ["", "00", "01", "+1", "1 ", "59536", "x"] {
            assert_eq!(Display::from_canonical(text), None, "{text:?}");
        }
    }

    #[test]
    fn names() {
        let display = Display(3);
        assert_eq!(display.to_string(), ":3");
        assert_eq!(display.socket_path(), PathBuf::from("/tmp/.X11-unix/X3"));
        assert_eq!(display.abstract_name(), "/tmp/.X11-unix/X3");
        assert_eq!(display.lock_path(), PathBuf::from("/tmp/.X3-lock"));
    }
}
