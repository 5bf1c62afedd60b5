//! What the core hears, and what it asks for.
//!
//! An [`Event`] carries everything that a decision needs: what a unit did, whether it restarts itself, whether the server
//! answers is found out by tasks of the driver before the core hears of it. An [`Action`] is one thing for the driver to do;
//! actions are begun in their order, and what comes of one comes back as an event.

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
    /// What the manager or the bus said, for people.
    pub text: String,
}

/// The kinds of failure that a session tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The connection is gone. The manager may be back on the next one.
    Disconnected,
    /// There was no answer in time.
    Silent,
    /// The answer was no.
    Refused,
}

/// A unit as a look has found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Its states.
    pub state: UnitState,
    /// How its main process ended last; asked for only if the unit is a service that is not up.
    pub end: Option<ServiceEnd>,
    /// Whether its own policy never starts it again (`Restart=no`); asked for only if it has failed.
    pub never_restarts: bool,
}

impl Observed {
    /// What this says of the unit.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        judge(&self.state, self.end.as_ref())
    }
}

/// The display's server as a look has found it, when a unit of the session was not up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerSeen {
    /// Which server of the session it is; the first has number 1.
    pub number: u32,
    /// Whether it is on its way out: its process is exiting, or it serves nobody any more.
    pub is_ending: bool,
}

/// What a look has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The units that were to be looked at, in that order.
    pub units: Vec<(String, Observed)>,
    /// The server; `None` if there was none, or all units were up.
    pub server: Option<ServerSeen>,
}

/// What happened to the server's control of its login session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// The server has lost its devices, and why.
    Lost(&'static str),
    /// logind answers again, and the session is in the foreground: a new server would get its devices.
    Possible,
    /// logind does not come back; what it, or the bus, said last.
    Gone(String),
}

/// A screen locker's unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockerUnit {
    /// Its name.
    pub unit: String,
    /// `ActiveState` (org.freedesktop.systemd1(5)).
    pub active: String,
    /// Whether it says itself when it locks (`Type=notify`, systemd.service(5)).
    pub notifies: bool,
}

impl LockerUnit {
    /// Whether it has said that it locks.
    pub(super) fn is_ready(&self) -> bool {
        self.notifies && matches!(self.active.as_str(), "active" | "reloading")
    }

    /// Whether it runs, or is about to.
    pub(super) fn is_up(&self) -> bool {
        !matches!(self.active.as_str(), "inactive" | "failed")
    }
}

/// A time without input after which something follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleLimit {
    /// `idle.after`.
    After,
    /// `idle.lock`.
    Lock,
}

