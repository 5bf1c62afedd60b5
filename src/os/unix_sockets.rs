//! The kernel's list of Unix sockets in this network namespace (proc_net_unix(5)).
//!
//! A name is whatever the socket's owner chose: any bytes, even ones that look like another row, or like another user's
//! path, which it can truly be in a mount namespace of the owner's. So a row alone proves nothing about a path: the
//! socket there must be ours, too.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

/// Where the list is.
pub const LIST: &str = "/proc/net/unix";

/// A socket that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket<'a> {
    /// Whether somebody listens on it.
    pub listens: bool,
    /// Its path, or its abstract name with `@` in place of the NUL before it.
    pub name: &'a [u8],
}

/// Takes the list and returns the sockets that have names.
pub fn named(list: &[u8]) -> impl Iterator<Item = Socket<'_>> {
    // The first line is a heading.
    list.split(|&byte| byte == b'\n').skip(1).filter_map(row)
}

/// Num RefCount Protocol Flags Type St Inode Path: the path is everything after one space, and may contain spaces
/// itself.
fn row(line: &[u8]) -> Option<Socket<'_>> {
    /// `__SO_ACCEPTCON` (linux/net.h).
    const LISTENING: &[u8] = b"00010000";
    let (mut rest, mut fields) = (line, [&[][..]; 7]);
    for field in &mut fields {
        let begin = rest.iter().position(|&byte| byte != b' ')?;
        let end = begin + rest[begin..].iter().position(|&byte| byte == b' ')?;
        *field = &rest[begin..end];
        rest = &rest[end + 1..];
    }
    Some(Socket { listens: fields[3] == LISTENING, name: rest })
}

/// The user who created the socket with this abstract name (given without its NUL); `None` if there is no such socket,
/// or if the kernel does not tell (sock_diag(7); `UDIAG_SHOW_UID` came with Linux 5.3).
#[must_use]
pub fn owner_of_name(name: &[u8]) -> Option<u32> {
    let kernel = ask_for_all().ok()?;
    // More than one answer needs.
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = recv(kernel.as_raw_fd(), &mut buffer, MsgFlags::empty()).ok().filter(|count| *count > 0)?;
        for (kind, message) in messages(&buffer[..count]) {
            match kind {
                DONE | FAILED => return None,
                _ if attribute(message, NAME).and_then(|named| named.strip_prefix(b"\0")) == Some(name) => {
                    return attribute(message, USER).and_then(|uid| Some(u32::from_ne_bytes(uid.try_into().ok()?)));
                }
                _ => {}
            }
        }
    }
}

/// `NLMSG_ERROR` and `NLMSG_DONE` (netlink(7)).
const FAILED: u16 = 2;
const DONE: u16 = 3;
/// `UNIX_DIAG_NAME` and `UNIX_DIAG_UID` (linux/unix_diag.h).
const NAME: u16 = 0;
const USER: u16 = 7;

/// Requests all Unix sockets, with their names and users.
fn ask_for_all() -> nix::Result<OwnedFd> {
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    /// `NLM_F_REQUEST` and `NLM_F_DUMP`.
    const DUMP: u16 = 0x301;
    /// `UDIAG_SHOW_NAME` and `UDIAG_SHOW_UID`.
    const SHOW: u32 = 0x41;
    let kernel = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)?;
    // struct nlmsghdr: length, type, flags, sequence number, sender.
    let mut request = 40_u32.to_ne_bytes().to_vec();
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(DUMP.to_ne_bytes());
    request.extend([0; 8]);
    // struct unix_diag_req: family, protocol, states, inode, what to show, cookie.
    request.extend([1, 0, 0, 0]);
    for field in [u32::MAX, 0, SHOW, 0, 0] {
        request.extend(field.to_ne_bytes());
    }
    send(kernel.as_raw_fd(), &request, MsgFlags::empty())?;
    Ok(kernel)
}

/// The messages of one answer: the type, and what follows the header.
fn messages(mut answer: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(answer.get(..4)?.try_into().ok()?) as usize;
        let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
        let message = answer.get(16..length)?;
        answer = answer.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, message))
    })
}

/// An attribute in a message about a socket (struct unix_diag_msg, then attributes, each with its length and type).
fn attribute(message: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut rest = message.get(16..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
        let value = rest.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::{Socket, attribute, messages, named, owner_of_name};

    #[test]
    fn the_owner_of_a_name() {
        let name = format!("startxd-test-{}", std::process::id());
        let address =
            <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&name).unwrap();
        let _socket = std::os::unix::net::UnixDatagram::bind_addr(&address).unwrap();
        assert_eq!(owner_of_name(name.as_bytes()), Some(nix::unistd::geteuid().as_raw()));
        assert_eq!(owner_of_name(format!("{name}-").as_bytes()), None);
        for answer in [&[][..], &[1], &[0; 20], &[255; 40], &[16, 0, 0, 0, 3, 0]] {
            assert!(messages(answer).take(9).all(|(_, message)| attribute(message, 0).is_none()), "{answer:?}");
        }
    }

    #[test]
    fn rows_of_the_kernel() {
        let list = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
                     0000000000000000: 00000002 00000000 00010000 0001 01 14826 /tmp/a  b\n\
                     0000000000000000: 00000003 00000000 00000000 0001 03    15 @\xff\n\
                     0000000000000000: 00000003 00000000 00010000 0001 01 14828\n\
                     short row\n";
        let sockets: Vec<Socket<'_>> = named(list).collect();
        let expected = [(true, &b"/tmp/a  b"[..]), (false, b"@\xff")].map(|(listens, name)| Socket { listens, name });
        assert_eq!(sockets, expected);
    }
}
