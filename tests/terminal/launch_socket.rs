//! The launch socket: malformed messages are refused, and the session continues unharmed.

use crate::harness::{Background, Case, Guest, Login, SOON, secs, wait_until};
use crate::hostile::*;

/// A session that is up, and its state before any message was sent.
struct Up {
    guest: Case,
    login: Login,
    session: Typed,
    before: Vitals,
}

impl Up {
    fn begin() -> Self {
        let mut guest = Guest::get();
        let login = prompt(&mut guest);
        let session = start(&guest, &login);
        let before = vitals_at_rest(&guest);
        Self { guest, login, session, before }
    }

    /// Runs Python as ada.
    fn says(&self, lines: &str) -> Told {
        python(&self.guest, "ada", lines)
    }

    /// Runs Python as ada that prints "here" when it has done its worst, and does not exit.
    fn stay(&self, lines: &str) -> Background {
        let clients = self.guest.shell_as("ada", "ulimit -n 4096; exec python3 -").stdin(script(lines)).spawn();
        wait_output(&clients, "here");
        clients
    }

    #[track_caller]
    fn is_unharmed(&self) {
        assert_unharmed(&self.guest, &self.before);
    }

    /// Expects that it was not affected, and ends it.
    #[track_caller]
    fn stops(&self) -> Told {
        self.is_unharmed();
        stop(&self.guest, &self.login, &self.session)
    }

    /// Like [`stops`](Self::stops); also expects that nothing is left.
    #[track_caller]
    fn ends(&self) -> Told {
        let told = self.stops();
        self.guest.assert_clean();
        told
    }
}

/// Lines of Python that follow those of `client.py`.
fn script(lines: &str) -> String {
    format!("{}\n{lines}", include_str!("../hostile/client.py"))
}

/// Runs Python in the guest.
fn python(guest: &Guest, user: &str, lines: &str) -> Told {
    guest.shell_as(user, "exec python3 - 2>&1").stdin(script(lines)).run().into()
}

/// What must not change, whatever the socket receives.
#[derive(Debug)]
struct Vitals {
    processes: Vec<String>,
    /// What each of the host's descriptors refers to.
    descriptors: Vec<String>,
}

fn vitals(guest: &Guest) -> Vitals {
    // Without zombies: openbox has children while it starts, and reaps them only later.
    let ours = |args: &str| ["startxd", "Xorg", "openbox"].iter().any(|name| args.contains(name));
    let all = guest.processes_of("ada").into_iter().filter(|process| process.state != 'Z' && ours(&process.args));
    let processes = all.map(|process| format!("{} {}", process.pid, process.args)).collect();
    let descriptors = guest.outside(&format!("/proc/{}/fd", host(guest)));
    let descriptors = std::fs::read_dir(descriptors).expect("the host's descriptors").flatten();
    let descriptors = descriptors.map(|entry| {
        std::fs::read_link(entry.path()).map_or_else(|error| error.to_string(), |of| of.display().to_string())
    });
    let descriptors = descriptors.collect();
    Vitals { processes, descriptors }
}

/// [`vitals`] while the host waits for events.
///
/// A race: the targets are up a moment before the host has recorded that, and the file that it writes is a descriptor.
/// They are also up before the service that reads `~/.Xresources` and the like has ended, which is a process and a
/// client of the host.
fn vitals_at_rest(guest: &Guest) -> Vitals {
    guest.manager("ada").wait_dotfiles();
    wait_until("the host to wait for events", SOON, || {
        let call = guest.outside(&format!("/proc/{}/syscall", host(guest)));
        let call = std::fs::read_to_string(call).expect("the host's system call");
        let number = call.split_whitespace().next().and_then(|number| number.parse().ok());
        let waits = [nix::libc::SYS_epoll_wait, nix::libc::SYS_epoll_pwait, nix::libc::SYS_epoll_pwait2];
        if number.is_some_and(|number| waits.contains(&number)) { Ok(vitals(guest)) } else { Err(call) }
    })
}

/// The host's pid.
fn host(guest: &Guest) -> String {
    let hosts = guest.named("ada", "startxd").into_iter().filter(|process| process.args.starts_with("startxd start"));
    let pids: Vec<String> = hosts.map(|process| process.pid.to_string()).collect();
    pids.join("\n")
}

