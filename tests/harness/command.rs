//! Commands in the guest: as root or as a user, outside of any login session.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use super::guest::Guest;
use super::sys;
use super::wait::secs;

/// How long a command may take unless it says otherwise.
const DEADLINE: Duration = secs(30);

/// A shell command for the guest, before it is run.
#[must_use = "a command does nothing until it is run or spawned"]
pub struct Shell<'a> {
    guest: &'a Guest,
    user: Option<String>,
    script: String,
    env: Vec<(String, String)>,
    stdin: Vec<u8>,
    deadline: Duration,
}

impl<'a> Shell<'a> {
    pub(super) fn new(guest: &'a Guest, user: Option<&str>, script: &str) -> Self {
        let mut env = vec![
            ("LANG", "C.UTF-8".to_owned()),
            ("TERM", "dumb".to_owned()),
            ("SYSTEMD_PAGER", "cat".to_owned()),
            ("SYSTEMD_COLORS", "0".to_owned()),
        ];
        if let Some(user) = user {
            let runtime = format!("/run/user/{}", guest.uid(user));
            env.extend([
                ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
                ("HOME", format!("/home/{user}")),
                ("USER", user.to_owned()),
                ("LOGNAME", user.to_owned()),
                ("SHELL", "/bin/bash".to_owned()),
                ("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={runtime}/bus")),
                ("XDG_RUNTIME_DIR", runtime),
            ]);
        } else {
            let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
            env.extend([("PATH", path.to_owned()), ("HOME", "/root".to_owned())]);
        }
        Self {
            guest,
            user: user.map(str::to_owned),
            script: script.to_owned(),
            env: env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            stdin: Vec::new(),
            deadline: DEADLINE,
        }
    }

    /// Adds a variable to the command's environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the command's standard input; empty by default.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// How long [`run`](Self::run) waits; 30 s by default.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs the command to its end.
    ///
    /// # Panics
    /// When it cannot be started, or is not done by its deadline.
    pub fn run(self) -> Run {
        let deadline = self.deadline;
        self.spawn().wait(deadline)
    }

    /// Starts the command and returns at once. It is killed when the value is dropped.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(self) -> Background {
        let what = self.to_string();
        self.start().unwrap_or_else(|e| panic!("{what}: cannot start in the guest: {e}"))
    }

    /// The output of the command, or a sentence that says why there is none; for reports, which must not panic.
    pub(super) fn try_run(self) -> Result<String, String> {
        let deadline = self.deadline;
        let background = self.start().map_err(|e| format!("cannot start: {e}"))?;
        let _ = background.fate.within(deadline);
        Ok(background.stdout())
    }

    fn start(self) -> io::Result<Background> {
        let what = self.to_string();
        let (stdout, stderr) = (memory_file()?, memory_file()?);
        let mut stdin = memory_file()?;
        stdin.write_all(&self.stdin)?;
        stdin.seek(SeekFrom::Start(0))?;

        let mut command = Command::new("/bin/bash");
        command.args(["-c", &format!("cd\n{}", self.script)]);
        command.env_clear().envs(self.env);
        command.stdin(stdin).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
        let who = self.user.as_deref().map(|user| self.guest.account(user));
        sys::start_inside(&mut command, self.guest.process()?, self.guest.command_cgroup()?, who);
        let started = Instant::now();
        let fate = Fate::begin(&mut command)?;
        Ok(Background { fate, what, stdout, stderr, started })
    }
}

impl fmt::Display for Shell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.user.as_deref().unwrap_or("root"), self.script)
    }
}

/// An unnamed file in memory: output in it can be read at any time, and writers never block.
///
/// Several processes may write at once. Unlike in a file that was opened (fs/open.c, `FMODE_ATOMIC_POS`), they may take
/// the same offset, so that some output is lost. Appending avoids that.
fn memory_file() -> io::Result<File> {
    let file = File::from(memfd_create(c"startxd-test", MFdFlags::MFD_CLOEXEC)?);
    fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
    Ok(file)
}

