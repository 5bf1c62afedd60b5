//! The end of a session in phases, each with the event that completes it. Pure.
//!
//! | phase | what happens in it | what completes it |
//! |---|---|---|
//! | `Applications` | what the window manager started is ended, while it still has a window manager and a display | they are gone |
//! | `Dependents` | asked together with the first: which of the session's units are not tied to `xorg.target` | the answer |
//! | `Strangers` | those are stopped, as they would outlive `xorg.target`; before them, what is in the graphical session | their jobs |
//! | `ShutDown` | `startxd-shutdown.target` stops everything in order; meanwhile a server without clients is ended | its job; if the manager exits, the end of `xorg.target` |
//! | `Leftovers` | a look at the units that no target of ours stops | the look |
//! | `ApplicationsAgain` | if a unit is left: what the window manager started since the first time is ended | they are gone |
//! | `StopLeftovers` | those units are stopped | their jobs |
//! | `Settling` | the shutdown target stops by itself | a look that says so |
//! | `ManagerStops` | the manager is asked whether it is exiting | the answer |
//! | `Force` | SIGKILL for what did not stop | the shutdown target's job |
//! | `Server` | SIGTERM, then SIGKILL, for a server that is still there | its end |
//! | `Multiplexers` | multiplexers get their own variables back | they have them |
//! | `Terminal` | the terminal is restored | it is |
//! | `PuttingBack` | environment, cookie, record and lock are undone | done |
//! | `Closing` | the login session ends, and its shell with it; only if the screen was locked | it has ended |
//!
//! The phases up to `ManagerStops` share one deadline, `deadlines.stop`; what is still up then is killed. A manager
//! that does not answer a question within `deadlines.user_manager` is asked nothing more.

use std::time::{Duration, Instant};

use super::event::{Action, Event, FailureKind, LastEnd, ManagerState, Observed};
use super::jobs::Done;
use super::phases::{End, Phase};
use super::{Purpose, Session, Stage};
use crate::deadline::{KILLED, LAST_LINES};
use crate::host::why::Why;
use crate::launch::Reply;
use crate::manager::{Mode, names};

impl Session {
    /// Ends the session, whatever state it is in.
    pub(super) fn end(&mut self, now: Instant, why: Why) {
        match &why {
            clean if clean.is_clean() => tracing::info!("the session ends: {clean}"),
            failed => tracing::debug!("the session ends: {failed}"),
        }
        self.standing = self.course.standing(now, &why, self.setup.asked_for);
        self.server.end_begins();
        self.jobs.forget();
        if let Some(held) = self.server.take_held() {
            self.act(Action::Refuse(held, GOING_DOWN.to_owned()));
        }
        let closes = self.screen_lock.is_locked();
        if std::mem::take(&mut self.told) {
            self.act(Action::TakeBackFromMultiplexers);
            self.taking_back = true;
        }
        self.cover_for_end();
        self.sleep_without_us();
        self.idle_ends();
        self.stage = Stage::Ending(End::begin(why, now, now + self.setup.deadlines.stop, closes));
        self.enter(now, Phase::Applications);
    }

    fn ending(&mut self) -> Option<&mut End> {
        match &mut self.stage {
            Stage::Ending(end) => Some(end),
            Stage::Preparing | Stage::Up | Stage::Over(_) => None,
        }
    }

    /// Changes what the end keeps track of.
    fn change(&mut self, change: impl FnOnce(&mut End)) {
        self.ending().map(change);
    }

