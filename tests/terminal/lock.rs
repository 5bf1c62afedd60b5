//! The screen lock, with lockers as Debian ships them: what locks, when it counts as locked, and what unlocks.

use crate::harness::{SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

/// A locker as a unit.
pub const LOCKER: &str = "[Unit]\nPartOf=startxd-lock.target\n[Service]\nExecStart=i3lock --nofork\n\
                      [Install]\nWantedBy=startxd-lock.target\n";

/// Writes this into ada's configuration.
pub fn configure(desk: &Desk, text: &str) {
    desk.write_as("ada", "~/.config/startxd/startxd.toml", text);
}

/// logind's `LockedHint` of her session.
pub fn is_locked(desk: &Desk) -> bool {
    desk.root(&format!("loginctl show-session {} -p LockedHint --value", desk.login.session)).text().trim() == "yes"
}

pub fn becomes(desk: &Desk, locked: bool) {
    wait_until(&format!("LockedHint to be {locked}"), SOON, || {
        if is_locked(desk) == locked { Ok(()) } else { Err(desk.root("pgrep -a -u ada").stdout) }
    });
}

fn locks(desk: &Desk) {
    desk.user("ada", "startxd lock").ok();
    becomes(desk, true);
}

/// Types ada's password, which is empty, until it is accepted: a locker may still be grabbing the keyboard.
pub fn opens(desk: &Desk) {
    wait_until("the screen to be open", SOON, || {
        desk.with_display("timeout 5 xdotool key Return");
        if is_locked(desk) { Err(desk.root("pgrep -a -u ada").stdout) } else { Ok(()) }
    });
}

pub fn leaves(desk: &Desk) {
    desk.quits_openbox();
    desk.ended(0);
}

/// Whether a locker runs.
fn a_locker_runs(desk: &Desk) -> bool {
    let lockers = desk.root("pgrep -u ada -x 'i3lock|slock|xsecurelock'");
    !lockers.stdout.is_empty()
}

#[test]
fn each_locker_as_a_command() {
    let desk = Desk::at_prompt();
    for command in [r#"["i3lock", "--nofork"]"#, r#"["xsecurelock"]"#, r#"["i3lock"]"#] {
        configure(&desk, &format!("[lock]\ncommand = {command}\n"));
        desk.starts(OPENBOX);
        assert!(!is_locked(&desk));
        let openings = || desk.journal("-t startxd -o cat").matches("the screen is open").count();
        let before = openings();
        for _ in 0..2 {
            locks(&desk);
            assert!(a_locker_runs(&desk), "{command}");
            // A second time: it is locked.
            desk.user("ada", "startxd lock").ok();
            desk.user("ada", "startxd unlock").ok();
            becomes(&desk, false);
        }
        assert_eq!(openings(), before + 2, "{command} seemed open while it locked");
        leaves(&desk);
    }
}

#[test]
fn an_unlocking_waits_for_a_lock_that_is_under_way() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/slow", "#!/bin/sh\nread _ < ~/go\nexec i3lock --nofork\n");
    desk.user("ada", "chmod +x slow; mkfifo go").ok();
    configure(&desk, "[lock]\ncommand = [\"/home/ada/slow\"]\n");
    desk.starts(OPENBOX);
    let lock = desk.spawn("ada", "startxd lock");
    wait_until("the locker", SOON, || {
        let slow = desk.root("pgrep -u ada -x slow");
        if slow.stdout.is_empty() { Err(slow.to_string()) } else { Ok(()) }
    });
    let unlock = desk.spawn("ada", "startxd unlock");
    desk.user("ada", "startxd status").ok();
    assert!(lock.is_running() && unlock.is_running() && !is_locked(&desk));
    desk.user("ada", "echo > ~/go").ok();
    lock.wait(SOON).ok();
    unlock.wait(SOON).ok();
    assert!(!is_locked(&desk));
    // i3lock has a child that keeps its window on top, and that would stay if i3lock were ended alone just now.
    wait_until("no locker", SOON, || if a_locker_runs(&desk) { Err("it runs".to_owned()) } else { Ok(()) });
    assert!(!is_locked(&desk));
    leaves(&desk);
}

