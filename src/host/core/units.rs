//! The units: what the end of a unit means for the session, and what is done about it. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::display::{Crashes, Server};
use super::event::{Observed, Seen, ServerSeen};
use super::survivor::{Step, Survivor};
use crate::config::Crash;
use crate::deadline::COMES_UP;
use crate::host::why::Why;
use crate::manager::verdict::Verdict;
use crate::manager::{ServiceEnd, UnitState, names};

/// The targets that are watched. `graphical-session.target`, which people stop to log out, stops `wm-ready.target` with
/// it.
pub(super) const TARGETS: [&str; 3] = [names::XORG_TARGET, names::WM_TARGET, names::WM_READY_TARGET];

/// How far the start of `wm-ready.target` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ReadyTarget {
    /// Not requested.
    #[default]
    Waiting,
    /// Requested.
    Asked,
    /// It was up.
    Reached,
    /// It was stopped with the server of this number, until there is a window manager again.
    Lost(u32),
}

/// What follows from a unit's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Consequence {
    /// `wm-ready.target` is started: the window manager's unit is up, and no more is required.
    Ready,
    /// The unit is started again.
    StartAgain(String),
    /// The rescue command takes the window manager's place.
    Rescue,
    /// The session ends.
    End(Why),
}

/// The rules by which a session's units are judged.
#[derive(Debug, Clone)]
pub struct UnitPolicy {
    /// The names of the session's own units.
    pub units: Vec<String>,
    /// The service that was made for this session, if any, and whether systemd restarts it.
    pub transient: Option<(String, bool)>,
    /// Whether a window manager is ready once its unit is started (`session.ready = "started"`).
    pub ready_when_started: bool,
    /// How many crashes a session survives, and whether there is a rescue command.
    pub crash: Crash,
}

/// The session's own units, and what happened to them.
#[derive(Debug)]
pub(super) struct Units {
    policy: UnitPolicy,
    /// Their names: those of the policy, and the rescue command's.
    names: Vec<String>,
    /// The window manager's unit, once it is known which one that is.
    window_manager: Option<String>,
    /// The units and targets that count: those whose start was answered. What a unit does before that says nothing
    /// about this session; the repair of an earlier one may have changed it. A look asks only for what counts when it
    /// begins, so a look that is under way when a start is answered says nothing about that unit either.
    counted: BTreeSet<String>,
    /// What runs in the window manager's place, and why.
    rescued: Option<Why>,
    /// Units that were started again because their display was gone, with the number of the last server that took them
    /// down.
    revived: BTreeMap<String, u32>,
    /// Those of them whose start was held back, and that are to be started now unless they are up.
    let_go: BTreeSet<String>,
    /// Units that are being created again, as systemd could not just start them.
    anew: Vec<String>,
    /// Units that somebody has asked to stop, until they are up again: however they end, that is a logout.
    stopped: BTreeSet<String>,
    /// Units with a job that may be a stop, which is being asked; one entry for each job.
    unclear: Vec<String>,
    /// Units among those that were seen down: what that means is decided with the answer.
    held: BTreeSet<String>,
    /// Units whose crash was reported, so that each is reported once.
    said: Vec<String>,
    /// When the window manager crashed, where the session's own limit applies.
    crashes: Crashes,
    /// The process whose crash counted last.
    crashed: Option<u32>,
    /// What the last look found.
    verdicts: BTreeMap<String, Verdict>,
    ready: ReadyTarget,
    /// Watches for a window manager that outlives its server.
    survivor: Survivor,
    /// When the current server first answered.
    served: Option<Instant>,
    /// Whether a window manager has managed the display.
    managed: bool,
    /// A unit that systemd is about to start again and that the session has given up.
    given_up: Option<String>,
}

impl Units {
    /// A session's units, before any was started.
    pub(super) fn new(policy: UnitPolicy) -> Self {
        Self {
            names: policy.units.clone(),
            policy,
            window_manager: None,
            counted: BTreeSet::new(),
            rescued: None,
            revived: BTreeMap::new(),
            let_go: BTreeSet::new(),
            anew: Vec::new(),
            stopped: BTreeSet::new(),
            unclear: Vec::new(),
            held: BTreeSet::new(),
            said: Vec::new(),
            crashes: Crashes::default(),
            crashed: None,
            verdicts: BTreeMap::new(),
            ready: ReadyTarget::Waiting,
            survivor: Survivor::default(),
            served: None,
            managed: false,
            given_up: None,
        }
    }

