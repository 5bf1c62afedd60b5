//! A display for one command where systemd does not run: a container of a CI, most of all.
//!
//! The server is the same, and so are its number, its cookie and its end. In place of scopes there is a
//! [reaper](os::reaper): it ends what the command leaves, and cleans up if this process is killed. The files are in a
//! new directory below /tmp, since nobody has made a runtime directory. What runs have left that were killed together with
//! their reapers is removed by the next run ([`left`]).

mod left;

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::sys::wait::{WaitStatus, waitpid};
use tokio::net::UnixStream;

use super::{Holding, PrivateDisplay, by};
use crate::config::Config;
use crate::displays::request::DisplayRequest;
use crate::displays::run::{Command, has_reached};
use crate::displays::{Failure, claim};
use crate::environment::of_display;
use crate::os::{self, Reaper, TakenSignals};
use crate::runtime_dir::RuntimeDir;
use crate::server::NotReady;
use crate::x11::display::SOCKET_DIR;
use crate::x11::occupied;

/// As [`run`](super::run), without a user manager.
///
/// # Errors
/// [`Failure`]: the command did not run, and nothing is left behind.
pub async fn run(
    request: &DisplayRequest,
    command: &Command,
    taken: &TakenSignals,
    config: &Config,
) -> Result<u8, Failure> {
    occupied::provide_socket_dir(Path::new(SOCKET_DIR))?;
    left::sweep(&std::env::temp_dir(), config.deadlines.applications).await;
    let runtime = RuntimeDir::temporary()?;
    let status = by(Holding::Processes, &runtime, request, command, taken, config).await;
    runtime.remove_temporary();
    status
}

impl PrivateDisplay<'_> {
    /// Everything between the server's start and its end. Returns the command's exit status.
    pub(super) async fn serve_without_manager(
        &mut self,
        command: &Command,
        taken: &TakenSignals,
    ) -> Result<u8, Failure> {
        let display = self.settings.display;
        let variables = of_display(display, &self.runtime.authority(display));
        let work = || {
            self.clean_up();
            self.runtime.remove_temporary();
        };
        let patience = self.config.deadlines.applications;
        let mut reaper = command.hold_without_manager(&variables, taken, patience, work)?;
        let pidfd = os::pidfd_open(reaper.command);
        let released = async {
            self.answers(taken).await?;
            tracing::debug!("the command may run now");
            reaper.release().map_err(|error| command.not_executable(error))
        };
        let released = released.await;
        let socket = stream(&reaper);
        let others = [Some(self.server.pid()), taken.witness()].into_iter().flatten().collect();
        self.reaper = Some((reaper, others));
        released?;
        self.watch(socket?, &pidfd?, taken).await
    }

    /// Returns when the server answers.
    async fn answers(&mut self, taken: &TakenSignals) -> Result<(), Failure> {
        let deadline = claim::seconds(self.settings.server_ready);
        let ready: Result<(), NotReady> = tokio::select! {
            biased;
            ready = self.server.ready(self.settings.display, &self.cookie, deadline) => ready,
            came = taken.next() => return Err(Failure::Interrupted(came?.signal as i32)),
        };
        match ready {
            Ok(()) => Ok(()),
            Err(why) => Err(self.server_failed(&why).await),
        }
    }

    /// Waits for the command's end, and passes on the signals that we get in the meantime.
    async fn watch(&mut self, socket: UnixStream, pidfd: &OwnedFd, taken: &TakenSignals) -> Result<u8, Failure> {
        let mut gone = false;
        loop {
            tokio::select! {
                biased;
                // Without a number, nothing watches over the command now. What is left of it ends with the display.
                told = number(&socket) => return told?.and_then(|it| u8::try_from(it).ok()).ok_or(Failure::Unwatched),
                came = taken.next() => {
                    let came = came?;
                    let reached = self.reaper.as_ref().is_some_and(|(reaper, _)| has_reached(reaper.command, came));
                    if !reached {
                        // A command that has ended is not an error.
                        let _ = os::pidfd_signal(pidfd, came.signal);
                    }
                }
                ending = self.server.ended(), if !gone => {
                    gone = true;
                    self.report_end(ending).await;
                    if let Some((reaper, _)) = &mut self.reaper {
                        reaper.end();
                    }
                }
            }
        }
    }

    /// Ends the command, if it runs, and everything that it has left.
    pub(super) async fn end_processes(&mut self) {
        let Some((mut reaper, others)) = self.reaper.take() else { return };
        reaper.end();
        if let Ok(socket) = stream(&reaper) {
            // It ends by itself, within its own deadlines, or was killed. A command that was ended has a status, too.
            while let Ok(Some(_)) = number(&socket).await {}
        }
        if !matches!(waitpid(reaper.pid, None), Ok(WaitStatus::Exited(..))) {
            // Its children are ours now.
            os::end_descendants(&others, self.config.deadlines.applications, |_, _| ());
        }
    }
}

/// The next number that the reaper tells; `None` if it has ended. May be dropped while it waits.
async fn number(socket: &UnixStream) -> io::Result<Option<i32>> {
    loop {
        socket.readable().await?;
        let mut bytes = [0; size_of::<i32>()];
        match socket.try_read(&mut bytes) {
            // It writes each at once.
            Ok(read) => return Ok((read == bytes.len()).then(|| i32::from_ne_bytes(bytes))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // It was killed with orders that it had not read.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// A copy of the socket of the reaper.
fn stream(reaper: &Reaper) -> io::Result<UnixStream> {
    let socket = reaper.socket()?;
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}
