//! Unix sockets: made private from birth, and connected to without waiting in the kernel.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use nix::sys::stat::{Mode, fchmod};
use tokio::net::UnixStream;
use tokio::time::sleep;

use crate::deadline::LOOK_AGAIN;

/// A socket that listens at `address`, close-on-exec, and with mode 0600 from birth if that is a path.
///
/// The file of a socket gets the mode that the descriptor has, less the umask (af_unix.c, `unix_bind_bsd`): so that is set
/// before, and not the umask, which is every thread's.
///
/// # Errors
/// The address is taken, or its directory cannot be written to.
pub fn bound(kind: SockType, flags: SockFlag, address: &UnixAddr) -> io::Result<OwnedFd> {
    let fd = bind_at(kind, flags, address)?;
    listen(&fd, Backlog::MAXCONN)?;
    Ok(fd)
}

/// A socket that has `address` and does not listen: nobody else can have the address, and whoever connects is refused.
///
/// # Errors
/// As [`bound`].
pub fn held(kind: SockType, address: &UnixAddr) -> io::Result<OwnedFd> {
    bind_at(kind, SockFlag::empty(), address)
}

fn bind_at(kind: SockType, flags: SockFlag, address: &UnixAddr) -> io::Result<OwnedFd> {
    let fd = socket(AddressFamily::Unix, kind, flags | SockFlag::SOCK_CLOEXEC, None)?;
    fchmod(fd.as_fd(), Mode::from_bits_truncate(0o600))?;
    bind(fd.as_raw_fd(), address)?;
    Ok(fd)
}

/// Connects to a stream socket. Waits while whoever listens there does not accept and too many wait already: for that
/// connect(2) itself would wait, without end and without anybody else on this thread. The caller sets the deadline.
///
/// # Errors
/// Nobody listens.
pub async fn connect(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            // A Unix socket does not tell when there is room again.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(LOOK_AGAIN).await,
            connected => return connected,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream as StdStream;
    use std::path::Path;
    use std::time::Duration;

    use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
    use tokio::time::timeout;

    use super::{bound, connect};
    use crate::test_dir::TestDir;

    /// Somebody who listens, does not accept, and has as many in the queue as there is room for.
    pub fn that_does_not_accept(path: &Path) -> (OwnedFd, Vec<StdStream>) {
        let fd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(fd.as_raw_fd(), &UnixAddr::new(path).unwrap()).unwrap();
        listen(&fd, Backlog::new(0).unwrap()).unwrap();
        (fd, vec![StdStream::connect(path).unwrap()])
    }

    #[test]
    fn a_socket_is_private_from_birth() {
        let directory = TestDir::new();
        let path = directory.path("socket");
        let _socket = bound(SockType::Stream, SockFlag::empty(), &UnixAddr::new(&path).unwrap()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(bound(SockType::Stream, SockFlag::empty(), &UnixAddr::new(&path).unwrap()).is_err());
        StdStream::connect(&path).unwrap();
    }

    #[tokio::test(flavor = "current_thread")]
    async fn one_that_does_not_accept_is_waited_for_as_long_as_the_caller_likes() {
        let directory = TestDir::new();
        let path = directory.path("socket");
        let (_listener, _waiting) = that_does_not_accept(&path);
        assert!(timeout(Duration::from_millis(50), connect(&path)).await.is_err());
        assert!(connect(&directory.path("none")).await.is_err());
    }
}
