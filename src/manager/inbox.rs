//! Adapts the messages that the manager sends over its own socket for zbus, before they are parsed. Pure.
//!
//! - The manager signs with a well-known name, "org.freedesktop.systemd1" (dbus.c, `bus_on_connection`), where the
//!   specification has unique names only, so zbus would refuse the message. Its first letter becomes a colon.
//! - It sends every signal to every peer (dbus.c, `bus_foreach_bus`), while a bus only forwards what was subscribed to. Signals
//!   without a subscriber are dropped here, by their header and, for changed properties, the first word of their body.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{MANAGER_INTERFACE, UNIT_INTERFACE};
use crate::dbus::PROPERTIES;

/// The maximum length of a message (D-Bus Specification, "Message Protocol").
const LONGEST: usize = 128 << 20;

/// The fixed part of a header: byte order, type, flags, version, length of the body, serial, length of the fields.
const FIXED: usize = 16;

/// The type of a signal.
const SIGNAL: u8 = 4;

/// Which signals are let in; initially none.
#[derive(Debug, Default)]
pub struct Wanted {
    /// `JobRemoved`, and what changes about units.
    all: AtomicBool,
    /// The objects of units for which everything is let in, and the jobs that are queued.
    watched: Mutex<Vec<String>>,
}

impl Wanted {
    /// Lets in ends of jobs, and changes of the states of units.
    pub fn listen(&self) {
        self.all.store(true, Ordering::Relaxed);
    }

    /// Also lets in the properties of this unit's own type, by its object, and new jobs.
    pub fn watch(&self, object: &str) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if !watched.iter().any(|one| one == object) {
            watched.push(object.to_owned());
        }
    }

    /// Whether a signal is let in. `first` is the first argument, if that is a string.
    fn has(&self, head: &Head<'_>, first: Option<&str>) -> bool {
        if !self.all.load(Ordering::Relaxed) {
            return false;
        }
        let watched = || self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        match (head.interface, head.member) {
            (MANAGER_INTERFACE, "JobRemoved") => true,
            (MANAGER_INTERFACE, "JobNew") => !watched().is_empty(),
            (PROPERTIES, "PropertiesChanged") => {
                first == Some(UNIT_INTERFACE) || watched().iter().any(|object| object == head.path)
            }
            _ => false,
        }
    }
}

/// Bytes that were received and not yet read.
#[derive(Debug)]
pub struct Inbox {
    wanted: Arc<Wanted>,
    raw: Vec<u8>,
    ready: Vec<u8>,
    taken: usize,
}

impl Inbox {
    /// An empty one.
    pub const fn new(wanted: Arc<Wanted>) -> Self {
        Self { wanted, raw: Vec::new(), ready: Vec::new(), taken: 0 }
    }

    /// Adds received bytes.
    ///
    /// # Errors
    /// They are not D-Bus.
    pub fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.raw.extend_from_slice(bytes);
        let mut begin = 0;
        while let Some(length) = length(&self.raw[begin..])? {
            let Some(message) = self.raw.get_mut(begin..begin + length) else { break };
            begin += length;
            if is_let_in(&self.wanted, message) {
                self.ready.extend_from_slice(message);
            }
        }
        self.raw.drain(..begin);
        Ok(())
    }

    /// Fills `buffer` with messages that are ready, and returns the number of bytes.
    pub fn take(&mut self, buffer: &mut [u8]) -> usize {
        let ready = &self.ready[self.taken..];
        let length = ready.len().min(buffer.len());
        buffer[..length].copy_from_slice(&ready[..length]);
        self.taken += length;
        if self.taken == self.ready.len() {
            self.ready.clear();
            self.taken = 0;
        }
        length
    }
}

/// Whether a complete message is let in. If so, it gets a sender that zbus accepts.
fn is_let_in(wanted: &Wanted, message: &mut [u8]) -> bool {
    let Some(head) = Head::read(message) else {
        // zbus reports what is wrong with it.
        return true;
    };
    if message[1] == SIGNAL && !wanted.has(&head, head.first_string(message)) {
        return false;
    }
    if let Some(sender) = head.sender {
        message[sender] = b':';
    }
    true
}

