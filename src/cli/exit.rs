//! Exit statuses, all of them.

use std::process::ExitCode;

use crate::attach::NotAttached;
use crate::displays;
use crate::host::checks::Refusal;
use crate::host::prepare::NotPrepared;
use crate::host::session_lock::NotLocked;
use crate::host::{Failure, Why};
use crate::multiplexer::attach as attaching;
use crate::multiplexer::enable::NotEnabled;
use crate::window_manager::enable as window_manager;

/// Makes the enum, and the table of all of them, from one list.
macro_rules! exits {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+) => {
        /// How the program ends. The numbers are an interface: scripts compare them, and the manual page lists them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Exit {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl Exit {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

exits! {
    /// All is well; for `start`: the session ended cleanly.
    Success = 0,
    /// The session ended badly.
    SessionFailed = 1,
    /// The command line was not understood.
    Usage = 2,
    /// The X server did not come up, or crashed too often.
    ServerFailed = 3,
    /// No session is up (`stop`, `status`).
    NotRunning = 4,
    /// `status`: a session is up and something is wrong with it.
    Degraded = 5,
    /// The system refused something that it should not.
    System = 6,
    /// `start --backoff`: the limit of sessions that fail in a row is reached with this one.
    GivenUp = 7,
    /// `lock`, `unlock`: the screen was not locked or unlocked within the deadline, or cannot be.
    NotLocked = 8,
    /// Run as root.
    Root = 10,
    /// `XDG_RUNTIME_DIR` is unset, not ours or not usable.
    NoRuntimeDir = 11,
    /// Not in a login session of our own.
    NoSession = 12,
    /// The session is not a person's: class other than user.
    WrongClass = 13,
    /// The session is remote.
    Remote = 14,
    /// The session has no seat.
    NoSeat = 15,
    /// The session has no virtual terminal, or this process is not on it.
    NoVt = 16,
    /// The virtual terminal is not in the foreground.
    NotActive = 17,
    /// The user manager or the user's bus does not answer.
    NoManager = 18,
    /// A graphical session of this user is up.
    AlreadyUp = 19,
    /// The last session is still going down.
    GoingDown = 20,
    /// logind does not answer.
    NoLogind = 21,
    /// There is no X server to run.
    NoServer = 22,
    /// There is no session to run, or not the one that was named.
    NothingToRun = 23,
    /// The display is taken, or displays cannot be made.
    NoDisplay = 24,
    /// `select`: nothing was chosen.
    Cancelled = 25,
    /// `HOME` is unset, or no directory.
    NoHome = 26,
    /// Setting something up for others needs root.
    NotRoot = 30,
    /// Something cannot be set up, or was not set up and cannot be undone; nothing was changed.
    NotSetUp = 31,
    /// `doctor`: the worst that was found is a warning; `config show`: something is wrong with a value.
    Warnings = 40,
    /// `doctor`: an error was found.
    Faults = 41,
    /// `display run`: the command cannot be executed; the status that shells use.
    NotExecutable = 126,
    /// `display run`: there is no such command; the status that shells use.
    NoCommand = 127,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<&Refusal> for Exit {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Root(_) => Self::Root,
            Refusal::NoRuntimeDir(_) => Self::NoRuntimeDir,
            Refusal::NoHome(..) => Self::NoHome,
            Refusal::NoLogind(_) => Self::NoLogind,
            Refusal::NoSession { .. } | Refusal::UnknownLogin { .. } | Refusal::OthersSession { .. } => Self::NoSession,
            Refusal::WrongClass { .. } => Self::WrongClass,
            Refusal::Remote { .. } => Self::Remote,
            Refusal::NoSeat { .. } => Self::NoSeat,
            Refusal::NoVt { .. } | Refusal::NotOnVt { .. } => Self::NoVt,
            Refusal::NotActive { .. } | Refusal::NotActiveOnSeat { .. } => Self::NotActive,
            Refusal::NoManager(_) => Self::NoManager,
            Refusal::AlreadyUp(_) => Self::AlreadyUp,
            Refusal::GoingDown { .. } => Self::GoingDown,
        }
    }
}

impl From<&NotAttached> for Exit {
    fn from(failure: &NotAttached) -> Self {
        match failure {
            NotAttached::Root(_) => Self::Root,
            NotAttached::AlreadyUp(_) => Self::AlreadyUp,
            NotAttached::NoRuntimeDir(_) | NotAttached::Write(_) => Self::NoRuntimeDir,
            NotAttached::NoManager(_) | NotAttached::Manager(_) => Self::NoManager,
            NotAttached::NotInside | NotAttached::NotHere { .. } | NotAttached::Display { .. } => Self::NoDisplay,
            NotAttached::NotStarted { .. } | NotAttached::NotStopped { .. } => Self::SessionFailed,
            NotAttached::Nothing => Self::NotRunning,
        }
    }
}

impl From<&NotEnabled> for Exit {
    fn from(failure: &NotEnabled) -> Self {
        match failure {
            NotEnabled::Root => Self::Root,
            NotEnabled::Name(_) => Self::Usage,
            NotEnabled::NoRuntimeDir(_) => Self::NoRuntimeDir,
            NotEnabled::NoManager(_) => Self::NoManager,
            NotEnabled::NoHome => Self::NoHome,
            _ => Self::NotSetUp,
        }
    }
}

