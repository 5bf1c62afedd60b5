//! `systemctl --user exit`, or the user manager is killed: the host ends and says why; the next start works.

use crate::harness::{Mode, SOON, secs, wait_until};
use crate::scenario::{Desk, OPENBOX};

/// Tells the manager to exit, over its own socket.
const EXIT: &str = "setpriv --reuid ada --regid ada --clear-groups \
    env XDG_RUNTIME_DIR=/run/user/1000 systemctl --user exit";

/// The host ends at once, without a manager to ask, and says why.
fn ends_with_its_manager(desk: &mut Desk, how: &str) {
    desk.starts(OPENBOX);
    desk.root(how).ok();
    desk.comes_back(1, secs(4)).says(&["the user manager is gone (", "log out and in again"]);
    wait_until("tty1 in text mode, and no process of the session", SOON, || {
        let mut rest = desk.processes_of("ada");
        rest.retain(|process| ["Xorg", "openbox", "startxd"].iter().any(|part| process.name.contains(part)));
        if desk.vt().mode() == Mode::Text && rest.is_empty() { Ok(()) } else { Err(format!("{rest:?}")) }
    });
    desk.vt().wait_prompt(SOON);
    // The same login has no manager any more, and a start says so.
    desk.types("startxd start -- openbox");
    desk.comes_back(18, SOON).says(&["systemctl start user@1000"]);
    desk.logs_in_again();
    desk.starts_again();
}

#[test]
fn the_manager_is_told_to_exit() {
    ends_with_its_manager(&mut Desk::at_prompt(), EXIT);
}

#[test]
fn the_bus_goes_first_when_the_manager_exits() {
    let mut desk = Desk::at_prompt();
    // The bus is gone, and the manager remains for as long as this unit takes.
    desk.writes_unit(
        "late.service",
        "[Unit]\nBefore=dbus.service\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\nExecStop=sh -c 'read _ < %h/go'\n",
    );
    desk.write_as(
        "ada",
        "~/stubborn",
        "#!/bin/sh\ntrap '' TERM\necho here > ~/stubborn.runs\nwhile :; do sleep 1; done\n",
    );
    desk.write_as("ada", "~/wm", "#!/bin/sh\n~/stubborn &\nexec openbox --sm-disable\n");
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[deadlines]\napplications = 1\nuser_manager = 1\n");
    desk.user("ada", "chmod +x wm stubborn; mkfifo go; systemctl --user start late").ok();
    desk.starts("-- ./wm");
    desk.wait_file("/home/ada/stubborn.runs");
    desk.root(EXIT).ok();
    let screen = desk.comes_back(1, SOON);
    screen.says(&["the user manager is gone"]);
    assert!(!screen.has("cannot be started") && !screen.has("by force"), "{screen}");
    desk.user("ada", "echo > go").ok();
    desk.logs_in_again();
    desk.starts_again();
}

#[test]
fn the_manager_is_killed() {
    ends_with_its_manager(&mut Desk::at_prompt(), "pkill -KILL -o -u ada -f 'systemd --user'");
}

#[test]
fn the_user_is_terminated_with_the_manager() {
    let mut desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.root("loginctl terminate-user ada").ok();
    desk.wait_session_gone(&desk.login, SOON);
    wait_until("tty1 in text mode", SOON, || match desk.vt().mode() {
        Mode::Text => Ok(()),
        mode => Err(format!("{mode:?}")),
    });
    desk.logs_in_again();
    desk.starts_again();
}
