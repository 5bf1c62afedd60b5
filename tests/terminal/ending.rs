//! How sessions end on request, whoever makes it.

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
fn stop_without_a_session_says_so() {
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
fn a_host_that_hangs_is_named_with_the_remedy() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[deadlines]\nlaunch = 0.5\nuser_manager = 0.5\n");
    desk.starts(OPENBOX);
    let host = desk.root("pgrep -u ada -f '^startxd start'").text();
    desk.root(&format!("kill -STOP {host}")).ok();
    let stop = desk.user("ada", "startxd stop");
    assert_eq!(stop.code(), 1, "{stop}");
    let remedy = format!("kill -KILL {host}");
    assert!(stop.stderr.contains("did not answer within 1 s") && stop.stderr.contains(&remedy), "{stop}");
    desk.user("ada", &remedy).ok();
    // The shell got the terminal back when the host was stopped.
    desk.comes_back_somehow(SOON);
    wait_until("nothing to be left", SOON, || match desk.what_is_left() {
        left if left.is_empty() => Ok(()),
        left => Err(left.to_string()),
    });
    // It reports its job's end before the next prompt.
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
fn a_program_that_an_application_starts_as_it_ends_is_ended_too() {
    let desk = Desk::at_prompt();
    // One that leaves a child behind when it is told to end, and one that does so when the window manager is gone.
    let session = "#!/bin/bash\n\
        bash -c 'trap \"setsid sleep 1111 & exit\" TERM; touch ~/there; while :; do sleep 0.05; done' &\n\
        trap 'setsid sleep 1112 & kill $wm; exit 0' TERM\n\
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

#[test]
fn clients_elsewhere_are_asked_to_end_while_they_have_their_display() {
    let desk = Desk::at_prompt();
    // 143 if SIGTERM ended it, 1 if it lost its display.
    desk.write_as("ada", "~/logo", "#!/bin/sh\nDISPLAY=:0 xlogo -title $1; echo $? >~/$1.end\n");
    desk.user("ada", "chmod +x logo").ok();
    desk.writes_unit("daemon.service", "[Service]\nExecStart=/usr/bin/xlogo -title daemon\n");
    desk.writes_unit(
        "panel.service",
        "[Unit]\nPartOf=graphical-session.target\n[Service]\nExecStart=/usr/bin/xlogo -title panel\n\
         ExecStopPost=sh -c 'echo $EXIT_STATUS >~/panel.end'\n",
    );
    desk.starts(OPENBOX);
    let begin = "cd; setsid systemd-run --user --scope ./logo scope >/dev/null 2>&1 </dev/null &
        systemd-run --user --quiet --unit=made ./logo made
        setsid systemd-run --user --scope --slice=app-graphical.slice sleep 1001 >/dev/null 2>&1 </dev/null &
        setsid systemd-run --user --scope sleep 1002 >/dev/null 2>&1 </dev/null &
        setsid ./logo outside >/dev/null 2>&1 </dev/null &
        systemctl --user start daemon panel";
    desk.user("ada", begin).ok();
    for window in ["scope", "made", "outside", "daemon", "panel"] {
        desk.sees_window(window);
    }
    desk.user("ada", "startxd stop").ok();
    desk.comes_back(0, SOON);
    for client in ["scope", "made", "outside"] {
        assert_eq!(desk.user("ada", &format!("cat {client}.end")).text(), "143", "{client}");
    }
    // A user's own daemon is left alone, and what is no client has nothing to do with the session.
    assert_eq!(desk.unit("daemon.service", "ExecMainStatus"), "1");
    assert_eq!(desk.user("ada", "cat panel.end").text(), "TERM");
    assert_eq!(desk.user("ada", "pgrep -f 'sleep 100[12]' | wc -l").text(), "1", "the graphical slice ends with it");
    desk.user("ada", "pkill -f 'sleep 100[2]'; rm logo *.end; systemctl --user reset-failed").ok();
    desk.becomes_clean();
}

#[test]
fn a_client_that_does_not_end_is_named_and_left() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[deadlines]\napplications = 0.5\n");
    desk.starts(OPENBOX);
    let program = "trap '' TERM; exec xlogo -title stubborn";
    desk.user(
        "ada",
        &format!("cd; DISPLAY=:0 setsid systemd-run --user --scope sh -c \"{program}\" >/dev/null 2>&1 &"),
    )
    .ok();
    desk.sees_window("stubborn");
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
    desk.journal_says("was asked to end with the session and has not; it loses its display");
}
