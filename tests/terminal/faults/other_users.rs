//! Other users on the machine connect to the launch socket and to the display, and put files and symlinks where ours
//! will be: they are refused, nothing leaks, nothing is followed.

use crate::harness::{SOON, secs, wait_until};
use crate::scenario::{Desk, OPENBOX};

const COOKIE: &str = include_str!("../../scenario/cookie.py");
/// Reads the cookie in hexadecimal digits, and everything that its user can read; prints where it finds the cookie.
const PRYING: &str = include_str!("../../scenario/prying.py");

/// A command that prints the pid of a process of ada's session last.
const HOST: &str = "pgrep -u ada -f '^startxd start'";
const SUPERVISOR: &str = "pgrep -u ada -f '^/usr/bin/startxd serve'";

/// Asks the host to end the session.
const CONNECT: &str = "import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); \
    s.connect(\\\"/run/user/1000/startxd/host.sock\\\"); s.send(b\\\"startxd/1 stop\\\")";

fn stops(desk: &Desk) {
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
}

#[test]
fn another_user_gets_nowhere() {
    let mut desk = Desk::at_prompt();
    desk.start_manager("eve");
    desk.settles();
    desk.starts(OPENBOX);
    let (host, supervisor, server) = (desk.root(HOST).text(), desk.root(SUPERVISOR).text(), desk.server().pid);
    let processes = || desk.root("ps -u ada --no-headers -o pid,args | grep -v ' ps '").text();
    let before = processes();
    for forbidden in [
        "ls /run/user/1000".to_owned(),
        "ls /run/user/1000/startxd".to_owned(),
        "cat /run/user/1000/xauth_startxd_0".to_owned(),
        "cat /run/user/1000/startxd/session.toml".to_owned(),
        format!("python3 -c \"{CONNECT}\""),
        "rm -f /tmp/.X11-unix/X0".to_owned(),
        "mv /tmp/.X0-lock /tmp/hers".to_owned(),
        format!("cat /proc/{host}/environ"),
        format!("ls /proc/{host}/fd"),
        format!("cat /proc/{supervisor}/environ"),
        format!("ls /proc/{supervisor}/fd"),
        format!("kill -TERM {host} || kill -TERM {supervisor} || kill -TERM {server}"),
        format!("strace -p {host} -o /dev/null"),
        "busctl --address=unix:path=/run/user/1000/bus list".to_owned(),
        format!("loginctl --no-ask-password terminate-session {}", desk.login.session),
        format!("loginctl --no-ask-password kill-session {}", desk.login.session),
    ] {
        desk.user("eve", &format!("timeout 10 bash -c '{forbidden}'")).fails();
    }
    // The commands that she may use concern her own session, and she has none.
    for (command, status) in [("startxd stop", 4), ("startxd status", 4), ("startxd restart wm", 4)] {
        let run = desk.user("eve", command);
        assert_eq!(run.code(), status, "{run}");
    }
    assert_eq!(processes(), before);
    desk.user("ada", "startxd status").ok();
    stops(&desk);
}

#[test]
fn files_that_another_user_puts_in_the_way_are_left_alone() {
    let mut desk = Desk::at_prompt();
    desk.user("ada", "echo precious > mine; chmod 755 .; chmod 666 mine").ok();
    let mut number = 0;
    for place in PLACES {
        for kind in KINDS {
            desk.user("eve", &format!("N={number} ada=/home/ada/mine new=/home/ada/new; P={place}; {kind}")).ok();
            number += 1;
        }
    }
    desk.settles();
    let facts = || {
        let stat = "stat -c '%F %U %a %i %s %Y %Z %N' /tmp/.X*-lock /tmp/.X11-unix/* /home/ada/mine; \
            cat /home/ada/mine; ls -a /home/ada";
        desk.root(stat).ok().stdout
    };
    desk.starts(OPENBOX);
    assert_eq!(desk.environment().get("DISPLAY"), Some(format!(":{number}").as_str()));
    assert_eq!(desk.root("find /home/ada/new -maxdepth 0 2>/dev/null; cat /home/ada/mine").stdout, "precious\n");
    stops(&desk);

    let before = facts();
    for number in 0..number {
        desk.types(&format!("startxd start --display :{number} {OPENBOX}"));
        let screen = desk.ended(24);
        screen.says(&[&format!("display :{number} is taken"), "user 1001 left a", "only they or root can remove"]);
    }
    assert_eq!(facts(), before);
    desk.user("eve", "rm -r /tmp/.X*-lock /tmp/.X11-unix/*").ok();
}

