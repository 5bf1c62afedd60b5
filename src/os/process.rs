//! Facts about our own process.

use std::io;

use nix::sys::signal::{SigHandler, Signal, signal};

/// Major number of the virtual terminals (Documentation/admin-guide/devices.txt); minors 1 to 63 are tty1 to tty63.
const TTY_MAJOR: u64 = 4;

/// The number of the virtual terminal that controls this process, if one does.
///
/// The kernel asks for it in every VT ioctl of the server (`vt_ioctl`: `current->signal->tty == tty`), so a session
/// cannot be started from a terminal emulator, a multiplexer's pane or an ssh login.
///
/// # Errors
/// /proc is not readable.
pub fn controlling_vt() -> io::Result<Option<u32>> {
    Ok(vt_of_stat(&std::fs::read_to_string("/proc/self/stat")?))
}

/// The virtual terminal in a line of /proc/PID/stat (proc_pid_stat(5), field 7 `tty_nr`).
///
/// `None` also for a line that is none.
#[must_use]
pub fn vt_of_stat(stat: &str) -> Option<u32> {
    // The second field, the name, may contain anything, also spaces and brackets: start after its last bracket.
    let (_, rest) = stat.rsplit_once(')')?;
    let number: i64 = rest.split_ascii_whitespace().nth(4)?.parse().ok()?;
    let device = u64::from(u32::try_from(number).ok()?);
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
    (major == TTY_MAJOR && (1..=63).contains(&minor)).then(|| u32::try_from(minor).ok()).flatten()
}

/// Ignores SIGTSTP, SIGTTIN and SIGTTOU from now on.
///
/// A stopped host could not serve its session. Catching them would not do: a background process that sets the
/// terminal's settings would get SIGTTOU and have its call restarted, for ever; only where the signal is ignored or
/// blocked does the call go through (tty_ioctl(4), the kernel's `tty_check_change`).
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
    use super::vt_of_stat;

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