#[test]
fn a_password_opens_and_a_unit_locks() {
    let desk = Desk::at_prompt();
    desk.writes_unit("locker.service", LOCKER);
    desk.user("ada", "systemctl --user enable locker.service").ok();
    desk.starts(OPENBOX);
    locks(&desk);
    assert_eq!(
        desk.states(&["locker.service", "startxd-lock.target"]),
        ["locker.service active", "startxd-lock.target active"]
    );
    opens(&desk);
    desk.unit_becomes("startxd-lock.target", "inactive");
    // logind's requests: `loginctl`, the lid, IdleAction=.
    desk.root(&format!("loginctl lock-session {}", desk.login.session)).ok();
    becomes(&desk, true);
    desk.root(&format!("loginctl unlock-session {}", desk.login.session)).ok();
    becomes(&desk, false);
    desk.unit_becomes("locker.service", "inactive");
    leaves(&desk);
}

#[test]
fn a_unit_that_says_when_it_locks_is_believed() {
    let desk = Desk::at_prompt();
    desk.writes_unit(
        "locker.service",
        "[Unit]\nPartOf=startxd-lock.target\n[Service]\nType=notify\nNotifyAccess=all\n\
         ExecStart=sh -c 'read _ < %h/go; systemd-notify --ready; exec sleep infinity'\n\
         [Install]\nWantedBy=startxd-lock.target\n",
    );
    desk.user("ada", "mkfifo ~/go; systemctl --user enable locker.service").ok();
    desk.starts(OPENBOX);
    let lock = desk.spawn("ada", "startxd lock");
    desk.unit_becomes("locker.service", "activating");
    assert!(lock.is_running() && !is_locked(&desk));
    desk.user("ada", "echo > ~/go").ok();
    lock.wait(SOON).ok();
    becomes(&desk, true);
    desk.user("ada", "startxd unlock").ok();
    becomes(&desk, false);
    leaves(&desk);
}

/// Once per session: without a login session, Debian's xss-lock ends when the screen saver is turned off.
#[test]
fn the_xss_lock_of_a_configuration_locks_as_with_startx() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.xinitrc", "xss-lock -- i3lock --nofork &\nexec openbox\n");
    for request in ["startxd lock", "xset s activate", "loginctl lock-session SESSION"] {
        desk.starts("");
        wait_until("xss-lock", SOON, || {
            // Set once it has asked to be told of the screen saver.
            let root = desk.with_display("xprop -root _MIT_SCREEN_SAVER_ID");
            if root.stdout.contains("0x") { Ok(()) } else { Err(root.to_string()) }
        });
        desk.with_display(&request.replace("SESSION", &desk.login.session)).ok();
        becomes(&desk, true);
        opens(&desk);
        // A locker that a person starts is seen, too.
        desk.with_display("i3lock").ok();
        becomes(&desk, true);
        desk.user("ada", "startxd unlock").ok();
        becomes(&desk, false);
        leaves(&desk);
    }
}

#[test]
fn a_missing_locker_is_reported() {
    let desk = Desk::at_prompt();
    let lock = |desk: &Desk, words: &str| {
        let run = desk.user("ada", "startxd lock");
        assert_eq!(run.code(), 8, "{run}");
        assert!(run.stderr.contains(words), "{run}");
        assert!(!is_locked(desk));
    };
    assert_eq!(desk.user("ada", "startxd lock").code(), 4);
    configure(&desk, "[deadlines]\nlock = 1\n");
    desk.starts(OPENBOX);
    lock(&desk, "nothing has answered the X server's screen saver request");
    desk.user("ada", "startxd unlock").ok();
    leaves(&desk);
    // A hook locks nothing.
    desk.writes_unit(
        "quiet.service",
        "[Service]\nType=oneshot\nExecStart=touch %h/hook\n[Install]\nWantedBy=startxd-lock.target\n",
    );
    desk.user("ada", "systemctl --user enable quiet.service").ok();
    desk.starts(OPENBOX);
    lock(&desk, "nothing has answered the X server's screen saver request");
    assert!(desk.outside("/home/ada/hook").exists());
    desk.user("ada", "systemctl --user disable quiet.service").ok();
    leaves(&desk);
    for (command, words) in [
        ("nothing", "there is no program nothing"),
        ("false", "exited with status 1"),
        ("sleep\", \"9", "not locked it within 1 s"),
    ] {
        configure(&desk, &format!("[lock]\ncommand = [\"{command}\"]\n[deadlines]\nlock = 1\n"));
        desk.starts(OPENBOX);
        lock(&desk, words);
        leaves(&desk);
    }
}

