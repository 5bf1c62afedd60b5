//! What logout menus run, in each kind of session: it ends the session in order, and the next one works.

use crate::scenario::Desk;

/// Each kind of session with openbox.
const KINDS: [&str; 4] = ["-- openbox --sm-disable", "openbox", "mywm.service", "~/.xinitrc"];

/// Ada at the prompt, with what the kinds of sessions need.
fn desk() -> Desk {
    let mut desk = Desk::at_prompt();
    desk.writes_unit(
        "mywm.service",
        "[Unit]\nRequires=xorg.target\nAfter=xorg.target\n[Service]\nExecStart=openbox --sm-disable\n",
    );
    desk.write_as("ada", "~/.xinitrc", "xsetroot -solid grey\nexec openbox --sm-disable\n");
    desk.user("ada", "systemctl --user daemon-reload").ok();
    desk.settles();
    desk
}

#[test]
fn the_window_managers_own_exit_ends_every_kind() {
    let desk = desk();
    for kind in KINDS {
        desk.starts(kind);
        desk.quits_openbox();
        desk.ended(0);
    }
    desk.starts_again();
}

#[test]
fn the_end_of_the_login_ends_every_kind() {
    let mut desk = desk();
    for kind in KINDS {
        desk.starts(kind);
        desk.run(&format!("loginctl terminate-session {}", desk.login.session)).ok();
        desk.is_logged_out();
        desk.logs_in();
    }
    for kind in KINDS {
        desk.starts(kind);
        // login(1), or the shell if there is none.
        let leader = desk.root(&format!("loginctl show-session --value -p Leader {}", desk.login.session)).text();
        desk.root(&format!("kill -TERM {leader}")).ok();
        desk.wait_session_gone(&desk.login, crate::harness::SOON);
        // Its getty was killed with it.
        desk.root("systemctl reset-failed getty@tty1").ok();
        desk.is_logged_out();
        desk.logs_in();
    }
    desk.starts_again();
}

#[test]
fn the_end_of_the_user_manager_ends_every_kind() {
    let mut desk = desk();
    for kind in KINDS {
        desk.starts(kind);
        desk.run("systemctl --user exit");
        desk.comes_back(1, crate::harness::SOON).says(&["the user manager is gone (", "log out and in again"]);
        desk.logs_in_again();
    }
    desk.starts_again();
}