    /// The session's own units.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// From the next look on, this unit or target counts.
    pub(super) fn count(&mut self, unit: &str) {
        self.counted.insert(unit.to_owned());
    }

    /// The number of the last server that took this unit with it.
    pub(super) fn was_lost_with(&self, unit: &str) -> Option<u32> {
        self.revived.get(unit).copied()
    }

    /// The start of this unit is not held back any more: the next look decides.
    pub(super) fn is_let_go(&mut self, unit: String) {
        self.counted.insert(unit.clone());
        self.let_go.insert(unit);
    }

    /// Until a request is answered, what this unit does does not count.
    fn ignore(&mut self, unit: &str) {
        self.counted.remove(unit);
        self.verdicts.insert(unit.to_owned(), Verdict::Restarting);
    }

    /// Whether to create a unit again that cannot be started: only a service of this session, and once each time.
    pub(super) fn may_make_anew(&mut self, unit: &str) -> bool {
        let first = names::is_session_service(unit) && !self.anew.iter().any(|anew| anew == unit);
        if first {
            self.anew.push(unit.to_owned());
        }
        first
    }

    /// A unit's new start was answered; from the next look on it counts.
    pub(super) fn started_again(&mut self, unit: &str) {
        self.anew.retain(|anew| anew != unit);
        self.count(unit);
    }

    /// Somebody has queued a job for a unit; `is_stop` is `None` until it is known whether that is a stop. Returns
    /// whether a look was waiting for this answer.
    ///
    /// A race: the unit may be seen down before it is known that the job was its stop.
    pub(super) fn job(&mut self, unit: String, is_stop: Option<bool>) -> bool {
        let Some(is_stop) = is_stop else {
            self.unclear.push(unit);
            return false;
        };
        if let Some(at) = self.unclear.iter().position(|unclear| *unclear == unit) {
            self.unclear.swap_remove(at);
        }
        let waits = !self.unclear.contains(&unit) && self.held.remove(&unit);
        if is_stop && self.is_of_interest(&unit) {
            self.stopped.insert(unit);
        }
        waits
    }

    /// The connection is gone, and with it the answers to what was being asked.
    pub(super) fn forget_jobs(&mut self) {
        self.unclear.clear();
        self.held.clear();
    }

    /// Whether somebody has stopped one of them.
    pub(super) fn was_stopped(&self) -> bool {
        !self.stopped.is_empty()
    }

    /// What to look at now: the units that count, except a window manager that the rescue command has replaced.
    pub(super) fn of_interest(&self) -> Vec<String> {
        let targets = TARGETS.iter().map(|&target| target.to_owned());
        let units = self.names.iter().filter(|unit| !self.is_replaced(unit)).cloned();
        units.chain(targets).filter(|unit| self.counted.contains(unit)).collect()
    }

    /// Whether a change of this unit matters.
    pub(super) fn is_of_interest(&self, unit: &str) -> bool {
        self.counted.contains(unit) && !self.is_replaced(unit)
    }

    fn is_replaced(&self, unit: &str) -> bool {
        let is_own = self.names.iter().any(|own| own == unit);
        self.rescued.is_some() && is_own && self.window_manager.as_deref() != Some(unit)
    }

    /// The window manager's process is in this unit.
    pub(super) fn found_window_manager(&mut self, unit: String) {
        if self.names.contains(&unit) {
            self.window_manager = Some(unit);
        } else {
            tracing::debug!("the window manager runs in {unit}, which is not one of {:?}", self.names);
        }
    }

    /// Whether this is the window manager's unit, as far as that is known: it is, or no other one is.
    fn is_window_manager(&self, unit: &str) -> bool {
        match &self.window_manager {
            Some(window_manager) => window_manager == unit,
            None => self.names.len() == 1,
        }
    }

    /// The server with this number has ended, and its clients with it. Returns whether to stop `wm-ready.target`: that
    /// takes the graphical session down, which the next window manager brings up again. So services, settings and
    /// autostart programs come back by systemd's own rules.
    pub(super) fn server_lost(&mut self, now: Instant, number: u32) -> bool {
        self.survivor.server_ended(now, number);
        let was_asked = matches!(self.ready, ReadyTarget::Asked | ReadyTarget::Reached);
        if was_asked {
            self.ready = ReadyTarget::Lost(number);
            self.counted.remove(names::WM_READY_TARGET);
        }
        was_asked
    }

