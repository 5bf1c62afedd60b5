//! Servers without a host and a supervisor.
//!
//! Between its fork and its adoption a server is in the login session's scope: only its host knows it, and its
//! supervisor is just being told. If both are killed at that moment, a server is left that holds the VT, and no unit
//! can stop it.

use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

use crate::os::{self, Pid};

/// Ends every server of ours that was started with this Xauthority file: SIGTERM, and SIGKILL after `deadline`.
///
/// The file is in a directory that only this user can enter, and each display of ours has its own: a process with this
/// argument is a server of that display.
pub async fn end(authority: &Path, deadline: Duration) {
    for (pid, pidfd) in find(authority) {
        tracing::warn!("an X server is left behind (pid {pid}); ending it");
        for (signal, patience) in [(Signal::SIGTERM, deadline), (Signal::SIGKILL, deadline)] {
            if os::pidfd_signal(pidfd.get_ref(), signal).is_err() || timeout(patience, pidfd.readable()).await.is_ok() {
                break;
            }
        }
    }
}

/// The processes of this user that were started with `-auth AUTHORITY`.
fn find(authority: &Path) -> Vec<(Pid, AsyncFd<OwnedFd>)> {
    let server = |pid: Pid| {
        if !is_server(pid, authority) {
            return None;
        }
        let pidfd = os::pidfd_open(pid).and_then(os::watch).ok()?;
        // Checked again: the pid may have been reused before the pidfd was opened.
        is_server(pid, authority).then_some((pid, pidfd))
    };
    os::processes().filter_map(server).collect()
}

fn is_server(pid: Pid, authority: &Path) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    let ours = process.metadata().is_ok_and(|metadata| metadata.uid() == nix::unistd::geteuid().as_raw());
    ours && std::fs::read(process.join("cmdline")).is_ok_and(|line| has_authority(&line, authority))
}

/// Whether a command line as in `/proc/PID/cmdline` is a server's, with a display first and `-auth` with this path
/// after it.
///
/// Clients also accept `-auth` (x11vnc(1)), but not a display without an option.
#[must_use]
pub fn has_authority(line: &[u8], authority: &Path) -> bool {
    let words: Vec<&[u8]> = line.split(|&byte| byte == 0).collect();
    words.get(1).is_some_and(|display| display.starts_with(b":"))
        && words.windows(2).any(|pair| pair[0] == b"-auth" && pair[1] == authority.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::has_authority;

    #[test]
    fn a_server_is_known_by_its_authority() {
        let authority = Path::new("/run/user/1000/xauth_startxd_0");
        let cases: [(&[u8], bool); 6] = [
            (b"Xorg\0:0\0vt1\0-auth\0/run/user/1000/xauth_startxd_0\0", true),
            (b"Xorg\0:1\0-auth\0/run/user/1000/xauth_startxd_1\0", false),
            (b"x11vnc\0-display\0:0\0-auth\0/run/user/1000/xauth_startxd_0\0", false),
            (b"cat\0/run/user/1000/xauth_startxd_0\0", false),
            (b"sh\0-c\0Xorg -auth /run/user/1000/xauth_startxd_0\0", false),
            (b"", false),
        ];
        for (line, expected) in cases {
            assert_eq!(has_authority(line, authority), expected, "{}", String::from_utf8_lossy(line));
        }
    }
}
