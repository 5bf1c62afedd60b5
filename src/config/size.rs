//! The size and the depth of a display; pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::text::one_line;

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    width: u16,
    height: u16,
}

/// The protocol's coordinates are signed 16-bit numbers (X Window System Protocol, "Common Types").
const MOST: u16 = i16::MAX as u16;

/// The depths that X servers know.
const DEPTHS: [u8; 8] = [1, 4, 8, 15, 16, 24, 30, 32];

/// Why a text is not a size.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadSize {
    /// It is not two numbers.
    #[error("{0:?} is not a size; write width and height in pixels, as in 1920x1080")]
    Form(String),
    /// A number is 0 or too high.
    #[error("a display cannot have the size {0}: width and height are from 1 to {MOST} pixels, as in 1920x1080")]
    Range(String),
}

/// Why a number is not a depth.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no X server has the depth {}; write 24, or one of 1, 4, 8, 15, 16, 30 and 32 bits", one_line(.0))]
pub struct BadDepth(String);

impl Size {
    /// The default of xvfb-run(1).
    pub const USUAL: Size = Size { width: 1280, height: 1024 };
}

impl FromStr for Size {
    type Err = BadSize;

    fn from_str(text: &str) -> Result<Self, BadSize> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let Some((width, height)) = text.split_once('x').filter(|(width, height)| digits(width) && digits(height))
        else {
            return Err(BadSize::Form(text.to_owned()));
        };
        let number = |text: &str| text.parse().ok().filter(|number| (1..=MOST).contains(number));
        match (number(width), number(height)) {
            (Some(width), Some(height)) => Ok(Size { width, height }),
            _ => Err(BadSize::Range(text.to_owned())),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Takes a text and returns the depth in bits.
///
/// # Errors
/// [`BadDepth`].
pub fn depth(text: &str) -> Result<u8, BadDepth> {
    let number = text.parse().ok().filter(|number| DEPTHS.contains(number));
    number.ok_or_else(|| BadDepth(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for text in ["1920x1080", "1x1", "32767x32767"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        for text in ["0x0", "1920x0", "32768x1", "99999x99999", "1x99999999999999999999"] {
            assert_eq!(text.parse::<Size>(), Err(BadSize::Range(text.to_owned())));
        }
        for text in ["", "abc", "1920", "1920x", "x1080", "1920X1080", "-1x1", "+1x1", "1x1x24", "1 x 1", "٣x٣"] {
            assert_eq!(text.parse::<Size>(), Err(BadSize::Form(text.to_owned())));
        }
    }

    #[test]
    fn depths() {
        assert_eq!(depth("24"), Ok(24));
        for text in ["", "0", "25", "-8", "256", "many"] {
            assert!(depth(text).unwrap_err().to_string().contains("write 24"), "{text}");
        }
    }
}
