//! The lock of the screen, with lockers as Debian ships them: who locks, when it is said to be locked, and who opens it.

use crate::harness::{SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

/// What the configuration of ada's says of the lock.
fn configure(desk: &Desk, text: &str) {
    desk.write_as("ada", "~/.config/startxd/startxd.toml", text);
}

/// logind's `LockedHint` of her session.
fn is_locked(desk: &Desk) -> bool {
    desk.root(&format!("loginctl show-session {} -p LockedHint --value", desk.login.session)).text().trim() == "yes"
}

fn becomes(desk: &Desk, locked: bool) {
    wait_until(&format!("LockedHint to be {locked}"), SOON, || {
        if is_locked(desk) == locked { Ok(()) } else { Err(desk.root("pgrep -a -u ada").stdout) }
    });
}

fn locks(desk: &Desk) {
    desk.user("ada", "startxd lock").ok();
    becomes(desk, true);
}

/// Ada types her password, which is empty, until it is taken: a locker may still be busy with the grab of the keyboard.
fn opens(desk: &Desk) {
    wait_until("the screen to be open", SOON, || {
        desk.with_display("timeout 5 xdotool key Return");
        if is_locked(desk) { Err(desk.root("pgrep -a -u ada").stdout) } else { Ok(()) }
    });
}

fn leaves(desk: &Desk) {
    desk.quits_openbox();
    desk.ended(0);
}

/// Whether somebody has the keyboard.
fn keyboard_is_grabbed(desk: &Desk) -> bool {
    let lockers = desk.root("pgrep -u ada -x 'i3lock|slock|xsecurelock'");
    !lockers.stdout.is_empty()
}

#[test]
fn each_locker_as_a_command() {
    let desk = Desk::at_prompt();
    for command in [r#"["i3lock", "--nofork"]"#, r#"["xsecurelock"]"#, r#"["i3lock"]"#] {
        configure(&desk, &format!("[lock]\ncommand = {command}\n"));
        desk.starts(OPENBOX);
        assert!(!is_locked(&desk));
        for _ in 0..2 {
            locks(&desk);
            assert!(keyboard_is_grabbed(&desk), "{command}");
            // Once more: it is locked.
            desk.user("ada", "startxd lock").ok();
            desk.user("ada", "startxd unlock").ok();
            becomes(&desk, false);
        }
        leaves(&desk);
    }
}

#[test]
fn a_password_opens_and_a_unit_locks() {
    let desk = Desk::at_prompt();
    desk.writes_unit(
        "locker.service",
        "[Unit]\nPartOf=startxd-lock.target\n[Service]\nExecStart=i3lock --nofork\n[Install]\nWantedBy=startxd-lock.target\n",
    );
    desk.user("ada", "systemctl --user enable locker.service").ok();
    desk.starts(OPENBOX);
    locks(&desk);
    assert_eq!(
        desk.states(&["locker.service", "startxd-lock.target"]),
        ["locker.service active", "startxd-lock.target active"]
    );
    opens(&desk);
    desk.unit_becomes("startxd-lock.target", "inactive");
    // logind's requests: `loginctl`, the lid, IdleAction=.
    desk.root(&format!("loginctl lock-session {}", desk.login.session)).ok();
    becomes(&desk, true);
    desk.root(&format!("loginctl unlock-session {}", desk.login.session)).ok();
    becomes(&desk, false);
    desk.unit_becomes("locker.service", "inactive");
    leaves(&desk);
}

#[test]
fn a_unit_that_says_when_it_locks_is_believed() {
    let desk = Desk::at_prompt();
    desk.writes_unit(
        "locker.service",
        "[Unit]\nPartOf=startxd-lock.target\n[Service]\nType=notify\nNotifyAccess=all\n\
         ExecStart=sh -c 'read _ < %h/go; systemd-notify --ready; exec sleep infinity'\n\
         [Install]\nWantedBy=startxd-lock.target\n",
    );
    desk.user("ada", "mkfifo ~/go; systemctl --user enable locker.service").ok();
    desk.starts(OPENBOX);
    let lock = desk.spawn("ada", "startxd lock");
    desk.unit_becomes("locker.service", "activating");
    assert!(lock.is_running() && !is_locked(&desk));
    desk.user("ada", "echo > ~/go").ok();
    lock.wait(SOON).ok();
    becomes(&desk, true);
    desk.user("ada", "startxd unlock").ok();
    becomes(&desk, false);
    leaves(&desk);
}

/// Once for each session: without a login session of its own, Debian's xss-lock ends itself when the screen saver goes.
#[test]
fn the_xss_lock_of_a_configuration_locks_as_below_startx() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.xinitrc", "xss-lock -- i3lock --nofork &\nexec openbox\n");
    for request in ["startxd lock", "xset s activate", "loginctl lock-session SESSION"] {
        desk.starts("");
        wait_until("xss-lock", SOON, || {
            // Set when it has asked to be told of the screen saver.
            let root = desk.with_display("xprop -root _MIT_SCREEN_SAVER_ID");
            if root.stdout.contains("0x") { Ok(()) } else { Err(root.to_string()) }
        });
        desk.with_display(&request.replace("SESSION", &desk.login.session)).ok();
        becomes(&desk, true);
        opens(&desk);
        // A locker that somebody starts by hand is seen, too.
        desk.with_display("i3lock").ok();
        becomes(&desk, true);
        desk.user("ada", "startxd unlock").ok();
        becomes(&desk, false);
        leaves(&desk);
    }
}