/// Fails unless the session has the same processes as before, and the host no more descriptors.
#[track_caller]
fn assert_unharmed(guest: &Guest, before: &Vitals) {
    wait_until("the host to be as before", SOON, || match vitals(guest) {
        now if now.processes == before.processes && now.descriptors.len() <= before.descriptors.len() => Ok(()),
        now => Err(format!("{now:?}\nbefore: {before:?}")),
    });
}

#[test]
fn the_socket_is_for_its_user_alone() {
    let up = Up::begin();
    let modes = up.guest.root("stat -c '%a %U %F' /run/user/1000/startxd /run/user/1000/startxd/*").text();
    assert!(modes.starts_with("700 ada directory\n"), "{modes}");
    assert!(modes.contains("600 ada socket"), "{modes}");
    assert!(modes.lines().skip(1).all(|line| line.starts_with("600 ada ")), "{modes}");

    python(&up.guest, "eve", "ask(b'startxd/1 stop')").says(1, &["PermissionError"]);
    python(&up.guest, "root", "ask(b'startxd/1 stop')");
    wait_until("the host to say whom it turned away", SOON, || {
        let journal = up.guest.journal("-t startxd -o cat");
        if journal.contains("disconnected a client of the launch socket that runs as another user uid=0") {
            Ok(())
        } else {
            Err(journal)
        }
    });
    up.ends().says(0, &[]);
}

#[test]
fn malformed_messages_are_refused_and_the_session_goes_on() {
    let up = Up::begin();
    let lines = r"
for message in [b'garbage', b'\0', bytes(range(256)), b'\xff\xfe\x00', b'GET / HTTP/1.1\r\n\r\n', b'startxd', b'startxd/1',
        b'startxd/1 ', b'startxd/2 stop', b'startxd/10 stop', b'startxd/1 stop now', b'startxd/1  stop', b'startxd/1 STOP',
        b'startxd/1 stop\0', b'startxd/1 stop\nmore', b' startxd/1 stop', b'startxd/1 launch', b'startxd/1 launch display=:0',
        b'startxd/1 launch display=:0 listeners=', b'startxd/1 launch display=:0 listeners=+1',
        b'startxd/1 launch display=:0 listeners=-1', b'startxd/1 launch display=:0 listeners=99999999999999999999',
        b'startxd/1 launch display=host:0 listeners=1', b'startxd/1 launch display=:99999 listeners=1',
        b'startxd/1 launch listeners=1 display=:0', b'startxd/1 launched pid=1', b'startxd/1 exited code=0']:
    ask(message)
for length in [8191, 8192, 8193, 65536, 150000]:
    ask(b'x' * length, name='%d bytes' % length)
    ask(b'startxd/1 stop ' + b'x' * length, name='stop and %d bytes' % length)
    ask(b'startxd/1 failed\n' + b'\xff' * length, name='failed and %d bytes' % length)
";
    let told = up.says(lines);
    told.says(0, &[]);
    let good: Vec<_> = told.text.lines().filter(|line| !line.contains(" -> startxd/1 refused | ")).collect();
    assert!(told.text.lines().count() == 27 + 15 && good.is_empty(), "not refused: {good:?}\n{told}");
    up.says("ask(b'', name='nothing')").says(0, &["nothing -> end-of-file"]);
    up.ends().says(0, &["refused a message on the launch socket"]);
}

#[test]
fn an_untimely_launch_is_refused() {
    let up = Up::begin();
    let lines = r"
null = os.open('/dev/null', os.O_RDWR)
ask(LAUNCH, [null, null])
ask(LAUNCH)
ask(b'startxd/1 launch display=:1 listeners=1', [null, null])
client = connect()
client.send(b'startxd/1 failed\nlies of a stranger')
print('after a lie -> ' + reply(client))
";
    let told = up.says(lines);
    told.says(
        0,
        &["listeners=1' -> startxd/1 refused | its server runs already", "this session's display is :0, not :1"],
    );
    assert!(told.has("after a lie -> startxd/1 refused only the supervisor of the server can tell"), "{told}");
    let told = up.ends();
    assert!(told.status == 0 && !told.has("lies"), "{told}");
}

