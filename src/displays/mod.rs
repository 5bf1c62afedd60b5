//! Displays without a screen: Xvfb, Xephyr, Xvnc, and the commands and window managers on them.
//!
//! No login session, no virtual terminal and no host are needed: the server is a child of its supervisor, in the unit.
//!
//! ```text
//! startxd display start            claims the number, writes the cookie, starts the unit, waits until it is ready
//!   startxd-display@N.socket       the socket of display :N, its path
//!   startxd-display@N.service      startxd serve-display N, the supervisor, and its child, the server
//!   startxd-display-session@N.service   a window manager or the like, if one was asked for
//!   startxd-display-run-N-PID.scope     startxd display run :N -- COMMAND
//! ```
//!
//! - Settings are in the claim ([`claim`]), a file under `$XDG_RUNTIME_DIR/startxd`. Transient units would have worked as
//!   well, but templates can be read before they run, and systemctl(1) still knows them after a reload.
//! - `DISPLAY` and `XAUTHORITY` are each unit's own. The user manager's environment is the main session's, and is
//!   neither read nor changed here.
//! - Session and commands are bound to the server's unit and ordered after it. Whatever ends it, they end first, in
//!   the order commands, session, server. Its sockets are part of it and are removed last.
//! - The supervisor ends the display by asking the manager to stop the unit, so that the order holds, when the server has
//!   crashed, when the session is over, and when the process is gone that the display was made for (`display run`).
//! - When the supervisor is killed, the manager ends the rest, and starts `startxd-display-repair@N.service` for the files.

mod child;
pub mod claim;
pub mod copy;
pub mod end;
mod failure;
mod handover;
pub mod in_session;
pub mod list;
pub mod private_display;
pub mod request;
pub mod run;
pub mod server;
pub mod start;
pub mod supervisor;

pub use failure::Failure;

use crate::x11::display::Display;

/// The lowest number of such displays: lower ones are for people's sessions, and for xvfb-run(1)'s :99.
pub const FIRST: Display = Display::new(100).unwrap();
