//! The manager's own socket, `$XDG_RUNTIME_DIR/systemd/private`, which systemctl(1) uses, too.
//!
//! No message bus stands in between: each call is one hop instead of two, a bus that was never needed so far is not started
//! for us, and one that is restarted is no event. The manager is at the other end itself; it speaks D-Bus and checks that we
//! are its user (dbus.c, `bus_on_connection`).
//!
//! Two things are not as on a bus, and [`inbox`](super::inbox) takes care of both: the manager signs with a well-known
//! name, and it tells everybody everything.

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

/// Connects to the manager.
///
/// # Errors
/// Nobody listens at `path`, or it does not take us for its user.
pub(super) async fn connect(path: &Path, call: Duration) -> io::Result<Private> {
    let stream = unix_socket::connect(path).await?;
    let manager = stream.peer_cred().ok().and_then(|peer| peer.pid()).map(Pid::from_raw);
    let wanted = Arc::new(Wanted::default());
    let mut inbox = Inbox::new(Arc::clone(&wanted));
    inbox.put(&greet(&stream).await?)?;
    let socket = ManagerSocket { stream: Arc::new(stream), inbox };
    // Its GUID is for those who find the same bus by two addresses.
    let connection = Builder::authenticated_socket(socket, Guid::generate()).p2p().method_timeout(call).build();
    Ok(Private { connection: connection.await.map_err(io::Error::other)?, manager, wanted })
}

/// Says who we are, which the manager compares with what the kernel says of the other end of its socket (D-Bus
/// Specification, "Authentication Protocol"). Returns what has come behind the answer.
///
/// A race: what comes together with "BEGIN" is left lying by the manager until something else comes (sd-bus,
/// `bus_socket_read_auth`), so the first call is not sent before the answer is there.
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

/// Reads what there is, once there is something; 0 at the end.
async fn read(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}

/// Writes as much as there is room for, once there is some.
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
            let mut chunk = [0; CHUNK];
            match read(&self.stream, &mut chunk).await? {
                0 => return Ok((0, Vec::new())),
                length => self.inbox.put(&chunk[..length])?,
            }
        }
    }
}

/// What goes to the manager.
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
    async fn who_does_not_take_us_for_its_user_is_named() {
        for (answer, said) in
            [("REJECTED EXTERNAL\r\n", "it said REJECTED EXTERNAL\\r\\n"), ("OK 12", "it said OK 12"), ("", "it said ")]
        {
            let directory = TestDir::new();
            let listener = UnixListener::bind(directory.path("private")).unwrap();
            let serve = std::thread::spawn(move || {
                let (mut client, _) = listener.accept()?;
                // What was not read would reset the connection.
                client.read_exact(&mut [0; GREETING])?;
                client.write_all(answer.as_bytes())
            });
            let refused = super::connect(&directory.path("private"), Duration::from_secs(1)).await.err().unwrap();
            assert_eq!(refused.to_string(), said);
            serve.join().unwrap().unwrap();
        }
    }
}
