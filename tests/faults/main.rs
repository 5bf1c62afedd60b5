//! The fault matrix: what happens to a session, and what must hold then. A module for each row, under its words.
//!
//! Rows that other programs of tests are about: a window manager that exits with 0 or is told to (`session`, `ending`,
//! `targets`); `/tmp/.X11-unix` and taken displays (`display`, `bad_input`); a runtime directory that is full or
//! read-only, no `HOME`, no session, a VT in the background (`refusals`, `bad_input`); other users (`security`,
//! `launch_socket`, `display`).

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../scenario/mod.rs"]
mod scenario;

mod at_once;
mod everything_killed;
mod host_dies;
mod manager_ends;
mod other_sessions;
mod reloads;
mod server_crashes;
mod supervisor_is_killed;
mod window_manager_crashes;
mod window_manager_never_manages;

use harness::{SOON, wait_until};
use scenario::Desk;

/// A configuration that the server does not get to the end of, until somebody has written to it.
const FIFO: &str = "/etc/X11/xorg.conf.d/99-fifo.conf";

/// Waits until a process of that name other than `before` runs, and returns its pid.
fn another(desk: &Desk, name: &str, before: &str) -> String {
    wait_until(&format!("another {name}"), SOON, || {
        let pid = desk.root(&format!("pgrep -u ada -x {name}")).stdout.trim().to_owned();
        if pid.is_empty() || pid == before { Err(format!("{pid}\n{}", desk.vt())) } else { Ok(pid) }
    })
}

/// Waits until a window manager answers on the display.
fn manages(desk: &Desk) {
    wait_until("a window manager on the display", SOON, || {
        let run = desk.with_display("xprop -root _NET_SUPPORTING_WM_CHECK");
        if run.stdout.contains("window id") { Ok(()) } else { Err(run.to_string()) }
    });
}
