//! Nobody is at the screen: what the server counts, what follows, and what inhibits it.

use std::thread::sleep;

use crate::harness::{Background, Guest, SOON, secs, wait_until};
use crate::scenario::{Desk, OPENBOX};

use super::faults::manages;
use super::lock::{becomes, configure, is_locked, leaves, opens};

/// Ada logs in by a getty that declares her session graphical; logind accepts no hint from others.
fn desk() -> Desk {
    let mut case = Guest::get();
    case.discard();
    case.write("/etc/systemd/system/getty@tty1.service.d/type.conf", "[Service]\nEnvironment=XDG_SESSION_TYPE=x11\n");
    case.root("systemctl daemon-reload").ok();
    Desk::at_prompt_in(case)
}

/// logind's `IdleHint` of her session.
fn hint(desk: &Desk) -> String {
    desk.root(&format!("loginctl show-session {} -p IdleHint --value", desk.login.session)).text().trim().to_owned()
}

fn becomes_idle(desk: &Desk, idle: bool) {
    desk.unit_becomes("startxd-idle.target", if idle { "active" } else { "inactive" });
    wait_until("logind to be told", SOON, || {
        let hint = hint(desk);
        if (hint == "yes") == idle { Ok(()) } else { Err(hint) }
    });
}

fn touches(desk: &Desk) {
    desk.with_display("xdotool key Shift_L").ok();
}

/// Waits for a line in the journal since the case began.
fn says(desk: &Desk, line: &str, count: usize) {
    wait_until(&format!("{line:?}, {count} times"), SOON, || {
        let journal = desk.journal("-t startxd -o cat");
        if journal.matches(line).count() == count { Ok(()) } else { Err(journal) }
    });
}

fn plays(desk: &Desk) -> Background {
    let script = concat!(include_str!("../harness/dbus.py"), include_str!("../scenario/inhibitor.py"));
    desk.write("/run/inhibitor.py", script);
    let player = desk.spawn("ada", "exec python3 /run/inhibitor.py < <(read _ < ~/stop; echo)");
    wait_until("the player", SOON, || {
        if player.stdout().contains("of another: 3") { Ok(()) } else { Err(player.stdout() + &player.stderr()) }
    });
    player
}

#[test]
fn a_session_is_idle_exactly_while_nobody_types() {
    let desk = desk();
    configure(&desk, "[idle]\nafter = 1\n");
    desk.starts(OPENBOX);
    for _ in 0..3 {
        becomes_idle(&desk, true);
        touches(&desk);
        becomes_idle(&desk, false);
    }
    // The next server counts from zero, and a logind that was restarted is told.
    becomes_idle(&desk, true);
    says(&desk, "nobody is at the screen", 4);
    for (nth, ends) in [(5, "pkill -KILL -x Xorg"), (6, "systemctl restart systemd-logind")] {
        let server = desk.server().pid;
        desk.root(ends).ok();
        desk.another("ada", "Xorg", &server);
        says(&desk, "nobody is at the screen", nth);
        becomes_idle(&desk, true);
    }
    leaves(&desk);
    assert_eq!(hint(&desk), "no");
}

#[test]
fn the_screen_locks_after_long_enough_without_input() {
    let desk = desk();
    configure(&desk, "[lock]\ncommand = [\"i3lock\", \"--nofork\"]\n[idle]\nlock = 1\n");
    desk.starts(OPENBOX);
    for _ in 0..2 {
        becomes(&desk, true);
        assert_eq!(desk.state("startxd-idle.target"), "inactive");
        opens(&desk);
    }
    leaves(&desk);
}

