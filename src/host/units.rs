//! The session's units, and the window manager among them.

use super::crash::Crashes;
use super::jobs::Job;
use super::life::Life;
use super::rescue::Rescue;
use super::targets::TARGETS;
use super::watch::Sight;
use super::why::Why;
use crate::config::Ready;
use crate::manager::verdict::{Verdict, judge};
use crate::manager::{Manager, ServiceEnd};
use crate::os::Pid;

/// The units that are the session's own, and what has become of them.
#[derive(Default)]
pub(super) struct Units {
    /// Their names.
    pub names: Vec<String>,
    /// The window manager's, once it is known which of them that is.
    pub wm: Option<String>,
    /// The jobs whose failure is the session's end.
    pub jobs: Vec<Job>,
    /// Whether the window manager was queued.
    pub queued: bool,
    /// What runs in the window manager's place, since that has failed.
    pub rescue: Option<Rescue>,
    /// Those that were started again because their display was gone, and the number of the server that it was last.
    revived: Vec<(String, u32)>,
    /// Those whose crash was said already, so that it is said once.
    pub restarting: Vec<String>,
    /// When the window manager has crashed, where it is ours to start it again.
    pub crashes: Crashes,
}

impl Units {
    /// The units with these names, none of which has been asked for yet.
    pub(super) fn new(names: Vec<String>) -> Self {
        Self { names, ..Self::default() }
    }

    /// Whether the session depends on what this unit does now.
    ///
    /// Before its job is queued, what a unit does says nothing of this session: it may be the repair of an earlier one
    /// that changes it. Afterwards the job is part of its state. And once the rescue command has taken its place, a
    /// window manager that failed is of no interest any more.
    fn count(&self, unit: &str) -> bool {
        let replaced = self.rescue.is_some() && self.wm.as_deref() != Some(unit);
        self.queued && !replaced && self.names.iter().any(|ours| ours == unit)
    }

    /// Whether this is the window manager's unit, as far as that is known: it is, or there is no other.
    pub(super) fn is_window_manager(&self, unit: &str) -> bool {
        match &self.wm {
            Some(wm) => wm == unit,
            None => self.names.len() == 1,
        }
    }

    /// Whether a unit is to be started again because it has ended with this server: once for each, as what fails then by
    /// itself would else be started again and again.
    fn revive(&mut self, unit: &str, server: u32) -> bool {
        let first = !self.revived.iter().any(|(revived, last)| revived == unit && *last >= server);
        if first {
            self.revived.retain(|(revived, _)| revived != unit);
            self.revived.push((unit.to_owned(), server));
        }
        first
    }
}

impl Life {
    /// The watch on the display saw something.
    pub(super) async fn see(&mut self, sight: Option<Sight>) -> Option<Why> {
        match sight {
            Some(Sight::Served) => {
                self.serving.has_served = true;
                self.serving.serves = true;
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

    /// Finds out which of the session's units the window manager's process is in.
    async fn find_wm_unit(&mut self, pid: Option<Pid>) {
        let (Some(manager), Some(pid)) = (self.link.manager(), pid) else { return };
        match manager.unit_of_pid(pid).await {
            Ok(Some(unit)) if self.units.names.contains(&unit) => self.units.wm = Some(unit),
            Ok(unit) => tracing::debug!("the window manager runs in {unit:?}, which is none of {:?}", self.units.names),
            Err(error) => tracing::debug!("the window manager's unit is unknown: {error}"),
        }
    }

    /// Looks at every unit that the session depends on.
    pub(super) async fn review_all(&mut self) -> Option<Why> {
        for unit in self.units.names.clone() {
            if let Some(why) = self.review(&unit).await {
                return Some(why);
            }
        }
        for target in TARGETS {
            if let Some(why) = self.review(target).await {
                return Some(why);
            }
        }
        None
    }

    /// Looks at a unit that has changed; `Some` if the session ends with it.
    pub(super) async fn review(&mut self, unit: &str) -> Option<Why> {
        if let Some(target) = TARGETS.into_iter().find(|&target| target == unit) {
            return self.review_target(target).await;
        }
        let manager = self.link.manager()?.clone();
        if !self.units.count(unit) {
            return None;
        }
        let verdict = verdict_on(&manager, unit).await?;
        if verdict == Verdict::Up {
            self.units.restarting.retain(|said| said != unit);
            if self.config.session.ready == Ready::Started
                && !self.targets.is_ready()
                && is_started(&manager, unit).await
            {
                self.wm_ready().await;
            }
            return None;
        }
        if let Some(server) = self.ended_with_server(&verdict).await
            && self.units.revive(unit, server)
        {
            self.start_again(&manager, unit).await;
            return None;
        }
        self.decide(&manager, unit, verdict).await
    }

    /// A unit has ended by itself, and its own policy starts it again. `Some` if the session ends with that: `Restart=always`,
    /// as in the wiki's units, would start a window manager again that its user has left.
    pub(super) async fn restarts(&mut self, unit: &str, end: ServiceEnd) -> Option<Why> {
        let verdict = if end.is_clean_exit() { Verdict::LoggedOut } else { Verdict::Restarting };
        if !self.units.count(unit) || self.ended_with_server(&verdict).await.is_some() {
            return None;
        }
        let manager = self.link.manager()?.clone();
        self.decide(&manager, unit, verdict).await
    }

    /// What a unit's end means: the session's end if it is the window manager's, or nobody knows whose and it is the
    /// last.
    async fn decide(&mut self, manager: &Manager, unit: &str, verdict: Verdict) -> Option<Why> {
        let why = match verdict {
            Verdict::Up => return None,
            Verdict::Restarting => {
                self.say_restarting(unit);
                return None;
            }
            Verdict::Failed(end) if self.comes_back_by_us(manager, unit, &end).await => {
                self.say_restarting(unit);
                self.start_again(manager, unit).await;
                return None;
            }
            Verdict::LoggedOut => Why::LoggedOut,
            Verdict::Failed(end) => Why::SessionFailed { unit: unit.to_owned(), end },
        };
        if let Some(wm) = &self.units.wm {
            return if wm == unit { self.rescue(why).await } else { None };
        }
        for other in self.units.names.iter().filter(|other| *other != unit) {
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
