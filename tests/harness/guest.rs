//! A booted guest: `tests/guest/boot`, run by a thread of this process.

use std::collections::HashMap;
use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid, ttyname};

use super::SOON;
use super::command::{Background, Run, Shell};
use super::inside::Porter;
use super::vt::Vt;
use super::wait::{secs, wait_until};
use super::{command, sys};

/// What to boot.
#[derive(Debug, Clone)]
pub struct Options {
    /// Debian's name of the release: `bookworm`, `trixie` or `sid`.
    pub suite: String,
    /// Where the guest's changes are kept; a tmpfs that ends with the guest if `None`.
    pub upper: Option<PathBuf>,
    /// A `make install DESTDIR=` result that is laid over the tree.
    pub install: Option<PathBuf>,
    /// Without virtual terminals, like a server without a screen: such a guest runs beside others.
    pub headless: bool,
    /// With every window manager and desktop of the release: `tests/guest/make-zoo`.
    pub zoo: bool,
}

impl Default for Options {
    /// From the environment: `STARTXD_SUITE` (trixie if unset) and `STARTXD_DESTDIR` (nothing installed if unset).
    fn default() -> Self {
        Self {
            suite: env::var("STARTXD_SUITE").unwrap_or_else(|_| "trixie".to_owned()),
            upper: None,
            install: env::var_os("STARTXD_DESTDIR").filter(|dir| !dir.is_empty()).map(PathBuf::from),
            headless: false,
            zoo: false,
        }
    }
}

/// A Debian with its own systemd as pid 1. It ends, with all of its processes and mounts, when the value is dropped and
/// when this process ends, even if killed.
pub struct Guest {
    options: Options,
    /// The guest's pid 1, as seen from outside.
    init: i32,
    /// The same process, without the risk of a reused pid.
    process: Option<OwnedFd>,
    pub(super) porter: Porter,
    /// The supervisor, `tests/guest/boot`.
    boot: Pid,
    console: Arc<Mutex<Vec<u8>>>,
    keeper: Option<JoinHandle<()>>,
    uids: HashMap<String, u32>,
}

impl Guest {
    /// Boots a guest and waits until systemd reports `running`, with no failed unit.
    ///
    /// # Panics
    /// When this process is not root, the tree cannot be built, or the guest does not come up.
    #[must_use]
    pub fn boot(options: Options) -> Self {
        assert!(geteuid().is_root(), "these tests boot a system in namespaces: run them as root (sudo make check)");
        let tree = tree(if options.zoo { "make-zoo" } else { "make-tree" }, &options.suite);
        let console = Arc::default();
        let (keeper, messages) = keep(&options, &tree, &console);
        let boot = match messages.recv() {
            Ok(Message::Supervisor(pid)) => pid,
            _ => panic!("tests/guest/boot cannot be started"),
        };
        // From now on a failure ends what was started.
        let (keeper, porter) = (Some(keeper), Porter::default());
        let mut guest = Self { options, init: 0, process: None, porter, boot, console, keeper, uids: HashMap::new() };
        // Until it reports "locked", it may wait for other tests on this machine, for any length of time.
        let _ = messages.recv();
        guest.init = match messages.recv_timeout(secs(20)) {
            Ok(Message::Init(pid)) => pid,
            Err(RecvTimeoutError::Timeout) => panic!("the guest's pid 1 does not start"),
            _ => panic!("tests/guest/boot failed; its standard error says why"),
        };
        guest.process = sys::open_pid(guest.init).ok();
        guest.wait_running();
        guest.uids = guest.read_uids();
        guest
    }

    /// Boots the same system again, like a reboot; the contents of [`Options::upper`] remain.
    ///
    /// # Panics
    /// As [`boot`](Self::boot), and when there is no `upper`.
    pub fn reboot(&mut self) {
        assert!(self.options.upper.is_some(), "a guest without an upper directory forgets all when it ends");
        self.end();
        *self = Self::boot(self.options.clone());
    }

    /// Runs `script` as root in bash, outside of any session.
    ///
    /// # Panics
    /// When it does not end within 30 s; [`shell`](Self::shell) allows other deadlines.
    pub fn root(&self, script: &str) -> Run {
        self.shell(script).run()
    }

    /// Runs `script` in bash as `user`, with the environment of the user manager's bus, outside of any session.
    ///
    /// # Panics
    /// When it does not end within 30 s; [`shell_as`](Self::shell_as) allows other deadlines.
    pub fn user(&self, user: &str, script: &str) -> Run {
        self.shell_as(user, script).run()
    }