    /// Enters a phase, or skips it if there is nothing to do in it.
    fn enter(&mut self, now: Instant, phase: Phase) {
        let deadlines = self.setup.deadlines;
        let gone = self.manager_gone.is_some();
        let Some(end) = self.ending() else { return };
        let (shared, is_silent, closes) = (end.deadline, end.is_silent, end.closes);
        let answer = shared.min(now + deadlines.user_manager);
        end.phase = phase;
        end.until = Some(shared);
        end.again = false;
        match phase {
            // The manager stops its units as it exits.
            Phase::Applications if gone => self.enter(now, Phase::ManagerStops),
            Phase::Applications | Phase::ApplicationsAgain => {
                // The questions before it and the kill after it have deadlines of their own.
                let longest = deadlines.applications + deadlines.user_manager + KILLED;
                end.until = Some(shared.min(now + longest));
                self.act(Action::EndApplications);
                if phase == Phase::Applications {
                    self.act(Action::AskForDependents);
                }
            }
            Phase::Dependents => {
                end.until = Some(answer);
                self.strangers_are_known(now);
            }
            Phase::Strangers => self.stop_next(now),
            Phase::ShutDown => {
                let may_exit = end.why.may_be_the_managers();
                self.start(Purpose::End, names::SHUTDOWN_TARGET, Mode::ReplaceIrreversibly);
                // A race: a manager that exits may accept the order. It executes it when all of its units are down,
                // ours or not.
                if may_exit {
                    self.act(Action::AskWhetherManagerStops);
                }
                self.end_server_early();
            }
            Phase::Leftovers | Phase::Settling => {
                let mut units = vec![names::SHUTDOWN_TARGET.to_owned()];
                if phase == Phase::Leftovers {
                    units.extend(self.units.names().iter().cloned());
                    // The repair does nothing while we live, but may still be finding that out. If the login ends too,
                    // it also checks that we get that far.
                    if self.server.has_failed_supervisor() && !closes {
                        units.push(names::REPAIR_SERVICE.to_owned());
                    }
                }
                self.look_at(units);
            }
            Phase::StopLeftovers => self.stop_all(now),
            Phase::ManagerStops => {
                if gone || end.exits == Some(true) {
                    return self.manager_said(now, true);
                }
                end.until = Some(now + deadlines.user_manager);
                let matters = end.why.may_be_the_managers();
                if !matters || is_silent || end.exits.is_some() {
                    return self.manager_said(now, false);
                }
                self.act(Action::AskWhetherManagerStops);
            }
            Phase::Force => self.force(now, is_silent),
            Phase::Server { killed } => {
                end.until = Some(now + deadlines.server_stop);
                match (self.server.runs(), killed) {
                    (false, _) if self.server.is_being_forked() => {}
                    (false, _) => self.enter(now, Phase::Multiplexers),
                    (true, false) => self.act(Action::TerminateServer),
                    (true, true) => self.act(Action::KillServer),
                }
            }
            Phase::Multiplexers => {
                // Each of the two steps that this may have to wait for has this deadline itself.
                end.until = Some(now + deadlines.multiplexers * 2 + KILLED);
                // Normally this was done long ago.
                if !self.taking_back {
                    self.enter(now, Phase::Terminal);
                }
            }
            Phase::Terminal => {
                end.until = Some(now + deadlines.text_mode + KILLED);
                self.act(Action::RestoreTerminal);
            }
            Phase::PuttingBack => {
                end.until = Some(now + LAST_LINES + deadlines.user_manager + KILLED);
                let manager = match (gone, is_silent) {
                    (true, _) => ManagerState::Gone,
                    (false, true) => ManagerState::Silent,
                    (false, false) => ManagerState::There,
                };
                let last = LastEnd { why: end.why.clone(), standing: self.standing, is_locked: closes };
                self.act(Action::PutBack(manager, last));
            }
            Phase::Closing if !end.closes => self.finish(),
            Phase::Closing => {
                end.until = Some(now + deadlines.user_manager + KILLED * 2);
                self.act(Action::CloseLogin);
            }
        }
    }

