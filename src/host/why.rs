//! Why a session ended.

use std::fmt;
use std::time::Duration;

use crate::launch::Ending;
use crate::manager::ServiceEnd;

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The window manager, or what was given in its place, exited with 0 or was stopped.
    LoggedOut,
    /// It exited with 0 before a window manager managed the display: there was nothing to log out of.
    NeverUp {
        /// What it was, for people.
        what: String,
        /// How long it took.
        after: Duration,
    },
    /// The X server was told to end, and not by its unit: Ctrl+Alt+Backspace, or a signal.
    Zapped,
    /// `startxd stop`.
    Asked,
    /// A signal to the host: the login session ends, or a person pressed Ctrl+C while it started.
    /// Its name, as "SIGTERM".
    Signal(&'static str),
    /// Somebody stopped one of the session's targets.
    TargetStopped(&'static str),
    /// The session's unit failed for good.
    SessionFailed {
        /// The unit.
        unit: String,
        /// How its process ended.
        end: ServiceEnd,
        /// What it said, in lines for a terminal; empty if that is not known.
        last_lines: String,
    },
    /// The server did not come up, or crashed too often.
    ServerFailed {
        /// How its process ended, if it had one.
        ending: Option<Ending>,
        /// What the supervisor says, with the server's last lines.
        words: String,
    },
    /// A unit could not be started.
    NotStarted {
        /// The unit.
        unit: String,
        /// What the manager says.
        why: String,
    },
    /// The screen was locked, and its server ended, or lost its devices: another one would come up unlocked. How it
    /// ended, if that was what happened.
    Closed(Option<Ending>),
    /// The screen locker went again and again while the screen was locked, or cannot be had any more. What is known of it.
    LockerLost(String),
    /// The server ended while the screen was locked, and the screen of the next one could not be locked.
    NotRelocked,
    /// The user manager did not take the session's environment.
    NotExported(String),
    /// The user manager is gone.
    ManagerLost(String),
    /// The server lost its devices, and logind is not there to give them to another.
    LogindLost(String),
    /// The session's units did not stop in time.
    Stuck {
        /// How long was waited.
        waited: Duration,
    },
    /// The user manager did not answer while the session ended.
    ManagerSilent {
        /// How long was waited.
        waited: Duration,
    },
    /// The server did not end, killed or not.
    ServerStays {
        /// Its process.
        pid: i32,
        /// The process's state, as in /proc/PID/stat.
        state: char,
    },
}

/// What follows from the end of a server whose screen was locked.
const CLOSED: &str = "another one would be unlocked, so the session and its login were ended; log in again";

impl Why {
    /// This unit has failed for good.
    #[must_use]
    pub fn failed(unit: &str, end: ServiceEnd) -> Self {
        Self::SessionFailed { unit: unit.to_owned(), end, last_lines: String::new() }
    }

    /// The unit whose last lines belong to this, and the number of its process: its program ran, and failed.
    #[must_use]
    pub fn failed_program(&self) -> Option<(&str, u32)> {
        match self {
            Self::SessionFailed { unit, end, .. } if end.is_crash() => Some((unit, end.pid)),
            _ => None,
        }
    }

    /// Adds what that unit said last.
    pub fn add_last_lines(&mut self, lines: String) {
        if let Self::SessionFailed { last_lines, .. } = self {
            *last_lines = lines;
        }
    }

    /// Whether this is how sessions should end.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        matches!(self, Self::LoggedOut | Self::Zapped | Self::Asked | Self::Signal(_) | Self::TargetStopped(_))
    }

    /// Whether this is what the end of the user manager looks like, which stops its units first.
    #[must_use]
    pub const fn may_be_the_managers(&self) -> bool {
        matches!(self, Self::LoggedOut | Self::NeverUp { .. } | Self::TargetStopped(_))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoggedOut => write!(f, "logged out"),
            Self::NeverUp { what, after } => write!(
                f,
                "{what} exited with status 0 after {:.1} s, before a window manager managed the display; if it is a \
                 script, its last line has to be the window manager, without & behind it: exec openbox",
                after.as_secs_f32()
            ),
            Self::Zapped => write!(f, "the X server was told to end, by Ctrl+Alt+Backspace or a signal"),
            Self::Asked => write!(f, "stopped as asked"),
            Self::Signal(signal) => write!(f, "ended by {signal}"),
            Self::TargetStopped(target) => write!(f, "{target} was stopped"),
            Self::SessionFailed { unit, end, last_lines } => {
                /// systemd.exec(5), "Process Exit Codes".
                const EXIT_EXEC: i32 = 203;
                let how = match end.code {
                    nix::libc::CLD_EXITED if end.status == EXIT_EXEC => "could not be executed".to_owned(),
                    _ if end.is_out_of_memory() => "was ended because the system ran out of memory".to_owned(),
                    nix::libc::CLD_EXITED => format!("exited with status {}", end.status),
                    0 => "did not run".to_owned(),
                    _ => Ending::Signal(end.status).to_string(),
                };
                write!(f, "{unit} failed ({}: it {how}); ", end.result)?;
                match last_lines.as_str() {
                    "" => write!(f, "see: journalctl --user -b -u {unit}"),
                    lines => write!(f, "it said:\n{lines}"),
                }
            }
            Self::ServerFailed { words, ending } => match (words.as_str(), ending) {
                ("", Some(ending)) => write!(f, "the X server {ending}; see: journalctl --user -b -u 'xorg@*'"),
                ("", None) => write!(f, "the X server did not start; see: journalctl --user -b -u 'xorg@*'"),
                (words, _) => f.write_str(words),
            },
            Self::NotStarted { unit, why } => {
                write!(f, "{unit} could not be started ({why}); see: systemctl --user status {unit}")
            }
            Self::Closed(Some(ending)) => {
                write!(f, "the X server {ending} while the screen was locked; {CLOSED}")
            }
            Self::Closed(None) => {
                write!(f, "the X server lost its devices, or ended, while the screen was locked; {CLOSED}")
            }
            Self::LockerLost(what) => write!(
                f,
                "{what} while the screen was locked, and does not come back; the session and its login were ended so that \
                 nobody finds it open; log in again"
            ),
            Self::NotRelocked => {
                write!(
                    f,
                    "the X server ended while the screen was locked, and did not come back locked in time; {CLOSED}"
                )
            }
            Self::NotExported(why) => {
                write!(f, "the user manager refused the session's environment ({why}); see: journalctl --user -b")
            }
            Self::ManagerLost(why) => {
                write!(f, "the user manager is gone ({why}) and the session with it; log out and in again")
            }
            Self::LogindLost(why) => write!(
                f,
                "systemd-logind does not answer any more ({why}), so there are no devices for the X server; run: sudo \
                 systemctl restart systemd-logind, then log out and in again"
            ),
            Self::Stuck { waited } => write!(
                f,
                "the session did not go down within {} s and was ended by force; see: journalctl --user -b",
                waited.as_secs_f32()
            ),
            Self::ManagerSilent { waited } => write!(
                f,
                "the user manager did not answer within {} s, so the X server was ended without it; see: systemctl --user \
                 status, or log out and in again",
                waited.as_secs_f32()
            ),
            Self::ServerStays { pid, state } => write!(
                f,
                "the X server (pid {pid}, state {state}) does not end, although it was killed: the kernel or a driver holds \
                 it; see: sudo dmesg"
            ),
        }
    }
}
