//! Xorg crashes or is killed: the VT is in text mode; server and window manager come back a limited number of times,
//! with growing pauses; `multiplexer.target` and everything not bound to the display is untouched; beyond the limit the
//! session ends, with the server's last lines on the VT.

use crate::faults::{FIFO, another, manages};
use crate::harness::{Guest, Mode, SOON, active_vt, secs};
use crate::hostile::servers;
use crate::scenario::{Desk, OPENBOX};

#[test]
fn a_killed_server_comes_back_with_its_window_manager() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let first = desk.server();
    desk.root(&format!("kill -KILL {}", first.pid)).ok();
    another(&desk, "Xorg", &first.pid);
    manages(&desk);
    desk.unit_becomes("xorg@0.service", "active");
    let second = desk.server();
    assert_eq!((&second.exe, &second.uids, &second.cgroup), (&first.exe, &first.uids, &first.cgroup));
    desk.is_up();
    desk.quits_openbox();
    desk.ended(0);
    desk.starts_again();
}

#[test]
fn a_window_manager_that_notices_last_still_comes_back() {
    let desk = Desk::at_prompt();
    // Only the host starts this one again.
    desk.write_as("ada", "~/.xinitrc", "exec openbox --sm-disable\n");
    desk.starts("");
    let first = desk.server();
    let openbox = desk.root("pgrep -x openbox").text();
    desk.root(&format!("kill -STOP {openbox}; kill -KILL {}", first.pid)).ok();
    // Meanwhile another client has started the next server.
    desk.unit_becomes("xorg@0.service", "failed");
    desk.with_display("xdpyinfo").ok();
    another(&desk, "Xorg", &first.pid);
    desk.root(&format!("kill -CONT {openbox}")).ok();
    another(&desk, "openbox", &openbox);
    manages(&desk);
    desk.is_up();
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn a_server_that_is_told_to_end_comes_back_whatever_the_session_does() {
    let desk = Desk::at_prompt();
    // Such a server drops its clients before it ends. So a session that only the host starts again ends by itself while
    // there still is a server: with an error, and as at a logout.
    for script in ["exec openbox --sm-disable\n", "openbox --sm-disable\nexit 0\n"] {
        desk.write_as("ada", "~/.xinitrc", script);
        desk.starts("");
        for how in
            ["startxd restart xorg", "systemctl --user restart xorg@0.service", "systemctl --user stop xorg@0.service"]
        {
            let (server, openbox) = (desk.server().pid, desk.root("pgrep -u ada -x openbox").text());
            desk.user("ada", how).ok();
            another(&desk, "Xorg", &server);
            another(&desk, "openbox", &openbox);
            manages(&desk);
            desk.is_up();
        }
        desk.quits_openbox();
        desk.ended(0);
    }
}

#[test]
fn a_server_that_is_killed_again_and_again_ends_the_session() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let mut server = String::new();
    for _ in 0..4 {
        server = another(&desk, "Xorg", &server);
        manages(&desk);
        desk.root(&format!("kill -KILL {server}")).ok();
    }
    let screen = desk.ended(3);
    screen.says(&["the X server was ended by SIGKILL; its last lines:"]);
    let lines = screen.0.split("its last lines:").last().map_or(0, |lines| lines.lines().count());
    // The rest of this line, END, the prompt, and the server's output.
    assert!(lines > 4, "{screen}");
    desk.starts_again();
}

#[test]
fn it_comes_back_after_a_pause_in_which_the_terminal_is_in_text_mode() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[crash]\nlimit = 2\npause = 2\n");
    desk.starts(OPENBOX);
    let first = desk.server();
    desk.root(&format!("kill -KILL {}", first.pid)).ok();
    let second = another(&desk, "Xorg", &first.pid);
    manages(&desk);
    desk.root(&format!("kill -KILL {second}")).ok();
    desk.vt().wait_text("(2 of 2)", SOON);
    desk.vt().wait_mode(Mode::Text, SOON);
    // Its supervisor is up already, and waits.
    desk.unit_becomes("xorg@0.service", "activating");
    let third = another(&desk, "Xorg", &second);
    manages(&desk);
    desk.unit_becomes("xorg@0.service", "active");
    desk.root(&format!("kill -KILL {third}")).ok();
    desk.ended(3).says(&["in 2 s (2 of 2)"]);

    // A requested end does not wait for it.
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[crash]\npause = 60\n");
    desk.starts(OPENBOX);
    let first = desk.server();
    desk.root(&format!("kill -KILL {}", first.pid)).ok();
    let second = another(&desk, "Xorg", &first.pid);
    manages(&desk);
    desk.root(&format!("kill -KILL {second}")).ok();
    desk.unit_becomes("xorg@0.service", "activating");
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
}

