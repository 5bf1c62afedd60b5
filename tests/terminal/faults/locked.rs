//! The screen is locked, and something crashes or is killed: neither the session nor the shell below it is left open.

use crate::harness::{Autologin, Guest, Mode, SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

use super::{another, manages};

/// The file that the shell would write if it continued after `startxd start`.
const WENT_ON: &str = "/home/ada/2";

/// Tells logind what a screen locker would, and waits until the host knows it.
fn says(desk: &Desk, locked: bool) {
    let manager = "busctl call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager";
    let path = desk.user("ada", &format!("{manager} GetSession s {}", desk.login.session)).text();
    let path = path.split('"').nth(1).expect("the session's object").to_owned();
    let session = format!("busctl call org.freedesktop.login1 {path} org.freedesktop.login1.Session");
    desk.user("ada", &format!("{session} SetLockedHint b {locked}")).ok();
    wait_until("the host to have heard of the lock", SOON, || {
        let record = desk.read("/run/user/1000/startxd/session.toml");
        if record.contains(&format!("closes_login = {locked}")) { Ok(()) } else { Err(record) }
    });
}

/// Starts a session and locks it.
fn locks(desk: &Desk) {
    desk.root(&format!("rm -f {WENT_ON}")).ok();
    desk.starts(OPENBOX);
    says(desk, true);
}

/// The login is gone, with its shell, and no other server came; the next login works.
fn is_closed(desk: &mut Desk) {
    desk.is_logged_out();
    assert!(!desk.outside(WENT_ON).exists(), "the shell went on");
    let left = desk.root("pgrep -a -u ada 'Xorg|openbox|startxd'");
    assert!(left.stdout.is_empty(), "{left}");
    assert_eq!(desk.vt().mode(), Mode::Text);
    desk.logs_in();
    desk.starts_again();
}

#[test]
fn a_server_that_ends_closes_the_login() {
    let mut desk = Desk::at_prompt();
    for how in ["pkill -SEGV -x Xorg", "pkill -TERM -x Xorg", "pkill -KILL -u ada -f '^/usr/bin/startxd serve'"] {
        locks(&desk);
        desk.root(how).ok();
        is_closed(&mut desk);
        let said = desk.user("ada", "startxd status").stdout;
        assert!(said.contains("last session"), "{said}");
        let journal = desk.journal("-t startxd -o cat");
        assert!(journal.contains("while the screen was locked"), "{how}: {journal}");
    }
}

#[test]
fn a_restart_of_the_server_closes_the_login() {
    let mut desk = Desk::at_prompt();
    for how in ["systemctl --user restart xorg@0.service", "startxd stop"] {
        locks(&desk);
        desk.user("ada", how);
        is_closed(&mut desk);
    }
    locks(&desk);
    desk.root("systemctl restart systemd-logind").ok();
    is_closed(&mut desk);
}

#[test]
fn a_host_that_is_killed_leaves_no_shell() {
    let mut desk = Desk::at_prompt();
    for how in ["^startxd start", "^(startxd start|/usr/bin/startxd serve)"] {
        desk.root("rm -f /home/ada/went-on").ok();
        locks(&desk);
        desk.root(&format!("pkill -KILL -u ada -f '{how}'")).ok();
        desk.wait_session_gone(&desk.login, SOON);
        desk.is_logged_out();
        desk.logs_in();
        desk.starts_again();
        let said = desk.user("ada", "journalctl --user -b -o cat").stdout;
        assert!(said.contains("was ended with its session on the display"), "{how}: {said}");
    }
}

#[test]
fn an_open_screen_and_a_window_manager_that_crashes_close_nothing() {
    let desk = Desk::at_prompt();
    locks(&desk);
    let (server, openbox) = (desk.server(), desk.root("pgrep -u ada -x openbox").text());
    desk.root("pkill -KILL -u ada -x openbox").ok();
    another(&desk, "openbox", &openbox);
    manages(&desk);
    assert_eq!(desk.server().pid, server.pid);
    says(&desk, false);
    desk.root(&format!("kill -SEGV {}", server.pid)).ok();
    another(&desk, "Xorg", &server.pid);
    manages(&desk);
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn a_hint_that_an_earlier_locker_left_is_ignored() {
    let mut desk = Desk::at_prompt();
    locks(&desk);
    // The shell is stopped, so that the login stays: the next session in it is what matters.
    says(&desk, false);
    desk.quits_openbox();
    desk.ended(0);
    let manager = "busctl call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager";
    let path = desk.user("ada", &format!("{manager} GetSession s {}", desk.login.session)).text();
    let path = path.split('"').nth(1).expect("the session's object").to_owned();
    let session = format!("busctl call org.freedesktop.login1 {path} org.freedesktop.login1.Session");
    desk.user("ada", &format!("{session} SetLockedHint b true")).ok();
    desk.starts(OPENBOX);
    let server = desk.server();
    desk.root(&format!("kill -SEGV {}", server.pid)).ok();
    another(&desk, "Xorg", &server.pid);
    manages(&desk);
    // And a locker that locks now is respected.
    desk.root(&format!("rm -f {WENT_ON}")).ok();
    says(&desk, true);
    desk.root("pkill -SEGV -x Xorg").ok();
    is_closed(&mut desk);
}

/// The profile with the line that `startxd enable autologin` writes.
fn with_line(session: &str) -> Desk {
    let case = Guest::get();
    let line = format!("startxd check may-start && startxd start --login {session} && exit\n");
    case.write_profile("ada", &line);
    let login = case.login(&Autologin::default());
    Desk::logged_in(case, login)
}

#[test]
fn the_profiles_line_closes_the_shell_after_every_session_that_was_up() {
    for how in ["pkill -KILL -u ada -f '^startxd start'", "kill"] {
        let desk = with_line(OPENBOX);
        desk.is_up();
        desk.write_profile("ada", "");
        if how == "kill" {
            let mut server = String::new();
            for _ in 0..4 {
                server = another(&desk, "Xorg", &server);
                manages(&desk);
                desk.root(&format!("kill -KILL {server}")).ok();
            }
        } else {
            desk.root(how).ok();
        }
        desk.wait_session_gone(&desk.login, SOON);
        wait_until("status to tell how it ended", SOON, || {
            let status = desk.user("ada", "startxd status").stdout;
            let words = if how == "kill" { "ended by SIGKILL" } else { "was killed, and the session" };
            if status.contains("last session") && status.contains(words) { Ok(()) } else { Err(status) }
        });
        // The getty logs her in again: let it finish.
        desk.wait_session("ada", desk.vt(), SOON).vt.wait_prompt(SOON);
    }
}

#[test]
fn the_profiles_line_keeps_the_shell_after_a_session_that_never_came_up() {
    let desk = with_line("-- sh -c 'exit 3'");
    desk.vt().wait_text("exited with status 3", SOON);
    desk.vt().wait_prompt(SOON);
    assert_eq!(desk.session(&desk.login.session).expect("the same login")["State"], "active");
}
