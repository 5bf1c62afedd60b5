//! A display that lasts as long as one command, as with xvfb-run(1): `startxd display run -- COMMAND`.
//!
//! The process that waits for the command is also the supervisor of the server. It binds the sockets and forks the
//! server first, so that the server starts while the user manager creates the units: scopes, because both processes
//! already exist. (A service would cost 20 ms more: systemd's executor and another process of ours would run before the
//! server.)
//!
//! ```text
//! startxd display run -- COMMAND
//!   |- Xvfb :100, and the janitor       startxd-display-100.scope
//!   `- COMMAND                          startxd-display-run-100-PID.scope, bound to that and ordered after it
//! ```
//!
//! If this process is killed, the kernel tells the server to end (`PR_SET_PDEATHSIG`), the manager ends the command's
//! scope with the server's, and the janitor, a copy of this process that does nothing else, removes the files.
//!
//! Where systemd does not run, as in a container of a CI, [`processes`] takes the place of units.

mod processes;

use std::collections::BTreeSet;
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
use crate::os::{self, Janitor, Pid, Reaper, TakenSignals};
use crate::runtime_dir::RuntimeDir;
use crate::server::NotReady;
use crate::unix_socket::bound;
use crate::x11::cookie::Cookie;
use crate::x11::display::{Display, SOCKET_DIR};
use crate::x11::number::Number;
use crate::x11::occupied;
use crate::x11::xauthority;

pub use processes::run as run_without_manager;

/// A display for one command.
struct PrivateDisplay<'a> {
    runtime: &'a RuntimeDir,
    config: &'a Config,
    settings: ClaimSettings,
    cookie: Cookie,
    server: Child,
    // Dropped in this order: the janitor also holds number and claim.
    janitor: Option<Janitor>,
    number: Option<Number>,
    claim: Option<Claim>,
    manager: Option<(Manager, Signals)>,
    /// In place of units; with those of our children that it has not forked.
    reaper: Option<(Reaper, BTreeSet<Pid>)>,
}

/// Runs a command on a display of its own. Returns its exit status as shells define it.
///
/// # Errors
/// [`Failure`]: it did not run, and nothing is left behind.
pub async fn run(
    runtime: &RuntimeDir,
    request: &DisplayRequest,
    command: &Command,
    taken: &TakenSignals,
    config: &Config,
) -> Result<u8, Failure> {
    occupied::check_socket_dir(Path::new(SOCKET_DIR))?;
    by(Holding::Units, runtime, request, command, taken, config).await
}

/// What holds the processes of a display together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holding {
    /// Units of the user manager.
    Units,
    /// A reaper.
    Processes,
}

async fn by(
    holding: Holding,
    runtime: &RuntimeDir,
    request: &DisplayRequest,
    command: &Command,
    taken: &TakenSignals,
    config: &Config,
) -> Result<u8, Failure> {
    let mut from = request.first;
    loop {
        let Some(mut own) = PrivateDisplay::start(runtime, request, config, &mut from)? else { continue };
        let display = own.settings.display;
        let cookie = own.cookie;
        if let Some(path) = &request.authority_too {
            let added = xauthority::shared::add(path, display, &cookie);
            added.unwrap_or_else(|error| tracing::warn!("no cookie in {}: {error}", path.display()));
        }
        let outcome = match holding {
            Holding::Units => {
                own.janitor = own.janitor();
                own.serve(request, command, taken).await
            }
            Holding::Processes => own.serve_without_manager(command, taken).await,
        };
        own.end().await;
        if let Some(path) = &request.authority_too {
            let _ = xauthority::shared::remove(path, &cookie);
        }
        // Another server was slightly faster and has the lock: try the next number.
        let lost = matches!(outcome, Err(Failure::ServerFailed(_)))
            && !occupied::look(display).is_ok_and(|taken| taken.is_free());
        match next(display) {
            Some(next) if lost => from = next,
            _ => return outcome,
        }
    }
}

