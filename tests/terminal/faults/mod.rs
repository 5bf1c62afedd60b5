//! The fault matrix: what happens to a session, and what must hold then. There is a module for each row.
//!
//! | what happens | what must hold | module |
//! |---|---|---|
//! | the window manager crashes (SIGSEGV, SIGKILL) | it is started again; X, the applications and their windows are alive; after a few crashes in a minute the session ends with a message, or falls back to a configured rescue command; one that exits with an error before it managed the display is not started again, and its output is shown | [`window_manager_crashes`] |
//! | the window manager never manages the display | a deadline, a message that names the window manager; the session is not torn down for a manager without EWMH (`WM_S0` or a configured `ready = "started"` count) | [`window_manager_never_manages`] |
//! | the window manager exits 0, or is told to | logout, ordered | [`window_manager_leaves`] |
//! | Xorg crashes or is killed | VT in text mode; server and window manager come back a limited number of times, with growing pauses; `multiplexer.target` and everything not bound to the display is untouched; beyond the limit the session ends, with the server's last lines on the VT | [`server_crashes`] |
//! | the server is replaced, whatever ended it | services, settings and autostart programs of the graphical session come back; a window manager that does not notice (i3) is ended and started again; `restart xorg` is over when the display is managed | [`server_takes_along`] |
//! | the host is killed (9), hung up, terminated, `loginctl terminate-session`, terminal closed | everything of the session goes down in order, nothing is left, environment restored; the next autologin has a session again at once | [`host_dies`] |
//! | the supervisor is killed (9) | the server goes with it; then as a crash of the server | [`supervisor_is_killed`] |
//! | `systemctl --user exit`, the user manager killed | the host ends, says why; the next start works | [`manager_ends`] |
//! | the user manager hangs (SIGSTOP); a session that does not go away is waited for | signals, `startxd stop` and the server's end are still handled within the named deadlines; Ctrl+C ends the wait and leaves nothing | [`nobody_answers`] |
//! | somebody types while no server holds the terminal: a line, a password, Ctrl+C | nothing of it is shown, executed by the shell or taken for a signal | [`keys`] |
//! | the screen is locked, and the server, the host or both crash or are killed; `startxd restart xorg`, logind restarted | a crash never unlocks: no other server comes, the login session ends, no shell is left | [`locked`] |
//! | `daemon-reload`, `daemon-reexec` (user and system), logind restarted, the user's or the system's D-Bus restarted | the session goes on; what cannot continue is noticed and reported | [`reloads`] |
//! | everything killed (9) at once, at each stage of a start and of a stop | the next start finds the remains, reports them, repairs them (environment, cookie, sockets, locks, failed units) and works | [`everything_killed`] |
//! | stop while starting; start while stopping; two starts at once; start when one is up | one session, no deadlock, a clear message for the start that loses | [`at_once`] |
//! | `/tmp/.X11-unix` missing, not root's, not sticky; stale `/tmp/.X0-lock` and socket; display 0 held by another user's live server | reported or avoided; nobody else's file is ever removed | [`sockets_and_locks`] |
//! | runtime directory full or read-only; no `HOME`; `XDG_RUNTIME_DIR` unset (`su`, `sudo`, cron); no session (ssh); VT in the background | refusal with the remedy before anything is touched | [`nowhere_to_start`] |
//! | journald is stopped, the terminal is stopped by Ctrl+S | nothing waits for them: signals, clients, the server's end; lost messages are counted | [`nobody_reads`] |
//! | other users on the machine: connect to the launch socket, to the display, plant files and symlinks where ours will be | refused, nothing leaks, nothing is followed | [`other_users`] |
//! | `KillUserProcesses=yes`, lingering on, an ssh session of the same user beside | as documented; the right session is claimed; the ssh session's processes are left alone | [`other_sessions`] |
//!
//! `scripts/repeat 20 terminal faults::` runs all of it twenty times on every suite.

mod at_once;
mod everything_killed;
mod host_dies;
mod keys;
mod locked;
mod manager_ends;
mod nobody_answers;
mod nobody_reads;
mod nowhere_to_start;
mod other_sessions;
mod other_users;
mod reloads;
mod server_crashes;
mod server_takes_along;
mod sockets_and_locks;
mod supervisor_is_killed;
mod window_manager_crashes;
mod window_manager_leaves;
mod window_manager_never_manages;

use crate::harness::{SOON, wait_until};
use crate::scenario::Desk;

/// A configuration that the server cannot read to its end until something was written to the pipe.
const FIFO: &str = "/etc/X11/xorg.conf.d/99-fifo.conf";

/// Waits until a process of ada's of that name other than `before` runs, and returns its pid.
pub fn another(desk: &Desk, name: &str, before: &str) -> String {
    desk.another("ada", name, before)
}

/// Waits until a window manager manages the display. What an earlier one left on the root window names a window that no
/// longer exists.
pub fn manages(desk: &Desk) {
    wait_until("a window manager on the display", SOON, || {
        let window = "$(xprop -root _NET_SUPPORTING_WM_CHECK | sed 's/.* //')";
        let run = desk.with_display(&format!("xprop -id {window} _NET_SUPPORTING_WM_CHECK"));
        if run.stdout.contains("window id") { Ok(()) } else { Err(run.to_string()) }
    });
}

/// Writes `slow.service`, which belongs to the graphical session and stops only once something was written to `~/go`.
fn writes_slow_unit(desk: &Desk) {
    desk.writes_unit(
        "slow.service",
        "[Unit]\nPartOf=graphical-session.target\nAfter=graphical-session.target\n\
         [Service]\nExecStart=sleep infinity\nExecStop=sh -c 'read _ < %h/go'\n\
         [Install]\nWantedBy=graphical-session.target\n",
    );
}
