//! `startxd display run -- COMMAND`: a replacement for xvfb-run.

use crate::displays::place::Place;
use crate::harness::{Background, SOON, wait_until};

/// Starts a command that prints `up`, and waits for that.
fn up(place: &Place, script: &str) -> Background {
    let run = place.spawn("ada", script);
    wait_until("the command to be up", SOON, || {
        if run.stdout().contains("up") { Ok(()) } else { Err(format!("{} {}", run.stdout(), run.stderr())) }
    });
    run
}

/// Our processes, oldest first: the one that was started, and its janitor.
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
fn the_command_inherits_everything_except_the_display() {
    let place = Place::new();
    let script = "printf 'one\\ntwo' | (cd /usr/share && A='b  c' DISPLAY=:77 XAUTHORITY=/nowhere WAYLAND_DISPLAY=w \
                  startxd display run --size 640x480 -- sh -c 'cat; echo; pwd; echo \"$A$WAYLAND_DISPLAY\"; umask; \
                  echo $DISPLAY $XAUTHORITY; xdpyinfo | grep -o \"640x480 pixels\"; echo err >&2; exit 9')";
    let run = place.user("ada", &format!("umask 027; {script}"));
    assert_eq!(run.code(), 9, "{run}");
    let expected = "one\ntwo\n/usr/share\nb  c\n0027\n:100 /run/user/1000/xauth_startxd_100\n640x480 pixels\n";
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), (expected, "err\n"));
    // Even so it is a unit, and works without a login.
    let group = place.line("env -u XDG_RUNTIME_DIR -u DBUS_SESSION_BUS_ADDRESS startxd display run -- sed -n 's,^0::,,p' /proc/self/cgroup");
    assert!(group.contains("/app.slice/startxd-display-run-100-"), "{group}");
    place.is_clean();
}

