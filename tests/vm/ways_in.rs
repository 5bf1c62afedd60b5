//! Other ways in than a getty and openbox.

use crate::machine::{AUTOLOGIN, Case, DESK, Machine, OPENBOX, Options};

/// i3 as its package has it, but for what paints the desktop and opens a terminal.
const I3: &str = r##"
printf '[session]\ndefault = "i3"\n' >> /etc/startxd/startxd.toml
setpriv --reuid ada --regid ada --init-groups env HOME=/home/ada bash -e << 'ADA'
mkdir -p ~/.config/i3
grep -v '^exec' /etc/i3/config > ~/.config/i3/config
cat >> ~/.config/i3/config << 'END'
exec_always --no-startup-id xsetroot -solid "#3b4d61"
exec --no-startup-id xterm -T desk
for_window [title="desk"] floating enable
END
ADA
"##;

#[test]
#[ignore = "make vm-check runs it"]
fn i3_by_autologin_and_its_key_for_the_exit() {
    let case = Case::exclusive(&Options { setup: format!("{AUTOLOGIN}{I3}"), ..Options::default() });
    case.is_at_login();
    case.has_terminal();
    let server = case.server();
    case.root(&format!("kill -KILL {server}")).ok();
    let server = case.managed_after(&server);
    case.has_terminal();
    case.type_line("i3-msg exit");
    case.managed_after(&server);
}

#[test]
#[ignore = "make vm-check runs it"]
fn a_system_unit_on_a_terminal_of_its_own() {
    let setup = format!("systemctl --quiet enable startxd@ada.service\n{OPENBOX}");
    let case = Case::exclusive(&Options { setup, ..Options::default() });
    case.is_at_login();
    case.has_terminal();
    assert_eq!(case.active_vt(), 7);
    let server = case.server();
    case.press("ctrl-alt-f1");
    case.until("a login on tty1", |m| m.active_vt() == 1 && m.text(1).contains("login:"));
    case.press("alt-f7");
    case.until("the desktop", |m| m.active_vt() == 7 && m.screen().shows(DESK));
    case.listens();
    case.type_line("openbox --exit");
    case.managed_after(&server);
    assert_eq!(case.active_vt(), 7);
    case.nothing_was_forced();
}

/// greetd as its package has it, on tty7 with its own greeter, whose session is startxd.
const GREETD: &str = r#"
sed -i "s,^command = .*,command = \"/usr/sbin/agreety --cmd 'startxd start'\"," /etc/greetd/config.toml
systemctl --quiet enable greetd.service
systemctl --quiet set-default graphical.target
mkdir /etc/systemd/system/greetd.service.d
printf '[Service]\nEnvironment=XDG_SESSION_TYPE=x11\n' > /etc/systemd/system/greetd.service.d/type.conf
"#;

/// Logs ada in at the greeter on this terminal, and out again; the greeter is back.
fn greets(case: &Case, vt: u8) {
    let asks =
        |m: &Machine| m.active_vt() == vt && m.text(vt).lines().last().is_some_and(|line| line.contains("login:"));
    case.until("the greeter", asks);
    case.type_line("ada");
    case.managed_after("");
    case.has_terminal();
    assert_eq!(case.active_vt(), vt);
    let session = format!("loginctl list-sessions --no-legend | awk '/tty{vt}/ {{ print $1 }}'");
    let service = case.root(&format!("loginctl show-session $({session}) -p Name -p Service -p Type"));
    assert_eq!(service.text(), "Name=ada\nService=greetd\nType=x11");
    let status = case.user("ada", "startxd status");
    assert!(status.stdout.contains("nothing is wrong"), "{status}");
    let doctor = case.user("ada", "startxd doctor");
    assert!(!doctor.stdout.contains("greetd"), "{doctor}");
    // A crash, another terminal and back.
    let server = case.server();
    case.root(&format!("kill -KILL {server}")).ok();
    case.managed_after(&server);
    case.has_terminal();
    case.press("ctrl-alt-f3");
    case.until("a login on tty3", |m| m.active_vt() == 3 && m.text(3).contains("login:"));
    case.press(&format!("alt-f{vt}"));
    case.until("the desktop", |m| m.active_vt() == vt && m.screen().shows(DESK));
    case.listens();
    case.type_line("openbox --exit");
    case.until("the greeter", asks);
    assert_eq!(case.root("pgrep -x Xorg").code(), 1);
}

#[test]
#[ignore = "make vm-check runs it"]
fn greetd_on_tty7_and_on_tty1() {
    let case = Case::exclusive(&Options { setup: format!("{GREETD}{OPENBOX}"), ..Options::default() });
    case.is_at_login();
    for _ in 0..2 {
        greets(&case, 7);
    }
    // In place of the first login, as its documents say.
    case.root("systemctl disable --now getty@tty1; sed -i 's/^vt = 7/vt = 1/' /etc/greetd/config.toml").ok();
    case.root("systemctl restart greetd").ok();
    for _ in 0..2 {
        greets(&case, 1);
    }
    case.nothing_was_forced();
}
