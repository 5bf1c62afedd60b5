//! startx, done by systemd.
//!
//! The folders follow the parts of a session:
//!
//! | folder | part |
//! |---|---|
//! | [`cli`] | the command line, its messages and exit statuses |
//! | [`host`] | the session side: the one process that stays in the login session's scope |
//! | [`supervisor`] | the unit side: the main process of `xorg@N.service` |
//! | [`server`] | one X server's process and output, for the host and both kinds of supervisors |
//! | [`displays`] | displays without a screen: servers, commands and window managers on them |
//! | [`launch`] | what those two say to each other |
//! | [`session`] | what to run: a command, a unit, `wm.target`, `~/.xinitrc` |
//! | [`select`] | the menu that asks which session |
//! | [`desktop_entry`] | the entries of xsessions directories, as the specification has them |
//! | [`x11`] | display names, cookies, the handshake, and who manages the display |
//! | [`manager`] | the user's service manager, its units and its environment |
//! | [`multiplexer`] | tmux, screen and zellij as units, and what they learn of a display |
//! | [`logind`], [`seat`] | seat, session and VT |
//! | [`environment`] | which variables travel, and how they are put back |
//! | [`attach`] | a display that something else has started |
//! | [`autologin`] | a getty that logs a user in: the one thing done as root |
//! | [`doctor`] | what is wrong with a machine or a login, and what mends it |
//! | [`log`] | where messages go, and that nothing waits for it |
//! | [`config`] | the configuration file, and [`deadline`]: every deadline |
//! | [`os`] | the only unsafe code, and thin wrappers of system calls |

pub mod attach;
pub mod attributes;
pub mod autologin;
pub mod cli;
pub mod config;
pub mod dbus;
pub mod deadline;
pub mod desktop_entry;
pub mod displays;
pub mod doctor;
pub mod environment;
pub mod files;
pub mod host;
pub mod json;
pub mod launch;
pub mod log;
pub mod logind;
pub mod manager;
pub mod multiplexer;
pub mod os;
pub mod presence;
pub mod program;
pub mod records;
pub mod runtime_dir;
pub mod seat;
pub mod select;
pub mod server;
pub mod session;
pub mod session_bus;
pub mod small_file;
mod subprocess;
pub mod suggest;
pub mod supervisor;
#[cfg(test)]
mod test_dir;
#[cfg(test)]
mod testing;
pub mod text;
pub mod unit_file;
pub mod unix_socket;
pub mod x11;
mod xdg;
