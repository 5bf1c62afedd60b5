//! Watches the display: an X client of its own, so that startxd is not judged by its own code.
//!
//! It connects as soon as something listens and then only waits, so it is the same burden for every launcher: one
//! client that waits in the backlog while the server starts, and sends nothing until the property changes.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use startxd::for_tests::x11::cookie::Cookie;
use startxd::for_tests::x11::xauthority::PROTOCOL;
use x11rb_protocol::connect::Connect;
use x11rb_protocol::protocol::xproto::{
    AtomEnum, ChangeWindowAttributesAux, ChangeWindowAttributesRequest, EventMask, GetPropertyReply,
    GetPropertyRequest, InternAtomReply, InternAtomRequest, MAP_NOTIFY_EVENT, MapNotifyEvent, PROPERTY_NOTIFY_EVENT,
    PropertyNotifyEvent,
};
use x11rb_protocol::x11_utils::TryParse;

/// The pause between two checks for a listener.
const PAUSE: Duration = Duration::from_micros(200);

/// What was observed on a display.
pub struct Sighting {
    /// When something listened on its socket.
    pub listened: SystemTime,
    /// When the server answered.
    pub answered: SystemTime,
    /// When a window manager managed it.
    pub managed: SystemTime,
    /// The server's release.
    pub release: u32,
    // Open until the end of the measurement, so that closing it disturbs nothing.
    _display: Display,
}

/// Waits until a window manager manages the display at `socket`; `cookie` is called once it listens.
///
/// # Errors
/// There is no display, or no window manager, each within `deadline`.
pub fn observe(socket: &Path, deadline: Duration, cookie: impl FnOnce() -> Option<Cookie>) -> io::Result<Sighting> {
    let end = Instant::now() + deadline;
    let stream = loop {
        match UnixStream::connect(socket) {
            Ok(stream) => break stream,
            Err(error) if Instant::now() >= end => return Err(error),
            Err(_) => std::thread::sleep(PAUSE),
        }
    };
    let listened = SystemTime::now();
    stream.set_read_timeout(Some(deadline))?;
    let mut display = Display { stream, events: VecDeque::new() };
    let (root, release) = display.handshake(cookie())?;
    let answered = SystemTime::now();
    let check = InternAtomRequest { only_if_exists: false, name: b"_NET_SUPPORTING_WM_CHECK".as_slice().into() };
    let check: InternAtomReply = display.request(&check.serialize().0.concat())?;
    let managed = display.managed(root, check.atom)?;
    Ok(Sighting { listened, answered, managed, release, _display: display })
}

/// Has somebody show the window of a locker, by `ask`, and returns when the server did: the first window that the window
/// manager does not manage.
///
/// # Errors
/// There is no display, or no such window within `deadline`.
pub fn locker_maps(
    socket: &Path,
    deadline: Duration,
    cookie: Option<Cookie>,
    ask: impl FnOnce(),
) -> io::Result<SystemTime> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(deadline))?;
    let mut display = Display { stream, events: VecDeque::new() };
    let (root, _) = display.handshake(cookie)?;
    display.select(root, EventMask::SUBSTRUCTURE_NOTIFY)?;
    // An answer says that the selection was heard.
    let name = InternAtomRequest { only_if_exists: true, name: b"WM_STATE".as_slice().into() };
    let _: InternAtomReply = display.request(&name.serialize().0.concat())?;
    ask();
    loop {
        let packet = display.packet()?;
        let heard = SystemTime::now();
        let is_map = packet[0] & 0x7f == MAP_NOTIFY_EVENT;
        if is_map && MapNotifyEvent::try_parse(&packet).is_ok_and(|(event, _)| event.override_redirect) {
            return Ok(heard);
        }
    }
}

/// A connection that waits for one thing at a time.
struct Display {
    stream: UnixStream,
    events: VecDeque<(SystemTime, PropertyNotifyEvent)>,
}

