//! `startxd@ada.service`: a session of ada's on a terminal of its own, with no shell in between.

mod harness;
mod hostile;

use harness::{Case, Guest, Login, Mode, Options, SOON, secs, wait_until};
use hostile::{Told, wait_up};

const XINITRC: &str = "exec openbox --sm-disable\n";

/// Waits until ada has another session than `earlier` on terminal `vt`, with her desktop on it.
fn desktop(case: &Case, vt: u8, earlier: &str) -> Login {
    let vt = case.vt(vt);
    let login = wait_until("another session", SOON, || {
        let login = case.wait_session("ada", &vt, SOON);
        if login.session == earlier { Err(login.session) } else { Ok(login) }
    });
    wait_up(case, "ada");
    login.vt.wait_mode(Mode::Graphics, SOON);
    login
}

/// Logs out of openbox, which forgets a request that comes before its main loop.
fn log_out(case: &Case, login: &Login) {
    wait_until("the logout", SOON, || {
        let exit = "systemd-run --user --quiet --collect --wait --pipe timeout 1 openbox --exit";
        case.user("ada", exit);
        match case.session(&login.session) {
            None => Ok(()),
            Some(session) => Err(format!("{session:?}")),
        }
    });
}

fn property(case: &Case, name: &str) -> String {
    case.root(&format!("systemctl show --value -p {name} startxd@ada")).text()
}

/// Ends the unit for good, and waits until nothing of it is left.
fn stops(case: &Case, login: &Login) {
    case.root("systemctl stop startxd@ada").ok();
    assert_eq!([property(case, "ActiveState"), property(case, "Result")], ["inactive", "success"]);
    case.wait_session_gone(login, SOON);
    login.vt.wait_mode(Mode::Text, SOON);
}

#[test]
fn from_boot_to_desktop_to_logout_to_the_next_session() {
    let upper = std::env::temp_dir().join(format!("startxd-system-unit-{}", std::process::id()));
    let mut case = Guest::exclusive(Options { upper: Some(upper.clone()), ..Options::default() });
    case.write_as("ada", "~/.xinitrc", XINITRC);
    // Of the user manager's own, and not the system's.
    case.write_as("ada", "~/.config/environment.d/path.conf", "PATH=/home/ada/bin:$PATH\n");
    case.root("systemctl enable startxd@ada").ok();
    case.reboot();
    // The guests boot into multi-user.target.
    case.root("systemctl start graphical.target").ok();

    let login = desktop(&case, 7, "");
    let session = case.session(&login.session).expect("the session");
    let expected = [("Type", "x11"), ("Class", "user"), ("Seat", "seat0"), ("Active", "yes"), ("Service", "startxd")];
    for (name, value) in expected {
        assert_eq!(session[name], value, "{name} of {session:?}");
    }
    assert_eq!(session["Leader"], property(&case, "MainPID"), "nothing in between");
    let leader = case.root(&format!("ps -o args= -p {}", session["Leader"])).text();
    assert_eq!(leader, "/usr/bin/startxd start --activate");
    assert_eq!(case.root("ps -C Xorg -o user=,tty=").text(), "ada      tty7");
    let path = case.user("ada", "systemctl --user show-environment | grep ^PATH=").text();
    assert!(path.starts_with("PATH=/home/ada/bin:"), "{path}");
    assert_eq!(case.user("ada", "startxd status | head -n 1").text().split(", ").nth(1), Some("tty7"));

    log_out(&case, &login);
    let next = desktop(&case, 7, &login.session);
    stops(&case, &next);
    drop(case);
    std::fs::remove_dir_all(&upper).expect("the guest no longer uses its directory");
}

#[test]
fn another_terminal_is_configured_by_a_drop_in() {
    let mut case = Guest::get();
    case.discard();
    case.write_as("ada", "~/.xinitrc", XINITRC);
    let drop_in = "[Unit]\nConflicts=getty@tty3.service\nAfter=getty@tty3.service\nOnFailure=getty@tty3.service\n\
        [Service]\nTTYPath=/dev/tty3\nUtmpIdentifier=tty3\n";
    case.write("/etc/systemd/system/startxd@ada.service.d/vt.conf", drop_in);
    case.root("systemctl daemon-reload; systemctl start getty@tty3").ok();
    case.vt(1).switch();
    case.root("systemctl start startxd@ada").ok();
    let login = desktop(&case, 3, "");
    assert_eq!(case.root("systemctl is-active getty@tty3").stdout.trim(), "inactive");
    case.root("systemctl enable startxd@ada").ok();
    let autologin: Told = case.root("startxd enable autologin eve --vt 3").into();
    autologin.says(31, &["tty3 belongs to startxd@ada.service"]);
    stops(&case, &login);
}

#[test]
fn a_session_that_ends_again_and_again_leaves_a_login_prompt() {
    let mut case = Guest::get();
    case.discard();
    case.write_as("ada", "~/.xinitrc", "exit 3\n");
    case.root("systemctl start startxd@ada").ok();
    wait_until("the unit to give up", secs(40), || match [property(&case, "ActiveState"), property(&case, "Result")] {
        [state, result] if state == "failed" || result == "start-limit-hit" => Ok(()),
        state => Err(format!("{state:?}")),
    });
    assert_eq!(property(&case, "NRestarts"), "5");
    case.vt(7).wait_text("guest login:", SOON);
    assert_eq!(harness::active_vt(), 7, "it is where the person looks");
    let told = case.journal("-t startxd -o cat");
    assert_eq!(told.matches("exited with status 3").count(), 5, "{told}");
    case.root("systemctl reset-failed startxd@ada").ok();
}
