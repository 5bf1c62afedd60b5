//! What others do while the screen is locked, or about to be: clients that cover it, raise themselves or grab the
//! keyboard, monitors that are plugged in, buses and a logind that are killed. After each of these the screen is
//! locked, or its login is closed.

use crate::harness::{Background, Guest, SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

use super::lock::{becomes, configure, is_locked, leaves, opens};
use super::relock::{IMPATIENT, LOOK, shows_desktop};

const I3LOCK: &str = "[lock]\ncommand = [\"i3lock\", \"--nofork\"]\n";

/// A client of the display that does as it is told.
struct Hostile<'a> {
    desk: &'a Desk,
    process: Background,
}

impl<'a> Hostile<'a> {
    fn connects(desk: &'a Desk) -> Self {
        desk.write("/run/hostile_client.py", include_str!("../scenario/hostile_client.py"));
        desk.user("ada", "rm -f ~/tell; mkfifo ~/tell").ok();
        let script = "exec python3 /run/hostile_client.py < <(exec 3<> ~/tell; exec cat <&3)";
        Self { desk, process: desk.shell_as("ada", script).env("DISPLAY", ":0").spawn() }
    }

    fn does(&self, what: &str) {
        self.desk.user("ada", &format!("echo {what} > ~/tell")).ok();
        wait_until(&format!("the client that {what}"), SOON, || {
            let (out, err) = (self.process.stdout(), self.process.stderr());
            if out.contains(&format!("done {what}")) { Ok(()) } else { Err(out + &err) }
        });
    }
}

/// A terminal has the keyboard, and shows a line that is typed there.
fn has_terminal(desk: &Desk) {
    desk.with_display(
        "xterm -e bash -c 'read -rn 1 _; touch ~/typed; exec sleep 100' >/dev/null 2>&1 & \
         xdotool search --sync --onlyvisible --class xterm windowfocus --sync",
    )
    .ok();
}

fn nothing_was_typed(desk: &Desk) {
    desk.with_display("xdotool key x BackSpace").ok();
    assert!(!desk.outside("/home/ada/typed").exists(), "what was typed was not for the locker");
}

#[test]
fn windows_over_the_locker_open_nothing() {
    let desk = Desk::at_prompt();
    // The second time it waits.
    let locker = "#!/bin/sh\n[ ! -e ~/again ] || read _ < ~/go\n: > ~/again\nexec i3lock --nofork\n";
    desk.write_as("ada", "~/locker", locker);
    desk.user("ada", "chmod +x ~/locker; mkfifo ~/go").ok();
    configure(&desk, "[lock]\ncommand = [\"/home/ada/locker\"]\n");
    desk.starts(OPENBOX);
    has_terminal(&desk);
    desk.user("ada", "startxd lock").ok();
    becomes(&desk, true);
    let hostile = Hostile::connects(&desk);
    for what in ["covers", "raises"] {
        hostile.does(what);
        assert!(is_locked(&desk));
    }
    nothing_was_typed(&desk);
    // The locker dies below it: a window that covers the screen without the keyboard is not a locker.
    desk.root("pkill -KILL -u ada -x i3lock").ok();
    desk.runs("locker");
    wait_until("the locker to be started again", SOON, || {
        let journal = desk.journal("-t startxd -o cat");
        if journal.contains("started again (1 of 3)") { Ok(()) } else { Err(journal) }
    });
    assert!(is_locked(&desk));
    nothing_was_typed(&desk);
    desk.user("ada", "echo > ~/go").ok();
    desk.runs("i3lock");
    // It locks, and counts as locked.
    desk.user("ada", "startxd lock").ok();
    nothing_was_typed(&desk);
    drop(hostile);
    opens(&desk);
    assert_eq!(desk.journal("-t startxd -o cat").matches("the screen is open").count(), 1);
    leaves(&desk);
}

#[test]
fn a_bus_that_is_killed_opens_nothing() {
    let desk = Desk::at_prompt();
    configure(&desk, I3LOCK);
    desk.starts(OPENBOX);
    desk.user("ada", "startxd lock").ok();
    becomes(&desk, true);
    for _ in 0..2 {
        let bus = desk.another("ada", "dbus-daemon", "");
        desk.root("pkill -KILL -u ada -x dbus-daemon").ok();
        // The bus comes back with its next client.
        desk.user("ada", "busctl --user list > /dev/null").ok();
        desk.another("ada", "dbus-daemon", &bus);
        desk.user("ada", "startxd lock").ok();
        assert!(is_locked(&desk));
    }
    opens(&desk);
    let journal = desk.journal("-t startxd -o cat");
    assert_eq!(journal.matches("the screen is open").count(), 1, "{journal}");
    leaves(&desk);
}

