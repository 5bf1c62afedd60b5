//! Every deadline, in one place: nothing waits without one.
//!
//! [`Deadlines`] can be configured, for slow machines. The constants are for waits that do
//! not depend on a machine's speed in practice, and for the pauses between two checks of something that sends no event.

use std::time::Duration;

use thiserror::Error;

/// The longest deadline that can be configured. A longer one would mean none, and nothing waits without a deadline.
pub const MAX: Duration = Duration::from_secs(3600);

/// For the answer to a call over a bus; later the service counts as hanging. The default of libdbus and sd-bus.
pub const CALL: Duration = Duration::from_secs(25);

/// For the message bus to pass on to the manager what it was told. One that has not by then does not at all (a dbus-daemon
/// without systemd).
pub const FORWARDED: Duration = Duration::from_secs(2);

/// For systemd to forget a unit that it has made and that has failed, which is the next thing that it does.
pub const FORGETS: Duration = Duration::from_secs(1);

/// For a killed process to be gone, which is the kernel's work alone.
pub const KILLED: Duration = Duration::from_secs(2);

/// For what D-Bus has activated for a session to end after SIGTERM; then it is killed.
pub const ACTIVATED: Duration = Duration::from_secs(2);

/// As [`KILLED`], for a server, which has to release the machine's devices.
pub const SERVER_KILLED: Duration = Duration::from_secs(10);

/// For a server that has closed its connections to be waitable: a process that ends does the one before the other.
pub const CLOSED: Duration = Duration::from_secs(1);

/// For what a dead server has written to come out of its pipe, where it is already.
pub const LEFT_IN_PIPE: Duration = Duration::from_millis(50);

/// For a journal that takes no lines to take some, while the server writes: its lines are dropped after that, and counted.
pub const JOURNAL: Duration = Duration::from_secs(1);

/// For the journal and the terminal to take what we say last, before the program ends.
pub const LAST_MESSAGES: Duration = Duration::from_millis(300);

/// Between two tries to write a message that was not taken.
pub const TRY_TO_LOG_AGAIN: Duration = Duration::from_millis(100);

/// For a display to answer somebody who only wants to know how it is.
pub const STATUS: Duration = Duration::from_secs(3);

/// What systemd adds to a deadline of ours that it enforces where we do not: ours comes first.
pub const BEHIND_OURS: Duration = Duration::from_secs(5);

/// For the process that tells whether a signal was for our whole process group, which answers at once, unless it was stopped.
pub const WITNESS: Duration = Duration::from_secs(1);

/// For somebody who works on a file of cookies that others write, too, and holds its lock for a moment.
pub const AUTHORITY_LOCK: Duration = Duration::from_millis(200);

/// After this time, that lock is one that a crash has left.
pub const AUTHORITY_LOCK_DEAD: Duration = Duration::from_secs(60);

/// Two copies of an autostart program begin within this time, if one session has started both. One that a person starts
/// is not expected to fall into it.
pub const BESIDE: Duration = Duration::from_secs(30);

/// Between two looks at what announces no change: a lock of flock(2), a terminal's mode, a file.
pub const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// As [`LOOK_AGAIN`], for what a person waits for and takes less than that.
pub const LOOK_AGAIN_SOON: Duration = Duration::from_millis(1);

/// Between two tries to reach a manager or a bus that is being restarted, and two looks at a server's socket.
pub const TRY_AGAIN: Duration = Duration::from_millis(20);

/// Between two tries to accept a client when there are no descriptors left, or this would spin until one is free.
pub const OUT_OF_DESCRIPTORS: Duration = Duration::from_secs(1);

/// The first pause before another attempt of a system unit, which doubles with each further failure.
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A window manager that exits with an error this soon after the server answers, and has managed nothing, has not come up:
/// an option that it does not know, a mistake in its configuration. Started again it would only say so once more.
pub const COMES_UP: Duration = Duration::from_secs(3);

/// For journalctl(1) to say what a unit that has failed said last.
pub const LAST_LINES: Duration = Duration::from_secs(1);

