//! How sessions end when somebody asks for it, on whatever way.

use crate::harness::{Mode, SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

#[test]
fn stop_returns_when_the_session_is_gone() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.user("ada", "startxd stop").ok();
    assert_eq!(desk.vt().mode(), Mode::Text);
    desk.nothing_of_the_session_is_left();
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
fn a_host_that_hangs_is_named_with_the_way_out() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[deadlines]\nlaunch = 0.5\nuser_manager = 0.5\n");
    desk.starts(OPENBOX);
    let host = desk.root("pgrep -u ada -f '^startxd start'").text();
    desk.root(&format!("kill -STOP {host}")).ok();
    let stop = desk.user("ada", "startxd stop");
    assert_eq!(stop.code(), 1, "{stop}");
    let remedy = format!("kill -KILL {host}");
    assert!(stop.stderr.contains("does not answer within 1 s") && stop.stderr.contains(&remedy), "{stop}");
    desk.user("ada", &remedy).ok();
    // The shell has the terminal back since the host was stopped.
    desk.comes_back_somehow(SOON);
    wait_until("nothing to be left", SOON, || match desk.what_is_left() {
        left if left.is_empty() => Ok(()),
        left => Err(left.to_string()),
    });
    // It tells of its job's end before the next prompt.
    desk.vt().type_line("");
    desk.vt().wait_text("Killed", SOON);
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