    /// What happens while a session ends. In every phase, the supervisor waits for its server's end and clients may
    /// ask.
    pub(super) fn while_ending(&mut self, now: Instant, phase: Phase, event: Event) {
        match event {
            Event::ServerEnded(ending) => {
                self.server_ended(ending);
                self.server.ended(now, ending, Duration::ZERO);
                self.server.end_begins();
                if matches!(phase, Phase::Server { .. }) {
                    self.enter(now, Phase::Multiplexers);
                }
            }
            // It was being forked when the end began, and ends with the session.
            Event::Forked(client, outcome) => {
                match outcome {
                    Ok(()) => self.server.forked(client),
                    Err(reason) => self.server.not_forked(reason),
                }
                if matches!(phase, Phase::Server { .. }) {
                    self.enter(now, Phase::Server { killed: false });
                }
            }
            Event::LaunchAsked { client, .. } => {
                // While the session ends this is expected and no fault. The unit fails because of it, and systemd
                // starts the repair.
                tracing::debug!("refused to launch a server: {GOING_DOWN}");
                self.server.refused();
                self.act(Action::Refuse(client, GOING_DOWN.to_owned()));
            }
            Event::LockAsked(Some(client)) | Event::UnlockAsked(Some(client)) => {
                self.act(Action::Refuse(client, GOING_DOWN.to_owned()));
            }
            // The client waits, as all do, until the connection closes.
            Event::StopAsked(client) => self.act(Action::Reply(client, Reply::Stopping)),
            Event::LastWords(client, text) | Event::ServerLeft(client, text) => self.last_words(client, text),
            Event::ClientGone(client) => self.client_gone(client),
            Event::ManagerGone(why) => {
                self.manager_gone = Some(why);
                if phase.needs_manager() {
                    self.jobs.forget();
                    self.enter(now, Phase::ManagerStops);
                }
            }
            Event::TakenBack => {
                self.taking_back = false;
                if phase == Phase::Multiplexers {
                    self.enter(now, Phase::Terminal);
                }
            }
            // Locked after the end began: even so, what is below the screen must not be left open.
            Event::LockedHint(true) => {
                if let Some(end) = self.ending() {
                    end.closes = true;
                }
            }
            Event::Due => self.overdue(now, phase),
            // A second signal changes nothing: the end is under way and has its deadline.
            event => self.step_of_end(now, phase, event),
        }
    }

