//! A connection to the X server over our own socket.
//!
//! `x11rb::connect` has no timeout, falls back to TCP and hides Xauthority errors; and a blocking connection would
//! stop the whole program with a server that no longer answers. So the library's protocol core, which does no I/O,
//! is driven here over a tokio stream; deadlines are the callers'.

use std::borrow::Cow;
use std::io;

use thiserror::Error;
use tokio::io::Interest;
use tokio::net::UnixStream;
use x11rb_protocol::BufWithFds;
use x11rb_protocol::connect::Connect;
use x11rb_protocol::connection::{Connection as Protocol, ReplyFdKind};
use x11rb_protocol::errors::ConnectError;
use x11rb_protocol::protocol::xproto::{GrabServerRequest, QueryExtensionReply, QueryExtensionRequest, Setup};
use x11rb_protocol::x11_utils::TryParse;

use super::cookie::Cookie;
use super::display::Display;
use super::packets::Packets;
use super::xauthority::PROTOCOL;
use crate::unix_socket;

/// What can go wrong between a client and the server.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The connection broke.
    #[error("the connection to the display broke: {0}")]
    Io(#[from] io::Error),
    /// The server refused us; in its own words.
    #[error("the server refused the connection: {0}")]
    Refused(String),
    /// The server answered what no X server answers.
    #[error("the server's answer is not X11: {0}")]
    Protocol(String),
}

/// A request as the library's `serialize` methods lay it out.
pub type Wire<'a, const N: usize> = BufWithFds<[Cow<'a, [u8]>; N]>;

/// An established connection.
pub struct Client {
    stream: UnixStream,
    protocol: Protocol,
    packets: Packets,
    /// How many numbers it has taken.
    made: u32,
    /// What the server said of itself.
    pub setup: Setup,
}

