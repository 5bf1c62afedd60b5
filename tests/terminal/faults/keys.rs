//! Somebody types while no server holds the terminal: nothing of it is shown, executed by the shell after the logout, or
//! taken for a signal.

use super::{FIFO, another, manages, writes_slow_unit};
use crate::harness::{Mode, SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

/// A line for a shell, a password, and the keys that send signals or stop the output: Ctrl+C, Ctrl+\, Ctrl+Z, Ctrl+S.
const KEYS: &str = "touch /home/ada/typed\nsecret\n\x03\x1c\x1a\x13";

/// Types them, and expects that the terminal shows none of it.
fn types(desk: &Desk) {
    let before = desk.vt().screen();
    desk.vt().type_text(KEYS);
    let after = desk.vt().screen();
    let is_shown = |word: &str| after.contains(word) && !before.contains(word);
    assert!(!is_shown("touch /home") && !is_shown("secret") && !is_shown("^C"), "{}", desk.vt());
}

/// The shell continues, and has received nothing of what was typed.
fn nothing_was_typed(desk: &Desk) {
    desk.vt().type_line("echo to-the-shell >/home/ada/shell");
    wait_until("the shell to do what is typed now", SOON, || {
        let there = desk.outside("/home/ada/shell").exists();
        if there { Ok(()) } else { Err(desk.vt().to_string()) }
    });
    let screen = desk.vt().screen();
    assert!(!desk.outside("/home/ada/typed").exists(), "the shell has executed it: {screen}");
    assert!(!screen.contains("secret"), "{screen}");
    desk.root("rm /home/ada/shell").ok();
}

#[test]
fn between_a_crash_and_the_servers_return() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[crash]\nlimit = 2\npause = 2\n");
    desk.starts(OPENBOX);
    let first = desk.server();
    desk.root(&format!("kill -KILL {}", first.pid)).ok();
    let second = another(&desk, "Xorg", &first.pid);
    manages(&desk);
    desk.root(&format!("kill -KILL {second}")).ok();
    desk.vt().wait_text("(2 of 2)", SOON);
    desk.vt().wait_mode(Mode::Text, SOON);
    wait_until("logind to switch the keyboard on", SOON, || {
        if desk.vt().keyboard_is_off() { Err(desk.vt().to_string()) } else { Ok(()) }
    });
    types(&desk);
    another(&desk, "Xorg", &second);
    manages(&desk);
    desk.unit_becomes("xorg@0.service", "active");
    assert!(desk.vt().keyboard_is_off(), "no key reaches the terminal while a server has it");
    types(&desk);
    desk.quits_openbox();
    desk.ended(0);
    nothing_was_typed(&desk);
}

#[test]
fn at_every_moment_of_a_restart_of_the_server() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    for _ in 0..3 {
        let server = desk.server();
        desk.user("ada", "systemctl --user --no-block restart xorg@0.service").ok();
        wait_until("the next server, while somebody types", SOON, || {
            types(&desk);
            // There is none in between, and then pgrep fails.
            let next = desk.root("pgrep -u ada -x Xorg").stdout.trim().to_owned();
            if !next.is_empty() && next != server.pid { Ok(()) } else { Err(next) }
        });
        manages(&desk);
        desk.unit_becomes("xorg@0.service", "active");
    }
    desk.quits_openbox();
    desk.ended(0);
    nothing_was_typed(&desk);
}

#[test]
fn between_the_last_crash_and_the_prompt() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[crash]\nlimit = 0\n");
    desk.root("mkfifo -m 666 /home/ada/go").ok();
    writes_slow_unit(&desk);
    desk.user("ada", "systemctl --user enable slow").ok();
    desk.starts(OPENBOX);
    desk.unit_becomes("slow.service", "active");
    desk.root("pkill -KILL -x Xorg").ok();
    desk.unit_becomes("slow.service", "deactivating");
    desk.vt().wait_mode(Mode::Text, SOON);
    types(&desk);
    desk.root("echo >/home/ada/go").ok();
    desk.ended(3);
    nothing_was_typed(&desk);
}

#[test]
fn ctrl_c_ends_a_start_that_waits_for_its_server() {
    let desk = Desk::at_prompt();
    desk.root(&format!("mkfifo -m 644 {FIFO}")).ok();
    // A server that hangs here is ended by SIGTERM until it has a handler for it, and from then on only by SIGKILL.
    desk.types(&format!("startxd start --deadline server_stop=1 {OPENBOX}"));
    another(&desk, "Xorg", "");
    desk.vt().type_text("touch /home/ada/typed\n");
    desk.vt().type_text("\x03");
    desk.ended(0);
    nothing_was_typed(&desk);
    desk.root(&format!("rm {FIFO}")).ok();
}

#[test]
fn after_a_signal_to_the_host_and_after_a_stop() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    desk.vt().type_text("touch /home/ada/typed\n");
    desk.root("pkill -TERM -u ada -f '^startxd start'").ok();
    desk.ended(0);
    nothing_was_typed(&desk);

    // The shell takes the terminal while the host is stopped.
    desk.vt().type_line(&format!("startxd start {OPENBOX}"));
    desk.is_up();
    desk.root("pkill -STOP -u ada -f '^startxd start'").ok();
    wait_until("the shell to notice", SOON, || {
        if desk.vt().screen().contains("Stopped") { Ok(()) } else { Err(desk.vt().to_string()) }
    });
    desk.vt().type_line("fg");
    let server = desk.server();
    wait_until("the host to have the terminal again", SOON, || {
        let flags = desk.root("stty -a -F /dev/tty1").stdout;
        if flags.contains("-echo ") && flags.contains("-isig") { Ok(()) } else { Err(flags) }
    });
    desk.user("ada", "systemctl --user --no-block restart xorg@0.service").ok();
    another(&desk, "Xorg", &server.pid);
    types(&desk);
    manages(&desk);
    desk.quits_openbox();
    desk.vt().wait_prompt(SOON);
    nothing_was_typed(&desk);
}
