//! The supervisor: `startxd serve-display N`, the main process of `startxd-display@N.service`.
//!
//! Like that of the main session ([`crate::supervisor`]), but the server is its own child, born in the unit: nothing
//! has to be moved, and the user manager is asked only if the display ends by itself or has a session.

use std::io;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use sd_notify::NotifyState;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use super::child::{self, Child};
use super::claim::{self, Claim, ClaimSettings, ClaimState};
use super::handover;
use crate::config::Crash;
use crate::deadline::{Deadlines, OUTLIVES_SERVER};
use crate::launch::Ending;
use crate::manager::verdict::Verdict;
use crate::manager::{Manager, Mode, names};
use crate::os;
use crate::runtime_dir::{NoRuntimeDir, RuntimeDir};
use crate::server::Out;
use crate::x11::display::Display;
use crate::x11::number::Number;
use crate::x11::xauthority;

/// Why the unit fails.
#[derive(Debug, Error)]
#[allow(clippy::missing_docs_in_private_items, reason = "each variant's sentence is its documentation")]
pub enum Broken {
    #[error("{0}")]
    NoRuntimeDir(#[from] NoRuntimeDir),
    #[error("startxd-display@N.service is started by systemd with one socket, not {0}; use startxd display start")]
    NoSockets(usize),
    #[error("display {0} has no settings; this unit is for startxd display start to start")]
    NoSettings(Display),
    #[error("the settings of display {0} cannot be read: {1}; use startxd display start")]
    Unreadable(Display, io::Error),
    #[error("an earlier supervisor of display {0} was killed; to clean up: startxd display stop {0}")]
    Again(Display),
    #[error("{0}")]
    NumberTaken(String),
    #[error("the server {0} cannot be executed: {1}")]
    NotExecuted(String, io::Error),
    #[error("{0}")]
    NotReady(String),
    #[error("{0}")]
    System(#[from] io::Error),
}

/// Why a display that was up is ending.
enum End {
    /// The unit is stopped.
    Stopped,
    /// The server crashed.
    Crashed(Ending),
    /// The session has ended, well or not.
    Over(Verdict),
}

/// Runs the supervisor of a display until it has ended.
///
/// # Errors
/// [`Broken`]: the display was never up; the process that started it finds the reason in the display's state.
pub async fn run(display: Display, deadlines: &Deadlines, crash: &Crash) -> Result<(), Broken> {
    let runtime = RuntimeDir::find()?;
    let listeners = os::inherited_listeners()?;
    if listeners.len() != 1 {
        return Err(Broken::NoSockets(listeners.len()));
    }
    let settings = claim::settings(&runtime, display).map_err(|error| Broken::Unreadable(display, error))?;
    let settings = settings.ok_or(Broken::NoSettings(display))?;
    let mut state = ClaimState::begin(&runtime, display).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Broken::Again(display),
        _ => Broken::System(error),
    })?;
    let mut server = None;
    let received = handover::receive(&runtime, display, deadlines.launch).await.map_err(Broken::NumberTaken);
    let (number, brought_up) = match received {
        Ok(number) => (Some(number), bring_up(&runtime, &settings, listeners, &mut server, &mut state).await),
        Err(taken) => (None, Err(taken)),
    };
    let failed = match (brought_up, server.as_mut()) {
        (Ok(Some(stop)), Some(server)) => {
            let life = Life { runtime: &runtime, settings: &settings, deadlines, crash, state, server, number, stop };
            life.live().await;
            return Ok(());
        }
        // Whatever has happened, the server must end.
        (outcome, Some(server)) => {
            child::kill(server, &settings).await;
            outcome.err()
        }
        (outcome, None) => outcome.err(),
    };
    match failed {
        // Told to stop before it was ready.
        None => {
            drop(number);
            clean(&runtime, display);
            Ok(())
        }
        Some(broken) => {
            state.failed = Some(child::with_last_lines(&broken, server.as_ref(), &settings));
            let _ = state.write(&runtime, display);
            Err(broken)
        }
    }
}

