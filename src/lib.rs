//! startx, done by systemd.
//!
//! The parts of the program. `ARCHITECTURE.md` says which of them uses which:
//!
//! | part | what it is for |
//! |---|---|
//! | [`cli`] | the command line, its messages and exit statuses |
//! | [`host`] | the session side: the one process that stays in the login session's scope |
//! | [`supervisor`] | the unit side: the main process of `xorg@N.service` |
//! | [`server`] | one X server's process and output, for the host and both kinds of supervisors |
//! | [`displays`] | displays without a screen: servers, commands and window managers on them |
//! | [`launch`] | what host and supervisor say to each other |
//! | [`session`] | what to run: a command, a unit, `wm.target`, `~/.xinitrc` |
//! | [`select`] | the menu that asks which session |
//! | [`window_manager`] | the unit of a window manager, written for a person |
//! | [`desktop_entry`] | the entries of xsessions directories, as the specification has them |
//! | [`x11`] | display names, cookies, the handshake, and who manages the display |
//! | [`manager`] | the user's service manager, its units and its environment |
//! | [`session_bus`] | the activation environment of the user's message bus |
//! | [`dbus`] | what all calls over D-Bus have in common |
//! | [`multiplexer`] | tmux, screen and zellij as units, and what they learn of a display |
//! | [`logind`], [`seat`] | seat, session and VT |
//! | [`environment`] | which variables travel, and how they are put back |
//! | [`attributes`] | umask, limits and niceness of the login shell, as properties of units |
//! | [`attach`] | a display that another program has started |
//! | [`presence`] | whether the user has a graphical session already |
//! | [`records`], [`runtime_dir`] | what one process writes down for a later one, and where |
//! | [`autologin`] | a getty that logs a user in: the one thing done as root |
//! | [`doctor`] | what is wrong with a machine or a login, and what mends it |
//! | [`log`] | where messages go, and that nothing waits for it |
//! | [`config`], [`deadline`] | the configuration file; every deadline |
//! | [`files`], [`small_file`], [`xdg`] | replacing a file, reading one that may be anything, where files are |
//! | [`unit_file`] | assignments of systemd's unit files |
//! | [`unix_socket`] | sockets that are private from birth, and connecting without waiting |
//! | [`program`], [`subprocess`] | finding a program in `$PATH`, and running one under a deadline |
//! | [`journal`] | what a unit's program has said |
//! | [`text`], [`json`], [`suggest`] | text in one line or as a shell's word, JSON, the word that may have been meant |
//! | [`os`] | the only unsafe code, and thin wrappers of system calls |
//!
//! From outside there is [`run`], and [`for_tests`] for tests. Everything else is private, so that the compiler finds
//! what nobody uses.

mod attach;
mod attributes;
mod autologin;
mod cli;
mod config;
mod dbus;
mod deadline;
mod desktop_entry;
mod displays;
mod doctor;
mod environment;
mod files;
#[doc(hidden)]
pub mod for_tests;
mod host;
mod journal;
mod json;
mod launch;
mod log;
mod logind;
mod manager;
mod multiplexer;
mod os;
mod presence;
mod program;
mod records;
mod runtime_dir;
mod seat;
mod select;
mod server;
mod session;
mod session_bus;
mod small_file;
mod subprocess;
mod suggest;
mod supervisor;
#[cfg(test)]
mod test_dir;
#[cfg(test)]
mod testing;
mod text;
mod unit_file;
mod unix_socket;
mod window_manager;
mod x11;
mod xdg;

pub use cli::run;
