//! `/tmp/.X11-unix` missing, not root's, not sticky; stale `/tmp/.X0-lock` and socket; display 0 held by another user's
//! live server: reported or avoided; nobody else's file is ever removed.

use crate::harness::{Guest, SOON, wait_until};
use crate::hostile::*;
use crate::scenario::{Desk, OPENBOX};

/// An X server of eve on display 0.
const XVFB: &str = "exec Xvfb :0 -nolisten tcp";

fn quits(desk: &Desk) {
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn a_taken_display_is_skipped_unless_it_was_requested() {
    let mut desk = Desk::at_prompt();
    let server = desk.spawn("eve", XVFB);
    wait_until("eve's server", SOON, || {
        let run = desk.user("eve", "DISPLAY=:0 xdpyinfo");
        if run.status.success() { Ok(()) } else { Err(run.to_string()) }
    });
    desk.settles();
    desk.types("startxd start --display :0 -- openbox");
    desk.ended(24).says(&["display :0 is taken"]);

    desk.starts(OPENBOX);
    assert_eq!(desk.environment().get("DISPLAY"), Some(":1"));
    assert_eq!(desk.state("xorg@1.service"), "active");
    assert!(desk.run("xdpyinfo").ok().stdout.contains("name of display:    :1"));
    quits(&desk);
    desk.user("eve", "DISPLAY=:0 xdpyinfo").ok();
    desk.root("pkill -u eve -x Xvfb").ok();
    // If it were killed before it has removed its files, it would leave them.
    server.wait(SOON);
}

#[test]
fn a_lock_of_a_dead_server_is_no_obstacle() {
    let desk = Desk::at_prompt();
    // A pid that no process has: the kernel's are below 2^22.
    desk.user("ada", "printf '%10d\\n' 4194303 > /tmp/.X0-lock").ok();
    desk.starts(OPENBOX);
    assert_eq!(desk.environment().get("DISPLAY"), Some(":0"));
    quits(&desk);
}

#[test]
fn a_dead_lock_that_cannot_be_removed_takes_the_display() {
    let mut desk = Desk::at_prompt();
    desk.user("eve", "printf '%10d\\n' 4194303 > /tmp/.X0-lock").ok();
    desk.settles();
    desk.starts(OPENBOX);
    assert_eq!(desk.environment().get("DISPLAY"), Some(":1"));
    quits(&desk);
    desk.user("eve", "rm /tmp/.X0-lock").ok();
}

#[test]
fn a_socket_that_nobody_listens_on_is_no_obstacle() {
    let mut desk = Desk::at_prompt();
    let leave = "python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.bind(\"/tmp/.X11-unix/X0\")'";
    // Her own socket is bound again, as is the lock of the same dead server.
    desk.user("ada", &format!("{leave}; printf '%10d\\n' 4194303 > /tmp/.X0-lock")).ok();
    desk.starts(OPENBOX);
    assert_eq!(desk.environment().get("DISPLAY"), Some(":0"));
    desk.quits_openbox();
    desk.comes_back(0, SOON);
    desk.user("ada", "rm -f /tmp/.X11-unix/X0 /tmp/.X0-lock").ok();
    // Only eve and root can remove hers.
    desk.user("eve", leave).ok();
    desk.settles();
    desk.starts(OPENBOX);
    assert_eq!(desk.environment().get("DISPLAY"), Some(":1"));
    quits(&desk);
    desk.user("eve", "rm /tmp/.X11-unix/X0").ok();
}

/// The display of ada's session.
fn display_of(guest: &Guest) -> String {
    let environment = guest.manager("ada").environment();
    environment.iter().find_map(|variable| variable.strip_prefix("DISPLAY=")).unwrap_or_default().to_owned()
}

#[test]
fn a_directory_of_sockets_that_is_not_safe_is_explained_and_not_touched() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    let remedy = "systemd-tmpfiles --create --boot --prefix=/tmp/.X11-unix x11.conf";
    for (spoil, word) in [
        ("rmdir /tmp/.X11-unix", "is missing"),
        ("chown ada /tmp/.X11-unix", "belongs to user 1000"),
        ("chmod 0777 /tmp/.X11-unix", "has mode 0777 instead of 1777"),
        ("chmod 0755 /tmp/.X11-unix", "has mode 0755 instead of 1777"),
        ("rmdir /tmp/.X11-unix; mkdir -m 1777 /tmp/x; ln -s x /tmp/.X11-unix", "is not a directory"),
        ("rmdir /tmp/.X11-unix; touch /tmp/.X11-unix", "is not a directory"),
    ] {
        guest.root(spoil).ok();
        let facts = guest.root("stat -c '%F %U %a %i' /tmp/.X11-unix").stdout;
        at(&login, START).says(24, &["/tmp/.X11-unix", word, remedy]).in_journal(&guest);
        assert_eq!(guest.root("stat -c '%F %U %a %i' /tmp/.X11-unix").stdout, facts, "it is touched");
        guest.root(&format!("[ -d /tmp/.X11-unix ] && [ ! -L /tmp/.X11-unix ] || rm -f /tmp/.X11-unix; {remedy}")).ok();
        guest.assert_clean();
        a_session_works(&guest, &login);
    }
}

