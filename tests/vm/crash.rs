//! The X server crashes, with a screen and a keyboard in use.

use crate::machine::{Case, DESK};

#[test]
fn of_the_server_in_the_foreground() {
    let case = Case::desktop();
    let mut server = case.server();
    for signal in ["KILL", "SEGV"] {
        case.root(&format!("kill -{signal} {server}")).ok();
        server = case.managed_after(&server);
        assert_eq!(case.active_vt(), 1);
    }
    // The server has the keyboard again.
    case.press("ctrl-alt-f2");
    case.until("tty2 on the screen", |m| m.active_vt() == 2 && !m.screen().shows(DESK));
}

#[test]
fn of_the_server_in_the_background() {
    let case = Case::desktop();
    let server = case.server();
    case.press("ctrl-alt-f2");
    case.until("a login on tty2", |m| m.active_vt() == 2 && m.text(2).contains("login:"));
    case.root(&format!("kill -KILL {server}")).ok();
    case.until("the server's end to be noticed", |m| m.server() != server);
    // A person at tty2 stays there.
    assert_eq!(case.active_vt(), 2);
    assert!(!case.screen().shows(DESK));
    case.press("ctrl-alt-f1");
    case.managed_after(&server);
    assert_eq!(case.active_vt(), 1);
}

#[test]
fn of_the_server_while_locked() {
    let case = Case::desktop();
    let server = case.server();
    let session = case.root("loginctl list-sessions --no-legend | awk '/tty1/ { print $1 }'").text();
    // Replaces a screen locker: it covers everything, and tells logind so.
    case.user("ada", "systemd-run --user --quiet -E DISPLAY -E XAUTHORITY xterm -fullscreen -bg black -fg black").ok();
    case.until("the locker", |m| !m.screen().shows(DESK));
    let logind = "busctl call org.freedesktop.login1";
    let manager = format!("{logind} /org/freedesktop/login1 org.freedesktop.login1.Manager GetSession s {session}");
    let path = case.root(&format!("{manager} | cut -d '\"' -f 2")).text();
    case.user("ada", &format!("{logind} {path} org.freedesktop.login1.Session SetLockedHint b true")).ok();
    let heard = "grep -q 'closes_login = true' /run/user/1000/startxd/session.toml";
    case.until_root("the host to have heard of the lock", heard);
    case.root(&format!("kill -SEGV {server}")).ok();
    // The frame is older than the answer: if it shows the desktop, it is the next login's, or the session is not
    // closed.
    let gone = format!("! loginctl show-session {session} 2> /dev/null | grep -qx State=active");
    case.until("the login to be closed", |m| {
        let frame = m.screen();
        let is_gone = m.root(&gone).status.success();
        assert!(is_gone || !frame.shows(DESK), "a frame shows the desktop");
        is_gone
    });
    case.managed_after(&server);
    assert_ne!(case.root("loginctl list-sessions --no-legend | awk '/tty1/ { print $1 }'").text(), session);
}
