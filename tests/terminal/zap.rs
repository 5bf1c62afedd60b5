//! Ctrl+Alt+Backspace, if the keyboard has it: it ends the session, as people expect, and is no crash.

use crate::scenario::{Desk, OPENBOX};

/// Presses the key as a client of the display (XTEST), with the option that enables it.
fn zaps(desk: &Desk) {
    let keys = "setxkbmap -option terminate:ctrl_alt_bksp && timeout 5 xdotool key ctrl+alt+BackSpace";
    // The server may be gone before xdotool has released the keys.
    desk.with_display(keys);
}

/// An openbox of ada as a user unit.
const UNIT: &str = "[Unit]\nRequires=xorg.target\nAfter=xorg.target\n[Service]\nExecStart=openbox --sm-disable\n\
    Restart=on-failure\n[Install]\nWantedBy=wm.target\n";

#[test]
fn ends_every_kind_of_session() {
    let desk = Desk::at_prompt();
    desk.writes_unit("mine.service", UNIT);
    // Only the host would start either of these again, and both would leave a trace.
    desk.write_as("ada", "~/.xinitrc", "echo >> ~/runs\nopenbox --sm-disable\nexit 1\n");
    for session in [OPENBOX, "mine.service", "openbox", "~/.xinitrc"] {
        desk.starts(session);
        zaps(&desk);
        desk.ended(0);
        let status = desk.user("ada", "startxd status");
        assert!(status.code() == 4 && !status.stdout.contains("failed"), "{status}");
    }
    assert_eq!(desk.read("/home/ada/runs").lines().count(), 1);
    // Not only on the first server.
    desk.starts("~/.xinitrc");
    desk.user("ada", "startxd restart xorg").ok();
    zaps(&desk);
    desk.ended(0);
}

#[test]
fn a_signal_to_the_server_is_the_same() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.root("pkill -TERM -x Xorg").ok();
    desk.ended(0);
    desk.starts_again();
}

#[test]
fn does_nothing_without_the_option() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let server = desk.server().pid;
    desk.with_display("xdotool key ctrl+alt+BackSpace && xdpyinfo").ok();
    assert_eq!(desk.server().pid, server);
    desk.quits_openbox();
    desk.ended(0);
}
