//! Other servers, and other users.

use crate::displays::place::Place;
use crate::harness::{SOON, wait_until};

#[test]
fn numbers_of_others_are_skipped() {
    let place = Place::new();
    let _eves = place.spawn("eve", "exec Xvfb :100 -nolisten local");
    let _own = place.spawn("ada", "exec Xvfb :101");
    // The remains of a server of eve that was killed.
    place.user("eve", "printf '%10d\\n' 4194303 > /tmp/.X102-lock").ok();
    wait_until("their servers", SOON, || {
        let there = place.root("ls /tmp/.X11-unix/X100 /tmp/.X11-unix/X101 /tmp/.X100-lock /tmp/.X101-lock");
        if there.code() == 0 { Ok(()) } else { Err(there.to_string()) }
    });
    assert_eq!(place.line("startxd display start"), ":103");
    assert_eq!(place.line("startxd display run -- sh -c 'echo $DISPLAY'"), ":104");
    for number in [100, 101, 102] {
        let refused = place.user("ada", &format!("startxd display start :{number}"));
        assert_eq!(refused.code(), 24, "{refused}");
        assert!(refused.stderr.contains(&format!("display :{number} is taken: ")), "{refused}");
    }
    let refused = place.user("ada", "startxd display start :103");
    assert_eq!(refused.code(), 19, "{refused}");
    // They were not touched.
    place.user("eve", "xdpyinfo -display :100").ok();
    place.user("ada", "xdpyinfo -display :101").ok();
    place.user("ada", "startxd display stop :103").ok();
    place.root("rm /tmp/.X102-lock; pkill -x Xvfb; while pgrep -x Xvfb; do sleep 0.02; done").ok();
}

#[test]
fn others_have_no_access() {
    let place = Place::new();
    place.line("startxd display start :7");
    place.user("ada", "xdpyinfo -display :7").fails();
    place.user("eve", "xdpyinfo -display :7").fails();
    place.user("eve", "cat /run/user/1000/xauth_startxd_7").fails();
    place.user("eve", "XAUTHORITY=/run/user/1000/xauth_startxd_7 xdpyinfo -display :7").fails();
    place
        .user("eve", "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"/tmp/.X11-unix/X7\")'")
        .fails();
    // The cookie is in no command line and in no unit's environment.
    let cookie = place.line("xxd -p Xauthority 2>/dev/null || python3 -c 'print(open(\"/run/user/1000/xauth_startxd_7\", \"rb\").read()[-16:].hex())'");
    let seen = place.root("cat /proc/*/cmdline /proc/*/environ 2> /dev/null | tr '\\0' '\\n'").stdout;
    assert!(!seen.contains(&cookie), "{cookie}");
    place.user("ada", "startxd display stop :7").ok();
    place.is_clean();
}