impl<'a> PrivateDisplay<'a> {
    /// Claims a number, binds its sockets, and forks the server; `None` if another process got the number, and then
    /// `from` is the next number.
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
        // Only the server should have it from now on: while it is open here, its path would not count as abandoned.
        drop(socket);
        let server = match started {
            Ok(started) => started,
            Err(error) => {
                let text = format!("the server {} cannot be executed: {error}", settings.program.display());
                return undo(number, claim, Failure::ServerFailed(text));
            }
        };
        let (number, claim) = (Some(number), Some(claim));
        tracing::debug!("the server is forked");
        let (janitor, manager, reaper) = (None, None, None);
        Ok(Some(Self { runtime, config, settings, cookie, server, janitor, number, claim, manager, reaper }))
    }

    /// The process that cleans up if we are killed; without it, the next display that is created cleans up.
    fn janitor(&self) -> Option<Janitor> {
        os::janitor(|| self.clean_up())
            .inspect_err(|error| tracing::warn!("the process that cleans up cannot be started: {error}"))
            .ok()
    }

    /// What a copy of this process does when this one was killed.
    fn clean_up(&self) {
        let patience = claim::seconds(self.settings.server_stop);
        let pidfd = self.server.pidfd();
        // The kernel has told the server to end by now.
        if !ends_within(pidfd, patience) {
            let _ = os::pidfd_signal(pidfd, Signal::SIGKILL);
            let _ = ends_within(pidfd, patience);
        }
        // The copy shares the lock on the claim.
        if let Some(claim) = &self.claim {
            claim.remove_files(self.runtime);
        }
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
        tracing::debug!("the command may run now");
        let pid = command.release(held)?;
        self.wait(pid, taken).await
    }

    /// Creates the units, and returns when the server answers and the session, if there is one, is up.
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
            // Polled in this order, so they are sent in this order, without waiting for answers in between.
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
            tracing::debug!("the units are created");
            // Clean up after other displays whose two processes were both killed.
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

    /// Waits for the command's end, and passes on the signals that we get in the meantime.
    async fn wait(&mut self, pid: Pid, taken: &TakenSignals) -> Result<u8, Failure> {
        let mut waiting = Waiting::new(pid)?;
        let mut gone = false;
        loop {
            tokio::select! {
            biased;
            status = waiting.ended(taken) => return status,
            ending = self.server.ended(), if !gone => {
                gone = true;
                self.report_end(ending).await;
                if let Some((manager, _)) = &self.manager {
                    let _ = manager.stop(&self.settings.unit(), Mode::Replace).await;
                    // Only the janitor keeps that scope up now, and the end of that scope ends the command's.
                    self.dismiss();
                }
            }
            }
        }
    }

    /// Reports that the server has ended before its command.
    async fn report_end(&mut self, ending: Ending) {
        self.server.drain().await;
        // With status 0 it was told to end, for example by startxd display stop.
        if ending != Ending::Code(0) {
            let text = format!("the server of display {} {ending}", self.settings.display);
            tracing::error!("{}", child::with_last_lines(&text, Some(&self.server), &self.settings));
        }
    }

    fn dismiss(&mut self) {
        if let Some(janitor) = self.janitor.take() {
            janitor.dismiss();
        }
    }

    /// Ends what the command has left, the session and the server, and removes the files.
    async fn end(mut self) {
        let deadlines = &self.config.deadlines;
        let patience = deadlines.applications + deadlines.stop;
        let unit = self.settings.unit();
        let order = match &mut self.manager {
            // The manager first ends the units that are bound to the server's scope. This fails if the scope was never
            // created.
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
            self.end_processes().await;
            child::kill(&mut self.server, &self.settings).await;
            self.dismiss();
        }
        // While we still have the number; later another process could have a socket there.
        occupied::remove_socket(self.settings.display);
        self.number = None;
        if let Some(claim) = self.claim.take() {
            claim.remove(self.runtime);
        }
    }
}

/// Why a display is not ready.
enum Unready {
    /// The server failed; its last lines say why.
    Server(NotReady),
    /// Something else failed.
    Other(Failure),
}

/// Whether the process ends within this time.
fn ends_within(pidfd: &OwnedFd, patience: Duration) -> bool {
    let patience = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    matches!(poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], patience), Ok(1))
}

/// Binds the path of a display, 0600, and listens on it. Its number is ours, so a socket that nobody listens on may be
/// replaced.
fn listener(display: Display) -> io::Result<OwnedFd> {
    occupied::remove_socket(display);
    bound(SockType::Stream, SockFlag::empty(), &UnixAddr::new(&display.socket_path())?)
}