#[test]
fn without_a_locker_that_is_said() {
    let desk = Desk::at_prompt();
    let lock = |desk: &Desk, words: &str| {
        let run = desk.user("ada", "startxd lock");
        assert_eq!(run.code(), 8, "{run}");
        assert!(run.stderr.contains(words), "{run}");
        assert!(!is_locked(desk));
    };
    assert_eq!(desk.user("ada", "startxd lock").code(), 4);
    configure(&desk, "[deadlines]\nlock = 1\n");
    desk.starts(OPENBOX);
    lock(&desk, "nothing has answered the X server's screen saver request");
    desk.user("ada", "startxd unlock").ok();
    leaves(&desk);
    for (command, words) in [
        ("nothing", "there is no program nothing"),
        ("false", "exited with status 1"),
        ("sleep\", \"9", "not locked it within 1 s"),
    ] {
        configure(&desk, &format!("[lock]\ncommand = [\"{command}\"]\n[deadlines]\nlock = 1\n"));
        desk.starts(OPENBOX);
        lock(&desk, words);
        leaves(&desk);
    }
}

/// What covers the screen and lets people type is no locker.
#[test]
fn others_can_neither_lock_nor_open() {
    let desk = Desk::at_prompt();
    configure(&desk, "[lock]\ncommand = [\"i3lock\", \"--nofork\"]\n");
    desk.starts(OPENBOX);
    let path = format!("/org/freedesktop/login1/session/{}", escaped(&desk.login.session));
    let forges = |member: &str| {
        desk.user("eve", &format!("busctl emit {path} org.freedesktop.login1.Session {member}")).ok();
        let names = desk.root("busctl list --no-legend | awk '$3 == \"startxd\" {print $1}'").text();
        for name in names.lines() {
            let to = format!("busctl emit --destination={name} {path} org.freedesktop.login1.Session {member}");
            desk.user("eve", &to).ok();
        }
    };
    forges("Lock");
    assert_ne!(desk.user("eve", "XDG_RUNTIME_DIR=/run/user/1000 startxd lock").code(), 0);
    locks(&desk);
    forges("Unlock");
    let eves = format!("loginctl unlock-session {}", desk.login.session);
    assert_ne!(desk.user("eve", &eves).code(), 0);
    assert_ne!(desk.user("eve", "XDG_RUNTIME_DIR=/run/user/1000 startxd unlock").code(), 0);
    let journal = desk.journal("-t startxd -o cat");
    assert_eq!(journal.matches("the screen is locked").count(), 1, "{journal}");
    assert!(journal.contains("it is not from systemd-logind"), "{journal}");
    assert!(!journal.contains("the screen is open"), "{journal}");
    opens(&desk);
    leaves(&desk);
}

/// A session's id in the path of its object.
fn escaped(session: &str) -> String {
    let first = session.as_bytes()[0];
    if first.is_ascii_digit() { format!("_{first:02x}{}", &session[1..]) } else { session.to_owned() }
}

#[test]
fn a_server_that_dies_below_a_real_locker_leaves_nothing_open() {
    let mut desk = Desk::at_prompt();
    for locker in ["i3lock --nofork", "xsecurelock"] {
        let words: Vec<String> = locker.split(' ').map(|word| format!("{word:?}")).collect();
        configure(&desk, &format!("[lock]\ncommand = [{}]\n", words.join(", ")));
        desk.root("rm -f /home/ada/2").ok();
        desk.starts(OPENBOX);
        locks(&desk);
        desk.root("pkill -SEGV -x Xorg").ok();
        desk.is_logged_out();
        assert!(!desk.outside("/home/ada/2").exists(), "the shell went on");
        desk.logs_in();
    }
}
