//! The supervisor is killed (9): the server ends with it; the rest is as after a crash of the server.

use crate::faults::{another, manages};
use crate::scenario::{Desk, OPENBOX};

#[test]
fn a_killed_supervisor_takes_its_server_with_it_and_both_come_back() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let server = desk.server();
    desk.root("pkill -KILL -u ada -f '^/usr/bin/startxd serve'").ok();
    another(&desk, "Xorg", &server.pid);
    manages(&desk);
    desk.unit_becomes("xorg@0.service", "active");
    assert_eq!(desk.state("graphical-session.target"), "active");
    desk.quits_openbox();
    desk.ended(0);
    desk.starts_again();
}
