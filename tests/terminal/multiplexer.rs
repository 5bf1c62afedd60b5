//! Multiplexers and a session on a terminal: one instead of the other, and one that outlives the other.
//!
//! Cases that need no terminal are in `tests/headless/multiplexers`.

use crate::harness::{Guest, SOON, secs, wait_until};
use crate::scenario::{Desk, OPENBOX};

/// The multiplexers of a case. They must be ended by it: nothing else does.
struct Multiplexers;

impl Multiplexers {
    fn start(desk: &mut Desk) -> Self {
        desk.user("ada", "systemctl --user start tmux@work screen@work").ok();
        // The shells in them have children until they have read their startup files.
        let shown = "tmux capture-pane -p -t work; screen -S work -X hardcopy ~/shown; cat shown; rm -f shown";
        wait_until("two prompts", SOON, || match desk.user("ada", shown).stdout {
            text if text.lines().filter(|line| line.trim_end().ends_with('$')).count() == 2 => Ok(()),
            text => Err(text),
        });
        desk.settles();
        Self
    }

    fn end(self, desk: &Desk) {
        desk.user("ada", "systemctl --user stop tmux screen@work").ok();
    }
}

/// The display in tmux's global environment and in that of its session.
fn display(desk: &Desk) -> String {
    let of = |which: &str| {
        desk.user("ada", &format!("tmux show-environment {which} | grep -x -e DISPLAY=.* -e -DISPLAY")).stdout
    };
    format!("{}{}", of("-g"), of("-t work"))
}

const TOLD: &str = "DISPLAY=:0\nDISPLAY=:0\n";
const FORGOTTEN: &str = "-DISPLAY\n";

fn display_becomes(desk: &Desk, expected: &str) {
    wait_until(&format!("tmux to have {expected:?}"), SOON, || {
        let has = display(desk);
        if has == expected { Ok(()) } else { Err(has) }
    });
}

/// Runs a client of the display in a new window of each, and expects that it finds it.
fn windows_find_the_display(desk: &Desk) {
    // The window stays until the file is removed: systemd misses the end of a scope whose program is shorter than its
    // start.
    let script = "xdpyinfo > said.new 2>&1; mv said.new said; while [ -e said ]; do sleep 0.05; done";
    for new in ["tmux new-window -d -t work: ", "screen -S work -X screen sh -c "] {
        desk.user("ada", &format!("{new} '{script}'")).ok();
        let says = wait_until("xdpyinfo in a window", SOON, || {
            let run = desk.user("ada", "cat said && rm said");
            if run.status.success() { Ok(run.stdout) } else { Err(run.to_string()) }
        });
        assert!(says.contains("name of display:    :0"), "{new}: {says}");
    }
    // tmux 3.3a may miss the end of a program until the next one ends, so run another one.
    wait_until("the windows to be gone", SOON, || {
        let panes = "tmux run-shell true && tmux list-panes -a | wc -l";
        let windows = "pgrep -c -P $(systemctl --user show --value -p MainPID screen@work)";
        let scopes = "systemctl --user list-units --plain --no-legend 'tmux-spawn-*' | wc -l";
        let zombies = "ps -u ada -o stat=,comm= | grep -c ^Z";
        let run = desk.user("ada", &format!("{panes}; {windows}; {scopes}; {zombies}"));
        let counts: Vec<&str> = run.stdout.lines().collect();
        let gone = matches!(counts[..], ["1", "1", "0" | "1", "0"]);
        if gone { Ok(()) } else { Err(run.to_string()) }
    });
}

#[test]
fn they_learn_the_display_and_outlive_it() {
    let mut desk = Desk::at_prompt();
    let multiplexers = Multiplexers::start(&mut desk);
    let pids = [desk.unit("tmux.service", "MainPID"), desk.unit("screen@work.service", "MainPID")];
    for _ in 0..2 {
        desk.starts(OPENBOX);
        display_becomes(&desk, TOLD);
        windows_find_the_display(&desk);
        desk.quits_openbox();
        desk.ended(0);
        // At that very moment.
        assert_eq!(display(&desk), FORGOTTEN);
    }
    assert_eq!([desk.unit("tmux.service", "MainPID"), desk.unit("screen@work.service", "MainPID")], pids);
    multiplexers.end(&desk);
}

