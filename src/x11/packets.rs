//! Cuts the bytes from a server into packets; pure.
//!
//! The library has such a reader, but it allocates whatever length a packet announces, up to 16 GiB, at once.

use thiserror::Error;

/// The length of every packet, except for some longer ones (X Window System Protocol, section 8).
const HEAD: usize = 32;

/// The longest packet in bytes that is read: what we ask for is answered in less than two kilobytes, the name of a
/// window manager being the longest.
pub const MAX_PACKET: usize = 64 * 1024;

/// The first byte of a reply.
const REPLY: u8 = 1;
/// The first byte, less the highest bit, of the one event with a length of its own (GenericEvent).
const GENERIC_EVENT: u8 = 35;

/// A packet that announces more than [`MAX_PACKET`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a packet of {0} bytes")]
pub struct TooLong(pub u64);

/// The packet that is being read.
#[derive(Debug)]
pub struct Packets {
    packet: Vec<u8>,
    filled: usize,
}

impl Default for Packets {
    fn default() -> Self {
        Self { packet: vec![0; HEAD], filled: 0 }
    }
}

impl Packets {
    /// Where the next bytes belong; never empty.
    pub fn buffer(&mut self) -> &mut [u8] {
        &mut self.packet[self.filled..]
    }

    /// Takes how many bytes were put into the [`buffer`](Self::buffer), and returns the packet if it is whole.
    ///
    /// # Errors
    /// [`TooLong`]; there is no way to find the next packet then.
    pub fn advance(&mut self, count: usize) -> Result<Option<Vec<u8>>, TooLong> {
        self.filled = (self.filled + count).min(self.packet.len());
        if self.filled < self.packet.len() {
            return Ok(None);
        }
        if self.filled == HEAD {
            let rest = rest(&self.packet);
            if rest > (MAX_PACKET - HEAD) as u64 {
                return Err(TooLong(rest + HEAD as u64));
            }
            self.packet.resize(HEAD + rest as usize, 0);
            if rest > 0 {
                return Ok(None);
            }
        }
        Ok(Some(std::mem::take(self).packet))
    }
}

/// How many bytes follow the first 32.
fn rest(head: &[u8]) -> u64 {
    let has_length = head[0] == REPLY || head[0] & 0x7f == GENERIC_EVENT;
    let length = u32::from_ne_bytes([head[4], head[5], head[6], head[7]]);
    if has_length { u64::from(length) * 4 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::{HEAD, MAX_PACKET, Packets, TooLong};

    /// A packet of this kind with `words` words behind its head.
    fn packet(kind: u8, words: u32) -> Vec<u8> {
        let mut packet = vec![kind; HEAD + 4 * words as usize];
        packet[4..8].copy_from_slice(&words.to_ne_bytes());
        packet
    }

    /// Feeds `bytes` in pieces of at most `piece`.
    fn cut(bytes: &[u8], piece: usize) -> Result<Vec<Vec<u8>>, TooLong> {
        let (mut packets, mut found, mut rest) = (Packets::default(), Vec::new(), bytes);
        while !rest.is_empty() {
            let buffer = packets.buffer();
            let count = buffer.len().min(piece).min(rest.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            found.extend(packets.advance(count)?);
        }
        Ok(found)
    }

    #[test]
    fn packets_are_cut_where_they_end() {
        let given = [packet(1, 0), packet(1, 3), packet(35, 1), packet(0x80 | 35, 2), packet(28, 0), packet(0, 0)];
        for piece in [1, 5, 32, 1000] {
            assert_eq!(cut(&given.concat(), piece).unwrap(), given, "{piece}");
        }
        // Only replies and generic events have a length there.
        let mut event = packet(28, 0);
        event[4..8].copy_from_slice(&[0xff; 4]);
        assert_eq!(cut(&event, 7).unwrap(), [event]);
    }

    #[test]
    fn a_packet_that_is_too_long_is_refused_at_once() {
        let longest = ((MAX_PACKET - HEAD) / 4) as u32;
        assert_eq!(cut(&packet(1, longest), 4096).unwrap().len(), 1);
        for words in [longest + 1, u32::MAX] {
            let mut head = packet(1, 0);
            head[4..8].copy_from_slice(&words.to_ne_bytes());
            assert_eq!(cut(&head, 32), Err(TooLong(32 + 4 * u64::from(words))));
        }
    }
}
