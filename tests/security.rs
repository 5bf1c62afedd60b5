//! What nobody else can do: everything of ours is private from birth, the cookie is nowhere but in its file, other users
//! are locked out, and nothing that they put in the way is followed, changed or removed.

mod harness;
mod scenario;

use harness::{SOON, secs, wait_until};
use scenario::{Desk, OPENBOX};

const COOKIE: &str = include_str!("scenario/cookie.py");
/// Reads the cookie in hexadecimal digits, and everything that its user can read; prints where the cookie is.
const PRYING: &str = include_str!("scenario/prying.py");

/// What ends in the pid of a process of ada's session.
const HOST: &str = "pgrep -u ada -f '^startxd start'";
const SUPERVISOR: &str = "pgrep -u ada -f '^/usr/bin/startxd serve'";

fn stops(desk: &Desk) {
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
}

#[test]
fn everything_of_ours_is_private_from_birth_whatever_the_umask() {
    let desk = Desk::at_prompt();
    let elsewhere = "find /run/user/1000 /tmp /dev/shm -not -path '/run/user/1000/startxd*' \
        -not -path '/run/user/1000/systemd*' -not -path '/tmp/.X*' | sort";
    let before = desk.root(elsewhere).text();
    desk.vt().type_line("umask 000");
    // Not -f: the server has to be a child of the host alone.
    desk.types(&format!("strace -o trace -e trace=%file,umask,bind startxd start {OPENBOX}"));
    desk.is_up();
    let expected = [
        "700 ada d /run/user/1000/startxd",
        "600 ada f /run/user/1000/startxd/Xauthority.0",
        "600 ada s /run/user/1000/startxd/host.sock",
        "600 ada f /run/user/1000/startxd/lock",
        "600 ada f /run/user/1000/startxd/multiplexers.toml",
        "600 ada f /run/user/1000/startxd/session.toml",
        "600 ada s /tmp/.X11-unix/X0",
    ];
    // Multiplexers are told beside the start, which does not wait for that.
    wait_until("what there is of ours", SOON, || {
        let find = "find /run/user/1000/startxd /tmp/.X11-unix/X0 -printf '%m %u %y %p\n' | sort -k 4";
        let ours = desk.root(find).text();
        if ours.lines().eq(expected) { Ok(()) } else { Err(ours) }
    });
    assert_eq!(desk.root(elsewhere).text(), before, "files of ours elsewhere");
    stops(&desk);

    let trace = desk.read("/home/ada/trace");
    let calls = |what: &str| -> Vec<&str> { trace.lines().filter(|line| line.contains(what)).collect() };
    let in_ours = |line: &&&str| line.contains("\"/run/user/1000/startxd");
    let made = calls("O_CREAT");
    // The lock, the cookie, the record.
    assert!(made.iter().filter(in_ours).count() >= 3, "{made:#?}");
    assert!(made.iter().filter(in_ours).all(|call| call.contains("0600")), "{made:#?}");
    let made = calls("mkdir");
    assert!(made.iter().filter(in_ours).count() >= 1, "{made:#?}");
    assert!(made.iter().filter(in_ours).all(|call| call.contains(", 0700)")), "{made:#?}");
    // A socket has no mode of its own at birth but by the umask.
    let binds: Vec<&str> =
        trace.lines().filter(|line| line.starts_with("umask(") || line.contains("host.sock")).collect();
    let bind = binds.iter().position(|line| line.starts_with("bind(")).unwrap_or_else(|| panic!("{binds:#?}"));
    assert!(bind > 0 && binds[bind - 1].starts_with("umask(0177)"), "{binds:#?}");
    assert!(calls("chmod").is_empty(), "what is given its mode later had another one before");
}

#[test]
fn the_cookie_is_in_its_file_and_nowhere_else_however_much_is_logged() {
    let desk = Desk::at_prompt();
    desk.write("/run/cookie.py", COOKIE);
    desk.write("/run/prying.py", PRYING);
    desk.vt().type_line("export STARTXD_LOG=trace");
    desk.starts(OPENBOX);
    // With the second server of a session, too.
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

    let cookie = desk.root("tail -c 16 /run/user/1000/startxd/Xauthority.0 | od -An -v -tx1 | tr -d ' \n'").text();
    assert_eq!(cookie.len(), 32, "{cookie}");
    for user in ["eve", "root"] {
        let pry = "exec python3 /run/prying.py";
        let prying = if user == "root" { desk.shell(pry) } else { desk.shell_as(user, pry) };
        let found = prying.stdin(cookie.clone()).deadline(secs(60)).run().text();
        let found: Vec<&str> = found.lines().collect();
        let (places, files) = found.split_last().expect("how many places it has looked at");
        let places: usize = places.parse().unwrap_or_else(|_| panic!("{found:?}"));
        assert!(places > 300, "only {places} files and processes were looked at");
        let expected: &[&str] = if user == "root" { &["/run/user/1000/startxd/Xauthority.0"] } else { &[] };
        assert_eq!(files, expected, "{user}");
    }
    stops(&desk);
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
        "cat /run/user/1000/startxd/Xauthority.0".to_owned(),
        "cat /run/user/1000/startxd/session.toml".to_owned(),
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
    // What is hers to ask concerns her own session, of which there is none.
    for (command, status) in [("startxd stop", 4), ("startxd status", 4), ("startxd restart wm", 4)] {
        let run = desk.user("eve", command);
        assert_eq!(run.code(), status, "{run}");
    }
    assert_eq!(processes(), before);
    desk.user("ada", "startxd status").ok();
    stops(&desk);
}

/// What eve puts in the place `$P`; `$ada` is a file of ada's, `$new` one that is not there.
const KINDS: [&str; 5] =
    ["echo hers > $P", "ln -s $ada $P", "ln -s $new $P", "mkdir -m 777 $P && touch $P/hers", "mkfifo -m 666 $P"];
/// Where Xorg and systemd make files of these names for display `$N`.
const PLACES: [&str; 3] = ["/tmp/.X$N-lock", "/tmp/.X11-unix/X$N", "/tmp/.tX$N-lock"];

#[test]
fn what_another_user_puts_in_the_way_is_stepped_around_and_left_alone() {
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
        let stat = "stat -c '%F %U %a %i %s %Y %Z %N' /tmp/.X*-lock /tmp/.tX*-lock /tmp/.X11-unix/* /home/ada/mine; \
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
    desk.user("eve", "rm -r /tmp/.X*-lock /tmp/.tX*-lock /tmp/.X11-unix/*").ok();
}

#[test]
fn a_pipe_where_the_lock_of_a_dead_session_was_holds_up_nobody() {
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

#[test]
fn the_supervisor_is_confined_and_the_server_is_not() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let facts = |pid: &str| {
        desk.root(&format!("sed -n 's/^\\(NoNewPrivs\\|Seccomp\\|Umask\\):\\s*/\\1 /p' /proc/{pid}/status")).text()
    };
    assert_eq!(
        facts(&desk.root(SUPERVISOR).text()).lines().collect::<Vec<_>>(),
        ["Umask 0077", "NoNewPrivs 1", "Seccomp 2"]
    );
    // It was born in the login session, where systemd has no hand in it: a driver may need what a filter would forbid.
    let server = facts(&desk.server().pid);
    assert!(server.contains("NoNewPrivs 0") && server.contains("Seccomp 0"), "{server}");
    let refused = desk.root("journalctl -k -b --no-pager | grep -i 'audit.*seccomp.*startxd'").stdout;
    assert_eq!(refused, "");
    stops(&desk);
}
