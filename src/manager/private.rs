//! The manager's own socket, `$XDG_RUNTIME_DIR/systemd/private`, which systemctl(1) uses as well.
//!
//! There is no message bus in between: each call takes one hop instead of two, a bus that nothing has needed yet is not
//! started for us, and a restart of the bus does not matter. The manager itself is the peer; it speaks D-Bus and checks
//! that we are its user (dbus.c, `bus_on_connection`).
//!
//! Two things differ from a bus, and [`inbox`](super::inbox) handles both: the manager signs with a well-known
//! name, and it sends every signal to everybody.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};
use nix::unistd::Pid;
use tokio::net::UnixStream;
use zbus::connection::Builder;
use zbus::connection::socket::{ReadHalf, Socket, Split, WriteHalf};
use zbus::export::async_trait::async_trait;
use zbus::{Connection, Guid};

use super::inbox::{Inbox, Wanted};
use crate::unix_socket;

/// How many bytes are read at once. A reply about nine units has about 2 KiB.
const CHUNK: usize = 8192;

/// A connection to the manager itself.
pub(super) struct Private {
    /// The connection for calls.
    pub connection: Connection,
    /// The manager's process.
    pub manager: Option<Pid>,
    /// Which of its signals are let in.
    pub wanted: Arc<Wanted>,
}

/// Connects to the manager.
///
/// # Errors
/// Nothing listens at `path`, or it does not accept us as its user.
pub(super) async fn connect(path: &Path, call: Duration) -> io::Result<Private> {
    let stream = unix_socket::connect(path).await?;
    let manager = stream.peer_cred().ok().and_then(|peer| peer.pid()).map(Pid::from_raw);
    let wanted = Arc::new(Wanted::default());
    let mut inbox = Inbox::new(Arc::clone(&wanted));
    inbox.put(&greet(&stream).await?)?;
    let socket = ManagerSocket { stream: Arc::new(stream), inbox };
    // The GUID only matters to clients that find the same bus by two addresses.
    let connection = Builder::authenticated_socket(socket, Guid::generate()).p2p().method_timeout(call).build();
    Ok(Private { connection: connection.await.map_err(io::Error::other)?, manager, wanted })
}

/// Sends our uid, which the manager compares with the kernel's credentials of its peer (D-Bus
/// Specification, "Authentication Protocol"). Returns the bytes after the answer.
///
/// A race: the manager does not read bytes that arrive together with "BEGIN" until more bytes arrive (sd-bus,
/// `bus_socket_read_auth`), so the first call is sent only after the answer.
async fn greet(stream: &UnixStream) -> io::Result<Vec<u8>> {
    let uid = nix::unistd::geteuid().to_string();
    let hex: String = uid.bytes().map(|digit| format!("{digit:02x}")).collect();
    let greeting = format!("\0AUTH EXTERNAL {hex}\r\nBEGIN\r\n");
    let mut rest = greeting.as_bytes();
    while !rest.is_empty() {
        rest = &rest[write(stream, rest).await?..];
    }
    let mut said = Vec::new();
    loop {
        let mut chunk = [0; CHUNK];
        let length = read(stream, &mut chunk).await?;
        said.extend_from_slice(&chunk[..length]);
        if let Some(end) = said.windows(2).position(|two| two == b"\r\n") {
            let rest = said.split_off(end + 2);
            if said.starts_with(b"OK ") {
                return Ok(rest);
            }
        }
        if length == 0 || said.len() > CHUNK {
            let said = format!("it said {}", String::from_utf8_lossy(&said).escape_debug());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, said));
        }
    }
}

/// Waits for bytes and reads them; 0 at the end.
async fn read(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}

/// Waits for room and writes as much as fits.
async fn write(stream: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    loop {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            written => return written,
        }
    }
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
        let writer = Writer { stream: Arc::clone(&self.stream) };
        Split::new(Reader { stream: self.stream, inbox: self.inbox }, writer)
    }
}

/// The receiving side.
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
            let mut chunk = [0; CHUNK];
            match read(&self.stream, &mut chunk).await? {
                0 => return Ok((0, Vec::new())),
                length => self.inbox.put(&chunk[..length])?,
            }
        }
    }
}

/// The sending side.
#[derive(Debug)]
struct Writer {
    stream: Arc<UnixStream>,
}

#[async_trait]
impl WriteHalf for Writer {
    async fn sendmsg(&mut self, buffer: &[u8], _: &[BorrowedFd<'_>]) -> io::Result<usize> {
        write(&self.stream, buffer).await
    }

    async fn close(&mut self) -> io::Result<()> {
        Ok(shutdown(self.stream.as_raw_fd(), Shutdown::Both)?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    use crate::test_dir::TestDir;

    /// Its length, less what a uid of more than one digit adds.
    const GREETING: usize = "\0AUTH EXTERNAL 30\r\nBEGIN\r\n".len();

    #[tokio::test]
    async fn a_peer_that_does_not_accept_us_is_reported_with_its_answer() {
        for (answer, said) in
            [("REJECTED EXTERNAL\r\n", "it said REJECTED EXTERNAL\\r\\n"), ("OK 12", "it said OK 12"), ("", "it said ")]
        {
            let directory = TestDir::new();
            let listener = UnixListener::bind(directory.path("private")).unwrap();
            let serve = std::thread::spawn(move || {
                let (mut client, _) = listener.accept()?;
                // Unread bytes would reset the connection.
                client.read_exact(&mut [0; GREETING])?;
                client.write_all(answer.as_bytes())
            });
            let refused = super::connect(&directory.path("private"), Duration::from_secs(1)).await.err().unwrap();
            assert_eq!(refused.to_string(), said);
            serve.join().unwrap().unwrap();
        }
    }
}
