//! User names as directory services have them, and the longest that useradd accepts: with `@`, dots and 32 characters
//! they pass unchanged through the getty, the profile line and `startxd@NAME`.

use crate::harness::{Case, Guest, Login, Mode, SOON};
use crate::hostile::{logs_out_of_openbox, wait_up};

const NAMES: [&str; 3] = ["ada.l@example.org", "abcdefghijklmnopqrstuvwxyz012345", "ada-b_1."];

/// Waits until `name` has a desktop on terminal `vt`.
fn desktop(case: &Case, name: &str, vt: u8) -> Login {
    let login = case.wait_session(name, &case.vt(vt), SOON);
    wait_up(case, name);
    login.vt.wait_mode(Mode::Graphics, SOON);
    let status = case.user(name, "startxd status").ok().stdout;
    assert!(status.contains(&format!("tty{vt}")), "{status}");
    login
}

#[test]
fn each_logs_in_by_a_getty_and_by_the_system_unit() {
    for name in NAMES {
        let mut case = Guest::get();
        case.discard();
        case.write_as("ada", "~/.xinitrc", "exec openbox --sm-disable\n");
        case.rename("ada", name);

        case.root(&format!("startxd enable autologin {name} --vt 5 --profile")).ok();
        case.vt(1).switch();
        case.root("systemctl start getty@tty5").ok();
        let login = desktop(&case, name, 5);
        case.root("startxd disable autologin --vt 5").ok();
        logs_out_of_openbox(&case, name, &login.session);
        case.wait_session_gone(&login, SOON);
        case.root("systemctl stop getty@tty5").ok();

        let unit = format!("startxd@{name}");
        case.root(&format!("systemctl start {unit}")).ok();
        let login = desktop(&case, name, 7);
        case.root(&format!("systemctl stop {unit}")).ok();
        case.wait_session_gone(&login, SOON);
    }
}