/// A window that covers the screen but lets people type is not a locker.
#[test]
fn others_can_neither_lock_nor_open() {
    let desk = Desk::at_prompt();
    configure(&desk, "[lock]\ncommand = [\"i3lock\", \"--nofork\"]\n");
    desk.starts(OPENBOX);
    let path = format!("/org/freedesktop/login1/session/{}", escaped(&desk.login.session));
    let forges = |member: &str| {
        desk.user("eve", &format!("busctl emit {path} org.freedesktop.login1.Session {member}")).ok();
        let names = desk.root("busctl list --no-legend | awk '$3 == \"startxd\" {print $1}'").text();
        for name in names.lines() {
            let to = format!("busctl emit --destination={name} {path} org.freedesktop.login1.Session {member}");
            desk.user("eve", &to).ok();
        }
    };
    forges("Lock");
    assert_ne!(desk.user("eve", "XDG_RUNTIME_DIR=/run/user/1000 startxd lock").code(), 0);
    locks(&desk);
    forges("Unlock");
    let eves = format!("loginctl unlock-session {}", desk.login.session);
    assert_ne!(desk.user("eve", &eves).code(), 0);
    assert_ne!(desk.user("eve", "XDG_RUNTIME_DIR=/run/user/1000 startxd unlock").code(), 0);
    let journal = desk.journal("-t startxd -o cat");
    assert_eq!(journal.matches("the screen is locked").count(), 1, "{journal}");
    assert!(journal.contains("it is not from systemd-logind"), "{journal}");
    assert!(!journal.contains("the screen is open"), "{journal}");
    opens(&desk);
    leaves(&desk);
}

/// A session's id as its object's path has it.
fn escaped(session: &str) -> String {
    let first = session.as_bytes()[0];
    if first.is_ascii_digit() { format!("_{first:02x}{}", &session[1..]) } else { session.to_owned() }
}

/// The pid of the one locker that runs, other than `before`: the host's child, or the main process of its unit.
///
/// A race: i3lock forks, and its child outlives it for a moment.
fn another_locker(desk: &Desk, before: &str) -> String {
    let script = "for pid in $(pgrep -u ada -x i3lock); do
          parent=$(cut -d' ' -f4 /proc/$pid/stat) && grep -qx startxd /proc/$parent/comm && echo $pid
        done; true";
    wait_until("another locker", SOON, || {
        let main = desk.unit("locker.service", "MainPID");
        let main = if main == "0" { String::new() } else { main };
        let child = desk.root(script);
        let found = [main.trim(), child.stdout.trim()].concat();
        if !found.is_empty() && found != before { Ok(found) } else { Err(format!("{main:?} {child}")) }
    })
}

/// Waits until the locker has the keyboard: one that was started again reports that only to the host.
fn is_watched(desk: &Desk) {
    desk.user("ada", "startxd lock").ok();
}

