//! A server that is killed while the screen is locked comes back locked: what is visible meanwhile, where typed keys
//! go, and that a person can unlock it afterwards.

use crate::harness::{SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

use super::lock::{LOCKER, becomes, configure, is_locked, leaves, opens};

/// A program that is on the screen as soon as there is one and waits for a key: as impatient as systemd can start one.
/// It alone has its colour.
pub const IMPATIENT: &str = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\nRestartSec=10ms\n\
    ExecStart=xterm -bg '#ab3412' -geometry 150x50+0+0 -e bash -c 'read -rn 1 _; touch %h/typed; sleep 100'\n\
    [Install]\nWantedBy=graphical-session.target\n";

/// Counts the pixels of that colour.
pub const LOOK: &str =
    r"xwd -root -silent | python3 -c 'import sys; print(sys.stdin.buffer.read().count(b'\''\x12\x34\xab'\''))'";

/// How much of the impatient program was visible at each look.
fn seen(desk: &Desk) -> Vec<u64> {
    let counts = desk.user("ada", "cat ~/seen || true").text();
    counts.lines().map(|line| line.parse().expect("a number")).collect()
}

/// The impatient program is on the screen.
pub fn shows_desktop(desk: &Desk) {
    desk.user("ada", "systemctl --user restart impatient.service").ok();
    desk.with_display("xdotool search --sync --onlyvisible --class xterm windowfocus --sync").ok();
    wait_until("the desktop", SOON, || {
        let seen = desk.with_display(LOOK);
        if seen.stdout.trim().parse::<u64>().is_ok_and(|pixels| pixels > 50_000) {
            Ok(())
        } else {
            Err(seen.to_string())
        }
    });
    desk.root("rm -f /home/ada/typed").ok();
}

/// Kills the server of a locked session, and expects the next one to be locked and to show nothing of the desktop
/// meanwhile.
fn comes_back_locked(desk: &Desk, kill: &str) {
    let before = desk.server();
    desk.root("rm -f /home/ada/seen /home/ada/stop /home/ada/typed").ok();
    let again = desk.journal("-t startxd -o cat").matches("the screen is locked again").count();
    let environment = desk.environment();
    let authority = environment.get("XAUTHORITY").unwrap_or_default().to_owned();
    // Looks at the screen and types, until it is stopped.
    let eye = format!("while [ ! -e ~/stop ]; do {LOOK} >> ~/seen; timeout 5 xdotool key x BackSpace; done; true");
    let eye = desk.shell_as("ada", &eye).env("DISPLAY", ":0").env("XAUTHORITY", &authority).spawn();
    let looks = |more: usize| {
        let looked = seen(desk).len();
        wait_until("more to be seen", SOON, || {
            let now = seen(desk).len();
            if now > looked + more { Ok(()) } else { Err(format!("{looked}, then {now}")) }
        });
    };
    looks(0);
    desk.user("ada", kill).ok();
    wait_until("the next server to be locked", SOON, || {
        let journal = desk.journal("-t startxd -o cat");
        if journal.matches("the screen is locked again").count() > again { Ok(()) } else { Err(journal) }
    });
    assert!(is_locked(desk));
    assert_ne!(desk.server().pid, before.pid);
    // The desktop is back, behind the locker.
    desk.is_up();
    desk.unit_becomes("impatient.service", "active");
    looks(3);
    desk.user("ada", "touch ~/stop").ok();
    eye.wait(SOON).ok();
    let seen = seen(desk);
    assert!(seen.iter().all(|&pixels| pixels == 0), "the desktop was seen: {seen:?}");
    assert!(!desk.outside("/home/ada/typed").exists(), "what was typed was not for the locker");
    assert!(is_locked(desk));
    desk.user("ada", "startxd lock").ok();
}

/// xsecurelock asks for a password as soon as a key is pressed, and lets an account without one in at once.
#[test]
fn a_server_that_is_killed_below_xsecurelock_comes_back_locked() {
    let mut desk = Desk::at_prompt();
    // The account stays as it is made here.
    desk.discard();
    desk.root("echo ada:secret | chpasswd").ok();
    desk.writes_unit("impatient.service", IMPATIENT);
    desk.user("ada", "systemctl --user enable impatient.service").ok();
    configure(&desk, "[lock]\ncommand = [\"xsecurelock\"]\n");
    desk.starts(OPENBOX);
    shows_desktop(&desk);
    desk.user("ada", "startxd lock").ok();
    becomes(&desk, true);
    comes_back_locked(&desk, "pkill -KILL -x Xorg");
    comes_back_locked(&desk, "systemctl --user restart xorg@0.service");
    // Not by the password: xsecurelock drops keys that are typed before its dialog is there.
    desk.user("ada", "startxd unlock").ok();
    becomes(&desk, false);
    desk.user("ada", "systemctl --user stop impatient.service; systemctl --user reset-failed").ok();
    // xsecurelock leaves them if its server is killed, also by itself.
    desk.user("ada", "pkill -f '_placeholder|sleep 86400'").ok();
    leaves(&desk);
}

#[test]
fn a_server_that_is_killed_below_a_locker_comes_back_locked() {
    let desk = Desk::at_prompt();
    desk.writes_unit("impatient.service", IMPATIENT);
    desk.writes_unit("locker.service", LOCKER);
    desk.writes_unit("mywm.service", "[Service]\nExecStart=openbox --sm-disable\n[Install]\nWantedBy=wm.target\n");
    desk.user("ada", "systemctl --user enable impatient.service").ok();
    for (locker, wm) in [("i3lock --nofork", OPENBOX), ("i3lock --nofork", ""), ("i3lock", ""), ("", OPENBOX)] {
        let words: Vec<String> = locker.split(' ').map(|word| format!("{word:?}")).collect();
        let command = format!("[lock]\ncommand = [{}]\n", words.join(", "));
        configure(&desk, if locker.is_empty() { "" } else { &command });
        let enable = |unit: &str, on: bool| {
            desk.user("ada", &format!("systemctl --user {} {unit}", if on { "enable" } else { "disable" })).ok();
        };
        enable("locker.service", locker.is_empty());
        enable("mywm.service", wm.is_empty());
        desk.starts(wm);
        shows_desktop(&desk);
        desk.user("ada", "startxd lock").ok();
        becomes(&desk, true);
        comes_back_locked(&desk, "pkill -KILL -x Xorg");
        comes_back_locked(&desk, "systemctl --user restart xorg@0.service");
        let journal = desk.journal("-t startxd -o cat");
        let opened = journal.matches("the screen is open").count();
        opens(&desk);
        assert_eq!(desk.journal("-t startxd -o cat").matches("the screen is open").count(), opened + 1);
        desk.with_display("xdotool search --sync --onlyvisible --class xterm windowfocus --sync key x").ok();
        wait_until("what is typed to be the terminal's again", SOON, || {
            if desk.outside("/home/ada/typed").exists() { Ok(()) } else { Err("it is not".to_owned()) }
        });
        desk.user("ada", "systemctl --user stop impatient.service; systemctl --user reset-failed").ok();
        leaves(&desk);
    }
}