#[test]
fn a_display_of_another_user_is_skipped() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    let server = guest.spawn("eve", "printf '%10d\\n' $$ > /tmp/.X0-lock; echo here; exec sleep 600");
    wait_output(&server, "here");
    guest.user("eve", "printf '%10d\\n' 4194305 > /tmp/.X1-lock").ok();
    guest.user("ada", "echo nonsense > /tmp/.X2-lock; mkfifo /tmp/.X3-lock; ln -s /etc/passwd /tmp/.X4-lock").ok();
    let listener = "import socket, time; s = socket.socket(socket.AF_UNIX); s.bind('/tmp/.X11-unix/X5'); s.listen(); \
        print('here', flush=True); time.sleep(600)";
    let listener = guest.spawn("eve", &format!("exec python3 -c \"{listener}\""));
    wait_output(&listener, "here");
    guest.set_baseline();

    let taken = ["omit --display", "display :"];
    for (number, words) in [
        (0, "holds its lock"),
        (1, "user 1001 left a lock file that only they or root can remove"),
        (2, "/tmp/.X2-lock is in the way; remove it"),
        (3, "/tmp/.X3-lock is in the way; remove it"),
        (4, "/tmp/.X4-lock is in the way; remove it"),
        (5, "a process of user 1001 listens on its socket"),
    ] {
        let command = format!("startxd start --display :{number} -- openbox");
        at(&login, &command).says(24, &[taken[0], &format!("{}{number} is taken", taken[1]), words]).in_journal(&guest);
        guest.assert_clean();
    }
    let session = type_at(&login, START);
    guest.manager("ada").wait_active(&["graphical-session.target", "xorg@6.service"]);
    assert_eq!(display_of(&guest), ":6");
    stop(&guest, &login, &session).says(0, &[]);
    guest.assert_clean();
    guest.root("rm -f /tmp/.X[0-4]-lock /tmp/.X11-unix/X5").ok();
}

#[test]
fn sixty_thousand_locks_of_another_user() {
    let mut desk = Desk::at_prompt();
    let all = "python3 -c 'for n in range(60000): open(f\"/tmp/.X{n}-lock\", \"w\").write(\"   4194303\\n\")'";
    desk.user("eve", all).ok();
    desk.settles();
    let begun = std::time::Instant::now();
    desk.types("startxd start -- openbox");
    desk.ended(24).says(&["every display from :0 to :4095 is taken", "user 1001 left a lock file", "ls -l /tmp/.X"]);
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    let doctor = desk.user("ada", "startxd doctor");
    assert!(doctor.took.as_secs() < 5 && doctor.stdout.contains("[display.blocked]"), "{doctor}");
    desk.user("eve", "find /tmp -maxdepth 1 -name '.X*-lock' -delete").ok();
}
