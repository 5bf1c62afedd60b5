//! The units: when they are started, where their processes are, and how they end.

use crate::harness::{SOON, wait_until};
use crate::multiplexers::ada::Ada;

/// Whether this suite's tmux puts panes into scopes of their own (3.4 and later, built with systemd).
fn has_scopes(ada: &Ada) -> bool {
    ada.suite() != "bookworm"
}

#[test]
fn a_started_unit_can_be_attached_to() {
    let ada = Ada::new();
    // Immediately, without a pause that could hide that it is not up yet.
    ada.does("systemctl --user start tmux@work && tmux has-session -t work").ok();
    ada.does("systemctl --user start screen@work && screen -S work -Q echo x").ok();
    ada.does("systemctl --user restart tmux@work tmux screen@work && tmux has-session -t =work && screen -ls work")
        .ok();
    let pane = ada.says("tmux list-panes -t work -F '#{pane_pid}'");
    let server = ada.says("tmux display-message -p '#{pid}'");
    assert_eq!(ada.unit_of(&server), "tmux.service");
    assert_eq!(ada.unit("tmux.service", "MainPID"), server);
    let unit = ada.unit_of(&pane);
    assert!(unit.starts_with("tmux-spawn-") == has_scopes(&ada), "{unit}");
    let screen = ada.unit("screen@work.service", "MainPID");
    assert_eq!(ada.unit_of(&screen), "screen@work.service");
    // A new window is in it too, and has what a login shell has.
    ada.becomes("ps -o args= --ppid $(systemctl --user show --value -p MainPID screen@work)", "-/bin/bash");
    // Variables that describe only the unit do not reach the panes.
    let environment = ada.says("tmux show-environment -g; tmux display-message -p '#{socket_path}'");
    for name in ["INVOCATION_ID", "JOURNAL_STREAM", "NOTIFY_SOCKET"] {
        assert!(!environment.contains(name), "{environment}");
    }
    assert!(environment.ends_with("/tmp/tmux-1000/default"), "{environment}");
    ada.does("systemctl --user stop tmux screen@work").ok();
}

/// Starts a program in a pane or window of each that ignores SIGHUP, and returns the pids.
fn stubborn(ada: &Ada) -> Vec<String> {
    ada.write_as("ada", "~/stubborn", "#!/bin/bash\ntrap '' HUP\ntrap 'echo ended > ~/ended.$1; exit' TERM\necho $$ > ~/pid.$1\nwhile :; do sleep 1 & wait; done\n");
    ada.does(
        "chmod +x stubborn; tmux new-window -t work '~/stubborn tmux'; screen -S work -X screen ./stubborn screen",
    )
    .ok();
    let pid = |name: &str| ada.wait_file(&format!("/home/ada/pid.{name}")).trim().to_owned();
    ["tmux", "screen"].map(pid).to_vec()
}

#[test]
fn a_clean_stop_lets_programs_end() {
    let ada = Ada::new();
    ada.does("systemctl --user start tmux@work screen@work").ok();
    let pids = stubborn(&ada);
    let stop = ada.does("systemctl --user stop tmux screen@work").ok();
    assert!(stop.took.as_secs() < 10, "{stop}");
    for (pid, name) in pids.iter().zip(["tmux", "screen"]) {
        assert_eq!(ada.says(&format!("cat ended.{name}")), "ended");
        ada.does(&format!("kill -0 {pid}")).fails();
    }
    for unit in ["tmux.service", "tmux@work.service", "screen@work.service"] {
        assert_eq!([ada.unit(unit, "ActiveState"), ada.unit(unit, "Result")], ["inactive", "success"], "{unit}");
    }
    assert_eq!(ada.says("systemctl --user list-units --all --plain --no-legend 'tmux-spawn-*'"), "");
}

