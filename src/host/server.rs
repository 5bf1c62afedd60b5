//! The server of a session: what it is started with, and what is checked before.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::sys::socket::{UnixAddr, getsockname, getsockopt, sockopt::AcceptConn};

use crate::os::Image;
use crate::seat::Seat;
use crate::server::{Server, environment};
use crate::x11::display::Display;
use crate::x11::number::open_to_others;
use crate::x11::server;

/// What is the same for every server of a session.
pub struct Plan {
    /// The real, unprivileged server.
    pub program: PathBuf,
    /// The display.
    pub display: Display,
    /// Where its screen is.
    pub seat: Seat,
    /// The cookie's file.
    pub authority: PathBuf,
    /// Configured arguments.
    pub extra: Vec<String>,
    /// Whether other users who have the cookie are let in.
    pub others: bool,
}

impl Plan {
    /// Why the passed descriptors cannot be the listening sockets of the display; `None` if they are.
    ///
    /// What another process hands us is checked before a server is let loose on it.
    #[must_use]
    pub fn problem_with(&self, listeners: &[OwnedFd]) -> Option<&'static str> {
        for listener in listeners {
            let Ok(address) = getsockname::<UnixAddr>(std::os::fd::AsRawFd::as_raw_fd(listener)) else {
                return Some("a descriptor is not a Unix socket");
            };
            if address.path() != Some(self.display.socket_path().as_path()) {
                return Some("a socket has another display's address");
            }
            if getsockopt(listener, AcceptConn) != Ok(true) {
                return Some("a socket does not listen");
            }
        }
        None
    }

    /// Forks the server with these sockets and this end of a pipe for its output.
    ///
    /// # Errors
    /// The program could not be executed.
    pub fn launch(&self, listeners: &[OwnedFd], output: &OwnedFd) -> io::Result<Server> {
        if self.others {
            // Each time: the manager may have bound the path again.
            open_to_others(self.display)?;
        }
        let arguments = server::arguments(&self.program, self.display, &self.seat, &self.authority, &self.extra)?;
        let environment = environment()?;
        let program = CString::new(self.program.as_os_str().as_bytes())?;
        let listeners: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
        Server::start(&Image {
            program: &program,
            arguments: &arguments,
            environment: &environment,
            output: output.as_fd(),
            listeners: &listeners,
            ends_with_us: false,
        })
    }
}