#[test]
fn it_gets_the_signals_that_we_get() {
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

/// Runs this on a terminal, presses Ctrl+C when it is up, and reports how it ended.
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

/// Reports how often Ctrl+C reached it, and ends as it would have without it. Not a shell, which may take a signal that
/// arrives while it waits for a child as the child's.
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
fn a_signal_reaches_it_once_whoever_it_is_for() {
    let place = Place::new();
    place.write_as("ada", "~/counts", &COUNTS.replace("SIGINT", "SIGTERM"));
    for _ in 0..8 {
        let run = up(&place, "exec setsid -w sh -c 'echo $$ >group; exec startxd display run -- python3 counts'");
        place.user("ada", "kill -TERM -- -$(cat group)").ok();
        assert_eq!(run.wait(SOON).stdout, "up\nINT 1\n", "to the group");
    }
    for _ in 0..8 {
        let run = up(&place, "exec setsid -w sh -c 'echo $$ >group; exec startxd display run python3 counts'");
        place.user("ada", "kill -TERM $(cat group)").ok();
        assert_eq!(run.wait(SOON).stdout, "up\nINT 1\n", "to startxd alone");
        // timeout(1) creates a process group for what it runs.
        let run =
            up(&place, "exec setsid -w sh -c 'echo $$ >group; exec startxd display run timeout 60 python3 counts'");
        place.user("ada", "kill -TERM -- -$(cat group)").ok();
        assert!(run.wait(SOON).stdout.starts_with("up\nINT "), "to the group, which the command has left");
    }
    place.is_clean();
}

#[test]
fn its_program_is_found_as_its_shell_finds_it() {
    let place = Place::new();
    place.write_as("ada", "~/project/node_modules/.bin/jest", "#!/bin/sh\nxdpyinfo >/dev/null && echo \"$0 $PATH\"\n");
    place.user("ada", "chmod +x project/node_modules/.bin/jest").ok();
    for program in ["startxd display run", "startxd display run --", "xvfb-run -a"] {
        let seen = place.line(&format!("cd project && PATH=node_modules/.bin:/usr/bin:/bin {program} jest"));
        assert_eq!(seen, "node_modules/.bin/jest node_modules/.bin:/usr/bin:/bin", "{program}");
        place.user("ada", &format!("env -u PATH /usr/bin/{program} true")).ok();
        assert_eq!(place.user("ada", &format!("cd project && {program} jest")).code(), 127, "{program}");
    }
    // xvfb-run does not wait for its server's end.
    place.becomes_clean();
}

#[test]
fn an_unusable_runtime_directory_is_replaced() {
    let place = Place::new();
    for elsewhere in ["/run", "/run/user/1001", "/nowhere", "relative"] {
        let run = place.user("ada", &format!("XDG_RUNTIME_DIR={elsewhere} startxd display run xdpyinfo"));
        assert_eq!((run.code(), run.stderr.as_str()), (0, ""), "{elsewhere}: {run}");
    }
    // Without one that could take its place, in CI: the remedy for that.
    for set in ["XDG_RUNTIME_DIR=/run/user/1001", "-u XDG_RUNTIME_DIR"] {
        let run = place.user("eve", &format!("env {set} startxd display run true"));
        assert!(run.stderr.contains("sudo loginctl enable-linger eve"), "{run}");
    }
    place.is_clean();
}

#[test]
fn the_command_line_of_xvfb_run_is_accepted() {
    let place = Place::new();
    for line in ["xdpyinfo", "--size 1600x900x24 xdpyinfo -queryExtensions", "--size=1600x900x24 -- xdpyinfo"] {
        let seen = place.user("ada", &format!("startxd display run {line}")).ok();
        assert!(seen.stdout.contains(if line == "xdpyinfo" { "1280x1024" } else { "1600x900" }), "{line}: {seen}");
    }
    place.line("startxd display start :7");
    place.user("ada", "startxd display run :7 xdpyinfo").ok();
    let none = place.user("ada", "startxd display run :7");
    assert!(
        none.code() == 2 && none.stderr.contains("write it after the number: startxd display run :7 -- "),
        "{none}"
    );
    place.user("ada", "startxd display stop :7").ok();
    place.refuses("startxd display run --size 1x1x24 --depth 8 true", 2, &["--size gives the depth 24", "omit one"]);
    place.is_clean();
}

#[test]
fn where_no_socket_can_be_made_the_message_names_the_mount() {
    let place = Place::new();
    for mode in ["1777", "0777"] {
        place.root(&format!("mount -t tmpfs -o ro,mode={mode} none /tmp/.X11-unix")).ok();
        for command in ["startxd display run true", "startxd display start"] {
            let words = ["/tmp/.X11-unix is on a file system that is mounted read-only", "sudo umount /tmp/.X11-unix"];
            place.refuses(command, 24, &words);
        }
        place.root("umount /tmp/.X11-unix").ok();
        place.user("ada", "startxd display run true").ok();
    }
    place.is_clean();
}

#[test]
fn called_as_xvfb_run_it_takes_its_options() {
    let place = Place::new();
    place.user("ada", "mkdir bin && ln -s /usr/bin/startxd bin/xvfb-run").ok();
    let ours = "PATH=~/bin:$PATH;";
    let line = "xvfb-run -a -s '-screen 0 1920x1080x24 -ac +extension GLX -noreset' -e /dev/stderr -w 0 \
                sh -c 'xdpyinfo | grep -o 1920x1080.pixels; echo \"$DISPLAY $1\"; exit 5' sh -a";
    for theirs in ["", ours] {
        let run = place.user("ada", &format!("{theirs} {line}"));
        assert_eq!((run.code(), run.stdout.as_str()), (5, "1920x1080 pixels\n:99 -a\n"), "{theirs} {run}");
    }
    // Abbreviated; with a given number; with the cookie in one file, and the server's output in another.
    let run = place
        .user(
            "ada",
            &format!(
                "{ours} xvfb-run --server-n=42 -f cookie sh -c 'echo $DISPLAY; XAUTHORITY=~/cookie xdpyinfo >/dev/null'"
            ),
        )
        .ok();
    assert_eq!(run.stdout, ":42\n");
    assert_eq!(place.line("ls -A | grep cookie; echo none"), "none");
    let run = place.user("ada", &format!("{ours} xvfb-run -e log --server-args -nonsense true"));
    assert!(run.code() != 0 && place.user("ada", "cat log").stdout.contains("Unrecognized option: -nonsense"), "{run}");
    let run = place.user("ada", &format!("{ours} xvfb-run --server true"));
    assert!(run.code() == 2 && run.stderr.contains("--server is ambiguous"), "{run}");
    let help = place.user("ada", &format!("{ours} xvfb-run --help")).ok();
    assert!(help.stdout.starts_with("Usage: xvfb-run [OPTION ...] COMMAND"), "{help}");
    place.becomes_clean();
}

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

    // If the janitor is killed at the same time, files are left, and the next run removes them.
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
