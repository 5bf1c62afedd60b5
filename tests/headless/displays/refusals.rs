//! What is impossible: one line that says why and what to do, the right status, and nothing half-started.

use crate::displays::place::Place;

#[test]
fn command_lines_that_make_no_sense() {
    let place = Place::new();
    for (command, words) in [
        ("start --size 0x0", &["0x0", "from 1 to 32767"][..]),
        ("start --size 99999x99999", &["99999x99999", "from 1 to 32767"]),
        ("start --size abc", &["\"abc\" is not a size", "1920x1080"]),
        ("run --size 1920 -- true", &["\"1920\" is not a size"]),
        ("start --depth 7", &["no X server has the depth 7", "24"]),
        ("start :99999", &["too high", ":59535"]),
        ("start host:0", &["names a host"]),
        ("start --server Xorg", &["--server", "xvfb"]),
        ("start --ready soon", &["managed", "started"]),
        ("start --deadline launch", &["NAME=SECONDS"]),
        ("start -- -auth /x", &["\"-auth\" is not possible here"]),
        ("run :x -- true", &["is not a display", "after --"]),
        ("run :7 --size 800x600 -- true", &["omit one of them"]),
        ("start --session wm.target", &["wm.target"]),
        ("stop :x", &["is not a display"]),
        ("run", &["COMMAND"]),
        ("stop", &[":N"]),
    ] {
        let status = if command.contains("wm.target") { 23 } else { 2 };
        place.refuses(&format!("startxd display {command}"), status, words);
    }
}

#[test]
fn what_is_not_there() {
    let place = Place::new();
    for (command, status, words) in [
        ("stop :7", 4, &["startxd has not started display :7", "startxd display list"][..]),
        ("run :7 -- true", 4, &["startxd has not started display :7"]),
        ("start --server /nonexistent", 22, &["/nonexistent does not exist"]),
        ("start --server /etc/passwd", 22, &["is not a program"]),
        ("start --server xephyr", 22, &["DISPLAY is not set"]),
        ("start --session no-such-wm", 23, &["no-such-wm"]),
        ("run -- no-such-command", 127, &["there is no command no-such-command"]),
    ] {
        place.refuses(&format!("startxd display {command}"), status, words);
    }
    place.refuses("PATH=/nonexistent /usr/bin/startxd display start", 22, &["there is no Xvfb", "apt install xvfb"]);
    assert_eq!(place.line("startxd display list --json"), "[]");
    let nobody = place.user("eve", "env -u XDG_RUNTIME_DIR startxd display run -- true");
    assert_eq!(nobody.code(), 11, "{nobody}");
    assert!(nobody.stderr.contains("sudo loginctl enable-linger eve"), "{nobody}");
}

#[test]
fn servers_that_do_not_serve() {
    let place = Place::new();
    let script = |name: &str, text: &str| {
        place.write_as("ada", &format!("~/{name}"), &format!("#!/bin/sh\n{text}\n"));
        place.user("ada", &format!("chmod +x {name}")).ok();
    };
    script("exits", "echo no such chip >&2; exit 3");
    script("hangs", "exec sleep 1234");
    script("without-activation", "unset LISTEN_FDS LISTEN_PID; exec Xvfb \"$@\"");
    place.write_as("ada", "~/nothing", "");
    place.user("ada", "chmod +x nothing").ok();
    for (server, words) in [
        ("exits", &["exited with status 3 before it was ready", "no such chip"][..]),
        ("hangs", &["did not answer within 0.5 s", "deadlines.server_ready"]),
        ("nothing", &["cannot be executed"]),
    ] {
        let options = format!("--server ~/{server} --deadline server_ready=0.5");
        place.refuses(&format!("startxd display start {options}"), 3, words);
        place.refuses(&format!("startxd display start :7 --session openbox {options}"), 3, words);
        place.refuses(&format!("startxd display run {options} -- touch ran"), 3, words);
    }
    // It creates a socket of its own.
    let words = ["the server is not usable: it does not use the socket", "built without -Dsystemd_notify=true"];
    for command in ["start --server ~/without-activation", "run --server ~/without-activation touch ran"] {
        place.refuses(&format!("startxd display {command}"), 3, &words);
    }
    place.user("ada", "ls ran").fails();
    // Commands that do not make a session.
    let deadline = "--deadline window_manager=0.5";
    place.refuses(
        &format!("startxd display start {deadline} --session 'sleep 1234'"),
        1,
        &["no window manager manages", "--ready started"],
    );
    place.refuses(
        &format!("startxd display run {deadline} --session 'sleep 1234' -- true"),
        1,
        &["no window manager manages"],
    );
    place.refuses("startxd display start --session false", 1, &["has failed"]);
    // This is enough if the option says so.
    place.line("startxd display start :7 --ready started --session 'sleep 1234'");
    place.user("ada", "startxd display stop :7").ok();
    place.becomes_clean();
}