#[test]
fn what_is_in_the_way() {
    let desk = desk();
    desk.user("ada", "mkfifo ~/stop").ok();
    configure(&desk, "[idle]\nafter = 1\n");
    desk.starts(OPENBOX);
    // An inhibitor of logind, which any program can take.
    becomes_idle(&desk, true);
    let inhibitor = desk.shell("exec systemd-inhibit --what=idle --mode=block sleep 1000").spawn();
    becomes_idle(&desk, false);
    // A player on the bus, while the other inhibitor goes.
    let player = plays(&desk);
    says(&desk, "player inhibits idleness: a film", 1);
    drop(inhibitor);
    wait_until("no inhibitor", SOON, || {
        let list = desk.root("systemd-inhibit --list --no-pager").text();
        if list.contains("sleep 1000") { Err(list) } else { Ok(()) }
    });
    assert_eq!(desk.state("startxd-idle.target"), "inactive");
    desk.user("ada", "echo > ~/stop").ok();
    player.wait(SOON).ok();
    becomes_idle(&desk, true);
    // A killed player cannot release its inhibitor itself.
    let player = plays(&desk);
    becomes_idle(&desk, false);
    desk.root("pkill -KILL -f /run/inhibitor.py").ok();
    drop(player);
    becomes_idle(&desk, true);
    // A client of the display that suspends its screen saver.
    touches(&desk);
    becomes_idle(&desk, false);
    desk.with_display("xset s 1").ok();
    let suspends = "import ctypes,time; x=ctypes.CDLL('libxcb.so.1'); s=ctypes.CDLL('libxcb-screensaver.so.0'); \
                    x.xcb_connect.restype=ctypes.c_void_p; c=ctypes.c_void_p(x.xcb_connect(None,None)); \
                    s.xcb_screensaver_suspend(c,1); x.xcb_flush(c); print('suspended',flush=True); time.sleep(1000)";
    let film = desk.shell_as("ada", &format!("exec python3 -c \"{suspends}\"")).env("DISPLAY", ":0").spawn();
    wait_until("the film", SOON, || if film.stdout().contains("suspended") { Ok(()) } else { Err(film.stderr()) });
    touches(&desk);
    says(&desk, "a program on the display suspends the screen saver", 1);
    assert_eq!(desk.state("startxd-idle.target"), "inactive");
    drop(film);
    becomes_idle(&desk, true);
    leaves(&desk);
}

#[test]
fn the_screen_goes_dark_when_it_should_on_each_server() {
    let desk = Desk::at_prompt();
    let shows = |parts: &[&str]| {
        wait_until(&format!("{parts:?}"), SOON, || {
            let set = desk.with_display("xset q").stdout;
            let words = set.split_whitespace().collect::<Vec<_>>().join(" ");
            if parts.iter().all(|part| words.contains(part)) { Ok(()) } else { Err(set) }
        });
    };
    configure(&desk, "[idle]\nscreen_off = 77\n");
    desk.starts(OPENBOX);
    // The dummy driver has no DPMS; a virtual machine's has.
    let dark = ["timeout: 77"];
    shows(&dark);
    let server = desk.server().pid;
    desk.root("pkill -KILL -x Xorg").ok();
    desk.another("ada", "Xorg", &server);
    manages(&desk);
    shows(&dark);
    leaves(&desk);
    configure(&desk, "[idle]\nscreen_off = \"never\"\n");
    desk.starts(OPENBOX);
    shows(&["timeout: 0"]);
    leaves(&desk);
}

#[test]
fn another_terminal_in_the_foreground_locks_if_configured() {
    let desk = Desk::at_prompt();
    for wanted in [true, false] {
        let key = if wanted { "vt_switch = \"lock\"\n" } else { "" };
        configure(&desk, &format!("[lock]\ncommand = [\"i3lock\", \"--nofork\"]\n{key}"));
        desk.starts(OPENBOX);
        // logind learns of this lock from whatever listens to it.
        desk.user("ada", "startxd lock").ok();
        becomes(&desk, true);
        opens(&desk);
        Guest::vt(&desk, 2).switch();
        if wanted {
            becomes(&desk, true);
        }
        desk.vt().switch();
        desk.user("ada", "startxd unlock").ok();
        becomes(&desk, false);
        assert_eq!(
            desk.journal("-t startxd -o cat").matches("the screen is locked").count(),
            if wanted { 2 } else { 3 }
        );
        assert!(!is_locked(&desk));
        leaves(&desk);
    }
}

#[test]
fn nothing_wakes_a_host_that_has_nothing_to_do() {
    let desk = desk();
    configure(&desk, "[lock]\ncommand = [\"i3lock\", \"--nofork\"]\n[idle]\nafter = 300\nlock = 600\n");
    desk.starts(OPENBOX);
    let wakes = || {
        let script =
            "cat /proc/$(pgrep -u ada -f '^startxd start')/task/*/status | sed -n 's/^voluntary_ctxt_switches://p'";
        desk.root(script).text().split_whitespace().map(|count| count.parse::<u64>().expect("a number")).sum::<u64>()
    };
    for locked in [false, true] {
        if locked {
            desk.user("ada", "startxd lock").ok();
            becomes(&desk, true);
        }
        // What follows a start or a lock is over when nothing has happened for a while.
        let mut last = wakes();
        wait_until("the host to have nothing to do", SOON, || {
            sleep(secs(2));
            let now = wakes();
            let before = std::mem::replace(&mut last, now);
            if now == before { Ok(()) } else { Err(format!("{} times in 2 s", now - before)) }
        });
        sleep(secs(8));
        assert_eq!(wakes() - last, 0, "within 8 s, locked: {locked}");
    }
    opens(&desk);
    leaves(&desk);
}
