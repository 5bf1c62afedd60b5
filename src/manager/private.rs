//! The manager's own socket, `$XDG_RUNTIME_DIR/systemd/private`, which systemctl(1) uses, too.
//!
//! No message bus stands in between: each call is one hop instead of two, a bus that was never needed so far is not started
//! for us, and one that is restarted is no event. The manager is at the other end itself; it speaks D-Bus and checks that we
//! are its user (dbus.c, `bus_on_connection`).
//!
//! Two things are not as on a bus, and [`inbox`](super::inbox) takes care of both: the manager signs with a well-known
//! name, and it tells everybody everything.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::Pid;
use tokio::io::Interest as Readiness;
use tokio::net::UnixStream;
use zbus::connection::Builder;
use zbus::connection::socket::{ReadHalf, Socket, Split, WriteHalf};
use zbus::export::async_trait::async_trait;
use zbus::{Connection, Guid};

use super::inbox::{Inbox, Wanted};
use crate::unix_socket;

/// The bytes that are read at once. A reply about nine units has some 2 KiB.
const CHUNK: usize = 8192;

/// A connection to the manager itself.
pub(super) struct Private {
    /// What calls go over.
    pub connection: Connection,
    /// The manager's process.
    pub manager: Option<Pid>,
    /// Which of its signals are let in.
    pub wanted: Arc<Wanted>,
}

/// Connects to the manager. Nobody is waited for: what is asked of it is answered when it has accepted, in this order.
///
/// # Errors
/// Nobody listens at `path`.
pub(super) async fn connect(path: &Path, call: Duration) -> io::Result<Private> {
    let stream = unix_socket::connect(path).await?;
    let manager = stream.peer_cred().ok().and_then(|peer| peer.pid()).map(Pid::from_raw);
    let wanted = Arc::new(Wanted::default());
    let socket = ManagerSocket { stream: Arc::new(stream), inbox: Inbox::new(Arc::clone(&wanted)) };
    // The same for everybody, as nobody compares it.
    let connection = Builder::authenticated_socket(socket, Guid::generate()).p2p().method_timeout(call).build();
    Ok(Private { connection: connection.await.map_err(io::Error::other)?, manager, wanted })
}

/// "AUTH" with our uid, which the manager compares with that of the socket's other end, and "BEGIN" (D-Bus Specification,
/// "Authentication Protocol"). The answer is not waited for: a manager that refuses closes the connection.
fn greeting() -> Vec<u8> {
    let uid = nix::unistd::geteuid().to_string();
    let hex: String = uid.bytes().map(|digit| format!("{digit:02x}")).collect();
    format!("\0AUTH EXTERNAL {hex}\r\nBEGIN\r\n").into_bytes()
}

/// The socket for zbus.
#[derive(Debug)]
struct ManagerSocket {
    stream: Arc<UnixStream>,
    inbox: Inbox,
}

impl Socket for ManagerSocket {
    type ReadHalf = Reader;
    type WriteHalf = Writer;

    fn split(self) -> Split<Reader, Writer> {
        let writer = Writer { stream: Arc::clone(&self.stream), greeting: greeting() };
        Split::new(Reader { stream: self.stream, inbox: self.inbox }, writer)
    }
}

/// What comes from the manager.
#[derive(Debug)]
struct Reader {
    stream: Arc<UnixStream>,
    inbox: Inbox,
}

#[async_trait]
impl ReadHalf for Reader {
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        loop {
            let taken = self.inbox.take(buffer);
            if taken > 0 {
                return Ok((taken, Vec::new()));
            }
            self.stream.readable().await?;
            let mut chunk = [0; CHUNK];
            match self.stream.try_read(&mut chunk) {
                Ok(0) => return Ok((0, Vec::new())),
                Ok(length) => self.inbox.put(&chunk[..length])?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// What goes to the manager.
#[derive(Debug)]
struct Writer {
    stream: Arc<UnixStream>,
    /// Sent with the first message.
    greeting: Vec<u8>,
}

impl Writer {
    async fn write(&self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.async_io(Readiness::WRITABLE, || self.stream.try_write(buffer)).await
    }
}

#[async_trait]
impl WriteHalf for Writer {
    async fn sendmsg(&mut self, buffer: &[u8], _: &[BorrowedFd<'_>]) -> io::Result<usize> {
        if !self.greeting.is_empty() {
            // One write for both: the manager is woken once.
            let both = [self.greeting.as_slice(), buffer].concat();
            let written = self.write(&both).await?;
            let greeted = written.min(self.greeting.len());
            self.greeting.drain(..greeted);
            return Ok(written - greeted);
        }
        self.write(buffer).await
    }

    async fn close(&mut self) -> io::Result<()> {
        nix::sys::socket::shutdown(std::os::fd::AsRawFd::as_raw_fd(&*self.stream), nix::sys::socket::Shutdown::Both)
            .map_err(io::Error::from)
    }
}
