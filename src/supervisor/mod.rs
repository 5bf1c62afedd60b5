//! The supervisor: `startxd serve N`, the main process of `xorg@N.service`.
//!
//! 1. takes the listening sockets that systemd passes, and makes sure that the cookie exists;
//! 2. asks the host for the server, and copies the server's output, from its first line, to our standard error and so
//!    to the journal under the unit's name: the journal attributes a line to the cgroup of its writer, and the server is
//!    not in the unit's cgroup yet;
//! 3. performs the X11 handshake with the cookie, within a deadline: the reply is readiness, nothing else is;
//! 4. adopts the server into the unit's cgroup, and sends READY=1;
//! 5. remains the main process, because systemd cannot tell how a process ended that is not its child, and reports the
//!    server's end by its own.
//!
//! When it is told to stop (SIGTERM), it keeps the server until `xorg.target` is down, as until then there are clients.
//! If there are none left, the host ends the server and announces that, which counts as such a stop. If the host dies
//! (end-of-file), the supervisor acts in its place: it starts the ordered end, and then restores the environment.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use sd_notify::NotifyState;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};

use crate::dbus::CallError;
use crate::deadline::{Deadlines, KILLED, LOOK_AGAIN};
use crate::host::{closing, repair};
use crate::launch::{Connection, Ending, HostDeadlines, Reply, Request};
use crate::manager::{Manager, Mode, NoManager, names};
use crate::os::{self, Pid};
use crate::records::session::SessionRecord;
use crate::runtime_dir::{NoRuntimeDir, RuntimeDir};
use crate::server::{NotReady, Out, Process, Relay, Supervised, handshake, with_last_lines};
use crate::session::{applications, clients};
use crate::x11::client::{Client, readable};
use crate::x11::cookie::Cookie;
use crate::x11::display::Display;
use crate::x11::xauthority;

