//! One guest for all cases of a test program, and one case at a time.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use nix::libc::O_NONBLOCK;

use super::guest::{Guest, Options};
use super::login::Login;
use super::snapshot::Snapshot;
use super::wait::secs;

static SHARED: Mutex<Option<Guest>> = Mutex::new(None);

/// The guest, for the duration of a case.
///
/// When the case has passed, everybody is logged out. The case then fails after all if startxd crashed meanwhile, or if
/// something of ada's is left that was not there before. When the case has failed, the guest's [report](Guest::report)
/// is printed and the guest is thrown away.
pub struct Case {
    guest: MutexGuard<'static, Option<Guest>>,
    started: SystemTime,
    baseline: Snapshot,
    kernel_log: Option<File>,
    crash_expected: bool,
    discard: bool,
}

impl Guest {
    /// The guest that all cases of this process share, pristine; booted if there is none.
    ///
    /// # Panics
    /// When it does not boot.
    #[must_use]
    pub fn get() -> Case {
        Case::begin(Options::default(), false)
    }

    /// Like [`get`](Self::get), but a guest without virtual terminals: it need not wait for other guests.
    ///
    /// # Panics
    /// When it does not boot.
    #[must_use]
    pub fn headless() -> Case {
        Case::begin(Options { headless: true, ..Options::default() }, false)
    }

    /// Like [`get`](Self::get), but a guest with every window manager and desktop of the release. Its tree takes
    /// minutes to build, so this is for cases that are ignored by default.
    ///
    /// # Panics
    /// When it does not boot.
    #[must_use]
    pub fn zoo() -> Case {
        Case::begin(Options { zoo: true, ..Options::default() }, false)
    }

    /// A guest for this case alone, booted with `options`.
    ///
    /// # Panics
    /// When it does not boot.
    #[must_use]
    pub fn exclusive(options: Options) -> Case {
        Case::begin(options, true)
    }
}

impl Case {
    fn begin(options: Options, discard: bool) -> Self {
        let mut slot = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |guest: &Guest| {
            guest.is_alive() && guest.is_headless() == options.headless && guest.is_zoo() == options.zoo
        };
        if discard || !slot.as_ref().is_some_and(fits) {
            // The old one must end first: there is one guest at a time.
            *slot = None;
        }
        let guest = slot.get_or_insert_with(|| Guest::boot(options));
        guest.reset();
        let baseline = guest.snapshot();
        let started = SystemTime::now();
        Self { guest: slot, started, baseline, kernel_log: kernel_log(), crash_expected: false, discard }
    }

    /// When the case began.
    #[must_use]
    pub const fn started(&self) -> SystemTime {
        self.started
    }

    /// The journal since the case began, with `options` of `journalctl(1)`.
    #[must_use]
    pub fn journal(&self, options: &str) -> String {
        self.journal_since(self.started, options)
    }

    /// Logs ada in on tty1 by autologin, waits for the prompt, and takes the state then as the one that
    /// [`assert_clean`](Self::assert_clean) compares with.
    ///
    /// # Panics
    /// When there is no prompt within 15 s.
    pub fn at_prompt(&mut self) -> Login {
        let login = self.login_autologin(1);
        self.set_baseline();
        login
    }

    /// Takes the current state as the one that [`assert_clean`](Self::assert_clean) compares with.
    pub fn set_baseline(&mut self) {
        self.baseline = self.snapshot();
    }

    /// Fails if anything of ada's differs from the baseline.
    ///
    /// # Panics
    /// With a list of what was left behind or is missing.
    #[track_caller]
    pub fn assert_clean(&self) {
        self.assert_as(&self.baseline);
    }

    /// A crash of startxd is part of this case and does not fail it.
    pub const fn expect_crash(&mut self) {
        self.crash_expected = true;
    }

    /// Throws the guest away after this case, because the case changes what [`Guest::get`] cannot undo.
    pub const fn discard(&mut self) {
        self.discard = true;
    }

    /// Lines of the journal and of the kernel's log that report a crash of startxd.
    fn crashes(&mut self) -> Vec<String> {
        let mut log = self.journal("-o short");
        log.push_str(&self.kernel_log.as_mut().map(read_kernel_log).unwrap_or_default());
        let crash = |line: &&str| {
            let ours = line.contains("startxd") || line.contains("xorg@");
            line.contains("panicked at")
                || ours
                    && ["segfault", "core dumped", "dumped core", "code=dumped", "traps:"]
                        .iter()
                        .any(|w| line.contains(w))
        };
        log.lines().filter(crash).map(str::to_owned).collect()
    }

    /// Ends a case that has passed so far; says what is wrong, if anything.
    fn finish(&mut self) -> Result<(), String> {
        let crashes = self.crashes();
        if !crashes.is_empty() && !self.crash_expected {
            return Err(format!("startxd crashed during the case:\n{}", crashes.join("\n")));
        }
        self.log_everybody_out();
        let left = self.snapshot();
        let difference = left.since(&Snapshot::default());
        if difference.is_empty() {
            return Ok(());
        }
        Err(format!("with everybody logged out, something of ada's is left:\n{difference}"))
    }
}

impl Drop for Case {
    #[expect(clippy::print_stderr, reason = "libtest captures it and shows it with the case's failure")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.report(self.started));
            *self.guest = None;
            return;
        }
        let alive = self.is_alive();
        let result = if alive { self.finish() } else { Ok(()) };
        if let Err(problem) = result {
            let report = self.report(self.started);
            *self.guest = None;
            panic!("{problem}\n{report}");
        }
        if self.discard || !alive {
            *self.guest = None;
        }
    }
}

impl Deref for Case {
    type Target = Guest;

    fn deref(&self) -> &Guest {
        self.guest.as_ref().unwrap_or_else(|| unreachable!("a case has its guest until it is dropped"))
    }
}

impl DerefMut for Case {
    fn deref_mut(&mut self) -> &mut Guest {
        self.guest.as_mut().unwrap_or_else(|| unreachable!("a case has its guest until it is dropped"))
    }
}

/// The kernel's log from now on, which reports segmentation faults. `None` if it may not be read.
fn kernel_log() -> Option<File> {
    let mut log = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open("/dev/kmsg").ok()?;
    log.seek(SeekFrom::End(0)).ok()?;
    Some(log)
}

fn read_kernel_log(log: &mut File) -> String {
    let mut text = String::new();
    let mut record = [0; 8192];
    // One record per read; EPIPE means that some were lost, EAGAIN that there are no more.
    loop {
        match log.read(&mut record) {
            Ok(n @ 1..) => text.push_str(&String::from_utf8_lossy(&record[..n])),
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => {}
            _ => return text,
        }
    }
}

/// How long a person would wait for a session to start or end: the deadline of most waits in cases.
pub const SOON: Duration = secs(15);