/// The length of the message that begins here; `None` if too little of it was received to know.
fn length(bytes: &[u8]) -> io::Result<Option<usize>> {
    if bytes.len() < FIXED {
        return Ok(None);
    }
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the user manager does not speak D-Bus");
    let number = |at| number(bytes, at).ok_or_else(malformed);
    let (body, fields) = (number(4)?, number(12)?);
    let length = fields.checked_add(FIXED).map(aligned).and_then(|head| head.checked_add(body));
    length.filter(|length| *length <= LONGEST).map(Some).ok_or_else(malformed)
}

/// The number at this place, in the byte order of the message.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let number: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    let number = match bytes.first()? {
        b'l' => u32::from_le_bytes(number),
        b'B' => u32::from_be_bytes(number),
        _ => return None,
    };
    usize::try_from(number).ok()
}

/// The next place that is divisible by 8.
const fn aligned(at: usize) -> usize {
    at.next_multiple_of(8)
}

/// The parts of a header that matter here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Head<'m> {
    path: &'m str,
    interface: &'m str,
    member: &'m str,
    signature: &'m str,
    /// Where the sender's name begins.
    sender: Option<usize>,
    /// Where the body begins.
    body: usize,
}

impl<'m> Head<'m> {
    /// Reads the fields of a header (D-Bus Specification, "Message Format"); `None` if it is not one.
    fn read(message: &'m [u8]) -> Option<Self> {
        let end = FIXED.checked_add(number(message, 12)?)?;
        let mut head = Self { body: aligned(end), ..Self::default() };
        let mut at = FIXED;
        while at < end {
            // Each is a byte, and a variant: a signature, which is a single letter here, and the value.
            let (code, kind) = (*message.get(at)?, *message.get(at + 2)?);
            let value = at + 4;
            let (text, after) = match kind {
                b's' | b'o' => string(message, value.next_multiple_of(4))?,
                b'g' => short(message, value)?,
                b'u' => ("", value.next_multiple_of(4) + 4),
                _ => return None,
            };
            match code {
                1 => head.path = text,
                2 => head.interface = text,
                3 => head.member = text,
                7 if !text.is_empty() => head.sender = Some(value.next_multiple_of(4) + 4),
                8 => head.signature = text,
                _ => {}
            }
            at = aligned(after);
        }
        Some(head)
    }

