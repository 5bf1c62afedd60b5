//! A display for the time of one command, as xvfb-run(1) has it: `startxd display run -- COMMAND`.
//!
//! The process that waits for the command is also the supervisor of the server. It binds the sockets and forks the server
//! first of all, so that the server has its whole start while the user manager makes the units: scopes, as both processes
//! exist. (A service would cost 20 ms more: systemd's executor and another process of ours come before the server.)
//!
//! ```text
//! startxd display run -- COMMAND
//!   |- Xvfb :100, and the janitor       startxd-display-100.scope
//!   `- COMMAND                          startxd-display-run-100-PID.scope, bound to that and ordered after it
//! ```
//!
//! If this process is killed, the kernel tells the server to end (`PR_SET_PDEATHSIG`), with the server's scope the manager
//! ends the command's, and the janitor, a copy of this process that does nothing else, removes what is on disk.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::socket::{SockFlag, SockType, UnixAddr};
use tokio::time::timeout;

use super::child::{self, Child};
use super::claim::{self, Claim, ClaimSettings};
use super::request::{DisplayRequest, next};
use super::run::{Command, Waiting};
use super::start::managed;
use super::{Failure, copy, end};
use crate::config::Config;
use crate::deadline::BEHIND_OURS;
use crate::files::NotWritten;
use crate::launch::Ending;
use crate::manager::{Manager, Mode, NoManager, Signals, names, transient};
use crate::os::{self, Janitor, Pid, TakenSignals};
use crate::runtime_dir::RuntimeDir;
use crate::server::NotReady;
use crate::unix_socket::bound;
use crate::x11::cookie::Cookie;
use crate::x11::display::{Display, SOCKET_DIR};
use crate::x11::number::Number;
use crate::x11::occupied;
use crate::x11::xauthority;

/// A display of our own.
struct PrivateDisplay<'a> {
    runtime: &'a RuntimeDir,
    config: &'a Config,
    settings: ClaimSettings,
    cookie: Cookie,
    server: Child,
    // In this order at the end: the janitor holds number and claim as well.
    janitor: Option<Janitor>,
    number: Option<Number>,
    claim: Option<Claim>,
    manager: Option<(Manager, Signals)>,
}

/// Runs a command on a display of its own. Returns its exit status as a shell counts.
///
/// # Errors
/// [`Failure`]: it has not run, and nothing is left.
pub async fn run(
    runtime: &RuntimeDir,
    request: &DisplayRequest,
    command: &Command,
    taken: &TakenSignals,
    config: &Config,
) -> Result<u8, Failure> {
    occupied::check_socket_dir(Path::new(SOCKET_DIR))?;
    let mut from = request.first;
    loop {
        let Some(mut own) = PrivateDisplay::start(runtime, request, config, &mut from)? else { continue };
        let display = own.settings.display;
        let cookie = own.cookie;
        if let Some(path) = &request.authority_too {
            let added = xauthority::shared::add(path, display, &cookie);
            added.unwrap_or_else(|error| tracing::warn!("no cookie in {}: {error}", path.display()));
        }
        let outcome = own.serve(request, command, taken).await;
        own.end().await;
        if let Some(path) = &request.authority_too {
            let _ = xauthority::shared::remove(path, &cookie);
        }
        // Somebody else's server was faster by a moment, and has the lock: then not this number, but the next.
        let lost = matches!(outcome, Err(Failure::ServerFailed(_)))
            && !occupied::look(display).is_ok_and(|taken| taken.is_free());
        match next(display) {
            Some(next) if lost => from = next,
            _ => return outcome,
        }
    }
}

