//! What can go wrong with a display, each in a sentence.

use std::io;
use std::time::Duration;

use thiserror::Error;

use super::server::NoProgram;
use crate::dbus::CallError;
use crate::files::NotWritten;
use crate::manager::NoManager;
use crate::runtime_dir::NoRuntimeDir;
use crate::session::NoSession;
use crate::x11::display::Display;
use crate::x11::occupied::{NotProvided, SocketDirProblem, Taken};

/// Why there is no display, or nothing runs on it. Nothing is left behind in either case.
#[derive(Debug, Error)]
#[allow(clippy::missing_docs_in_private_items, reason = "each variant's sentence is its documentation")]
pub enum Failure {
    #[error("{0}")]
    NoRuntimeDir(#[from] NoRuntimeDir),
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    SocketDir(#[from] SocketDirProblem),
    #[error("{0}")]
    NoSocketDir(#[from] NotProvided),
    #[error("{0}")]
    NoProgram(#[from] NoProgram),
    #[error("{0}")]
    NoSession(#[from] NoSession),
    #[error(
        "{0} is a unit of the user manager, and all of these share one DISPLAY; give --session a command or the name of \
         a session entry"
    )]
    SessionUnit(String),
    #[error("Xephyr is a window on another display, but DISPLAY is not set; run it on a display, or use xvfb")]
    NoHostDisplay,
    #[error("display {display} is taken: {taken}; omit the number to get a free one")]
    Taken { display: Display, taken: Taken },
    #[error("you already have display {0}; see: startxd display list; to end it: startxd display stop {0}")]
    Yours(Display),
    #[error("no display number is free: {0}")]
    NoNumber(io::Error),
    #[error("startxd has not started display {0}; see: startxd display list")]
    Unknown(Display),
    #[error("display {0} is not ready; see: startxd display list")]
    NotReady(Display),
    #[error("no graphical session is up; start one with startxd start, or see: startxd status")]
    NoSessionUp,
    #[error("{0}")]
    Write(#[from] NotWritten),
    #[error("{0}")]
    NoManager(#[from] NoManager),
    #[error("the user manager refused the job: {0}")]
    Call(#[from] CallError),
    #[error("{0}")]
    ServerFailed(String),
    #[error("the unit {unit} did not start ({result}); see: systemctl --user status {unit}")]
    NotStarted { unit: String, result: String },
    #[error(
        "no window manager manages display {0} after {secs} s; see its output: journalctl --user -b -u {2}; or do not \
         wait for one: --ready started", secs = .1.as_secs_f32()
    )]
    NotManaged(Display, Duration, String),
    #[error("{0}")]
    SessionFailed(String),
    #[error("there is no command {0} in $PATH; check the spelling, or give its full path")]
    NoCommand(String),
    #[error("{0} cannot be executed: {1}; check the path and the mode: ls -l {0}")]
    NotExecutable(String, io::Error),
    #[error("display {0} has not ended within {secs} s; see: systemctl --user list-jobs", secs = .1.as_secs_f32())]
    NotGone(Display, Duration),
    #[error("the sockets of display {0} cannot be created: {1}")]
    NoSockets(Display, io::Error),
    #[error(
        "systemd does not run here, and displays that stay need its user manager; for one command: \
         startxd display run -- COMMAND"
    )]
    NoSystemd,
    #[error(
        "systemd does not run here, and --session needs its user manager; start the window manager in the command: \
         startxd display run -- sh -c 'openbox & exec COMMAND'"
    )]
    SessionWithoutSystemd,
    #[error("the process that watches over the command was killed, so the command was ended; run it again")]
    Unwatched,
    #[error("interrupted")]
    Interrupted(i32),
    #[error("{0}")]
    System(#[from] io::Error),
}
