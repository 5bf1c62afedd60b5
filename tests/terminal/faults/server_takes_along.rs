//! What a server takes down, and what comes back with the next one: the graphical session with its services, settings
//! and autostart programs, and a window manager that does not notice that its server is gone.

use crate::faults::{another, manages};
use crate::harness::{SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

/// Commands that end a server.
const WAYS: [&str; 3] = ["pkill -SEGV -x Xorg", "pkill -KILL -x Xorg", "startxd restart xorg"];

/// Writes a service, a setting and an autostart program of the graphical session.
fn writes_clients(desk: &Desk) {
    desk.writes_unit(
        "clock.service",
        "[Unit]\nPartOf=graphical-session.target\nAfter=graphical-session.target\n\
         [Service]\nExecStart=xclock -geometry +9+9\n\
         [Install]\nWantedBy=graphical-session.target\n",
    );
    desk.writes_unit(
        "settings.service",
        "[Unit]\nPartOf=graphical-session.target\nAfter=graphical-session.target\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=xset r rate 321 25\n\
         [Install]\nWantedBy=graphical-session.target\n",
    );
    let entry = "[Desktop Entry]\nType=Application\nName=Eyes\nExec=xeyes\n";
    desk.write_as("ada", "~/.config/autostart/eyes.desktop", entry);
    // This reloads, and creates units from the entries.
    desk.user("ada", "systemctl --user enable clock.service settings.service").ok();
}

fn has_clients(desk: &Desk) {
    desk.sees_window("xclock");
    desk.sees_window("xeyes");
    wait_until("the settings", SOON, || {
        let told = desk.with_display("xset q").stdout;
        if told.contains("auto repeat delay:  321    repeat rate:  25") { Ok(()) } else { Err(told) }
    });
}

#[test]
fn services_settings_and_autostart_programs_come_back_with_the_next_one() {
    let desk = Desk::at_prompt();
    writes_clients(&desk);
    desk.starts(OPENBOX);
    has_clients(&desk);
    for way in WAYS {
        let server = desk.server().pid;
        desk.user("ada", way).ok();
        another(&desk, "Xorg", &server);
        manages(&desk);
        has_clients(&desk);
        desk.is_up();
    }
    // A crash of the window manager alone does not affect them.
    let clients = "pgrep -x xclock; pgrep -x xeyes";
    let (before, openbox) = (desk.root(clients).text(), desk.root("pgrep -u ada -x openbox").text());
    desk.user("ada", "pkill -SEGV -x openbox").ok();
    another(&desk, "openbox", &openbox);
    manages(&desk);
    assert_eq!(desk.root(clients).text(), before);
    desk.is_up();
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn i3_comes_back_with_the_next_one_although_it_notices_nothing() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.config/i3/config", "# i3 config file (v4)\nfont pango:monospace 8\n");
    desk.write_as("ada", "~/.xinitrc", "i3\n");
    let unit = "[Service]\nType=notify\nNotifyAccess=all\nExecStart=i3\n[Install]\nWantedBy=wm.target\n";
    for how in ["-- i3", "", "wm.target"] {
        if how == "wm.target" {
            desk.user("ada", "rm .xinitrc").ok();
            desk.writes_unit("i3.service", unit);
            desk.user("ada", "systemctl --user enable i3.service").ok();
        }
        desk.starts(if how == "wm.target" { "" } else { how });
        for way in WAYS {
            let (server, i3) = (desk.server().pid, desk.root("pgrep -u ada -x i3").text());
            desk.user("ada", way).ok();
            another(&desk, "Xorg", &server);
            another(&desk, "i3", &i3);
            manages(&desk);
            desk.is_up();
            desk.with_display("i3-msg -t get_version").ok();
        }
        desk.quits("i3-msg exit");
        desk.ended(0);
    }
}

#[test]
fn a_restart_of_the_server_is_over_when_the_display_is_managed_again() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    for _ in 0..3 {
        desk.user("ada", "startxd restart xorg").ok();
        let managed = "xprop -id $(xprop -root _NET_SUPPORTING_WM_CHECK | sed 's/.* //') _NET_SUPPORTING_WM_CHECK";
        assert!(desk.with_display(managed).ok().stdout.contains("window id"));
    }
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn a_desktop_that_ends_in_order_when_its_server_goes_comes_back() {
    let desk = Desk::at_prompt();
    // As Plasma does: the next server is there before the desktop has exited, with 0.
    desk.write_as("ada", "~/desktop", "#!/bin/sh\nopenbox --sm-disable\n[ -e ~/stays ] || exit 0\nsleep 0.6\n");
    desk.user("ada", "chmod +x desktop; touch stays").ok();
    desk.starts("-- ~/desktop");
    for _ in 0..2 {
        desk.user("ada", "startxd restart xorg").ok();
        manages(&desk);
        desk.is_up();
    }
    desk.user("ada", "rm stays").ok();
    desk.quits_openbox();
    desk.ended(0);
}
