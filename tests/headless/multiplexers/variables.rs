//! What multiplexers are told about a display that comes up, and what is undone when it goes. The display is an Xvfb
//! that is attached; `tests/terminal/multiplexer.rs` does the same with a session of our own.

use crate::harness::{Background, SOON, wait_until};
use crate::multiplexers::ada::Ada;

/// A display that was started by another program.
struct Display(Background);

impl Display {
    fn starts(ada: &Ada) -> Self {
        Self::with(ada, "")
    }

    fn with(ada: &Ada, options: &str) -> Self {
        let server = ada.spawn("ada", &format!("exec Xvfb :7 -displayfd 1 {options}"));
        wait_until("Xvfb", SOON, || if server.stdout().contains('7') { Ok(()) } else { Err(server.stderr()) });
        Self(server)
    }

    /// Ends it. The server has left the process group that it was started in.
    fn goes(self, ada: &Ada) {
        ada.does("pkill -x Xvfb").ok();
        self.0.wait(SOON);
    }
}

/// A display's variables in a tmux environment.
fn has(ada: &Ada, which: &str) -> String {
    ada.says(&format!("tmux show-environment {which} | grep -x -e DISPLAY=.* -e -DISPLAY -e XAUTHORITY=.* -e -XAUTHORITY | sort | xargs"))
}

/// Runs a command in a new tmux window and returns its output.
fn in_window(ada: &Ada, command: &str) -> String {
    ada.does(&format!("rm -f said; tmux new-window -d -t work: '({command}) > said.new 2>&1; mv said.new said'")).ok();
    ada.wait_file("/home/ada/said").trim().to_owned()
}

/// The same of screen's.
fn in_screen(ada: &Ada, command: &str) -> String {
    ada.does(&format!("rm -f said; screen -S work -X screen sh -c '({command}) > said.new 2>&1; mv said.new said'"))
        .ok();
    ada.wait_file("/home/ada/said").trim().to_owned()
}

const ATTACH: &str = "DISPLAY=:7 XAUTHORITY=/home/ada/.Xauthority startxd attach";

#[test]
fn a_display_is_announced_and_withdrawn() {
    let ada = Ada::new();
    ada.does("systemctl --user start tmux@work tmux@other screen@work").ok();
    // Earlier values are restored; the unit of the Arch wiki has such a DISPLAY.
    ada.does("tmux set-environment -g DISPLAY :42; tmux set-environment -t other DISPLAY :43").ok();
    let before = ["-g", "-t work", "-t other"].map(|which| has(&ada, which));
    assert_eq!(before, ["DISPLAY=:42", "-DISPLAY -XAUTHORITY", "-XAUTHORITY DISPLAY=:43"]);
    for _ in 0..2 {
        let display = Display::starts(&ada);
        ada.does(ATTACH).ok();
        for which in ["-g", "-t work", "-t other"] {
            assert_eq!(has(&ada, which), "DISPLAY=:7 XAUTHORITY=/home/ada/.Xauthority", "{which}");
        }
        // A client that needs the display, in a new window.
        for says in [in_window(&ada, "xdpyinfo"), in_screen(&ada, "xdpyinfo")] {
            assert!(says.contains("name of display:    :7"), "{says}");
        }
        // And in a session that is newer than the display.
        ada.does("DISPLAY=:7 tmux new-session -d -s new").ok();
        display.goes(&ada);
        ada.manager("ada").wait_state(&["startxd-attached.service"], "inactive");
        assert_eq!(["-g", "-t work", "-t other"].map(|which| has(&ada, which)), before);
        assert!(!has(&ada, "-t new").contains(":7"), "{}", has(&ada, "-t new"));
        assert_eq!(in_window(&ada, "echo $DISPLAY."), ".");
        assert_eq!(in_screen(&ada, "echo $DISPLAY."), ".");
        ada.does("tmux kill-session -t new").ok();
        ada.does("ls /run/user/1000/startxd").fails();
    }
    ada.does("systemctl --user stop tmux screen@work").ok();
}

#[test]
fn a_server_that_has_no_client_yet_is_not_left_without_one() {
    let ada = Ada::new();
    // It ends when it loses its last client. Others reset themselves then, and connections of that moment break.
    let display = Display::with(&ada, "-terminate");
    ada.does(ATTACH).ok();
    assert_eq!(ada.unit("startxd-attached.service", "ActiveState"), "active");
    ada.does("DISPLAY=:7 xdpyinfo").ok();
    ada.does("startxd detach").ok();
    display.0.wait(SOON);
}

#[test]
fn variables_set_by_others_meanwhile_are_kept() {
    let ada = Ada::new();
    ada.does("systemctl --user start tmux@work").ok();
    let display = Display::starts(&ada);
    ada.does(ATTACH).ok();
    // As attaching over ssh -X does.
    ada.does("tmux set-environment -t work DISPLAY localhost:10.0").ok();
    ada.does("startxd detach").ok();
    assert_eq!(has(&ada, "-t work"), "-XAUTHORITY DISPLAY=localhost:10.0");
    assert_eq!(has(&ada, "-g"), "");
    display.goes(&ada);
    ada.does("systemctl --user stop tmux").ok();
}

/// These variables in a session's windows.
const REMOTE: &str = "printenv DISPLAY SSH_AUTH_SOCK | xargs";

