//! The machine's sleep as logind carries it out: what it waits for, and what is locked by then. Only the sleep itself
//! is replaced, by a program that waits. Virtual machines really sleep (`tests/vm/sleep.rs`).

use crate::harness::{Background, Case, Guest, SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

use super::lock::{becomes, configure, is_locked, leaves, opens};

/// Sleeps until something was written to /run/wake. Nothing is written to /sys.
const SUSPEND: &str =
    "[Service]\nExecStart=\nExecStart=/bin/sh -c 'touch /run/asleep; read _ < /run/wake; rm /run/asleep'\n";

/// A guest whose logind believes that the machine can sleep.
fn guest() -> Case {
    let mut case = Guest::get();
    case.discard();
    case.write("/etc/systemd/system/systemd-suspend.service.d/test.conf", SUSPEND);
    case.write("/run/power-state", "mem\n");
    // logind has a namespace of its own for mounts.
    case.root(
        "mkfifo /run/wake; mount --bind /run/power-state /sys/power/state; systemctl daemon-reload; \
         systemctl restart systemd-logind",
    )
    .ok();
    case
}

/// Ada at her desk, with or without polkit.
fn desk(polkit: bool) -> (Desk, Option<Background>) {
    let case = guest();
    let polkit = polkit.then(|| case.has_polkit());
    (Desk::at_prompt_in(case), polkit)
}

fn is_asleep(desk: &Desk) -> bool {
    desk.outside("/run/asleep").exists()
}

fn falls_asleep(desk: &Desk) {
    wait_until("the machine to sleep", SOON, || if is_asleep(desk) { Ok(()) } else { Err(desk.journal("-o cat")) });
}

fn wakes(desk: &Desk) {
    desk.root("echo > /run/wake").ok();
    desk.unit_becomes("startxd-sleep.target", "inactive");
}

/// Whether logind waits for us.
fn is_delayed(desk: &Desk) -> bool {
    let all = desk.root("systemd-inhibit --list --no-pager").text();
    all.lines().any(|line| line.contains("startxd") && line.contains("sleep") && line.contains("delay"))
}

fn is_delayed_again(desk: &Desk) {
    wait_until("logind to wait for us", SOON, || {
        if is_delayed(desk) { Ok(()) } else { Err(desk.root("systemd-inhibit --list").stdout) }
    });
}

#[test]
fn the_machine_sleeps_when_the_screen_is_locked() {
    let (desk, _polkit) = desk(true);
    desk.write_as("ada", "~/locker", "#!/bin/sh\nread _ < ~/go\nexec i3lock --nofork\n");
    desk.user("ada", "chmod +x ~/locker; mkfifo ~/go").ok();
    configure(&desk, "[lock]\ncommand = [\"/home/ada/locker\"]\n");
    desk.writes_unit(
        "before-sleep.service",
        "[Unit]\nPartOf=startxd-sleep.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=touch %h/slept\n\
         ExecStop=touch %h/woken\n[Install]\nWantedBy=startxd-sleep.target\n",
    );
    desk.user("ada", "systemctl --user enable before-sleep.service").ok();
    desk.starts(OPENBOX);
    for _ in 0..2 {
        is_delayed_again(&desk);
        desk.root("systemctl suspend").ok();
        desk.unit_becomes("before-sleep.service", "active");
        assert!(!is_asleep(&desk) && !is_locked(&desk));
        desk.user("ada", "echo > ~/go").ok();
        falls_asleep(&desk);
        assert!(is_locked(&desk));
        wakes(&desk);
        is_delayed_again(&desk);
        desk.root("rm /home/ada/slept /home/ada/woken").ok();
        assert!(is_locked(&desk));
        opens(&desk);
    }
    leaves(&desk);
    assert!(!is_delayed(&desk));
}

#[test]
fn a_locker_that_is_too_slow_is_reported_and_the_machine_sleeps() {
    let (desk, _polkit) = desk(true);
    configure(&desk, "[lock]\ncommand = [\"sleep\", \"60\"]\n");
    desk.starts(OPENBOX);
    is_delayed_again(&desk);
    desk.root("systemctl suspend").ok();
    falls_asleep(&desk);
    assert!(!is_locked(&desk));
    desk.journal_says("the machine goes to sleep with an open screen: it has not been locked within");
    let journal = desk.journal("-o cat");
    assert!(!journal.contains("Delay lock is active (UID 1000"), "logind gave up first: {journal}");
    wakes(&desk);
    leaves(&desk);
}

#[test]
fn without_a_locker_or_polkit_the_machine_still_sleeps() {
    let (desk, polkit) = desk(true);
    desk.starts(OPENBOX);
    is_delayed_again(&desk);
    desk.root("systemctl suspend").ok();
    falls_asleep(&desk);
    assert!(!is_locked(&desk));
    wakes(&desk);
    let doctor = || desk.user("ada", "startxd doctor").stdout;
    assert!(doctor().contains("lock.sleep"), "{}", doctor());
    leaves(&desk);
    // logind refuses to wait for us, but still announces the sleep.
    drop(polkit);
    configure(&desk, "[lock]\ncommand = [\"i3lock\", \"--nofork\"]\n");
    desk.starts(OPENBOX);
    // logind learns of this lock from whatever listens to it.
    desk.user("ada", "startxd lock").ok();
    becomes(&desk, true);
    opens(&desk);
    assert!(!is_delayed(&desk));
    assert!(doctor().contains("lock.no-delay"), "{}", doctor());
    desk.root("systemctl suspend").ok();
    becomes(&desk, true);
    falls_asleep(&desk);
    wakes(&desk);
    opens(&desk);
    leaves(&desk);
    // Nothing else reports one.
    desk.starts(OPENBOX);
    desk.user("ada", "startxd lock").ok();
    becomes(&desk, true);
    opens(&desk);
    let signal = "/org/freedesktop/login1 org.freedesktop.login1.Manager PrepareForSleep b true";
    desk.user("eve", &format!("busctl emit {signal}")).ok();
    let names = desk.root("busctl list --no-legend | awk '$3 == \"startxd\" {print $1}'").text();
    assert!(!names.trim().is_empty());
    for name in names.lines() {
        desk.user("eve", &format!("busctl emit --destination={name} {signal}")).ok();
    }
    // Once this has been handled, the earlier messages were too.
    desk.root(&format!("loginctl lock-session {}", desk.login.session)).ok();
    becomes(&desk, true);
    let journal = desk.journal("-t startxd -o cat");
    assert_eq!(journal.matches("the machine goes to sleep").count(), 2, "{journal}");
    opens(&desk);
    leaves(&desk);
}