#[test]
fn a_keyboard_grabbed_by_another_program_is_no_lock() {
    let desk = Desk::at_prompt();
    for locker in [I3LOCK, "[lock]\ncommand = [\"xsecurelock\"]\n"] {
        configure(&desk, locker);
        desk.starts(OPENBOX);
        let locked = || desk.journal("-t startxd -o cat").matches("the screen is locked").count();
        let before = locked();
        let hostile = Hostile::connects(&desk);
        hostile.does("grabs");
        assert!(hostile.process.stdout().contains("done grabs (0, 0)"), "{}", hostile.process.stdout());
        let lock = desk.user("ada", "startxd lock");
        assert_eq!(lock.code(), 8, "{lock}");
        assert!(lock.stderr.contains("the screen locker exited with status 1"), "{lock}");
        assert_eq!(locked(), before, "it was said to be locked");
        hostile.does("releases");
        desk.user("ada", "startxd lock").ok();
        becomes(&desk, true);
        // Now the locker gets it.
        hostile.does("tries");
        assert!(hostile.process.stdout().contains("done tries (1, 1)"), "{}", hostile.process.stdout());
        drop(hostile);
        opens(&desk);
        leaves(&desk);
    }
}

/// Expects that nothing of the desktop is visible.
fn nothing_is_seen(desk: &Desk) {
    let seen = desk.with_display(LOOK).text();
    assert_eq!(seen.trim(), "0", "the desktop is seen");
}

#[test]
fn a_monitor_that_is_plugged_in_shows_nothing() {
    let mut case = Guest::get();
    case.discard();
    // By default the driver takes memory for one monitor.
    let screen = "Section \"Device\"\nIdentifier \"big\"\nDriver \"dummy\"\nVideoRam 65536\nEndSection\n\
                  Section \"Screen\"\nIdentifier \"screen\"\nDevice \"big\"\nEndSection\n";
    case.write("/etc/X11/xorg.conf.d/05-big.conf", screen);
    let desk = Desk::at_prompt_in(case);
    let locker = "#!/bin/sh\n[ ! -e ~/again ] || read _ < ~/go\n: > ~/again\nexec i3lock --nofork\n";
    desk.write_as("ada", "~/locker", locker);
    desk.writes_unit("impatient.service", IMPATIENT);
    desk.user("ada", "chmod +x ~/locker; mkfifo ~/go; systemctl --user enable impatient.service").ok();
    configure(&desk, "[lock]\ncommand = [\"/home/ada/locker\"]\n[deadlines]\nlock = 60\n");
    desk.starts(OPENBOX);
    shows_desktop(&desk);
    let xrandr = |words: &str| desk.with_display(&format!("xrandr {words}")).ok();
    xrandr("--addmode DUMMY1 1024x768");
    let plug = |place: &str| {
        xrandr(&format!("--output DUMMY1 --mode 1024x768 {place} DUMMY0"));
        desk.with_display("xdotool search --onlyvisible --class xterm windowmove 700 100").ok();
    };
    plug("--right-of");
    xrandr("--output DUMMY1 --off");
    desk.user("ada", "startxd lock").ok();
    becomes(&desk, true);
    plug("--right-of");
    nothing_is_seen(&desk);
    // The same below our cover, with the first monitor removed and plugged in again.
    desk.root("pkill -KILL -u ada -x i3lock").ok();
    desk.runs("locker");
    wait_until("the locker to be started again", SOON, || {
        let journal = desk.journal("-t startxd -o cat");
        if journal.contains("started again (1 of 3)") { Ok(()) } else { Err(journal) }
    });
    for place in ["--left-of", "--below", "--right-of"] {
        xrandr("--output DUMMY1 --off");
        nothing_is_seen(&desk);
        plug(place);
        nothing_is_seen(&desk);
    }
    assert!(is_locked(&desk));
    desk.user("ada", "echo > ~/go").ok();
    desk.runs("i3lock");
    desk.user("ada", "startxd lock").ok();
    nothing_is_seen(&desk);
    assert!(!desk.journal("-t startxd -o cat").contains("the screen is open"));
    opens(&desk);
    desk.user("ada", "systemctl --user stop impatient.service; systemctl --user reset-failed").ok();
    leaves(&desk);
}

#[test]
fn a_logind_or_a_system_bus_that_is_killed_opens_nothing() {
    let mut desk = Desk::at_prompt();
    configure(&desk, I3LOCK);
    for unit in ["systemd-logind.service", "dbus.service"] {
        desk.root("rm -f /home/ada/2").ok();
        desk.starts(OPENBOX);
        desk.user("ada", "startxd lock").ok();
        becomes(&desk, true);
        let opened = desk.journal("-t startxd -o cat").matches("the screen is open").count();
        desk.root(&format!("systemctl kill --signal=KILL {unit}")).ok();
        // A logind whose bus is gone may hang.
        desk.root("systemctl start dbus.service && systemctl restart systemd-logind.service").ok();
        wait_until("the session to be locked again or gone", SOON, || {
            if !desk.has_session(&desk.login) {
                return Ok(());
            }
            let journal = desk.journal("-t startxd -o cat");
            let lost = journal.rfind("and is started again");
            if lost.is_some() && journal.rfind("the screen is locked again") > lost { Ok(()) } else { Err(journal) }
        });
        if desk.has_session(&desk.login) {
            desk.user("ada", "startxd lock").ok();
            assert!(is_locked(&desk), "{unit}");
            assert_eq!(desk.journal("-t startxd -o cat").matches("the screen is open").count(), opened);
            opens(&desk);
            leaves(&desk);
        } else {
            assert!(!desk.outside("/home/ada/2").exists(), "{unit}: the shell went on");
            desk.logs_in();
        }
    }
}
