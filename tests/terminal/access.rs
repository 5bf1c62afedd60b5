//! The session from outside, and what its own programs know about it.

use crate::harness::{Case, Guest, SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

/// Unsets the variable that names the cookie's file.
const WITHOUT: &str = "env -u XAUTHORITY DISPLAY=:0";

fn settings(case: &Case, text: &str) {
    case.write_as("ada", "~/.config/startxd/startxd.toml", text);
}

#[test]
fn a_client_without_xauthority_is_admitted_as_with_startx() {
    let desk = Desk::at_prompt();
    let others = "touch .Xauthority; xauth -q add :5 . 00112233445566778899aabbccddeeff";
    for begin in ["rm -f .Xauthority", others] {
        desk.user("ada", begin).ok();
        desk.starts(OPENBOX);
        desk.user("ada", &format!("{WITHOUT} xset q")).ok();
        desk.root("su ada -c 'DISPLAY=:0 xset q'").ok();
        assert_eq!(desk.user("eve", &format!("{WITHOUT} HOME=/home/ada xset q")).code(), 1);
        desk.user("ada", "startxd stop").ok();
        desk.ended(0);
        let left = desk.user("ada", "xauth list 2>/dev/null; ls -A | grep -c Xauthority").stdout;
        assert_eq!(left.contains("unix:5 "), begin == others, "{left}");
        assert!(!left.contains("unix:0 ") && left.ends_with(if begin == others { "1\n" } else { "0\n" }), "{left}");
    }
    // Also if only the repair is left to remove the entry.
    desk.starts(OPENBOX);
    desk.user("ada", "pkill -KILL -f '^(startxd start|/usr/bin/startxd serve)'").ok();
    wait_until("the cookie to be taken out", SOON, || match desk.user("ada", "xauth list").stdout {
        list if list.lines().count() == 1 => Ok(()),
        list => Err(list),
    });
    desk.comes_back(137, SOON);
    desk.user("ada", "rm .Xauthority; startxd stop");
    settings(&desk, "[server]\nxauthority = false\n");
    desk.starts(OPENBOX);
    assert_eq!(desk.user("ada", &format!("{WITHOUT} xset q")).code(), 1);
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn a_command_runs_in_the_session_from_anywhere() {
    let desk = Desk::at_prompt();
    for none in ["startxd run true", "startxd env"] {
        let none = desk.user("ada", none);
        assert!(none.code() == 4 && none.stderr.contains("no graphical session is up"), "{none}");
    }
    desk.starts(OPENBOX);
    let run = desk.user(
        "ada",
        "cd /usr; A=1 startxd run sh -c 'xset q >/dev/null; echo $DISPLAY $XDG_CURRENT_DESKTOP $A; pwd; exit 7'",
    );
    assert_eq!((run.code(), run.stdout.as_str()), (7, ":0 openbox\n/usr\n"), "{run}");
    let run =
        desk.root("cd /root; startxd run --user ada -- sh -c 'id -nu; id -nG; pwd; xset q >/dev/null; exit $?'").ok();
    assert_eq!(run.stdout, desk.user("ada", "id -nu; id -nG; pwd").stdout);
    let terminal =
        "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(['startxd', 'run', '--', 'tty'])))";
    let tty = desk.user("ada", &format!("python3 -c \"{terminal}\""));
    assert!(tty.code() == 0 && tty.stdout.starts_with("/dev/pts/"), "{tty}");
    desk.user("ada", "env -u XAUTHORITY -u XDG_RUNTIME_DIR sh -c 'eval \"$(startxd env)\"; xset q && systemctl --user is-active xorg.target'").ok();
    for (line, why) in [
        ("startxd run --user eve true", "only root can"),
        ("startxd run --user nobody-at-all true", "no user \"nobody-at-all\""),
    ] {
        let refused = desk.user("ada", line);
        assert!(refused.code() == 2 && refused.stderr.contains(why), "{refused}");
    }
    assert!(desk.root("startxd run true").stderr.contains("startxd run --user NAME"));
    assert_eq!(desk.root("startxd run --user eve true").code(), 11);

    // It is a unit, and ends with the session.
    let long = desk.spawn("ada", "startxd run -- sh -c 'echo up; exec sleep 1000'");
    wait_until("the command", SOON, || if long.stdout() == "up\n" { Ok(()) } else { Err(long.stderr()) });
    desk.user("ada", "systemctl --user is-active 'startxd-run-*.scope'").ok();
    desk.user("ada", "startxd stop").ok();
    assert_eq!(long.wait(SOON).code(), 143);
    desk.ended(0);
}

#[test]
fn programs_of_the_session_see_the_login_and_not_their_unit() {
    let case = Guest::get();
    case.write_profile("ada", "export XDG_SEAT_PATH=/org/freedesktop/DisplayManager/Seat0\n");
    let desk = Desk::at_prompt_in(case);
    desk.write_as(
        "ada",
        "~/.xinitrc",
        "env >seen\nsh -c 'dbus-update-activation-environment --systemd --all'\nexec openbox --sm-disable\n",
    );
    let id = desk.login.session.clone();
    let before = desk.environment();
    for line in ["", OPENBOX] {
        desk.starts(line);
        let manager = desk.environment();
        if !line.is_empty() {
            let pid = desk.unit("startxd-wm@openbox.service", "MainPID");
            desk.user("ada", &format!("tr '\\0' '\\n' </proc/{pid}/environ >seen")).ok();
            assert_eq!(manager.has(&["XDG_SESSION_ID", "XDG_SEAT", "XDG_VTNR", "XDG_SEAT_PATH"]), [""; 0]);
        }
        let seen = desk.user("ada", "cat seen").stdout;
        for expected in [
            &format!("XDG_SESSION_ID={id}"),
            "XDG_SEAT=seat0",
            "XDG_VTNR=1",
            "XDG_SEAT_PATH=/org/freedesktop/DisplayManager/Seat0",
        ] {
            assert!(seen.lines().any(|line| line == expected), "{expected} is not in {seen}");
        }
        let of_unit = ["INVOCATION_ID", "JOURNAL_STREAM", "MANAGERPID", "SYSTEMD_EXEC_PID", "MEMORY_PRESSURE_WATCH"];
        for name in of_unit {
            assert!(!seen.lines().any(|line| line.split('=').next() == Some(name)), "{name} is in {seen}");
        }
        // The variables that a script passes to systemd and D-Bus name no unit.
        assert_eq!(manager.has(&of_unit), before.has(&of_unit));
        let file = desk.user("ada", "cat $XDG_RUNTIME_DIR/startxd/session.env").ok().stdout;
        assert!(file.contains(&format!("XDG_SESSION_ID=\"{id}\"\n")), "{file}");
        desk.quits_openbox();
        desk.comes_back(0, SOON);
    }
    // As a logout menu does.
    desk.types(&format!("startxd start {OPENBOX}"));
    desk.is_up();
    desk.user("ada", &format!("loginctl terminate-session {id}")).ok();
    desk.is_logged_out();
}

#[test]
fn arguments_of_the_server_in_xserverrc_are_used() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.xserverrc", "#!/bin/sh\nexec /usr/bin/X -dpi 144 -nolisten tcp \"$@\"\n");
    desk.starts(OPENBOX);
    assert!(desk.server().args.contains(" -dpi 144"), "{}", desk.server().args);
    desk.with_display("xdpyinfo | grep 144x144").ok();
    desk.quits_openbox();
    desk.ended(0);
    // An option overrides them; a script that does more is named.
    desk.starts(&format!("--ardelay 250 {OPENBOX}"));
    assert!(!desk.server().args.contains("-dpi"), "{}", desk.server().args);
    desk.quits_openbox();
    desk.ended(0);
    desk.write_as("ada", "~/.xserverrc", "#!/bin/sh\nexec Xephyr \"$@\"\n");
    desk.starts(OPENBOX);
    desk.quits_openbox();
    desk.ended(0).says(&[".xserverrc is not followed: it does not simply execute an X server", "xserverrc = false"]);
    settings(&desk, "[server]\nxserverrc = false\n");
    desk.starts(OPENBOX);
    desk.quits_openbox();
    assert!(!desk.ended(0).has("xserverrc"));
    desk.types("startxd start -- -ardelay 250");
    desk.ended(23).says(&["-ardelay is not a command", "--server-arg=-ardelay"]);
}

#[test]
fn a_display_that_another_program_has_exported_is_corrected_by_one_command() {
    let desk = Desk::at_prompt();
    assert_eq!(desk.user("ada", "startxd env --repair").code(), 4);
    desk.starts(OPENBOX);
    desk.user("ada", "DISPLAY=localhost:10.0 dbus-update-activation-environment --systemd DISPLAY").ok();
    let status = desk.user("ada", "startxd status").stdout;
    assert!(status.contains("DISPLAY=localhost:10.0") && status.contains("startxd env --repair"), "{status}");
    let doctor = desk.user("ada", "startxd doctor").stdout;
    assert!(doctor.contains("startxd env --repair") && !doctor.contains("unset-environment DISPLAY"), "{doctor}");
    desk.user("ada", "startxd env --repair").ok();
    assert_eq!(desk.environment().get("DISPLAY"), Some(":0"));
    // What the bus starts gets it, too.
    let service = "[D-BUS Service]\nName=lab.Seen\nExec=/bin/sh -c 'echo $DISPLAY >/home/ada/seen'\n";
    desk.write_as("ada", "~/.local/share/dbus-1/services/lab.Seen.service", service);
    desk.user("ada", "busctl --user call org.freedesktop.DBus / org.freedesktop.DBus ReloadConfig").ok();
    desk.user("ada", "timeout 2 busctl --user call lab.Seen / lab.Seen Seen");
    wait_until("the service", SOON, || match desk.user("ada", "cat seen").stdout {
        seen if seen == ":0\n" => Ok(()),
        seen => Err(seen),
    });
    let status = desk.user("ada", "startxd status").stdout;
    assert!(status.lines().next().is_some_and(|line| line.ends_with("; nothing is wrong")), "{status}");
    desk.user("ada", "startxd stop").ok();
    desk.comes_back(0, SOON);
}