/// Why the unit fails.
#[derive(Debug, Error)]
#[allow(clippy::missing_docs_in_private_items, reason = "each variant's sentence is its documentation")]
pub enum ServeFailure {
    #[error("{0}")]
    NoRuntimeDir(#[from] NoRuntimeDir),
    #[error("startxd serve is for xorg@N.service only, and systemd passed it {0} sockets; use startxd start")]
    NoSockets(usize),
    #[error("no session is running for display {0}; run startxd start on a virtual terminal")]
    NoHost(Display),
    #[error("the host of this session refused: {0}")]
    Refused(String),
    #[error("the host of this session did not answer within {} s; see: startxd status", .0.as_secs_f32())]
    HostSilent(Duration),
    #[error("the host of this session is gone")]
    HostGone,
    #[error("the X server {0}")]
    NotReady(#[from] NotReady),
    #[error("the user manager refused the job: {0}")]
    NotOrdered(#[from] CallError),
    #[error("the X server {0}")]
    Crashed(Ending),
    #[error("{0}")]
    System(#[from] io::Error),
    #[error("{0}")]
    NoManager(#[from] NoManager),
}

/// Runs the supervisor of a display until its server has ended.
///
/// # Errors
/// [`ServeFailure`]: the unit fails with it. The host was told, with the server's last lines.
pub async fn run(display: Display, configured: &Deadlines) -> Result<(), ServeFailure> {
    let runtime = RuntimeDir::find()?;
    let listeners = os::inherited_listeners()?;
    if listeners.is_empty() || listeners.len() > 2 {
        return Err(ServeFailure::NoSockets(listeners.len()));
    }
    let mut stop = signal(SignalKind::terminate())?;
    runtime.create()?;
    let cookie = xauthority::ensure(&runtime.authority(display), display)?;
    let host = connect(&runtime, display, configured.launch).await?;
    let (relay, output) = Relay::start(Out::STDERR)?;
    let launched = tokio::select! {
        launched = launch(&host, display, &listeners, &output, configured.launch) => launched?,
        // If a server was launched even so, it ends with our connection.
        _ = stop.recv() => return Ok(()),
    };
    let Launched { process, name: _name, host_pid, told } = launched;
    // Only the server keeps these: a copy here would keep the pipe and the sockets open after its end.
    drop((listeners, output));
    let mut deadlines = *configured;
    told.apply(&mut deadlines);

    // The only way out: whatever happens in between, the server is ended here.
    let mut server = Supervised::new("the X server", process, relay);
    let session = ServedSession { display, deadlines, runtime, host, server: server.pid() };
    let outcome = session.serve(&cookie, &mut stop).await;
    if let Outcome::Failed(failure @ ServeFailure::NotReady(NotReady::OwnSocket)) = outcome {
        // First: the window manager may have found that socket, and fails when the server ends. Its last lines do not tell
        // why.
        session.report(Request::Failed(failure.to_string())).await;
        server.end(deadlines.server_stop).await;
        return Err(failure);
    }
    server.end(deadlines.server_stop).await;
    match outcome {
        Outcome::Stopped => Ok(()),
        Outcome::Failed(failure) => {
            let unit = names::xorg_service(display);
            let text = with_last_lines(&failure.to_string(), &server.tail(), &format!("-u {unit}"));
            let was_told = matches!(failure, ServeFailure::Crashed(Ending::Code(0)));
            session.report(if was_told { Request::Left(text) } else { Request::Failed(text) }).await;
            Err(failure)
        }
        Outcome::WithoutHost(manager) => {
            repair::repair_after(&session.runtime, &manager, host_pid, &deadlines).await;
            Ok(())
        }
    }
}

/// Connects to the host.
async fn connect(runtime: &RuntimeDir, display: Display, deadline: Duration) -> Result<Connection, ServeFailure> {
    let end = Instant::now() + deadline;
    loop {
        match Connection::connect(&runtime.host_socket()) {
            Ok(host) => return Ok(host),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    return Err(ServeFailure::NoHost(display));
                }
                io::ErrorKind::WouldBlock if Instant::now() < end => sleep(LOOK_AGAIN).await,
                io::ErrorKind::WouldBlock => return Err(ServeFailure::HostSilent(deadline)),
                _ => return Err(ServeFailure::System(error)),
            },
        }
    }
}

/// What the host launched.
struct Launched {
    process: Process,
    /// The display's abstract name, which we must hold if the host dies: until the end, clients would give their cookie
    /// to whatever listens on it. Older hosts do not send it.
    name: Option<OwnedFd>,
    host_pid: Pid,
    told: HostDeadlines,
}

/// Asks the host for the server.
async fn launch(
    host: &Connection,
    display: Display,
    listeners: &[OwnedFd],
    output: &OwnedFd,
    deadline: Duration,
) -> Result<Launched, ServeFailure> {
    let host_pid = host.peer_pid()?;
    let request = Request::Launch { display, listeners: listeners.len() }.encode();
    let fds: Vec<_> = std::iter::once(output.as_fd()).chain(listeners.iter().map(AsFd::as_fd)).collect();
    let exchange = async {
        host.send(&request, &fds).await?;
        host.receive().await
    };
    let mut answer = timeout(deadline, exchange).await.map_err(|_| ServeFailure::HostSilent(deadline))??;
    // The host delays a server that has crashed. It is alive, as it has answered, and if it dies there is end-of-file.
    // So its next answer has no deadline.
    while matches!(&answer, Some((bytes, _)) if Reply::decode(bytes) == Ok(Reply::Later)) {
        answer = host.receive().await?;
    }
    let (bytes, mut fds) = answer.ok_or_else(|| ServeFailure::Refused("it closed the connection".to_owned()))?;
    match Reply::decode(&bytes) {
        Ok(Reply::Launched(pid, told)) if matches!(fds.len(), 1 | 2) => {
            let process = Process::new(pid, fds.remove(0))?;
            Ok(Launched { process, name: fds.pop(), host_pid, told })
        }
        Ok(Reply::Refused(reason)) => Err(ServeFailure::Refused(reason)),
        Ok(other) => Err(ServeFailure::Refused(format!("it answered {other:?}"))),
        Err(malformed) => Err(ServeFailure::Refused(malformed.to_string())),
    }
}

/// Moves the server into its unit's cgroup.
///
/// The session's scope belongs to root, so the user manager has the system's manager do it, over its own connection to
/// the system bus (unit.c, `unit_attach_pids_to_cgroup`). That connection is not renewed after a restart of the bus:
/// until the user manager is re-executed, nothing can be moved (seen on 252, 257 and 262). If that does not help
/// either, the server stays where it is so that the user has a session: we end it by its pidfd, whatever its cgroup.
async fn adopt(manager: &Manager, display: Display, server: Pid, deadline: Duration) {
    let unit = names::xorg_service(display);
    let attach = async |manager: &Manager| {
        let attached = timeout(deadline, manager.attach(&unit, server)).await;
        attached.map_err(|_| "no answer".to_owned())?.map_err(|error| error.to_string())
    };
    let Err(first) = attach(manager).await else { return };
    tracing::info!("{first}; re-executing the user manager, which has lost its connection to the system's manager");
    let again = async {
        let manager = manager.reexecute(deadline).await.map_err(|error| error.to_string())?;
        attach(&manager).await
    };
    if let Err(error) = again.await {
        tracing::warn!(
            "the X server stays in the login session's scope, because it cannot be moved into {unit}: {error}"
        );
    }
}

/// What the host says about the server's end.
enum HostSays {
    /// The server has ended by itself.
    Ended(Ending),
    /// The session is ending, and the host has ended the server, which nothing needed any more.
    Ends,
    /// The host is gone.
    Nothing,
}

/// Waits for what the host says about the server's end, or for the host's own end.
async fn server_ended(host: &Connection) -> HostSays {
    let mut ends = false;
    loop {
        match host.receive().await {
            Ok(Some((bytes, _))) => match Reply::decode(&bytes) {
                Ok(Reply::Stopping) => ends = true,
                Ok(Reply::Exited(_)) if ends => return HostSays::Ends,
                Ok(Reply::Exited(ending)) => return HostSays::Ended(ending),
                _ => {}
            },
            // Already known when the host sent its last message; end-of-file follows.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Ok(None) | Err(_) => return HostSays::Nothing,
        }
    }
}

fn vendor(client: &Client) -> String {
    readable(&client.setup.vendor)
}

/// The release in X.Org's numbering: 12101007 is 21.1.7 (include/xorg-server.h, `XORG_VERSION_NUMERIC`).
fn release(client: &Client) -> String {
    let number = client.setup.release_number;
    let (major, minor, patch, snap) = (number / 10_000_000, number / 100_000 % 100, number / 1000 % 100, number % 1000);
    // Since 21.1 the leading 1 only keeps the number growing.
    if major == 1 && minor >= 21 {
        format!("{minor}.{patch}.{snap}")
    } else {
        format!("{major}.{minor}.{patch}.{snap}")
    }
}

/// How our work with a server ended. The server is ended in any case.
enum Outcome {
    /// We were told to stop.
    Stopped,
    /// It ended by itself, or was given up.
    Failed(ServeFailure),
    /// The host died, and the session's units were stopped without it.
    WithoutHost(Manager),
}

/// The session that the server is for.
struct ServedSession {
    display: Display,
    deadlines: Deadlines,
    runtime: RuntimeDir,
    host: Connection,
    server: Pid,
}

impl ServedSession {
    /// Everything between the server's launch and its end. The caller ends it.
    async fn serve(&self, cookie: &Cookie, stop: &mut Signal) -> Outcome {
        // Connecting to the manager overlaps with the server's start.
        let ready = async {
            let answers = handshake(self.display, cookie, self.deadlines.server_ready);
            let (client, manager) = tokio::join!(answers, self.connect());
            let (client, manager) = (client?, manager?);
            adopt(&manager, self.display, self.server, self.deadlines.user_manager).await;
            Ok::<_, ServeFailure>((client, manager))
        };
        let ready = tokio::select! {
            biased;
            ready = ready => ready,
            said = server_ended(&self.host) => match said {
                HostSays::Ended(ending) => Err(NotReady::Ended(ending).into()),
                HostSays::Ends => return Outcome::Stopped,
                HostSays::Nothing => return self.end_without_host(None).await,
            },
            // There cannot be clients yet.
            _ = stop.recv() => return Outcome::Stopped,
        };
        let (client, manager) = match ready {
            Ok(ready) => ready,
            Err(failure) => return Outcome::Failed(failure),
        };
        let (pid, display) = (self.server, self.display);
        tracing::info!(pid = pid.as_raw(), "{} {} is ready on {}", vendor(&client), release(&client), self.display);
        drop(client);
        let status = format!("Serving display {display}, pid {pid}");
        if let Err(error) = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&status)]) {
            return Outcome::Failed(error.into());
        }
        tokio::select! {
            said = server_ended(&self.host) => match said {
                HostSays::Ended(ending) => Outcome::Failed(ServeFailure::Crashed(ending)),
                HostSays::Ends => Outcome::Stopped,
                HostSays::Nothing => self.end_without_host(Some(manager)).await,
            },
            _ = stop.recv() => {
                self.hold(&manager).await;
                Outcome::Stopped
            }
        }
    }

