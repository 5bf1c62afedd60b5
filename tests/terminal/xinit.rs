//! People who come from startx: what starts without a `~/.xinitrc`, and startx itself with `startxd attach`.

use crate::harness::{Mode, SOON, wait_until};
use crate::scenario::Desk;

/// A program of the graphical session, as portals and notification daemons are.
const PORTAL: &str = "[Unit]\nPartOf=graphical-session.target\nAfter=graphical-session.target\n\
    Requisite=graphical-session.target\n[Service]\nExecStart=sleep infinity\n\
    [Install]\nWantedBy=graphical-session.target\n";

/// The real server: the setuid wrapper before it requires a graphics device.
const STARTX: &str = "startx -- /usr/lib/xorg/Xorg :0 vt1 -keeptty";

const XINITRC: &str = ". /usr/share/startxd/xinit/startxd-attach.sh\nexec openbox --sm-disable\n";

/// Ada at the prompt, with a program that waits for a graphical session.
fn desk() -> Desk {
    let mut desk = Desk::at_prompt();
    desk.writes_unit("portal.service", PORTAL);
    desk.user("ada", "systemctl --user enable portal").ok();
    desk.settles();
    desk
}

/// Waits until startx' display is up and attached.
fn is_attached(desk: &Desk) {
    desk.unit_becomes("graphical-session.target", "active");
    desk.unit_becomes("portal.service", "active");
    desk.vt().wait_mode(Mode::Graphics, SOON);
    assert_eq!(
        desk.states(&["xorg.target", "wm-ready.target", "startxd-attached.service", "xorg@0.service"]),
        ["xorg.target active", "wm-ready.target active", "startxd-attached.service active", "xorg@0.service inactive"]
    );
    let environment = desk.environment();
    assert_eq!(
        environment.values(["DISPLAY", "XAUTHORITY", "XDG_SESSION_TYPE"]),
        [Some(":0"), Some("/home/ada/.Xauthority"), Some("x11")]
    );
    let status = desk.user("ada", "startxd status").text();
    assert!(status.contains("display :0, watched by startxd-attached.service, active"), "{status}");
    assert!(
        status.contains("manager  Openbox")
            && status.lines().next().is_some_and(|line| line.ends_with("; nothing is wrong")),
        "{status}"
    );
    let json = "startxd status --json | python3 -c 'import json,sys; s=json.load(sys.stdin); print(s[\"state\"], \
        s[\"display\"][\"name\"], s[\"window_manager\"][\"name\"], s[\"units\"][0][\"state\"], s[\"findings\"])'";
    assert_eq!(desk.user("ada", json).text(), "attached :0 Openbox active []");
}

/// Expects that all of it is gone, at this moment.
fn is_detached(desk: &Desk) {
    let units = ["portal.service", "graphical-session.target", "xorg.target", "startxd-attached.service"];
    assert_eq!(desk.states(&units), units.map(|unit| format!("{unit} inactive")));
    assert_eq!(desk.environment().has(&["DISPLAY", "XAUTHORITY", "XDG_SESSION_TYPE"]), [""; 0]);
    let status = desk.user("ada", "startxd status --json");
    assert!(status.code() == 4 && status.stdout.contains("\"state\":\"none\""), "{status}");
}

#[test]
fn startx_can_have_the_targets_too_and_leaves_nothing() {
    let desk = desk();
    desk.write_as("ada", "~/.xinitrc", XINITRC);
    for _ in 0..2 {
        desk.types(STARTX);
        is_attached(&desk);
        desk.run("xdpyinfo").ok();
        desk.quits_openbox();
        desk.comes_back(0, SOON);
        wait_until("nothing to be left", SOON, || {
            let left = desk.what_is_left();
            // startx keeps its cookie file, and the next start finds that.
            if left.is_empty() { Ok(()) } else { Err(left.to_string()) }
        });
    }
}

#[test]
fn an_attached_display_can_be_detached() {
    let desk = desk();
    desk.write_as("ada", "~/.xinitrc", XINITRC);
    desk.types(STARTX);
    is_attached(&desk);
    let again = desk.with_display("startxd attach");
    assert_eq!(again.code(), 19);
    assert!(again.stderr.contains("display :0 is attached to your user manager"), "{again}");

    desk.user("ada", "startxd detach").ok();
    is_detached(&desk);
    let none = desk.user("ada", "startxd detach");
    assert_eq!(none.code(), 4);
    assert!(none.stderr.contains("no display is attached"), "{none}");

    // The display is still up, with its window manager: any program on it may attach it again.
    desk.user("ada", "DISPLAY=:0 startxd attach").ok();
    is_attached(&desk);
    // Whatever happens to the process that watches it.
    desk.user("ada", "pkill -KILL -xf '/usr/bin/startxd attached'").ok();
    desk.unit_becomes("xorg.target", "inactive");
    let manager = desk.manager("ada");
    wait_until("the end of it all", SOON, || match manager.jobs() {
        jobs if jobs.is_empty() => Ok(()),
        jobs => Err(format!("{jobs:?}")),
    });
    drop(manager);
    desk.user("ada", "systemctl --user reset-failed startxd-attached").ok();
    is_detached(&desk);
    // Its own connection may be closed, too, before it has reported that.
    desk.user("ada", "DISPLAY=:0 openbox --exit");
    desk.ended_within(0, SOON);
}

#[test]
fn only_displays_of_this_machine_are_attached() {
    let desk = desk();
    for (command, status, words) in [
        ("env -u DISPLAY startxd attach", 24, "DISPLAY is not set"),
        ("DISPLAY=localhost:10.0 startxd attach", 24, "not a display of this machine"),
        ("DISPLAY=:7 startxd attach", 24, "display :7 cannot be used"),
        ("env -u XDG_RUNTIME_DIR DISPLAY=:7 startxd attach", 11, "XDG_RUNTIME_DIR is not set"),
    ] {
        let run = desk.user("ada", command);
        assert_eq!(run.code(), status, "{run}");
        assert!(run.stderr.contains(words), "{run}");
    }
    let root = desk.root("DISPLAY=:7 startxd attach");
    assert_eq!(root.code(), 10, "{root}");
    desk.is_clean();
}

#[test]
fn the_line_for_startx_does_nothing_in_a_session_of_startxd() {
    let desk = desk();
    desk.write_as("ada", "~/.xinitrc", XINITRC);
    desk.starts("");
    assert_eq!(desk.state("startxd-attached.service"), "inactive");
    let attach = desk.with_display("startxd attach");
    assert_eq!(attach.code(), 19);
    assert!(attach.stderr.contains("a session of startxd is up already, on tty1, display :0"), "{attach}");
    desk.quits_openbox();
    let screen = desk.ended(0);
    assert!(!screen.has("startxd:"), "{screen}");
}

#[test]
fn with_nothing_set_up_debians_own_session_starts_as_by_startx() {
    let desk = desk();
    desk.starts("");
    assert_eq!(desk.state("startxd-wm@xsession.service"), "active");
    desk.runs("openbox");
    // From Xsession.d: the server also admits her by her uid.
    wait_until("the access list of Xsession.d", SOON, || {
        let list = desk.with_display("xhost").stdout;
        if list.contains("SI:localuser:ada") { Ok(()) } else { Err(list) }
    });
    desk.quits_openbox();
    desk.ended_within(0, SOON);

    desk.write_as("ada", "~/.xsession", "touch ~/was-here\nexec openbox --sm-disable\n");
    desk.starts("");
    desk.user("ada", "test -e was-here").ok();
    desk.quits_openbox();
    desk.ended_within(0, SOON);
}
