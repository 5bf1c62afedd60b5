//! A container without systemd, as CI runs it: `startxd display run` watches over its command itself.
//!
//! The stand-in is a namespace of pids and mounts with an empty /run and an empty /tmp, whose pid 1 reaps nobody.

use crate::harness::{Case, Guest, Run};

/// What is pid 1 in there. It says how its script ended, and reaps nothing but that.
const FIRST: &str = "
import os, subprocess, sys
for directory in '/run', '/tmp':
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'mode=1777', 'none', directory], check=True)
sys.exit(subprocess.run(['bash', '/home/ada/inside'] + sys.argv[1:]).returncode)
";

/// What every script begins with. `left` names what should not be there any more; zombies are pid 1's to reap.
const BEGINNING: &str = r#"
cd /tmp
left() {
    ps -e -o stat=,args= | grep -v '^Z' | grep -e 'sleep 123' -e Xvfb -e 'startxd display' | grep -v grep
    ls -A /tmp | grep -v -x -e .X11-unix -e leaves -e up
    ls -A /tmp/.X11-unix
}
becomes_clean() {
    tries=0
    while [ -n "$(left)" ] && [ $tries -lt 600 ]; do
        tries=$((tries + 1))
        sleep 0.05
    done
    [ -z "$(left)" ] || { echo "left:"; left; }
}
"#;

/// Runs a script as root in such a container.
fn inside(case: &Case, script: &str) -> Run {
    case.write_as("ada", "~/first", FIRST);
    case.write_as("ada", "~/inside", &format!("{BEGINNING}{script}"));
    case.root("env -i PATH=$PATH unshare --mount --pid --fork --mount-proc python3 /home/ada/first")
}

/// What is said once.
const SAID: &str = "startxd: systemd does not run here: startxd itself watches over the command, without units\n";

#[test]
fn a_command_runs_where_there_is_no_systemd() {
    let case = Guest::headless();
    for who in [
        "",
        "setpriv --reuid 1000 --regid 1000 --clear-groups",
        // A user without an entry in passwd.
        "setpriv --reuid 4242 --regid 4242 --clear-groups",
        "env HOME=/nonexistent XDG_RUNTIME_DIR=/nonexistent",
        "unshare --user --map-root-user",
    ] {
        let script = format!(
            "{who} startxd display run --size 640x480 -- sh -c 'xdpyinfo | grep -o \"640x480 pixels\"; echo $DISPLAY; \
             cd /; setsid sleep 1234 & exit 7'\necho $?; becomes_clean; ps -e -o stat= | grep -c Z"
        );
        let run = inside(&case, &script);
        assert_eq!(run.stdout, "640x480 pixels\n:100\n7\n0\n", "{who}: {run}");
        let said = run.stderr.replace('\r', "");
        assert_eq!(said, SAID, "{who}: {run}");
    }
}

#[test]
fn it_ends_as_elsewhere() {
    let case = Guest::headless();
    let script = r#"
for command in false "sh -c 'kill -9 \$\$'" nonexistent-command /tmp; do
    eval startxd display run -- $command 2>/dev/null
    echo $?
    becomes_clean
done
startxd display run --server-arg -nonsense true; echo $?
becomes_clean
startxd display run --session openbox true; echo $?
startxd display start; echo $?
ln -s /usr/bin/startxd xvfb-run
PATH=/tmp:$PATH xvfb-run -a -s '-screen 0 800x600x24' sh -c 'xdpyinfo | grep -o 800x600.pixels; echo $DISPLAY; exit 5' 2>/dev/null
echo $?
"#;
    let run = inside(&case, script);
    assert_eq!(run.stdout, "1\n137\n127\n126\n3\n18\n18\n800x600 pixels\n:99\n5\n", "{run}");
    for word in [
        "Unrecognized option: -nonsense",
        "--session needs its user manager; start the window manager in the command",
        "displays that stay need its user manager; for one command: startxd display run -- COMMAND",
    ] {
        assert!(run.stderr.contains(word), "{word}: {run}");
    }
    assert!(!run.stderr.contains("journalctl"), "{run}");
}

