//! Facts about processes: how they ended, and what /proc tells about them. Names in it are bytes that a program has
//! chosen.

use std::{fmt, io};

use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::Pid;

use crate::small_file;

/// Major number of the virtual terminals (Documentation/admin-guide/devices.txt); minors 1 to 63 are tty1 to tty63.
const TTY_MAJOR: u64 = 4;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this status.
    Code(i32),
    /// A signal with this number ended it.
    Signal(i32),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with status {code}"),
            Self::Signal(number) => match Signal::try_from(*number) {
                Ok(signal) => write!(f, "was ended by {signal}"),
                Err(_) => write!(f, "was ended by signal {number}"),
            },
        }
    }
}

/// The number of the virtual terminal that controls this process, if one does.
///
/// The kernel checks it in every VT ioctl of the server (`vt_ioctl`: `current->signal->tty == tty`), so a session
/// cannot be started from a terminal emulator, a multiplexer's pane or an ssh login.
///
/// # Errors
/// /proc is not readable.
pub fn controlling_vt() -> io::Result<Option<u32>> {
    Ok(vt_of_stat(&stat("self")?))
}

/// All processes that /proc shows; none if it is not readable. Not of one moment: some may have ended, others begun.
pub fn processes() -> impl Iterator<Item = Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw))
}

/// The line of /proc/PID/stat.
///
/// # Errors
/// There is no such process, or /proc is not readable.
pub fn stat(pid: impl std::fmt::Display) -> io::Result<String> {
    small_file::text(format!("/proc/{pid}/stat").as_ref())
}

/// The virtual terminal in a line of /proc/PID/stat (proc_pid_stat(5), field 7 `tty_nr`).
///
/// `None` also for a line that is malformed.
#[must_use]
pub fn vt_of_stat(stat: &str) -> Option<u32> {
    let number: i64 = field(stat, 7)?.parse().ok()?;
    let device = u64::from(u32::try_from(number).ok()?);
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
    (major == TTY_MAJOR && (1..=63).contains(&minor)).then(|| u32::try_from(minor).ok()).flatten()
}

/// Whether the process of such a line is exiting, even if it cannot be reaped yet (field 9 `flags`; linux/sched.h,
/// `PF_EXITING`). Also true for a malformed line: the process is gone.
#[must_use]
pub fn is_exiting(stat: &str) -> bool {
    const PF_EXITING: u32 = 0x4;
    let flags = field(stat, 9).and_then(|flags| flags.parse::<u32>().ok());
    flags.is_none_or(|flags| flags & PF_EXITING != 0)
}

/// The state of the process of such a line (field 3), as "S" or "D".
#[must_use]
pub fn state(stat: &str) -> Option<char> {
    field(stat, 3)?.chars().next()
}

/// The parent of the process of such a line (field 4).
#[must_use]
pub fn parent(stat: &str) -> Option<Pid> {
    field(stat, 4)?.parse().ok().map(Pid::from_raw)
}

/// When the process of such a line was started (field 22), in the kernel's ticks since the boot.
#[must_use]
pub fn began(stat: &str) -> Option<f64> {
    field(stat, 22)?.parse().ok()
}

/// A field of such a line, numbered as in the manual, from 3 on.
fn field(stat: &str, number: usize) -> Option<&str> {
    // The second field, the name, may contain anything, including spaces and brackets: start after the last bracket.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(number - 3)
}

/// What /proc/PID/status tells (proc_pid_status(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status<'a> {
    /// The name of the program. The kernel escapes line breaks in it, and nothing else.
    pub name: &'a str,
    /// The real uid.
    pub uid: u32,
    /// The effective uid.
    pub effective: u32,
}

/// Takes the text of /proc/PID/status; `None` if it is malformed.
#[must_use]
pub fn status(text: &str) -> Option<Status<'_>> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let mut uids = field("Uid:")?.split_ascii_whitespace().map(str::parse);
    let (uid, effective) = (uids.next()?.ok()?, uids.next()?.ok()?);
    Some(Status { name: field("Name:")?, uid, effective })
}

/// Ignores SIGTSTP, SIGTTIN and SIGTTOU from now on.
///
/// A stopped host could not serve its session. Catching them is not enough: a background process that sets the
/// terminal's attributes gets SIGTTOU and has its call restarted, forever. The call succeeds only if the signal is
/// ignored or blocked (tty_ioctl(4), the kernel's `tty_check_change`).
///
/// # Errors
/// None in practice.
pub fn ignore_job_control() -> io::Result<()> {
    for signo in [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU] {
        // SAFETY: ignoring a signal installs no handler of ours.
        unsafe { signal(signo, SigHandler::SigIgn) }?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Pid, Status, began, is_exiting, parent, state, status, vt_of_stat};

    #[test]
    fn who_is_on_its_way_out() {
        for (stat, expected) in [
            ("12 (X org) S 1 12 12 0 -1 4194304 0", false),
            ("12 (X) 4) R 1 12 12 0 -1 4194308 0", true),
            ("12 (X) S 1 12 12 0 -1", true),
            ("", true),
        ] {
            assert_eq!(is_exiting(stat), expected, "{stat}");
        }
        assert_eq!((state("12 (X) 4) D 1 12"), state("12 (X"), state("")), (Some('D'), None, None));
        let line = "12 (X 1) S 1 12 12 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
        assert_eq!((began(line), began("12 (X) S 1")), (Some(4711.0), None));
        assert_eq!((parent("12 (X) 4) D 7 12"), parent("12 (X) D")), (Some(Pid::from_raw(7)), None));
    }

    #[test]
    fn what_a_status_tells() {
        let text = "Name:\ttmux: server\nUmask:\t0022\nState:\tS (sleeping)\nUid:\t1000\t0\t0\t0\nGid:\t5\t5\t5\t5\n";
        assert_eq!(status(text), Some(Status { name: "tmux: server", uid: 1000, effective: 0 }));
        for text in ["", "Name:\ta\n", "Name:\ta\nUid:\t1\n", "Uid:\t1\t1\n", "Name:\ta\nUid:\t-1\t1\n"] {
            assert_eq!(status(text), None, "{text:?}");
        }
    }

    #[test]
    fn controlling_terminal_is_read_from_stat() {
        let cases = [
            ("12 (bash) S 1 12 12 1025 12 4194304", Some(1)),
            ("12 (a) b) S 1 12 12 1031 12 4194304", Some(7)),
            ("12 (bash) S 1 12 12 0 -1 4194304", None),
            ("12 (bash) S 1 12 12 34816 12 4194304", None), // pts/0
            ("12 (bash) S 1 12 12 1088 12 4194304", None),  // ttyS0
            ("12 (bash) S 1 12 12 1024 12 4194304", None),  // tty0
            ("garbage", None),
            ("12 (bash) S 1", None),
        ];
        for (stat, expected) in cases {
            assert_eq!(vt_of_stat(stat), expected, "{stat}");
        }
    }
}
