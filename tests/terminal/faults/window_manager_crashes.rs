//! The window manager crashes (SIGSEGV, SIGKILL): it is started again; X, the applications and their windows stay;
//! after a few crashes in a minute the session ends with a message, or runs the configured rescue command instead.

use crate::faults::{another, manages};
use crate::scenario::{Desk, OPENBOX};

#[test]
fn a_killed_window_manager_comes_back_on_the_same_server() {
    let mut desk = Desk::at_prompt();
    desk.expect_crash();
    desk.starts(OPENBOX);
    let server = desk.server();
    let mut manager = another(&desk, "openbox", "");
    for signal in ["KILL", "SEGV"] {
        desk.root(&format!("kill -{signal} {manager}")).ok();
        manager = another(&desk, "openbox", &manager);
        manages(&desk);
    }
    assert_eq!(desk.server(), server);
    assert_eq!(desk.state("graphical-session.target"), "active");
    desk.quits_openbox();
    let said = "startxd-wm@openbox.service crashed and is being started again";
    desk.ended(0).says(&[&format!("{said} (1 of 3)"), &format!("{said} (2 of 3)")]);
}

#[test]
fn a_window_manager_that_always_crashes_ends_the_session_as_failed() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/badwm", "#!/bin/sh\nkill -SEGV $$\n");
    desk.user("ada", "chmod +x badwm").ok();
    desk.types("startxd start ./badwm");
    let screen = desk.ended(1);
    screen.says(&["startxd-wm@badwm.service failed", "journalctl --user -b -u startxd-wm@badwm.service"]);
    assert!(screen.0.matches("is being started again").count() <= 3, "{screen}");
    desk.starts_again();
}

#[test]
fn a_window_manager_that_exits_with_an_error_does_not_come_back_forever() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/badwm", "#!/bin/sh\nxdpyinfo > /dev/null || exit 9\necho cannot go on >&2\nexit 7\n");
    desk.user("ada", "chmod +x badwm").ok();
    desk.types("startxd start ./badwm");
    let screen = desk.ended(1);
    screen.says(&["startxd-wm@badwm.service failed", "exited with status 7", "it said:", "cannot go on"]);
    // It never came up, so another start would only fail in the same way.
    assert!(!screen.0.contains("started again"), "{screen}");
    // Later, and elsewhere, the reason is still shown.
    let status = desk.user("ada", "startxd status || true").text();
    assert!(status.contains("exited with status 7") && status.contains("cannot go on"), "{status}");
    desk.starts_again();
}

#[test]
fn a_usage_error_ends_the_session_at_once_with_the_window_managers_message() {
    let desk = Desk::at_prompt();
    let says = "unrecognized option '--nonsense'";
    let unit = |restart: &str| {
        format!(
            "[Unit]\nRequires=xorg.target\nAfter=xorg.target\nBefore=wm.target\n[Service]\n{restart}\
             ExecStart=i3 --nonsense\n[Install]\nWantedBy=wm.target\n"
        )
    };
    for restart in [None, Some(""), Some("Restart=on-failure\n"), Some("Restart=always\nRestartSec=0\n")] {
        if let Some(restart) = restart {
            desk.writes_unit("mywm.service", &unit(restart));
            desk.user("ada", "systemctl --user enable mywm").ok();
        }
        desk.types(if restart.is_some() { "startxd start" } else { "startxd start -- i3 --nonsense" });
        let screen = desk.ended(1);
        screen.says(&["exited with status 1", "it said:", says]);
        assert!(!screen.0.contains("started again"), "{restart:?}\n{screen}");
    }
    desk.user("ada", "systemctl --user disable mywm").ok();
    desk.starts_again();
}

#[test]
fn the_rescue_command_replaces_at_once_what_never_came_up() {
    let desk = Desk::at_prompt();
    let rescue = "[crash]\nrescue = [\"xterm\", \"-T\", \"rescue\", \"-e\", \"sleep\", \"600\"]\n";
    desk.write_as("ada", "~/.config/startxd/startxd.toml", rescue);
    desk.write_as("ada", "~/badwm", "#!/bin/sh\nxdpyinfo > /dev/null || exit 9\necho started >> ~/starts\nexit 7\n");
    desk.user("ada", "chmod +x badwm").ok();
    desk.types("startxd start ./badwm");
    desk.sees_window("rescue");
    desk.runs("sleep");
    desk.run("pkill -x sleep").ok();
    desk.ended(1).says(&["startxd-wm@badwm.service failed", "exited with status 7", "runs in its place"]);
    assert_eq!(desk.user("ada", "cat starts").text(), "started");
    desk.user("ada", "rm .config/startxd/startxd.toml").ok();
    desk.starts_again();
}

