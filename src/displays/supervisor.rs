//! The supervisor: `startxd serve-display N`, the main process of `startxd-display@N.service`.
//!
//! As that of the main session ([`crate::supervisor`]), but with the server as its own child, born in the unit: nothing
//! has to be moved, and the user manager is not asked for anything unless the display ends by itself or has a session.

use std::ffi::CString;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use sd_notify::NotifyState;
use thiserror::Error;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::claim::{self, Claim, Settings, State};
use crate::config::Crash;
use crate::deadline::Deadlines;
use crate::host::prepare::hostname_bytes;
use crate::host::server::{self, Server};
use crate::host::verdict::{Verdict, judge};
use crate::launch::Ending;
use crate::manager::transient::Service;
use crate::manager::{self, Manager, Mode, names};
use crate::os::{self, Image, Pid};
use crate::runtime_dir::{NoRuntimeDir, RuntimeDir};
use crate::supervisor::relay::Relay;
use crate::x11::client::{Client, ClientError};
use crate::x11::cookie::Cookie;
use crate::x11::display::Display;
use crate::x11::{occupied, xauthority};

/// Why the unit fails.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "each variant's sentence is its documentation")]
pub enum Broken {
    #[error("{0}")]
    NoRuntimeDir(#[from] NoRuntimeDir),
    #[error("startxd-display@N.service is started by systemd with two sockets, not {0}; use startxd display start")]
    NoSockets(usize),
    #[error("display {0} has no settings; this unit is for startxd display start to start")]
    NoSettings(Display),
    #[error("the settings of display {0} cannot be read: {1}; use startxd display start")]
    Unreadable(Display, io::Error),
    #[error("an earlier supervisor of display {0} was killed; end it with: startxd display stop {0}")]
    Again(Display),
    #[error("the server {program} cannot be executed: {error}")]
    NotExecuted { program: String, error: io::Error },
    #[error("the server {0} before it was ready")]
    NotReady(Ending),
    #[error(
        "the server did not answer within {} s (it took the connection and said nothing, or never listened); raise \
         deadlines.server_ready in startxd.toml if the machine is that slow", .0.as_secs_f32()
    )]
    Silent(Duration),
    #[error("the server does not serve us: {0}")]
    Handshake(#[from] ClientError),
    #[error("{0}")]
    System(#[from] io::Error),
}

/// Why a display that was up ends.
enum End {
    /// The unit is stopped.
    Stopped,
    /// The server crashed.
    Crashed(Ending),
    /// The process is gone that the display was for.
    Abandoned,
    /// The session is over, well or not.
    Over(Verdict),
}

/// Runs the supervisor of a display until it has ended.
///
/// # Errors
/// [`Broken`]: the display was never there; whoever started it finds the reason in its state.
pub async fn run(display: Display, deadlines: &Deadlines, crash: &Crash) -> Result<(), Broken> {
    let runtime = RuntimeDir::find()?;
    let listeners = os::inherited_listeners()?;
    if listeners.len() != 2 {
        return Err(Broken::NoSockets(listeners.len()));
    }
    let settings = claim::settings(&runtime, display).map_err(|error| Broken::Unreadable(display, error))?;
    let settings = settings.ok_or(Broken::NoSettings(display))?;
    let mut state = State::begin(&runtime, display).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Broken::Again(display),
        _ => Broken::System(error),
    })?;
    let (mut relay, output) = Relay::new()?;
    let brought_up = bring_up(&runtime, &settings, listeners, output, &mut relay, &mut state).await;
    match brought_up {
        Ok(Some(up)) => {
            let life = Life { runtime: &runtime, settings: &settings, deadlines, crash, relay, state, up };
            life.live().await;
            Ok(())
        }
        // Told to stop before it was ready, or nobody waits for it any more.
        Ok(None) => {
            clean(&runtime, display);
            Ok(())
        }
        Err(broken) => {
            state.failed = Some(with_last_lines(&broken, &relay, display));
            let _ = state.write(&runtime, display);
            Err(broken)
        }
    }
}

/// A display that is up.
struct Up {
    server: Server,
    client: Option<AsyncFd<OwnedFd>>,
    stop: tokio::signal::unix::Signal,
}

