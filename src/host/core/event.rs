//! What the core is told, and what it asks for.
//!
//! An [`Event`] carries everything that a decision needs: tasks of the driver find out what a unit did, whether systemd
//! restarts it and whether the server answers, before the core is told. An [`Action`] is one thing for the driver to
//! do. Actions are started in order, and their results come back as events.

use std::time::Duration;

use super::standing::Standing;
use crate::host::why::Why;
use crate::launch::{Ending, Reply};
use crate::manager::verdict::{Verdict, judge};
use crate::manager::{Mode, ServiceEnd, UnitState};
use crate::x11::display::Display;

/// A client of the launch socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub u64);

/// One request for a job, until the manager has answered with the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order(pub u32);

/// A job of the manager, by its object path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobId(pub String);

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFailure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// What the manager or the bus said, as shown to people.
    pub text: String,
}

/// The kinds of failure that a session distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The connection is gone. A new one may find the manager back.
    Disconnected,
    /// There was no answer in time.
    Silent,
    /// It was refused.
    Refused,
}

/// A unit as a look found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The unit's states.
    pub state: UnitState,
    /// How its main process ended last; queried only for a service that is not up.
    pub end: Option<ServiceEnd>,
    /// Whether its own policy never restarts it (`Restart=no`); queried only if it has failed.
    pub never_restarts: bool,
}

impl Observed {
    /// What this says about the unit.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        judge(&self.state, self.end.as_ref())
    }
}

/// The display's server when a look found that a unit of the session was not up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerSeen {
    /// Which server of the session it is; the first has number 1.
    pub number: u32,
    /// Whether it is ending: its process is exiting, or it answers nobody any more.
    pub is_ending: bool,
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The units that the look was for, in that order.
    pub units: Vec<(String, Observed)>,
    /// The server; `None` if there was none, or all units were up.
    pub server: Option<ServerSeen>,
}

/// What happened to the server's control of the login session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// The server has lost its devices, and why.
    Lost(&'static str),
    /// logind answers again and the session is in the foreground: a new server would get its devices.
    Possible,
    /// logind does not come back; the last error of logind or the bus.
    Gone(String),
}

/// A screen locker's unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockerUnit {
    /// Its name.
    pub unit: String,
    /// `ActiveState` (org.freedesktop.systemd1(5)).
    pub active: String,
    /// Whether it reports by itself when it locks (`Type=notify`, systemd.service(5)).
    pub notifies: bool,
}

impl LockerUnit {
    /// Whether it has reported that it locks.
    pub(super) fn is_ready(&self) -> bool {
        self.notifies && matches!(self.active.as_str(), "active" | "reloading")
    }

    /// Whether it runs, or is being started.
    pub(super) fn is_up(&self) -> bool {
        !matches!(self.active.as_str(), "inactive" | "failed")
    }
}

/// A limit for the time without input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleLimit {
    /// `idle.after`.
    After,
    /// `idle.lock`.
    Lock,
}

