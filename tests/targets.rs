//! The targets of a session, and what hangs on them: when it starts, and in which order it ends.

mod harness;
mod scenario;

use harness::{SOON, wait_until};
use scenario::{Desk, OPENBOX};

/// All targets that a session brings.
const TARGETS: [&str; 6] = [
    "xorg.target",
    "wm.target",
    "graphical-session-pre.target",
    "graphical-session.target",
    "wm-ready.target",
    "xdg-desktop-autostart.target",
];

/// Writes down who is there: `record NAME`. Without a server the display's socket still listens, and a client waits for
/// its end: no longer than `ended` allows an end to take.
const RECORD: &str = r#"#!/bin/bash
running() { if pgrep -u ada -x "$1" > /dev/null; then echo yes; else echo no; fi; }
answers() { if timeout 2 "$@" > /dev/null 2>&1; then echo yes; else echo no; fi; }
exported() { systemctl --user show-environment | sed -n s/^DISPLAY=//p; }
echo "$1: wm $(running openbox), display $(answers xdpyinfo), manager has ${XAUTHORITY:+a cookie for }$(exported)" >> ~/record.log
"#;

fn records(desk: &Desk) -> Vec<String> {
    let text = desk.user("ada", "cat record.log 2>/dev/null").stdout;
    text.lines().map(str::to_owned).collect()
}

fn writes_record(desk: &Desk) {
    desk.write_as("ada", "~/record", RECORD);
    desk.user("ada", "chmod +x record").ok();
}

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
    writes_record(&desk);
    // systemd signals everything in the unit until nothing new is in it, the handler's children too.
    let program = "#!/bin/bash\ntrap 'trap \"\" TERM; ~/record stopped; exit 0' TERM\n~/record started\n\
                   while :; do sleep infinity & wait; done\n";
    desk.write_as("ada", "~/program", program);
    desk.user("ada", "chmod +x program").ok();
    let entry = "[Desktop Entry]\nType=Application\nName=Program\nExec=/home/ada/program\n";
    desk.write_as("ada", "~/.config/autostart/program.desktop", entry);
    desk.user("ada", "systemctl --user daemon-reload").ok();

    desk.starts(OPENBOX);
    wait_until("the program's record", SOON, || match records(&desk) {
        lines if lines.is_empty() => Err(desk.states(&TARGETS).join(", ")),
        _ => Ok(()),
    });
    assert_eq!(desk.state("app-program@autostart.service"), "active");
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
    let there = "wm yes, display yes, manager has a cookie for :0";
    assert_eq!(records(&desk), [format!("started: {there}"), format!("stopped: {there}")]);
}

#[test]
fn the_end_is_applications_then_window_manager_then_server_then_environment() {
    let desk = Desk::at_prompt();
    writes_record(&desk);
    desk.writes_unit(
        "app.service",
        "[Unit]\nPartOf=graphical-session.target\nAfter=graphical-session.target\n\
         [Service]\nExecStart=sleep infinity\nExecStartPost=%h/record app\nExecStop=%h/record app\n\
         [Install]\nWantedBy=graphical-session.target\n",
    );
    desk.writes_unit(
        "mywm.service",
        "[Unit]\nRequires=xorg.target\nAfter=xorg.target\n\
         [Service]\nExecStart=openbox --sm-disable\nExecStop=%h/record wm-stops\nExecStopPost=%h/record wm-stopped\n\
         [Install]\nWantedBy=wm.target\n",
    );
    desk.writes_unit("xorg@.service.d/record.conf", "[Service]\nExecStopPost=%h/record x-stopped\n");
    desk.user("ada", "systemctl --user enable app mywm").ok();
    let (all, no_wm, no_display) = (
        "wm yes, display yes, manager has a cookie for :0",
        "wm no, display yes, manager has a cookie for :0",
        "wm no, display no, manager has a cookie for :0",
    );

    desk.starts("");
    desk.unit_becomes("app.service", "active");
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
    assert_eq!(
        records(&desk),
        [
            format!("app: {all}"),
            format!("app: {all}"),
            format!("wm-stops: {all}"),
            format!("wm-stopped: {no_wm}"),
            format!("x-stopped: {no_display}"),
        ]
    );

    // When the window manager goes first, which is how people log out, the rest is the same.
    desk.user("ada", "rm record.log").ok();
    desk.starts("");
    desk.unit_becomes("app.service", "active");
    desk.quits_openbox();
    desk.ended(0);
    let lines = records(&desk);
    assert_eq!(lines.first(), Some(&format!("app: {all}")));
    assert!(lines.contains(&format!("app: {no_wm}")), "{lines:?}");
    assert_eq!(lines.last(), Some(&format!("x-stopped: {no_display}")));
}
