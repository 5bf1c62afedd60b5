//! What a session runs: a unit by name, `~/.xinitrc`, the units enabled for `wm.target`, or nothing.

use crate::scenario::Desk;

/// The one of the Arch wiki, byte for byte (*Systemd/User*, "Window manager").
const AWESOME: &str = "[Unit]
Description=Awesome window manager
After=xorg.target
Requires=xorg.target

[Service]
ExecStart=/usr/bin/awesome
Restart=always
RestartSec=10

[Install]
WantedBy=wm.target
";

/// The one of the Arch wiki, byte for byte (*Systemd/User*, "Example").
const MPD: &str = "[Unit]
Description=Music Player Daemon

[Service]
ExecStart=/usr/bin/mpd --no-daemon

[Install]
WantedBy=default.target
";

const OPENBOX: &str = "[Unit]
Description=Openbox
After=xorg.target
Requires=xorg.target

[Service]
ExecStart=/usr/bin/openbox --sm-disable

[Install]
WantedBy=wm.target
";

#[test]
fn a_named_unit_replaces_the_enabled_ones() {
    let desk = Desk::at_prompt();
    desk.writes_unit("mywm.service", OPENBOX);
    desk.writes_unit("awesome.service", AWESOME);
    desk.user("ada", "systemctl --user enable awesome").ok();
    desk.starts("mywm.service");
    assert_eq!(
        desk.states(&["mywm.service", "awesome.service", "wm.target"]),
        ["mywm.service active", "awesome.service inactive", "wm.target active"]
    );
    assert_eq!(desk.environment().get("XDG_CURRENT_DESKTOP"), Some("mywm"));
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn a_unit_that_does_not_exist_is_refused_by_name() {
    let desk = Desk::at_prompt();
    desk.types("startxd start nowm.service");
    desk.ended(23).says(&["nowm.service does not exist"]);
    desk.types("startxd start -- nowm --option");
    desk.ended(23).says(&["no command nowm"]);
}

#[test]
fn the_wikis_awesome_is_started_by_startxd_alone_and_its_quitting_ends_the_session() {
    let mut desk = Desk::at_prompt();
    desk.writes_unit("awesome.service", AWESOME);
    desk.user("ada", "systemctl --user enable awesome").ok();
    desk.logs_in_again();
    assert_eq!(
        desk.states(&["default.target", "wm.target", "awesome.service"]),
        ["default.target active", "wm.target inactive", "awesome.service inactive"]
    );
    for quit in ["awesome-client 'awesome.quit()'", "pkill -TERM -x awesome"] {
        desk.starts("");
        assert_eq!(desk.states(&["wm.target", "awesome.service"]), ["wm.target active", "awesome.service active"]);
        desk.quits(quit);
        desk.ended(0);
    }
    let starts = desk.messages("awesome.service --output-fields=MESSAGE");
    assert_eq!(desk.journal("-o cat").matches("Started awesome.service").count(), 2, "not started again\n{starts}");
}

#[test]
fn the_wikis_services_of_the_default_target_are_left_alone() {
    let mut desk = Desk::at_prompt();
    desk.write("/usr/bin/mpd", "#!/bin/sh\nexec sleep infinity\n");
    desk.root("chmod +x /usr/bin/mpd").ok();
    desk.writes_unit("mpd.service", MPD);
    desk.user("ada", "systemctl --user enable mpd").ok();
    desk.logs_in_again();
    let pid = desk.unit("mpd.service", "MainPID");
    assert_ne!(pid, "0");
    desk.starts("-- openbox --sm-disable");
    assert_eq!(desk.unit("mpd.service", "MainPID"), pid);
    desk.quits_openbox();
    desk.ended(0);
    assert_eq!(desk.unit("mpd.service", "MainPID"), pid);
    desk.root("rm /usr/bin/mpd").ok();
}

#[test]
fn an_executable_xinitrc_runs_by_its_own_interpreter() {
    let desk = Desk::at_prompt();
    // sh would accept neither line.
    let script = "#!/usr/bin/python3\nimport os\nos.execvp('openbox', ['openbox', '--sm-disable'])\n";
    desk.write_as("ada", "~/.xinitrc", script);
    desk.user("ada", "chmod +x .xinitrc").ok();
    desk.starts("");
    assert_eq!(desk.state("startxd-wm@xinitrc.service"), "active");
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn an_xinitrc_may_be_elsewhere_and_have_arguments() {
    let desk = Desk::at_prompt();
    let script = "[ \"$XDG_CURRENT_DESKTOP$DESKTOP_SESSION\" ] && exit 9\nexec ${1:-openbox --sm-disable}\n";
    desk.write_as("ada", "~/.config/x11/xinitrc", script);
    desk.write_as("ada", "~/.xinitrc", script);
    for (line, quit) in [
        ("startxd start ~/.config/x11/xinitrc", "openbox --exit"),
        ("XINITRC=.config/x11/xinitrc startxd start", "openbox --exit"),
        ("startxd start ~/.xinitrc i3", "i3-msg exit"),
    ] {
        desk.types(line);
        desk.is_up();
        assert_eq!(desk.state("startxd-wm@xinitrc.service"), "active");
        assert_eq!(desk.environment().values(["XDG_CURRENT_DESKTOP", "DESKTOP_SESSION"]), [None; 2], "{line}");
        let status = desk.user("ada", "startxd status").ok().stdout;
        assert!(status.contains("xinitrc") && !status.contains("sh /home"), "{status}");
        desk.quits(quit);
        desk.ended(0);
    }
}

#[test]
fn the_end_of_xinitrc_is_the_end_of_the_session() {
    let desk = Desk::at_prompt();
    // Not executable, so sh runs it; a program in the background does not keep the session up.
    desk.write_as("ada", "~/.xinitrc", "xterm -T helper -e sleep 600 &\nopenbox --sm-disable\nexit $(cat ~/status)\n");
    for (status, end) in [(0, 0), (3, 1)] {
        desk.write_as("ada", "~/status", &status.to_string());
        desk.starts("");
        desk.sees_window("helper");
        desk.quits_openbox();
        let screen = desk.ended(end);
        assert_eq!(screen.has("startxd-wm@xinitrc.service failed"), end != 0, "{screen}");
        assert_eq!(screen.has("exited with status 3"), end != 0, "{screen}");
    }
}

#[test]
fn with_nothing_set_up_the_error_lists_the_available_sessions() {
    let desk = Desk::at_prompt();
    // What Debian would start.
    desk.root("chmod -x /etc/X11/Xsession").ok();
    desk.types("startxd start");
    desk.ended(23).says(&["wm.target", ".xinitrc", "session.default", "installed: openbox, i3, awesome"]);
    desk.root("chmod +x /etc/X11/Xsession").ok();
}

#[test]
fn the_configured_default_comes_last() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[session]\ndefault = \"openbox --sm-disable\"\n");
    desk.starts("");
    assert_eq!(desk.state("startxd-wm@openbox.service"), "active");
    desk.quits_openbox();
    desk.ended(0);

    desk.write_as("ada", "~/.xinitrc", "exec i3\n");
    desk.starts("");
    assert_eq!(desk.states(&["startxd-wm@xinitrc.service"]), ["startxd-wm@xinitrc.service active"]);
    desk.quits("i3-msg exit");
    desk.ended(0);
}
