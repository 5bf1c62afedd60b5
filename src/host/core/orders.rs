//! What the core orders from the manager: the steps of a start, and what follows when an order is accepted or refused,
//! or its job ends. Pure.

use std::time::Instant;

use super::event::{Action, CallFailure, Order};
use super::jobs::Done;
use super::{Session, dotfiles};
use crate::host::why::Why;
use crate::manager::{Mode, names};
use crate::session::dotfiles::DotfilesTime;

/// What a job is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The server's unit.
    Server,
    /// `xorg.target`.
    Display,
    /// The session's own unit.
    Own(String),
    /// `wm.target`.
    WindowManager,
    /// `wm-ready.target`.
    Ready,
    /// The stop of `wm-ready.target`, with its server.
    ReadyDown,
    /// `wm-autostart.target`.
    Autostart,
    /// The rescue command.
    Rescue,
    /// The service that reads `~/.Xresources` and the like.
    Dotfiles,
    /// The stop of a window manager that never came up.
    GivenUp,
    /// `startxd-lock.target` and `startxd-unlock.target`.
    Lock,
    /// `startxd-sleep.target`.
    Sleep,
    /// The stop of `startxd-sleep.target`.
    Awake,
    /// `startxd-idle.target`, and its stop.
    Idle,
    /// A step of the end.
    End,
}

/// How far the start is.
#[derive(Debug, Default)]
pub(super) struct Starting {
    /// Whether the environment was exported.
    pub(super) exported: bool,
    /// Whether the manager has accepted the order for the server's unit.
    pub(super) server: bool,
    /// Whether it has accepted the one for `xorg.target`.
    pub(super) display: bool,
    /// Whether the first server was forked.
    pub(super) forked: bool,
    /// Whether the window manager was requested.
    pub(super) asked: bool,
    /// How many of the orders for it have not been answered.
    pub(super) unanswered: u8,
}

impl Session {
    /// The manager has accepted an order.
    pub(super) fn queued(&mut self, purpose: &Purpose) {
        match purpose {
            Purpose::Server => {
                self.starting.server = true;
                self.go_on_starting();
            }
            Purpose::Display => {
                self.starting.display = true;
                self.units.count(names::XORG_TARGET);
                self.look();
                self.go_on_starting();
            }
            Purpose::Own(_) | Purpose::WindowManager => {
                self.starting.unanswered -= 1;
                if self.starting.unanswered == 0 {
                    for unit in self.units.names().to_vec() {
                        self.units.count(&unit);
                    }
                    self.units.count(names::WM_TARGET);
                    self.look();
                }
            }
            Purpose::Ready => {
                self.units.count(names::WM_READY_TARGET);
                self.look();
            }
            Purpose::Rescue => {
                if let Some(unit) = self.units.rescue_unit().map(str::to_owned) {
                    self.units.count(&unit);
                }
                if let Some(why) = self.units.rescued() {
                    tracing::error!("{why}; {} runs in its place", self.setup.policy.crash.rescue.join(" "));
                }
                self.look();
            }
            Purpose::ReadyDown => self.is_ready_down(),
            Purpose::Dotfiles
            | Purpose::Autostart
            | Purpose::GivenUp
            | Purpose::Lock
            | Purpose::Sleep
            | Purpose::Awake
            | Purpose::Idle
            | Purpose::End => {}
        }
    }

