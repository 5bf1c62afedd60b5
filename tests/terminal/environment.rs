//! What a session exports to the user manager and to the message bus, and how their own variables are restored.

use crate::harness::{Case, Guest, SOON, wait_until};
use crate::scenario::{Desk, OPENBOX, write_bus_services};

/// Variables that belong to one shell, terminal or login.
const STAY: [&str; 12] = [
    "SHLVL",
    "PWD",
    "OLDPWD",
    "_",
    "TERM",
    "HUSHLOGIN",
    "XDG_SESSION_ID",
    "XDG_SESSION_CLASS",
    "XDG_SEAT",
    "XDG_VTNR",
    "INVOCATION_ID",
    "NOTIFY_SOCKET",
];

#[test]
fn the_users_variables_are_exported_and_the_logins_are_not() {
    let case = Guest::get();
    case.write_profile("ada", "export PATH=$HOME/bin:$PATH LANG=C EDITOR='my editor' EMPTY= LINES=24 MINE=$'a\\tb'\n");
    let desk = Desk::at_prompt_in(case);
    let before = desk.environment();
    assert_eq!(before.get("EDITOR"), None);
    desk.starts(OPENBOX);
    let programs = desk.run("env").ok().stdout;
    for line in ["EDITOR=my editor", "LANG=C", "EMPTY=", "MINE=a\tb", "DISPLAY=:0", "XDG_SESSION_TYPE=x11"] {
        assert!(programs.lines().any(|found| found == line), "{line:?} is not in:\n{programs}");
    }
    assert!(programs.contains("\nPATH=/home/ada/bin:/") || programs.starts_with("PATH=/home/ada/bin:/"), "{programs}");
    let during = desk.environment();
    assert_eq!(during.has(&STAY), before.has(&STAY));
    assert_eq!(
        during.values(["XAUTHORITY", "XDG_CURRENT_DESKTOP", "DESKTOP_SESSION"]),
        [Some("/run/user/1000/xauth_startxd_0"), Some("openbox"), Some("openbox")]
    );
    desk.quits_openbox();
    desk.ended(0);
    assert_eq!(desk.environment(), before);
}

#[test]
fn a_session_undoes_its_changes_of_the_environment() {
    let mut desk = Desk::at_prompt();
    desk.user("ada", "systemctl --user set-environment DISPLAY=:77 XAUTHORITY=/none KEPT=1 CHANGED=old REMOVED=there")
        .ok();
    desk.settles();
    let before = desk.environment();
    desk.starts(OPENBOX);
    assert_eq!(desk.environment().values(["DISPLAY", "KEPT"]), [Some(":0"), Some("1")]);
    desk.run(
        "systemctl --user set-environment CHANGED=new ADDED=1 DISPLAY=:99
         systemctl --user unset-environment REMOVED XAUTHORITY
         busctl --user call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus \
             UpdateActivationEnvironment 'a{ss}' 1 FROM_BUS 1",
    )
    .ok();
    wait_until("the bus to tell the manager", SOON, || match desk.environment() {
        now if now.get("FROM_BUS") == Some("1") => Ok(()),
        now => Err(format!("{now:?}")),
    });
    assert_eq!(desk.environment().values(["CHANGED", "REMOVED"]), [Some("new"), None]);
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
    assert_eq!(desk.environment(), before);
}

fn ten_sessions(desk: &Desk) {
    let before = desk.environment();
    for _ in 0..10 {
        desk.starts(OPENBOX);
        desk.user("ada", "startxd stop").ok();
        desk.ended(0);
        assert_eq!(desk.environment(), before);
    }
}

/// What dbus-x11 installs in /etc/X11/Xsession.d.
const DBUS_X11: &str =
    "(unset XDG_SEAT XDG_SESSION_ID XDG_VTNR; dbus-update-activation-environment --verbose --systemd --all)\n";