impl<'a> PrivateDisplay<'a> {
    /// Claims a number, binds its sockets, and forks the server; `None` if the number was lost to somebody, and `from` is
    /// the next then.
    fn start(
        runtime: &'a RuntimeDir,
        request: &DisplayRequest,
        config: &'a Config,
        from: &mut Display,
    ) -> Result<Option<Self>, Failure> {
        tracing::debug!("begun");
        let (number, claim, settings) = request.claim(runtime, &config.deadlines, *from)?;
        let display = settings.display;
        let undo = |number: Number, claim: Claim, failure| {
            drop(number);
            claim.remove(runtime);
            Err(failure)
        };
        let socket = match listener(display) {
            Ok(socket) => socket,
            Err(error) => {
                let taken = error.kind() == io::ErrorKind::AddrInUse;
                let Some(next) = next(display).filter(|_| taken) else {
                    return undo(number, claim, Failure::NoSockets(display, error));
                };
                drop(number);
                claim.remove(runtime);
                *from = next;
                return Ok(None);
            }
        };
        let authority = runtime.authority(display);
        let cookie = match xauthority::ensure(&authority, display) {
            Ok(cookie) => cookie,
            Err(error) => {
                drop(socket);
                return undo(number, claim, NotWritten::new(&authority, error).into());
            }
        };
        let started = child::start(&settings, std::slice::from_ref(&socket), copy::OUT, true);
        // Only the server has it now; and while it is open here, its path would not be taken for abandoned.
        drop(socket);
        let server = match started {
            Ok(started) => started,
            Err(error) => {
                let text = format!("the server {} cannot be executed: {error}", settings.program.display());
                return undo(number, claim, Failure::ServerFailed(text));
            }
        };
        let (number, claim) = (Some(number), Some(claim));
        let mut own = Self { runtime, config, settings, cookie, server, janitor: None, number, claim, manager: None };
        tracing::debug!("the server is forked");
        own.janitor = own.janitor();
        Ok(Some(own))
    }

    /// Who cleans up if we are killed; without one, the next display that is made does.
    fn janitor(&self) -> Option<Janitor> {
        let patience = claim::seconds(self.settings.server_stop);
        let (runtime, pidfd) = (self.runtime, self.server.pidfd());
        // The kernel has told the server to end.
        let work = || {
            if !ends_within(pidfd, patience) {
                let _ = os::pidfd_signal(pidfd, Signal::SIGKILL);
                let _ = ends_within(pidfd, patience);
            }
            // The lock on the claim is the copy's as well.
            if let Some(claim) = &self.claim {
                claim.remove_files(runtime);
            }
        };
        os::janitor(work)
            .inspect_err(|error| tracing::warn!("the process that cleans up cannot be started: {error}"))
            .ok()
    }

    /// Everything between the server's start and its end. Returns the command's exit status.
    async fn serve(
        &mut self,
        request: &DisplayRequest,
        command: &Command,
        taken: &TakenSignals,
    ) -> Result<u8, Failure> {
        let display = self.settings.display;
        let held = command.hold(display, &self.runtime.authority(display), taken)?;
        tokio::select! {
            biased;
            ready = self.bring_up(request, command, held.pid) => ready?,
            came = taken.next() => return Err(Failure::Interrupted(came?.signal as i32)),
        }
        tracing::debug!("letting the command go");
        let pid = command.release(held)?;
        self.wait(pid, taken).await
    }

    /// Makes the units, and returns when the server answers and the session, if there is one, is up.
    async fn bring_up(&mut self, request: &DisplayRequest, command: &Command, held: Pid) -> Result<(), Failure> {
        let deadlines = &self.config.deadlines;
        let (display, server) = (self.settings.display, self.settings.unit());
        let manager = &mut self.manager;
        let settings = &self.settings;
        let pids: Vec<Pid> =
            [self.server.pid()].into_iter().chain(self.janitor.as_ref().map(|janitor| janitor.pid)).collect();
        let runtime = self.runtime;
        let units = async {
            let connected = Manager::connect(runtime, deadlines.user_manager).await?;
            tracing::debug!("connected");
            let signals = connected.signals().await?;
            let (manager, signals) = manager.insert((connected, signals));
            let description = format!("Server of display {display}, for one command");
            let stop = deadlines.server_stop + BEHIND_OURS;
            let properties = transient::scope(description, &pids, "session.slice", stop);
            // Polled in this order, so sent in this order, without waiting for each other's answer.
            let (of_server, of_command) = tokio::try_join!(
                async { Ok::<_, Failure>(manager.start_transient_unit(&server, properties).await?) },
                async { Ok(command.scope(manager, settings, held, deadlines).await?) },
            )?;
            for (job, unit) in [(of_server, server.clone()), of_command] {
                match signals.job_done(&job).await.as_deref() {
                    Some("done") => {}
                    Some(result) => return Err(Failure::NotStarted { unit, result: result.to_owned() }),
                    None => return Err(NoManager::lost().into()),
                }
            }
            tracing::debug!("the units are made");
            // What others have left whose both processes were killed.
            end::repair_all(runtime, manager).await;
            Ok(())
        };
        let deadline = claim::seconds(self.settings.server_ready);
        let (child, cookie) = (&mut self.server, &self.cookie);
        let answers = async {
            child.ready(display, cookie, deadline).await.map_err(Unready::Server)?;
            tracing::debug!("the server answers");
            Ok(())
        };
        let units = async { units.await.map_err(Unready::Other) };
        match async { tokio::try_join!(units, answers) }.await {
            Ok(_) => {}
            Err(Unready::Other(failure)) => return Err(failure),
            Err(Unready::Server(why)) => return Err(self.server_failed(&why).await),
        }
        if request.session.is_none() {
            return Ok(());
        }
        let session = child::session(self.runtime, &self.settings, &self.config.crash, deadlines.user_manager);
        tokio::select! {
            biased;
            up = managed(display, &self.cookie, request.ready, deadlines.window_manager) => up,
            verdict = session => Err(Failure::SessionFailed(child::over(&verdict, display))),
            ending = self.server.ended() => Err(self.server_failed(&NotReady::Ended(ending)).await),
        }
    }

