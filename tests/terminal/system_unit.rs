//! `startxd@ada.service`: a session of ada on a terminal of its own, without a shell.

use crate::harness::{Case, Guest, Login, Mode, Options, SOON, secs, wait_until};
use crate::hostile::{Told, logs_out_of_openbox, wait_up};

const XINITRC: &str = "exec openbox --sm-disable\n";

/// A session that ends as soon as a window manager manages the display.
const BRIEF: &str =
    "openbox --sm-disable &\nuntil xprop -root _NET_SUPPORTING_WM_CHECK | grep -q 0x; do sleep 0.1; done; sleep 0.5\n";

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

fn property(case: &Case, name: &str) -> String {
    case.system().property("startxd@ada.service", name)
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
    // From the user manager's configuration, not the system's.
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
    assert_eq!(leader, "/usr/bin/startxd start --activate --backoff 5");
    assert_eq!(case.root("ps -C Xorg -o user=,tty=").text(), "ada      tty7");
    let path = case.user("ada", "systemctl --user show-environment | grep ^PATH=").text();
    assert!(path.starts_with("PATH=/home/ada/bin:"), "{path}");
    assert_eq!(case.user("ada", "startxd status | head -n 1").text().split(", ").nth(1), Some("tty7"));

    logs_out_of_openbox(&case, "ada", &login.session);
    let next = desktop(&case, 7, &login.session);
    let told = case.root("journalctl -b -t startxd -o cat").stdout;
    assert!(!told.contains("next attempt"), "a logout is not a failure: {told}");
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
fn two_people_have_a_seat_each() {
    let mut case = Guest::get();
    case.discard();
    case.plug_in_second_seat();
    for user in ["ada", "eve"] {
        case.write_as(user, "~/.xinitrc", XINITRC);
    }
    case.root("systemctl start startxd@ada").ok();
    let login = desktop(&case, 7, "");
    case.root("systemctl start startxd-seat@eve").ok();
    let of_eve = wait_until("eve's session on seat1", SOON, || {
        let status = case.user("eve", "startxd status");
        if status.code() == 0 { Ok(status.stdout) } else { Err(status.to_string()) }
    });
    assert!(of_eve.contains("on seat1, in the foreground") && of_eve.contains("display  :1, "), "{of_eve}");
    let of_ada = case.user("ada", "startxd status").text();
    assert!(of_ada.contains("on seat0, tty7, in the foreground") && of_ada.contains("display  :0, "), "{of_ada}");

    // A switch of terminals does not affect the other seat, nor does the end there affect this one.
    case.vt(2).switch();
    wait_until("ada's session in the background", SOON, || {
        let status = case.user("ada", "startxd status").stdout;
        if status.contains("in the background") { Ok(()) } else { Err(status) }
    });
    let of_eve = case.user("eve", "startxd status").text();
    assert!(of_eve.contains("in the foreground"), "{of_eve}");
    login.vt.switch();
    case.root("systemctl stop startxd-seat@eve").ok();
    case.user("ada", "startxd status").ok();
    stops(&case, &login);
}

#[test]
fn a_session_that_keeps_failing_is_retried_less_often_and_leaves_a_login_prompt() {
    let mut case = Guest::get();
    case.discard();
    case.write_as("ada", "~/.xinitrc", "date +%s.%N >>attempts\nexit 3\n");
    case.root("systemctl start startxd@ada").ok();
    wait_until("the terminal to say why nothing is on it", secs(60), || {
        // Lines may break anywhere.
        let screen: String = case.vt(7).screen().split_whitespace().collect();
        if screen.contains("thenextattemptisin8s") { Ok(()) } else { Err(screen) }
    });
    // Between the five attempts the host waits for 15 seconds in total, and systemd for 4.
    wait_until("the unit to give up", secs(60), || match property(&case, "ActiveState") {
        state if state == "failed" => Ok(()),
        state => Err(format!("{state}: {}", case.journal("-t startxd -o cat"))),
    });
    assert_eq!(["Result", "ExecMainStatus", "NRestarts"].map(|name| property(&case, name)), ["exit-code", "7", "4"]);
    case.vt(7).wait_text("guest login:", SOON);
    assert_eq!(crate::harness::active_vt(), 7, "it is where the person looks");

    let attempts = case.read("/home/ada/attempts");
    let attempts: Vec<f64> = attempts.lines().map(|time| time.parse().expect("seconds")).collect();
    let pauses: Vec<f64> = attempts.windows(2).map(|two| two[1] - two[0]).collect();
    assert_eq!(pauses.len(), 4, "{pauses:?}");
    for (pause, least) in pauses.iter().zip([2.0, 3.0, 5.0, 9.0]) {
        assert!(*pause >= least, "{pauses:?}");
    }
    let told = case.journal("-t startxd -o cat");
    for (times, next) in [
        ("once", "the next attempt is in 1 s"),
        ("2 times in a row", "the next attempt is in 2 s"),
        ("3 times in a row", "the next attempt is in 4 s"),
        ("4 times in a row", "the next attempt is in 8 s"),
        ("5 times in a row", "and is not tried again"),
    ] {
        let line = told.lines().find(|line| line.contains(&format!("the session failed {times} (")));
        let line = line.unwrap_or_else(|| panic!("{times}: {told}"));
        assert!(line.contains("exited with status 3") && line.contains(next), "{line}");
    }
    case.root("ls -d /run/startxd*").fails();
    case.root("systemctl reset-failed startxd@ada").ok();
}

#[test]
fn a_session_that_exits_early_is_retried_less_often_and_leaves_a_login_prompt() {
    // Before anything manages the display, and just after something does.
    for (xinitrc, why) in [("openbox &\n", "before a window manager managed"), (BRIEF, "within 3 s of coming up")] {
        let mut case = Guest::get();
        case.discard();
        case.write_as("ada", "~/.xinitrc", xinitrc);
        case.root("systemctl start startxd@ada").ok();
        // As above: 15 seconds of pauses, and systemd's own.
        wait_until("the unit to give up", secs(90), || match property(&case, "ActiveState") {
            state if state == "failed" => Ok(()),
            state => Err(format!("{state}: {}", case.journal("-t startxd -o cat"))),
        });
        assert_eq!(["ExecMainStatus", "NRestarts"].map(|name| property(&case, name)), ["7", "4"]);
        case.vt(7).wait_text("guest login:", SOON);
        let told = case.journal("-t startxd -o cat");
        for words in ["the session failed 4 times in a row (", "the next attempt is in 8 s", why] {
            assert!(told.contains(words), "{words}: {told}");
        }
        case.root("systemctl reset-failed startxd@ada").ok();
    }
}

#[test]
fn a_second_seat_waits_longer_after_each_session_that_ends_early() {
    let mut case = Guest::get();
    case.discard();
    case.plug_in_second_seat();
    case.write_as("eve", "~/.xinitrc", "openbox &\n");
    case.root("systemctl start startxd-seat@eve").ok();
    wait_until("the host to wait", secs(30), || {
        let told = case.journal("-t startxd -o cat");
        if told.contains("failed 3 times in a row (") && told.contains("the next attempt is in 4 s") {
            Ok(())
        } else {
            Err(told)
        }
    });
    case.root("systemctl stop startxd-seat@eve").ok();
}
