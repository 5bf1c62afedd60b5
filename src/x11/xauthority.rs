//! The authority file: which cookie opens which display.
//!
//! The format is libXau's (`AuWrite.c`, `AuRead.c`): a big-endian family, then address, display number, protocol name
//! and data, each with a big-endian 16-bit length before it, entry after entry until the end of the file.

mod file;
pub mod shared;

use std::fmt;

use thiserror::Error;

use super::cookie::Cookie;
use super::display::Display;

pub use file::{cookie_in, ensure};

/// The family of entries whose address is a host name, for clients on that host.
pub const FAMILY_LOCAL: u16 = 256;

/// The family of entries that fit every address.
pub const FAMILY_WILD: u16 = 65535;

/// The name of the only protocol we use, as it stands in the file and on the wire.
pub const PROTOCOL: &[u8] = b"MIT-MAGIC-COOKIE-1";

/// One entry of an authority file. `Debug` omits the data.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorityEntry {
    /// What kind of address follows.
    pub family: u16,
    /// The host, in the family's own form.
    pub address: Vec<u8>,
    /// The display number in ASCII digits; empty means every display.
    pub number: Vec<u8>,
    /// The protocol's name.
    pub name: Vec<u8>,
    /// The secret.
    pub data: Vec<u8>,
}

/// An authority file ends in the middle of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the authority file is cut off in the entry that begins at byte {entry_at}; delete it, and it is created again"
)]
pub struct MalformedAuthority {
    /// Where the incomplete entry begins, in bytes from the start.
    pub entry_at: usize,
}

/// Takes a display, this host's name (gethostname(2)) and a cookie, and returns what to write for them: the same
/// cookie twice.
///
/// xauth(1), and with it `ssh -X` and many container scripts, compares family and address literally, so it finds only
/// the entry with the host name. libXau (`AuGetBest.c`) also accepts the wild one, which still fits when the host
/// changes its name, as laptops do by DHCP. The server ignores both and checks only the cookie.
pub fn entries_for(display: Display, hostname: &[u8], cookie: &Cookie) -> Vec<AuthorityEntry> {
    [(FAMILY_LOCAL, hostname), (FAMILY_WILD, b"")]
        .map(|(family, address)| AuthorityEntry {
            family,
            address: address.to_vec(),
            number: display.number().to_string().into_bytes(),
            name: PROTOCOL.to_vec(),
            data: cookie.as_bytes().to_vec(),
        })
        .to_vec()
}

/// Takes entries and returns the bytes of the file.
///
/// An entry with a field above 65535 bytes cannot be written in this format and is omitted.
pub fn encode(entries: &[AuthorityEntry]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        let fields = [&entry.address, &entry.number, &entry.name, &entry.data];
        if fields.iter().any(|field| field.len() > usize::from(u16::MAX)) {
            continue;
        }
        out.extend(entry.family.to_be_bytes());
        for field in fields {
            out.extend((field.len() as u16).to_be_bytes());
            out.extend_from_slice(field);
        }
    }
    out
}

/// Takes the bytes of a file and returns its entries.
///
/// # Errors
/// [`MalformedAuthority`] if the last entry is not complete. (libXau silently stops there; we write a new file.)
pub fn decode(bytes: &[u8]) -> Result<Vec<AuthorityEntry>, MalformedAuthority> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let entry_at = bytes.len() - rest.len();
        entries.push(take_entry(&mut rest).ok_or(MalformedAuthority { entry_at })?);
    }
    Ok(entries)
}

fn take_entry(rest: &mut &[u8]) -> Option<AuthorityEntry> {
    Some(AuthorityEntry {
        family: take_u16(rest)?,
        address: take_field(rest)?,
        number: take_field(rest)?,
        name: take_field(rest)?,
        data: take_field(rest)?,
    })
}

fn take_field(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let length = usize::from(take_u16(rest)?);
    let (field, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(field.to_vec())
}

fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u16::from_be_bytes(*number))
}

