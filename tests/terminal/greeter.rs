//! `startxd start` as the session of a greeter: greetd with its own greeter, and with one that reads session entries.

use crate::harness::{Case, Guest, Login, Mode, SOON, Vt, wait_until};
use crate::hostile::{logs_out_of_openbox, wait_up};

/// A greeter that asks on its terminal for a user and for a command preceded by variables, as tuigreet composes them,
/// and requests that session from greetd (greetd-ipc(7)).
const GREETER: &str = r#"
import json, os, socket, struct, sys
def ask(request):
    data = json.dumps(request).encode()
    daemon.sendall(struct.pack("=I", len(data)) + data)
    size, = struct.unpack("=I", daemon.recv(4, socket.MSG_WAITALL))
    return json.loads(daemon.recv(size, socket.MSG_WAITALL))
user, *words = input("who and what: ").split()
daemon = socket.socket(socket.AF_UNIX)
daemon.connect(os.environ["GREETD_SOCK"])
answer = ask({"type": "create_session", "username": user})
while answer["type"] == "auth_message":
    answer = ask({"type": "post_auth_message_response", "response": ""})
if answer["type"] == "success":
    env = [word for word in words if "=" in word]
    answer = ask({"type": "start_session", "cmd": [" ".join(words[len(env):])], "env": env})
print(answer)
"#;

/// Runs greetd on tty7 with this greeter.
fn greetd(case: &mut Case, greeter: &str) -> Vt {
    case.discard();
    let config = format!("[terminal]\nvt = 7\n[default_session]\ncommand = \"{greeter}\"\nuser = \"_greetd\"\n");
    case.write("/etc/greetd/config.toml", &config);
    case.root("systemctl start greetd").ok();
    case.vt(7)
}

/// Waits until ada's desktop is up on the greeter's terminal, and returns the session.
fn desktop(case: &Case, vt: &Vt, kind: &str) -> Login {
    let login = case.wait_session("ada", vt, SOON);
    wait_up(case, "ada");
    vt.wait_mode(Mode::Graphics, SOON);
    let session = case.session(&login.session).expect("the session");
    assert_eq!(
        ["Type", "Class", "Active", "Service"].map(|key| session[key].as_str()),
        [kind, "user", "yes", "greetd"]
    );
    assert_eq!(case.root("ps -C Xorg -o user=,tty=").text(), "ada      tty7");
    login
}

/// Logs out of openbox, and waits for the greeter.
fn log_out(case: &Case, login: &Login, prompt: &str) {
    logs_out_of_openbox(case, "ada", &login.session);
    login.vt.wait_mode(Mode::Text, SOON);
    wait_until("the greeter", SOON, || match login.vt.cursor_line() {
        line if line.contains(prompt) => Ok(()),
        _ => Err(login.vt.to_string()),
    });
}

#[test]
fn greetds_own_greeter_starts_a_session_and_returns_after_the_logout() {
    let mut case = Guest::get();
    let vt = greetd(&mut case, "/usr/sbin/agreety --cmd 'startxd start -- openbox'");
    for _ in 0..2 {
        vt.wait_text("login:", SOON);
        vt.type_line("ada");
        let login = desktop(&case, &vt, "tty");
        log_out(&case, &login, "login:");
    }
    case.root("systemctl stop greetd").ok();
}

#[test]
fn the_greeter_returns_after_a_session_that_ends_early() {
    let mut case = Guest::get();
    case.write_as("ada", "~/.xinitrc", "date >>attempts\nopenbox &\n");
    let vt = greetd(&mut case, "/usr/sbin/agreety --cmd 'startxd start'");
    vt.wait_text("login:", SOON);
    vt.clear();
    vt.type_line("ada");
    wait_until("the session's end to be told", SOON, || {
        let told = case.journal("-t startxd -o cat");
        if told.contains("before a window manager managed the display") { Ok(()) } else { Err(told) }
    });
    wait_until("the greeter", SOON, || match vt.cursor_line() {
        line if line.contains("login:") => Ok(()),
        _ => Err(vt.to_string()),
    });
    assert_eq!(case.read("/home/ada/attempts").lines().count(), 1);
    case.root("systemctl stop greetd").ok();
}

#[test]
fn listed_sessions_really_start_x() {
    let mut case = Guest::get();
    case.write("/tmp/greeter.py", GREETER);
    case.write_as("ada", "~/.xinitrc", "exec openbox --sm-disable\n");
    let vt = greetd(&mut case, "/usr/bin/python3 /tmp/greeter.py");
    let exec = |entry: &str| case.root(&format!("sed -n 's/^Exec=//p' {entry}")).text();
    // Our own entry is run as it is; that of an X session behind the wrapper of tuigreet's --xsession-wrapper.
    let ours = exec("/usr/share/startxd/sessions/startxd.desktop");
    let listed = format!("startxd start -- {}", exec("/usr/share/xsessions/openbox.desktop"));
    for (command, unit) in [(ours, "startxd-wm@xinitrc"), (listed, "startxd-wm@openbox\\x2dsession")] {
        vt.wait_text("who and what:", SOON);
        vt.clear();
        vt.type_line(&format!("ada XDG_SESSION_TYPE=x11 {command}"));
        let login = desktop(&case, &vt, "x11");
        let units = case.user("ada", "systemctl --user list-units 'startxd-wm@*' --plain --no-legend").stdout;
        assert!(units.starts_with(unit), "{unit}: {units}");
        log_out(&case, &login, "who and what:");
    }
    case.root("systemctl stop greetd").ok();
}