#[test]
fn a_locker_that_is_killed_comes_back_and_the_screen_is_never_open() {
    let desk = Desk::at_prompt();
    // The second time it waits, so that the cover in its place can be examined.
    desk.write_as(
        "ada",
        "~/locker",
        "#!/bin/sh\n[ ! -e ~/again ] || read _ < ~/go\n: > ~/again\nexec i3lock --nofork --color=ff0000\n",
    );
    desk.user("ada", "chmod +x ~/locker; mkfifo ~/go").ok();
    configure(&desk, "[lock]\ncommand = [\"/home/ada/locker\"]\n");
    desk.starts(OPENBOX);
    desk.with_display("xterm -e sh -c 'read line; touch ~/typed; exec sleep 100' >/dev/null 2>&1 & xdotool search --sync --onlyvisible --class xterm windowfocus --sync").ok();
    locks(&desk);
    let first = another_locker(&desk, "");
    desk.root(&format!("kill -KILL {first}")).ok();
    wait_until("the next locker", SOON, || {
        let next = desk.root("pgrep -u ada -x locker");
        if next.stdout.is_empty() { Err(next.to_string()) } else { Ok(()) }
    });
    assert!(is_locked(&desk));
    desk.with_display("xdotool key x Return").ok();
    let picture = desk
        .with_display("scrot -o ~/screen.png && python3 -c \"print(len(open('/home/ada/screen.png','rb').read()))\"")
        .text();
    // A picture of one colour is a small file.
    assert!(picture.trim().parse::<u32>().expect("its size") < 20_000, "{picture}");
    assert!(!desk.outside("/home/ada/typed").exists(), "what was typed was not for the locker");
    desk.user("ada", "echo > ~/go").ok();
    another_locker(&desk, &first);
    wait_until("the next locker to lock", SOON, || {
        let journal = desk.journal("-t startxd -o cat");
        if journal.contains("started again (1 of 3)") { Ok(()) } else { Err(journal) }
    });
    is_watched(&desk);
    assert!(is_locked(&desk));
    opens(&desk);
    desk.with_display("xdotool search --sync --onlyvisible --class xterm windowfocus --sync key x Return").ok();
    wait_until("what is typed to be the terminal's again", SOON, || {
        if desk.outside("/home/ada/typed").exists() { Ok(()) } else { Err("it is not".to_owned()) }
    });
    leaves(&desk);
}

#[test]
fn one_that_is_killed_again_and_again_ends_the_login() {
    let mut desk = Desk::at_prompt();
    desk.writes_unit("locker.service", LOCKER);
    for unit in [false, true] {
        let command = if unit { "" } else { "[lock]\ncommand = [\"i3lock\", \"--nofork\"]\n" };
        configure(&desk, command);
        if unit {
            desk.user("ada", "systemctl --user enable locker.service").ok();
        }
        desk.root("rm -f /home/ada/2").ok();
        desk.starts(OPENBOX);
        locks(&desk);
        let mut locker = String::new();
        for _ in 0..4 {
            locker = another_locker(&desk, &locker);
            desk.root(&format!("kill -KILL {locker}")).ok();
        }
        desk.wait_session_gone(&desk.login, SOON);
        // That her own unit failed is for her to know.
        desk.user("ada", "systemctl --user reset-failed locker.service");
        desk.is_logged_out();
        assert!(!desk.outside("/home/ada/2").exists(), "the shell went on");
        desk.logs_in();
        let said = desk.journal("-t startxd -o cat");
        assert!(said.contains("and does not come back"), "{said}");
    }
}