    /// The manager has not accepted an order.
    pub(super) fn not_queued(&mut self, now: Instant, order: Order, failure: CallFailure) {
        let unit = match self.jobs.refused(order) {
            Some(Purpose::Server) => self.display.map(names::xorg_service).unwrap_or_default(),
            Some(Purpose::Display) => names::XORG_TARGET.to_owned(),
            Some(Purpose::Own(unit)) => unit,
            Some(Purpose::WindowManager) => names::WM_TARGET.to_owned(),
            Some(Purpose::Ready) => {
                return tracing::error!("{} cannot be started: {}", names::WM_READY_TARGET, failure.text);
            }
            Some(Purpose::Rescue) => {
                tracing::error!("the rescue command cannot be started: {}", failure.text);
                if let Some(why) = self.units.rescued().cloned() {
                    self.end(now, why);
                }
                return;
            }
            Some(Purpose::Autostart) => {
                return tracing::error!("{} cannot be started: {}", names::WM_AUTOSTART_TARGET, failure.text);
            }
            Some(Purpose::Dotfiles) => return dotfiles::are_not_read(&failure.text),
            Some(Purpose::ReadyDown) => return self.is_ready_down(),
            Some(Purpose::Lock) => {
                return tracing::error!("the targets of the lock cannot be started: {}", failure.text);
            }
            Some(Purpose::Sleep) => {
                tracing::error!("{} cannot be started: {}", names::SLEEP_TARGET, failure.text);
                return self.sleep_target_reached();
            }
            Some(Purpose::Idle) => return tracing::error!("{}: {}", names::IDLE_TARGET, failure.text),
            Some(Purpose::Awake | Purpose::GivenUp | Purpose::End) | None => return,
        };
        self.end(now, Why::NotStarted { unit, why: failure.text });
    }

    /// The next step of the start, if what it waits for is there.
    ///
    /// The window manager is queued once the first server was forked. Not earlier: until then the supervisor needs both
    /// processors of a small machine, and the kernel's lock on moving processes between cgroups. Not later: its own
    /// start overlaps with the server's.
    pub(super) fn go_on_starting(&mut self) {
        let starting = &mut self.starting;
        if starting.server && starting.exported && !starting.display {
            if self.jobs.is_asked(|purpose| *purpose == Purpose::Display) {
                return;
            }
            return self.start(Purpose::Display, names::XORG_TARGET, Mode::Replace);
        }
        if !starting.display || !starting.forked || std::mem::replace(&mut starting.asked, true) {
            return;
        }
        // The window manager's start is ordered after this.
        self.read_dotfiles(DotfilesTime::First, self.server.last());
        // A session that was requested replaces the units enabled for wm.target: the target is reached without them.
        let mode = if self.setup.own.is_some() { Mode::IgnoreDependencies } else { Mode::Replace };
        self.starting.unanswered = 1 + u8::from(self.setup.own.is_some());
        match self.setup.own.clone() {
            Some(unit) if self.setup.policy.transient.is_some() => {
                let order = self.jobs.ask(Purpose::Own(unit));
                self.act(Action::StartTransient(order));
            }
            Some(unit) => self.start(Purpose::Own(unit.clone()), &unit, Mode::Replace),
            None => {}
        }
        self.start(Purpose::WindowManager, names::WM_TARGET, mode);
    }

    /// A job has ended. If it was one of the following and failed, the session ends, unless the rescue command takes
    /// over.
    pub(super) fn job_done(&mut self, now: Instant, purpose: Purpose, done: Done) {
        if purpose == Purpose::Lock {
            return self.lock_target_reached();
        }
        if purpose == Purpose::Sleep {
            return self.sleep_target_reached();
        }
        if done.result == "done" {
            return;
        }
        let unit = match purpose {
            Purpose::Server => {
                // The supervisor says more than the job does; but without the socket there is no supervisor.
                let reason = done.result.strip_prefix("dependency: ").map(str::to_owned);
                self.server.job_failed(now, self.setup.deadlines.launch, reason);
                return self.decide_fate(now);
            }
            Purpose::Display => names::XORG_TARGET.to_owned(),
            Purpose::Own(unit) => unit,
            Purpose::WindowManager => names::WM_TARGET.to_owned(),
            Purpose::Rescue => self.units.rescue_unit().unwrap_or_default().to_owned(),
            Purpose::Dotfiles => return dotfiles::are_not_read(&done.result),
            // The session continues without it.
            Purpose::Ready
            | Purpose::ReadyDown
            | Purpose::Autostart
            | Purpose::GivenUp
            | Purpose::Lock
            | Purpose::Sleep
            | Purpose::Awake
            | Purpose::Idle
            | Purpose::End => return,
        };
        let why = match done.end.filter(|end| end.code != 0) {
            Some(end) => Why::failed(&unit, end),
            None => Why::NotStarted { unit, why: format!("its start job ended with \"{}\"", done.result) },
        };
        let consequence = self.units.rescue(why);
        self.follow(now, Some(consequence));
    }
}