#[test]
fn through_a_crash_of_the_server_and_one_of_the_host() {
    let mut desk = Desk::at_prompt();
    let multiplexers = Multiplexers::start(&mut desk);
    desk.starts(OPENBOX);
    display_becomes(&desk, TOLD);
    let server = desk.server().pid;
    desk.root(&format!("kill -9 {server}")).ok();
    desk.another("ada", "Xorg", &server);
    desk.is_up();
    windows_find_the_display(&desk);
    // Both are killed, so only the repair can restore the variables.
    desk.root("pkill -9 -u ada -x startxd").ok();
    display_becomes(&desk, FORGOTTEN);
    desk.becomes_clean();
    multiplexers.end(&desk);
}

#[test]
fn a_multiplexer_that_hangs_delays_neither_start_nor_end() {
    let mut desk = Desk::at_prompt();
    let multiplexers = Multiplexers::start(&mut desk);
    let pid = desk.unit("tmux.service", "MainPID");
    desk.root(&format!("kill -STOP {pid}")).ok();
    desk.starts(OPENBOX);
    desk.quits_openbox();
    // The deadline of multiplexers is 2 s for each of the two.
    desk.ended_within(0, secs(8));
    desk.root(&format!("kill -CONT {pid}")).ok();
    multiplexers.end(&desk);
}

#[test]
fn they_stay_after_the_logout_of_a_user_who_lingers() {
    let case = Guest::get();
    case.root("loginctl enable-linger ada").ok();
    let mut desk = Desk::at_prompt_in(case);
    let multiplexers = Multiplexers::start(&mut desk);
    desk.starts(OPENBOX);
    display_becomes(&desk, TOLD);
    desk.root(&format!("loginctl terminate-session {}", desk.login.session)).ok();
    desk.is_logged_out();
    assert_eq!(display(&desk), FORGOTTEN);
    multiplexers.end(&desk);
}

#[test]
fn on_a_terminal_instead_of_x() {
    let mut case = Guest::get();
    case.discard();
    case.write_profile("ada", "startxd check may-start && startxd start --multiplexer tmux && exit\n");
    let login = case.login(&crate::harness::Autologin::default());
    let clients = |expected: &str| {
        wait_until("tmux to have its client", SOON, || {
            let run = case.user("ada", "tmux list-clients -F '#{client_tty} #{session_name}'");
            if run.stdout.trim() == expected { Ok(()) } else { Err(run.to_string()) }
        });
    };
    clients("/dev/tty1 main");
    let server = case.user("ada", "tmux display-message -p '#{pid}'").text();
    assert_eq!(case.manager("ada").property("tmux.service", "MainPID"), server);
    // Typed on the terminal, it arrives in the pane.
    login.vt.type_line("echo $((6 * 7)) > typed");
    assert_eq!(case.wait_file("/home/ada/typed"), "42\n");
    // Detaching ends the login; the getty starts the next one, which shows it again.
    case.user("ada", "tmux detach-client -s main").ok();
    case.wait_session_gone(&login, SOON);
    clients("/dev/tty1 main");
    assert_eq!(case.user("ada", "tmux display-message -p '#{pid}'").text(), server);
    assert!(case.user("ada", "tmux capture-pane -p -t main:").text().contains("> typed"));
    case.root("systemctl stop getty@tty1").ok();
}

#[test]
fn on_a_terminal_of_its_own_by_the_system_unit() {
    let mut case = Guest::get();
    case.discard();
    // As startxd-login(7) has it.
    let drop_in = "[Service]\nExecStart=\nExecStart=/usr/bin/startxd start --activate --multiplexer tmux\n\
        SuccessExitStatus=1\n";
    case.write("/etc/systemd/system/startxd@ada.service.d/tmux.conf", drop_in);
    case.root("systemctl daemon-reload; systemctl start startxd@ada").ok();
    let vt = case.vt(7);
    let login = case.wait_session("ada", &vt, SOON);
    vt.wait_text("[main]", SOON);
    let server = || case.user("ada", "tmux display-message -p '#{pid}'").text();
    let first = server();
    vt.type_line("echo $((6 * 7)) > typed");
    assert_eq!(case.wait_file("/home/ada/typed"), "42\n");
    // Detaching is a logout, and the next login follows.
    case.user("ada", "tmux detach-client -s main").ok();
    case.wait_session_gone(&login, SOON);
    let next = case.wait_session("ada", &vt, SOON);
    vt.wait_text("[main]", SOON);
    assert_eq!(server(), first);
    case.root("systemctl stop startxd@ada").ok();
    case.wait_session_gone(&next, SOON);
    assert_eq!(case.root("systemctl is-failed startxd@ada").stdout.trim(), "inactive");
}
