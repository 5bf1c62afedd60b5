//! A window manager's report that it is ready: READY=1 on a notification socket (sd_notify(3)), or `startxd ready`.
//!
//! A managed display is not enough: i3 manages it before its IPC socket exists, and a program that starts with the
//! graphical session and calls i3-msg(1) at once gets no answer. i3 says READY=1 just before its main loop (i3,
//! main.c). So a program that is known to say READY=1 gets a socket for it, and is waited for. Others get none, because
//! their children would inherit it. A unit that the user has written, with `Type=notify`, has one from systemd.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net;
use std::path::{Path, PathBuf};

use nix::sys::socket::{SockType, UnixAddr};
use tokio::net::UnixDatagram;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::Ready;
use crate::session::Choice;
use crate::session::known::known;
use crate::{files, unix_socket};

/// How much of a datagram is read; a longer one is cut.
const DATAGRAM: usize = 4096;

/// Whether the report is waited for, in addition to a managed display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// No.
    Unneeded,
    /// Yes, at most until the window manager's deadline: the program is known to report it.
    Usual,
    /// Yes, without a limit: the person requires it (`session.ready = "notified"`).
    Needed,
}

impl Word {
    /// Whether the session's report is waited for.
    #[must_use]
    pub fn of(ready: Ready, choice: &Choice) -> Self {
        let program = choice.service().and_then(|service| service.program.file_name()?.to_str());
        match ready {
            Ready::Notified => Self::Needed,
            Ready::Managed if program.and_then(known).is_some_and(|known| known.says_ready) => Self::Usual,
            Ready::Managed | Ready::Started => Self::Unneeded,
        }
    }
}

/// Where the report arrives.
#[derive(Debug)]
pub struct Readiness {
    /// Whether it is waited for.
    pub word: Word,
    said: watch::Sender<()>,
    reader: Option<JoinHandle<()>>,
}

impl Readiness {
    /// No report yet. If it is waited for, this listens at `path` from now on.
    ///
    /// # Errors
    /// The socket cannot be created.
    pub fn listen(word: Word, path: &Path) -> io::Result<Self> {
        let (said, _) = watch::channel(());
        let reader = match word {
            Word::Unneeded => None,
            Word::Usual | Word::Needed => Some(tokio::spawn(read(bind(path)?, said.clone()))),
        };
        Ok(Self { word, said, reader })
    }

    /// The sender for reports that arrive in another way.
    #[must_use]
    pub fn voice(&self) -> watch::Sender<()> {
        self.said.clone()
    }

    /// The reports from now on.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.said.subscribe()
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        if let Some(reader) = &self.reader {
            reader.abort();
        }
    }
}

/// The variable that tells a program the socket, if it should report.
#[must_use]
pub fn variable(word: Word, path: PathBuf) -> Option<(String, String)> {
    let path = path.into_os_string().into_string().ok().filter(|_| word != Word::Unneeded)?;
    Some(("NOTIFY_SOCKET".to_owned(), path))
}

/// A socket with mode 0600 at `path`, which replaces one that an earlier host has left.
fn bind(path: &Path) -> io::Result<UnixDatagram> {
    files::remove_if_there(path)?;
    let socket: OwnedFd = unix_socket::held(SockType::Datagram, &UnixAddr::new(path)?)?;
    let socket = net::UnixDatagram::from(socket);
    socket.set_nonblocking(true)?;
    UnixDatagram::from_std(socket)
}

/// The kernel closes descriptors that come with a message (`FDSTORE=1`, `BARRIER=1`), because we do not receive them.
async fn read(socket: UnixDatagram, said: watch::Sender<()>) {
    let mut datagram = vec![0; DATAGRAM];
    loop {
        match socket.recv(&mut datagram).await {
            Ok(length) if is_ready(&datagram[..length]) => said.send_replace(()),
            Ok(_) => {}
            Err(error) => return tracing::debug!("nothing more is heard on the notification socket: {error}"),
        }
    }
}

/// Whether a message has the line `READY=1`.
fn is_ready(message: &[u8]) -> bool {
    message.split(|&byte| byte == b'\n').any(|line| line == b"READY=1")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixDatagram;

    use super::{Readiness, Word, is_ready, variable};
    use crate::config::Ready;
    use crate::session::Choice;
    use crate::test_dir::TestDir;

    #[test]
    fn the_line_is_looked_for() {
        for (message, expected) in [
            (&b"READY=1"[..], true),
            (b"READY=1\n", true),
            (b"STATUS=up\nREADY=1\nMAINPID=7", true),
            (b"READY=0", false),
            (b"READY=10", false),
            (b"NOT_READY=1", false),
            (b"STATUS=READY=1", false),
            (b"ready=1", false),
            (b"", false),
            (b"\0\xff\n\n", false),
        ] {
            assert_eq!(is_ready(message), expected, "{message:?}");
        }
    }

    #[test]
    fn only_who_waits_gives_a_socket() {
        let unit = Choice::Unit("i3.service".into());
        assert_eq!(Word::of(Ready::Managed, &unit), Word::Unneeded);
        assert_eq!(Word::of(Ready::Notified, &unit), Word::Needed);
        assert_eq!(variable(Word::Unneeded, "/x".into()), None);
        assert_eq!(variable(Word::Usual, "/x".into()), Some(("NOTIFY_SOCKET".into(), "/x".into())));
    }

    #[tokio::test]
    async fn what_is_said_is_heard_once_and_only_after_it_was_asked_for() {
        let directory = TestDir::new();
        let path = directory.path("notify");
        std::fs::write(&path, "left by another host").unwrap();
        let readiness = Readiness::listen(Word::Usual, &path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        readiness.voice().send_replace(());
        let mut said = readiness.subscribe();
        assert!(!said.has_changed().unwrap(), "what was said before is of an earlier server");
        let program = UnixDatagram::unbound().unwrap();
        program.send_to(b"STATUS=loading", &path).unwrap();
        program.send_to(&[b'x'; 9000], &path).unwrap();
        program.send_to(b"READY=1", &path).unwrap();
        said.changed().await.unwrap();
        assert!(!said.has_changed().unwrap());
    }
}