#[test]
fn windows_of_a_remote_login_keep_its_display_and_agent() {
    let mut ada = Ada::new();
    ada.has_ssh();
    ada.does("systemctl --user start tmux@work tmux@other; echo 'ForwardX11 yes\nForwardAgent yes' >> .ssh/config")
        .ok();
    // A remote login, ssh -X -A, that attaches to what runs.
    let script = "eval $(ssh-agent) > /dev/null; exec 3> >(DISPLAY=:9 ssh -tt localhost 'tmux attach -t work' 2>&1); \
        sleep infinity";
    let remote = ada.shell_as("ada", script).env("TERM", "xterm").spawn();
    let display = "tmux show-environment -t work DISPLAY";
    ada.becomes(display, "DISPLAY=localhost:10.0");
    let before = ada.says("tmux show-environment -t work | grep -v ^DBUS | sort");
    let screen =
        "SSH_CONNECTION='::1 1 ::1 22' DISPLAY=localhost:10.0 SSH_AUTH_SOCK=/tmp/ssh-x/agent.1 screen -dmS work";
    ada.does(screen).ok();
    let mine = "DISPLAY=:7 XAUTHORITY=/home/ada/.Xauthority SSH_AUTH_SOCK=/run/user/1000/console startxd attach";
    for _ in 0..2 {
        let display = Display::starts(&ada);
        ada.does(mine).ok();
        assert_eq!(ada.says("tmux show-environment -t work | grep -v ^DBUS | sort"), before);
        let said = in_window(&ada, REMOTE);
        assert!(said.starts_with("localhost:10.0 /") && !said.ends_with("/console"), "{said}");
        ada.becomes("screen -ls | grep -c work", "1");
        assert_eq!(in_screen(&ada, REMOTE), "localhost:10.0 /tmp/ssh-x/agent.1");
        // A person at the screen has the screen's display.
        assert_eq!(has(&ada, "-t other"), "DISPLAY=:7 XAUTHORITY=/home/ada/.Xauthority");
        ada.does("startxd detach").ok();
        assert_eq!(ada.says("tmux show-environment -t work | grep -v ^DBUS | sort"), before);
        assert_eq!(in_screen(&ada, REMOTE), "localhost:10.0 /tmp/ssh-x/agent.1");
        display.goes(&ada);
    }
    ada.does("screen -S work -X quit; systemctl --user stop tmux; pkill -x ssh-agent").ok();
    drop(remote);
}

#[test]
fn one_that_hangs_delays_nobody() {
    let ada = Ada::new();
    ada.does("systemctl --user start tmux@work screen@work; tmux -L second new-session -d -s x").ok();
    let stopped = format!("{} {}", ada.unit("tmux.service", "MainPID"), ada.unit("screen@work.service", "MainPID"));
    ada.does(&format!("kill -STOP {stopped}")).ok();
    let display = Display::starts(&ada);
    let attach = ada.does(ATTACH).ok();
    assert!(attach.took.as_secs() < 8, "{attach}");
    let second = "tmux -L second show-environment -g DISPLAY";
    assert_eq!(ada.says(second), "DISPLAY=:7", "the other one was told");
    let told = ada.does("startxd status");
    assert!(told.stdout.contains("  problem  the tmux server on /tmp/tmux-1000/default"), "{told}");
    let detach = ada.does("startxd detach").ok();
    assert!(detach.took.as_secs() < 8, "{detach}");
    ada.does(second).fails();
    display.goes(&ada);
    ada.does(&format!("kill -CONT {stopped}")).ok();
    ada.does("tmux -L second kill-server; systemctl --user stop tmux screen@work").ok();
    ada.wait_ended(&["tmux"]);
}

#[test]
fn other_peoples_sockets_are_left_alone() {
    let ada = Ada::new();
    // A directory that eve created first, with a server of hers that answers everything.
    ada.user("eve", "mkdir -m 777 /tmp/tmux-1000; tmux -S /tmp/tmux-1000/default new-session -d -s trap; chmod 777 /tmp/tmux-1000/default").ok();
    let display = Display::starts(&ada);
    ada.does(ATTACH).ok();
    let trap = "tmux -S /tmp/tmux-1000/default show-environment -g DISPLAY";
    ada.user("eve", trap).fails();
    ada.does("startxd detach").ok();
    display.goes(&ada);
    ada.user("eve", "tmux -S /tmp/tmux-1000/default kill-server").ok();
}

#[test]
fn status_shows_them() {
    let ada = Ada::new();
    ada.does("systemctl --user start tmux@work screen@work").ok();
    let told = ada.does("startxd status");
    assert_eq!(told.code(), 4, "{told}");
    for (part, unit) in
        [("tmux  work, detached (pid ", "tmux.service)"), ("screen  work, detached (pid ", "screen@work.service)")]
    {
        let line = told.stdout.lines().find(|line| line.contains(part));
        assert!(line.is_some_and(|line| line.ends_with(unit)), "{told}");
    }
    assert!(
        told.stdout.contains("mux units  screen@work.service active, tmux.service active, tmux@work.service active"),
        "{told}"
    );
    let json = ada.does("startxd status --json").stdout;
    for part in [r#""kind":"tmux","name":"work","attached":0"#, r#""unit":"screen@work.service""#] {
        assert!(json.contains(part), "{json}");
    }
    ada.does("systemctl --user stop tmux screen@work").ok();
    let told = ada.does("startxd status");
    assert!(!told.stdout.contains("tmux"), "{told}");
    // For one that is enabled and has ended, the output has the command that starts it.
    ada.does("systemctl --user enable tmux@work").ok();
    let told = ada.does("startxd status").stdout;
    let remedy = told.lines().find_map(|line| line.trim_start().strip_prefix("remedy  to start it again: "));
    ada.does(remedy.unwrap_or_else(|| panic!("no remedy:\n{told}"))).ok();
    let told = ada.does("startxd status").stdout;
    assert!(told.contains("tmux@work.service active") && !told.contains("remedy"), "{told}");
    ada.does("systemctl --user disable --now tmux@work; systemctl --user stop tmux").ok();
}