    /// A root command to add to before it is run or spawned.
    pub fn shell(&self, script: &str) -> Shell<'_> {
        Shell::new(self, None, script)
    }

    /// A user's command to add to before it is run or spawned.
    pub fn shell_as(&self, user: &str, script: &str) -> Shell<'_> {
        Shell::new(self, Some(user), script)
    }

    /// Runs `script` in bash as a service of `user`'s manager, with its environment, and waits until the manager has
    /// unloaded the service, which happens after systemd-run(1) has returned.
    ///
    /// # Panics
    /// When it does not end within 30 s.
    pub fn in_unit(&self, user: &str, script: &str) -> Run {
        static SERVICES: AtomicU32 = AtomicU32::new(0);
        let name = format!("in-unit-{}.service", SERVICES.fetch_add(1, Ordering::Relaxed));
        let service = format!("systemd-run --user --quiet --collect --wait --pipe --unit={name} bash -s");
        let run = self.shell_as(user, &service).stdin(script).run();
        let file = self.outside(&format!("/run/user/{}/systemd/transient/{name}", self.uid(user)));
        wait_until(&format!("{name} to be forgotten"), SOON, || if file.exists() { Err(name.clone()) } else { Ok(()) });
        run
    }

    /// Starts a command of `user` in the background; it is killed when the returned value is dropped.
    pub fn spawn(&self, user: &str, script: &str) -> Background {
        self.shell_as(user, script).spawn()
    }

    /// Copies the guest's file `path` to `to`, outside.
    ///
    /// # Panics
    /// When that fails.
    pub fn fetch(&self, path: &str, to: &Path) {
        let copied = fs::copy(self.outside(path), to);
        copied.unwrap_or_else(|e| panic!("copying the guest's {path} to {}: {e}", to.display()));
    }

    /// Virtual terminal `number`. All guests share the kernel's terminals, so there is one guest at a time.
    #[must_use]
    pub fn vt(&self, number: u8) -> Vt {
        Vt::new(number, self.outside("/dev"))
    }

    /// The guest's `path` as seen from outside. Absolute symbolic links in it would be resolved outside.
    #[must_use]
    pub fn outside(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.init))
    }

    /// The user id of `user`.
    ///
    /// # Panics
    /// When there is no such user.
    #[must_use]
    pub fn uid(&self, user: &str) -> u32 {
        // A case may have added one.
        let uid = self.uids.get(user).copied().or_else(|| self.read_uids().remove(user));
        uid.unwrap_or_else(|| panic!("the guest has no user {user}"))
    }

    /// Renames a user; numbers and home remain.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn rename(&mut self, user: &str, name: &str) {
        // logind remembers the name of a user who has been logged in.
        self.root(&format!(
            "sed -i 's/^{user}:/{name}:/' /etc/passwd /etc/shadow /etc/group; systemctl restart systemd-logind"
        ))
        .ok();
        let uid = self.uid(user);
        self.uids.insert(name.to_owned(), uid);
    }

    /// The guest's pid 1, as seen from outside.
    #[must_use]
    pub const fn init(&self) -> i32 {
        self.init
    }

    /// Whether it was booted from the zoo's tree.
    #[must_use]
    pub const fn is_zoo(&self) -> bool {
        self.options.zoo
    }

    /// Whether it has no virtual terminals.
    #[must_use]
    pub const fn is_headless(&self) -> bool {
        self.options.headless
    }

    /// The release.
    #[must_use]
    pub fn suite(&self) -> &str {
        &self.options.suite
    }

    /// What pid 1 printed on its console.
    #[must_use]
    pub fn boot_log(&self) -> String {
        let log = self.console.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&log).replace('\r', "")
    }

    /// Whether pid 1 still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        Path::new(&format!("/proc/{}/root/proc/1", self.init)).exists()
    }

    /// Pid 1, to enter its namespaces.
    pub(super) fn process(&self) -> io::Result<OwnedFd> {
        self.process.as_ref().ok_or(io::ErrorKind::NotFound)?.try_clone()
    }

    /// The control group for commands: neither pid 1's nor a session's.
    pub(super) fn command_cgroup(&self) -> io::Result<OwnedFd> {
        let procs = self.outside("/sys/fs/cgroup/harness/cgroup.procs");
        Ok(File::options().write(true).open(procs)?.into())
    }

    fn wait_running(&self) {
        wait_until("the guest to be running", secs(90), || {
            let run = self.shell("systemctl is-system-running --wait").deadline(secs(60)).run();
            match run.stdout.trim() {
                "running" => Ok(()),
                "degraded" => panic!(
                    "the guest booted with failed units: {}\nboot log:\n{}",
                    self.root("systemctl --failed; systemctl --failed --plain --no-legend | xargs systemctl status")
                        .stdout,
                    self.boot_log()
                ),
                _ => Err(format!("{run}\nboot log:\n{}", self.boot_log())),
            }
        });
    }

    fn read_uids(&self) -> HashMap<String, u32> {
        let passwd = self.read("/etc/passwd");
        let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
        fields.filter_map(|f| Some(((*f.first()?).to_owned(), f.get(2)?.parse().ok()?))).collect()
    }

    /// Ends the guest and waits until nothing of it is left.
    fn end(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            let _ = kill(self.boot, Signal::SIGTERM);
            let _ = keeper.join();
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.end();
    }
}

