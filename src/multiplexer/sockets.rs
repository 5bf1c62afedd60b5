//! The sockets by which multiplexers are found, in directories where other users can create files.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::os::unix_sockets;
use crate::unix_socket;

/// The sockets and FIFOs of user `uid` in a directory that belongs to the same user and that nobody else can write to,
/// sorted. Nothing for a directory of another user.
#[must_use]
pub fn in_directory(directory: &Path, uid: u32) -> Vec<PathBuf> {
    /// Writable by group or others.
    const WRITABLE: u32 = 0o022;
    // Links are not followed: everybody can write to /tmp.
    let ours = std::fs::symlink_metadata(directory)
        .is_ok_and(|it| it.is_dir() && it.uid() == uid && it.mode() & WRITABLE == 0);
    let Some(entries) = ours.then(|| std::fs::read_dir(directory).ok()).flatten() else { return Vec::new() };
    let is_socket = |path: &PathBuf| {
        std::fs::symlink_metadata(path)
            .is_ok_and(|it| it.uid() == uid && (it.file_type().is_socket() || it.file_type().is_fifo()))
    };
    let mut sockets: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_socket).collect();
    sockets.sort();
    sockets
}

/// Whether a process listens on a socket of ours, by the kernel's list: for some of them, a connection would be a
/// message. A FIFO counts as listened on.
#[must_use]
pub fn is_listening(path: &Path) -> bool {
    let uid = nix::unistd::geteuid().as_raw();
    match std::fs::symlink_metadata(path) {
        // For sockets that are not ours, other users control what the list says.
        Ok(it) if it.uid() != uid => false,
        Ok(it) if it.file_type().is_fifo() => true,
        Ok(it) if it.file_type().is_socket() => {
            std::fs::read(unix_sockets::LIST).is_ok_and(|list| listens(&list, path))
        }
        _ => false,
    }
}

/// Whether a process listens on this path, according to the kernel's list.
#[must_use]
pub fn listens(list: &[u8], path: &Path) -> bool {
    let name = path.as_os_str().as_bytes();
    unix_sockets::named(list).any(|socket| socket.listens && socket.name == name)
}

/// The process that listens on a socket, according to the kernel. If the process does not accept and its queue is full,
/// this waits; the caller sets the deadline.
///
/// # Errors
/// Nobody listens.
pub async fn listener(path: &Path) -> io::Result<crate::os::Pid> {
    let stream = unix_socket::connect(path).await?;
    let peer = nix::sys::socket::getsockopt(&stream, nix::sys::socket::sockopt::PeerCredentials)?;
    Ok(crate::os::Pid::from_raw(peer.pid()))
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::{UnixDatagram, UnixListener};

    use super::{in_directory, is_listening, listener, listens};
    use crate::test_dir::TestDir;

    #[tokio::test(flavor = "current_thread")]
    async fn only_sockets_of_ours_are_found() {
        let directory = TestDir::new();
        let ours = directory.path("ours");
        std::fs::create_dir(&ours).unwrap();
        let uid = nix::unistd::geteuid().as_raw();
        let _socket = UnixListener::bind(ours.join("b c")).unwrap();
        std::fs::write(ours.join("file"), "").unwrap();
        symlink(ours.join("b c"), ours.join("link")).unwrap();
        nix::unistd::mkfifo(&ours.join("a"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mode = |mode| std::fs::set_permissions(&ours, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o755);
        assert_eq!(in_directory(&ours, uid), [ours.join("a"), ours.join("b c")]);
        assert_eq!(in_directory(&ours, uid + 1), [""; 0].map(std::path::PathBuf::from));
        mode(0o777);
        assert!(in_directory(&ours, uid).is_empty());
        mode(0o700);
        symlink(&ours, directory.path("link")).unwrap();
        assert!(in_directory(&directory.path("link"), uid).is_empty());
        assert!(in_directory(&directory.path("none"), uid).is_empty());

        assert!(is_listening(&ours.join("b c")) && is_listening(&ours.join("a")) && !is_listening(&ours.join("file")));
        assert_eq!(listener(&ours.join("b c")).await.unwrap(), nix::unistd::getpid());
        // Bound, without a listener. Not one that was closed: a program that another test is about to execute has
        // it, too, between its fork and its exec.
        let _bound = UnixDatagram::bind(ours.join("d")).unwrap();
        assert!(!is_listening(&ours.join("d")) && listener(&ours.join("d")).await.is_err());
        // Anybody can create a name in the list that is not text.
        let odd = std::os::unix::net::SocketAddr::from_abstract_name(b"startxd-\xff").unwrap();
        let _odd = UnixListener::bind_addr(&odd);
        assert!(is_listening(&ours.join("b c")));
    }

    #[test]
    fn the_kernels_list() {
        let list = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
                    0000000000000000: 00000002 00000000 00010000 0001 01 14826 /tmp/a b\n\
                    0000000000000000: 00000003 00000000 00000000 0001 03 14827 /tmp/c\n\
                    0000000000000000: 00000003 00000000 00010000 0001 01 14828\n";
        assert!(listens(list, "/tmp/a b".as_ref()));
        for path in ["/tmp/c", "/tmp/a", "", "b"] {
            assert!(!listens(list, path.as_ref()), "{path}");
        }
    }
}
