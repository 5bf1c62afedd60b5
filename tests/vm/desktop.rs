//! A day at the desktop: power on, autologin, other terminals by keyboard, logout.

use serde_json::json;

use crate::machine::{Case, DESK, SOON};

#[test]
fn comes_by_autologin_and_is_rootless() {
    let case = Case::desktop();
    assert_eq!(case.root("systemctl is-system-running --wait").text(), "running");
    let status = case.user("ada", "startxd status").text();
    for what in ["seat0, tty1, in the foreground", "display  :0", "rootless (uid 1000)", "nothing is wrong"] {
        assert!(status.contains(what), "{what}: {status}");
    }
    let log = case.root("cat /home/ada/.local/share/xorg/Xorg.0.log").text();
    assert!(log.contains("modeset(0)") && log.contains("systemd-logind: took control of session"), "{log}");
    assert!(log.contains("AT Translated Set 2 keyboard"), "{log}");
    assert_eq!(case.root("ps -o user= -C Xorg").text(), "ada");
    let report = case.user("ada", "startxd doctor");
    assert!(!report.stdout.contains("error"), "{report}");
}

#[test]
fn a_logout_by_keyboard_is_followed_by_the_next_autologin() {
    let case = Case::desktop();
    let server = case.server();
    let session = case.root("loginctl list-sessions --no-legend | grep tty1").text();
    case.type_line("openbox --exit");
    case.managed_after(&server);
    let next = case.root("loginctl list-sessions --no-legend | grep tty1").text();
    assert_ne!(session, next, "it is another login");
    case.nothing_was_forced();
}

/// Expects of a boot's journal that everything ended by itself, ada's session from the window manager to the login.
fn ended_in_order(journal: &str) {
    let (_, end) = journal.rsplit_once("Power key pressed").unwrap_or_else(|| panic!("{journal}"));
    for word in ["SIGKILL", "timed out", "imeout", "Failed", "failed", "code=killed", "code=dumped"] {
        assert!(!end.contains(word), "{word}: {end}");
    }
    let order = [
        "the session ends: ended by SIGTERM",
        "Stopped target wm-ready.target",
        "Stopped openbox.service",
        "Stopped target xorg.target",
        "Stopped xorg@0.service",
        "Reached target startxd-shutdown.target",
        "Stopped session-",
        "Stopped user@1000.service",
        "Stopped systemd-logind.service",
    ];
    let places = order.map(|line| end.find(line).unwrap_or_else(|| panic!("no {line:?}: {end}")));
    assert!(places.is_sorted(), "{places:?} {order:?}: {end}");
}

#[test]
#[ignore = "make vm-check runs it"]
fn the_power_button_ends_it_in_order() {
    let case = Case::desktop();
    case.order("system_powerdown", json!({}));
    case.wait_event("SHUTDOWN", SOON);
    let serial = case.serial();
    assert!(!serial.contains("SIGKILL") && !serial.contains("timed out"), "{serial}");
    // The next boot has the journal of this one.
    case.order("system_reset", json!({}));
    case.order("cont", json!({}));
    case.is_at_login();
    ended_in_order(&case.root("journalctl -b -1 --no-pager -q -o cat").text());
    case.discard();
}

#[test]
#[ignore = "make vm-check runs it"]
fn is_there_again_after_a_reboot() {
    let case = Case::desktop();
    case.tell("systemctl reboot");
    case.wait_event("RESET", SOON);
    case.until("the next boot's desktop", |m| m.screen().shows(DESK));
    let last = case.root("journalctl -b -1 --no-pager -q -o cat").text();
    assert!(!last.contains("SIGKILL") && !last.contains("timed out"), "{last}");
}