/// The tree of `suite`; built now, by one of the scripts, if it is not in the cache.
fn tree(make: &str, suite: &str) -> String {
    let made = Command::new(script(make)).arg(suite).stderr(Stdio::inherit()).output();
    let output = made.unwrap_or_else(|e| panic!("tests/guest/{make}: {e}"));
    assert!(output.status.success(), "tests/guest/{make} {suite} failed; its standard error says why");
    let stdout = String::from_utf8_lossy(&output.stdout);
    stdout.lines().next_back().unwrap_or_default().to_owned()
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest").join(name)
}

/// What the keeper reports about the supervisor.
enum Message {
    /// It runs, under this pid.
    Supervisor(Pid),
    /// We have the machine's terminals.
    Locked,
    /// The guest's pid 1, as seen from outside.
    Init(i32),
}

/// Starts the supervisor in a thread that lives as long as the supervisor.
///
/// The supervisor is told to end the guest when the *thread* that started it ends (`PR_SET_PDEATHSIG` is per thread,
/// and libtest gives every case its own). So this thread stays until the supervisor is gone. It also reads the console.
fn keep(options: &Options, tree: &str, console: &Arc<Mutex<Vec<u8>>>) -> (JoinHandle<()>, Receiver<Message>) {
    let (sender, receiver) = mpsc::channel();
    let terminal = nix::pty::openpty(None, None).unwrap_or_else(|e| panic!("a terminal for the guest's console: {e}"));
    let name = ttyname(&terminal.slave).unwrap_or_else(|e| panic!("the name of the guest's console: {e}"));

    let mut command = Command::new(script("boot"));
    if options.headless {
        command.arg("--headless");
    }
    command.arg("--console").arg(name);
    if let Some(dir) = &options.upper {
        fs::create_dir_all(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        command.arg("--upper").arg(absolute(dir));
    }
    if let Some(dir) = &options.install {
        command.arg("--install").arg(absolute(dir));
    }
    command.arg(tree).stdin(Stdio::null()).stdout(Stdio::piped());
    sys::start_bound(&mut command, Signal::SIGTERM);

    let reader = read_console(File::from(terminal.master), Arc::clone(console));
    let slave = terminal.slave;
    let keeper = thread::spawn(move || {
        let Ok(mut child) = command.spawn() else {
            return;
        };
        let _ = sender.send(Message::Supervisor(Pid::from_raw(child.id().cast_signed())));
        relay(&mut child, &sender);
        let _ = child.wait();
        // When the last descriptor of the console is closed, the reader ends.
        drop(slave);
        let _ = reader.join();
    });
    (keeper, receiver)
}

fn absolute(dir: &Path) -> PathBuf {
    fs::canonicalize(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
}

/// Passes on the supervisor's messages, until it ends.
fn relay(child: &mut Child, sender: &mpsc::Sender<Message>) {
    let Some(stdout) = child.stdout.take() else {
        return;
    };
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let message = match line.split_once(' ') {
            None if line == "locked" => Message::Locked,
            Some(("pid", pid)) => Message::Init(pid.parse().unwrap_or_default()),
            _ => continue,
        };
        let _ = sender.send(message);
    }
}

fn read_console(mut master: File, log: Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    thread::spawn(move || {
        loop {
            let bytes = command::read_once(&mut master);
            if bytes.is_empty() {
                return;
            }
            log.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        }
    })
}

/// How long a step of a login or a logout may take.
pub(super) const STEP: Duration = secs(15);
