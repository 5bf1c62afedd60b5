//! How sessions end when somebody asks for it, on whatever way.

mod harness;
mod scenario;

use harness::{Mode, SOON, wait_until};
use scenario::Desk;

const OPENBOX: &str = "-- openbox --sm-disable";

/// What every end is followed by: another session, as good as the first.
fn starts_again(desk: &Desk) {
    desk.starts(OPENBOX);
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn stop_returns_when_the_session_is_gone() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.user("ada", "startxd stop").ok();
    assert_eq!(desk.vt().mode(), Mode::Text);
    desk.is_clean();
    desk.ended(0);
    starts_again(&desk);
}

#[test]
fn stop_without_a_session_says_that_there_is_none() {
    let desk = Desk::at_prompt();
    let run = desk.user("ada", "startxd stop");
    assert_eq!(
        (run.code(), run.stderr.trim()),
        (4, "startxd: no session of startxd is up; see: startxd status"),
        "{run}"
    );
    desk.is_clean();
}

#[test]
fn stop_works_from_a_terminal_window_that_it_ends() {
    let desk = Desk::at_prompt();
    let session = "#!/bin/sh\nopenbox --sm-disable &\nexec xterm -T inside -e sh -c 'read _ < ~/go; startxd stop'\n";
    desk.write_as("ada", "~/session", session);
    desk.user("ada", "chmod +x session; mkfifo go").ok();
    desk.starts("./session");
    desk.sees_window("inside");
    desk.user("ada", "echo > go").ok();
    desk.ended(0);
    starts_again(&desk);
}

#[test]
fn stop_during_the_start_ends_it_in_order() {
    let desk = Desk::at_prompt();
    desk.types(&format!("startxd start {OPENBOX}"));
    wait_until("a host to ask", SOON, || {
        let run = desk.user("ada", "startxd stop");
        if run.status.success() { Ok(()) } else { Err(run.to_string()) }
    });
    desk.ended(0);
    starts_again(&desk);
}

#[test]
fn a_second_start_is_refused_while_a_session_is_up() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let other = desk.login_autologin(2);
    other.vt.type_line("startxd start -- i3; echo \"END $?\"");
    other.vt.wait_text("\nEND 19", SOON);
    desk.logout(&other);
    desk.vt().switch();
    desk.with_display("xdpyinfo").ok();
    desk.quits_openbox();
    desk.comes_back(0, SOON);
}

#[test]
fn a_terminate_signal_to_the_host_is_a_clean_end() {
    let desk = Desk::at_prompt();
    for signal in ["TERM", "HUP", "INT", "QUIT"] {
        desk.starts(OPENBOX);
        desk.root(&format!("pkill -{signal} -u ada -f '^startxd start'")).ok();
        desk.ended(0);
    }
    starts_again(&desk);
}

#[test]
fn somebody_who_stops_xorg_target_ends_the_session() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.user("ada", "systemctl --user stop xorg.target").ok();
    desk.ended(0);
    starts_again(&desk);
}

#[test]
fn somebody_who_stops_the_sockets_ends_the_session() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.user("ada", "systemctl --user stop xorg@0.socket").ok();
    desk.ended(0);
    starts_again(&desk);
}

#[test]
fn logind_ends_the_session_and_with_it_ours() {
    let mut desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.root(&format!("loginctl terminate-session {}", desk.login.session)).ok();
    desk.is_logged_out();
    desk.logs_in();
    starts_again(&desk);
}

#[test]
fn the_getty_is_stopped_and_the_session_ends_in_order() {
    let mut desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.root("systemctl stop getty@tty1").ok();
    desk.is_logged_out();
    desk.logs_in();
    starts_again(&desk);
}

#[test]
fn the_terminal_hangs_up_and_the_session_ends_in_order() {
    let mut desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    // As vhangup(2) does, which getty calls when it takes a terminal over.
    desk.root("python3 -c 'import fcntl, os; fcntl.ioctl(os.open(\"/dev/tty1\", os.O_RDWR | os.O_NOCTTY), 0x5437)'")
        .ok();
    desk.is_logged_out();
    desk.logs_in();
    starts_again(&desk);
}

#[test]
fn the_user_is_terminated_with_the_manager() {
    let mut desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.root("loginctl terminate-user ada").ok();
    desk.wait_session_gone(&desk.login, SOON);
    wait_until("tty1 in text mode", SOON, || match desk.vt().mode() {
        Mode::Text => Ok(()),
        mode => Err(format!("{mode:?}")),
    });
    desk.logs_in_again();
    starts_again(&desk);
}

#[test]
fn a_start_while_the_last_session_goes_down_waits_for_its_end() {
    let desk = Desk::at_prompt();
    desk.writes_unit(
        "slow.service",
        "[Unit]\nPartOf=graphical-session.target\nAfter=graphical-session.target\n\
         [Service]\nExecStart=sleep infinity\nExecStop=sh -c 'read _ < %h/go'\n\
         [Install]\nWantedBy=graphical-session.target\n",
    );
    desk.user("ada", "mkfifo go; systemctl --user enable slow").ok();
    desk.starts(OPENBOX);
    desk.unit_becomes("slow.service", "active");
    let stop = desk.spawn("ada", "startxd stop");
    desk.unit_becomes("slow.service", "deactivating");
    let other = desk.login_autologin(2);
    other.vt.type_line(&format!("startxd start {OPENBOX}; echo \"END $?\""));
    wait_until("the second start to wait", SOON, || {
        let run = desk.root("pgrep -u ada -fc '^startxd start'");
        if run.stdout.trim() == "2" { Ok(()) } else { Err(run.to_string()) }
    });
    desk.user("ada", "systemctl --user disable slow; echo > go").ok();
    stop.wait(SOON).ok();
    desk.comes_back(0, SOON);
    other.vt.wait_mode(Mode::Graphics, SOON);
    desk.unit_becomes("graphical-session.target", "active");
    desk.quits_openbox();
    other.vt.wait_text("\nEND 0", SOON);
    desk.logout(&other);
    desk.vt().switch();
}
