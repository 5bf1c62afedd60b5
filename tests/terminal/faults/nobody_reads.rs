//! Nothing reads what is logged: journald is stopped, or the terminal by Ctrl+S. Nothing in a session waits for it.

use crate::faults::{another, manages};
use crate::harness::{SOON, wait_until};
use crate::hostile::servers;
use crate::scenario::{Desk, OPENBOX};

/// journald, stopped until this is dropped.
struct Stopped<'a>(&'a Desk);

impl<'a> Stopped<'a> {
    fn begin(desk: &'a Desk) -> Self {
        desk.root("pkill -STOP -x systemd-journal").ok();
        Self(desk)
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.root("pkill -CONT -x systemd-journal");
    }
}

/// Sends datagrams to the journal's socket until it accepts no more, so that every other sender would have to wait.
const FILL: &str = r"
import socket
full = 0
while full < 3:
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    journal.setblocking(False)
    journal.connect('/run/systemd/journal/socket')
    sent = 0
    try:
        while True:
            journal.send(b'MESSAGE=full\n')
            sent += 1
    except BlockingIOError:
        pass
    # Each sender has a limit of its own besides that of the queue.
    full = full + 1 if sent == 0 else 0
print('full')
";

/// Lines of Python that follow those of `client.py`.
fn script(lines: &str) -> String {
    format!("{}\n{lines}", include_str!("../../hostile/client.py"))
}

#[test]
fn a_session_starts_and_ends_while_the_journal_is_stopped() {
    let desk = Desk::at_prompt();
    let stopped = Stopped::begin(&desk);
    desk.starts(OPENBOX);
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
    drop(stopped);
}

#[test]
fn a_host_that_logs_to_a_full_journal_answers() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let stopped = Stopped::begin(&desk);
    assert_eq!(desk.shell_as("root", "exec python3 -").stdin(FILL).run().ok().text(), "full");
    // Each of these causes a warning. systemd itself waits ten seconds for the journal with each of its messages, so
    // nothing else is requested meanwhile.
    let asks = script("for number in range(5):\n    ask(b'nonsense %d' % number)\n");
    let told = desk.shell_as("ada", "exec python3 -").stdin(asks).run().ok();
    assert_eq!(told.stdout.matches(" -> startxd/1 refused | ").count(), 5, "{told}");
    let asks = script("client = connect(); client.send(b'startxd/1 stop'); print(reply(client))");
    assert_eq!(desk.shell_as("ada", "exec python3 -").stdin(asks).run().ok().text(), "startxd/1 stopping");
    drop(stopped);
    desk.comes_back(0, SOON);
    desk.becomes_clean();
    // The messages that were not accepted at once have arrived.
    wait_until("the host's warnings in the journal", SOON, || {
        let journal = desk.journal("-t startxd -o cat");
        match journal.matches("refused a message on the launch socket").count() {
            5 => Ok(()),
            _ => Err(journal),
        }
    });
    desk.starts_again();
}

#[test]
fn a_server_that_floods_a_stopped_journal_is_not_delayed() {
    let desk = Desk::at_prompt();
    let server = servers::install(&desk, "pours");
    desk.write_as("ada", "~/.config/startxd/startxd.toml", &format!("[server]\nbinary = \"{server}\"\n"));
    let stopped = Stopped::begin(&desk);
    desk.types(&format!("startxd start {OPENBOX}"));
    desk.comes_back(3, SOON).says(&["the X server exited with status 4 before it was ready", "poured line 20000"]);
    drop(stopped);
    desk.becomes_clean();
    // By name: the journal cannot tell the unit of a process that is gone.
    wait_until("the server's first lines", SOON, || match desk.journal("-t startxd -o cat") {
        journal if journal.contains("poured line 00001 ") => Ok(()),
        journal => Err(beginning(&journal)),
    });
}

#[test]
fn what_a_stopped_journal_has_lost_is_counted_when_it_goes_on() {
    let desk = Desk::at_prompt();
    let server = servers::install(&desk, "pours-and-stays");
    desk.write_as("ada", "~/.config/startxd/startxd.toml", &format!("[server]\nbinary = \"{server}\"\n"));
    let stopped = Stopped::begin(&desk);
    desk.types(&format!("startxd start --deadline server_ready=600 {OPENBOX}"));
    // It gets to send all of its messages.
    desk.wait_file("/home/ada/poured");
    drop(stopped);
    wait_until("the count of what was lost", SOON, || {
        let journal = desk.messages("xorg@0.service");
        let counted = |line: &str| line.split_once(" messages were lost here").map(|(count, _)| count.parse::<u32>());
        match journal.lines().find_map(counted) {
            Some(Ok(1..20000)) => Ok(()),
            _ => Err(beginning(&journal)),
        }
    });
    desk.user("ada", "startxd stop; rm poured").ok();
    desk.comes_back(0, SOON);
    desk.becomes_clean();
}

/// The first lines of a text, each shortened.
fn beginning(text: &str) -> String {
    text.lines().take(50).map(|line| line.chars().take(80).collect::<String>() + "\n").collect()
}

#[test]
fn a_line_of_the_server_has_no_level_of_its_own() {
    let desk = Desk::at_prompt();
    let server = servers::install(&desk, "shouts");
    desk.write_as("ada", "~/.config/startxd/startxd.toml", &format!("[server]\nbinary = \"{server}\"\n"));
    desk.types(&format!("startxd start {OPENBOX}"));
    desk.ended(3).says(&["exited with status 8 before it was ready", "<0>the sky falls"]);
    // A race: journald finds a line's unit by its process, and the supervisor is gone by then.
    let said = |level: &str| desk.journal(&format!("-o cat -t startxd -p {level}"));
    wait_until("what the server said", SOON, || match said("info..info") {
        journal if journal.lines().any(|line| line == "<0>the sky falls") => Ok(()),
        journal => Err(journal),
    });
    let loud = said("emerg..crit");
    assert!(!loud.contains("the sky falls"), "{loud}");
}

/// Stops or restarts the terminal's output, as Ctrl+S and Ctrl+Q do.
fn flow(desk: &Desk, how: &str) {
    let script =
        format!("import os, termios; termios.tcflow(os.open('/dev/tty1', os.O_RDWR | os.O_NOCTTY), termios.{how})");
    desk.shell_as("root", "exec python3 -").stdin(script).run().ok();
}

#[test]
fn a_stopped_terminal_delays_nothing() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    flow(&desk, "TCOOFF");
    // The host warns the person at the terminal.
    let first = desk.server().pid;
    desk.root(&format!("kill -KILL {first}")).ok();
    let second = another(&desk, "Xorg", &first);
    manages(&desk);
    let warning = "it comes back with the window manager";
    assert!(!desk.vt().screen().contains(warning), "the terminal is not stopped");
    flow(&desk, "TCOON");
    desk.reads(&format!("{warning} (1 of 3)"));
    flow(&desk, "TCOOFF");
    desk.root(&format!("kill -KILL {second}")).ok();
    another(&desk, "Xorg", &second);
    manages(&desk);
    desk.root("pkill -TERM -u ada -f '^startxd start'").ok();
    wait_until("the host's end", SOON, || {
        let all = desk.processes_of("ada");
        match all.iter().filter(|process| process.args.starts_with("startxd start")).count() {
            0 => Ok(()),
            _ => Err(desk.journal("-o short-precise")),
        }
    });
    flow(&desk, "TCOON");
    desk.ended(0);
    desk.starts_again();
}
