//! How sessions end when somebody asks for it, on whatever way.

mod harness;
mod scenario;

use harness::Mode;
use scenario::{Desk, OPENBOX};

#[test]
fn stop_returns_when_the_session_is_gone() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.user("ada", "startxd stop").ok();
    assert_eq!(desk.vt().mode(), Mode::Text);
    desk.is_clean();
    desk.ended(0);
    desk.starts_again();
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
    desk.starts_again();
}

#[test]
fn somebody_who_stops_xorg_target_ends_the_session() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.user("ada", "systemctl --user stop xorg.target").ok();
    desk.ended(0);
    desk.starts_again();
}

#[test]
fn somebody_who_stops_the_sockets_ends_the_session() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.user("ada", "systemctl --user stop xorg@0.socket").ok();
    desk.ended(0);
    desk.starts_again();
}

#[test]
fn what_an_application_starts_as_its_last_act_ends_too() {
    let desk = Desk::at_prompt();
    // One that leaves somebody behind when it is told to end, and one that does so when the window manager is gone.
    let session = "#!/bin/bash\n\
        bash -c 'trap \"setsid sleep 1111 & exit\" TERM; touch ~/there; while :; do sleep 0.05; done' &\n\
        trap 'setsid sleep 1112 & kill $wm; wait $wm; exit 0' TERM\n\
        openbox --sm-disable & wm=$!\n\
        wait $wm\n";
    desk.write_as("ada", "~/session", session);
    desk.user("ada", "chmod +x session").ok();
    desk.starts("./session");
    desk.user("ada", "test -e there").ok();
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
    desk.starts_again();
}