impl Display {
    /// Returns the root window and the server's release.
    fn handshake(&mut self, cookie: Option<Cookie>) -> io::Result<(u32, u32)> {
        let (name, data) =
            cookie.map_or_else(Default::default, |cookie| (PROTOCOL.to_vec(), cookie.as_bytes().to_vec()));
        let (mut connect, request) = Connect::with_authorization(name, data);
        self.stream.write_all(&request)?;
        loop {
            let count = self.stream.read(connect.buffer())?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if connect.advance(count) {
                break;
            }
        }
        let setup = connect.into_setup().map_err(io::Error::other)?;
        let screen = setup.roots.first().ok_or_else(|| io::Error::other("the display has no screen"))?;
        Ok((screen.root, setup.release_number))
    }

    /// When the check window first named itself.
    fn managed(&mut self, root: u32, check: u32) -> io::Result<SystemTime> {
        self.select(root, EventMask::PROPERTY_CHANGE)?;
        let mut seen = SystemTime::now();
        loop {
            if let Some(window) = self.window(root, check)? {
                self.select(window, EventMask::PROPERTY_CHANGE)?;
                if self.window(window, check)? == Some(window) {
                    return Ok(seen);
                }
            }
            seen = self.next_change(check)?;
        }
    }

    fn select(&mut self, window: u32, events: EventMask) -> io::Result<()> {
        let value_list = ChangeWindowAttributesAux::new().event_mask(events);
        let request = ChangeWindowAttributesRequest { window, value_list: Cow::Borrowed(&value_list) };
        self.stream.write_all(&request.serialize().0.concat())
    }

    /// The window in a property.
    fn window(&mut self, window: u32, property: u32) -> io::Result<Option<u32>> {
        let type_ = AtomEnum::WINDOW.into();
        let request = GetPropertyRequest { delete: false, window, property, type_, long_offset: 0, long_length: 1 };
        let reply: GetPropertyReply = self.request(&request.serialize().0.concat())?;
        Ok(reply.value32().and_then(|mut values| values.next()).filter(|&window| window != 0))
    }

    /// Waits until `property` changes on a window with events selected, and returns the time.
    fn next_change(&mut self, property: u32) -> io::Result<SystemTime> {
        loop {
            let (heard, event) = match self.events.pop_front() {
                Some(event) => event,
                None => {
                    let packet = self.packet()?;
                    match self.event(&packet) {
                        Some(event) => event,
                        None => continue,
                    }
                }
            };
            if event.atom == property {
                return Ok(heard);
            }
        }
    }

    /// Sends a request and returns its reply; there is only one outstanding.
    fn request<Reply: TryParse>(&mut self, bytes: &[u8]) -> io::Result<Reply> {
        self.stream.write_all(bytes)?;
        loop {
            let packet = self.packet()?;
            match packet[0] {
                0 => return Err(io::Error::other(format!("the server answered with error {}", packet[1]))),
                1 => return Ok(Reply::try_parse(&packet).map_err(io::Error::other)?.0),
                _ => {
                    let event = self.event(&packet);
                    self.events.extend(event);
                }
            }
        }
    }

    fn event(&self, packet: &[u8]) -> Option<(SystemTime, PropertyNotifyEvent)> {
        let heard = SystemTime::now();
        let event = (packet[0] & 0x7f == PROPERTY_NOTIFY_EVENT).then(|| PropertyNotifyEvent::try_parse(packet).ok());
        Some((heard, event??.0))
    }

    /// An event, an error or a reply: 32 bytes, and the rest of a reply.
    fn packet(&mut self) -> io::Result<Vec<u8>> {
        let mut packet = vec![0; 32];
        self.stream.read_exact(&mut packet)?;
        if packet[0] == 1 {
            let words = u32::from_ne_bytes([packet[4], packet[5], packet[6], packet[7]]);
            packet.resize(32 + 4 * words as usize, 0);
            self.stream.read_exact(&mut packet[32..])?;
        }
        Ok(packet)
    }
}
