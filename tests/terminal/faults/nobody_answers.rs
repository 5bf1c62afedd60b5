//! The user manager hangs, or a start waits for a session that does not end: neither delays anything else, and it is
//! reported.

use crate::faults::writes_slow_unit;
use crate::harness::{Mode, SOON, secs, wait_until};
use crate::scenario::{Desk, OPENBOX};

/// Stops or continues ada's user manager.
fn signal_manager(desk: &Desk, signal: &str) {
    desk.root(&format!("kill -{signal} $(systemctl show --value -p MainPID user@1000)")).ok();
}

/// Deadlines that are short enough for a case.
const SHORT: &str = "[deadlines]\napplications = 1\nuser_manager = 1\nserver_stop = 2\n";

/// The session ends while its manager hangs, and the next start restores what the manager holds.
fn ends_without_an_answer(how: impl FnOnce(&Desk)) {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", SHORT);
    desk.starts(OPENBOX);
    signal_manager(&desk, "STOP");
    how(&desk);
    let screen = desk.comes_back(1, secs(12));
    screen.says(&["the user manager did not answer within", "the next start puts it back"]);
    assert_eq!(desk.vt().mode(), Mode::Text);
    assert!(desk.named("ada", "Xorg").is_empty(), "the server is gone");
    signal_manager(&desk, "CONT");
    desk.starts_again();
}

#[test]
fn a_stop_returns_even_if_the_manager_hangs() {
    ends_without_an_answer(|desk| {
        let stop = desk.spawn("ada", "startxd stop");
        stop.wait(secs(12)).ok();
    });
}

#[test]
fn a_signal_ends_the_session_even_if_the_manager_hangs() {
    ends_without_an_answer(|desk| {
        desk.root("pkill -TERM -u ada -f '^startxd start'").ok();
    });
}

#[test]
fn a_manager_that_hangs_for_a_while_costs_nothing() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    signal_manager(&desk, "STOP");
    let server = desk.named("ada", "Xorg").first().expect("a server").pid;
    desk.root(&format!("kill -SEGV {server}")).ok();
    // The host notices the end of its server, whatever else hangs: logind puts the terminal into text mode.
    wait_until("tty1 in text mode", SOON, || match desk.vt().mode() {
        Mode::Text => Ok(()),
        mode => Err(format!("{mode:?}")),
    });
    signal_manager(&desk, "CONT");
    desk.is_up();
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn ctrl_c_ends_the_wait_for_a_session_that_does_not_end() {
    let desk = Desk::at_prompt();
    writes_slow_unit(&desk);
    // Disable the repair, which would clean up a dead session before the next start.
    desk.user("ada", "mkfifo go; systemctl --user enable slow; systemctl --user mask --runtime startxd-repair").ok();
    desk.starts(OPENBOX);
    desk.unit_becomes("slow.service", "active");
    // The supervisor must not notice, or it would start the end in the host's place.
    desk.root(
        "pkill -STOP -u ada -f 'startxd serve'; pkill -KILL -u ada -f '^startxd start'; pkill -KILL -u ada startxd",
    )
    .ok();
    desk.comes_back(137, SOON);
    desk.types("startxd start -- openbox");
    desk.unit_becomes("slow.service", "deactivating");
    desk.vt().wait_text("ended without cleaning up", SOON);
    desk.vt().type_text("\x03");
    desk.comes_back(0, secs(2)).says(&["ended by SIGINT before the session began"]);
    assert_eq!(desk.root("ls /run/user/1000/startxd | grep -c -e lock -e host.sock || true").text(), "0");
    desk.user("ada", "systemctl --user disable slow; echo > go; systemctl --user unmask --runtime startxd-repair").ok();
    desk.unit_becomes("slow.service", "inactive");
    desk.starts_again();
}