/// The contents of `file` so far, whatever its offset, which the writer shares.
fn contents(file: &File) -> String {
    use std::os::unix::fs::FileExt;
    let mut bytes = Vec::new();
    let mut chunk = [0; 65536];
    while let Ok(n @ 1..) = file.read_at(&mut chunk, bytes.len() as u64) {
        bytes.extend_from_slice(&chunk[..n]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The process of a command, and how it ended.
struct Fate {
    pid: Pid,
    status: Mutex<Option<ExitStatus>>,
    ended: Condvar,
}

impl Fate {
    /// Starts a command, and a thread that waits for its end.
    fn begin(command: &mut Command) -> io::Result<Arc<Self>> {
        let mut child = command.spawn()?;
        let pid = Pid::from_raw(child.id().cast_signed());
        let fate = Arc::new(Self { pid, status: Mutex::default(), ended: Condvar::new() });
        let watched = Arc::clone(&fate);
        thread::spawn(move || watched.watch(&mut child));
        Ok(fate)
    }

    fn watch(&self, child: &mut Child) {
        // It is reaped only with the lock held, so that nobody kills the next process with its pid.
        while waitid(Id::Pid(self.pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
        let mut status = self.status();
        *status = child.wait().ok();
        self.ended.notify_all();
    }

    fn status(&self) -> MutexGuard<'_, Option<ExitStatus>> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the end; `None` if that takes longer.
    fn within(&self, deadline: Duration) -> Option<ExitStatus> {
        let waited = self.ended.wait_timeout_while(self.status(), deadline, |status| status.is_none());
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Sends `signal` to its process group, which is its own.
    fn kill(&self, signal: Signal) {
        let status = self.status();
        if status.is_none() {
            let _ = killpg(self.pid, signal);
        }
    }
}

/// A command that runs in the guest; killed, with its process group, when dropped.
pub struct Background {
    fate: Arc<Fate>,
    what: String,
    stdout: File,
    stderr: File,
    started: Instant,
}

impl Background {
    /// What it wrote to its standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        contents(&self.stdout)
    }

    /// What it wrote to its standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        contents(&self.stderr)
    }

    /// Whether it has not ended yet.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.fate.status().is_none()
    }

    /// Sends `signal` to its process group.
    pub fn kill(&self, signal: Signal) {
        self.fate.kill(signal);
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it is still running after `deadline`, with its output so far.
    pub fn wait(mut self, deadline: Duration) -> Run {
        let Some(status) = self.fate.within(deadline) else {
            panic!(
                "{}: still running after {:.1} s\nstdout: {}\nstderr: {}",
                self.what,
                deadline.as_secs_f32(),
                self.stdout(),
                self.stderr()
            );
        };
        Run {
            status,
            stdout: self.stdout(),
            stderr: self.stderr(),
            took: self.started.elapsed(),
            what: std::mem::take(&mut self.what),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if !self.is_running() {
            return;
        }
        self.kill(Signal::SIGKILL);
        let _ = self.fate.within(secs(5));
        // The other processes of its group are reaped by the guest's pid 1.
        let start = Instant::now();
        while killpg(self.fate.pid, None).is_ok() && start.elapsed() < secs(5) {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A command that has ended.
#[derive(Debug, Clone)]
pub struct Run {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
    /// From before its start until its end was noticed.
    pub took: Duration,
    what: String,
}

impl Run {
    /// A command that ran elsewhere: `what` with exit code `code`.
    pub fn ended(what: String, code: i32, stdout: String, stderr: String, took: Duration) -> Self {
        Self { status: ExitStatus::from_raw(code << 8), stdout, stderr, took, what }
    }

    /// The exit code; 128 plus the signal's number if a signal ended it, as in shells.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// Expects that the command succeeded, and returns itself.
    ///
    /// # Panics
    /// When the command failed, with everything known about it.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.status.success(), "{self}");
        self
    }

    /// Expects that the command failed, and returns itself.
    ///
    /// # Panics
    /// When the command succeeded, with everything known about it.
    #[track_caller]
    pub fn fails(self) -> Self {
        assert!(!self.status.success(), "should have failed: {self}");
        self
    }

    /// The trimmed output of a command that succeeded.
    ///
    /// # Panics
    /// When the command failed, with everything known about it.
    #[track_caller]
    #[must_use]
    pub fn text(self) -> String {
        self.ok().stdout.trim().to_owned()
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what)?;
        writeln!(f, "{} after {:.3} s", self.status, self.took.as_secs_f32())?;
        writeln!(f, "stdout: {}", self.stdout.trim_end())?;
        write!(f, "stderr: {}", self.stderr.trim_end())
    }
}

/// The next bytes from `file`; none at its end or on an error (a terminal that nobody has open returns one).
pub(super) fn read_once(file: &mut File) -> Vec<u8> {
    let mut chunk = vec![0; 4096];
    let n = file.read(&mut chunk).unwrap_or(0);
    chunk.truncate(n);
    chunk
}
