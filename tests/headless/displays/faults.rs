//! What is killed, and what happens to the display.

use crate::displays::place::Place;
use crate::harness::{SOON, wait_until};

#[test]
fn a_dead_server_ends_what_is_on_its_display() {
    let place = Place::new();
    place.line("startxd display start :7 --session openbox");
    let run = place.spawn("ada", "startxd display run :7 -- sleep 1234");
    let manager = place.manager("ada");
    wait_until("the command", SOON, || match manager.units(&[], &["startxd-display-run-*"]) {
        scopes if scopes.iter().any(|scope| scope.sub == "running") => Ok(()),
        scopes => Err(format!("{scopes:?}")),
    });
    drop(manager);
    place.user("ada", "pkill -SEGV Xvfb").ok();
    assert_eq!(run.wait(SOON).code(), 143);
    place.becomes_clean();
    let said = place.journal("-o cat -p err -t startxd");
    assert!(said.contains("the server of display :7") && said.contains("ending the display"), "{said}");
}

#[test]
fn a_window_manager_that_does_not_notice_ends_with_its_server() {
    let place = Place::new();
    // The files that a killed i3 leaves.
    let is_clean = || {
        place.user("ada", "while pgrep -u ada -x i3; do sleep 0.02; done; rm -rf $XDG_RUNTIME_DIR/i3").ok();
        place.becomes_clean();
    };
    place.write_as("ada", "~/.config/i3/config", "# i3 config file (v4)\nfont pango:monospace 8\n");
    place.line("startxd display start :9 --session i3");
    place.user("ada", "pkill -KILL Xvfb").ok();
    is_clean();
    assert_eq!(place.line("startxd display start :9 --session i3"), ":9");
    // The server may be gone by then.
    let _ = place.user("ada", "pkill -KILL Xvfb; startxd display stop :9");
    is_clean();
    // A command on a display of its own is told to end with it.
    let run = place.spawn("ada", "startxd display run --session i3 -- sh -c 'pkill -KILL Xvfb; sleep 1234'");
    assert_eq!(run.wait(SOON).code(), 143);
    is_clean();
}

#[test]
fn a_killed_supervisor_leaves_nothing() {
    let mut place = Place::new();
    place.expect_crash();
    place.line("startxd display start :7 --session openbox");
    place.user("ada", "systemctl --user kill --kill-whom=main -s KILL startxd-display@7 || systemctl --user kill --kill-who=main -s KILL startxd-display@7").ok();
    place.becomes_clean();
    // Nothing is left in the way of the next one.
    assert_eq!(place.line("startxd display start :7"), ":7");
    place.user("ada", "startxd display stop :7").ok();
    place.is_clean();
}

#[test]
fn stopped_by_systemctl_it_leaves_nothing() {
    let place = Place::new();
    place.line("startxd display start :7 --session openbox");
    place.user("ada", "systemctl --user stop startxd-display@7.service").ok();
    place.becomes_clean();
    place.line("startxd display start :7");
    place.user("ada", "systemctl --user stop startxd-display@7.socket").ok();
    place.becomes_clean();
}

#[test]
fn a_start_that_is_interrupted_leaves_nothing() {
    let place = Place::new();
    place.write_as("ada", "~/hangs", "#!/bin/sh\nexec sleep 1234\n");
    place.user("ada", "chmod +x hangs").ok();
    for command in ["start", "run -- true", "run --session openbox -- true"] {
        let command = command.replacen(' ', " --server ~/hangs ", 1);
        let command = if command == "start" { "start --server ~/hangs".to_owned() } else { command };
        let run = place.spawn("ada", &format!("exec startxd display {command}"));
        wait_until("the server to be forked", SOON, || {
            if place.named("ada", "sleep").is_empty() { Err(run.stderr()) } else { Ok(()) }
        });
        place.user("ada", "kill -INT $(pgrep -ox startxd)").ok();
        let run = run.wait(SOON);
        assert_ne!(run.code(), 0, "{run}");
        place.becomes_clean();
    }
}
