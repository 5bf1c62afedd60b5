//! The state of an end: its phase, and what has to be remembered. What completes each phase is in `end.rs`. Pure.

use std::collections::VecDeque;
use std::time::Instant;

use crate::host::why::Why;

/// The phase of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// What the window manager started is ended, first round; meanwhile the units that are not tied to `xorg.target`
    /// are queried.
    Applications,
    /// Waiting for the answer to that.
    Dependents,
    /// Those units are stopped.
    Strangers,
    /// The shutdown target stops everything else.
    ShutDown,
    /// Looking for units that are left.
    Leftovers,
    /// The second round.
    ApplicationsAgain,
    /// Those units are stopped.
    StopLeftovers,
    /// The shutdown target goes down.
    Settling,
    /// Asking whether the manager is exiting.
    ManagerStops,
    /// What did not stop is killed.
    Force,
    /// The server is ended.
    Server { killed: bool },
    /// Multiplexers get their own variables back.
    Multiplexers,
    /// The terminal is restored.
    Terminal,
    /// What the preparation did is undone.
    PuttingBack,
    /// The login session ends.
    Closing,
}

/// An end that is under way.
#[derive(Debug)]
pub(super) struct End {
    /// Why the session ends.
    pub(super) why: Why,
    /// When it began.
    pub(super) begun: Instant,
    /// The deadline of everything up to [`Phase::ManagerStops`].
    pub(super) deadline: Instant,
    /// The current phase.
    pub(super) phase: Phase,
    /// The deadline of the phase.
    pub(super) until: Option<Instant>,
    /// Units to stop once those that are being stopped are down.
    pub(super) next: VecDeque<String>,
    /// Whether the login session ends with it.
    pub(super) closes: bool,
    /// Whether everything went down as it should.
    pub(super) is_down: bool,
    /// Whether the manager did not answer.
    pub(super) is_silent: bool,
    /// Whether the manager is exiting, once it was asked.
    pub(super) exits: Option<bool>,
    /// The session's units that are not tied to `xorg.target`, once they are known.
    pub(super) strangers: Option<Vec<String>>,
    /// Whether, once the applications had ended, something other than the host might still need the server.
    pub(super) needs_server: bool,
    /// Whether there was a second round of what the window manager has started.
    pub(super) asked_again: bool,
    /// Whether to repeat the phase's request on the next connection.
    pub(super) again: bool,
}

impl End {
    /// An end for this reason that began at `begun`. What waits for the manager is given up at `deadline`; `closes`
    /// says whether the login session ends too.
    pub(super) const fn begin(why: Why, begun: Instant, deadline: Instant, closes: bool) -> Self {
        Self {
            why,
            begun,
            deadline,
            phase: Phase::Applications,
            until: None,
            next: VecDeque::new(),
            closes,
            is_down: false,
            is_silent: false,
            exits: None,
            strangers: None,
            needs_server: true,
            asked_again: false,
            again: false,
        }
    }

    /// The deadline of the phase.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.until
    }
}

impl Phase {
    /// Whether it waits for the manager.
    pub(super) const fn needs_manager(self) -> bool {
        !matches!(self, Self::Server { .. } | Self::Multiplexers | Self::Terminal | Self::PuttingBack | Self::Closing)
    }
}
