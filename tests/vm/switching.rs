//! Other virtual terminals come to the foreground, by keyboard.

use crate::harness::Run;
use crate::machine::{Case, DESK, Machine};

#[test]
fn another_terminal_is_shown_and_left_by_keyboard() {
    let case = Case::desktop();
    let server = case.server();
    case.press("ctrl-alt-f2");
    case.until("tty2 on the screen", |m| m.active_vt() == 2 && !m.screen().shows(DESK));
    case.until("a login on tty2", |m| m.text(2).contains("login:"));
    assert!(case.user("ada", "startxd status").text().contains("in the background"));
    case.press("ctrl-alt-f1");
    case.until("the desktop", |m| m.active_vt() == 1 && m.screen().shows(DESK));
    assert_eq!(case.server(), server);
}

#[test]
#[ignore = "make vm-check runs it"]
fn fifty_times_while_a_client_draws() {
    let case = Case::desktop();
    let server = case.server();
    let draws = "systemd-run --user --quiet --unit=draws -E DISPLAY -E XAUTHORITY \
        xterm -geometry +600+300 -e 'while :; do date; done'";
    case.user("ada", draws).ok();
    for _ in 0..25 {
        case.press("ctrl-alt-f2");
        case.until("tty2", |m| m.active_vt() == 2);
        case.press("ctrl-alt-f1");
        // A key that is pressed before the picture is back is lost: the kernel gives the keyboard to the server with
        // the terminal, and logind gives it the device a moment later.
        case.until("the desktop", |m| m.active_vt() == 1 && m.screen().shows(DESK));
        case.listens();
    }
    assert_eq!(case.server(), server);
    assert_eq!(case.user("ada", "systemctl --user is-active draws xorg@0").text(), "active\nactive");
}

/// Moments of a logout and of the login after it, in their order: what has just happened, and how the machine sees
/// that. `shell` and `server` are the pids from before. Later ones are not here: once the next session has a host,
/// its server may take the terminal back, as Xorg switches to its own when it starts.
const MOMENTS: [(&str, &str); 3] = [
    ("the window manager has gone", "! pgrep -u ada -x openbox"),
    ("the server has gone", "! pgrep -u ada -x Xorg"),
    ("the next login has a shell", "pgrep -u ada -t tty1 -x bash | grep -vx $shell"),
];

/// What a login says that was in the background, and starts no session.
const REFUSAL: &str = "in the background at this login";

#[test]
#[ignore = "make vm-check runs it"]
fn while_a_session_ends_and_before_the_next_one() {
    let case = Case::desktop();
    for (what, condition) in MOMENTS {
        let server = case.server();
        let shell = case.root("pgrep -u ada -t tty1 -x bash").text();
        // As if each session had lasted: after three that ended at once, a login does not start another.
        case.user("ada", "rm -f ~/.local/state/startxd/last-session.toml").ok();
        case.type_line("openbox --exit");
        case.root(&format!("shell={shell} server={server}; until {{ {condition}; }} > /dev/null; do sleep 0.02; done"))
            .ok();
        case.insists_on(2);
        // Nobody is called back to tty1. The next login is in the background, starts no session, and says so.
        case.until(&format!("the login to say what it does ({what})"), |m| {
            m.text(1).replace('\n', "").contains(REFUSAL)
        });
        assert_eq!((case.active_vt(), case.screen().shows(DESK)), (2, false), "{what}");
        case.press("ctrl-alt-f1");
        case.until("tty1", |m| m.active_vt() == 1);
        case.type_line("startxd start && exit");
        case.managed_after(&server);
        case.has_terminal();
        case.listens();
    }
    case.nothing_was_forced();
}

/// The colour of eve's root window.
const EVES: [u8; 3] = [0x61, 0x4d, 0x3b];

/// Runs a script as eve, on her display.
fn eve(case: &Case, script: &str) -> Run {
    case.user("eve", &format!("export DISPLAY=:1 XAUTHORITY=$XDG_RUNTIME_DIR/xauth_startxd_1\n{script}"))
}

/// Eve types the command at the prompt of tty2, and gets her desktop and a terminal.
fn eve_starts(case: &Case) {
    case.type_line("startxd start; echo its end: $?");
    case.until("eve's desktop", |m| m.screen().shows(EVES));
    let focus = "xprop -id $(xdotool getwindowfocus 2> /dev/null) WM_CLASS | grep -q XTerm";
    case.until("a terminal with the keyboard", |_| eve(case, focus).status.success());
}

#[test]
#[ignore = "make vm-check runs it"]
fn to_the_session_of_somebody_else_and_back_after_its_end() {
    let case = Case::desktop();
    let server = case.server();
    let xinitrc = "cat > /home/eve/.xinitrc << 'END'
        xsetroot -solid '#614d3b'
        exec openbox --startup 'xterm -T desk -geometry 80x24+30+40'
END
        chown eve: /home/eve/.xinitrc";
    case.root(xinitrc).ok();
    case.insists_on(2);
    case.until("a login on tty2", |m| m.text(2).contains("login:"));
    case.type_line("eve");
    case.until("eve's shell", |m| m.text(2).contains("eve@vm"));
    eve_starts(&case);
    // There and back; each has the keyboard where it is seen.
    case.press("ctrl-alt-f1");
    case.until("ada's desktop", |m| m.active_vt() == 1 && m.screen().shows(DESK));
    case.listens();
    case.type_line("touch ~/typed-here");
    case.until_root("ada's shell to do it", "[ $(stat -c %U /home/ada/typed-here) = ada ]");
    case.press("ctrl-alt-f2");
    case.until("eve's desktop", |m| m.active_vt() == 2 && m.screen().shows(EVES));
    case.listens_by("/home/eve/.local/share/xorg/Xorg.1.log");
    case.type_line("touch ~/typed-there");
    case.until_root("eve's shell to do it", "[ $(stat -c %U /home/eve/typed-there) = eve ]");
    assert_eq!(case.root("ls /home/*/typed*").text(), "/home/ada/typed-here\n/home/eve/typed-there");
    // Her logout leaves her at her prompt, and ada's session alone.
    let ends = |times: usize| {
        let is_told = |m: &Machine| m.text(2).matches("its end: 0").count() == times;
        case.until("eve's prompt", is_told);
        assert_eq!((case.server(), case.root("pgrep -u eve -x Xorg").code()), (server.clone(), 1));
    };
    case.type_line("openbox --exit");
    ends(1);
    assert_eq!(case.active_vt(), 2);
    // Once more, while ada's is shown.
    eve_starts(&case);
    case.press("ctrl-alt-f1");
    case.until("ada's desktop", |m| m.active_vt() == 1 && m.screen().shows(DESK));
    case.user("eve", "startxd stop").ok();
    ends(2);
    assert!(case.active_vt() == 1 && case.screen().shows(DESK));
    case.listens();
    case.press("ctrl-alt-f2");
    case.until("eve's prompt on the screen", |m| m.active_vt() == 2 && !m.screen().shows(EVES));
    case.nothing_was_forced();
}