    /// Connects to the user manager.
    async fn connect(&self) -> Result<Manager, NoManager> {
        Manager::connect(&self.runtime, self.deadlines.user_manager).await
    }

    /// Keeps the server while its clients are being stopped.
    ///
    /// All units of a session get their stop jobs at once, and this unit is not ordered after them, as it must not be
    /// ordered before them at the start. Without this the server would end first, and every client would die of a
    /// broken connection instead of its SIGTERM. If `xorg.target` is not stopping, only the server is meant.
    async fn hold(&self, manager: &Manager) {
        let going = async {
            // The bus may have been restarted since we connected.
            let mut again = None;
            let mut signals = match manager.signals().await {
                Err(error) if error.is_disconnect() => again.insert(self.connect().await?).signals().await?,
                signals => signals?,
            };
            let manager = again.as_ref().unwrap_or(manager);
            // Tells systemd to wait as long as we do; the default would be 90 s.
            let extend = u32::try_from(self.deadlines.stop.as_micros()).unwrap_or(u32::MAX);
            let _ = sd_notify::notify(&[NotifyState::ExtendTimeoutUsec(extend)]);
            while manager.state(names::XORG_TARGET).await.is_ok_and(|state| state.is_going_down()) {
                signals.next().await;
            }
            Ok::<_, ServeFailure>(())
        };
        let _ = timeout(self.deadlines.stop, going).await;
    }

