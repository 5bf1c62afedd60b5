//! Each server, from start to stop.

use crate::displays::place::Place;
use crate::harness::{SOON, wait_until};

#[test]
fn xvfb_from_start_to_stop() {
    let place = Place::new();
    let doctor = place.user("ada", "startxd doctor").stdout;
    assert_eq!(place.line("startxd display start --size 800x600"), ":100");
    // The doctor has nothing to report about it.
    assert_eq!(place.user("ada", "startxd doctor").stdout, doctor);
    assert_eq!(place.property("startxd-display@100.service", "ActiveState"), "active");
    assert_eq!(place.line("stat -c %a /tmp/.X11-unix/X100"), "600");
    assert_eq!(place.line("stat -c %a /run/user/1000/xauth_startxd_100"), "600");
    assert_eq!(place.root("grep -c 'tmp/.X11-unix/X100$' /proc/net/unix").text(), "2");
    // What runs on it gets its variables, and nothing else does.
    let seen =
        place.user("ada", "startxd display run :100 -- sh -c 'echo $DISPLAY; xdpyinfo | grep dimensions; exit 6'");
    assert_eq!(seen.code(), 6, "{seen}");
    assert!(seen.stdout.starts_with(":100\n") && seen.stdout.contains("800x600"), "{seen}");
    let environment = place.user("ada", "systemctl --user show-environment").ok().stdout;
    assert!(!environment.contains("DISPLAY=") && !environment.contains("XAUTHORITY="), "{environment}");
    let status = place.user("ada", "startxd status");
    assert_eq!(status.code(), 4, "{status}");
    assert!(status.stdout.ends_with(" displays  :100 without a screen, xvfb 800x600, active\n"), "{status}");
    // Reloading or re-executing the manager changes nothing.
    place.user("ada", "systemctl --user daemon-reload; systemctl --user daemon-reexec").ok();
    let json = place.line("startxd display list --json");
    assert!(json.contains(r#""display":":100","server":"xvfb","size":"800x600","depth":24,"state":"ready""#), "{json}");
    place.user("ada", "startxd display stop :100").ok();
    place.is_clean();
}

#[test]
fn the_end_is_in_order() {
    let place = Place::new();
    place.line("startxd display start :7 --session 'openbox --sm-disable'");
    // When the command is told to end, server and window manager still run. Programs that it starts then may be told to
    // end as well.
    let script = "startxd display run :7 -- sh -c 'trap \"until xprop -root _NET_SUPPORTING_WM_CHECK > told; do :; done; \
                  exit 0\" TERM; echo up; while :; do sleep 0.02; done'";
    let run = place.spawn("ada", script);
    wait_until("the command", SOON, || if run.stdout() == "up\n" { Ok(()) } else { Err(run.stderr()) });
    place.user("ada", "startxd display stop :7").ok();
    assert_eq!(run.wait(SOON).code(), 0);
    assert!(place.line("cat told").contains("window id #"), "{}", place.line("cat told"));
    place.is_clean();
}

#[test]
fn a_session_manages_it_and_is_started_again_and_ends_the_display() {
    let place = Place::new();
    place.line("startxd display start :7 --session openbox");
    let unit = "startxd-display-session@7.service";
    place.user("ada", "startxd display run :7 -- xprop -root _NET_SUPPORTING_WM_CHECK | grep 'window id'").ok();
    let pid = place.property(unit, "MainPID");
    place.user("ada", &format!("kill -9 {pid}")).ok();
    let manager = place.manager("ada");
    wait_until("openbox to come back", SOON, || match manager.property(unit, "MainPID") {
        now if now != pid && now != "0" => Ok(()),
        now => Err(now),
    });
    drop(manager);
    assert!(place.line("startxd display list").ends_with(", openbox"));
    // Until it manages the display, this does not reach it.
    wait_until("openbox to exit, and the display with it", SOON, || {
        let exit = place.user("ada", "startxd display run :7 -- openbox --exit");
        let list = place.user("ada", "startxd display list").stdout;
        if list.contains(":7") { Err(format!("{list}{exit}")) } else { Ok(()) }
    });
    place.becomes_clean();
}

#[test]
fn xephyr_is_a_window_on_another_display() {
    let place = Place::new();
    place.line("startxd display start :5");
    assert_eq!(place.line("startxd display run :5 -- startxd display start :6 --server xephyr --size 640x480"), ":6");
    place.user("ada", "startxd display run :6 -- xdpyinfo | grep 'dimensions: *640x480'").ok();
    place.user("ada", "startxd display run :5 -- xwininfo -root -tree | grep 'display :6'").ok();
    // It may be closed together with its host display.
    place.user("ada", "startxd display stop :5").ok();
    wait_until("Xephyr to end with its host", SOON, || {
        let list = place.user("ada", "startxd display list").stdout;
        if list.contains(":6") { Err(list) } else { Ok(()) }
    });
    place.becomes_clean();
}

/// Prints a VNC server's version and security types (RFC 6143, 7.1.1 and 7.1.2).
const RFB: &str = r#"
import socket, sys
kind = socket.AF_INET if sys.argv[1].isdigit() else socket.AF_UNIX
viewer = socket.socket(kind)
viewer.settimeout(10)
viewer.connect(("127.0.0.1", int(sys.argv[1])) if kind == socket.AF_INET else sys.argv[1])
version = viewer.recv(12)
viewer.sendall(version)
count = viewer.recv(1)[0]
print(version.decode().strip(), sorted(viewer.recv(count)))
"#;

#[test]
fn xvnc_is_reached_by_a_socket_of_the_users_alone() {
    let place = Place::new();
    place.write_as("ada", "~/rfb.py", RFB);
    place.line("startxd display start :8 --server xvnc --size 800x600");
    place.user("ada", "startxd display run :8 -- xdpyinfo | grep 'dimensions: *800x600'").ok();
    let socket = "/run/user/1000/startxd/vnc-8.sock";
    assert!(place.line("startxd display list").ends_with(socket));
    assert_eq!(place.line(&format!("stat -c %a {socket}")), "600");
    assert_eq!(place.line(&format!("python3 rfb.py {socket}")), "RFB 003.008 [1]");
    assert_eq!(place.root("ss -Hltn").stdout, "");
    place.user("ada", "startxd display stop :8").ok();
    place.is_clean();
}

#[test]
fn xvnc_on_a_port_asks_for_a_password() {
    let place = Place::new();
    place.write_as("ada", "~/rfb.py", RFB);
    place.line("startxd display start :8 --server xvnc -- -rfbport 5977 -localhost");
    let types = place.line("python3 rfb.py 5977");
    assert!(types.starts_with("RFB 003.008 [") && !types.contains("[1") && !types.contains("[0"), "{types}");
    place.user("ada", "startxd display stop --all").ok();
    place.is_clean();
}

#[test]
fn any_server_by_its_path() {
    let place = Place::new();
    place.root("cp /usr/bin/Xvfb /usr/local/bin/Xmine").ok();
    place.line("startxd display start :9 --server /usr/local/bin/Xmine --depth 16 --server-arg -dpi --server-arg 120");
    let info = place.user("ada", "startxd display run :9 -- xdpyinfo").ok().stdout;
    assert!(info.contains("resolution:    120x120") && info.contains("depth of root window:    16 planes"), "{info}");
    place.user("ada", "startxd display stop 9").ok();
    place.root("rm /usr/local/bin/Xmine").ok();
    place.is_clean();
}