    /// An event that may complete the phase.
    fn step_of_end(&mut self, now: Instant, phase: Phase, event: Event) {
        match (phase, event) {
            (Phase::Applications, Event::ApplicationsEnded { needs_server }) => {
                self.change(|end| end.needs_server = needs_server);
                self.enter(now, Phase::Dependents);
            }
            (Phase::Applications | Phase::Dependents, Event::Dependents(answer)) => {
                let bound = match answer {
                    Err(failure) if failure.kind == FailureKind::Silent => return self.silent(now, phase),
                    answer => answer.unwrap_or_default(),
                };
                let strangers = self.units.names().iter().filter(|unit| !bound.contains(unit)).cloned().collect();
                self.change(|end| end.strangers = Some(strangers));
                if phase == Phase::Dependents {
                    self.strangers_are_known(now);
                }
            }
            (_, Event::Queued(order, Ok(job))) => {
                if let Some((_, Some(_))) = self.jobs.answered(order, job) {
                    self.job_of_end_over(now, phase);
                }
            }
            (_, Event::Queued(order, Err(failure))) => {
                if self.jobs.refused(order).is_none() {
                    return;
                }
                match (phase, failure.kind) {
                    (Phase::ShutDown, FailureKind::Disconnected) => {
                        // A manager that exits stops the session's units first, then its bus, and itself a little
                        // later: an end that began with the window manager or with xorg.target then finds nobody to
                        // ask. But the bus may merely have been restarted, so ask which of the two it is.
                        self.change(|end| end.again = true);
                        self.act(Action::Reconnect);
                    }
                    (_, FailureKind::Silent) => self.silent(now, phase),
                    (Phase::ShutDown, FailureKind::Refused) => {
                        tracing::error!("{} cannot be started: {}", names::SHUTDOWN_TARGET, failure.text);
                        self.enter(now, Phase::ManagerStops);
                    }
                    // A unit that is not loaded needs no stop.
                    _ => self.job_of_end_over(now, phase),
                }
            }
            (_, Event::JobDone { job, result, end }) => {
                let ours = self.jobs.done(job, Done { result, end });
                if ours.is_some() {
                    self.job_of_end_over(now, phase);
                }
            }
            (Phase::ShutDown, Event::Reconnected) if self.ending().is_some_and(|end| end.again) => {
                self.enter(now, Phase::ShutDown);
            }
            (Phase::Strangers | Phase::ShutDown | Phase::StopLeftovers | Phase::Force, Event::Reconnected) => {
                // The end of the job may have been reported on the connection that broke.
                self.look_at(vec![names::XORG_TARGET.to_owned()]);
            }
            (Phase::Leftovers | Phase::Settling, Event::Reconnected) => self.enter(now, phase),
            (Phase::ApplicationsAgain, Event::ApplicationsEnded { .. }) => self.enter(now, Phase::Leftovers),
            (Phase::Settling, Event::Changed(unit)) if unit == names::SHUTDOWN_TARGET => {
                self.look_at(vec![unit]);
            }
            (phase, Event::Looked(number, found)) => {
                if !self.looks.over(number) {
                    return;
                }
                if self.looks.take_again() {
                    return self.look_again(now, phase);
                }
                match found {
                    Ok(seen) => self.looked_at_end(now, phase, &seen.units),
                    Err(failure) if failure.kind == FailureKind::Silent => self.silent(now, phase),
                    // The next connection triggers another look.
                    Err(failure) if failure.kind == FailureKind::Disconnected => {}
                    Err(_) => self.looked_at_end(now, phase, &[]),
                }
            }
            (Phase::ShutDown, Event::Changed(unit)) if unit == names::XORG_TARGET && self.exits() => {
                self.look_at(vec![unit]);
            }
            (Phase::ManagerStops, Event::ManagerStops(answer)) => match answer {
                Err(failure) if failure.kind == FailureKind::Disconnected => self.act(Action::Reconnect),
                answer => self.manager_said(now, answer.unwrap_or(false)),
            },
            (phase, Event::ManagerStops(Ok(stops))) => {
                self.change(|end| end.exits = Some(stops));
                if stops && phase == Phase::ShutDown {
                    self.look_at(vec![names::XORG_TARGET.to_owned()]);
                }
            }
            (Phase::ManagerStops, Event::Reconnected) => self.enter(now, Phase::ManagerStops),
            (Phase::Server { .. }, Event::ServerGivenUp { pid, state }) => {
                self.change(|end| end.why = Why::ServerStays { pid, state });
                self.enter(now, Phase::Multiplexers);
            }
            (Phase::Terminal, Event::TerminalRestored) => self.enter(now, Phase::PuttingBack),
            (Phase::PuttingBack, Event::PutBack(last_lines)) => {
                self.change(|end| end.why.add_last_lines(last_lines));
                self.enter(now, Phase::Closing);
            }
            (Phase::Closing, Event::LoginClosed) => self.finish(),
            _ => {}
        }
    }

    /// Whether the manager is known to be exiting.
    fn exits(&self) -> bool {
        matches!(&self.stage, Stage::Ending(end) if end.exits == Some(true))
    }

    /// Continues once it is known which units are not tied to `xorg.target`.
    fn strangers_are_known(&mut self, now: Instant) {
        let Some(strangers) = self.ending().and_then(|end| end.strangers.take()) else { return };
        if strangers.is_empty() {
            return self.enter(now, Phase::ShutDown);
        }
        let next = std::iter::once(names::WM_READY_TARGET.to_owned()).chain(strangers).collect();
        self.change(|end| end.next = next);
        self.enter(now, Phase::Strangers);
    }

    /// Ends a server that nothing needs any more while the manager still stops units. Normally the server is kept until
    /// they are down, for their programs and for what they run when they stop. If only the window manager was there and
    /// it has exited, nothing needs the server, and its end takes longer than all the rest. The variables that lead to it
    /// are put back in that time.
    ///
    /// A race: the server may be gone before the manager gets to stopping its unit. So its supervisor is told first,
    /// and does not take that for a crash. Under a locked screen the usual order holds.
    fn end_server_early(&mut self) {
        let is_free = self.ending().is_some_and(|end| !end.needs_server && !end.closes);
        if let Some(supervisor) = self.server.supervisor().filter(|_| is_free && self.server.runs()) {
            self.act(Action::Reply(supervisor, Reply::Stopping));
            self.act(Action::TerminateServer);
            self.act(Action::PutEnvironmentBack);
        }
    }

