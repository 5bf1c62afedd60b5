//! The guest and the harness themselves, without startxd: what all other tests rely on.

use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::{env, fs, process};

use crate::harness::{Autologin, Guest, Mode, Options, SOON, active_vt, wait_until};

/// A new directory outside of the guest, named after its test.
fn scratch(name: &str) -> PathBuf {
    let dir = env::temp_dir().join(format!("startxd-{name}-{}", process::id()));
    fs::create_dir_all(&dir).expect("a scratch directory");
    dir
}

#[test]
fn boots_without_a_failed_unit() {
    let guest = Guest::get();
    assert_eq!(guest.root("systemctl is-system-running").text(), "running");
    assert_eq!(guest.root("systemctl --failed --plain --no-legend").text(), "");
    assert_eq!(guest.root("ps -p 1 -o comm=").text(), "systemd");
    guest.root("getent hosts guest && ip -br address show up dev lo | grep -q 127.0.0.1").ok();
    assert!(guest.boot_log().contains("multi-user.target"), "{}", guest.boot_log());
}

#[test]
fn commands_run_outside_of_sessions_and_units() {
    let guest = Guest::get();
    guest.start_manager("ada");
    let script = "id -un; pwd; sed -n 's/^0:://p' /proc/self/cgroup; systemctl --user is-system-running --wait";
    assert_eq!(guest.user("ada", script).ok().stdout, "ada\n/home/ada\n/harness\nrunning\n");
    let failed = guest.user("eve", "echo out; echo err >&2; exit 3").fails();
    assert_eq!((failed.code(), failed.stdout.as_str(), failed.stderr.as_str()), (3, "out\n", "err\n"));
    assert_eq!(guest.shell("cat").stdin("through\n").run().text(), "through");
    assert_eq!(guest.root("kill -TERM $$").code(), 128 + 15, "it ends as the command does");
    // A leader of a Unix session that opens a terminal gets it as its controlling terminal.
    guest.root("[ $$ -ne $(ps -o sid= -p $$) ] && exec 3<> /dev/tty9 && ! : < /dev/tty").ok();
    let greeting = guest.shell_as("ada", "echo $GREETING").env("GREETING", "hello");
    assert_eq!(greeting.run().text(), "hello");

    let sleeper = guest.spawn("eve", "echo here; sleep 600");
    wait_until("the background command", SOON, || match sleeper.stdout() {
        text if text == "here\n" => Ok(()),
        text => Err(text),
    });
    assert!(sleeper.is_running());
    drop(sleeper);
    assert_eq!(guest.root("pgrep -u eve").code(), 1, "a dropped command is killed");
}

#[test]
fn autologin_makes_an_x11_session_on_the_seat() {
    let mut guest = Guest::get();
    let login = guest.at_prompt();
    let session = guest.session(&login.session).expect("the session is there");
    let facts = ["Name", "Type", "Class", "Seat", "VTNr", "TTY", "Active", "Remote"];
    assert_eq!(facts.map(|key| session[key].as_str()), ["ada", "x11", "user", "seat0", "1", "tty1", "yes", "no"]);
    guest.assert_clean();
    guest.exit_shell(&login);
    let again = guest.wait_session("ada", &login.vt, SOON);
    assert_ne!(again.session, login.session, "getty logs in again");
    guest.logout(&again);

    let eve = Autologin { user: "eve".to_owned(), vt: 3, session_type: String::new() };
    let login = guest.login(&eve);
    login.vt.wait_prompt(SOON);
    let session = guest.session(&login.session).expect("the session is there");
    assert_eq!(["Name", "Type", "TTY"].map(|key| session[key].as_str()), ["eve", "tty", "tty3"]);
}

#[test]
fn what_is_typed_shows_and_runs() {
    let mut guest = Guest::get();
    let login = guest.at_prompt();
    login.vt.type_line("echo $((6 * 7)) für $USER on $(tty)");
    let screen = login.vt.wait_text("42 für ada on /dev/tty1", SOON);
    assert!(screen.contains("echo $((6 * 7))"), "the line is echoed:\n{screen}");
    login.vt.wait_prompt(SOON);
    guest.vt(2).switch();
    assert_eq!(active_vt(), 2);
    guest.vt(2).wait_text("login:", SOON);
    login.vt.switch();
    guest.assert_clean();
}

#[test]
fn a_plain_server_takes_the_terminal_and_gives_it_back() {
    let mut guest = Guest::get();
    let login = guest.at_prompt();
    assert_eq!(login.vt.mode(), Mode::Text);
    let before = guest.snapshot();
    login.vt.type_line("/usr/lib/xorg/Xorg :0 vt1 -keeptty -noreset > /dev/null 2>&1");
    wait_until("the server to answer", SOON, || {
        let run = guest.user("ada", "DISPLAY=:0 xdpyinfo");
        if run.status.success() { Ok(()) } else { Err(run.to_string()) }
    });
    login.vt.wait_mode(Mode::Graphics, SOON);
    assert_eq!(guest.root("ps -C Xorg -o user=").text(), "ada", "the server is rootless");
    let left = guest.snapshot().since(&before).to_string();
    for trace in ["/usr/lib/xorg/Xorg :0", "/tmp/.X0-lock", "/tmp/.X11-unix/X0", "tty1 in graphics mode"] {
        assert!(left.contains(trace), "{trace} should be named:\n{left}");
    }
    guest.root("pkill -x Xorg").ok();
    login.vt.wait_mode(Mode::Text, SOON);
    login.vt.wait_prompt(SOON);
    guest.assert_clean();
}

