//! The host is killed (9), hung up, terminated, `loginctl terminate-session`, terminal closed: everything of the session
//! goes down in order, nothing is left, environment restored; the next autologin has a session again at once.

use crate::faults::{another, manages};
use crate::harness::{Autologin, Guest, Mode, SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

#[test]
fn when_the_host_is_killed_the_supervisor_ends_the_session_in_its_place() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.root("pkill -KILL -u ada -f '^startxd start'").ok();
    desk.comes_back(137, SOON);
    wait_until("all to be gone", SOON, || match desk.what_is_left() {
        left if left.is_empty() => Ok(()),
        left => Err(left.to_string()),
    });
    assert_eq!(desk.vt().mode(), Mode::Text);
    desk.vt().wait_prompt(SOON);
    desk.starts_again();
}

#[test]
fn the_server_is_ended_where_the_user_manager_cannot_be_reached() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[deadlines]\nuser_manager = 1\n");
    desk.starts(OPENBOX);
    // The supervisor is stopped meanwhile, so that it finds the host gone and a manager that hangs.
    desk.root("pkill -STOP -u ada -f '^/usr/bin/startxd serve'; pkill -KILL -u ada -f '^startxd start'").ok();
    desk.comes_back(137, SOON);
    let manager = desk.root("systemctl show --value -p MainPID user@1000").text();
    desk.root(&format!("kill -STOP {manager}; pkill -CONT -u ada -f '^/usr/bin/startxd serve'")).ok();
    desk.server_is_gone();
    assert_eq!(desk.vt().mode(), Mode::Text);
    let said = "ending the session in its place";
    wait_until("the supervisor's word", SOON, || match desk.messages("xorg@0.service") {
        messages if messages.contains(said) => Ok(()),
        messages => Err(messages),
    });
    // What has to be restored is restored when the manager answers again.
    desk.root(&format!("kill -CONT {manager}")).ok();
    desk.becomes_clean();
    desk.starts_again();
}

#[test]
fn a_start_right_after_the_host_was_killed_waits_for_the_end() {
    let desk = Desk::at_prompt();
    for _ in 0..3 {
        desk.starts(OPENBOX);
        desk.root("pkill -KILL -u ada -f '^startxd start'").ok();
        desk.comes_back(137, SOON);
        desk.server_is_gone();
        desk.starts_again();
    }
}

#[test]
fn the_next_autologin_has_a_session_again_at_once() {
    let case = Guest::get();
    case.write_profile("ada", "startxd check may-start && exec startxd start -- openbox --sm-disable\n");
    let login = case.login(&Autologin::default());
    let desk = Desk::logged_in(case, login);
    desk.is_up();
    for signal in ["KILL", "HUP", "TERM"] {
        let server = desk.server();
        if signal == "TERM" {
            desk.write_profile("ada", "");
        }
        desk.root(&format!("pkill -{signal} -u ada -f '^startxd start'")).ok();
        if signal != "TERM" {
            another(&desk, "Xorg", &server.pid);
            desk.is_up();
            manages(&desk);
        }
    }
    desk.vt().wait_prompt(SOON);
}

#[test]
fn a_terminate_signal_to_the_host_is_a_clean_end() {
    let desk = Desk::at_prompt();
    for signal in ["TERM", "HUP", "INT", "QUIT"] {
        desk.starts(OPENBOX);
        desk.root(&format!("pkill -{signal} -u ada -f '^startxd start'")).ok();
        desk.ended(0);
    }
    desk.starts_again();
}

#[test]
fn when_logind_ends_its_session_ours_ends_too() {
    let mut desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.root(&format!("loginctl terminate-session {}", desk.login.session)).ok();
    desk.is_logged_out();
    desk.logs_in();
    desk.starts_again();
}

#[test]
fn the_getty_is_stopped_and_the_session_ends_in_order() {
    let mut desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.root("systemctl stop getty@tty1").ok();
    desk.is_logged_out();
    desk.logs_in();
    desk.starts_again();
}

#[test]
fn the_terminal_hangs_up_and_the_session_ends_in_order() {
    let mut desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    // As vhangup(2) does, which getty calls when it takes over a terminal.
    desk.root("python3 -c 'import fcntl, os; fcntl.ioctl(os.open(\"/dev/tty1\", os.O_RDWR | os.O_NOCTTY), 0x5437)'")
        .ok();
    desk.is_logged_out();
    desk.logs_in();
    desk.starts_again();
}
