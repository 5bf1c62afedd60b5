//! The kernel's list of Unix sockets in this network namespace (proc_net_unix(5)).
//!
//! A name is what its owner made of it: any bytes, also such as look like another row, or like a path of somebody else's,
//! which it can even be in a mount namespace of his own. So a row alone proves nothing of a path: the socket there must be
//! ours, too.

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

/// Num RefCount Protocol Flags Type St Inode Path: the path is everything behind one space, and may hold spaces itself.
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

#[cfg(test)]
mod tests {
    use super::{Socket, named};

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
