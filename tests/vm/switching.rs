//! Other virtual terminals come to the foreground, by keyboard.

use crate::machine::{Case, DESK};

#[test]
fn another_terminal_is_shown_and_left_by_keyboard() {
    let case = Case::desktop();
    let server = case.server();
    case.press("ctrl-alt-f2");
    case.until("tty2 on the screen", |m| m.active_vt() == 2 && !m.screen().shows(DESK));
    case.until("a login on tty2", |m| m.text(2).contains("login:"));
    assert!(case.user("ada", "startxd status").text().contains("in the background"));
    case.press("ctrl-alt-f1");
    case.until("the desktop", |m| m.active_vt() == 1 && m.screen().shows(DESK));
    assert_eq!(case.server(), server);
}

#[test]
#[ignore = "make vm-check runs it"]
fn fifty_times_while_a_client_draws() {
    let case = Case::desktop();
    let server = case.server();
    let draws = "systemd-run --user --quiet --unit=draws -E DISPLAY -E XAUTHORITY \
        xterm -geometry +600+300 -e 'while :; do date; done'";
    case.user("ada", draws).ok();
    for _ in 0..25 {
        case.press("ctrl-alt-f2");
        case.until("tty2", |m| m.active_vt() == 2);
        case.press("ctrl-alt-f1");
        // A key that is pressed before the picture is back is lost: the kernel gives the keyboard to the server with
        // the terminal, and logind gives it the device a moment later.
        case.until("the desktop", |m| m.active_vt() == 1 && m.screen().shows(DESK));
        case.listens();
    }
    assert_eq!(case.server(), server);
    assert_eq!(case.user("ada", "systemctl --user is-active draws xorg@0").text(), "active\nactive");
}
