//! Other ways in than a getty and openbox.

use crate::machine::{AUTOLOGIN, Case, DESK, OPENBOX, Options};

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