#[test]
fn one_session_ends_and_the_others_stay() {
    let ada = Ada::new();
    ada.does("systemctl --user start tmux@work tmux@other").ok();
    if has_scopes(&ada) {
        let pid = stubborn_in_tmux(&ada);
        ada.does("systemctl --user stop tmux@work").ok();
        ada.does(&format!("kill -0 {pid}")).fails();
    } else {
        ada.does("systemctl --user stop tmux@work").ok();
    }
    assert_eq!(ada.says("tmux list-sessions -F '#{session_name}'"), "other");
    // A session that ended by itself is created again.
    ada.does("tmux kill-session -t other; systemctl --user restart tmux@other; tmux has-session -t other").ok();
    // When the server ends, so do its sessions' units.
    ada.does("tmux kill-server").ok();
    ada.manager("ada").wait_state(&["tmux.service", "tmux@other.service"], "inactive");
}

fn stubborn_in_tmux(ada: &Ada) -> String {
    ada.does("systemctl --user start screen@work").ok();
    let pids = stubborn(ada);
    ada.does("systemctl --user stop screen@work").ok();
    pids[0].clone()
}

#[test]
fn a_server_that_crashes_comes_back_with_its_sessions() {
    let ada = Ada::new();
    ada.does("systemctl --user enable tmux@work screen@work; systemctl --user start multiplexer.target").ok();
    ada.becomes("tmux list-sessions -F '#{session_name}'", "work");
    let before = [ada.unit("tmux.service", "MainPID"), ada.unit("screen@work.service", "MainPID")];
    ada.does(&format!("kill -9 {}", before.join(" "))).ok();
    ada.becomes("tmux list-sessions -F '#{session_name}'", "work");
    ada.manager("ada").wait_active(&["tmux@work", "screen@work"]);
    assert!(!before.contains(&ada.unit("tmux.service", "MainPID")));
    ada.does("systemctl --user stop tmux screen@work; systemctl --user disable tmux@work screen@work").ok();
}

#[test]
fn a_server_started_by_a_login_is_not_taken_for_the_units_own() {
    let ada = Ada::new();
    ada.does("tmux new-session -d -s mine").ok();
    ada.root("loginctl enable-linger ada").ok();
    let before = ada.settings();
    ada.does("systemctl --user start tmux@work").fails();
    let told = ada.does("startxd enable multiplexer tmux work");
    assert_eq!(told.code(), 31, "{told}");
    assert!(told.stderr.contains("runs already") && told.stderr.contains("tmux kill-server"), "{told}");
    assert_eq!(ada.settings(), before);
    let journal = ada.journal("-t startxd -o cat");
    assert!(journal.contains("another tmux server of yours runs already (pid "), "{journal}");
    // It was left alone.
    assert_eq!(ada.says("tmux list-sessions -F '#{session_name}'"), "mine");
    ada.does("tmux kill-server; systemctl --user reset-failed").ok();
    ada.wait_ended(&["tmux"]);
}

#[test]
fn names_are_escaped_and_bad_ones_refused() {
    let ada = Ada::new();
    for name in ["a-b c/d", "ümläut", "ende;"] {
        let unit = ada.says(&format!("systemd-escape --template=tmux@.service -- '{name}'"));
        let started = ada.does(&format!("systemctl --user start '{unit}'"));
        if name.ends_with(';') {
            started.fails();
            ada.does("systemctl --user reset-failed").ok();
        } else {
            started.ok();
            ada.does(&format!("tmux has-session -t '={name}'")).ok();
        }
    }
    ada.does("systemctl --user start 'screen@a\\x20b.service' && screen -S 'a b' -Q echo x").ok();
    ada.does("systemctl --user stop tmux 'screen@*'").ok();
    let before = ada.settings();
    let long = "x".repeat(256);
    for (name, part) in [
        ("a.b", "separates a window"),
        ("a:b", "separates a session"),
        ("#(touch evil)", "begins a format"),
        ("", "is empty"),
        (long.as_str(), "is too long"),
    ] {
        let told = ada.does(&format!("startxd enable multiplexer tmux '{name}'"));
        assert_eq!(told.code(), 2, "{told}");
        assert!(told.stderr.contains(part) && told.stderr.lines().count() == 1, "{told}");
    }
    let told = ada.does("startxd enable multiplexer screen a/b");
    assert!(told.code() == 2 && told.stderr.contains("its socket"), "{told}");
    assert_eq!(ada.settings(), before);
    ada.does("pgrep -u ada tmux").fails();
}