/// A session that its window manager leaves within this after it came up was hardly a session: a person may do that once,
/// and a login that begins the next one by itself must not do so forever.
pub const EARLY: Duration = Duration::from_secs(3);

/// A session that stood for so long begins a new row of failures if it then fails (`startxd start --backoff`). Above what
/// a server that crashes again and again needs to be given up.
pub const STEADY: Duration = Duration::from_secs(120);

/// Before the first question whether somebody redirects the root window: most window managers have told of themselves by
/// then. The pauses between the questions are never shorter than this,
pub const REDIRECT_FIRST: Duration = Duration::from_millis(100);

/// and never longer.
pub const REDIRECT_LAST: Duration = Duration::from_secs(10);

/// For a redirect of the root window to be taken for a window manager's: one with a better sign has told of itself by then.
pub const REDIRECT_HELD: Duration = Duration::from_secs(1);

/// For a user manager that re-executes itself to accept again the calls that it lost meanwhile.
pub const EXECUTES_ANEW: Duration = Duration::from_secs(5);

/// For a screen locker whose window is gone to end, which tells whether it has let somebody in. One that lives on has.
pub const LOCKER_ENDS: Duration = Duration::from_secs(1);

/// How long logind waits before a sleep by default (`InhibitDelayMaxSec=`, logind.conf(5)), if it does not say.
pub const DELAYS_SLEEP: Duration = Duration::from_secs(5);

/// For the machine to hear that nobody delays its sleep any more, before logind's own deadline is over.
pub const BEFORE_SLEEP: Duration = Duration::from_millis(500);

/// For the server's screen saver to be shown after its timeout, unless a client has suspended it.
pub const SAVER_LATE: Duration = Duration::from_secs(1);

/// For a window that covers the whole display to get the keyboard, if it is a screen locker's.
pub const GRABBED: Duration = Duration::from_secs(10);

/// For a screen locker to give up because another program has the keyboard: i3lock tries ten thousand times, which takes two
/// seconds, and six on a busy machine. One that still covers the screen then locks.
pub const GIVES_UP: Duration = Duration::from_secs(30);

/// For a screen locker that has created its window to grab keyboard and pointer, which our cover releases for that long.
pub const TAKES_OVER: Duration = Duration::from_secs(1);

/// Between two looks whether it has, of which the server does not tell.
pub const LOOK_FOR_GRAB: Duration = Duration::from_millis(20);

/// For a server that has dropped its clients to end.
pub const DROPS_CLIENTS: Duration = Duration::from_secs(5);

/// For a window manager to end with its server, and once more after it was told to.
pub const OUTLIVES_SERVER: Duration = Duration::from_secs(1);

/// For a window manager to end when its unit is stopped, then it is killed; programs have had `deadlines.applications`
/// before. systemd's own default is 90 seconds.
pub const WINDOW_MANAGER_STOP: Duration = Duration::from_secs(10);

/// One deadline, for the configuration and the manual.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its key in `startxd.toml`, `deadlines.NAME`.
    pub key: &'static str,
    /// What is waited for.
    pub doc: &'static str,
    /// Reads it.
    pub get: fn(&Deadlines) -> Duration,
    /// Gives access to it.
    pub get_mut: fn(&mut Deadlines) -> &mut Duration,
}

/// Makes the struct, its defaults and the table of its fields from one list, so that they cannot differ.
macro_rules! deadlines {
    ($($(#[doc = $doc:literal])+ $name:ident: $seconds:literal,)+) => {
        /// How long each thing is waited for. The defaults are those of a slow machine, not of a busy one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Deadlines {
            $($(#[doc = $doc])+ pub $name: Duration,)+
        }

        impl Default for Deadlines {
            fn default() -> Self {
                Deadlines { $($name: Duration::from_secs($seconds),)+ }
            }
        }

        impl Deadlines {
            /// All of them, in the order of a session's life.
            pub const FIELDS: &'static [Field] = &[$(Field {
                key: concat!("deadlines.", stringify!($name)),
                doc: concat!($($doc),+).trim_ascii(),
                get: |deadlines| deadlines.$name,
                get_mut: |deadlines| &mut deadlines.$name,
            },)+];
        }
    };
}