/// Who may be in the way of idleness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inhibitors {
    /// Those that logind has (systemd-inhibit(1)).
    Logind,
    /// Programs on the user's message bus (`org.freedesktop.ScreenSaver`).
    Bus,
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The preparation is done; the session has this display.
    Prepared(Display),
    /// The preparation has failed, and nothing of it is left.
    NotPrepared,
    /// The environment was exported, or why it could not be.
    Exported(Result<(), CallFailure>),
    /// The manager has answered a request for a job.
    Queued(Order, Result<JobId, CallFailure>),
    /// A job of the manager has ended.
    JobDone {
        /// Which.
        job: JobId,
        /// Its result: "done", "failed", "dependency", "canceled" and more (org.freedesktop.systemd1(5), `JobRemoved`); for
        /// the server's unit "dependency: " and a sentence that says why its socket is not there.
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
        /// Whether it is a stop; `None` while that is being asked. The same job is told once more when it is known.
        is_stop: Option<bool>,
    },
    /// A service has ended by itself, and its own policy (`Restart=`) starts it again.
    Restarts {
        /// The unit.
        unit: String,
        /// How its main process ended.
        end: ServiceEnd,
        /// The server at that moment, if there was one.
        server: Option<ServerSeen>,
    },
    /// A unit that was to be started again was asked for, or cannot be.
    StartedAgain(String, Result<(), CallFailure>),
    /// The restart of the server's unit was asked for, or cannot be.
    ServerReplaced(Result<(), CallFailure>),
    /// The manager is connected again, after its bus or the manager itself was restarted.
    Reconnected,
    /// The manager is gone for good, and why.
    ManagerGone(String),
    /// The server's control of the login session has changed.
    Control(Control),
    /// The server answered a client of ours.
    Served,
    /// A window manager manages the display.
    Managed,
    /// None does, at the end of its deadline.
    Unmanaged,
    /// The window manager's process is in this unit.
    WindowManagerUnit(String),
    /// A supervisor asks for its server.
    LaunchAsked {
        /// Who asks.
        client: ClientId,
        /// The display that it serves.
        display: Display,
        /// What is wrong with the descriptors that came along.
        problem: Option<String>,
    },
    /// The server was forked for this supervisor, or why it could not be.
    Forked(ClientId, Result<(), String>),
    /// The server has ended and was reaped.
    ServerEnded(Ending),
    /// A supervisor's last words about its server.
    LastWords(ClientId, String),
    /// Its server has ended with 0 and nobody has told the supervisor to stop it; with its last words.
    ServerLeft(ClientId, String),
    /// A client asks for the end of the session.
    StopAsked(ClientId),
    /// A client has gone.
    ClientGone(ClientId),
    /// Whether the user manager is to start the autostart programs, or why not.
    Autostart(Result<(), String>),
    /// Whether the screen is locked, as its locker has told logind.
    LockedHint(bool),
    /// Somebody wants the screen to be locked: a client, or logind.
    LockAsked(Option<ClientId>),
    /// Somebody wants it to be open.
    UnlockAsked(Option<ClientId>),
    /// Whether a locker's window covers every monitor, with keyboard and pointer grabbed.
    Covered(bool),
    /// Our cover is on every monitor of a server that nobody else was heard by before, and has keyboard and pointer.
    CoveredFirst,
    /// The screen locker's command was started, or why it could not be.
    LockerStarted(Result<(), String>),
    /// It has closed the descriptor that it was handed: it locks.
    LockerLocks,
    /// It has ended.
    LockerEnded(Ending),
    /// The units that `startxd-lock.target` brings.
    Lockers(Result<Vec<LockerUnit>, CallFailure>),
    /// The machine is about to sleep, and logind waits for so long; `None` if it does not wait for us.
    Sleeps(Option<Duration>),
    /// It was woken up.
    Woke,
    /// Whether there was no input for so long.
    Idle(IdleLimit, bool),
    /// Whether something is in the way of idleness.
    IdleInhibited(Inhibitors, bool),
    /// The login session has left the foreground of its seat.
    LeftForeground,
    /// What the server is like, in answer to the question with this number; `None` if there is none.
    ServerLooked(u32, Option<ServerSeen>),
    /// A signal that ends the session, by its name.
    Interrupt(&'static str),
    /// The time that [`super::Session::due`] told has come.
    Due,
    /// What the window manager had started is gone, as far as it goes.
    ApplicationsEnded {
        /// Whether something other than the host may still need the server: a client, or a unit of the session.
        needs_server: bool,
    },
    /// The units that require `xorg.target` or are part of it.
    Dependents(Result<Vec<String>, CallFailure>),
    /// Whether the manager itself is on its way out.
    ManagerStops(Result<bool, CallFailure>),
    /// The server does not end, killed or not.
    ServerGivenUp {
        /// Its process.
        pid: i32,
        /// The process's state, as in /proc/PID/stat (proc_pid_stat(5)): "D" is a sleep that nothing ends.
        state: char,
    },
    /// The multiplexers have their own variables again.
    TakenBack,
    /// The terminal is as it was.
    TerminalRestored,
    /// Everything that the preparation did is undone. With what the unit said last that has failed, if one has.
    PutBack(String),
    /// The login session is gone, as far as this process can see that.
    LoginClosed,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Take the session's place; [`Event::Prepared`] or [`Event::NotPrepared`] follows.
    Prepare,
    /// Leave off preparing, and undo what was done of it.
    AbandonPreparation,
    /// Export the session's environment.
    Export,
    /// Start a unit.
    Start {
        /// The request.
        order: Order,
        /// The unit.
        unit: String,
        /// How its job relates to others.
        mode: Mode,
    },
    /// Read `~/.Xresources` and the like, once for each server.
    ReadDotfiles {
        /// The request.
        order: Order,
        /// Whether they were read for a server before.
        again: bool,
    },
    /// Make the service that is the session and start it.
    StartTransient(Order),
    /// Start the rescue command in the window manager's place.
    StartRescue(Order),
    /// Start a unit again, whatever pause its own policy makes. This does not count for its start limit: how often it
    /// happens is bounded here. [`Event::StartedAgain`] follows.
    StartAgain(String),
    /// Make a service of this session once more. [`Event::StartedAgain`] follows.
    StartAnew(String),
    /// Tell from now on when somebody stops one of these units, or one of the person's own ends by itself and is started
    /// again.
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
    /// Write down whether the login session ends with this one, for whoever ends it if this host dies.
    NoteClosing(bool),
    /// Connect to the manager again.
    Reconnect,
    /// Fork the server that this client has asked for.
    Fork(ClientId),
    /// Watch the display of the server that was just forked.
    Watch,
    /// Answer a client.
    Reply(ClientId, Reply),
    /// Refuse what a client has asked for, and close its connection.
    Refuse(ClientId, String),
    /// Ask whether the user manager is to start the autostart programs; [`Event::Autostart`] follows.
    AskForAutostart,
    /// Tell the window manager that managed the display last to end, or kill it: it has outlived its server.
    EndWindowManager {
        /// Whether it is killed.
        kill: bool,
    },
    /// Tell the server to end.
    TerminateServer,
    /// Kill the server.
    KillServer,
    /// Give the server up, because the kernel does not end it; [`Event::ServerGivenUp`] says which it was.
    GiveUpServer,
    /// Ask whether a new server would get its devices; [`Event::Control`] tells when it would.
    AskForDevices,
    /// Tell running multiplexers of the display.
    TellMultiplexers,
    /// Take back what they were told.
    TakeBackFromMultiplexers,
    /// End what the window manager has started.
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
    /// Ask whether the manager itself is on its way out.
    AskWhetherManagerStops,
    /// Wait for the terminal's text mode and put its settings back.
    RestoreTerminal,
    /// Undo what the preparation did, and write down how the session has ended.
    PutBack(ManagerState, LastEnd),
    /// End the login session, with the shell in it.
    CloseLogin,
    /// Watch the display for screen lockers, and logind for requests to lock.
    WatchScreen,
    /// The same, for a server that is still to come, as the first client that it hears, and with a cover at once;
    /// [`Event::CoveredFirst`] follows.
    CoverFirst,
    /// Look whether another program has keyboard or pointer, before a locker is started: a locker cannot have them then.
    LookForGrabs,
    /// Run the screen locker's command; [`Event::LockerStarted`] follows.
    StartLocker,
    /// Tell the locker to end: its command, or else whoever covers the screen.
    EndLocker,
    /// Keep a window of ours below the locker's, which is in its place when that goes: it covers every monitor and has the
    /// keyboard.
    Cover,
    /// Take it away.
    Uncover,
    /// Ask which units `startxd-lock.target` brings; [`Event::Lockers`] follows.
    AskForLockers,
    /// Ask the X server for its screen saver.
    AskForScreenSaver,
    /// Tell logind whether the screen is locked.
    SetLockedHint(bool),
    /// Tell logind whether nobody is at the screen.
    SetIdleHint(bool),
    /// Have logind wait for us no longer: the machine may sleep.
    LetSleep,
}

/// How a session has ended, for `startxd status` and the next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastEnd {
    /// Why.
    pub why: Why,
    /// How far it came.
    pub standing: Standing,
    /// Whether the screen was locked when it ended. Then what programs said is shown to nobody.
    pub is_locked: bool,
}

/// What is left of the manager for the last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagerState {
    /// It answers.
    There,
    /// It does not answer: what it holds is left to the next start, which the record tells about it.
    Silent,
    /// It is gone, and the session's environment with it.
    Gone,
}