    /// A server answers.
    pub(super) const fn served(&mut self, now: Instant) {
        self.served = Some(now);
    }

    /// A window manager manages the display.
    pub(super) const fn managed(&mut self) {
        self.managed = true;
        self.survivor.is_over();
    }

    /// When something of this is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.survivor.due()
    }

    /// What to do at `now` about a window manager that outlives its server: tell it to end, or kill it. Only if it is
    /// known, and runs in one of the session's units.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Step> {
        let step = self.survivor.take_due(now)?;
        self.window_manager.is_some().then_some(step)
    }

    /// Notes that `wm-ready.target` is being started. Returns whether it was not requested before.
    pub(super) fn ask_ready(&mut self) -> bool {
        let first = matches!(self.ready, ReadyTarget::Waiting | ReadyTarget::Lost(_));
        if first {
            self.ready = ReadyTarget::Asked;
        }
        first
    }

    /// Judges what a look has found, in order of importance. Nothing is judged after a unit that ends the session.
    ///
    /// Targets come first: if somebody stopped a target, that took the window manager down too, and its end is no
    /// failure.
    pub(super) fn review(&mut self, now: Instant, seen: &Seen, server: &Server) -> Vec<Consequence> {
        let counts = |unit: &str| self.counted.contains(unit);
        let seen_units: Vec<&(String, Observed)> = seen.units.iter().filter(|(unit, _)| counts(unit)).collect();
        let mut consequences = Vec::new();
        for (target, observed) in &seen_units {
            if let Some(target) = TARGETS.into_iter().find(|known| known == target)
                && let Some(why) = self.review_target(target, &observed.state)
            {
                return vec![Consequence::End(why)];
            }
        }
        let units: Vec<_> = seen_units.into_iter().filter(|(unit, _)| self.names.contains(unit)).collect();
        for (unit, observed) in &units {
            self.verdicts.insert(unit.clone(), observed.verdict());
        }
        for (unit, observed) in units {
            let consequence = self.review_unit(now, unit, observed, seen.server, server);
            let last = matches!(consequence, Some(Consequence::End(_) | Consequence::Rescue));
            consequences.extend(consequence);
            if last {
                break;
            }
        }
        consequences
    }

    /// Judges a target; returns `Some` if the session ends with it.
    fn review_target(&mut self, target: &'static str, state: &UnitState) -> Option<Why> {
        if target == names::WM_READY_TARGET {
            // A session continues without a target that cannot be started.
            if state.active == "active" {
                self.ready = ReadyTarget::Reached;
            }
            if self.ready != ReadyTarget::Reached {
                return None;
            }
        }
        (state.is_down() || state.is_going_down()).then_some(Why::TargetStopped(target))
    }

    fn review_unit(
        &mut self,
        now: Instant,
        unit: &str,
        observed: &Observed,
        seen: Option<ServerSeen>,
        server: &Server,
    ) -> Option<Consequence> {
        let verdict = observed.verdict();
        if verdict == Verdict::Up {
            self.let_go.remove(unit);
            self.said.retain(|said| said != unit);
            // With a job it may still be stopping.
            if observed.state.job.is_none() && observed.state.active == "active" {
                self.stopped.remove(unit);
            }
            let started = observed.state.active == "active" && observed.state.job.is_none();
            let ready = self.policy.ready_when_started && started && self.is_anew(unit) && self.ask_ready();
            return ready.then_some(Consequence::Ready);
        }
        if self.stopped.contains(unit) {
            return self.decide(unit, Verdict::LoggedOut);
        }
        if self.unclear.iter().any(|unclear| unclear == unit) {
            self.held.insert(unit.to_owned());
            return None;
        }
        if self.let_go.remove(unit) {
            self.ignore(unit);
            return Some(Consequence::StartAgain(unit.to_owned()));
        }
        let failed = matches!(verdict, Verdict::Failed(_) | Verdict::Restarting);
        if let Some(number) = self.outlived(unit).or_else(|| server.lost_with(seen, failed))
            && self.revive(unit, number)
        {
            self.ignore(unit);
            return Some(Consequence::StartAgain(unit.to_owned()));
        }
        match &verdict {
            Verdict::Restarting => return self.comes_back_by_systemd(now, unit, observed.end.as_ref()),
            Verdict::Failed(end) => {
                if let Some(count) = self.comes_back_by_us(now, unit, end, observed) {
                    self.say_restarting(unit, Some(end), Some(count));
                    self.ignore(unit);
                    return Some(Consequence::StartAgain(unit.to_owned()));
                }
            }
            Verdict::Up | Verdict::LoggedOut => {}
        }
        self.decide(unit, verdict)
    }

    /// A unit has ended by itself, and its own policy starts it again. `Restart=always`, as in units of the Arch wiki,
    /// would start a window manager again after a logout.
    pub(super) fn restarts(
        &mut self,
        now: Instant,
        unit: &str,
        end: &ServiceEnd,
        seen: Option<ServerSeen>,
        server: &Server,
    ) -> Option<Consequence> {
        let failed = !end.is_clean_exit();
        let is_lost = self.outlived(unit).is_some() || server.lost_with(seen, failed).is_some();
        if !self.is_of_interest(unit) || is_lost {
            return None;
        }
        if failed { self.comes_back_by_systemd(now, unit, Some(end)) } else { self.decide(unit, Verdict::LoggedOut) }
    }

    /// The server that this unit has outlived, if it is the window manager's, or the only one: the window manager of Plasma
    /// runs in a unit of its own.
    fn outlived(&self, unit: &str) -> Option<u32> {
        match &self.window_manager {
            Some(window_manager) if window_manager == unit => self.survivor.outlived(),
            None if self.is_window_manager(unit) => self.survivor.recently_outlived(),
            _ => None,
        }
    }

    /// What a unit's end means: the session ends if it is the window manager's unit, or if the window manager is not
    /// known and this is the last one.
    fn decide(&mut self, unit: &str, verdict: Verdict) -> Option<Consequence> {
        let why = match verdict {
            Verdict::Up | Verdict::Restarting => return None,
            Verdict::LoggedOut => Why::LoggedOut,
            Verdict::Failed(end) => Why::failed(unit, end),
        };
        let decides = match &self.window_manager {
            Some(window_manager) => window_manager == unit,
            None => {
                let others = self.names.iter().filter(|other| *other != unit);
                let up = |other: &String| {
                    matches!(self.verdicts.get(other.as_str()), Some(Verdict::Up | Verdict::Restarting))
                };
                !others.into_iter().any(up)
            }
        };
        if decides { Some(self.rescue(why)) } else { None }
    }

    /// The window manager is gone, because of `why`. If it failed, the rescue command takes its place, if there is one
    /// that was not used yet. Otherwise the session ends.
    ///
    /// Even then the session ends as failed, with the first reason: whatever a person repaired meanwhile helps the next
    /// session at best.
    pub(super) fn rescue(&mut self, why: Why) -> Consequence {
        if let Some(instead_of) = self.rescued.take() {
            return Consequence::End(instead_of);
        }
        if !matches!(why, Why::SessionFailed { .. } | Why::NotStarted { .. }) || self.policy.crash.rescue.is_empty() {
            return Consequence::End(why);
        }
        let unit = names::session_service("rescue");
        self.names.push(unit.clone());
        self.window_manager = Some(unit);
        self.rescued = Some(why);
        Consequence::Rescue
    }

    /// Why the rescue command runs; `None` if it does not.
    pub(super) const fn rescued(&self) -> Option<&Why> {
        self.rescued.as_ref()
    }

    /// The rescue command's unit, if it runs.
    pub(super) fn rescue_unit(&self) -> Option<&str> {
        self.rescued.as_ref().and(self.window_manager.as_deref())
    }

    /// Whether to start a unit again because it ended with this server. Once for each server: a unit that then fails by
    /// itself would be started forever.
    fn revive(&mut self, unit: &str, server: u32) -> bool {
        let first = self.revived.get(unit).is_none_or(|&last| last < server);
        if first {
            self.revived.insert(unit.to_owned(), server);
            if self.is_window_manager(unit) {
                self.survivor.is_over();
            }
        }
        first
    }

    /// Whether a unit that is up was started after the graphical session was last taken down, if it was.
    fn is_anew(&self, unit: &str) -> bool {
        match self.ready {
            ReadyTarget::Lost(server) => self.revived.get(unit).is_some_and(|&last| last >= server),
            _ => true,
        }
    }

    /// Whether we have to start a crashed window manager again, and the limit allows it. Returns the number of this
    /// crash, as counted for the limit.
    fn comes_back_by_us(&mut self, now: Instant, unit: &str, end: &ServiceEnd, observed: &Observed) -> Option<u32> {
        let is_ours = end.is_crash() && self.is_window_manager(unit) && self.is_ours_to_restart(unit, observed);
        if !is_ours || self.never_came_up(now, unit, end) {
            return None;
        }
        let count = self.count_crash(now, Some(end));
        (count <= self.policy.crash.limit).then_some(count)
    }

    /// systemd starts a unit again. If it never came up, the session gives it up, and ends or is rescued at once. The
    /// unit is stopped; otherwise systemd would start it during the end, or beside the rescue command.
    fn comes_back_by_systemd(&mut self, now: Instant, unit: &str, end: Option<&ServiceEnd>) -> Option<Consequence> {
        if let Some(end) = end.filter(|end| self.never_came_up(now, unit, end)) {
            self.given_up = Some(unit.to_owned());
            return self.decide(unit, Verdict::Failed(end.clone()));
        }
        if self.said.iter().any(|said| said == unit) {
            return None;
        }
        // The limit is known only for a service that startxd has made: the one from the configuration.
        let is_ours = self.policy.transient.as_ref().is_some_and(|(name, _)| name == unit);
        let count = is_ours.then(|| self.count_crash(now, end));
        // systemd enters this state once more before it refuses the start that exceeds the limit.
        if count.is_none_or(|count| count <= self.policy.crash.limit) {
            self.say_restarting(unit, end, count);
        }
        None
    }

    /// Counts a crash, each process once, and returns how many count so far. systemd may announce that it starts a unit
    /// again and then fail to: 252 after a reload cannot read the command that it wrote itself.
    fn count_crash(&mut self, now: Instant, end: Option<&ServiceEnd>) -> u32 {
        let process = end.map(|end| end.pid).filter(|&pid| pid != 0);
        if process.is_some() && process == self.crashed {
            return self.crashes.count();
        }
        self.crashed = process;
        self.crashes.add(now, self.policy.crash.window)
    }

    /// Whether a window manager failed in a way that would repeat itself: it exited with an error status before it
    /// managed anything, for example because of an unknown option or a broken configuration. One that was ended by a
    /// signal has crashed.
    fn never_came_up(&self, now: Instant, unit: &str, end: &ServiceEnd) -> bool {
        let is_early = self.served.is_none_or(|served| now.duration_since(served) <= COMES_UP);
        !self.managed && is_early && end.is_error_status() && self.is_window_manager(unit)
    }

    /// The unit that the session has given up and that systemd would start again; returned once.
    pub(super) fn take_given_up(&mut self) -> Option<String> {
        self.given_up.take()
    }

    /// Whether systemd fails to start a unit again that should be.
    ///
    /// A user's own unit may not set `Restart=` at all. And systemd sometimes cannot start a command again although it
    /// was told to: 252 cannot read what it wrote itself if the command contains a `$` ([`crate::manager::transient`]),
    /// so it refuses after a daemon-reload. A script whose end ends the session is neither.
    fn is_ours_to_restart(&self, unit: &str, observed: &Observed) -> bool {
        if let Some((_, restart)) = self.policy.transient.as_ref().filter(|(name, _)| name == unit) {
            return *restart && observed.state.load != "loaded";
        }
        unit.ends_with(".service") && !names::is_session_service(unit) && observed.never_restarts
    }

    /// The units whose crash was reported.
    #[cfg(test)]
    pub(super) fn said(&self) -> &[String] {
        &self.said
    }

    /// Reports that a unit is being started again, once for each time: how it ended, and which restart this is of those
    /// that the limit allows.
    fn say_restarting(&mut self, unit: &str, end: Option<&ServiceEnd>, count: Option<u32>) {
        if self.said.iter().any(|said| said == unit) {
            return;
        }
        self.said.push(unit.to_owned());
        let how = match end {
            Some(end) if end.is_error_status() => format!("exited with status {}", end.status),
            _ => "crashed".to_owned(),
        };
        let count = count.map(|count| format!(" ({count} of {})", self.policy.crash.limit)).unwrap_or_default();
        tracing::warn!("{unit} {how} and is being started again{count}");
    }
}