    /// The failure of a server, with its last lines.
    async fn server_failed(&mut self, why: &NotReady) -> Failure {
        child::kill(&mut self.server, &self.settings).await;
        let why = format!("the server {why}");
        Failure::ServerFailed(child::with_last_lines(&why, Some(&self.server), &self.settings))
    }

    /// Waits for the command's end, and hands on what we are told meanwhile.
    async fn wait(&mut self, pid: Pid, taken: &TakenSignals) -> Result<u8, Failure> {
        let mut waiting = Waiting::new(pid)?;
        let mut gone = false;
        loop {
            tokio::select! {
            biased;
            status = waiting.ended(taken) => return status,
            ending = self.server.ended(), if !gone => {
                gone = true;
                self.server.drain().await;
                // With status 0 it was told to end, by startxd display stop for one.
                if ending != Ending::Code(0) {
                    let text = format!("the server of display {} {ending}", self.settings.display);
                    tracing::error!("{}", child::with_last_lines(&text, Some(&self.server), &self.settings));
                }
                if let Some((manager, _)) = &self.manager {
                    let _ = manager.stop(&self.settings.unit(), Mode::Replace).await;
                    // Nothing holds that scope any more but the janitor, and its end is that of the command's.
                    self.dismiss();
                }
            }
            }
        }
    }

    fn dismiss(&mut self) {
        if let Some(janitor) = self.janitor.take() {
            janitor.dismiss();
        }
    }

    /// Ends what there is of it: what the command has left, the session, the server; and what is on disk.
    async fn end(mut self) {
        let deadlines = &self.config.deadlines;
        let patience = deadlines.applications + deadlines.stop;
        let unit = self.settings.unit();
        let order = match &mut self.manager {
            // The manager ends what is bound to the server's scope first. Fails if the scope was never made.
            Some((manager, signals)) => {
                let job = manager.stop(&unit, Mode::Replace).await.ok();
                job.map(|job| (signals, job))
            }
            None => None,
        };
        if let Some((signals, job)) = order {
            let done = async {
                tokio::select! {
                biased;
                _ = self.server.ended() => false,
                _ = signals.job_done(&job) => true,
                    }
            };
            let done = timeout(patience, done).await.unwrap_or(true);
            child::kill(&mut self.server, &self.settings).await;
            if let Some(janitor) = self.janitor.take() {
                janitor.dismiss();
            }
            if !done {
                let _ = timeout(patience, signals.job_done(&job)).await;
            }
            if let Some((manager, _)) = self.manager.as_ref().filter(|_| self.settings.session.is_some()) {
                let _ = manager.reset_failed(&names::display_session(self.settings.display)).await;
            }
        } else {
            child::kill(&mut self.server, &self.settings).await;
            self.dismiss();
        }
        // While the number is ours, or somebody else could have a socket there by now.
        occupied::remove_socket(self.settings.display);
        self.number = None;
        if let Some(claim) = self.claim.take() {
            claim.remove(self.runtime);
        }
    }
}

/// What keeps a display from being ready.
enum Unready {
    /// The server; its last lines belong to it.
    Server(NotReady),
    /// Something else.
    Other(Failure),
}

/// Whether the process ends within this time.
fn ends_within(pidfd: &OwnedFd, patience: Duration) -> bool {
    let patience = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    matches!(poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], patience), Ok(1))
}

/// Binds the path of a display, 0600, and listens on it. Its number is ours, so one that nobody listens on any more may be
/// replaced.
fn listener(display: Display) -> io::Result<OwnedFd> {
    occupied::remove_socket(display);
    bound(SockType::Stream, SockFlag::empty(), &UnixAddr::new(&display.socket_path())?)
}