deadlines! {
    /// For the session's VT to become the active one: greeters hand over a moment late.
    vt_active: 5,
    /// For the user manager and its bus to answer, and for logind.
    user_manager: 10,
    /// For an earlier session of the same user to finish ending; above its own `stop`.
    going_down: 100,
    /// For the environment files, and each of ~/.Xresources, ~/.xprofile and the like, to be read; what has not been read by
    /// then is ignored.
    environment_files: 5,
    /// For the X server's setup reply, from the moment that it was started.
    server_ready: 30,
    /// For the host to answer the supervisor.
    launch: 5,
    /// For a window manager to manage the display, from the moment that the server is ready.
    window_manager: 30,
    /// For the screen to be locked, or open again, from the request.
    lock: 10,
    /// For what the window manager has started to end after SIGTERM, first of all at the end; then it is killed.
    applications: 30,
    /// For running multiplexers to take over the display's variables, or to give them back.
    multiplexers: 2,
    /// For a multiplexer to answer after its start.
    multiplexer_ready: 10,
    /// For what runs in a multiplexer's panes to end after SIGTERM and SIGHUP; then it is killed.
    multiplexer_stop: 20,
    /// For applications and window manager to stop; a little above systemd's 90 seconds, so that systemd decides.
    stop: 100,
    /// For the X server to exit after SIGTERM; then it is killed.
    server_stop: 10,
    /// For the VT to be back in text mode after the X server is gone.
    text_mode: 5,
    /// For the next attempt, at most, after sessions of a system unit that failed: 1, 2, 4, 8 seconds and so on.
    next_attempt: 60,
}

/// Why a number is not a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum BadDeadline {
    /// Zero, less, not a number, or too small to be a duration.
    #[error("a deadline of {0} seconds is not possible; write a number above 0")]
    NotPositive(f64),
    /// More than [`MAX`].
    #[error("a deadline of {0} seconds is too long: write at most {max}", max = MAX.as_secs())]
    TooLong(f64),
}

/// Takes seconds and returns the deadline.
///
/// # Errors
/// [`BadDeadline`] unless it is above 0 and at most [`MAX`].
pub fn from_seconds(seconds: f64) -> Result<Duration, BadDeadline> {
    if seconds > MAX.as_secs_f64() {
        return Err(BadDeadline::TooLong(seconds));
    }
    let deadline = Duration::try_from_secs_f64(seconds).ok();
    deadline.filter(|deadline| !deadline.is_zero()).ok_or(BadDeadline::NotPositive(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds() {
        for (seconds, millis) in [(1.0, 1000), (0.25, 250), (3600.0, 3_600_000)] {
            assert_eq!(from_seconds(seconds), Ok(Duration::from_millis(millis)), "{seconds}");
        }
        for seconds in [0.0, -0.0, -1.0, f64::NAN, f64::NEG_INFINITY, 1e-30] {
            assert!(matches!(from_seconds(seconds), Err(BadDeadline::NotPositive(_))), "{seconds}");
        }
        for seconds in [3600.001, 1e300, f64::INFINITY] {
            assert_eq!(from_seconds(seconds), Err(BadDeadline::TooLong(seconds)));
        }
    }

    #[test]
    fn the_table_reaches_each_field() {
        let mut deadlines = Deadlines::default();
        for (index, field) in Deadlines::FIELDS.iter().enumerate() {
            assert!(field.key.starts_with("deadlines.") && field.doc.starts_with("For "), "{field:?}");
            *(field.get_mut)(&mut deadlines) = Duration::from_secs(index as u64);
        }
        for (index, field) in Deadlines::FIELDS.iter().enumerate() {
            assert_eq!((field.get)(&deadlines), Duration::from_secs(index as u64), "{field:?}");
        }
    }
}
