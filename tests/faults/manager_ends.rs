//! `systemctl --user exit`, the user manager killed: the host ends, says why; the next start works.

use crate::harness::{Mode, SOON, secs, wait_until};
use crate::scenario::{Desk, OPENBOX};

/// The host ends at once, without a manager to ask, and says why.
fn ends_with_its_manager(desk: &mut Desk, how: &str) {
    desk.starts(OPENBOX);
    desk.root(how).ok();
    desk.comes_back(1, secs(4)).says(&["the user manager is gone (its process has ended)", "log out and in again"]);
    wait_until("tty1 in text mode, and no process of the session", SOON, || {
        let rest = desk.root("pgrep -a -u ada 'Xorg|openbox|startxd'");
        if desk.vt().mode() == Mode::Text && !rest.status.success() { Ok(()) } else { Err(rest.to_string()) }
    });
    desk.vt().wait_prompt(SOON);
    // In the same login there is no manager any more, and a start says so.
    desk.types("startxd start -- openbox");
    desk.comes_back(18, SOON).says(&["systemctl start user@1000"]);
    desk.logs_in_again();
    desk.starts_again();
}

#[test]
fn the_manager_is_told_to_exit() {
    ends_with_its_manager(
        &mut Desk::at_prompt(),
        "setpriv --reuid ada --regid ada --clear-groups \
        env XDG_RUNTIME_DIR=/run/user/1000 systemctl --user exit",
    );
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
