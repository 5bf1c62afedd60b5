//! The launch socket itself: `SOCK_SEQPACKET`, which keeps message boundaries, on tokio's reactor.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, Shutdown, SockFlag, SockType, UnixAddr, accept4, connect, getsockopt,
    sendmsg, shutdown, socket, sockopt::PeerCredentials,
};
use nix::unistd::Pid;
use tokio::io::unix::AsyncFd;

use super::message::MAX_MESSAGE;
use crate::{files, os, unix_socket};

/// The host's end, waiting for clients.
pub struct Listener {
    fd: AsyncFd<OwnedFd>,
}

impl Listener {
    /// Binds the socket at `path`, mode 0600 from birth, replacing a dead one.
    ///
    /// The caller holds the host's lock, so whatever is at `path` belongs to nobody alive.
    ///
    /// # Errors
    /// The path is too long (107 bytes, unix(7)), or the directory cannot be written to.
    pub fn bind(path: &Path) -> io::Result<Self> {
        files::remove_if_there(path)?;
        let fd = unix_socket::bound(SockType::SeqPacket, SockFlag::SOCK_NONBLOCK, &UnixAddr::new(path)?)?;
        Ok(Self { fd: os::watch(fd)? })
    }

    /// The next client that runs under our uid; others are disconnected without a reply.
    ///
    /// # Errors
    /// accept4(2) failed in a way that will not pass.
    pub async fn accept(&self) -> io::Result<Connection> {
        loop {
            let accepted = self
                .fd
                .async_io(tokio::io::Interest::READABLE, |fd| {
                    Ok(accept4(fd.as_raw_fd(), SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK)?)
                })
                .await;
            let raw = match accepted {
                Ok(raw) => raw,
                // The client gave up between its connect and our accept.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            let fd = os::received_fd(raw);
            let peer = getsockopt(&fd, PeerCredentials)?;
            if peer.uid() == nix::unistd::geteuid().as_raw() {
                return Connection::new(fd);
            }
            // The directory is 0700, so only root gets here, or a process that was handed a descriptor.
            tracing::warn!(
                uid = peer.uid(),
                pid = peer.pid(),
                "disconnected a client of the launch socket that runs as another user"
            );
        }
    }
}

/// One end of a connection.
pub struct Connection {
    fd: AsyncFd<OwnedFd>,
}

impl Connection {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { fd: os::watch(fd)? })
    }

    /// Connects to the host's socket. Never waits.
    ///
    /// # Errors
    /// `ENOENT` or `ECONNREFUSED` if there is no host; `EAGAIN` if there is one that does not accept, and thousands
    /// wait for it already.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let fd = seqpacket()?;
        connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
        Self::new(fd)
    }

    /// The pid of the process at the other end, when it connected or began to listen (`SO_PEERCRED`, unix(7)).
    ///
    /// # Errors
    /// getsockopt(2) failed.
    pub fn peer_pid(&self) -> io::Result<Pid> {
        Ok(Pid::from_raw(getsockopt(self.fd.get_ref(), PeerCredentials)?.pid()))
    }

    /// Sends one message of at most [`MAX_MESSAGE`] bytes with `fds`.
    ///
    /// # Errors
    /// `EPIPE` if the peer is gone.
    pub async fn send(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.fd.async_io(tokio::io::Interest::WRITABLE, |fd| transmit(fd, message, fds)).await
    }

    /// As [`Connection::send`], but never waits.
    ///
    /// # Errors
    /// `EAGAIN` if the peer does not read what it was sent before.
    pub fn try_send(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        transmit(self.fd.get_ref(), message, fds)
    }

    /// Closes the connection for both sides, also where it is still being read from.
    pub fn close(&self) {
        // Fails if the peer was faster, which is fine.
        let _ = shutdown(self.fd.as_raw_fd(), Shutdown::Both);
    }

    /// Receives one message and its descriptors; `None` at end-of-file.
    ///
    /// # Errors
    /// `EMSGSIZE` for a message that is too long, `ECONNRESET` if the peer closed with unread messages.
    pub async fn receive(&self) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
        let mut buffer = vec![0; MAX_MESSAGE];
        let (length, fds) =
            self.fd.async_io(tokio::io::Interest::READABLE, |fd| os::receive(fd.as_fd(), &mut buffer)).await?;
        buffer.truncate(length);
        // An empty datagram reads like end-of-file (seqpacket has no other sign of it); no valid message is empty.
        Ok((length > 0).then_some((buffer, fds)))
    }
}

fn transmit(socket: &OwnedFd, message: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &[][..] } else { &rights[..] };
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(message)], control, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

fn seqpacket() -> io::Result<OwnedFd> {
    Ok(socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::fs::PermissionsExt;

    use super::{Connection, Listener};
    use crate::test_dir::TestDir;

    #[tokio::test(flavor = "current_thread")]
    async fn message_boundaries_are_kept_and_descriptors_arrive() {
        let directory = TestDir::new();
        let path = directory.path("host.sock");
        let listener = Listener::bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let client = Connection::connect(&path).unwrap();
        let server = listener.accept().await.unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        client.send(b"one", &[writer.as_fd()]).await.unwrap();
        client.send(b"two", &[]).await.unwrap();
        let (message, fds) = server.receive().await.unwrap().unwrap();
        assert_eq!((message.as_slice(), fds.len()), (&b"one"[..], 1));
        drop(writer);
        std::fs::File::from(fds.into_iter().next().unwrap()).write_all(b"through").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        assert_eq!(server.receive().await.unwrap().unwrap().0, b"two");
        assert_eq!(client.peer_pid().unwrap(), nix::unistd::getpid());
        drop(client);
        assert!(server.receive().await.unwrap().is_none());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn messages_that_do_not_fit_are_refused() {
        let directory = TestDir::new();
        let path = directory.path("host.sock");
        let listener = Listener::bind(&path).unwrap();
        let client = Connection::connect(&path).unwrap();
        let server = listener.accept().await.unwrap();
        client.send(&vec![b'x'; super::MAX_MESSAGE + 1], &[]).await.unwrap();
        assert_eq!(server.receive().await.unwrap_err().raw_os_error(), Some(nix::libc::EMSGSIZE));
        // More descriptors than anybody should send: they arrive, and go with the message, which the host refuses.
        let given = directory.path("given");
        let file = std::fs::File::create(&given).unwrap();
        let open = || {
            let links = std::fs::read_dir("/proc/self/fd")
                .unwrap()
                .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
            links.filter(|link| *link == given).count()
        };
        client.send(b"many", &[file.as_fd(); 20]).await.unwrap();
        drop(file);
        let message = server.receive().await.unwrap().unwrap();
        assert_eq!((message.1.len(), open()), (20, 20));
        drop(message);
        assert_eq!(open(), 0);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_dead_socket_is_replaced_and_a_missing_one_is_reported() {
        let directory = TestDir::new();
        let path = directory.path("host.sock");
        assert_eq!(Connection::connect(&path).err().unwrap().kind(), std::io::ErrorKind::NotFound);
        drop(Listener::bind(&path).unwrap());
        assert_eq!(Connection::connect(&path).err().unwrap().kind(), std::io::ErrorKind::ConnectionRefused);
        Listener::bind(&path).unwrap();
    }
}
