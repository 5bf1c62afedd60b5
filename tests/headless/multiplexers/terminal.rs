//! `startxd start --multiplexer`: a terminal for a session. Here by ssh; on a virtual terminal in
//! `tests/terminal/multiplexer.rs`.

use crate::harness::{SOON, wait_until};
use crate::multiplexers::ada::Ada;

#[test]
fn a_login_shows_it_and_detaching_ends_the_command() {
    let mut ada = Ada::new();
    ada.has_ssh();
    ada.root("loginctl enable-linger ada").ok();
    let login = ada.on_terminal("startxd start --multiplexer tmux work");
    ada.becomes("tmux list-clients -F '#{session_name}'", "work");
    // The server is in its unit, not in the login session.
    assert_eq!(ada.unit_of(&ada.says("tmux display-message -p '#{pid}'")), "tmux.service");
    ada.does("tmux detach-client -s work").ok();
    wait_until("the end of the command", SOON, || {
        if login.stdout().contains("status 0") { Ok(()) } else { Err(login.stdout()) }
    });
    ada.does("tmux has-session -t work").ok();
    drop(login);

    // A second time, and its last program ends: then a new one is started.
    for _ in 0..2 {
        let login = ada.on_terminal("startxd start --multiplexer tmux work");
        ada.becomes("tmux list-clients -F '#{session_name}'", "work");
        ada.does("tmux send-keys -t work 'exit' Enter").ok();
        wait_until("the end of the command", SOON, || {
            if login.stdout().contains("status 0") { Ok(()) } else { Err(login.stdout()) }
        });
    }
    let screen = ada.on_terminal("startxd start --multiplexer screen");
    ada.becomes("screen -ls | grep -c Attached", "1");
    ada.does("screen -S main -X quit").ok();
    wait_until("the end of the command", SOON, || {
        if screen.stdout().contains("status 0") { Ok(()) } else { Err(screen.stdout()) }
    });
    ada.does("systemctl --user stop tmux").ok();
}

#[test]
fn impossible_requests_are_refused() {
    let ada = Ada::new();
    for (command, code, part) in [
        ("startxd start --multiplexer tmux", 15 + 1, "a multiplexer needs a terminal"),
        ("TMUX=/tmp/x,1,0 startxd start --multiplexer screen", 19, "runs inside tmux"),
        ("STY=1.x startxd start --multiplexer tmux", 19, "runs inside screen"),
        ("startxd start --multiplexer tmux a.b", 2, "separates"),
        ("startxd start --multiplexer tmux a b", 2, "is one word"),
        ("startxd start --multiplexer byobu", 2, "invalid value"),
        (
            "python3 -c \"import os, pty; exit(os.waitstatus_to_exitcode(pty.spawn('startxd start --multiplexer \
             zellij'.split())))\"",
            23,
            "zellij is not installed",
        ),
    ] {
        let told = ada.does(command);
        assert_eq!(told.code(), code, "{told}");
        assert!(format!("{}{}", told.stdout, told.stderr).contains(part), "{told}");
    }
    ada.does("pgrep -u ada tmux").fails();
}
