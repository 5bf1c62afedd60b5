//! One machine for the cases of a program, each starting from the same state after the first boot.

use std::cell::Cell;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::{Machine, Options, SOON};

static SHARED: Mutex<Option<Machine>> = Mutex::new(None);

/// The snapshot of a machine on which ada's desktop has just come up.
const READY: &str = "ready";

/// A machine, for the duration of a case.
///
/// When the case has failed, a report is printed, a screenshot is taken, and the machine is thrown away. When it has
/// passed, it still fails if startxd crashed meanwhile.
pub struct Case {
    machine: MutexGuard<'static, Option<Machine>>,
    is_kept: Cell<bool>,
}

impl Case {
    /// The machine that the cases share: ada is at her desktop on tty1, by autologin.
    ///
    /// # Panics
    /// When it does not boot.
    pub fn desktop() -> Self {
        let slot = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let is_there = slot.is_some();
        let mut case = Self { machine: slot, is_kept: Cell::new(true) };
        if is_there {
            case.load(READY);
            return case;
        }
        *case.machine = Some(Machine::switch_on(&Options::default()));
        case.is_at_login();
        case.has_terminal();
        case.save(READY);
        case
    }

    /// A machine for this case alone, just switched on.
    ///
    /// # Panics
    /// When QEMU does not start.
    pub fn exclusive(options: &Options) -> Self {
        let mut slot = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        // The old one must end first: there is one at a time.
        *slot = None;
        *slot = Some(Machine::switch_on(options));
        Self { machine: slot, is_kept: Cell::new(false) }
    }

    /// Throws the machine away after this case, without checking for crashes: it is off.
    pub fn discard(&self) {
        self.is_kept.set(false);
    }

    /// Waits until the agent answers and somebody can log in.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn is_at_login(&self) {
        self.until_root("multi-user.target", "systemctl --quiet is-active multi-user.target");
    }

    /// Expects that startxd has not killed or given up anything since the boot.
    ///
    /// # Panics
    /// When its journal says that it has.
    pub fn nothing_was_forced(&self) {
        let journal = self.root("journalctl -b --no-pager -q -o cat -t startxd").text();
        assert!(!journal.contains("killed") && !journal.contains("did not"), "{journal}");
    }

    /// Lines of the journal that report a crash of startxd.
    fn crashes(&self) -> String {
        let script = "journalctl -b --no-pager --no-hostname -q -o cat | \
            grep -aE 'panicked at|startxd.*(segfault|dumped core|traps:)|(startxd|host).*code=dumped'";
        self.try_run(None, script, SOON)
    }
}

/// Where the screenshots of cases are stored.
pub fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("vm")
}

impl Drop for Case {
    #[expect(clippy::print_stderr, reason = "libtest captures it and shows it with the case's failure")]
    fn drop(&mut self) {
        let failed = thread::panicking();
        let Some(machine) = &*self.machine else { return };
        let is_off = machine.is_off();
        let crashes = if failed || is_off { String::new() } else { self.crashes() };
        if failed || !crashes.is_empty() {
            let name = thread::current().name().unwrap_or("case").replace("::", "-");
            let _ = std::fs::create_dir_all(pictures());
            let report = machine.report(&pictures().join(format!("{name}-{}.png", machine.suite())));
            eprintln!("{report}");
        }
        if failed || !crashes.is_empty() || !self.is_kept.get() {
            *self.machine = None;
        }
        assert!(crashes.is_empty(), "startxd crashed during the case: {crashes}");
    }
}

impl Deref for Case {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        self.machine.as_ref().unwrap_or_else(|| unreachable!("a case has its machine until it is dropped"))
    }
}