#[test]
fn a_pipe_in_place_of_a_dead_sessions_lock_delays_nobody() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.user("ada", "cp $XDG_RUNTIME_DIR/startxd/session.toml .").ok();
    stops(&desk);
    // As if host and supervisor had been killed after the server had removed its lock.
    desk.user("ada", "mkdir -m 700 $XDG_RUNTIME_DIR/startxd; install -m 600 session.toml -t $XDG_RUNTIME_DIR/startxd")
        .ok();
    desk.user("eve", "mkfifo -m 666 /tmp/.X0-lock").ok();
    desk.types(&format!("startxd start {OPENBOX}"));
    desk.is_up();
    assert_eq!(desk.environment().get("DISPLAY"), Some(":1"));
    desk.user("ada", "startxd stop").ok();
    desk.comes_back(0, SOON).says(&["ended without cleaning up"]);
    desk.user("eve", "rm /tmp/.X0-lock").ok();
    desk.is_clean();
}

/// What eve puts at `$P`; `$ada` is a file of ada, `$new` one that does not exist.
const KINDS: [&str; 5] =
    ["echo hers > $P", "ln -s $ada $P", "ln -s $new $P", "mkdir -m 777 $P && touch $P/hers", "mkfifo -m 666 $P"];
/// Where startxd and systemd create files of these names for display `$N`.
const PLACES: [&str; 2] = ["/tmp/.X$N-lock", "/tmp/.X11-unix/X$N"];

#[test]
fn nobody_is_served_without_the_cookie() {
    let desk = Desk::at_prompt();
    desk.write("/run/cookie.py", COOKIE);
    desk.starts(OPENBOX);
    let knocks = |user: &str| {
        let script = "python3 /run/cookie.py knocks";
        let run = if user == "root" { desk.root(script) } else { desk.user(user, script) };
        run.text().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (refused, closed, nobody) = (["refused"; 3], ["no permission"; 3], ["nobody listens"; 3]);
    assert_eq!(knocks("ada"), [refused, nobody].concat());
    assert_eq!(knocks("root"), [refused, nobody].concat());
    assert_eq!(knocks("eve"), [closed, nobody].concat());
    assert_eq!(desk.user("ada", "python3 /run/cookie.py good").text(), "served\nnobody listens");
    desk.user("ada", "env -u XAUTHORITY HOME=/nonexistent DISPLAY=:0 xdpyinfo").fails();
    stops(&desk);
}

#[test]
fn the_cookie_is_in_its_file_and_nowhere_else_however_much_is_logged() {
    let desk = Desk::at_prompt();
    desk.write("/run/cookie.py", COOKIE);
    desk.write("/run/prying.py", PRYING);
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[server]\nxauthority = false\n");
    desk.vt().type_line("export STARTXD_LOG=trace");
    desk.starts(OPENBOX);
    // With a session's second server, too.
    let server = desk.server().pid;
    desk.root(&format!("kill -KILL {server}")).ok();
    wait_until("another server", SOON, || {
        let servers = desk.root("pgrep -u ada -x Xorg").stdout;
        if servers.trim().is_empty() || servers.trim() == server { Err(servers) } else { Ok(()) }
    });
    desk.unit_becomes("xorg@0.service", "active");
    desk.is_up();
    assert_eq!(desk.root("python3 /run/cookie.py leaks").text(), "looked at the\nlooked at cmdline");
    // The supervisor has it from its manager.
    assert_eq!(desk.environment().get("STARTXD_LOG"), Some("trace"));

    let cookie = desk.root("tail -c 16 /run/user/1000/xauth_startxd_0 | od -An -v -tx1 | tr -d ' \n'").text();
    assert_eq!(cookie.len(), 32, "{cookie}");
    for user in ["eve", "root"] {
        let pry = "exec python3 /run/prying.py";
        let prying = if user == "root" { desk.shell(pry) } else { desk.shell_as(user, pry) };
        let found = prying.stdin(cookie.clone()).deadline(secs(60)).run().text();
        let found: Vec<&str> = found.lines().collect();
        let (places, files) = found.split_last().expect("how many places it has looked at");
        let places: usize = places.parse().unwrap_or_else(|_| panic!("{found:?}"));
        assert!(places > 300, "only {places} files and processes were looked at");
        let expected: &[&str] = if user == "root" { &["/run/user/1000/xauth_startxd_0"] } else { &[] };
        assert_eq!(files, expected, "{user}");
    }
    stops(&desk);
}
