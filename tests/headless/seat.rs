//! `startxd-seat@eve.service`: a session of eve on a second seat, which has no virtual terminals.

use std::path::PathBuf;

use crate::harness::{Case, Guest, Options, SOON, Session, wait_until};
use crate::hostile::{Told, logs_out_of_openbox, wait_up};

const XINITRC: &str = "exec openbox --sm-disable\n";

/// A guest of its own with a directory that outlives a boot.
fn guest(name: &str) -> (Case, PathBuf) {
    let upper = std::env::temp_dir().join(format!("startxd-seat-{name}-{}", std::process::id()));
    let options = Options { upper: Some(upper.clone()), headless: true, ..Options::default() };
    (Guest::exclusive(options), upper)
}

/// Waits until eve has a session on seat1 other than `earlier`, with her desktop on it.
fn desktop(case: &Case, earlier: &str) -> Session {
    let session = wait_until("eve's session on seat1", SOON, || {
        let sessions = case.sessions();
        let ours = |s: &&Session| s["Seat"] == "seat1" && s["Id"] != earlier && s["Class"] == "user";
        sessions.iter().find(ours).cloned().ok_or_else(|| format!("{sessions:?}"))
    });
    wait_up(case, "eve");
    case.session(&session["Id"]).expect("the session that was there")
}

fn property(case: &Case, name: &str) -> String {
    case.system().property("startxd-seat@eve.service", name)
}

/// Stops the unit, which leaves nothing, not even in the system's runtime directory.
fn stops(case: &Case) {
    case.root("systemctl stop startxd-seat@eve").ok();
    assert_eq!(["ActiveState", "Result"].map(|name| property(case, name)), ["inactive", "success"]);
    case.root("ls -d /run/startxd*").fails();
}

/// Runs a command as ada in a login session on seat1.
fn on_the_seat(case: &Case, command: &str) -> Told {
    let unit = "systemd-run --quiet --collect --wait --pipe -p User=ada --working-directory=/home/ada -p PAMName=startxd \
        -p Environment='XDG_SEAT=seat1 XDG_SESSION_TYPE=x11 XDG_SESSION_CLASS=user'";
    case.root(&format!("{unit} {command}")).into()
}

#[test]
fn from_boot_to_desktop_to_logout_to_the_next_session() {
    let (mut case, upper) = guest("boot");
    case.has_second_seat();
    case.write_as("eve", "~/.xinitrc", XINITRC);
    case.root("systemctl enable startxd-seat@eve").ok();
    case.reboot();
    assert_eq!(case.root("loginctl show-seat seat1 -P CanTTY").text(), "no");
    on_the_seat(&case, "startxd check may-start -v").says(0, &["a session may start: session", "on seat1"]);
    let doctor = on_the_seat(&case, "startxd doctor");
    assert!(!doctor.has("virtual terminal") && !doctor.has("seat1"), "{doctor}");

    // The guests boot into multi-user.target.
    case.root("systemctl start graphical.target").ok();
    let session = desktop(&case, "");
    let expected = [
        ("Name", "eve"),
        ("Type", "x11"),
        ("VTNr", "0"),
        ("Active", "yes"),
        ("State", "active"),
        ("Service", "startxd"),
    ];
    for (name, value) in expected {
        assert_eq!(session[name], value, "{name} of {session:?}");
    }
    assert_eq!(session["Leader"], property(&case, "MainPID"), "nothing in between");
    let server = case.root("ps -C Xorg -o user=,tty=,args=").text();
    assert!(server.starts_with("eve") && server.contains(" ? ") && server.contains("-seat seat1"), "{server}");
    assert!(!server.contains("vt") && !server.contains("-keeptty"), "{server}");
    let status: Told = case.user("eve", "startxd status").into();
    status.says(0, &[&format!("session {} on seat1, in the foreground", session["Id"]), "nothing is wrong"]);

    // As elsewhere, a crash of the server is followed by another server.
    let crashed = case.root("pgrep -x Xorg").text();
    case.root("pkill -KILL -x Xorg").ok();
    wait_until("another server", SOON, || {
        let run = case.user("eve", "startxd status");
        let pids = case.root("pgrep -x Xorg").stdout;
        if run.code() == 0 && pids.trim() != crashed { Ok(()) } else { Err(run.to_string()) }
    });

    logs_out_of_openbox(&case, "eve", &session["Id"]);
    let next = desktop(&case, &session["Id"]);
    stops(&case);
    wait_until("the end of the session", SOON, || match case.session(&next["Id"]) {
        None => Ok(()),
        Some(session) => Err(format!("{session:?}")),
    });
    let told = case.root("journalctl -b -t startxd -o cat").stdout;
    assert!(!told.contains("next attempt"), "a logout is not a failure: {told}");
    let by_hand: Told = case.user("ada", "startxd start --backoff 3").into();
    by_hand.says(2, &["--backoff is for a system unit", "RUNTIME_DIRECTORY is not set"]).in_one_message();
    drop(case);
    std::fs::remove_dir_all(&upper).expect("the guest no longer uses its directory");
}

#[test]
fn a_seat_that_appears_later_gets_its_session() {
    let mut case = Guest::headless();
    case.discard();
    case.write_as("eve", "~/.xinitrc", XINITRC);
    let told = || case.journal("-t startxd -o cat");
    let waits = |pause: &str, times: usize| {
        wait_until(&format!("a pause of {pause}"), SOON, || {
            let told = told();
            if told.matches(&format!("the next attempt is in {pause}\n")).count() == times { Ok(()) } else { Err(told) }
        });
    };
    // Wanted by a loaded unit: otherwise systemd would unload it, and forget how it ended.
    case.root("systemctl add-wants multi-user.target startxd-seat@eve").ok();
    case.root("systemctl start startxd-seat@eve").ok();
    waits("1 s", 1);
    waits("2 s", 1);
    waits("4 s", 1);
    let why = "the session failed 3 times in a row (this shell is not in a login session (logind does not know the seat \
        that XDG_SEAT names; see: loginctl list-seats)";
    assert!(told().contains(why), "{}", told());
    assert_eq!(case.root("stat -c '%U %a' /run/startxd-seat@eve /run/startxd-seat@eve/*").text(), "eve 700\neve 600");
    // During the pause, which SIGTERM ends at once.
    stops(&case);
    assert_eq!(["ExecMainCode", "ExecMainStatus"].map(|name| property(&case, name)), ["2", "15"]);

    // Started by hand, so the count starts again.
    case.root("systemctl start startxd-seat@eve").ok();
    waits("1 s", 2);
    case.plug_in_second_seat();
    desktop(&case, "");
    case.root("test -e /run/startxd-seat@eve/failed.toml").ok();
    stops(&case);
}
