//! The targets of a session and the units tied to them: when they start, and in which order they end.

use crate::harness::{SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

/// All targets that a session brings.
const TARGETS: [&str; 7] = [
    "xorg.target",
    "wm.target",
    "graphical-session-pre.target",
    "graphical-session.target",
    "wm-ready.target",
    "wm-autostart.target",
    "xdg-desktop-autostart.target",
];

#[test]
fn they_come_and_go_with_the_session() {
    let desk = Desk::at_prompt();
    let all = |state: &str| TARGETS.map(|target| format!("{target} {state}")).to_vec();
    assert_eq!(desk.states(&TARGETS), all("inactive"));
    desk.starts(OPENBOX);
    wait_until("all targets to be active", SOON, || match desk.states(&TARGETS) {
        states if states == all("active") => Ok(()),
        states => Err(format!("{states:?}")),
    });
    assert_eq!(desk.state("startxd-shutdown.target"), "inactive");
    desk.quits_openbox();
    desk.ended(0);
    assert_eq!(desk.states(&TARGETS), all("inactive"));
    assert_eq!(desk.state("startxd-shutdown.target"), "inactive");
}

#[test]
fn the_graphical_session_begins_when_a_window_manager_manages() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/late", "#!/bin/sh\nread _ < ~/go\nexec openbox --sm-disable\n");
    desk.user("ada", "chmod +x late; mkfifo go").ok();
    desk.types("startxd start ./late");
    desk.unit_becomes("xorg@0.service", "active");
    desk.with_display("xdpyinfo").ok();
    assert_eq!(
        desk.states(&TARGETS),
        [
            "xorg.target active",
            "wm.target active",
            "graphical-session-pre.target active",
            "graphical-session.target inactive",
            "wm-ready.target inactive",
            "wm-autostart.target inactive",
            "xdg-desktop-autostart.target inactive",
        ]
    );
    desk.user("ada", "echo > go").ok();
    desk.is_up();
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn an_autostart_program_runs_once_and_only_with_a_window_manager() {
    let desk = Desk::at_prompt();
    desk.writes_record();
    // systemd signals everything in the unit until no new process appears in it, including the handler's children.
    let program = "#!/bin/bash\ntrap 'trap \"\" TERM; ~/record stopped; exit 0' TERM\n~/record started\n\
                   while :; do sleep infinity & wait; done\n";
    desk.write_as("ada", "~/program", program);
    desk.user("ada", "chmod +x program").ok();
    let entry = "[Desktop Entry]\nType=Application\nName=Program\nExec=/home/ada/program\n";
    desk.write_as("ada", "~/.config/autostart/program.desktop", entry);
    desk.user("ada", "systemctl --user daemon-reload").ok();

    desk.starts(OPENBOX);
    wait_until("the program's record", SOON, || match desk.records() {
        lines if lines.is_empty() => Err(desk.states(&TARGETS).join(", ")),
        _ => Ok(()),
    });
    assert_eq!(desk.state("app-program@autostart.service"), "active");
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
    let there = "wm yes, display yes, manager has a cookie for :0";
    assert_eq!(desk.records(), [format!("started: {there}"), format!("stopped: {there}")]);
}

/// What i3's configuration contains for Debian's package dex, and what that does with one entry.
const I3_WITH_DEX: &str =
    "# i3 config file (v4)\nfont pango:monospace 8\nexec --no-startup-id dex --autostart --environment i3\n";
const DEX: &str = "#!/bin/sh\n[ \"$1\" = --autostart ] && exec /home/ada/program\n";

#[test]
fn an_autostart_program_runs_once_if_the_session_starts_it_itself() {
    let mut desk = Desk::at_prompt();
    desk.discard();
    desk.write_as("ada", "~/program", "#!/bin/sh\necho run >>~/runs\nexec sleep infinity\n");
    let entry = "[Desktop Entry]\nType=Application\nName=Program\nExec=/home/ada/program\n";
    desk.write_as("ada", "~/.config/autostart/program.desktop", entry);
    desk.write_as("ada", "~/.config/i3/config", I3_WITH_DEX);
    desk.write("/usr/local/bin/dex", DEX);
    desk.root("chmod 755 /usr/local/bin/dex ~ada/program").ok();
    desk.user("ada", "systemctl --user daemon-reload").ok();
    for (autostart, runs) in [("auto", 1), ("yes", 2), ("no", 1)] {
        let config = format!("[session]\nautostart = \"{autostart}\"\n");
        desk.write_as("ada", "~/.config/startxd/startxd.toml", &config);
        desk.write_as("ada", "~/runs", "");
        desk.starts("i3");
        // Once the autostart target has been decided on, and i3 has run the commands of its configuration.
        let decided = if autostart == "yes" { "xdg-desktop-autostart.target" } else { "graphical-session.target" };
        desk.unit_becomes(decided, "active");
        if autostart != "yes" {
            desk.journal_says("the session starts its autostart programs itself");
        }
        wait_until("the programs", SOON, || match desk.root("pgrep -fc 'sleep infinity'").stdout.trim() {
            count if count == runs.to_string() => Ok(()),
            count => Err(format!("{autostart}: {count}")),
        });
        assert_eq!(desk.read("/home/ada/runs").lines().count(), runs, "{autostart}");
        let doctor = desk.user("ada", "startxd doctor").stdout;
        assert_eq!(doctor.contains("session.autostart-twice"), runs == 2, "{autostart}: {doctor}");
        if runs == 2 {
            assert!(doctor.contains("app-program@autostart.service (and process"), "{doctor}");
        }
        desk.quits("i3-msg exit");
        desk.ended(0);
    }
}

#[test]
fn failed_units_of_a_session_are_shown_with_their_last_line_and_cleared_at_its_end() {
    let desk = Desk::at_prompt();
    // A race: journald asks the kernel for the unit of a process that logs, and gets none if the process is gone. So
    // they stay until their messages have arrived (systemd issue 2913).
    let broken = "#!/bin/sh\necho one thing\necho cannot find my socket >&2\n\
                  until [ -e ~/heard ]; do sleep 0.02; done\nexit 3\n";
    desk.write_as("ada", "~/broken", broken);
    desk.user("ada", "chmod +x broken").ok();
    let entry = "[Desktop Entry]\nType=Application\nName=Broken\nExec=/home/ada/broken\n";
    desk.write_as("ada", "~/.config/autostart/broken.desktop", entry);
    desk.writes_unit(
        "bar.service",
        "[Unit]\nPartOf=graphical-session.target\nAfter=graphical-session.target\n\
         [Service]\nExecStart=/home/ada/broken\n[Install]\nWantedBy=graphical-session.target\n",
    );
    // A unit that has nothing to do with the session.
    desk.writes_unit("other.service", "[Service]\nExecStart=/home/ada/broken\n");
    desk.user("ada", "systemctl --user enable bar.service; systemctl --user start other.service").ok();
    desk.starts(OPENBOX);
    for unit in ["bar.service", "app-broken@autostart.service", "other.service"] {
        wait_until(&format!("what {unit} says"), SOON, || {
            let heard = desk.root(&format!("journalctl -b -q -o cat _SYSTEMD_USER_UNIT={unit}"));
            if heard.stdout.contains("cannot find my socket") { Ok(()) } else { Err(heard.to_string()) }
        });
    }
    desk.user("ada", "touch heard").ok();
    for unit in ["bar.service", "app-broken@autostart.service", "other.service"] {
        desk.unit_becomes(unit, "failed");
    }
    let status = desk.user("ada", "startxd status").stdout;
    for unit in ["bar.service", "app-broken@autostart.service"] {
        assert!(status.contains(&format!("{unit} has failed")), "{status}");
    }
    assert!(!status.contains("nothing is wrong") && !status.contains("other.service"), "{status}");
    // A user who may read the journal gets the last line.
    let readable = desk.user("ada", "journalctl -b -q -n 1 -o cat _SYSTEMD_USER_UNIT=bar.service").stdout;
    assert_eq!(status.contains("its last line: cannot find my socket"), !readable.is_empty(), "{status}");
    desk.quits_openbox();
    desk.comes_back(0, SOON);
    // An autostart program belongs to the session only, and the next one starts it again.
    assert_eq!(desk.state("app-broken@autostart.service"), "inactive");
    assert_eq!(desk.state("bar.service"), "failed");
    desk.user("ada", "systemctl --user reset-failed").ok();
    desk.is_clean();
}
