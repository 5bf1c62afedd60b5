//! The display: its number, its sockets, its cookie, and what its server says.

use crate::harness::{Mode, SOON};
use crate::scenario::{Desk, OPENBOX};

const COOKIE: &str = include_str!("../scenario/cookie.py");

/// A configuration that the server cannot read to its end until something was written to the pipe.
const FIFO: &str = "/etc/X11/xorg.conf.d/99-fifo.conf";

fn quits(desk: &Desk) {
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn a_requested_display_number_is_used() {
    let desk = Desk::at_prompt();
    desk.starts(&format!("--display :5 {OPENBOX}"));
    assert_eq!(desk.environment().get("DISPLAY"), Some(":5"));
    assert_eq!(
        desk.states(&["xorg@5.service", "xorg@0.service"]),
        ["xorg@5.service active", "xorg@0.service inactive"]
    );
    quits(&desk);
}

#[test]
fn clients_and_window_manager_start_while_the_server_does() {
    let desk = Desk::at_prompt();
    desk.root(&format!("mkfifo -m 644 {FIFO}")).ok();
    desk.types(&format!("startxd start {OPENBOX}"));
    desk.unit_becomes("startxd-wm@openbox.service", "active");
    desk.runs("Xorg");
    assert_eq!(
        desk.states(&["xorg@0.socket", "xorg@0.service", "xorg.target", "graphical-session.target"]),
        [
            "xorg@0.socket active",
            "xorg@0.service activating",
            "xorg.target active",
            "graphical-session.target inactive"
        ]
    );
    let authority = desk.environment().get("XAUTHORITY").expect("XAUTHORITY").to_owned();
    let client = desk.shell_as("ada", "xdpyinfo").env("DISPLAY", ":0").env("XAUTHORITY", &authority).spawn();
    desk.runs("xdpyinfo");
    assert_eq!(client.stdout(), "");

    desk.root(&format!("timeout 10 sh -c 'echo > {FIFO}'; rm {FIFO}")).ok();
    client.wait(SOON).ok();
    desk.is_up();
    quits(&desk);
}

#[test]
fn the_window_manager_does_not_wait_for_the_server() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let started = |unit: &str, what: &str| desk.unit(unit, what).parse::<u64>().expect("microseconds");
    let manager = started("startxd-wm@openbox.service", "ExecMainStartTimestampMonotonic");
    let ready = started("xorg@0.service", "ActiveEnterTimestampMonotonic");
    assert!(manager < ready, "the window manager at {manager}, the server ready at {ready}");
    quits(&desk);
}

#[test]
fn only_the_user_can_read_the_cookie() {
    let desk = Desk::at_prompt();
    desk.write("/run/cookie.py", COOKIE);
    desk.starts(OPENBOX);
    assert_eq!(
        desk.root("python3 /run/cookie.py show").text().lines().collect::<Vec<_>>(),
        [
            "/run/user/1000 700 1000",
            "/run/user/1000/xauth_startxd_0 600 1000",
            "256 0 MIT-MAGIC-COOKIE-1 16",
            "65535 0 MIT-MAGIC-COOKIE-1 16",
            "the same",
        ]
    );
    // libXau looks beside the cookie's own file, and for no longer than the session.
    let leaks = desk.root("python3 /run/cookie.py leaks").text();
    assert_eq!(leaks, "looked at the\nlooked at cmdline\nleaked: /home/ada/.Xauthority");
    assert_eq!(desk.root("stat -c '%a %U' /home/ada/.Xauthority").text(), "600 ada");
    quits(&desk);
    desk.root("ls -A /run/user/1000 /home/ada | grep -Ei 'startxd|xauth'").fails();
}

#[test]
fn each_session_has_a_cookie_of_its_own() {
    let desk = Desk::at_prompt();
    let mut seen = Vec::new();
    for _ in 0..2 {
        desk.starts(OPENBOX);
        seen.push(desk.root("sha256sum < /run/user/1000/xauth_startxd_0").text());
        quits(&desk);
    }
    assert_ne!(seen[0], seen[1]);
}

#[test]
fn the_servers_output_is_logged_under_its_unit_from_the_first_line() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let greeting = |text: &str| text.lines().filter(|line| line.starts_with("X.Org X Server")).count();
    assert_eq!(greeting(&desk.messages("xorg@0.service")), 1);
    assert_eq!(greeting(&desk.journal("-o cat")), 1);
    assert!(!desk.vt().screen().contains("X.Org X Server"), "nothing of it is written over the prompt");
    assert_eq!(desk.vt().mode(), Mode::Graphics);
    quits(&desk);
}