#[test]
fn leftovers_of_a_session_are_named() {
    let mut guest = Guest::get();
    guest.at_prompt();
    let script = "systemd-run --user --quiet --unit=forgotten -p Type=exec sleep 600; systemctl --user set-environment DISPLAY=:7";
    guest.user("ada", script).ok();
    let before = guest.snapshot();
    let panic = catch_unwind(AssertUnwindSafe(|| guest.assert_clean())).expect_err("it is not clean");
    let message = panic.downcast_ref::<String>().expect("a message");
    for trace in ["sleep 600", "forgotten.service is active", "manager environment: DISPLAY=:7"] {
        assert!(message.contains(trace), "{trace} should be named:\n{message}");
    }
    guest.user("ada", "systemctl --user stop forgotten; systemctl --user unset-environment DISPLAY").ok();
    guest.assert_clean();
    let missing = guest.snapshot().since(&before).to_string();
    assert!(missing.contains("missing      process: /usr/bin/sleep 600"), "{missing}");
}

/// Compares both views of ada's manager, of its units, and of her processes and sessions.
fn assert_seen_as_told(guest: &Guest) {
    let manager = guest.manager("ada");
    for (unit, name) in [
        ("default.target", "ActiveState"),
        ("dbus.socket", "SubState"),
        ("no-such.service", "LoadState"),
        ("dbus.service", "MainPID"),
        ("dbus.service", "Type"),
        ("dbus.service", "ControlGroup"),
        ("dbus.service", "CanReload"),
    ] {
        let told = guest.user("ada", &format!("systemctl --user show --value -p {name} {unit}")).text();
        assert_eq!(manager.property(unit, name), told, "{name} of {unit}");
    }
    let told = guest.user("ada", "systemctl --user show-environment").ok().stdout;
    assert_eq!(manager.environment(), told.lines().collect::<Vec<_>>());
    let failed = guest.root("systemctl list-units --failed --plain --no-legend | wc -l").text();
    assert_eq!(guest.system().units(&["failed"], &[]).len().to_string(), failed);
    let pids = guest.processes_of("ada").into_iter().map(|process| process.pid.to_string()).collect::<Vec<_>>();
    assert_eq!(pids.join("\n"), guest.root("ps -u ada -o pid= --sort start_time,pid | tr -d ' '").text());
    let mut ids: Vec<String> = guest.sessions().iter().map(|session| session["Id"].clone()).collect();
    ids.sort();
    assert_eq!(ids.join("\n"), guest.root("loginctl list-sessions --no-legend | awk '{ print $1 }' | sort").text());
}

#[test]
fn what_is_seen_is_what_systemctl_and_others_tell() {
    let mut guest = Guest::get();
    guest.at_prompt();
    guest.user("ada", "busctl --user list > /dev/null").ok();
    assert_seen_as_told(&guest);
    // An older connection is useless after this, and for a moment there is no new one.
    let manager = guest.manager("ada");
    assert_eq!(manager.property("default.target", "ActiveState"), "active");
    guest.user("ada", "systemctl --user daemon-reexec").ok();
    assert_eq!(manager.property("default.target", "ActiveState"), "active");
    guest.root("systemctl daemon-reexec; systemctl restart systemd-logind").ok();
    assert_seen_as_told(&guest);
    // The process that connects for the harness.
    guest.root("pkill -KILL -x porter").ok();
    assert_seen_as_told(&guest);

    guest.root("systemctl stop user@1000").ok();
    let gone = guest.manager("ada").try_property("default.target", "ActiveState");
    assert!(gone.as_ref().is_err_and(|problem| problem.contains("nobody listens")), "{gone:?}");
    assert!(!guest.snapshot().since(&Default::default()).to_string().contains("user unit"));
}

#[test]
fn users_can_have_dbus_broker() {
    let guest = Guest::get();
    guest.use_dbus_broker();
    guest.start_manager("ada");
    guest.user("ada", "busctl --user list > /dev/null").ok();
    let processes = guest.root("ps -u ada -o comm=").text();
    assert!(processes.contains("dbus-broker") && !processes.contains("dbus-daemon"), "{processes}");
}

#[test]
fn a_failed_case_costs_the_guest() {
    let failed = catch_unwind(|| {
        let guest = Guest::get();
        guest.write("/run/mark", "here");
        assert_eq!(guest.suite(), "none", "on purpose, to see the guest's report");
    });
    assert!(failed.is_err());
    let guest = Guest::get();
    guest.root("test -e /run/mark").fails();
}

#[test]
fn boots_again_with_what_was_written_and_installed() {
    let (upper, staged) = (scratch("upper"), scratch("staged"));
    let program = staged.join("usr/bin/greet");
    fs::create_dir_all(staged.join("usr/bin")).expect("a directory");
    fs::write(&program, "#!/bin/sh\necho hello\n").expect("a program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("an executable program");

    let options = Options { upper: Some(upper.clone()), install: Some(staged.clone()), ..Options::default() };
    let mut guest = Guest::exclusive(options);
    assert_eq!(guest.user("ada", "greet").text(), "hello");
    guest.write("/var/lib/kept", "from the first boot");
    let first = guest.root("systemctl show --value -p UserspaceTimestampMonotonic").text();
    guest.reboot();
    assert_ne!(guest.root("systemctl show --value -p UserspaceTimestampMonotonic").text(), first);
    assert_eq!(guest.read("/var/lib/kept"), "from the first boot");
    assert_eq!(guest.user("ada", "greet").text(), "hello");
    guest.login_autologin(1);
    drop(guest);

    fs::remove_dir_all(&upper).expect("the guest no longer uses its directory");
    fs::remove_dir_all(&staged).expect("the guest no longer uses what was installed");
    let guest = Guest::get();
    guest.root("test -e /var/lib/kept || test -e /usr/bin/greet").fails();
}