/// Takes entries, a display and this host's name, and returns the first cookie that a local client would use, by the
/// rules of libXau's `AuGetBest.c`; `None` if there is none of 16 bytes.
pub fn find_cookie(entries: &[AuthorityEntry], display: Display, hostname: &[u8]) -> Option<Cookie> {
    let number = display.number().to_string();
    let here = |entry: &&AuthorityEntry| match entry.family {
        FAMILY_WILD => true,
        FAMILY_LOCAL => entry.address == hostname,
        _ => false,
    };
    entries
        .iter()
        .filter(here)
        .filter(|entry| entry.name == PROTOCOL && (entry.number.is_empty() || entry.number == number.as_bytes()))
        .find_map(|entry| entry.data.as_slice().try_into().ok().map(Cookie::from_bytes))
}

impl fmt::Debug for AuthorityEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("family", &self.family)
            .field("address", &String::from_utf8_lossy(&self.address))
            .field("number", &String::from_utf8_lossy(&self.number))
            .field("name", &String::from_utf8_lossy(&self.name))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const D0: Display = Display::new(0).unwrap();
    const D1: Display = Display::new(1).unwrap();

    fn cookie(byte: u8) -> Cookie {
        Cookie::from_bytes([byte; 16])
    }

    #[test]
    fn bytes_are_those_of_libxau() {
        let mut expected = b"\x01\x00\x00\x03box\x00\x011\x00\x12MIT-MAGIC-COOKIE-1\x00\x10".to_vec();
        expected.extend([7; 16]);
        let mut wild = b"\xff\xff\x00\x00\x00\x011\x00\x12MIT-MAGIC-COOKIE-1\x00\x10".to_vec();
        wild.extend([7; 16]);
        expected.extend(wild);
        assert_eq!(encode(&entries_for(D1, b"box", &cookie(7))), expected);
    }

    #[test]
    fn every_truncation_is_found() {
        let whole = encode(&entries_for(D0, b"box", &cookie(1)));
        let first = encode(&entries_for(D0, b"box", &cookie(1))[..1]).len();
        for length in 1..whole.len() {
            let entry_at = if length < first { 0 } else { first };
            let expected = if length == first { None } else { Some(MalformedAuthority { entry_at }) };
            assert_eq!(decode(&whole[..length]).err(), expected, "{length}");
        }
        assert_eq!(decode(b""), Ok(vec![]));
    }

    #[test]
    fn an_entry_that_does_not_fit_is_omitted() {
        let mut entries = entries_for(D0, b"box", &cookie(1));
        entries[0].address = vec![b'x'; 65536];
        assert_eq!(decode(&encode(&entries)).unwrap(), entries[1..]);
    }

    #[test]
    fn finds_what_a_local_client_would_use() {
        let of = |family, address: &[u8], number: &[u8], name: &[u8], data: &[u8]| AuthorityEntry {
            family,
            address: address.into(),
            number: number.into(),
            name: name.into(),
            data: data.into(),
        };
        let good = [9; 16];
        let cases = [
            (of(FAMILY_LOCAL, b"box", b"0", PROTOCOL, &good), true),
            (of(FAMILY_WILD, b"", b"0", PROTOCOL, &good), true),
            (of(FAMILY_WILD, b"other", b"", PROTOCOL, &good), true),
            (of(FAMILY_LOCAL, b"other", b"0", PROTOCOL, &good), false),
            (of(FAMILY_LOCAL, b"box", b"1", PROTOCOL, &good), false),
            (of(FAMILY_LOCAL, b"box", b"0", b"XDM-AUTHORIZATION-1", &good), false),
            (of(FAMILY_LOCAL, b"box", b"0", PROTOCOL, b"short"), false),
            (of(0, b"box", b"0", PROTOCOL, &good), false),
        ];
        for (entry, found) in cases {
            let expected = found.then(|| cookie(9));
            assert_eq!(find_cookie(std::slice::from_ref(&entry), D0, b"box"), expected, "{entry:?}");
        }
    }

    #[test]
    fn debug_hides_the_secret() {
        let shown = format!("{:?}", entries_for(D0, b"box", &cookie(0xab)));
        assert!(shown.contains("box") && !shown.contains("171"), "{shown}");
    }
}
