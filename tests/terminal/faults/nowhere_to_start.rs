//! Runtime directory full or read-only; no `HOME`; `XDG_RUNTIME_DIR` unset (`su`, `sudo`, cron); no session (ssh); VT
//! in the background: a refusal with the remedy, before anything is changed.

use crate::harness::Guest;
use crate::hostile::*;

#[test]
fn su_makes_no_session() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    let words = ["of another user (uid 1000)", "su and sudo do not make a session", "log in on a virtual terminal"];
    for su in ["su eve -c", "su - eve -c"] {
        refuses(&guest, 12, &words, |command| at(&login, &format!("{su} '{command}'")));
    }
    guest.assert_clean();
    guest.logout(&login);

    let login = log_in_second(&guest, "root");
    let words = ["of another user (uid 0)", "su and sudo do not make a session"];
    for su in ["su ada -c", "su - ada -c", "runuser -u ada -- sh -c"] {
        refuses(&guest, 12, &words, |command| at(&login, &format!("{su} '{command}'")));
    }
}

#[test]
fn outside_of_a_login_session_a_start_is_refused() {
    let mut guest = Guest::get();
    guest.start_manager("ada");
    wake_bus(&mut guest);
    let words = ["not in a login session", "log in on a virtual terminal"];
    refuses(&guest, 12, &words, |command| outside(&guest, "ada", command));
    refuses(&guest, 12, &words, |command| outside(&guest, "ada", &format!("env -i /usr/bin/{command}")));
    refuses(&guest, 12, &["in a service of the user manager"], |command| {
        outside(&guest, "ada", &format!("systemd-run --user --collect --quiet --pipe --wait {command}"))
    });
    refuses(&guest, 12, &["a terminal window belongs to the user manager"], |command| {
        outside(&guest, "ada", &format!("systemd-run --user --collect --quiet --pipe --wait -E DISPLAY=:0 {command}"))
    });
    guest.assert_clean();
}

#[test]
fn a_home_must_be_there() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    refuses(&guest, 26, &["HOME is not set", "getent passwd 1000"], |command| {
        at(&login, &format!("env -u HOME {command}"))
    });
    refuses(&guest, 26, &["HOME is not a directory"], |command| at(&login, &format!("HOME=/nonexistent {command}")));
    guest.assert_clean();
}

#[test]
fn the_runtime_directory_must_be_there_and_ours() {
    let mut guest = Guest::get();
    guest.start_manager("eve");
    let login = prompt(&mut guest);
    let cases = [
        ("env -u XDG_RUNTIME_DIR", "is not set"),
        ("env XDG_RUNTIME_DIR=", "is not set"),
        ("env XDG_RUNTIME_DIR=run/user/1000", "is not set"),
        ("env XDG_RUNTIME_DIR=/run/user/1001", "/run/user/1001, which is not a directory of yours"),
        ("env XDG_RUNTIME_DIR=/run/user/7", "/run/user/7, which is not a directory of yours"),
        ("env XDG_RUNTIME_DIR=/etc/passwd", "/etc/passwd, which is not a directory of yours"),
    ];
    for (env, words) in cases {
        let words = ["XDG_RUNTIME_DIR", words, "log in on a virtual terminal"];
        refuses(&guest, 11, &words, |command| at(&login, &format!("{env} {command}")));
    }
    guest.assert_clean();
    // As for a login that starts while pid 1 removes it.
    guest.root("umount --lazy /run/user/1000 && rmdir /run/user/1000").ok();
    for env in ["", "env -u XDG_RUNTIME_DIR "] {
        let told = at(&login, &format!("{env}{START}"));
        told.says(11, &["/run/user/1000 does not exist", "log out and in again"]).in_journal(&guest);
    }
}

#[test]
fn a_runtime_directory_that_cannot_be_written_to_is_reported_and_not_changed() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    guest.root("mount -o remount,ro /run/user/1000").ok();
    at(&login, START).says(11, &["/run/user/1000/startxd cannot be created", "Read-only"]).in_journal(&guest);
    guest.root("mount -o remount,rw,size=1M /run/user/1000").ok();
    guest.assert_clean();

    guest.user("ada", "cat /dev/zero > $XDG_RUNTIME_DIR/fill; true").ok();
    at(&login, START).says(11, &["cannot write to /run/user/1000/", "No space left", "df "]).in_journal(&guest);
    guest.user("ada", "rm $XDG_RUNTIME_DIR/fill").ok();
    guest.assert_clean();
    a_session_works(&guest, &login);
    guest.assert_clean();
}

#[test]
fn a_remote_session_has_no_screen_here() {
    let guest = Guest::get();
    let login = log_in_second_with(&guest, "", "-p -h far.example.org");
    assert_eq!(guest.session(&login.session).expect("the session")["Remote"], "yes");
    refuses(&guest, 14, &["another machine", "no screen here", "ssh -X"], |command| at(&login, command));
}

#[test]
fn a_vt_in_the_background_is_refused_after_its_deadline() {
    let mut guest = Guest::get();
    configure(&guest, "deadlines.vt_active = 0.5\n");
    prompt(&mut guest);
    let login = log_in_second(&guest, "ada");
    guest.vt(1).switch();
    let words = ["tty2 is not in the foreground", "waited 0.5 s", "switch to it", "chvt 2", "Ctrl+Alt+F2"];
    refuses(&guest, 17, &words, |command| at(&login, command));
    guest.logout(&login);
    guest.assert_clean();
}
