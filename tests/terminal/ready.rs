//! Sessions that report by themselves when they are ready.

use crate::harness::{SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

/// Queries i3 as soon as the graphical session is up.
const ASKS: &str = "[Unit]\nPartOf=graphical-session.target\nAfter=graphical-session.target\n\
                    [Service]\nType=oneshot\nExecStart=/usr/bin/i3-msg -t get_version\n\
                    [Install]\nWantedBy=graphical-session.target\n";

/// i3 as on a busy machine: its socket follows its sign on the display by half a second.
const SLOW: &str = "#!/bin/sh\nexec strace -f -o /dev/null -e trace=bind -e inject=bind:delay_enter=500000 i3 \"$@\"\n";

fn settings(desk: &Desk, text: &str) {
    desk.write_as("ada", "~/.config/startxd/startxd.toml", text);
}

/// A unit that runs once with every graphical session.
fn asks(desk: &Desk) {
    desk.write_as("ada", "~/.config/i3/config", "# i3 config file (v4)\n");
    desk.writes_unit("asks.service", ASKS);
    desk.user("ada", "systemctl --user enable asks.service; mkdir -p bin").ok();
    desk.write_as("ada", "~/bin/i3", SLOW);
    desk.user("ada", "chmod +x bin/i3").ok();
}

fn was_answered(desk: &Desk) {
    wait_until("asks.service", SOON, || match desk.unit("asks.service", "ExecMainExitTimestampMonotonic") {
        ended if ended == "0" => Err(desk.state("asks.service")),
        _ => Ok(()),
    });
    assert_eq!(desk.unit("asks.service", "Result"), "success", "{}", desk.messages("asks.service"));
    desk.user("ada", "systemctl --user reset-failed asks.service");
}

#[test]
fn i3_is_waited_for_until_it_can_be_asked() {
    let desk = Desk::at_prompt();
    asks(&desk);
    desk.starts("./bin/i3");
    was_answered(&desk);
    // Also after a crash of the server, when everything starts again.
    let server = desk.server();
    desk.root(&format!("kill -KILL {}", server.pid)).ok();
    desk.another("ada", "Xorg", &server.pid);
    desk.is_up();
    was_answered(&desk);
    // Programs that i3 starts do not inherit the socket.
    desk.with_display("i3-msg exec 'sh -c \"env > ~/of-i3\"'").ok();
    wait_until("what i3 starts", SOON, || match desk.user("ada", "grep DISPLAY= of-i3").code() {
        0 => Ok(()),
        code => Err(code.to_string()),
    });
    assert_eq!(desk.user("ada", "grep -c NOTIFY_SOCKET of-i3").stdout.trim(), "0");
    desk.quits("i3-msg exit");
    desk.comes_back(0, SOON);
    // A killed i3 leaves its files there.
    desk.user("ada", "rm -rf of-i3 bin /run/user/1000/i3; systemctl --user disable asks.service").ok();
    desk.is_clean();
}

#[test]
fn a_configuration_says_that_it_is_ready_and_exports_something() {
    let desk = Desk::at_prompt();
    settings(&desk, "[session]\nready = \"notified\"\n");
    let none = desk.user("ada", "startxd ready");
    assert!(none.code() == 4 && none.stderr.contains("no session of startxd is up"), "{none}");
    desk.types(&format!("startxd start {OPENBOX}"));
    wait_until("the window manager", SOON, || {
        let root = desk.with_display("xprop -root _NET_SUPPORTING_WM_CHECK");
        if root.stdout.contains("window id") { Ok(()) } else { Err(root.to_string()) }
    });
    assert_eq!(desk.state("graphical-session.target"), "inactive");
    for (words, why) in [
        ("'1X=2'", "is not a variable"),
        ("NAME", "is not a variable"),
        ("$'A=\\n'", "control characters"),
        ("DISPLAY=:7", "DISPLAY belongs to the session"),
    ] {
        let refused = desk.user("ada", &format!("bash -c \"startxd ready {words}\""));
        assert!(!refused.status.success() && refused.stderr.contains(why), "{refused}");
    }
    assert_eq!(desk.state("graphical-session.target"), "inactive");
    desk.user("ada", "startxd ready 'WM_SOCKET=/run/user/1000/a b' OTHER=").ok();
    desk.is_up();
    assert_eq!(desk.environment().values(["WM_SOCKET", "OTHER"]), [Some("/run/user/1000/a b"), Some("")]);
    // Again, with another value.
    desk.user("ada", "startxd ready WM_SOCKET=/elsewhere").ok();
    assert_eq!(desk.environment().get("WM_SOCKET"), Some("/elsewhere"));
    desk.quits_openbox();
    desk.ended(0);
    assert_eq!(desk.environment().has(&["WM_SOCKET", "OTHER"]), Vec::<String>::new());

    // By systemd's protocol, with a socket in the session's environment; and a window manager that never reports.
    settings(&desk, "[session]\nready = \"notified\"\n[deadlines]\nwindow_manager = 0.3\n");
    desk.write_as(
        "ada",
        "~/session",
        "#!/bin/sh\nuntil [ -e ~/go ]; do sleep 0.02; done &\nopenbox & wait %1\nsystemd-notify --ready; wait\n",
    );
    desk.user("ada", "chmod +x session").ok();
    desk.types("startxd start ./session");
    desk.journal_says("have your configuration run startxd ready");
    assert_eq!(desk.state("graphical-session.target"), "inactive");
    desk.user("ada", "touch go").ok();
    desk.is_up();
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
    desk.user("ada", "rm go session").ok();
    settings(&desk, "");
    desk.is_clean();
}