/// A tmux server that listens but does not accept, with its queue full.
const DEAF: &str = r"
import os, socket, time
os.makedirs('/tmp/tmux-1000', 0o700, exist_ok=True)
server = socket.socket(socket.AF_UNIX)
server.bind('/tmp/tmux-1000/default')
server.listen(0)
first = socket.socket(socket.AF_UNIX)
first.connect('/tmp/tmux-1000/default')
print('deaf', flush=True)
time.sleep(600)
";

#[test]
fn a_server_that_does_not_accept_delays_nothing() {
    let ada = Ada::new();
    let deaf = ada.shell_as("ada", "exec python3 -").stdin(DEAF).spawn();
    wait_until("it to listen", SOON, || if deaf.stdout().contains("deaf") { Ok(()) } else { Err(deaf.stderr()) });
    let status = ada.does("startxd status");
    assert!(status.took.as_secs() < 10, "{status}");
    let silent = "the tmux server on /tmp/tmux-1000/default does not answer";
    assert!(format!("{}{}", status.stdout, status.stderr).contains(silent), "{status}");
    drop(deaf);
    ada.does("rm /tmp/tmux-1000/default").ok();
}

#[test]
fn names_are_passed_through_unchanged_or_refused_with_a_sentence() {
    let ada = Ada::new();
    let long = "a".repeat(32);
    for (program, name) in [
        ("screen", "a$HOME"),
        ("screen", "50%h ${SHELL}"),
        ("screen", "ada@example.org"),
        ("screen", "a.b.c"),
        ("screen", &long),
        ("tmux", "50%h"),
        ("tmux", "ada@example"),
        ("tmux", &long),
    ] {
        let unit = ada.says(&format!("systemd-escape --template={program}@.service -- '{name}'"));
        let shown = ada.does(&format!("startxd start --multiplexer {program} '{name}' < /dev/null"));
        // There is no terminal to attach to; a refusal comes before that.
        assert!(!shown.stderr.contains("cannot be the name"), "{shown}");
        ada.does(&format!("systemctl --user start '{unit}'")).ok();
        let listed = match program {
            "screen" => ada.does("screen -ls").stdout,
            _ => ada.says("tmux list-sessions -F '.#{session_name}:'"),
        };
        let end = if program == "screen" { '\t' } else { ':' };
        assert!(listed.contains(&format!(".{name}{end}")), "{program} {name}: {listed}");
        ada.does(&format!("systemctl --user stop '{unit}'")).ok();
        assert_eq!(ada.unit(&unit, "Result"), "success", "{unit}");
        let listed = ada.does("screen -ls; tmux list-sessions -F '.#{session_name}'").stdout;
        assert!(!listed.contains(&format!(".{name}")), "{program} {name}: {listed}");
    }
    ada.does("systemctl --user stop tmux").ok();
    for (program, name) in [("tmux", "a$HOME"), ("tmux", "a.b"), ("tmux", "%1"), ("tmux", "@1"), ("screen", "a/b")] {
        let told = ada.does(&format!("startxd enable multiplexer {program} '{name}'"));
        assert_eq!(told.code(), 2, "{told}");
        assert!(told.stderr.contains("cannot be the name of a"), "{told}");
    }
}

/// Not every guest can have the kernel kill for memory, so the result of that is simulated.
#[test]
fn an_out_of_memory_kill_affects_nothing_else() {
    let ada = Ada::new();
    ada.does("systemctl --user start tmux@work screen@work; startxd display start :7 --session openbox").ok();
    for unit in
        ["tmux.service", "screen@work.service", "startxd-display@7.service", "startxd-display-session@7.service"]
    {
        assert_eq!(ada.unit(unit, "OOMPolicy"), "continue", "{unit}");
    }
    for (run, unit) in [("run :7", "startxd-display-run-7-*.scope"), ("run", "startxd-display-[0-9]*.scope")] {
        let policy = format!("startxd display {run} -- systemctl --user show --value -p OOMPolicy '{unit}'");
        assert_eq!(ada.says(&policy), "continue", "{run}");
    }
    ada.does("startxd display stop :7; systemctl --user stop tmux screen@work").ok();
}
