//! D-Bus as far as a call and its reply: what systemd and logind say about themselves, without running a program.
//!
//! The wire format is zbus's. Its connections do not work here: on its private socket the manager sends messages with a
//! well-known name as their sender, which zbus refuses to read. Nothing else happens meanwhile, so this may block.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use zbus::message::Message;
use zbus::wire::serialized::{Context, Data};
use zbus::wire::{DynamicType, NATIVE_ENDIAN};
use zbus::{OwnedVariant, Type, Variant};

/// Why there is no answer.
#[derive(Debug)]
pub enum Problem {
    /// Nothing listens.
    Nobody(io::Error),
    /// The connection was closed before the answer.
    Lost(io::Error),
    /// There was no answer in time.
    Late,
    /// The answer is an error: its name and its text.
    Refused(String, String),
    /// The answer cannot be read.
    Strange(zbus::Error),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody(error) => write!(f, "nobody listens ({error})"),
            Self::Lost(error) => write!(f, "the connection was lost ({error})"),
            Self::Late => write!(f, "no answer in time"),
            Self::Refused(name, text) => write!(f, "{text} ({name})"),
            Self::Strange(error) => write!(f, "an answer that cannot be read ({error})"),
        }
    }
}

impl Problem {
    fn io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Late,
            _ => Self::Lost(error),
        }
    }
}

/// The object that a call is for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The bus name.
    pub service: &'a str,
    /// The object's path.
    pub path: &'a str,
    /// The interface.
    pub interface: &'a str,
}

/// The bus itself.
const BUS: Target<'_> =
    Target { service: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };

/// What a client sends first: that it is root, and that messages follow.
const HANDSHAKE: &[u8] = b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n";

/// The size of the parts that precede a message's header fields: `yyyyuu` and the fields' length (D-Bus Specification,
/// "Message Format").
const FIXED: usize = 16;
/// The type of an error reply, and the header fields that are used.
const ERROR: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;

/// A connection.
pub struct Bus {
    stream: UnixStream,
    /// The deadline of all calls.
    pub until: Instant,
    /// What was read and not used yet.
    read: Vec<u8>,
}

impl Bus {
    /// The peer at the other end of `stream`.
    pub fn peer(stream: UnixStream, until: Instant) -> Result<Self, Problem> {
        let mut bus = Self { stream, until, read: Vec::new() };
        bus.send(HANDSHAKE)?;
        // systemd reads a call that comes with the handshake only when more data follows.
        let line = bus.read_until(|read| read.windows(2).position(|two| two == b"\r\n").map(|at| at + 2))?;
        let refusal = || Problem::Refused("not let in".to_owned(), String::from_utf8_lossy(&line).into_owned());
        line.starts_with(b"OK ").then_some(bus).ok_or_else(refusal)
    }

    /// A message bus at the other end.
    pub fn message_bus(stream: UnixStream, until: Instant) -> Result<Self, Problem> {
        let mut bus = Self::peer(stream, until)?;
        let _name: String = bus.call(BUS, "Hello", &())?;
        Ok(bus)
    }

    /// Calls a method and returns its result; `()` for any result.
    pub fn call<T: DeserializeOwned + Type>(
        &mut self,
        target: Target<'_>,
        method: &str,
        body: &(impl serde::Serialize + DynamicType),
    ) -> Result<T, Problem> {
        let serial = self.say(target, method, body)?;
        loop {
            if let Some(body) = self.reply_to(serial)? {
                return decode(&body, 0);
            }
        }
    }

    /// Calls a method without waiting for its result. Returns the call's serial number.
    pub fn say(
        &mut self,
        target: Target<'_>,
        method: &str,
        body: &(impl serde::Serialize + DynamicType),
    ) -> Result<u32, Problem> {
        let call = Message::method_call(target.path, method).destination(target.service).interface(target.interface);
        let call = call.build(body).map_err(Problem::Strange)?;
        self.send(call.data().bytes())?;
        Ok(call.primary_header().serial_num().get())
    }

    /// Reads a property of the target's interface.
    pub fn property(&mut self, target: Target<'_>, name: &str) -> Result<OwnedVariant, Problem> {
        let properties = Target { interface: "org.freedesktop.DBus.Properties", ..target };
        self.call(properties, "Get", &(target.interface, name))
    }

    fn send(&mut self, message: &[u8]) -> Result<(), Problem> {
        self.stream.write_all(message).map_err(Problem::io)
    }

    /// The body of the next message, if it is the reply to that call; others are signals.
    fn reply_to(&mut self, serial: u32) -> Result<Option<Vec<u8>>, Problem> {
        let fixed = self.take(FIXED)?;
        let number = |at: usize| u32::from_ne_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        let (kind, body_length, fields_length) = (fixed[1], number(4) as usize, number(12) as usize);
        let mut fields = fixed[12..].to_vec();
        fields.extend(self.take(fields_length)?);
        self.take(fields_length.next_multiple_of(8) - fields_length)?;
        let body = self.take(body_length)?;
        let fields: Vec<(u8, OwnedVariant)> = decode(&fields, 12)?;
        let field = |code: u8| fields.iter().find(|(found, _)| *found == code).map(|(_, value)| &**value);
        if field(REPLY_SERIAL) != Some(&Variant::U32(serial)) {
            return Ok(None);
        }
        match (kind, field(ERROR_NAME)) {
            (ERROR, Some(Variant::Str(name))) => {
                Err(Problem::Refused(name.to_string(), decode(&body, 0).unwrap_or_default()))
            }
            _ => Ok(Some(body)),
        }
    }

    /// The next `length` bytes.
    fn take(&mut self, length: usize) -> Result<Vec<u8>, Problem> {
        self.read_until(|read| (read.len() >= length).then_some(length))
    }

    /// The data before the position that `end` finds in what was read.
    fn read_until(&mut self, end: impl Fn(&[u8]) -> Option<usize>) -> Result<Vec<u8>, Problem> {
        let mut chunk = [0; 16384];
        loop {
            if let Some(end) = end(&self.read) {
                return Ok(self.read.drain(..end).collect());
            }
            let left = self.until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.stream.set_read_timeout(Some(left)).map_err(Problem::io)?;
            match self.stream.read(&mut chunk).map_err(Problem::io)? {
                0 => return Err(Problem::Lost(io::ErrorKind::UnexpectedEof.into())),
                n => self.read.extend_from_slice(&chunk[..n]),
            }
        }
    }
}

/// Reads a value that starts `position` bytes after an 8-byte boundary. Both sides have the same byte order.
fn decode<T: DeserializeOwned + Type>(bytes: &[u8], position: usize) -> Result<T, Problem> {
    let data = Data::new(bytes, Context::new(NATIVE_ENDIAN, position));
    data.deserialize().map(|(value, _)| value).map_err(Problem::Strange)
}