    /// The first argument, if it is a string.
    fn first_string(&self, message: &'m [u8]) -> Option<&'m str> {
        let is_string = self.signature.starts_with('s');
        if is_string { string(message, self.body).map(|(text, _)| text) } else { None }
    }
}

/// The string at this place, and the place after it.
fn string(message: &[u8], at: usize) -> Option<(&str, usize)> {
    let length = number(message, at)?;
    let begin = at.checked_add(4)?;
    let end = begin.checked_add(length)?;
    Some((std::str::from_utf8(message.get(begin..end)?).ok()?, end + 1))
}

/// The signature at this place, and the place after it.
fn short(message: &[u8], at: usize) -> Option<(&str, usize)> {
    let begin = at + 1;
    let end = begin + usize::from(*message.get(at)?);
    Some((std::str::from_utf8(message.get(begin..end)?).ok()?, end + 1))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use zbus::message::Message;

    use super::{Head, Inbox, Wanted};

    const MANAGER: &str = "org.freedesktop.systemd1.Manager";
    const UNIT: &str = "org.freedesktop.systemd1.Unit";
    const SERVICE: &str = "org.freedesktop.systemd1.Service";
    const OBJECT: &str = "/org/freedesktop/systemd1/unit/i3_2eservice";

    /// A signal as zbus writes it, with the sender that the manager writes: a name of the same length is put over one
    /// that zbus allows.
    fn signal(path: &str, interface: &str, member: &str, body: &(&str, u32)) -> Vec<u8> {
        let message = Message::signal(path, interface, member).sender(":rg.freedesktop.systemd1").build(body);
        let mut bytes = message.unwrap().data().bytes().to_vec();
        let at = bytes.windows(4).position(|four| four == b":rg.").unwrap();
        bytes[at] = b'o';
        bytes
    }

    fn changed(path: &str, interface: &str) -> Vec<u8> {
        signal(path, "org.freedesktop.DBus.Properties", "PropertiesChanged", &(interface, 7))
    }

    fn inbox(wanted: &Arc<Wanted>) -> Inbox {
        Inbox::new(Arc::clone(wanted))
    }

    /// The output of an inbox, in pieces of this size.
    fn all(inbox: &mut Inbox, size: usize) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), vec![0; size]);
        loop {
            match inbox.take(&mut buffer) {
                0 => return all,
                length => all.extend_from_slice(&buffer[..length]),
            }
        }
    }

    fn is_let_in(wanted: &Arc<Wanted>, message: &[u8]) -> bool {
        let mut inbox = inbox(wanted);
        inbox.put(message).unwrap();
        !all(&mut inbox, 4096).is_empty()
    }

    #[test]
    fn only_requested_signals_come_in() {
        let removed = signal("/org/freedesktop/systemd1", MANAGER, "JobRemoved", &("", 0));
        let new = signal("/org/freedesktop/systemd1", MANAGER, "JobNew", &("", 0));
        let reloading = signal("/org/freedesktop/systemd1", MANAGER, "Reloading", &("", 0));
        let (of_unit, of_service) = (changed(OBJECT, UNIT), changed(OBJECT, SERVICE));
        let of_other = changed("/org/freedesktop/systemd1/unit/a_2eservice", SERVICE);
        let all = [&removed, &new, &reloading, &of_unit, &of_service, &of_other];
        let wanted = Arc::new(Wanted::default());
        let let_in = || all.map(|message| is_let_in(&wanted, message));
        assert_eq!(let_in(), [false; 6]);
        wanted.listen();
        assert_eq!(let_in(), [true, false, false, true, false, false]);
        wanted.watch(OBJECT);
        wanted.watch(OBJECT);
        assert_eq!(let_in(), [true, true, false, true, true, false]);
    }

    #[test]
    fn replies_come_in_and_every_sender_gets_a_valid_name() {
        let wanted = Arc::new(Wanted::default());
        let call = Message::method_call(OBJECT, "Get").sender(":1.5").build(&("a", 1_u32)).unwrap();
        let reply = Message::method_return(&call.header()).sender(":rg.freedesktop.systemd1");
        let reply = reply.build(&("what it is", 2_u32)).unwrap().data().bytes().to_vec();
        let at = reply.windows(4).position(|four| four == b":rg.").unwrap();
        let mut signed = reply.clone();
        signed[at] = b'o';
        let mut inbox = inbox(&wanted);
        inbox.put(&signed).unwrap();
        assert_eq!(all(&mut inbox, 7), reply);
        assert_eq!(Head::read(&signed).and_then(|head| head.first_string(&signed)), Some("what it is"));
    }

    #[test]
    fn the_size_of_the_pieces_does_not_matter() {
        let wanted = Arc::new(Wanted::default());
        wanted.listen();
        let messages = [changed(OBJECT, UNIT), changed(OBJECT, SERVICE), changed(OBJECT, UNIT)];
        let stream = messages.concat();
        let mut whole = inbox(&wanted);
        whole.put(&stream).unwrap();
        let expected = all(&mut whole, 4096);
        assert_eq!(expected.len(), 2 * messages[0].len());
        for size in [1, 2, 3, 16, 100] {
            let mut inbox = inbox(&wanted);
            let mut seen = Vec::new();
            for bytes in stream.chunks(size) {
                inbox.put(bytes).unwrap();
                seen.extend(all(&mut inbox, size));
            }
            assert_eq!(seen, expected, "{size}");
        }
    }

    #[test]
    fn what_is_not_dbus_is_refused() {
        let mut huge = changed(OBJECT, UNIT);
        huge[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
        for wrong in [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), huge] {
            assert!(inbox(&Arc::default()).put(&wrong).is_err());
        }
    }

    proptest! {
        /// Whatever is received, nothing panics, and a message that was changed anywhere does not spoil the next one
        /// unless its lengths are wrong.
        #[test]
        fn hostile_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..200, byte in any::<u8>()) {
            let wanted = Arc::new(Wanted::default());
            wanted.listen();
            wanted.watch(OBJECT);
            let _ = inbox(&wanted).put(&bytes);
            let mut message = changed(OBJECT, UNIT);
            let at = at % message.len();
            message[at] = byte;
            let _ = inbox(&wanted).put(&message);
            let _ = Head::read(&message).map(|head| head.first_string(&message).map(str::len));
            for end in 0..message.len() {
                let _ = Head::read(&message[..end]);
            }
        }
    }
}
