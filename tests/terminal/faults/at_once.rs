//! Stop while starting; start while stopping; two starts at once; start when one is up: one session, no deadlock, and a
//! clear message for the start that loses.

use crate::faults::writes_slow_unit;
use crate::harness::{Mode, SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

#[test]
fn stop_during_the_start_ends_it_in_order() {
    let desk = Desk::at_prompt();
    desk.types(&format!("startxd start {OPENBOX}"));
    wait_until("a host to ask", SOON, || {
        let run = desk.user("ada", "startxd stop");
        if run.status.success() { Ok(()) } else { Err(run.to_string()) }
    });
    desk.ended(0);
    desk.starts_again();
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
fn a_start_while_the_last_session_goes_down_waits_for_its_end() {
    let desk = Desk::at_prompt();
    writes_slow_unit(&desk);
    desk.user("ada", "mkfifo go; systemctl --user enable slow").ok();
    desk.starts(OPENBOX);
    desk.unit_becomes("slow.service", "active");
    let stop = desk.spawn("ada", "startxd stop");
    desk.unit_becomes("slow.service", "deactivating");
    let other = desk.login_autologin(2);
    other.vt.type_line(&format!("startxd start {OPENBOX}; echo \"END $?\""));
    wait_until("the second start to wait", SOON, || {
        let hosts =
            desk.named("ada", "startxd").into_iter().filter(|process| process.args.starts_with("startxd start"));
        if hosts.count() == 2 { Ok(()) } else { Err(format!("{:?}", desk.processes_of("ada"))) }
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

#[test]
fn two_starts_at_once_make_one_session() {
    let desk = Desk::at_prompt();
    for _ in 0..3 {
        let start = format!("startxd start {OPENBOX}");
        desk.types(&format!("{start} & {start}; b=$?; wait $!; echo \"STATUSES $? $b\"; (exit 0)"));
        desk.is_up();
        desk.quits_openbox();
        let screen = desk.ended(0);
        assert!(screen.has("STATUSES 0 19") || screen.has("STATUSES 19 0"), "{screen}");
        assert!(screen.has("startxd stop") || screen.has("is up already"), "{screen}");
    }
}
