//! The secret that a client shows to the server.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};

/// 128 random bits for the MIT-MAGIC-COOKIE-1 protocol of Xsecurity(7).
///
/// Whoever has it can use the display, so it is never printed: `Debug` shows `Cookie(..)` and there is no `Display`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cookie([u8; Cookie::LEN]);

impl Cookie {
    /// The length in bytes. The server compares any length; 16 is what xauth and every display manager write.
    pub const LEN: usize = 16;

    /// Returns a new cookie from the kernel's generator, random(4). By the time somebody logs in it is seeded.
    ///
    /// # Errors
    /// `/dev/urandom` cannot be opened or read.
    pub fn generate() -> io::Result<Cookie> {
        let mut bytes = [0; Cookie::LEN];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Cookie(bytes))
    }

    /// Takes the bytes of a cookie that was read from somewhere.
    pub const fn from_bytes(bytes: [u8; Cookie::LEN]) -> Cookie {
        Cookie(bytes)
    }

    /// Returns the bytes, for the connection setup and the authority file, and for nothing else.
    pub const fn as_bytes(&self) -> &[u8; Cookie::LEN] {
        &self.0
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_shows_itself() {
        let cookie = Cookie::from_bytes([0xab; 16]);
        assert_eq!(format!("{cookie:?}"), "Cookie(..)");
        assert_eq!(format!("{cookie:#?}"), "Cookie(..)");
    }

    #[test]
    fn differs_each_time() {
        assert_ne!(Cookie::generate().unwrap(), Cookie::generate().unwrap());
    }
}