    /// Everything that this phase stops is down.
    fn job_of_end_over(&mut self, now: Instant, phase: Phase) {
        if !self.jobs.is_empty() {
            return;
        }
        match phase {
            Phase::Strangers => self.stop_next(now),
            Phase::ShutDown => self.shut_down(now),
            Phase::StopLeftovers => self.enter(now, Phase::Settling),
            Phase::Force => self.enter(now, Phase::Server { killed: false }),
            _ => {}
        }
    }

    /// Everything that the shutdown target stops is down.
    fn shut_down(&mut self, now: Instant) {
        self.change(|end| end.is_down = true);
        self.enter(now, Phase::Leftovers);
    }

    /// Stops the units that are due: `wm-ready.target` first, and the rest when it is down.
    fn stop_next(&mut self, now: Instant) {
        let Some(first) = self.ending().and_then(|end| end.next.pop_front()) else {
            return self.enter(now, Phase::ShutDown);
        };
        self.stop(first);
    }

    fn stop_all(&mut self, now: Instant) {
        let units = self.ending().map(|end| std::mem::take(&mut end.next)).unwrap_or_default();
        if units.is_empty() {
            return self.enter(now, Phase::Settling);
        }
        for unit in units {
            self.stop(unit);
        }
    }

    fn stop(&mut self, unit: String) {
        let order = self.jobs.ask(Purpose::End);
        self.act(Action::Stop { order, unit });
    }

    fn look_at(&mut self, units: Vec<String>) {
        if let Some(number) = self.looks.want() {
            self.act(Action::Look { number, units });
        }
    }

    /// Starts the phase's look, if it had to wait for another one.
    fn look_again(&mut self, now: Instant, phase: Phase) {
        match phase {
            Phase::Leftovers | Phase::Settling => self.enter(now, phase),
            Phase::Strangers | Phase::ShutDown | Phase::StopLeftovers | Phase::Force => {
                self.look_at(vec![names::XORG_TARGET.to_owned()]);
            }
            _ => {}
        }
    }

    fn looked_at_end(&mut self, now: Instant, phase: Phase, units: &[(String, Observed)]) {
        let seen = |name: &str| units.iter().find(|(unit, _)| unit == name).map(|(_, seen)| seen.state.is_down());
        match phase {
            Phase::Leftovers => {
                let others = || units.iter().filter(|(unit, _)| unit != names::SHUTDOWN_TARGET);
                let Some(end) = self.ending() else { return };
                // What the window manager started since the first time: stopping its unit would end only the main
                // process. A unit that still has processes is still loaded.
                if others().any(|(_, observed)| observed.state.is_loaded())
                    && !std::mem::replace(&mut end.asked_again, true)
                {
                    return self.enter(now, Phase::ApplicationsAgain);
                }
                let left = others().filter(|(_, seen)| !seen.state.is_down() || seen.state.sub == "exited");
                end.next = left.map(|(unit, _)| unit.clone()).collect();
                if end.next.is_empty() && seen(names::SHUTDOWN_TARGET) == Some(true) {
                    return self.enter(now, Phase::ManagerStops);
                }
                self.enter(now, Phase::StopLeftovers);
            }
            // The shutdown target stops once it has been reached and nothing needs it. Normally that happened during
            // the other looks. But a busy manager is slow, and whoever checks after us should find nothing.
            Phase::Settling if seen(names::SHUTDOWN_TARGET) != Some(false) => self.enter(now, Phase::ManagerStops),
            Phase::ShutDown if seen(names::XORG_TARGET) == Some(true) && self.exits() => {
                self.jobs.forget();
                self.enter(now, Phase::ManagerStops);
            }
            Phase::Strangers | Phase::ShutDown | Phase::StopLeftovers | Phase::Force
                if seen(names::XORG_TARGET) == Some(true) =>
            {
                self.jobs.forget();
                self.job_of_end_over(now, phase);
            }
            _ => {}
        }
    }