/// Kills what a line of a shell names, while a command runs that has left processes in sessions of their own, one of
/// which ignores SIGTERM.
fn killed(case: &Case, whom: &str, and: &str) -> Run {
    case.write_as(
        "ada",
        "~/leaves",
        "setsid sleep 1234 >/dev/null 2>&1 &\n(trap '' TERM; exec setsid sleep 1235) >/dev/null 2>&1 &\ntouch up\nexec sleep 1236\n",
    );
    case.write_as("ada", "~/config/startxd/startxd.toml", "[deadlines]\napplications = 2\n");
    let script = format!(
        r#"
export XDG_CONFIG_HOME=/home/ada/config
of() {{ ps -e -o pid=,args= | grep "$1" | grep -v -e grep -e defunct | head -n 1 | awk '{{ print $1 }}'; }}
startxd display run -- sh /home/ada/leaves & run=$!
until [ -e up ]; do sleep 0.02; done
until [ -n "$(of '[s]leep 1236')" ]; do sleep 0.02; done
# In sessions of their own by then.
until [ "$(ps -e -o args= | grep -c '^sleep 123[45]$')" = 2 ]; do sleep 0.02; done
command=$(of '[s]leep 1236')
reaper=$(ps -o ppid= -p $command)
server=$(of '[X]vfb')
{whom}
wait $run
echo "status $?"
{and}
becomes_clean
"#
    );
    inside(case, &script)
}

#[test]
fn nothing_is_left_whatever_is_killed() {
    let case = Guest::headless();
    for (whom, status) in [
        ("kill -9 $command", 137),
        ("kill -9 $server", 143),
        ("kill -9 $reaper", 6),
        ("kill -9 $run", 137),
        ("kill -TERM $run", 143),
    ] {
        let run = killed(&case, whom, "");
        assert_eq!(run.stdout, format!("status {status}\n"), "{whom}: {run}");
    }
    // All that are called startxd.
    let run = killed(&case, "pkill -9 startxd", "");
    assert_eq!(run.stdout, "status 137\n", "{run}");
    // With the reaper killed in the same moment, what has left the command goes on, and files are left, as the kernel
    // ends the command and the server alone. The next run ends and removes that, and takes the same display. A race: in the
    // microseconds between the two signals the run may begin to clean up, so only what ignores SIGTERM is counted.
    let run = killed(
        &case,
        "kill -9 $reaper $run",
        "until [ -z \"$(of '[s]leep 1236')$(of '[X]vfb')\" ]; do sleep 0.02; done
         ls -d startxd-* | wc -l; ps -e -o stat=,args= | grep '[s]leep 1235' | grep -vc ^Z
         startxd display run -- sh -c 'echo $DISPLAY; ls -d startxd-* | wc -l' 2>/dev/null",
    );
    assert_eq!(run.stdout, "status 137\n1\n1\n:100\n1\n", "{run}");
}

#[test]
fn a_signal_reaches_the_command_once() {
    let case = Guest::headless();
    case.write_as(
        "ada",
        "~/counts",
        "import signal, time\ncount = 0\ndef counts(number, frame):\n    global count\n    count += 1\n\
         signal.signal(signal.SIGTERM, counts)\nopen('/tmp/up', 'w').close()\nwhile count == 0:\n    time.sleep(0.02)\n\
         time.sleep(0.1)\nprint('TERM', count)\n",
    );
    for whom in ["$(cat leaves)", "-- -$(cat leaves)"] {
        let script = format!(
            "setsid -w sh -c 'echo $$ >leaves; exec startxd display run -- python3 /home/ada/counts' &\n\
             until [ -e up ]; do sleep 0.02; done\nkill -TERM {whom}; wait; rm leaves up; becomes_clean"
        );
        for _ in 0..4 {
            assert_eq!(inside(&case, &script).stdout, "TERM 1\n", "{whom}");
        }
    }
}
