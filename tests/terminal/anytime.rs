//! A part is ended or killed at any moment of a start: whatever happens to the session, nothing of it is left.

use std::thread::sleep;

use crate::harness::{SOON, wait_until};
use crate::scenario::{Desk, OPENBOX, moments};

/// A start takes about a quarter of a second.
const START: u64 = 320;

/// Types a start, runs `disturbance` as root at each of the moments, waits for the session if it comes up, ends it
/// then, and expects one of `statuses`, and nothing left.
fn sweep(disturbance: &str, statuses: &[u8]) {
    let desk = Desk::at_prompt();
    for moment in moments(START) {
        // In a shell of its own: the login shell drops the rest of the line when a program dies of SIGINT, as startxd
        // does in its first moments. Then the words that tell the test of the end would not be printed.
        desk.types(&format!("bash -c 'startxd start {OPENBOX}; exit $?'"));
        sleep(moment);
        let hit = desk.root(disturbance).status.success();
        wait_until("the session to be up, or over", SOON, || {
            if desk.exit_status().is_some()
                || desk.with_display("xprop -root _NET_SUPPORTING_WM_CHECK | grep '# 0x'").status.success()
            {
                Ok(())
            } else {
                Err(format!("{} ms, hit {hit}: {}", moment.as_millis(), desk.vt()))
            }
        });
        let stop = desk.user("ada", "startxd stop");
        let (status, screen) = desk.comes_back_somehow(SOON);
        assert!(
            statuses.contains(&status),
            "{disturbance} after {} ms, hit {hit}: exit status {status}\n{screen}\n{stop}",
            moment.as_millis()
        );
        let left = desk.what_is_left();
        assert!(left.is_empty(), "{disturbance} after {} ms, hit {hit}, status {status}:\n{left}", moment.as_millis());
        desk.restarts_a_logind_that_hangs();
    }
    desk.starts(OPENBOX);
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn the_host_is_told_to_end() {
    // 143: the signal came before there was anything to end.
    sweep("pkill -TERM -u ada -f '^startxd start'", &[0, 143]);
}

#[test]
fn the_person_presses_control_c() {
    sweep("pkill -INT -u ada -f '^startxd start'", &[0, 130]);
}

#[test]
fn the_server_is_killed() {
    sweep("pkill -KILL -u ada -x Xorg", &[0, 3]);
}

#[test]
fn the_supervisor_is_killed() {
    sweep("pkill -KILL -u ada -f '^/usr/bin/startxd serve'", &[0, 3]);
}

#[test]
fn the_window_manager_is_killed() {
    sweep("pkill -KILL -u ada -x openbox", &[0]);
}

#[test]
fn the_window_manager_is_told_to_end() {
    sweep("pkill -TERM -u ada -x openbox", &[0]);
}

#[test]
fn the_units_are_stopped() {
    sweep("systemctl --machine=ada@ --user stop xorg.target", &[0, 1, 3]);
}

#[test]
fn the_host_is_killed_and_the_next_start_repairs_what_is_left() {
    let desk = Desk::at_prompt();
    for moment in moments(START) {
        desk.types(&format!("startxd start {OPENBOX}"));
        sleep(moment);
        let hit = desk.root("pkill -KILL -u ada -f '^startxd start'").status.success();
        if hit {
            desk.comes_back(137, SOON);
            // Until the host is gone it reads the keyboard and discards what is typed.
            desk.server_is_gone();
        } else {
            desk.is_up();
            desk.user("ada", "startxd stop").ok();
            desk.ended(0);
        }
        desk.starts(OPENBOX);
        desk.quits_openbox();
        desk.ended(0);
    }
}
