//! What others do while the screen is locked: clients that cover it and raise themselves, a bus that is killed. After each
//! of it the screen is locked.

use crate::harness::{Background, SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

use super::lock::{becomes, configure, is_locked, leaves, opens};

const I3LOCK: &str = "[lock]\ncommand = [\"i3lock\", \"--nofork\"]\n";

/// A client of the display that does what it is told.
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

/// A terminal has the keyboard, and a line that is typed there is seen.
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
    // The locker dies below it: a window that covers the screen and has no keyboard is no locker.
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
    // It locks, and is seen to.
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
        // It comes back with its next client.
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
