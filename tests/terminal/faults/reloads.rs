//! `daemon-reload`, `daemon-reexec` (user and system), logind restarted, the user's or the system's D-Bus restarted:
//! the session continues; what cannot continue is noticed and reported.

use crate::faults::{another, manages};
use crate::harness::{SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

/// A session continues while something happens to the managers.
fn goes_on_under(managers: impl FnOnce(&Desk)) {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let server = desk.server();
    managers(&desk);
    desk.is_up();
    assert_eq!(desk.server(), server);
    desk.with_display("xdpyinfo").ok();
    desk.quits_openbox();
    desk.ended(0);
    desk.starts_again();
}

#[test]
fn the_user_manager_reloads_and_reexecutes_under_a_session() {
    goes_on_under(|desk| {
        desk.user("ada", "systemctl --user daemon-reload; systemctl --user daemon-reexec").ok();
    });
}

#[test]
fn a_window_manager_comes_back_after_a_reload_whatever_is_in_its_command() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/wm", "#!/bin/sh\necho \"$1\" > given\nexec openbox --sm-disable\n");
    desk.user("ada", "chmod +x wm").ok();
    // systemd 252 writes a command that contains a `$` into the unit's file in a way that it cannot read back.
    desk.starts("-- ./wm '$HOME %h $$'");
    let server = desk.server();
    let mut manager = another(&desk, "openbox", "");
    for _ in 0..2 {
        desk.user("ada", "systemctl --user daemon-reload; rm given").ok();
        desk.root(&format!("kill -KILL {manager}")).ok();
        manager = another(&desk, "openbox", &manager);
        manages(&desk);
        assert_eq!(desk.read("/home/ada/given"), "$HOME %h $$\n");
    }
    assert_eq!(desk.server(), server);
    desk.quits_openbox();
    desk.ended(0);
    desk.starts_again();
}

#[test]
fn the_system_manager_reloads_and_reexecutes_under_a_session() {
    goes_on_under(|desk| {
        desk.root("systemctl daemon-reload; systemctl daemon-reexec").ok();
    });
}

#[test]
fn the_users_bus_is_restarted_under_a_session() {
    let desk = Desk::at_prompt();
    // The bus ends while there is a display, however long that takes: the supervisor must learn over the new bus that
    // the session is ending.
    desk.writes_unit(
        "app.service",
        "[Unit]\nPartOf=graphical-session.target\nAfter=graphical-session.target\n\
         [Service]\nExecStart=sleep infinity\nExecStop=sh -c 'sleep 0.5; xdpyinfo > /dev/null && touch ~/saved'\n\
         [Install]\nWantedBy=graphical-session.target\n",
    );
    desk.user("ada", "systemctl --user enable app").ok();
    desk.starts(OPENBOX);
    desk.unit_becomes("app.service", "active");
    let server = desk.server();
    desk.user("ada", "systemctl --user restart dbus").ok();
    desk.with_display("xdpyinfo").ok();
    assert_eq!(desk.server(), server);
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
    desk.user("ada", "test -e saved").ok();
    desk.user("ada", "systemctl --user disable app").ok();
    desk.starts_again();
}

#[test]
fn logind_is_restarted_and_the_server_gets_its_devices_again() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let server = desk.server();
    desk.root("systemctl restart systemd-logind").ok();
    another(&desk, "Xorg", &server.pid);
    manages(&desk);
    desk.is_up();
    let file = format!("/run/systemd/sessions/{}", desk.login.session);
    wait_until("the new server to be in control of the session", SOON, || match desk.read(&file) {
        session if session.contains("\nCONTROLLER=") => Ok(()),
        session => Err(session),
    });
    desk.quits_openbox();
    desk.ended(0).says(&["systemd-logind was restarted: the X server has lost its screen"]);
    desk.starts_again();
}

#[test]
fn the_system_bus_is_restarted_and_the_server_gets_its_devices_again() {
    let mut desk = Desk::at_prompt();
    desk.discard();
    desk.starts(OPENBOX);
    let server = desk.server();
    desk.root("systemctl restart dbus; systemctl restart systemd-logind").ok();
    another(&desk, "Xorg", &server.pid);
    // Her manager has lost the system's and re-executes itself; until then systemctl gets no answer.
    wait_until("the new server to be ready", SOON, || match desk.journal("-o cat -t startxd -g 'is ready on :0'") {
        lines if lines.lines().count() >= 2 => Ok(()),
        lines => Err(lines),
    });
    manages(&desk);
    desk.is_up();
    desk.quits_openbox();
    desk.ended(0).says(&["the system's message bus was restarted: the X server has lost its screen"]);
    desk.starts_again();
}

#[test]
fn without_logind_the_session_ends_and_says_so() {
    let mut desk = Desk::at_prompt();
    desk.discard();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[deadlines]\nuser_manager = 2\n");
    desk.starts(OPENBOX);
    desk.root("systemctl mask --runtime systemd-logind; systemctl stop systemd-logind; systemctl restart dbus").ok();
    desk.comes_back(1, SOON).says(&["systemd-logind does not answer any more", "systemctl restart systemd-logind"]);
    desk.root("systemctl unmask --runtime systemd-logind; systemctl restart systemd-logind").ok();
    // logind has forgotten the login.
    desk.logs_in_again();
    desk.starts_again();
}
