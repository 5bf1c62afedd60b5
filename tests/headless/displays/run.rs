//! `startxd display run -- COMMAND`: a drop-in for xvfb-run.

use crate::displays::place::Place;
use crate::harness::{Background, SOON, wait_until};

/// Starts a command that says `up`, and waits until it has.
fn up(place: &Place, script: &str) -> Background {
    let run = place.spawn("ada", script);
    wait_until("the command to be up", SOON, || {
        if run.stdout().contains("up") { Ok(()) } else { Err(format!("{} {}", run.stdout(), run.stderr())) }
    });
    run
}

/// The processes of ours, the oldest first: the one that was started, and its janitor.
fn startxds(place: &Place) -> Vec<String> {
    place.named("ada", "startxd").into_iter().map(|process| process.pid.to_string()).collect()
}

#[test]
fn it_ends_as_xvfb_run_ends() {
    let place = Place::new();
    place.write_as("ada", "~/script", "exit $1\n");
    place.write_as("ada", "~/plain", "");
    place.user("ada", "chmod +x script").ok();
    for command in [
        "true",
        "false",
        "sh -c 'exit 42'",
        "sh -c 'kill -9 $$'",
        "sh -c 'kill -TERM $$'",
        "./script 5",
        "xdpyinfo -queryExtensions",
        "nonexistent-command",
        "./nonexistent",
        "./plain",
        "/tmp",
    ] {
        let ours = place.user("ada", &format!("startxd display run -- {command}"));
        let theirs = place.user("ada", &format!("xvfb-run -a {command}"));
        assert_eq!(ours.code(), theirs.code(), "{command}: {ours}\n{theirs}");
        place.becomes_clean();
    }
}

#[test]
fn the_command_has_everything_of_the_callers_but_the_display() {
    let place = Place::new();
    let script = "printf 'one\\ntwo' | (cd /usr/share && A='b  c' DISPLAY=:77 XAUTHORITY=/nowhere WAYLAND_DISPLAY=w \
                  startxd display run --size 640x480 -- sh -c 'cat; echo; pwd; echo \"$A$WAYLAND_DISPLAY\"; umask; \
                  echo $DISPLAY $XAUTHORITY; xdpyinfo | grep -o \"640x480 pixels\"; echo err >&2; exit 9')";
    let run = place.user("ada", &format!("umask 027; {script}"));
    assert_eq!(run.code(), 9, "{run}");
    let expected = "one\ntwo\n/usr/share\nb  c\n0027\n:100 /run/user/1000/startxd/Xauthority.100\n640x480 pixels\n";
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), (expected, "err\n"));
    // It is a unit all the same; and works where there is no login.
    let group = place.line("env -u XDG_RUNTIME_DIR -u DBUS_SESSION_BUS_ADDRESS startxd display run -- sed -n 's,^0::,,p' /proc/self/cgroup");
    assert!(group.contains("/app.slice/startxd-display-run-100-"), "{group}");
    place.is_clean();
}

#[test]
fn it_is_told_what_we_are_told() {
    let place = Place::new();
    let script =
        "exec startxd display run -- sh -c 'trap \"echo got; exit 3\" TERM; echo up; while :; do sleep 0.02; done'";
    let run = up(&place, script);
    place.user("ada", &format!("kill -TERM {}", startxds(&place)[0])).ok();
    let run = run.wait(SOON);
    assert_eq!((run.code(), run.stdout.as_str()), (3, "up\ngot\n"), "{run}");
    place.is_clean();
}

#[test]
fn a_key_reaches_it_once() {
    let place = Place::new();
    place.write_as("ada", "~/counts", COUNTS);
    place.write_as("ada", "~/terminal", TERMINAL);
    let run = place.user("ada", "python3 terminal");
    assert!(run.stdout.replace('\r', "").ends_with("INT 1\nstatus 130\n"), "{run}");
    place.is_clean();
}

/// Runs that on a terminal, presses Ctrl+C when it is up, and says how it ended.
const TERMINAL: &str = r#"
import os
pid, terminal = os.forkpty()
if pid == 0:
    os.execvp("startxd", ["startxd", "display", "run", "--", "python3", "counts"])
text, pressed = b"", False
while True:
    try:
        text += os.read(terminal, 4096)
    except OSError:
        break
    if b"up" in text and not pressed:
        pressed = True
        os.write(terminal, b"\x03")
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(text.decode() + "status", status)
"#;

/// Says how often Ctrl+C has reached it, and ends as it would have without that. No shell, which may take a signal for its
/// child's that comes while it waits for one.
const COUNTS: &str = "
import os, signal, time
count = 0
def counts(number, frame):
    global count
    count += 1
signal.signal(signal.SIGINT, counts)
print('up', flush=True)
while count == 0:
    time.sleep(0.02)
time.sleep(0.1)
print('INT', count, flush=True)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.kill(os.getpid(), signal.SIGINT)
";

#[test]
fn what_the_command_leaves_ends_with_it() {
    let place = Place::new();
    let script = "startxd display run -- sh -c 'xterm & sleep 1234 > /dev/null 2>&1 & exit 4'";
    assert_eq!(place.user("ada", script).code(), 4);
    place.is_clean();
}

#[test]
fn killed_it_leaves_nothing() {
    let place = Place::new();
    let script = "startxd display run -- sh -c 'echo up; exec sleep 1234'";
    let run = up(&place, script);
    place.user("ada", &format!("kill -9 {}", startxds(&place)[0])).ok();
    place.becomes_clean();
    drop(run);

    // With who would clean up killed at the same time, files are left, and the next one removes them.
    let run = up(&place, script);
    place.user("ada", &format!("kill -9 {}", startxds(&place).join(" "))).ok();
    place.wait_ended(&["Xvfb", "sleep", "startxd"]);
    drop(run);
    place.user("ada", "startxd display run -- true").ok();
    place.becomes_clean();
}

#[test]
fn its_display_can_be_used_and_ended_by_others() {
    let place = Place::new();
    let run = up(&place, "startxd display run -- sh -c 'echo up; exec sleep 1234'");
    let listed = place.line("startxd display list");
    assert!(listed.starts_with(":100  xvfb  1280x1024x24  ready  ") && listed.contains("for pid "), "{listed}");
    place.user("ada", "startxd display run :100 -- xdpyinfo").ok();
    place.user("ada", "startxd display stop :100").ok();
    assert_eq!(run.wait(SOON).code(), 143);
    place.is_clean();
}

#[test]
fn a_server_that_crashes_ends_the_command() {
    let place = Place::new();
    let run = up(&place, "startxd display run -- sh -c 'echo up; exec sleep 1234'");
    place.user("ada", "pkill -9 Xvfb").ok();
    let run = run.wait(SOON);
    assert_eq!(run.code(), 143, "{run}");
    assert!(run.stderr.contains("the server of display :100 was ended by SIGKILL"), "{run}");
    place.is_clean();
}
