//! The session's targets: one of them is started when a window manager is there, and who stops one ends the session.

use super::life::Life;
use super::why::Why;
use crate::manager::{Mode, names};

/// Those that are looked at. `graphical-session.target`, which many stop to log out, takes `wm-ready.target` with it.
pub(super) const TARGETS: [&str; 3] = [names::XORG_TARGET, names::WM_TARGET, names::WM_READY_TARGET];

/// How far `wm-ready.target` is.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Targets {
    /// Not asked for.
    #[default]
    Waiting,
    /// Asked for.
    Asked,
    /// It was up.
    Reached,
}

impl Targets {
    /// Whether `wm-ready.target` was asked for.
    pub(super) fn is_ready(self) -> bool {
        self != Self::Waiting
    }
}

impl Life {
    /// Starts what waits for a window manager, once.
    pub(super) async fn wm_ready(&mut self) {
        let Some(manager) = self.link.manager().filter(|_| !self.targets.is_ready()) else { return };
        self.targets = Targets::Asked;
        if let Err(error) = manager.start(names::WM_READY_TARGET, Mode::Replace).await {
            tracing::error!("{} cannot be started: {error}", names::WM_READY_TARGET);
        }
    }

    /// Looks at a target that has changed; `Some` if the session ends with it.
    pub(super) async fn review_target(&mut self, target: &'static str) -> Option<Why> {
        let state = self.link.manager()?.state(target).await.ok()?;
        let counts = match target {
            // Before its job is queued it is down, as ever.
            names::WM_TARGET => self.units.queued,
            // If it cannot be started the session goes on without it.
            names::WM_READY_TARGET => {
                if state.active == "active" {
                    self.targets = Targets::Reached;
                }
                self.targets == Targets::Reached
            }
            _ => true,
        };
        (counts && (state.is_down() || state.is_going_down())).then_some(Why::TargetStopped(target))
    }
}
