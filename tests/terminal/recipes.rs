//! Recipes as docs/recipes prints them, in a session. What a unit sets or runs comes back after a restart of the server.

use crate::harness::{Guest, Mode, SOON, wait_until};
use crate::hostile::{wait_process, wait_up};
use crate::pages::{blocks, follow};
use crate::scenario::{Desk, OPENBOX};

/// The units of the page, with their names.
fn units() -> Vec<(String, String)> {
    let named = |(_, text): (String, String)| {
        let name = text.strip_prefix("# ~/.config/systemd/user/")?.split_once(".service\n")?.0.to_owned();
        Some((name, text))
    };
    blocks("docs/recipes/units-for-a-desktop.md").into_iter().filter_map(named).collect()
}

#[test]
fn settings_are_made_again_after_a_restart_of_the_server() {
    let mut desk = Desk::at_prompt();
    desk.expect_crash();
    desk.write_as("ada", "~/.Xresources", "words.test: kept\n");
    let settings = ["keyboard", "xresources"];
    let units: Vec<_> = units().into_iter().filter(|(name, _)| settings.contains(&name.as_str())).collect();
    assert_eq!(units.len(), settings.len(), "the page lacks one");
    for (name, text) in units {
        desk.writes_unit(&format!("{name}.service"), &text);
        desk.user("ada", &format!("systemctl --user enable {name}")).ok();
    }
    desk.starts(OPENBOX);
    let is_set = || {
        let keyboard = desk.run("setxkbmap -query").stdout;
        let resources = desk.run("xrdb -query").stdout;
        let is = keyboard.lines().any(|line| line.starts_with("layout:") && line.ends_with("us,de"));
        if is && resources.contains("words.test:\tkept") { Ok(()) } else { Err(format!("{keyboard}{resources}")) }
    };
    wait_until("the settings", SOON, is_set);
    let before = desk.server();
    desk.user("ada", "startxd restart xorg").ok();
    assert_ne!(desk.server(), before);
    wait_until("the settings again", SOON, is_set);
    desk.quits_openbox();
    desk.ended(0);
    desk.user("ada", "systemctl --user disable keyboard xresources").ok();
}

/// Stands for the programs that the guests do not have: it needs the display, and stays unless it is for a setting.
const STAND_IN: &str = "#!/bin/sh
xprop -root >/dev/null || exit
echo ${0##*/} >>~/ran
case ${0##*/} in feh | autorandr) exit ;; esac
exec xev -root >/dev/null
";

/// The same for dunst, whose unit is up once it has its name on the bus.
const NOTIFIER: &str = concat!(
    "#!/usr/bin/python3\n",
    include_str!("../harness/dbus.py"),
    r#"
import subprocess
subprocess.run(["xprop", "-root"], check=True, stdout=subprocess.DEVNULL)
with open(os.path.expanduser("~/ran"), "a") as ran:
    print("dunst", file=ran)
connect(os.environ["XDG_RUNTIME_DIR"] + "/bus")
name = b"org.freedesktop.Notifications"
body = padded(struct.pack("<I", len(name)) + name + b"\0", 4) + struct.pack("<I", 0)
send(1, TO_BUS + [field(3, b"s", b"RequestName"), field(8, b"g", b"su")], body)
while True:
    message()
"#
);

#[test]
fn every_unit_for_a_desktop_runs_and_comes_back_with_the_server() {
    let mut desk = Desk::at_prompt();
    desk.expect_crash();
    desk.discard();
    let units = units();
    assert!(units.len() > 8, "what is looked for is not found where it is: {units:?}");
    let mut replaced = Vec::new();
    for (name, text) in &units {
        let path = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a command");
        let path = path.split(' ').next().expect("a program");
        if desk.root(&format!("test -e {path}")).code() != 0 {
            desk.write(path, if path.ends_with("/dunst") { NOTIFIER } else { STAND_IN });
            desk.root(&format!("chmod 755 {path}")).ok();
            replaced.push(path.rsplit('/').next().expect("a name").to_owned());
        }
        desk.writes_unit(&format!("{name}.service"), text);
        desk.user("ada", &format!("systemctl --user enable {name}")).ok();
    }
    replaced.sort();
    desk.write_as("ada", "~/.Xresources", "words.test: kept\n");
    // The guests have the real sxhkd, which ends at once if it has no configuration.
    desk.write_as("ada", "~/.config/sxhkd/sxhkdrc", "super + Return\n    xterm\n");
    desk.starts(OPENBOX);
    for times in 1..=2 {
        wait_until("every program to have run", SOON, || {
            let ran = desk.root("sort /home/ada/ran 2>/dev/null").stdout;
            let ran: Vec<&str> = ran.lines().collect();
            let expected: Vec<&String> = replaced.iter().flat_map(|name| std::iter::repeat_n(name, times)).collect();
            if ran == expected { Ok(()) } else { Err(format!("{ran:?}")) }
        });
        for (name, _) in &units {
            let unit = format!("{name}.service");
            desk.unit_becomes(&unit, "active");
            // One that ends at once and is started again is seen as active, too.
            assert_eq!(desk.manager("ada").property(&unit, "NRestarts"), "0", "{unit}");
        }
        if times == 1 {
            desk.user("ada", "startxd restart xorg").ok();
        }
    }
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn a_kiosk_runs_as_printed() {
    let mut case = Guest::get();
    case.discard();
    case.write("/usr/bin/chromium", "#!/bin/sh\necho \"$@\" >~/seen\nexec xterm -e sleep 600\n");
    case.root("chmod 755 /usr/bin/chromium").ok();
    follow(&case, "docs/recipes/kiosk.md");
    // The guests boot into multi-user.target.
    case.root("systemctl start graphical.target").ok();
    let vt = case.vt(7);
    case.wait_session("kiosk", &vt, SOON);
    wait_up(&case, "kiosk");
    vt.wait_mode(Mode::Graphics, SOON);
    let browser = wait_process(&case, "kiosk", "xterm").to_string();
    assert_eq!(case.read("/home/kiosk/seen"), "--kiosk --no-first-run https://example.org\n");
    assert_eq!(case.root("pgrep -u kiosk -a Xorg | grep -c -- -nocursor").text(), "1");
    // It crashes.
    case.root(&format!("kill -KILL {browser}")).ok();
    case.another("kiosk", "xterm", &browser);
    case.root("systemctl stop startxd@kiosk").ok();
    vt.wait_mode(Mode::Text, SOON);
}