#[test]
fn killing_any_two_parts_leaves_no_screen_open() {
    let mut desk = Desk::at_prompt();
    configure(&desk, "[lock]\ncommand = [\"i3lock\", \"--nofork\"]\n");
    let victims = ["i3lock", "Xorg", "openbox", "startxd start", "startxd serve"];
    for first in victims {
        for second in victims.into_iter().filter(|second| *second != first) {
            desk.root("rm -f /home/ada/2").ok();
            desk.starts(OPENBOX);
            locks(&desk);
            let kill = |what: &str| match what {
                "startxd start" => "pkill -KILL -u ada -f '^startxd start'".to_owned(),
                "startxd serve" => "pkill -KILL -u ada -f '^/usr/bin/startxd serve'".to_owned(),
                name => format!("pkill -KILL -u ada -x {name}"),
            };
            let before = desk.journal("-t startxd -o cat").matches(ENDED).count();
            desk.root(&format!("{}; sleep 0.04; {}; true", kill(first), kill(second))).ok();
            // The shell below a killed host remains until the login session has been ended in the host's place.
            let by_repair = [first, second].contains(&"startxd start");
            let survives = [first, second].iter().all(|one| matches!(*one, "i3lock" | "openbox"));
            if survives || (!by_repair && is_locked_again(&desk, before, &format!("{first}, {second}"))) {
                is_watched(&desk);
                assert!(is_locked(&desk), "{first} {second}");
                desk.user("ada", "startxd stop");
            }
            desk.wait_session_gone(&desk.login, SOON);
            assert!(by_repair || !desk.outside("/home/ada/2").exists(), "{first} {second}: the shell went on");
            // A race: a repair closes the login before the repair is over, and the next login would meet its last
            // steps.
            repair_is_over(&desk);
            // The getty must not be given up because of so many logins.
            desk.root("systemctl reset-failed getty@tty1.service").ok();
            desk.logs_in();
            desk.starts_again();
        }
    }
}

fn repair_is_over(desk: &Desk) {
    wait_until("the repair to be over", SOON, || {
        let units = desk.user("ada", "systemctl --user list-units --plain --no-legend startxd-repair.service 'xorg@*'");
        if units.stdout.trim().is_empty() { Ok(()) } else { Err(units.stdout) }
    });
}

/// The journal's message about a server that ends while the screen is locked.
const ENDED: &str = "the screen was locked, and is locked again before";

/// Whether the next server is locked, rather than its login closed; one of the two must happen. `before` is how many
/// servers of this case had ended that way before.
fn is_locked_again(desk: &Desk, before: usize, what: &str) -> bool {
    wait_until(&format!("the session to be locked again or gone after {what}"), SOON, || {
        if !desk.has_session(&desk.login) {
            return Ok(false);
        }
        let journal = desk.journal("-t startxd -o cat");
        let again = journal.rfind("the screen is locked again\n") > journal.rfind(ENDED);
        if again && journal.matches(ENDED).count() > before { Ok(true) } else { Err(journal) }
    })
}

/// The size of a picture of the screen in bytes: of one colour, small.
fn picture(desk: &Desk) -> u32 {
    let size = desk.with_display("scrot -o ~/screen.png && stat -c %s ~/screen.png; rm -f ~/screen.png").text();
    size.trim().parse().expect("its size")
}

#[test]
fn a_session_that_ends_while_it_is_locked_shows_nothing_of_it() {
    let desk = Desk::at_prompt();
    configure(&desk, "[deadlines]\napplications = 5\n");
    desk.starts(OPENBOX);
    let black = picture(&desk);
    let scope = "setsid systemd-run --user --scope --quiet";
    // A client that does not end delays the rest of the end.
    desk.with_display(&format!(
        "{scope} sh -c \"trap '' TERM; exec xlogo -geometry 900x700 -title stubborn\" >/dev/null 2>&1 &"
    ))
    .ok();
    // openbox 3.6.1 may fail to show a window that appears while it starts.
    let open = wait_until("the desktop", SOON, || {
        desk.with_display("xdotool search --name stubborn windowmap");
        let open = picture(&desk);
        if open > black + 1000 { Ok(open) } else { Err(format!("{black} bytes, then {open}")) }
    });
    desk.with_display(&format!("{scope} i3lock --nofork >/dev/null 2>&1 &")).ok();
    becomes(&desk, true);
    let stop = desk.spawn("ada", "startxd stop");
    wait_until("the end of the locker", SOON, || match desk.root("pgrep -u ada -x i3lock").stdout {
        pids if pids.is_empty() => Ok(()),
        pids => Err(pids),
    });
    let covered = picture(&desk);
    assert!(covered + 1000 < open, "the desktop shows: {open} bytes, then {covered}");
    stop.wait(SOON);
    desk.wait_session_gone(&desk.login, SOON);
    desk.journal_says("was asked to end with the session and has not");
}
