//! The session's units, and the window manager among them.

use super::life::Life;
use super::verdict::{Verdict, judge};
use super::watch::Sight;
use super::why::Why;
use crate::config::Ready;
use crate::dbus::CallError;
use crate::manager::{Manager, Mode, names};
use crate::os::Pid;

impl Life {
    /// The watch on the display saw something.
    pub(super) async fn see(&mut self, sight: Option<Sight>) -> Option<Why> {
        match sight {
            Some(Sight::Served) => {
                self.served = true;
                self.tell_multiplexers();
                return self.replace_server().await;
            }
            Some(Sight::Managed(manager)) => {
                tracing::info!(name = manager.name, sign = ?manager.sign, "a window manager manages the display");
                self.find_wm_unit(manager.pid).await;
                self.wm_ready().await;
            }
            Some(Sight::Unmanaged) => tracing::warn!(
                "no window manager manages display {} after {} s (the session is {}); graphical-session.target waits for \
                 one, or set session.ready = \"started\" in startxd.toml",
                self.prepared.display,
                self.config.deadlines.window_manager.as_secs_f32(),
                self.choice.describe()
            ),
            None => {}
        }
        None
    }

    /// Starts what waits for a window manager, once.
    async fn wm_ready(&mut self) {
        let Some(manager) = self.manager.as_ref().filter(|_| !self.ready) else { return };
        self.ready = true;
        if let Err(error) = manager.start(names::WM_READY_TARGET, Mode::Replace).await {
            tracing::error!("{} cannot be started: {error}", names::WM_READY_TARGET);
        }
    }

    /// Finds out which of the session's units the window manager's process is in.
    async fn find_wm_unit(&mut self, pid: Option<Pid>) {
        let (Some(manager), Some(pid)) = (&self.manager, pid) else { return };
        match manager.unit_of_pid(pid).await {
            Ok(Some(unit)) if self.units.contains(&unit) => self.wm_unit = Some(unit),
            Ok(unit) => tracing::debug!("the window manager runs in {unit:?}, which is none of {:?}", self.units),
            Err(error) => tracing::debug!("the window manager's unit is unknown: {error}"),
        }
    }

    /// Looks at every unit that the session depends on.
    pub(super) async fn review_all(&mut self) -> Option<Why> {
        for unit in self.units.clone() {
            if let Some(why) = self.review(&unit).await {
                return Some(why);
            }
        }
        self.review(names::XORG_TARGET).await
    }

    /// Looks at a unit that has changed; `Some` if the session ends with it.
    pub(super) async fn review(&mut self, unit: &str) -> Option<Why> {
        let manager = self.manager.clone()?;
        if unit == names::XORG_TARGET {
            let state = manager.state(unit).await.ok()?;
            return (state.is_down() || state.is_going_down()).then_some(Why::TargetStopped);
        }
        // Before its job is queued, what a unit does says nothing of this session: it may be the repair of an earlier one
        // that changes it. Afterwards the job is part of its state.
        if !self.queued || !self.units.iter().any(|ours| ours == unit) {
            return None;
        }
        // The rescue command has taken its place.
        if self.rescued.is_some() && self.wm_unit.as_deref() != Some(unit) {
            return None;
        }
        let verdict = verdict_on(&manager, unit).await?;
        if verdict == Verdict::Up {
            self.restarting.retain(|said| said != unit);
            if self.config.session.ready == Ready::Started && !self.ready && is_started(&manager, unit).await {
                self.wm_ready().await;
            }
            return None;
        }
        // Once for each server: what fails then by itself would else be started again and again.
        if self.is_end_of_its_display(&verdict) && !self.revived.iter().any(|revived| revived == unit) {
            self.revived.push(unit.to_owned());
            // Not its own doing: its display is gone. It starts again at once, whatever pause its own policy makes, and
            // also if it took the loss for a reason to exit with 0. Nor does this count for its start limit: how often
            // that happens is bounded by the server's.
            let _ = manager.reset_failed(unit).await;
            let restarted = match manager.restart(unit).await {
                // A transient unit that is not failed any more may be forgotten.
                Err(error) if error.is(names::NO_SUCH_UNIT) => self.start_anew(&manager, unit).await,
                restarted => restarted.map(|_| ()),
            };
            if let Err(error) = restarted {
                tracing::warn!("{unit} cannot be started again: {error}");
            }
            return None;
        }
        self.decide(&manager, unit, verdict).await
    }

    /// Whether a unit has ended because its display is gone.
    ///
    /// Any other client may be quicker to notice that than a window manager on a busy machine, and what it connects to
    /// is the next server already, by the time that this unit fails with the one before. Only if it fails: what exits
    /// with 0 while there is a display was left by its user.
    fn is_end_of_its_display(&self, verdict: &Verdict) -> bool {
        let failed = matches!(verdict, Verdict::Failed(_) | Verdict::Restarting);
        self.is_without_display() || (self.lost_server && failed)
    }

    /// Makes a transient unit of this session once more.
    async fn start_anew(&self, manager: &Manager, unit: &str) -> Result<(), CallError> {
        match self.choice.service().into_iter().chain(&self.rescue_service).find(|service| service.name == unit) {
            Some(service) => manager.start_transient(service, &self.config.crash).await.map(|_| ()),
            None => manager.start(unit, Mode::Replace).await.map(|_| ()),
        }
    }

    /// What a unit's end means: the session's end if it is the window manager's, or nobody knows whose and it is the
    /// last.
    async fn decide(&mut self, manager: &Manager, unit: &str, verdict: Verdict) -> Option<Why> {
        let why = match verdict {
            Verdict::Up => return None,
            Verdict::Restarting => {
                if !self.restarting.iter().any(|said| said == unit) {
                    tracing::warn!("{unit} crashed and is being started again");
                    self.restarting.push(unit.to_owned());
                }
                return None;
            }
            Verdict::LoggedOut => Why::LoggedOut,
            Verdict::Failed(end) => Why::SessionFailed { unit: unit.to_owned(), end },
        };
        if let Some(wm_unit) = &self.wm_unit {
            return if wm_unit == unit { self.rescue(why).await } else { None };
        }
        for other in &self.units {
            if matches!(verdict_on(manager, other).await, Some(Verdict::Up | Verdict::Restarting)) {
                return None;
            }
        }
        self.rescue(why).await
    }
}

async fn verdict_on(manager: &Manager, unit: &str) -> Option<Verdict> {
    let state = manager.state(unit).await.ok()?;
    // How the main process ended last is asked for only where it matters: not at every step of a start.
    let matters = unit.ends_with(".service") && judge(&state, None) != Verdict::Up;
    let end = if matters { manager.service_end(unit).await.ok() } else { None };
    Some(judge(&state, end.as_ref()))
}

/// `ready = "started"`: being started is all that is asked of the unit.
async fn is_started(manager: &Manager, unit: &str) -> bool {
    manager.state(unit).await.is_ok_and(|state| state.active == "active" && state.job.is_none())
}
