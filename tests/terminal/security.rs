//! All of our files are private from creation, and the supervisor is confined. What other users try is a row of the
//! fault matrix, `faults::other_users`.

use crate::harness::{SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

const SUPERVISOR: &str = "pgrep -u ada -f '^/usr/bin/startxd serve'";

fn stops(desk: &Desk) {
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
}

#[test]
fn all_our_files_are_private_from_creation_whatever_the_umask() {
    let desk = Desk::at_prompt();
    let elsewhere = "find /run/user/1000 /tmp /dev/shm -not -path '/run/user/1000/startxd*' \
        -not -path '/run/user/1000/xauth_startxd_*' \
        -not -path '/run/user/1000/systemd*' -not -path '/tmp/.X*' | sort";
    let before = desk.root(elsewhere).text();
    desk.vt().type_line("umask 000");
    // Without -f: the server has to be a child of the host alone.
    desk.types(&format!("strace -o trace -e trace=%file,umask,bind,fchmod startxd start {OPENBOX}"));
    desk.is_up();
    let expected = [
        "700 ada d /run/user/1000/startxd",
        "600 ada s /run/user/1000/startxd/host.sock",
        "600 ada f /run/user/1000/startxd/lock",
        "600 ada f /run/user/1000/startxd/multiplexers.toml",
        "600 ada f /run/user/1000/startxd/session.env",
        "600 ada f /run/user/1000/startxd/session.toml",
        "600 ada f /run/user/1000/xauth_startxd_0",
        "600 ada s /tmp/.X11-unix/X0",
    ];
    // Multiplexers are told during the start, which does not wait for that.
    wait_until("what there is of ours", SOON, || {
        let find = "find /run/user/1000/startxd /run/user/1000/xauth_startxd_0 /tmp/.X11-unix/X0 -printf '%m %u %y %p\n' | sort -k 4";
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
    // A socket's file gets its mode from the descriptor that is bound.
    let binds: Vec<&str> =
        trace.lines().filter(|line| line.starts_with("fchmod(") || line.contains("host.sock")).collect();
    let bind = binds.iter().position(|line| line.starts_with("bind(")).unwrap_or_else(|| panic!("{binds:#?}"));
    let descriptor = binds[bind].trim_start_matches("bind(").split(',').next().unwrap_or_default();
    assert!(bind > 0 && binds[bind - 1].starts_with(&format!("fchmod({descriptor}, 0600)")), "{binds:#?}");
    assert!(calls("umask").is_empty(), "the umask is every thread's");
    let by_path = calls("chmod").into_iter().filter(|line| !line.starts_with("fchmod(")).collect::<Vec<_>>();
    assert!(by_path.is_empty(), "what is given its mode later had another one before: {by_path:#?}");
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
    // It was forked in the login session, where systemd confines nothing: a driver may need what a filter would forbid.
    let server = facts(&desk.server().pid);
    assert!(server.contains("NoNewPrivs 0") && server.contains("Seccomp 0"), "{server}");
    let refused = desk.root("journalctl -k -b --no-pager | grep -i 'audit.*seccomp.*startxd'").stdout;
    assert_eq!(refused, "");
    stops(&desk);
}