impl Client {
    /// Connects to the display's socket and does the setup with the cookie (X Window System Protocol, "Connection
    /// Setup"). The reply is the only proof that the server serves: a socket that systemd listens on accepts
    /// connections long before, and this then waits. The caller sets the deadline.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn connect(display: Display, cookie: &Cookie) -> Result<Self, ClientError> {
        let stream = unix_socket::connect(&display.socket_path()).await?;
        Self::over(stream, cookie).await
    }

    /// As [`Client::connect`], over a stream that is connected already.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn over(stream: UnixStream, cookie: &Cookie) -> Result<Self, ClientError> {
        Self::set_up(stream, cookie, &[]).await
    }

    /// Like [`Client::connect`], and from then on the server serves no other client (X Window System Protocol, GrabServer).
    ///
    /// A race: another client may be waiting too when the server begins to accept them. GrabServer needs nothing from the
    /// server's answer to the setup, so it is sent together with the setup, and takes effect before another client gets
    /// even that answer.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn connect_alone(display: Display, cookie: &Cookie) -> Result<Self, ClientError> {
        let stream = unix_socket::connect(&display.socket_path()).await?;
        let mut client = Self::set_up(stream, cookie, &GrabServerRequest.serialize().0.concat()).await?;
        // It was sent, and is counted.
        client.protocol.send_request(ReplyFdKind::NoReply);
        Ok(client)
    }

    /// Does the setup, and sends `first` with it, before the answer.
    async fn set_up(stream: UnixStream, cookie: &Cookie, first: &[u8]) -> Result<Self, ClientError> {
        let (mut connect, mut request) = Connect::with_authorization(PROTOCOL.to_vec(), cookie.as_bytes().to_vec());
        request.extend_from_slice(first);
        send(&stream, &request).await?;
        let mut first = true;
        loop {
            let count = read(&stream, connect.buffer()).await?;
            // Failed, success or authenticate (X Window System Protocol, section 8). Anything else is not an X server, and the
            // length that it seems to announce would be waited for in vain.
            if first && !matches!(connect.buffer()[0], 0..=2) {
                return Err(ClientError::Protocol("no X server sends its first byte".to_owned()));
            }
            first = false;
            if connect.advance(count) {
                break;
            }
        }
        let setup = connect.into_setup().map_err(|error| match error {
            ConnectError::SetupFailed(failed) => ClientError::Refused(readable(&failed.reason)),
            ConnectError::SetupAuthenticate(more) => ClientError::Refused(readable(&more.reason)),
            error => ClientError::Protocol(error.to_string()),
        })?;
        Ok(Self { stream, protocol: Protocol::new(), packets: Packets::default(), made: 0, setup })
    }

    /// The first root window.
    ///
    /// # Errors
    /// The server has no screen.
    pub fn root(&self) -> Result<u32, ClientError> {
        self.setup.roots.first().map(|screen| screen.root).ok_or_else(|| ClientError::Protocol("no screen".into()))
    }

    /// Sends a request that has no reply; an error that it causes is ignored.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn send<const N: usize>(&mut self, request: Wire<'_, N>) -> Result<(), ClientError> {
        self.start(ReplyFdKind::NoReply, request).await.map(|_| ())
    }

    /// Sends a request and waits for its reply; events are kept for [`Client::event`].
    ///
    /// `None` if the server answered with an error, as when the window is gone.
    ///
    /// # Errors
    /// The connection broke, or the reply is malformed.
    pub async fn request<Reply: TryParse, const N: usize>(
        &mut self,
        request: Wire<'_, N>,
    ) -> Result<Option<Reply>, ClientError> {
        let sequence = self.start(ReplyFdKind::ReplyWithoutFDs, request).await?;
        loop {
            if let Some((packet, _)) = self.protocol.poll_for_reply_or_error(sequence) {
                // The first byte tells a reply (1) from an error (0).
                if packet.first() != Some(&1) {
                    return Ok(None);
                }
                let (reply, _) = Reply::try_parse(&packet).map_err(|error| ClientError::Protocol(error.to_string()))?;
                return Ok(Some(reply));
            }
            self.fill().await?;
        }
    }

    /// The major opcode of an extension; `None` if the server does not have it.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn extension(&mut self, name: &str) -> Result<Option<u8>, ClientError> {
        Ok(self.numbers_of(name).await?.map(|extension| extension.major_opcode))
    }

    /// The numbers of an extension, those of its events included; `None` if the server does not have it.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn numbers_of(&mut self, name: &str) -> Result<Option<QueryExtensionReply>, ClientError> {
        let request = QueryExtensionRequest { name: name.as_bytes().into() }.serialize();
        let extension = self.request::<QueryExtensionReply, _>(request).await?;
        Ok(extension.filter(|extension| extension.present))
    }

    /// A number for something that this client makes.
    ///
    /// # Errors
    /// None in practice: a client has two million.
    pub fn new_id(&mut self) -> Result<u32, ClientError> {
        let (base, mask) = (self.setup.resource_id_base, self.setup.resource_id_mask);
        self.made += 1;
        let id = self.made.checked_shl(mask.trailing_zeros()).filter(|id| id & !mask == 0);
        id.map(|id| base | id).ok_or_else(|| ClientError::Protocol("out of resource numbers".into()))
    }

    async fn start<const N: usize>(&mut self, kind: ReplyFdKind, request: Wire<'_, N>) -> Result<u64, ClientError> {
        // The core refuses only after 65535 requests without a reply; we send a handful.
        let sequence = self.protocol.send_request(kind);
        let sequence = sequence.ok_or_else(|| ClientError::Protocol("out of sequence numbers".into()))?;
        send(&self.stream, &request.0.concat()).await?;
        Ok(sequence)
    }

    /// The next event as it came, 32 bytes or more. May be dropped while it waits.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn event(&mut self) -> Result<Vec<u8>, ClientError> {
        loop {
            if let Some((event, _)) = self.protocol.poll_for_event_with_sequence() {
                return Ok(event);
            }
            self.fill().await?;
        }
    }

    /// Reads once from the server.
    async fn fill(&mut self) -> Result<(), ClientError> {
        let count = read(&self.stream, self.packets.buffer()).await?;
        let packet = self.packets.advance(count).map_err(|error| ClientError::Protocol(error.to_string()))?;
        if let Some(packet) = packet {
            self.protocol.enqueue_packet(packet);
        }
        Ok(())
    }
}

/// What came over the display, for a person: without padding and control characters, and no longer than two rows of a
/// terminal.
pub fn readable(reason: &[u8]) -> String {
    const LONGEST: usize = 158;
    let reason = String::from_utf8_lossy(reason);
    let reason = reason.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    reason.chars().take(LONGEST).map(|c| if c.is_control() { '?' } else { c }).collect()
}

async fn read(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<usize> {
    match stream.async_io(Interest::READABLE, || stream.try_read(buffer)).await? {
        0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed it")),
        count => Ok(count),
    }
}

async fn send(stream: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = stream.async_io(Interest::WRITABLE, || stream.try_write(bytes)).await?;
        bytes = &bytes[count..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn reasons_are_made_readable() {
        assert_eq!(readable(b"No protocol specified\n\0\0"), "No protocol specified");
        assert_eq!(readable(b"\x1bc\rgone\xff"), "?c?gone\u{fffd}");
        assert_eq!(readable(&[b'x'; 1000]).len(), 158);
    }
}