#[test]
fn a_server_that_is_killed_in_the_background_comes_back_with_its_terminal() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let server = desk.server();
    let other = Guest::vt(&desk, 2);
    other.switch();
    desk.root(&format!("kill -KILL {}", server.pid)).ok();
    // Its supervisor is up and waits: a server would get no devices, and would switch away from another user's
    // terminal.
    desk.reads("it comes back with the window manager (1 of 3)");
    desk.unit_becomes("xorg@0.service", "activating");
    desk.reads("tty1 is in the background: the X server comes back when you switch to it");
    let status = desk.user("ada", "startxd status").ok();
    assert!(
        status.stdout.starts_with("the X server of :0 comes back when you switch to tty1; nothing is wrong"),
        "{status}"
    );
    assert_eq!((active_vt(), desk.vt().mode()), (2, Mode::Text));
    desk.vt().switch();
    another(&desk, "Xorg", &server.pid);
    manages(&desk);
    desk.is_up();
    // A restart that is requested meanwhile starts no other server, and an end does not wait for it.
    let server = desk.server();
    other.switch();
    let restart = desk.user("ada", "startxd restart xorg").ok();
    assert!(restart.stderr.contains("tty1 is in the background"), "{restart}");
    desk.unit_becomes("xorg@0.service", "activating");
    assert_ne!(desk.root("pgrep -u ada -x Xorg").stdout.trim(), server.pid);
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
    assert_eq!(active_vt(), 2);
    desk.vt().switch();
    desk.starts_again();
}

#[test]
fn it_does_not_come_back_if_the_configuration_says_never() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[crash]\nlimit = 0\n");
    desk.starts(OPENBOX);
    desk.root(&format!("kill -KILL {}", desk.server().pid)).ok();
    desk.ended(3).says(&["the X server was ended by SIGKILL"]);
}

#[test]
fn what_is_not_bound_to_the_display_is_untouched() {
    let desk = Desk::at_prompt();
    desk.writes_unit("mux.service", "[Service]\nExecStart=sleep infinity\n[Install]\nWantedBy=multiplexer.target\n");
    desk.user("ada", "systemctl --user enable mux; systemctl --user start multiplexer.target").ok();
    desk.unit_becomes("mux.service", "active");
    let pid = desk.unit("mux.service", "MainPID");
    desk.starts(OPENBOX);
    let server = desk.server();
    desk.root(&format!("kill -KILL {}", server.pid)).ok();
    another(&desk, "Xorg", &server.pid);
    manages(&desk);
    desk.quits_openbox();
    desk.comes_back(0, SOON);
    assert_eq!(
        desk.states(&["multiplexer.target", "mux.service"]),
        ["multiplexer.target active", "mux.service active"]
    );
    assert_eq!(desk.unit("mux.service", "MainPID"), pid);
}

#[test]
fn a_server_that_is_killed_before_it_serves_ends_the_session() {
    let desk = Desk::at_prompt();
    desk.root(&format!("mkfifo -m 644 {FIFO}")).ok();
    desk.types(&format!("startxd start {OPENBOX}"));
    desk.unit_becomes("startxd-wm@openbox.service", "active");
    let server = another(&desk, "Xorg", "");
    desk.root(&format!("kill -KILL {server}")).ok();
    desk.ended(3).says(&["the X server was ended by SIGKILL before it was ready"]);
    desk.root(&format!("rm {FIFO}")).ok();
    desk.starts_again();
}

#[test]
fn a_hanging_server_is_given_up_at_the_deadline() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[deadlines]\nserver_ready = 1\n");
    desk.root(&format!("mkfifo -m 644 {FIFO}")).ok();
    desk.types(&format!("startxd start {OPENBOX}"));
    desk.ended(3).says(&["did not answer within 1 s"]);
    desk.root(&format!("rm {FIFO}")).ok();
    desk.starts_again();
}

#[test]
fn the_supervisor_keeps_a_deadline_of_the_command_line() {
    let desk = Desk::at_prompt();
    desk.root(&format!("mkfifo -m 644 {FIFO}")).ok();
    desk.types(&format!("startxd start --deadline server_ready=1 {OPENBOX}"));
    desk.ended(3).says(&["did not answer within 1 s"]);
    desk.root(&format!("rm {FIFO}")).ok();
    let server = servers::install(&desk, "ignores-sigterm");
    desk.write_as("ada", "~/.config/startxd/startxd.toml", &format!("[server]\nbinary = \"{server}\"\n"));
    desk.starts(&format!("--deadline server_stop=1 {OPENBOX}"));
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
    desk.root(&format!("rm {server}")).ok();
}

#[test]
fn an_application_that_ignores_sigterm_is_killed_in_time() {
    let desk = Desk::at_prompt();
    desk.writes_unit(
        "stubborn.service",
        "[Unit]\nPartOf=graphical-session.target\nAfter=graphical-session.target\n\
         [Service]\nExecStart=sh -c 'trap \"\" TERM; while :; do sleep 1; done'\nTimeoutStopSec=2\n\
         [Install]\nWantedBy=graphical-session.target\n",
    );
    desk.user("ada", "systemctl --user enable stubborn").ok();
    desk.starts(OPENBOX);
    desk.unit_becomes("stubborn.service", "active");
    desk.quits_openbox();
    desk.comes_back(0, secs(15));
    assert_eq!(desk.states(&["stubborn.service", "xorg.target"]), ["stubborn.service failed", "xorg.target inactive"]);
    desk.user("ada", "systemctl --user reset-failed").ok();
    desk.is_clean();
}
