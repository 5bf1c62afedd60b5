//! Sessions on the login VT, from the command that a person types to the next prompt.

use crate::harness::{Autologin, Guest, Mode, SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

#[test]
fn the_server_runs_unprivileged_on_the_vt_and_in_its_unit() {
    let desk = Desk::at_prompt();
    desk.root("test -u /usr/lib/xorg/Xorg.wrap").ok();
    desk.starts(OPENBOX);

    let server = desk.server();
    assert_eq!(server.exe, "/usr/lib/xorg/Xorg");
    assert_eq!(server.uids, "1000 1000 1000 1000");
    assert_eq!(server.tty, "tty1");
    let group = desk.unit("xorg@0.service", "ControlGroup");
    assert!(server.cgroup.starts_with(&group), "{} is not in {group}", server.cgroup);

    assert_eq!(desk.unit("xorg@0.service", "Type"), "notify");
    assert_eq!(desk.states(&["xorg@0.service", "xorg@0.socket"]), ["xorg@0.service active", "xorg@0.socket active"]);
    let main = desk.unit("xorg@0.service", "MainPID");
    assert_eq!(desk.root(&format!("tr '\\0' ' ' < /proc/{main}/cmdline")).text(), "/usr/bin/startxd serve 0");

    let session = desk.session(&desk.login.session).expect("the login session");
    assert_eq!(["Type", "Active", "State"].map(|key| session[key].as_str()), ["x11", "yes", "active"]);

    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn programs_find_the_display_and_the_window_manager() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let display = desk.run("xdpyinfo").ok().stdout;
    assert!(display.contains("name of display:    :0"), "{display}");
    let manager = desk.run("xprop -root _NET_SUPPORTING_WM_CHECK").text();
    assert!(manager.contains("window id # 0x"), "{manager}");

    desk.run(
        "systemd-run --user --quiet --collect -p PartOf=graphical-session.target xterm -T 'ada works' -e sleep 600",
    )
    .ok();
    desk.sees_window("ada works");
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn autologin_execs_startxd_and_logs_in_again_after_each_logout() {
    let case = Guest::get();
    case.write_profile("ada", "startxd check may-start && exec startxd start -- openbox --sm-disable\n");
    let login = case.login(&Autologin::default());
    let desk = Desk::logged_in(case, login);
    let mut before = String::new();
    for round in 0..3 {
        let session = wait_until("the next session", SOON, || {
            let sessions = desk.sessions();
            let session = sessions.iter().find(|s| s["Name"] == "ada" && s["TTY"] == "tty1" && s["State"] == "active");
            match session {
                Some(session) if session["Id"] != before => Ok(session["Id"].clone()),
                _ => Err(format!("{sessions:?}")),
            }
        });
        desk.is_up();
        if round == 2 {
            desk.write_profile("ada", "");
        }
        desk.quits_openbox();
        before = session;
    }
    desk.vt().wait_prompt(SOON);
}

#[test]
fn i3_and_awesome_are_window_managers_too() {
    let desk = Desk::at_prompt();
    for (manager, exit) in [("i3", "i3-msg exit"), ("awesome", "awesome-client 'awesome.quit()'")] {
        desk.starts(&format!("-- {manager}"));
        assert_eq!(desk.environment().get("XDG_CURRENT_DESKTOP"), Some(manager));
        desk.quits(exit);
        desk.ended(0);
    }
}

#[test]
fn the_display_survives_a_switch_to_another_terminal() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let server = desk.server();
    for _ in 0..3 {
        Guest::vt(&desk, 2).switch();
        desk.vt().switch();
        desk.vt().wait_mode(Mode::Graphics, SOON);
    }
    assert_eq!(desk.server(), server);
    desk.with_display("xdpyinfo").ok();
    desk.quits_openbox();
    desk.ended(0);
}