    /// The host died. Starts the ordered end and sees it through.
    async fn end_without_host(&self, manager: Option<Manager>) -> Outcome {
        tracing::error!("{}; ending the session in its place", ServeFailure::HostGone);
        let taken_down = self.take_down(manager).await;
        // While the server still runs: once it has ended, the shell below is open to anybody.
        if let Ok(Some(record)) = SessionRecord::of(&self.runtime) {
            closing::close_in_place_of_host(&record, self.deadlines.user_manager).await;
        }
        match taken_down {
            Ok(manager) => Outcome::WithoutHost(manager),
            // The record stays for whatever can restore what it lists: the repair that systemd starts when this unit
            // fails, or the next start.
            Err(failure) => Outcome::Failed(failure),
        }
    }

    /// Stops the units that the host would have stopped. Returns a manager that answers.
    async fn take_down(&self, manager: Option<Manager>) -> Result<Manager, ServeFailure> {
        let deadline = self.deadlines.user_manager;
        let answers = match &manager {
            Some(manager) => timeout(deadline, manager.version()).await.is_ok_and(|version| version.is_ok()),
            None => false,
        };
        // The bus may have been restarted since we connected.
        let manager = match manager.filter(|_| answers) {
            Some(manager) => manager,
            None => self.connect().await?,
        };
        // These jobs include our own stop, whose SIGTERM we catch and already act on.
        let units = SessionRecord::of(&self.runtime).ok().flatten().map_or_else(Vec::new, |record| record.units);
        let patience = self.deadlines.applications;
        // The inner deadline is for the applications; this one for a manager that stops answering meanwhile.
        let others = async {
            if let Some(cookie) = xauthority::cookie_in(&self.runtime.authority(self.display), self.display) {
                let _ = clients::end(&manager, &units, self.display, &cookie, patience).await;
            }
        };
        let all = async { tokio::join!(applications::end(&manager, &units, patience), others) };
        let _ = timeout(patience + KILLED + deadline, all).await;
        let order = manager.start(names::SHUTDOWN_TARGET, Mode::ReplaceIrreversibly);
        let late = |_| NoManager::silent(format!("no answer within {} s", deadline.as_secs_f32()));
        timeout(deadline, order).await.map_err(late)??;
        self.hold(&manager).await;
        Ok(manager)
    }

    /// Tells the host, and so the person at the VT, what happened, with the server's last lines.
    async fn report(&self, words: Request) {
        let _ = timeout(self.deadlines.launch, self.host.send(&words.encode(), &[])).await;
    }
}
