//! The window manager never manages the display: there is a deadline, and a message that names it; the session
//! continues with a manager without EWMH (`WM_S0` or a configured `ready = "started"` count).

use std::time::{Duration, Instant};

use crate::scenario::Desk;

/// A window manager of the oldest kind: it redirects the root window's children, and that is all.
const OLD: &str = include_str!("../../scenario/oldwm.py");

#[test]
fn a_silent_window_manager_can_be_ready_when_started() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[session]\nready = \"started\"\n");
    desk.starts("-- xterm -T silent -e sleep 600");
    desk.sees_window("silent");
    // When its program ends, xterm exits with 0. The window appears before the program.
    desk.runs("sleep");
    desk.run("pkill -x sleep").ok();
    desk.ended(0);
}

#[test]
fn without_a_window_manager_the_session_goes_on_and_says_so() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[deadlines]\nwindow_manager = 0.3\n");
    desk.types("startxd start -- xterm -T silent -e sleep 600");
    desk.journal_says("no window manager manages display :0");
    desk.sees_window("silent");
    assert_eq!(
        desk.states(&["wm.target", "graphical-session.target"]),
        ["wm.target active", "graphical-session.target inactive"]
    );
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
}

#[test]
fn a_window_manager_without_any_hint_is_found_by_what_it_does() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/oldwm", OLD);
    desk.user("ada", "chmod +x oldwm").ok();
    let begun = Instant::now();
    desk.starts("./oldwm");
    assert!(begun.elapsed() < Duration::from_secs(10), "not by the deadline, which is 30 s: {:?}", begun.elapsed());
    assert!(!desk.journal("-o cat -t startxd").contains("no window manager manages"));
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);

    // One that starts after the deadline is found, too.
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[deadlines]\nwindow_manager = 0.5\n");
    desk.write_as("ada", "~/.xinitrc", "read _ <~/go\nexec ./oldwm\n");
    desk.user("ada", "mkfifo go").ok();
    desk.types("startxd start");
    desk.journal_says("no window manager manages display :0");
    desk.user("ada", "echo >go").ok();
    desk.is_up();
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
}