/// Starts the server, and returns when it is ready; `None` if it was told to stop before.
async fn bring_up(
    runtime: &RuntimeDir,
    settings: &Settings,
    listeners: Vec<OwnedFd>,
    output: OwnedFd,
    relay: &mut Relay,
    state: &mut State,
) -> Result<Option<Up>, Broken> {
    let display = settings.display;
    let mut stop = signal(SignalKind::terminate())?;
    let client = match settings.client {
        Some(pid) => match watch_client(runtime, display, pid) {
            None => return Ok(None),
            watched => watched,
        },
        None => None,
    };
    let cookie = xauthority::ensure(&runtime.authority(display), display, &hostname_bytes())?;
    occupied::remove_temporary_lock(display);
    let server = start_server(settings, &listeners, &output)?;
    // Only the server has these now: a copy kept here would keep the pipe and the sockets open after its end.
    drop((listeners, output));
    let deadline = seconds(settings.server_ready);
    let outcome = tokio::select! {
        biased;
        ready = timeout(deadline, handshake(display, &cookie)) => match ready {
            Ok(ready) => ready.map(|()| true).map_err(Broken::Handshake),
            Err(_) => Err(Broken::Silent(deadline)),
        },
        ending = server.ended() => {
            relay.drain().await;
            return Err(Broken::NotReady(ending));
        }
        _ = stop.recv() => Ok(false),
        () = gone(client.as_ref()) => Ok(false),
        () = relay.run() => unreachable!("the relay never returns"),
    };
    if !matches!(outcome, Ok(true)) {
        kill(&server, settings, relay).await;
        outcome?;
        return Ok(None);
    }
    state.server = Some(server.pid.as_raw());
    state.ready = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_secs());
    // For others to look at; that it cannot be written is no reason to end the display.
    if let Err(error) = state.write(runtime, display) {
        let which = display;
        tracing::warn!("the state of display {which} cannot be written: {error}");
    }
    let status = format!("Serving display {display} by {}, pid {}", settings.server, server.pid);
    sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&status)])?;
    Ok(Some(Up { server, client, stop }))
}

/// The setup reply is readiness; the connection is not kept.
async fn handshake(display: Display, cookie: &Cookie) -> Result<(), ClientError> {
    Client::connect(display, cookie).await.map(|_| ())
}

fn start_server(settings: &Settings, listeners: &[OwnedFd], output: &OwnedFd) -> Result<Server, Broken> {
    let c_string = |text: &str| CString::new(text).map_err(io::Error::from);
    let program = CString::new(settings.program.as_os_str().as_bytes()).map_err(io::Error::from)?;
    let arguments = settings.arguments.iter().map(|argument| c_string(argument)).collect::<io::Result<Vec<_>>>()?;
    let replaced = |entry: &CString| {
        let name = entry.as_bytes().split(|&byte| byte == b'=').next().unwrap_or_default();
        settings.environment.keys().any(|set| set.as_bytes() == name)
    };
    let mut environment = server::environment()?;
    environment.retain(|entry| !replaced(entry));
    for (name, value) in &settings.environment {
        environment.push(c_string(&format!("{name}={value}"))?);
    }
    let listeners: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
    let image = Image {
        program: &program,
        arguments: &arguments,
        environment: &environment,
        output: output.as_fd(),
        listeners: &listeners,
    };
    let program = settings.program.display().to_string();
    Server::start(&image).map_err(|error| Broken::NotExecuted { program, error })
}

/// A descriptor of the process that the display is for; `None` if it is gone.
///
/// It holds the claim for all its life. So if that is held after the descriptor was opened, the pid is still its own.
fn watch_client(runtime: &RuntimeDir, display: Display, pid: i32) -> Option<AsyncFd<OwnedFd>> {
    let pidfd = os::pidfd_open(Pid::from_raw(pid)).ok()?;
    if Claim::is_held(runtime, display) { os::watch(pidfd).ok() } else { None }
}

async fn gone(client: Option<&AsyncFd<OwnedFd>>) {
    match client {
        Some(client) => drop(client.readable().await),
        None => std::future::pending().await,
    }
}

/// Ends the server: SIGTERM, and SIGKILL when its time is up. Relays its last words.
async fn kill(server: &Server, settings: &Settings, relay: &mut Relay) {
    server.signal(Signal::SIGTERM);
    let ended = async {
        if timeout(seconds(settings.server_stop), server.ended()).await.is_err() {
            tracing::error!("the server does not end within {} s; killing it", settings.server_stop);
            server.signal(Signal::SIGKILL);
            server.ended().await;
        }
    };
    tokio::select! {
        () = ended => {}
        () = relay.run() => unreachable!("the relay never returns"),
    }
    relay.drain().await;
}

/// Removes what is on disk, unless somebody holds the claim, who does it then.
fn clean(runtime: &RuntimeDir, display: Display) {
    if let Some(claim) = Claim::hold(runtime, display) {
        claim.remove(runtime);
    }
}

fn with_last_lines(broken: &impl fmt::Display, relay: &Relay, display: Display) -> String {
    match relay.tail() {
        tail if tail.is_empty() => {
            let unit = names::display_service(display);
            format!("{broken}; it said nothing; see: journalctl --user -b -u {unit}")
        }
        tail => format!("{broken}; its last lines:\n{tail}"),
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(crate::deadline::MAX)
}

struct Life<'a> {
    runtime: &'a RuntimeDir,
    settings: &'a Settings,
    deadlines: &'a Deadlines,
    crash: &'a Crash,
    relay: Relay,
    state: State,
    up: Up,
}