/// The two kinds of inhibitors of idleness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inhibitors {
    /// Those of logind (systemd-inhibit(1)).
    Logind,
    /// Programs on the user's message bus (`org.freedesktop.ScreenSaver`).
    Bus,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The preparation is done, and this is the session's display.
    Prepared(Display),
    /// The preparation has failed, and left nothing behind.
    NotPrepared,
    /// The environment was exported, or why it could not be.
    Exported(Result<(), CallFailure>),
    /// The manager has answered a request for a job.
    Queued(Order, Result<JobId, CallFailure>),
    /// A job of the manager has ended.
    JobDone {
        /// The job.
        job: JobId,
        /// Its result: "done", "failed", "dependency", "canceled" and more (org.freedesktop.systemd1(5), `JobRemoved`);
        /// for the server's unit, "dependency: " and a sentence that says why its socket is missing.
        result: String,
        /// How the main process of its unit ended, if the job failed and the unit is a service.
        end: Option<ServiceEnd>,
    },
    /// A property of this unit has changed.
    Changed(String),
    /// The look with this number is over.
    Looked(u32, Result<Seen, CallFailure>),
    /// Somebody has queued a job for a unit.
    UnitJob {
        /// The unit.
        unit: String,
        /// Whether it is a stop; `None` while that is being queried. The event is sent again when it is known.
        is_stop: Option<bool>,
    },
    /// A service has ended by itself, and its own policy (`Restart=`) restarts it.
    Restarts {
        /// The unit.
        unit: String,
        /// How its main process ended.
        end: ServiceEnd,
        /// The server at that time, if there was one.
        server: Option<ServerSeen>,
    },
    /// A request to start a unit again was answered.
    StartedAgain(String, Result<(), CallFailure>),
    /// A request to restart the server's unit was answered.
    ServerReplaced(Result<(), CallFailure>),
    /// The manager is connected again, after it or its bus was restarted.
    Reconnected,
    /// The manager is gone for good, and why.
    ManagerGone(String),
    /// The server's control of the login session has changed.
    Control(Control),
    /// The server answered one of our clients.
    Served,
    /// A window manager manages the display.
    Managed,
    /// No window manager does, and the deadline has passed.
    Unmanaged,
    /// The window manager's process runs in this unit.
    WindowManagerUnit(String),
    /// A supervisor asks for a server.
    LaunchAsked {
        /// The supervisor.
        client: ClientId,
        /// The display that it serves.
        display: Display,
        /// What is wrong with the descriptors that it sent.
        problem: Option<String>,
    },
    /// The server was forked for this supervisor, or could not be, and why.
    Forked(ClientId, Result<(), String>),
    /// The server has ended and was reaped.
    ServerEnded(Ending),
    /// A supervisor's last words about its server.
    LastWords(ClientId, String),
    /// Its server has exited with 0 although nobody told the supervisor to stop it; with its last words.
    ServerLeft(ClientId, String),
    /// A client asks for the end of the session.
    StopAsked(ClientId),
    /// A client has gone.
    ClientGone(ClientId),
    /// Whether the user manager should start the autostart programs, or why not.
    Autostart(Result<(), String>),
    /// Whether the screen is locked, as the locker told logind.
    LockedHint(bool),
    /// A client or logind asks to lock the screen.
    LockAsked(Option<ClientId>),
    /// Somebody asks to unlock it.
    UnlockAsked(Option<ClientId>),
    /// Whether a locker's window covers every monitor, with keyboard and pointer grabbed.
    Covered(bool),
    /// Our cover is on every monitor and has keyboard and pointer, on a server that has served no other client yet.
    CoveredFirst,
    /// The screen locker's command was started, or could not be, and why.
    LockerStarted(Result<(), String>),
    /// It has closed the descriptor that it was given: it locks.
    LockerLocks,
    /// It has ended.
    LockerEnded(Ending),
    /// The units of `startxd-lock.target`.
    Lockers(Result<Vec<LockerUnit>, CallFailure>),
    /// The machine is about to sleep, and logind waits this long; `None` if it does not wait for us.
    Sleeps(Option<Duration>),
    /// The machine woke up.
    Woke,
    /// Whether the time without input is past this limit.
    Idle(IdleLimit, bool),
    /// Whether there are inhibitors of this kind.
    IdleInhibited(Inhibitors, bool),
    /// The login session has left the foreground of its seat.
    LeftForeground,
    /// The state of the server, in answer to the question with this number; `None` if there is none.
    ServerLooked(u32, Option<ServerSeen>),
    /// A signal that ends the session, by its name.
    Interrupt(&'static str),
    /// The time of [`super::Session::due`] has come.
    Due,
    /// The programs that the window manager started are gone, as far as they can be ended.
    ApplicationsEnded {
        /// Whether something other than the host may still need the server: a client, or a unit of the session.
        needs_server: bool,
    },
    /// The units that require `xorg.target`, or are part of it.
    Dependents(Result<Vec<String>, CallFailure>),
    /// Whether the manager is exiting.
    ManagerStops(Result<bool, CallFailure>),
    /// The server does not end, not even when killed.
    ServerGivenUp {
        /// Its process.
        pid: i32,
        /// The process's state, as in /proc/PID/stat (proc_pid_stat(5)): "D" is an uninterruptible sleep.
        state: char,
    },
    /// The multiplexers have their own variables back.
    TakenBack,
    /// The terminal is restored.
    TerminalRestored,
    /// Everything that the preparation did is undone. With the last output of the unit that failed, if one did.
    PutBack(String),
    /// The login session is gone, as far as this process can tell.
    LoginClosed,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Take the session's place; [`Event::Prepared`] or [`Event::NotPrepared`] follows.
    Prepare,
    /// Stop preparing, and undo what was done so far.
    AbandonPreparation,
    /// Export the session's environment.
    Export,
    /// Start a unit.
    Start {
        /// The request.
        order: Order,
        /// The unit.
        unit: String,
        /// How its job affects others.
        mode: Mode,
    },
    /// Read `~/.Xresources` and the like, once for each server.
    ReadDotfiles {
        /// The request.
        order: Order,
        /// Whether they were read for an earlier server.
        again: bool,
    },
    /// Create the service that is the session, and start it.
    StartTransient(Order),
    /// Start the rescue command in the window manager's place.
    StartRescue(Order),
    /// Start a unit again without the delay that its own policy sets. This does not count for its start limit; the core
    /// limits it. [`Event::StartedAgain`] follows.
    StartAgain(String),
    /// Create a service of this session again. [`Event::StartedAgain`] follows.
    StartAnew(String),
    /// Report from now on when somebody stops one of these units, or when a user's own unit ends by itself and is
    /// restarted.
    WatchUnits(Vec<String>),
    /// Restart the server's unit.
    ReplaceServer,
    /// Look at units.
    Look {
        /// The look's number.
        number: u32,
        /// The units.
        units: Vec<String>,
    },
    /// Look at the server; [`Event::ServerLooked`] follows, with the same number.
    LookAtServer(u32),
    /// Record whether the login session ends with this one, for the process that ends it if this host dies.
    NoteClosing(bool),
    /// Connect to the manager again.
    Reconnect,
    /// Fork the server that this client has asked for.
    Fork(ClientId),
    /// Watch the display of the server that was just forked.
    Watch,
    /// Answer a client.
    Reply(ClientId, Reply),
    /// Refuse a client's request, and close its connection.
    Refuse(ClientId, String),
    /// Ask whether the user manager should start the autostart programs; [`Event::Autostart`] follows.
    AskForAutostart,
    /// Tell the last window manager of the display to end, or kill it: it has outlived its server.
    EndWindowManager {
        /// Whether to kill it.
        kill: bool,
    },
    /// Tell the server to end.
    TerminateServer,
    /// Kill the server.
    KillServer,
    /// Give the server up because the kernel does not end it; [`Event::ServerGivenUp`] says which process it is.
    GiveUpServer,
    /// Ask whether a new server would get its devices; [`Event::Control`] reports when it would.
    AskForDevices,
    /// Tell running multiplexers about the display.
    TellMultiplexers,
    /// Restore their own variables.
    TakeBackFromMultiplexers,
    /// End the programs that the window manager started.
    EndApplications,
    /// Ask which units depend on `xorg.target`.
    AskForDependents,
    /// Stop a unit.
    Stop {
        /// The request.
        order: Order,
        /// The unit.
        unit: String,
    },
    /// Kill what is left of a unit.
    Kill(String),
    /// Ask whether the manager is exiting.
    AskWhetherManagerStops,
    /// Put the environment of the user manager back, as nothing needs the session's any more. [`Action::PutBack`] does it
    /// otherwise, and waits for this.
    PutEnvironmentBack,
    /// Wait until the terminal is in text mode, and restore its settings.
    RestoreTerminal,
    /// Undo what the preparation did, and record how the session ended.
    PutBack(ManagerState, LastEnd),
    /// End the login session, and its shell with it.
    CloseLogin,
    /// Watch the display for screen lockers, and logind for requests to lock.
    WatchScreen,
    /// The same on a server that is yet to come, as its first client, which covers it at once; [`Event::CoveredFirst`]
    /// follows.
    CoverFirst,
    /// Check whether another program has grabbed keyboard or pointer, before a locker is started: it could not grab
    /// them.
    LookForGrabs,
    /// Run the screen locker's command; [`Event::LockerStarted`] follows.
    StartLocker,
    /// Tell the locker to end: its command, or else the client that covers the screen.
    EndLocker,
    /// Keep our cover below the locker's window. When that goes, the cover takes its place: it covers every monitor and
    /// has the keyboard.
    Cover,
    /// Remove it.
    Uncover,
    /// Ask which units `startxd-lock.target` has; [`Event::Lockers`] follows.
    AskForLockers,
    /// Ask the X server for its screen saver.
    AskForScreenSaver,
    /// Tell logind whether the screen is locked.
    SetLockedHint(bool),
    /// Tell logind whether nobody is at the screen.
    SetIdleHint(bool),
    /// Release the inhibitor: the machine may sleep.
    LetSleep,
}

/// How a session ended, for `startxd status` and the next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastEnd {
    /// Why.
    pub why: Why,
    /// How far it came.
    pub standing: Standing,
    /// Whether the screen was locked when it ended. Then the output of programs is not shown.
    pub is_locked: bool,
}

/// Whether the last step can use the manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagerState {
    /// It answers.
    There,
    /// It does not answer: what it holds is left to the next start, which finds it in the record.
    Silent,
    /// It is gone, and the session's environment with it.
    Gone,
}