#[test]
fn what_dbus_x11_exports_describes_no_unit_and_goes_with_the_session() {
    const FILE: &str = "/etc/X11/Xsession.d/95dbus_update-activation-env";
    let mut desk = Desk::at_prompt();
    desk.write(FILE, DBUS_X11);
    desk.write_as("ada", "~/.xsession", "exec openbox --sm-disable\n");
    desk.write_as("ada", "~/.xsessionrc", "export MINE=1\n");
    let before = desk.environment();
    desk.starts("");
    let during = desk.environment();
    assert_eq!(during.get("MINE"), Some("1"));
    // Under startx it exports these two as well: dash puts PWD into the environment of whatever it runs.
    let mut stay = STAY.to_vec();
    stay.retain(|name| !["PWD", "XDG_SESSION_CLASS"].contains(name));
    assert_eq!(during.has(&stay), before.has(&stay));
    desk.quits_openbox();
    // All of it goes with the session, also what a startup file in another directory adds.
    desk.ended(0);
    desk.write_as("ada", "~/.xsessionrc", "cd /usr/share\n");
    desk.starts("");
    desk.quits_openbox();
    desk.ended(0);
    assert_eq!(desk.environment(), before);
    // Under startx the manager gets at least as much of that, and keeps it.
    desk.discard();
    desk.types("startx -- /usr/lib/xorg/Xorg :0 vt1 -keeptty");
    wait_until("startx' session", SOON, || match desk.environment() {
        now if now.get("MINE") == Some("1") || now.has(&["OLDPWD"]).len() == 1 => Ok(()),
        now => Err(format!("{now:?}")),
    });
    let control = desk.environment().has(&STAY);
    assert!(during.has(&STAY).iter().all(|name| control.contains(name)), "{during:?}, {control:?}");
    wait_until("the end of startx", SOON, || {
        desk.user("ada", "DISPLAY=:0 XAUTHORITY=~/.Xauthority timeout 5 openbox --exit");
        desk.exit_status().ok_or_else(|| desk.vt().to_string())
    });
    assert_eq!(desk.environment().has(&STAY), control);
}

#[test]
fn what_describes_a_shell_in_the_manager_does_not_reach_the_session_itself() {
    let mut desk = Desk::at_prompt();
    desk.user("ada", "systemctl --user set-environment PWD=/none OLDPWD=/none SHLVL=9 XDG_SESSION_CLASS=none").ok();
    desk.settles();
    let before = desk.environment();
    desk.starts(OPENBOX);
    let own = desk.root("tr '\\0' '\\n' < /proc/$(pgrep -x openbox)/environ").ok().stdout;
    assert!(own.contains("DISPLAY=:0\n") && !own.contains("=/none") && !own.contains("SHLVL=9"), "{own}");
    assert!(!own.contains("XDG_SESSION_CLASS=none"), "{own}");
    desk.quits_openbox();
    desk.ended(0);
    assert_eq!(desk.environment(), before);
}

/// Activates `name` in ada's bus.
fn activates(desk: &Desk, name: &str) {
    let bus = "org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus";
    desk.user(
        "ada",
        &format!("rm -f {name}; busctl --user call --expect-reply=no {bus} StartServiceByName su {name} 0"),
    )
    .ok();
}

/// Where programs that the bus activates stay: what was activated for a session ends with it.
fn activated_programs_end_with_their_session(case: Case) {
    for (name, seconds) in [("lab.Before", 4321), ("lab.Stays0", 4322), ("lab.Stays5", 4322)] {
        let path = format!("~/.local/share/dbus-1/services/{name}.service");
        case.write_as("ada", &path, &format!("[D-BUS Service]\nName={name}\nExec=/home/ada/stays {name} {seconds}\n"));
    }
    case.write_as("ada", "~/stays", "#!/bin/sh\necho $DISPLAY >$1.new; mv $1.new ~/$1; exec sleep $2\n");
    case.user("ada", "chmod +x stays").ok();
    let desk = Desk::at_prompt_in(case);
    desk.user("ada", "busctl --user call org.freedesktop.DBus / org.freedesktop.DBus ReloadConfig").ok();
    let left =
        |argument: &str| desk.processes_of("ada").iter().filter(|it| it.args == format!("sleep {argument}")).count();
    activates(&desk, "lab.Before");
    desk.wait_file("/home/ada/lab.Before");
    for display in [0, 5] {
        desk.starts(&format!("--display :{display} {OPENBOX}"));
        let name = format!("lab.Stays{display}");
        activates(&desk, &name);
        assert_eq!(desk.wait_file(&format!("/home/ada/{name}")), format!(":{display}\n"));
        wait_until("the program", SOON, || {
            if left("4322") == 1 { Ok(()) } else { Err(format!("{:?}", desk.processes_of("ada"))) }
        });
        desk.user("ada", "startxd stop").ok();
        desk.comes_back(0, SOON);
        assert_eq!((left("4321"), left("4322")), (1, 0), "{:?}", desk.processes_of("ada"));
    }
    desk.user("ada", "pkill sleep").ok();
}

#[test]
fn what_dbus_daemon_has_activated_for_a_session_ends_with_it() {
    activated_programs_end_with_their_session(Guest::get());
}

