//! Everything is killed (9) at once, at each stage of a start and of a stop: the next start finds the remains, reports
//! them, repairs them (environment, cookie, sockets, locks, failed units) and works.

use std::thread::sleep;

use crate::harness::{Autologin, Background, Guest, SOON, wait_until};
use crate::scenario::{Desk, OPENBOX, Screen, moments};

/// Everything of startxd, the server, and the window manager.
const KILL: &str = "pkill -KILL -u ada -x 'startxd|Xorg|openbox'";

#[test]
fn at_each_stage_of_a_start() {
    let desk = Desk::at_prompt();
    for stage in moments(320) {
        desk.types(&format!("startxd start {OPENBOX}"));
        sleep(stage);
        if desk.root(KILL).status.success() {
            desk.comes_back(137, SOON);
        } else {
            // It was not up yet.
            desk.is_up();
            desk.root(KILL).ok();
            desk.comes_back(137, SOON);
        }
        desk.server_is_gone();
        desk.restarts_a_logind_that_hangs();
        desk.starts_again();
    }
}

#[test]
fn at_the_moment_that_hangs_logind() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[deadlines]\nuser_manager = 2\n");
    desk.hang_logind(&desk.login.session);
    desk.restarts_a_logind_that_hangs();
    assert!(!desk.logind_hangs());
    desk.starts_again();
}

#[test]
fn at_each_stage_of_a_stop() {
    let desk = Desk::at_prompt();
    for stage in moments(120) {
        desk.starts(OPENBOX);
        let stop: Background = desk.spawn("ada", "startxd stop");
        sleep(stage);
        // At the last stages everything may be over already.
        let _ = desk.root(KILL);
        desk.comes_back_somehow(SOON);
        stop.wait(SOON);
        desk.server_is_gone();
        desk.starts_again();
    }
}

#[test]
fn the_remains_of_a_session_are_repaired_before_the_next_start() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.root(KILL).ok();
    desk.comes_back(137, SOON);
    // Only the unit helps that systemd starts when a supervisor was killed.
    desk.becomes_clean();
    // Not even an empty control group, which is not checked otherwise.
    let group = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/session.slice/xorg@0.service";
    assert!(!desk.outside(group).exists(), "{group} is left");
    let repair = desk.journal("-o cat -t startxd");
    assert!(repair.contains("ended without cleaning up"), "{repair}");
    desk.server_is_gone();
    desk.starts_again();
}

#[test]
fn the_next_start_repairs_what_nothing_else_did_and_says_so() {
    let desk = Desk::at_prompt();
    desk.user("ada", "systemctl --user mask --runtime startxd-repair.service").ok();
    desk.starts(OPENBOX);
    desk.root(KILL).ok();
    desk.comes_back(137, SOON);
    desk.server_is_gone();
    desk.starts(OPENBOX);
    desk.user("ada", "systemctl --user unmask --runtime startxd-repair.service").ok();
    desk.quits_openbox();
    desk.ended(0).says(&["ended without cleaning up"]);
}

/// Waits until a server other than `before` runs, or until a login is told that it has no user manager or no runtime
/// directory, or is not a session, and what to do.
fn has_a_session(desk: &Desk, before: &str) -> bool {
    wait_until("another session, or a reason why not", SOON, || {
        if desk.named("ada", "Xorg").iter().any(|server| server.pid.to_string() != before) {
            return Ok(true);
        }
        let screen = Screen(desk.vt().screen());
        let told = screen.has("startxd: ") && screen.has("log out and in again");
        if told && desk.vt().at_prompt() { Ok(false) } else { Err(screen.0) }
    })
}

#[test]
fn every_process_of_the_user_with_her_manager_her_bus_and_her_shell() {
    let case = Guest::get();
    case.write_profile("ada", "startxd check may-start -v && exec startxd start -- openbox --sm-disable\n");
    let login = case.login(&Autologin::default());
    let mut desk = Desk::logged_in(case, login);
    desk.is_up();
    for _ in 0..3 {
        let server = desk.server();
        // A getty is not started a sixth time within ten seconds (systemd-system.conf(5)), and this is quick.
        desk.system().reset_failed();
        // Their files in /tmp outlive all of them; the getty logs her in again at once.
        desk.root("pkill -KILL -u ada").ok();
        // So soon that logind may still count on the killed manager, or pid 1 may just remove the user's slice and
        // runtime directory: then that login has no manager, or is not a session.
        while !has_a_session(&desk, &server.pid) {
            desk.system().reset_failed();
            // Not by exit: Debian's ~/.bash_logout switches terminals. logind blocks that forever if the terminal was
            // hung up before it could restore it ("Failed to restore VT", seen on 262); the next session's server
            // repairs that.
            desk.vt().type_line("clear; exec true");
        }
        desk.is_up();
        assert_eq!(desk.environment().get("DISPLAY"), Some(":0"));
    }
    desk.write_profile("ada", "");
    desk.system().reset_failed();
    desk.quits_openbox();
    desk.vt().wait_prompt(SOON);
    desk.root("ls /tmp/.X0-lock /tmp/.X11-unix/X0 2>/dev/null").fails();
    desk.logs_in_again();
    desk.starts_again();
}
