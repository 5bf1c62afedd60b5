//! Where an end is: its phases, and what it remembers. What leaves each phase is in `end.rs`. Pure.

use std::collections::VecDeque;
use std::time::Instant;

use crate::host::why::Why;

/// Where an end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The first round of what the window manager has started; which units know nothing of `xorg.target` is asked beside it.
    Applications,
    /// The answer to that is waited for.
    Dependents,
    /// Those are stopped.
    Strangers,
    /// The shutdown target stops everything else.
    ShutDown,
    /// What is left is looked for.
    Leftovers,
    /// The second round.
    ApplicationsAgain,
    /// That is stopped.
    StopLeftovers,
    /// The shutdown target goes down.
    Settling,
    /// Whether the manager itself is on its way out.
    ManagerStops,
    /// What did not stop is killed.
    Force,
    /// The server ends.
    Server { killed: bool },
    /// Multiplexers have their own variables again.
    Multiplexers,
    /// The terminal is as it was.
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
    /// For everything up to [`Phase::ManagerStops`].
    pub(super) deadline: Instant,
    /// Where it is.
    pub(super) phase: Phase,
    /// When the phase is given up.
    pub(super) until: Option<Instant>,
    /// Units that are to be stopped once what is being stopped is down.
    pub(super) next: VecDeque<String>,
    /// Whether the login session ends at last.
    pub(super) closes: bool,
    /// Whether everything went down that should.
    pub(super) is_down: bool,
    /// Whether the manager did not answer.
    pub(super) is_silent: bool,
    /// Whether the manager is on its way out, as far as it was asked.
    pub(super) exits: Option<bool>,
    /// The session's units that know nothing of `xorg.target`, once that is known.
    pub(super) strangers: Option<Vec<String>>,
    /// Whether something other than the host might still need the server when the applications had ended.
    pub(super) needs_server: bool,
    /// Whether there was a second round of what the window manager has started.
    pub(super) asked_again: bool,
    /// Whether the order of the phase has to be given again on the next connection.
    pub(super) again: bool,
}

impl End {
    /// An end with this reason that began at `begun`; what waits for the manager is given up at `deadline`, and `closes`
    /// says whether the login session ends at last.
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

    /// When the phase is given up.
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