#[test]
fn applications_stay_when_the_window_manager_crashes_and_go_when_the_server_does() {
    let desk = Desk::at_prompt();
    let app = "systemd-run --user --quiet --collect --unit=app -p PartOf=graphical-session.target xterm -T stays -e sleep 600";
    desk.starts(OPENBOX);
    desk.run(app).ok();
    desk.sees_window("stays");
    let pid = desk.unit("app.service", "MainPID");
    desk.root("pkill -KILL -u ada -x openbox").ok();
    manages(&desk);
    desk.sees_window("stays");
    assert_eq!(desk.unit("app.service", "MainPID"), pid);

    let server = desk.server();
    desk.root(&format!("kill -KILL {}", server.pid)).ok();
    another(&desk, "Xorg", &server.pid);
    manages(&desk);
    desk.unit_becomes("app.service", "inactive");
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn a_part_can_be_restarted_by_itself() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let (server, manager) = (desk.server(), another(&desk, "openbox", ""));
    desk.user("ada", "startxd restart wm").ok();
    let manager = another(&desk, "openbox", &manager);
    manages(&desk);
    assert_eq!(desk.server(), server);

    for restart in ["startxd restart xorg", "systemctl --user restart xorg@0.service"] {
        let server = desk.server();
        desk.user("ada", restart).ok();
        another(&desk, "Xorg", &server.pid);
        another(&desk, "openbox", &manager);
        manages(&desk);
        desk.is_up();
    }
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn the_rescue_command_takes_its_place_when_there_is_one() {
    let desk = Desk::at_prompt();
    let rescue = "[crash]\nlimit = 1\nrescue = [\"xterm\", \"-T\", \"rescue\", \"-e\", \"sleep\", \"600\"]\n";
    desk.write_as("ada", "~/.config/startxd/startxd.toml", rescue);
    desk.write_as(
        "ada",
        "~/badwm",
        "#!/bin/sh\nxdpyinfo > /dev/null || exit 9\necho started >> ~/starts\nkill -KILL $$\n",
    );
    desk.user("ada", "chmod +x badwm").ok();
    desk.types("startxd start ./badwm");
    desk.sees_window("rescue");
    assert_eq!(desk.user("ada", "cat starts").text(), "started\nstarted");
    let server = desk.server();

    // It belongs to the session as much as the window manager did: after a crash of the server it alone comes back.
    desk.root(&format!("kill -KILL {}", server.pid)).ok();
    another(&desk, "Xorg", &server.pid);
    desk.sees_window("rescue");
    assert_eq!(desk.user("ada", "cat starts").text(), "started\nstarted");

    // The window appears before the program in it.
    desk.runs("sleep");
    desk.run("pkill -x sleep").ok();
    let screen = desk.ended(1);
    screen.says(&[
        "startxd-wm@badwm.service failed",
        "SIGKILL",
        "runs in its place",
        "is being started again (1 of 1)",
    ]);
    assert_eq!(screen.0.matches("being started").count(), 1, "{screen}");
    desk.user("ada", "rm .config/startxd/startxd.toml").ok();
    desk.starts_again();
}

#[test]
fn a_person_may_restart_it_more_often_than_it_may_crash() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let mut manager = another(&desk, "openbox", "");
    for _ in 0..6 {
        desk.user("ada", "startxd restart wm").ok();
        manager = another(&desk, "openbox", &manager);
        manages(&desk);
    }
    desk.quits_openbox();
    desk.ended(0);
}

/// The unit that `startxd enable wm openbox` writes, which does not set `Restart=`.
const WRITTEN_UNIT: &str = include_str!("../../fixtures/golden/window-manager/openbox");

#[test]
fn a_persons_unit_without_restart_settings_comes_back_as_well() {
    let mut desk = Desk::at_prompt();
    desk.expect_crash();
    assert!(!WRITTEN_UNIT.contains("Restart="), "{}", WRITTEN_UNIT);
    desk.writes_unit("openbox.service", WRITTEN_UNIT);
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[crash]\nlimit = 2\n");
    desk.user("ada", "systemctl --user enable openbox").ok();
    desk.starts("");
    let server = desk.server();
    desk.run("systemd-run --user --quiet --collect --unit=app -p PartOf=graphical-session.target xterm -T stays -e sleep 600").ok();
    desk.sees_window("stays");
    let app = desk.unit("app.service", "MainPID");
    let mut manager = another(&desk, "openbox", "");
    for signal in ["SEGV", "KILL"] {
        desk.root(&format!("kill -{signal} {manager}")).ok();
        manager = another(&desk, "openbox", &manager);
        manages(&desk);
    }
    assert_eq!((desk.server(), desk.unit("app.service", "MainPID")), (server, app));
    assert_eq!(desk.state("graphical-session.target"), "active");
    desk.root(&format!("kill -KILL {manager}")).ok();
    desk.ended(1).says(&[
        "openbox.service crashed and is being started again (2 of 2)",
        "openbox.service failed",
        "SIGKILL",
    ]);
    desk.user("ada", "rm .config/startxd/startxd.toml; systemctl --user disable openbox").ok();
    desk.starts_again();
}

#[test]
fn children_of_a_persons_unit_survive_its_crash_and_end_with_the_session() {
    let desk = Desk::at_prompt();
    assert!(WRITTEN_UNIT.contains("KillMode=process"), "{}", WRITTEN_UNIT);
    desk.write_as("ada", "~/wm", "#!/bin/sh\nsetsid sleep 1111 &\nexec openbox --sm-disable\n");
    desk.writes_unit("openbox.service", &WRITTEN_UNIT.replace("/usr/bin/openbox", "%h/wm"));
    desk.user("ada", "chmod +x wm; systemctl --user enable openbox").ok();
    desk.starts("");
    let (manager, started) = (another(&desk, "openbox", ""), another(&desk, "sleep", ""));
    desk.root(&format!("kill -KILL {manager}")).ok();
    another(&desk, "openbox", &manager);
    manages(&desk);
    desk.root(&format!("kill -0 {started}")).ok();
    desk.quits_openbox();
    // At this very moment nothing is left.
    desk.ended(0);
}
