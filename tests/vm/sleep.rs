//! The machine is suspended to memory and woken up.

use serde_json::json;

use crate::machine::{Case, DESK, SOON};

/// To sleep and back.
fn sleeps(case: &Case) {
    case.tell("systemctl suspend");
    case.wait_event("SUSPEND", SOON);
    case.order("system_wakeup", json!({}));
    case.wait_event("WAKEUP", SOON);
}

#[test]
fn of_the_machine_changes_nothing() {
    let case = Case::desktop();
    let server = case.server();
    sleeps(&case);
    case.until("the desktop", |m| m.screen().shows(DESK));
    assert_eq!((case.active_vt(), case.server()), (1, server));
    case.type_line("touch /home/ada/awake");
    case.until_root("the keyboard", "[ -e /home/ada/awake ]");
}

#[test]
#[ignore = "make vm-check runs it"]
fn of_the_machine_twenty_times() {
    let case = Case::desktop();
    let server = case.server();
    for _ in 0..20 {
        sleeps(&case);
        case.until("the desktop", |m| m.screen().shows(DESK));
    }
    assert_eq!((case.active_vt(), case.server()), (1, server));
}

#[test]
#[ignore = "make vm-check runs it"]
fn with_another_terminal_in_front() {
    let case = Case::desktop();
    let server = case.server();
    case.press("ctrl-alt-f2");
    case.until("a login on tty2", |m| m.active_vt() == 2 && m.text(2).contains("login:"));
    sleeps(&case);
    case.until("the machine", |m| m.active_vt() == 2 && !m.screen().shows(DESK));
    case.press("ctrl-alt-f1");
    case.until("the desktop", |m| m.active_vt() == 1 && m.screen().shows(DESK));
    assert_eq!(case.server(), server);
}