impl Life<'_> {
    async fn live(mut self) {
        let display = self.settings.display;
        let session = session(self.runtime, self.settings, self.crash, self.deadlines.user_manager);
        let end = tokio::select! {
            biased;
            ending = self.up.server.ended() => End::Crashed(ending),
            _ = self.up.stop.recv() => End::Stopped,
            () = gone(self.up.client.as_ref()) => End::Abandoned,
            verdict = session => End::Over(verdict),
            () = self.relay.run() => unreachable!("the relay never returns"),
        };
        if let End::Crashed(_) = end {
            self.relay.drain().await;
        }
        let failed = match &end {
            End::Stopped | End::Over(Verdict::LoggedOut) => None,
            End::Crashed(ending) => {
                let text = format!("the server of display {display} {ending}");
                Some(with_last_lines(&text, &self.relay, display))
            }
            End::Abandoned => Some(format!("the command that display {display} was for is gone")),
            End::Over(verdict) => Some(over(verdict, display)),
        };
        if let Some(failed) = failed {
            tracing::error!("{failed}; ending the display");
            self.state.failed = Some(failed);
            let _ = self.state.write(self.runtime, display);
        }
        if !matches!(end, End::Stopped) {
            self.ask_for_stop().await;
        }
        kill(&self.up.server, self.settings, &mut self.relay).await;
        clean(self.runtime, display);
    }

    /// Has the manager stop this unit, and with it all that is bound to it, in order; returns when it is our turn.
    async fn ask_for_stop(&mut self) {
        let unit = names::display_service(self.settings.display);
        let asked = async {
            let manager = timeout(self.deadlines.user_manager, Manager::connect(self.runtime)).await;
            let manager = manager.map_err(|_| "no answer".to_owned())?.map_err(|error| error.to_string())?;
            manager.stop(&unit, Mode::Replace).await.map_err(|error| error.to_string())?;
            Ok::<_, String>(())
        };
        let asked = tokio::select! {
            asked = asked => asked,
            () = self.relay.run() => unreachable!("the relay never returns"),
        };
        if let Err(why) = asked {
            // Then this unit's end is all that tells the manager; what is bound to it ends with it.
            tracing::error!("the user manager does not take the order to stop {unit}: {why}");
            return;
        }
        tokio::select! {
            _ = timeout(self.deadlines.stop, self.up.stop.recv()) => {}
            () = self.relay.run() => unreachable!("the relay never returns"),
        }
    }
}

fn over(verdict: &Verdict, display: Display) -> String {
    let unit = names::display_session(display);
    match verdict {
        Verdict::Failed(end) => format!(
            "the session on display {display} has failed ({}, status {}); see its output: journalctl --user -b -u {unit}",
            end.result, end.status
        ),
        _ => format!("the session on display {display} is over"),
    }
}

/// Starts the display's session, if it is to have one, and returns when that is over.
async fn session(runtime: &RuntimeDir, settings: &Settings, crash: &Crash, deadline: Duration) -> Verdict {
    let Some(wanted) = &settings.session else { return std::future::pending().await };
    let unit = names::display_session(settings.display);
    let watched = async {
        let manager = timeout(deadline, Manager::connect(runtime)).await;
        let manager = manager.map_err(|_| "no answer".to_owned())?.map_err(|error| error.to_string())?;
        let mut signals = manager.signals().await.map_err(|error| error.to_string())?;
        let service = Service {
            name: unit.clone(),
            description: format!("{}, on display {}", wanted.what, settings.display),
            program: wanted.program.clone(),
            arguments: wanted.arguments.clone(),
            directory: wanted.directory.clone(),
            restart: wanted.restart,
        };
        let server = names::display_service(settings.display);
        let properties = service.properties_on(&server, &wanted.environment, crash);
        manager.start_transient_unit(&unit, properties).await.map_err(|error| error.to_string())?;
        loop {
            match signals.next().await {
                manager::Signal::UnitChanged(changed) if changed == unit => {}
                manager::Signal::JobDone { .. } => {}
                manager::Signal::UnitChanged(_) => continue,
                // The manager was executed anew, or is gone, and this unit with it.
                manager::Signal::Lost => return Err("the connection to the user manager broke".to_owned()),
            }
            let state = manager.state(&unit).await.map_err(|error| error.to_string())?;
            let end = if judge(&state, None) == Verdict::Up { None } else { manager.service_end(&unit).await.ok() };
            match judge(&state, end.as_ref()) {
                Verdict::Up | Verdict::Restarting => {}
                // RemainAfterExit says the same of every exit.
                Verdict::LoggedOut if end.as_ref().is_some_and(|end| !end.is_clean_exit() && end.code != 0) => {
                    return Ok(end.map_or(Verdict::LoggedOut, Verdict::Failed));
                }
                verdict => return Ok(verdict),
            }
        }
    };
    match watched.await {
        Ok(verdict) => verdict,
        Err(why) => {
            tracing::warn!("{unit} is not watched any more: {why}");
            std::future::pending().await
        }
    }
}