impl From<&window_manager::NotEnabled> for Exit {
    fn from(failure: &window_manager::NotEnabled) -> Self {
        use window_manager::NotEnabled;
        match failure {
            NotEnabled::Root => Self::Root,
            NotEnabled::NoRuntimeDir(_) => Self::NoRuntimeDir,
            NotEnabled::NoManager(_) => Self::NoManager,
            NotEnabled::NoHome => Self::NoHome,
            NotEnabled::NoSession(_) | NotEnabled::NoneInstalled => Self::NothingToRun,
            _ => Self::NotSetUp,
        }
    }
}

impl From<&attaching::NotInMultiplexer> for Exit {
    fn from(failure: &attaching::NotInMultiplexer) -> Self {
        match failure {
            attaching::NotInMultiplexer::NotUsable(NotEnabled::NotInstalled(_)) => Self::NothingToRun,
            attaching::NotInMultiplexer::NotUsable(failure) => failure.into(),
            attaching::NotInMultiplexer::Inside(_) => Self::AlreadyUp,
            attaching::NotInMultiplexer::NoTerminal => Self::NoVt,
            attaching::NotInMultiplexer::NotStarted { .. } => Self::SessionFailed,
            attaching::NotInMultiplexer::NotRun { .. } => Self::NothingToRun,
        }
    }
}

impl From<&Failure> for Exit {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::NoServer(_) => Self::NoServer,
            Failure::NoSession(_) => Self::NothingToRun,
            Failure::NotPrepared(NotPrepared::NotLocked(NotLocked::Busy)) => Self::AlreadyUp,
            Failure::NotPrepared(NotPrepared::NotLocked(_) | NotPrepared::Write(_)) => Self::NoRuntimeDir,
            Failure::NotPrepared(NotPrepared::Environment(_)) => Self::NoManager,
            Failure::NotPrepared(_) => Self::NoDisplay,
            Failure::System(_) => Self::System,
            Failure::Ended(why) => why.into(),
        }
    }
}

impl From<&Why> for Exit {
    /// How `start` ends after a session that ended badly.
    fn from(why: &Why) -> Self {
        match why {
            Why::ServerFailed { .. } => Self::ServerFailed,
            _ => Self::SessionFailed,
        }
    }
}

impl From<&displays::Failure> for Exit {
    fn from(failure: &displays::Failure) -> Self {
        use displays::Failure;
        match failure {
            Failure::Usage(_) | Failure::SessionUnit(_) => Self::Usage,
            Failure::NoRuntimeDir(_) | Failure::Write(_) => Self::NoRuntimeDir,
            Failure::NoProgram(_) | Failure::NoHostDisplay => Self::NoServer,
            Failure::NoSession(_) => Self::NothingToRun,
            Failure::SocketDir(_)
            | Failure::NoSocketDir(_)
            | Failure::Taken { .. }
            | Failure::NoNumber(_)
            | Failure::NoSockets(..) => Self::NoDisplay,
            Failure::Yours(_) => Self::AlreadyUp,
            Failure::Unknown(_) | Failure::NotReady(_) | Failure::NoSessionUp => Self::NotRunning,
            Failure::NoManager(_) | Failure::Call(_) | Failure::NoSystemd | Failure::SessionWithoutSystemd => {
                Self::NoManager
            }
            Failure::ServerFailed(_) | Failure::NotStarted { .. } => Self::ServerFailed,
            Failure::NotManaged(..) | Failure::SessionFailed(_) | Failure::NotGone(..) => Self::SessionFailed,
            Failure::Interrupted(_) | Failure::Unwatched | Failure::System(_) => Self::System,
            Failure::NoCommand(_) => Self::NoCommand,
            // Shells tell these two apart in the same way.
            Failure::NotExecutable(_, error) if error.kind() == std::io::ErrorKind::NotFound => Self::NoCommand,
            Failure::NotExecutable(..) => Self::NotExecutable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;
    use crate::host::checks::Refusal;
    use crate::presence::IsRoot;

    #[test]
    fn statuses_are_an_interface() {
        let numbers = [
            (Exit::Success, 0),
            (Exit::SessionFailed, 1),
            (Exit::Usage, 2),
            (Exit::ServerFailed, 3),
            (Exit::NotRunning, 4),
            (Exit::GivenUp, 7),
            (Exit::Root, 10),
            (Exit::AlreadyUp, 19),
            (Exit::NoDisplay, 24),
            (Exit::Cancelled, 25),
            (Exit::NotRoot, 30),
            (Exit::NotSetUp, 31),
            (Exit::Warnings, 40),
            (Exit::Faults, 41),
            (Exit::NotExecutable, 126),
            (Exit::NoCommand, 127),
        ];
        for (exit, number) in numbers {
            assert_eq!(exit as u8, number, "{exit:?}");
        }
        assert_eq!(Exit::from(&Refusal::Root(IsRoot)), Exit::Root);
    }
}
