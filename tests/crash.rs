//! What becomes of a session when one of its parts is killed.

mod harness;
mod scenario;

use harness::{Mode, SOON, secs, wait_until};
use scenario::Desk;

const OPENBOX: &str = "-- openbox --sm-disable";

/// A configuration that the server does not get to the end of, until somebody has written to it.
const FIFO: &str = "/etc/X11/xorg.conf.d/99-fifo.conf";

fn starts_again(desk: &Desk) {
    desk.starts(OPENBOX);
    desk.quits_openbox();
    desk.ended(0);
}

/// Waits until a process of that name other than `before` runs, and returns its pid.
fn another(desk: &Desk, name: &str, before: &str) -> String {
    wait_until(&format!("another {name}"), SOON, || {
        let pid = desk.root(&format!("pgrep -u ada -x {name}")).stdout.trim().to_owned();
        if pid.is_empty() || pid == before { Err(format!("{pid}\n{}", desk.vt())) } else { Ok(pid) }
    })
}

/// Waits until a window manager of that pid answers on the display.
fn manages(desk: &Desk) {
    wait_until("a window manager on the display", SOON, || {
        let run = desk.with_display("xprop -root _NET_SUPPORTING_WM_CHECK");
        if run.stdout.contains("window id") { Ok(()) } else { Err(run.to_string()) }
    });
}

#[test]
fn a_killed_window_manager_comes_back_on_the_same_server() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let server = desk.server();
    let manager = another(&desk, "openbox", "");
    desk.root(&format!("kill -KILL {manager}")).ok();
    another(&desk, "openbox", &manager);
    manages(&desk);
    assert_eq!(desk.server(), server);
    assert_eq!(desk.state("graphical-session.target"), "active");
    desk.quits_openbox();
    desk.ended(0).says(&["startxd-wm@openbox.service crashed and is being started again"]);
}

#[test]
fn a_window_manager_that_always_crashes_ends_the_session_as_failed() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/badwm", "#!/bin/sh\nkill -SEGV $$\n");
    desk.user("ada", "chmod +x badwm").ok();
    desk.types("startxd start ./badwm");
    desk.ended(1).says(&["startxd-wm@badwm.service failed", "journalctl --user -b -u startxd-wm@badwm.service"]);
    starts_again(&desk);
}

#[test]
fn a_window_manager_that_exits_with_an_error_does_not_come_back_for_ever() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/badwm", "#!/bin/sh\nxdpyinfo > /dev/null || exit 9\necho cannot go on >&2\nexit 7\n");
    desk.user("ada", "chmod +x badwm").ok();
    desk.types("startxd start ./badwm");
    desk.ended(1).says(&["startxd-wm@badwm.service failed", "exited with status 7"]);
    starts_again(&desk);
}

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
    starts_again(&desk);
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
    desk.ended(3).says(&["the X server was ended by SIGKILL"]);
    starts_again(&desk);
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
    starts_again(&desk);
}

#[test]
fn when_the_host_is_killed_the_supervisor_ends_the_session_in_its_place() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.root("pkill -KILL -u ada -f '^startxd start'").ok();
    desk.comes_back(137, SOON);
    wait_until("all to be gone", SOON, || match desk.what_is_left() {
        left if left.is_empty() => Ok(()),
        left => Err(left.to_string()),
    });
    assert_eq!(desk.vt().mode(), Mode::Text);
    desk.vt().wait_prompt(SOON);
    starts_again(&desk);
}

#[test]
fn a_start_right_after_the_host_was_killed_waits_for_the_end() {
    let desk = Desk::at_prompt();
    for _ in 0..3 {
        desk.starts(OPENBOX);
        desk.root("pkill -KILL -u ada -f '^startxd start'").ok();
        desk.comes_back(137, SOON);
        starts_again(&desk);
    }
}

#[test]
fn a_killed_supervisor_takes_its_server_with_it_and_both_come_back() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let server = desk.server();
    desk.root("pkill -KILL -u ada -f '^/usr/bin/startxd serve'").ok();
    another(&desk, "Xorg", &server.pid);
    manages(&desk);
    desk.unit_becomes("xorg@0.service", "active");
    assert_eq!(desk.state("graphical-session.target"), "active");
    desk.quits_openbox();
    desk.ended(0);
    starts_again(&desk);
}

#[test]
fn a_hanging_server_is_given_up_at_the_deadline() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[deadlines]\nserver_ready = 1\n");
    desk.root(&format!("mkfifo -m 644 {FIFO}")).ok();
    desk.types(&format!("startxd start {OPENBOX}"));
    desk.ended(3).says(&["did not answer within 1 s"]);
    desk.root(&format!("rm {FIFO}")).ok();
    starts_again(&desk);
}

#[test]
fn an_application_that_ignores_its_end_is_killed_in_time() {
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

#[test]
fn the_user_manager_reloads_and_reexecutes_under_a_session() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let server = desk.server();
    desk.user("ada", "systemctl --user daemon-reload; systemctl --user daemon-reexec").ok();
    desk.is_up();
    assert_eq!(desk.server(), server);
    desk.with_display("xdpyinfo").ok();
    desk.quits_openbox();
    desk.ended(0);
    starts_again(&desk);
}

#[test]
fn applications_stay_when_the_window_manager_crashes_and_go_when_the_server_does() {
    let desk = Desk::at_prompt();
    let app = "systemd-run --user --quiet --collect --unit=app -p PartOf=graphical-session.target xterm -T stays -e sleep 600";
    desk.starts(OPENBOX);
    desk.run(app).ok();
    desk.sees_window("stays");
    let pid = desk.unit("app.service", "MainPID");
    desk.root("pkill -KILL -u ada -x openbox").ok();
    manages(&desk);
    desk.sees_window("stays");
    assert_eq!(desk.unit("app.service", "MainPID"), pid);

    let server = desk.server();
    desk.root(&format!("kill -KILL {}", server.pid)).ok();
    another(&desk, "Xorg", &server.pid);
    manages(&desk);
    desk.unit_becomes("app.service", "inactive");
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn a_part_can_be_restarted_by_itself() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let (server, manager) = (desk.server(), another(&desk, "openbox", ""));
    desk.user("ada", "startxd restart wm").ok();
    let manager = another(&desk, "openbox", &manager);
    manages(&desk);
    assert_eq!(desk.server(), server);

    for restart in ["startxd restart xorg", "systemctl --user restart xorg@0.service"] {
        let server = desk.server();
        desk.user("ada", restart).ok();
        another(&desk, "Xorg", &server.pid);
        another(&desk, "openbox", &manager);
        manages(&desk);
        desk.is_up();
    }
    desk.quits_openbox();
    desk.ended(0);
}
