//! The machine is suspended to memory and woken up.

use std::cell::Cell;

use serde_json::json;

use crate::machine::{AUTOLOGIN, Case, DESK, OPENBOX, Options, SOON};

/// Sleeps and wakes up.
fn sleeps(case: &Case) {
    case.tell("systemctl suspend");
    case.wait_event("SUSPEND", SOON);
    case.order("system_wakeup", json!({}));
    case.wait_event("WAKEUP", SOON);
}

#[test]
fn of_the_machine_changes_nothing() {
    let case = Case::desktop();
    let server = case.server();
    sleeps(&case);
    case.until("the desktop", |m| m.screen().shows(DESK));
    assert_eq!((case.active_vt(), case.server()), (1, server));
    case.type_line("touch /home/ada/awake");
    case.until_root("the keyboard", "[ -e /home/ada/awake ]");
}

#[test]
#[ignore = "make vm-check runs it"]
fn of_the_machine_twenty_times() {
    let case = Case::desktop();
    let server = case.server();
    for _ in 0..20 {
        sleeps(&case);
        case.until("the desktop", |m| m.screen().shows(DESK));
    }
    assert_eq!((case.active_vt(), case.server()), (1, server));
}

#[test]
#[ignore = "make vm-check runs it"]
fn with_another_terminal_in_the_foreground() {
    let case = Case::desktop();
    let server = case.server();
    case.press("ctrl-alt-f2");
    case.until("a login on tty2", |m| m.active_vt() == 2 && m.text(2).contains("login:"));
    sleeps(&case);
    case.until("the machine", |m| m.active_vt() == 2 && !m.screen().shows(DESK));
    case.press("ctrl-alt-f1");
    case.until("the desktop", |m| m.active_vt() == 1 && m.screen().shows(DESK));
    assert_eq!(case.server(), server);
}

#[test]
#[ignore = "make vm-check runs it"]
fn told_to_by_root_on_another_terminal() {
    let case = Case::desktop();
    let server = case.server();
    case.insists_on(2);
    case.until("a login on tty2", |m| m.text(2).contains("login:"));
    case.type_line("root");
    case.until("root's shell", |m| m.text(2).contains("root@vm"));
    case.type_line("systemctl suspend");
    case.wait_event("SUSPEND", SOON);
    case.order("system_wakeup", json!({}));
    case.wait_event("WAKEUP", SOON);
    case.until("the machine", |m| m.active_vt() == 2 && !m.screen().shows(DESK));
    // The kernel takes the keyboard up again some time after everything else; until then its keys reach nobody.
    let before = case.text(2);
    case.until("root's shell to have the keyboard again", |m| {
        m.press("ret");
        m.text(2) != before
    });
    case.press("ctrl-alt-f1");
    case.until("the desktop", |m| m.active_vt() == 1 && m.screen().shows(DESK));
    case.listens();
    case.type_line("touch /home/ada/awake");
    case.until_root("ada's terminal to have the keyboard", "[ -e /home/ada/awake ]");
    assert_eq!(case.server(), server);
}

/// The locker's colour.
const LOCKED: [u8; 3] = [0x7a, 0x1f, 0x1f];

/// ada's locker. The disk has no polkit, which logind asks about her, so a stand-in answers.
const LOCKER: &str = r##"
cat > /etc/dbus-1/system.d/polkit.conf << 'POLICY'
<busconfig><policy user="root"><allow own="org.freedesktop.PolicyKit1"/></policy>
<policy context="default"><allow send_destination="org.freedesktop.PolicyKit1"/></policy></busconfig>
POLICY
cat > /etc/systemd/system/polkit-stand-in.service << 'UNIT'
[Unit]
After=dbus.service
[Service]
ExecStart=python3 /etc/startxd-vm/polkit.py
[Install]
WantedBy=multi-user.target
UNIT
systemctl --quiet enable polkit-stand-in.service
mkdir -p /home/ada/.config/startxd
cat > /home/ada/.config/startxd/startxd.toml << 'TOML'
[lock]
command = ["i3lock", "--nofork", "--no-unlock-indicator", "--color", "7a1f1f"]
[idle]
screen_off = 7000
TOML
chown -R ada: /home/ada/.config
"##;

/// What is on the screen before the machine sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Open,
    Locked,
    /// Another terminal.
    Elsewhere,
}

#[test]
#[ignore = "make vm-check runs it"]
fn of_the_machine_finds_the_screen_locked_and_the_desktop_stays_hidden_after_it() {
    let polkit = concat!(include_str!("../harness/dbus.py"), include_str!("../harness/polkit.py"));
    let setup = format!("{AUTOLOGIN}{OPENBOX}{LOCKER}cat > /etc/startxd-vm/polkit.py << 'POLKIT'\n{polkit}POLKIT\n");
    let case = Case::exclusive(&Options { setup, ..Options::default() });
    case.is_at_login();
    case.has_terminal();
    case.until_root("logind to wait for us", "systemd-inhibit --list --no-pager | grep -q startxd.*sleep.*delay");
    case.until_ada(
        "DPMS to be set",
        "xset q > ~/set; cat ~/set; grep -q 'Off: 7000' ~/set && grep -q 'DPMS is Enabled' ~/set",
    );
    let server = case.server();
    for before in [Before::Open, Before::Locked, Before::Elsewhere, Before::Open] {
        match before {
            Before::Open => {}
            Before::Locked => {
                let session = "loginctl list-sessions --no-legend | awk '/tty1/ { print $1 }'";
                case.root(&format!("loginctl lock-session $({session})")).ok();
                case.until("the locker", |m| m.screen().shows(LOCKED));
            }
            Before::Elsewhere => case.insists_on(2),
        }
        sleeps(&case);
        if before == Before::Elsewhere {
            case.until("the machine", |m| m.active_vt() == 2 && !m.screen().shows(DESK));
            case.press("ctrl-alt-f1");
        }
        // Every frame from the first one on, until the machine answers.
        let frames = Cell::new(0);
        case.until("the locker", |m| {
            let frame = m.screen();
            frames.set(frames.get() + 1);
            assert!(!frame.shows(DESK), "{before:?}: frame {} after the wake-up shows the desktop", frames.get());
            frame.shows(LOCKED)
        });
        case.listens();
        case.until_root("the locker's process", "pgrep -x i3lock");
        let before = "journalctl -b -o cat -t startxd | grep -q 'goes to sleep with an open screen'";
        assert_ne!(case.root(before).code(), 0);
        case.until_root("the next delay", "systemd-inhibit --list --no-pager | grep -q startxd.*sleep.*delay");
        case.press("ret");
        case.until("the desktop", |m| m.screen().shows(DESK));
    }
    assert_eq!((case.active_vt(), case.server()), (1, server));
}
