//! File descriptors that come from elsewhere and become ours.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use tokio::io::unix::AsyncFd;

/// As many descriptors as one message can carry (`SCM_MAX_FD`, unix(7)).
///
/// With room for fewer, a larger message would arrive truncated, with some of its descriptors open here and nix
/// refusing to say which (`RecvMsg::cmsgs`, `MSG_CTRUNC`): each such message would leak them.
const MAX_FDS: usize = 253;

/// The descriptors that systemd passed by `LISTEN_FDS` (sd_listen_fds(3)), with close-on-exec set.
///
/// # Errors
/// The variables are set but wrong, or a descriptor is not open.
pub fn inherited_listeners() -> io::Result<Vec<OwnedFd>> {
    let mut listeners = Vec::new();
    for raw in sd_notify::listen_fds()? {
        // SAFETY: `LISTEN_PID` names this process, so the descriptor was passed to us by the manager and nothing
        // else in this process has taken it: this function is called once, at the start of the supervisor.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        listeners.push(fd);
    }
    Ok(listeners)
}

/// Receives one datagram of a `SOCK_SEQPACKET` socket, and the descriptors that came with it (`SCM_RIGHTS`, unix(7)),
/// close-on-exec from birth.
///
/// Returns the length of the message in bytes, 0 at end-of-file, and the descriptors.
///
/// # Errors
/// `EMSGSIZE` if the message or its descriptors did not fit; they are closed then.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut control = cmsg_space!([RawFd; MAX_FDS]);
    let mut slices = [IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let mut fds = Vec::new();
    // The descriptors become owned before anything can fail: a refused message must not leak them.
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(raw) = part {
            // SAFETY: the kernel has just installed these descriptors for us, and nobody else knows their numbers.
            fds.extend(raw.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    if message.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC) {
        return Err(nix::errno::Errno::EMSGSIZE.into());
    }
    Ok((message.bytes, fds))
}

/// Takes ownership of a descriptor that a system call wrapped by nix has just returned as a number (accept4(2)).
#[must_use]
pub fn received_fd(raw: RawFd) -> OwnedFd {
    // SAFETY: callers hand in the direct result of a system call that made a new descriptor.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

/// Registers a descriptor with tokio's reactor.
///
/// # Errors
/// epoll(7) cannot watch it; a plain file, for example.
pub fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd names the same open descriptor for as long as it lives, and the AsyncFd owns it.
    Ok(unsafe { AsyncFd::register(fd) }?)
}