#[test]
fn what_dbus_broker_has_activated_for_a_session_ends_with_it() {
    let case = Guest::get();
    case.use_dbus_broker();
    activated_programs_end_with_their_session(case);
}

#[test]
fn ten_sessions_leave_the_environment_of_the_first() {
    ten_sessions(&Desk::at_prompt());
}

fn programs_of_the_bus(case: Case) {
    write_bus_services(&case);
    let desk = Desk::at_prompt_in(case);
    let names = ["DISPLAY", "XAUTHORITY", "XDG_SESSION_TYPE"];
    desk.starts(OPENBOX);
    assert_eq!(desk.bus_starts(1).values(names), [Some(":0"), Some("/run/user/1000/xauth_startxd_0"), Some("x11")]);
    assert_eq!(desk.bus_starts(2).has(&["XDG_SESSION_ID", "XDG_VTNR", "SHLVL"]).len(), 0);
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
    // Variables cannot be removed from the bus's environment, only emptied.
    let after = desk.bus_starts(3);
    assert_eq!(after.has(&["STARTXD_RESTORE"]).len(), 0, "startxd leaves no variable there that it made for itself");
    let after = after.values(names).map(Option::unwrap_or_default).map(str::to_owned);
    assert_eq!(after, ["", "", ""]);
    // It has reported that, and is about to end.
    desk.becomes_clean();

    let set = "busctl --user call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus \
               UpdateActivationEnvironment 'a{ss}' 1 DISPLAY :77";
    desk.user("ada", set).ok();
    wait_until("the bus to tell the manager", SOON, || match desk.environment() {
        now if now.get("DISPLAY") == Some(":77") => Ok(()),
        now => Err(format!("{now:?}")),
    });
    desk.starts(OPENBOX);
    assert_eq!(desk.bus_starts(4).get("DISPLAY"), Some(":0"));
    desk.user("ada", "startxd stop").ok();
    desk.comes_back(0, SOON);
    assert_eq!(desk.environment().get("DISPLAY"), Some(":77"));
    assert_eq!(desk.bus_starts(5).get("DISPLAY"), Some(":77"));
}

#[test]
fn programs_that_dbus_daemon_starts_have_the_display_during_the_session_only() {
    let case = Guest::get();
    programs_of_the_bus(case);
}

#[test]
fn programs_that_dbus_broker_starts_have_the_display_during_the_session_only() {
    let case = Guest::get();
    case.use_dbus_broker();
    programs_of_the_bus(case);
}

#[test]
fn with_dbus_broker_ten_sessions_leave_the_environment_of_the_first() {
    let case = Guest::get();
    case.use_dbus_broker();
    ten_sessions(&Desk::at_prompt_in(case));
}

/// Disables the repair, which would clean up at once after host and supervisor are both killed, or enables it again.
fn no_repair(desk: &Desk, away: bool) {
    let verb = if away { "mask" } else { "unmask" };
    desk.user("ada", &format!("systemctl --user {verb} --runtime startxd-repair.service")).ok();
}

/// Kills host and supervisor so that neither notices the other's end, and returns when the prompt is back.
fn kills_both(desk: &Desk) {
    let kill = "pkill -STOP -u ada -f '^/usr/bin/startxd serve'; pkill -KILL -u ada -x startxd";
    desk.root(kill).ok();
    desk.comes_back(137, SOON);
    desk.server_is_gone();
}

#[test]
fn what_a_killed_host_and_supervisor_left_is_repaired_by_the_next_start() {
    let desk = Desk::at_prompt();
    no_repair(&desk, true);
    desk.starts(OPENBOX);
    desk.run("systemctl --user set-environment LEFT=behind").ok();
    kills_both(&desk);
    assert_eq!(desk.environment().get("LEFT"), Some("behind"), "nobody was there to put it back");
    desk.types(&format!("startxd start {OPENBOX}"));
    desk.is_up();
    assert_eq!(desk.environment().values(["DISPLAY", "LEFT"]), [Some(":0"), None]);
    no_repair(&desk, false);
    desk.quits_openbox();
    desk.ended(0).says(&["ended without cleaning up"]);
}

#[test]
fn what_a_killed_host_and_supervisor_left_is_ended_by_stop() {
    let desk = Desk::at_prompt();
    no_repair(&desk, true);
    desk.starts(OPENBOX);
    kills_both(&desk);
    desk.user("ada", "startxd stop").ok();
    no_repair(&desk, false);
    desk.is_clean();
    assert_eq!(desk.user("ada", "startxd stop").code(), 4);
}