/// Delays the supervisor until something was written to a pipe: the host is up and has no server yet.
const HOLD: &str = "[Service]\nExecStartPre=cat /home/ada/pipe\n";

#[test]
fn a_launch_with_wrong_descriptors_is_refused_before_the_right_one() {
    let mut guest = Guest::get();
    guest.write_as("ada", "~/.config/systemd/user/xorg@.service.d/hold.conf", HOLD);
    guest.user("ada", "mkfifo pipe").ok();
    let login = prompt(&mut guest);
    let session = type_at(&login, START);
    wait_job(&guest, "xorg@0.service start running");
    let before = vitals(&guest);
    let lines = r"
null, file = os.open('/dev/null', os.O_RDWR), os.open('/home/ada/.bashrc', os.O_RDONLY)
other = listener('/tmp/.X11-unix/X9')
client = socket.socket(socket.AF_UNIX)
client.connect('/tmp/.X11-unix/X0')
os.rename('/tmp/.X11-unix/X0', '/tmp/.X11-unix/away')
deaf = socket.socket(socket.AF_UNIX)
deaf.bind('/tmp/.X11-unix/X0')
os.rename('/tmp/.X11-unix/away', '/tmp/.X11-unix/X0')
ask(LAUNCH, name='no descriptor')
ask(LAUNCH, [null], name='one descriptor')
ask(LAUNCH, [null] * 3, name='three descriptors')
ask(LAUNCH, [null] * 8, name='eight descriptors')
ask(LAUNCH, [null] * 9, name='nine descriptors')
ask(LAUNCH, [null] * 250, name='many descriptors')
ask(LAUNCH.replace(b'=1', b'=0'), [null], name='none said')
ask(LAUNCH.replace(b'=1', b'=3'), [null] * 4, name='three said')
ask(LAUNCH.replace(b'=1', b'=18446744073709551615'), [null], name='overflow')
ask(LAUNCH, [null, file], name='a file')
ask(LAUNCH, [null, socket.socket().fileno()], name='a TCP socket')
ask(LAUNCH, [null, other.fileno()], name='another display')
ask(LAUNCH, [null, client.fileno()], name='a client')
ask(LAUNCH, [null, deaf.fileno()], name='a deaf socket')
ask(LAUNCH.replace(b'=1', b'=2'), [null, deaf.fileno(), file], name='a pair')
os.unlink('/tmp/.X11-unix/X9')
ask(b'garbage')
ask(b'startxd/1 launch display=:9 listeners=1', [null, other.fileno()])
ask(b'x' * 65536, name='64 KiB')
";
    let told = python(&guest, "ada", lines);
    told.says(0, &["a deaf socket -> startxd/1 refused | a socket does not listen", "another display's address"]);
    let refused = told.text.lines().filter(|line| line.contains(" -> startxd/1 refused | ")).count();
    assert_eq!(refused, 18, "{told}");
    assert_unharmed(&guest, &before);
    guest.user("ada", "echo now > pipe").ok();
    wait_up(&guest, "ada");
    stop(&guest, &login, &session).says(0, &["refused to launch a server"]);
    guest.assert_clean();
}

#[test]
fn a_thousand_silent_clients_block_nobody_for_long() {
    let up = Up::begin();
    let lines = "crowd = [connect() for _ in range(1000)]; print('here', flush=True); time.sleep(600)";
    let crowd = up.stay(lines);
    let now = vitals(&up.guest);
    assert!(now.descriptors.len() <= up.before.descriptors.len() + 40, "{now:?}\nbefore: {:?}", up.before);
    // The answer is true: either it is done, or the client is told that it is not.
    let stopped = up.guest.user("ada", "startxd stop").status.success();
    assert_eq!(stopped, up.guest.root("pgrep -xu ada Xorg").stdout.is_empty(), "startxd stop does not say what it did");
    drop(crowd);
    if !stopped {
        up.is_unharmed();
        up.guest.user("ada", "startxd stop").ok();
    }
    assert_eq!(up.session.end(SOON).status, 0);
    up.guest.assert_clean();
}