/// Starts the server, into `server`, and returns when it is ready, with the signal that will tell us to stop; `None` if
/// we were told before.
async fn bring_up(
    runtime: &RuntimeDir,
    settings: &ClaimSettings,
    listeners: Vec<OwnedFd>,
    server: &mut Option<Child>,
    state: &mut ClaimState,
) -> Result<Option<Signal>, Broken> {
    let display = settings.display;
    let mut stop = signal(SignalKind::terminate())?;
    let cookie = xauthority::ensure(&runtime.authority(display), display)?;
    let started = child::start(settings, &listeners, Out::STDERR, false)
        .map_err(|error| Broken::NotExecuted(settings.program.display().to_string(), error))?;
    let server = server.insert(started);
    // Only the server has these from now on: a copy here would keep the sockets open after its end.
    drop(listeners);
    let deadline = claim::seconds(settings.server_ready);
    let ready = tokio::select! {
        biased;
        ready = server.ready(display, &cookie, deadline) => Some(ready),
        _ = stop.recv() => None,
    };
    match ready {
        Some(Ok(())) => {}
        Some(Err(why)) => return Err(Broken::NotReady(format!("the server {why}"))),
        None => return Ok(None),
    }
    state.server = Some(server.pid().as_raw());
    state.ready = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_secs());
    // This file is only information: if it cannot be written, the display still goes on.
    if let Err(error) = state.write(runtime, display) {
        let which = display;
        tracing::warn!("the state of display {which} cannot be written: {error}");
    }
    let status = format!("Serving display {display} by {}, pid {}", settings.server, server.pid());
    sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&status)])?;
    Ok(Some(stop))
}

/// Removes the files, unless another process holds the claim, which then removes them.
fn clean(runtime: &RuntimeDir, display: Display) {
    if let Some(claim) = Claim::hold(runtime, display) {
        claim.remove(runtime);
    }
}

struct Life<'a> {
    runtime: &'a RuntimeDir,
    settings: &'a ClaimSettings,
    deadlines: &'a Deadlines,
    crash: &'a Crash,
    state: ClaimState,
    server: &'a mut Child,
    number: Option<Number>,
    stop: Signal,
}

impl Life<'_> {
    async fn live(mut self) {
        let display = self.settings.display;
        let session = child::session(self.runtime, self.settings, self.crash, self.deadlines.user_manager);
        let end = tokio::select! {
            biased;
            ending = self.server.ended() => End::Crashed(ending),
            _ = self.stop.recv() => End::Stopped,
            verdict = session => End::Over(verdict),
        };
        if let End::Crashed(_) = end {
            self.server.drain().await;
        }
        let failed = match &end {
            End::Stopped | End::Over(Verdict::LoggedOut) => None,
            End::Crashed(ending) => {
                let text = format!("the server of display {display} {ending}");
                Some(child::with_last_lines(&text, Some(self.server), self.settings))
            }
            End::Over(verdict) => Some(child::over(verdict, display)),
        };
        if let Some(failed) = failed {
            tracing::error!("{failed}; ending the display");
            self.state.failed = Some(failed);
            let _ = self.state.write(self.runtime, display);
        }
        if !matches!(end, End::Stopped) {
            self.ask_for_stop(matches!(end, End::Crashed(_))).await;
        }
        child::kill(self.server, self.settings).await;
        self.forget_session().await;
        // Before the claim, whose removal tells others that nothing is left.
        self.number = None;
        clean(self.runtime, display);
    }

    /// Resets the failed state of the session's unit, which was reported already, so that no failed unit is left.
    async fn forget_session(&self) {
        if self.settings.session.is_none() {
            return;
        }
        let unit = names::display_session(self.settings.display);
        let forget = async {
            let manager = Manager::connect(self.runtime, self.deadlines.user_manager).await.ok()?;
            manager.reset_failed(&unit).await.ok()
        };
        let _ = timeout(self.deadlines.user_manager, forget).await;
    }

    /// Makes the manager stop this unit and all units that are bound to it, in order; returns when it is our turn.
    /// `is_bereft` says that the server is gone: then a window manager that does not end soon is killed, because one
    /// without a display may run forever (i3).
    async fn ask_for_stop(&mut self, is_bereft: bool) {
        let unit = names::display_service(self.settings.display);
        let asked = async {
            let manager = Manager::connect(self.runtime, self.deadlines.user_manager)
                .await
                .map_err(|error| error.why().to_owned())?;
            manager.stop(&unit, Mode::Replace).await.map_err(|error| error.to_string())?;
            Ok::<_, String>(manager)
        };
        let manager = match asked.await {
            Ok(manager) => manager,
            Err(why) => {
                // Then only this unit's end tells the manager; the units that are bound to it end with it.
                tracing::error!("the user manager refused to stop {unit}: {why}");
                return;
            }
        };
        if is_bereft && self.settings.session.is_some() {
            if timeout(OUTLIVES_SERVER, self.stop.recv()).await.is_ok() {
                return;
            }
            let session = names::display_session(self.settings.display);
            // A unit that has ended in the meantime is not an error.
            let _ = manager.kill(&session, nix::sys::signal::Signal::SIGKILL).await;
        }
        let _ = timeout(self.deadlines.stop, self.stop.recv()).await;
    }
}