    /// The manager is known to exit: its units stop before it does, the window manager or `xorg.target` first. The
    /// environment is gone with it, and the next session needs another login.
    fn manager_said(&mut self, now: Instant, stops: bool) {
        if stops && self.manager_gone.is_none() {
            self.manager_gone = Some("it exits".to_owned());
        }
        let gone = self.manager_gone.clone();
        let Some(end) = self.ending() else { return };
        if let Some(gone) = gone {
            end.is_down = true;
            if end.why.may_be_the_managers() {
                end.why = Why::ManagerLost(gone);
            }
        }
        if !end.is_down && end.why.is_clean() {
            let waited = now.duration_since(end.begun);
            end.why = if end.is_silent { Why::ManagerSilent { waited } } else { Why::Stuck { waited } };
        }
        let next = if end.is_down { Phase::Server { killed: false } } else { Phase::Force };
        self.enter(now, next);
    }

    /// Kills what did not stop in time.
    fn force(&mut self, now: Instant, is_silent: bool) {
        let server_stop = self.setup.deadlines.server_stop;
        let mut units = self.units.names().to_vec();
        units.extend(self.display.map(names::xorg_service));
        for unit in units {
            tracing::error!("killing what is left of {unit}");
            self.act(Action::Kill(unit));
        }
        self.jobs.forget();
        self.start(Purpose::End, names::SHUTDOWN_TARGET, Mode::ReplaceIrreversibly);
        self.change(|end| end.until = Some(now + server_stop));
        if is_silent {
            // It executes the orders when it responds again.
            self.enter(now, Phase::Server { killed: false });
        }
    }

    /// The manager does not answer: it is asked nothing more.
    fn silent(&mut self, now: Instant, phase: Phase) {
        if !phase.needs_manager() {
            return;
        }
        self.change(|end| end.is_silent = true);
        let next = if phase == Phase::Force { Phase::Server { killed: false } } else { Phase::ManagerStops };
        self.enter(now, next);
    }

    /// The phase's deadline has passed.
    fn overdue(&mut self, now: Instant, phase: Phase) {
        let Some(end) = self.ending() else { return };
        if end.until.is_none_or(|until| now < until) {
            return;
        }
        let late = now >= end.deadline;
        match phase {
            Phase::Applications if !late => self.enter(now, Phase::Dependents),
            Phase::ApplicationsAgain if !late => self.enter(now, Phase::Leftovers),
            Phase::Dependents if !late => self.silent(now, phase),
            Phase::Applications
            | Phase::Dependents
            | Phase::Strangers
            | Phase::ShutDown
            | Phase::ApplicationsAgain
            | Phase::Leftovers
            | Phase::StopLeftovers
            | Phase::Settling => {
                // It may have started to exit since it was asked.
                end.exits = end.exits.filter(|exits| *exits);
                self.enter(now, Phase::ManagerStops);
            }
            Phase::ManagerStops => self.manager_said(now, false),
            Phase::Force => self.enter(now, Phase::Server { killed: false }),
            Phase::Server { killed: false } => self.enter(now, Phase::Server { killed: true }),
            Phase::Server { killed: true } => {
                // A process in state D ends when the kernel lets it, or never: that must not keep anybody here.
                end.until = None;
                self.act(Action::GiveUpServer);
            }
            Phase::Multiplexers => self.enter(now, Phase::Terminal),
            Phase::Terminal => self.enter(now, Phase::PuttingBack),
            Phase::PuttingBack => self.enter(now, Phase::Closing),
            Phase::Closing => self.finish(),
        }
    }

    fn finish(&mut self) {
        if let Some(end) = self.ending() {
            self.stage = Stage::Over(Some(end.why.clone()));
        }
    }
}

/// What a supervisor is told if it asks for a server now.
const GOING_DOWN: &str = "the session is going down";