#[test]
fn refused_clients_that_stay_block_nobody() {
    let up = Up::begin();
    let lines = r"
crowd = []
for number in range(100):
    client = connect()
    crowd.append(client)
    try:
        client.send(b'startxd/1 launch display=:1 listeners=1' if number % 2 else b'startxd/1 failed\nlies')
        if number % 2: reply(client)
    except BrokenPipeError:
        pass
print('here', flush=True)
time.sleep(600)
";
    let crowd = up.stay(lines);
    up.stops().says(0, &[]);
    drop(crowd);
    up.guest.assert_clean();
}

#[test]
fn a_client_that_sends_without_end_and_never_reads_delays_nobody() {
    let up = Up::begin();
    let lines = r"
client = connect()
client.settimeout(1)
sent = 0
try:
    while sent < 20000:
        client.send(b'startxd/1 launch display=:1 listeners=1')
        sent += 1
except (TimeoutError, BrokenPipeError, ConnectionResetError) as error:
    print(error)
print('here', flush=True)
time.sleep(600)
";
    let deaf = up.stay(lines);
    up.says("ask(b'startxd/2 stop')").says(0, &["startxd/1 refused", "another version"]);
    up.says("ask(LAUNCH)").says(0, &["startxd/1 refused", "its server runs already"]);
    drop(deaf);
    up.ends();
}

#[test]
fn requests_with_descriptors_leave_none_in_the_host() {
    let up = Up::begin();
    let lines = r"
null = os.open('/dev/null', os.O_RDWR)
for message in [LAUNCH, b'garbage', b'startxd/1 stop now', b'x' * 9000, b'startxd/1 failed\nlies']:
    for number in range(200):
        client = connect()
        try:
            socket.send_fds(client, [message], [null] * (number % 12))
        except BrokenPipeError:
            pass  # turned away: the host has not yet noticed the end of those before
        client.close()
print('done')
";
    up.says(lines).says(0, &["done"]);
    assert!(!up.ends().has("lies"));
}

#[test]
fn a_session_that_is_ending_launches_nothing_but_still_answers() {
    let mut guest = Guest::get();
    guest.write_as("ada", "~/.config/systemd/user/slow.service", SLOW);
    guest.user("ada", "mkfifo pipe").ok();
    let login = prompt(&mut guest);
    let session = start(&guest, &login);
    guest.user("ada", "systemctl --user start slow").ok();
    let stopping = guest.spawn("ada", "startxd stop");
    wait_job(&guest, "slow.service stop running");
    python(&guest, "ada", "ask(LAUNCH)").says(0, &["startxd/1 refused", "the session is going down"]);
    python(&guest, "ada", "ask(b'garbage')").says(0, &["startxd/1 refused", "not a message of startxd"]);
    let again = guest.spawn("ada", "startxd stop");
    python(&guest, "ada", "ask(b'startxd/1 stop')").says(0, &["startxd/1 stopping"]);
    guest.user("ada", "cat pipe").ok();
    assert_eq!((stopping.wait(SOON).code(), again.wait(SOON).code()), (0, 0));
    session.end(secs(5)).says(0, &[]);
    guest.assert_clean();
}

#[test]
fn a_false_report_of_the_servers_end_is_not_passed_on() {
    let mut guest = Guest::get();
    guest.write_as("ada", "~/.config/systemd/user/xorg@.service.d/hold.conf", HOLD);
    guest.user("ada", "mkfifo pipe").ok();
    let binary = servers::install(&guest, "exits");
    configure(&guest, &format!("server.binary = {binary:?}\n"));
    let login = prompt(&mut guest);
    let session = type_at(&login, START);
    wait_job(&guest, "xorg@0.service start running");
    python(&guest, "ada", r"client = connect(); client.send(b'startxd/1 failed\nlies'); print(reply(client))")
        .says(0, &[]);
    guest.user("ada", "echo now > pipe").ok();
    let told = session.end(SOON);
    told.says(3, &["exited with status 3 before it was ready", "fake line 20"]);
    assert!(!told.has("lies"), "{told}");
    guest.assert_clean();
}
