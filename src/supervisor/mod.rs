//! The supervisor: `startxd serve N`, the main process of `xorg@N.service`.
//!
//! 1. takes the listening sockets that systemd passes, and makes sure that the cookie is there;
//! 2. asks the host for the server, and relays what the server says, from its first line, to our standard error, which
//!    is the journal under the unit's name: the journal attributes a line by its writer's cgroup, and the server is not
//!    in the unit's yet;
//! 3. does the X11 handshake with the cookie, within a deadline: the reply is readiness, nothing else is;
//! 4. adopts the server into the unit's cgroup, and says READY=1;
//! 5. stays the main process, because systemd does not learn how a process ended that is not its child, and reports the
//!    server's end by its own.
//!
//! When it is told to stop (SIGTERM) it holds the server until `xorg.target` is down: until then there are clients. When
//! the host dies (end-of-file) it does what the host would have done: starts the ordered end, and puts back the
//! environment afterwards.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::sys::signal::Signal;
use sd_notify::NotifyState;
use thiserror::Error;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout, timeout_at};

use crate::dbus::CallError;
use crate::deadline::Deadlines;
use crate::host::repair;
use crate::launch::{Connection, Ending, Reply, Request};
use crate::manager::{Manager, Mode, NoManager, names};
use crate::os::{self, Pid};
use crate::records::session::SessionRecord;
use crate::runtime_dir::{NoRuntimeDir, RuntimeDir};
use crate::server::relay::Relay;
use crate::session::applications;
use crate::x11::client::{Client, ClientError, readable};
use crate::x11::display::Display;
use crate::x11::xauthority;

/// Why the unit fails.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "each variant's sentence is its documentation")]
pub enum Failure {
    #[error("{0}")]
    NoRuntimeDir(#[from] NoRuntimeDir),
    #[error("startxd serve is for xorg@N.service only, and systemd passed it {0} sockets; use startxd start")]
    NoSockets(usize),
    #[error("there is no session for display {0} to belong to; run startxd start on a virtual terminal")]
    NoHost(Display),
    #[error("the host of this session refused: {0}")]
    Refused(String),
    #[error("the host of this session did not answer within {} s; see: startxd status", .0.as_secs_f32())]
    HostSilent(Duration),
    #[error("the host of this session is gone")]
    HostGone,
    #[error("the X server {0} before it was ready")]
    NotReady(Ending),
    #[error(
        "the X server did not answer within {} s (it took the connection and said nothing, or never listened); raise \
         deadlines.server_ready in startxd.toml if the machine is that slow", .0.as_secs_f32()
    )]
    Silent(Duration),
    #[error("the X server does not serve us: {0}")]
    Handshake(#[from] ClientError),
    #[error("the user manager did not take the order: {0}")]
    NotOrdered(#[from] CallError),
    #[error("the X server {0}")]
    Crashed(Ending),
    #[error("{0}")]
    System(#[from] std::io::Error),
    #[error("{0}")]
    NoManager(#[from] NoManager),
}

/// The server as the supervisor knows it.
struct Server {
    pid: Pid,
    pidfd: AsyncFd<OwnedFd>,
}

/// Runs the supervisor of a display until its server has ended.
///
/// # Errors
/// [`Failure`]: the unit fails with it. The host has been told, with the server's last lines.
pub async fn run(display: Display, deadlines: &Deadlines) -> Result<(), Failure> {
    let runtime = RuntimeDir::find()?;
    let listeners = os::inherited_listeners()?;
    if listeners.is_empty() || listeners.len() > 2 {
        return Err(Failure::NoSockets(listeners.len()));
    }
    let mut stop = signal(SignalKind::terminate())?;
    runtime.create()?;
    let cookie = xauthority::ensure(&runtime.authority(display), display)?;
    let host = Connection::connect(&runtime.host_socket()).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => Failure::NoHost(display),
        _ => Failure::System(error),
    })?;
    let (mut relay, output) = Relay::new()?;
    let launched = tokio::select! {
        launched = launch(&host, display, &listeners, &output, deadlines.launch) => launched?,
        // A server that was launched all the same ends with our connection.
        _ = stop.recv() => return Ok(()),
    };
    let (server, host_pid) = launched;
    // Only the server has these now: a copy kept here would keep the pipe and the sockets open after its end.
    drop((listeners, output));

    // Connecting to the manager overlaps with the server's start.
    let ready = async {
        let handshake = timeout(deadlines.server_ready, Client::connect(display, &cookie));
        let manager = Manager::connect(&runtime, deadlines.user_manager);
        let (client, manager) = tokio::join!(handshake, manager);
        let client = client.map_err(|_| Failure::Silent(deadlines.server_ready))??;
        let manager = manager?;
        adopt(&manager, display, server.pid, deadlines.user_manager).await;
        Ok::<_, Failure>((client, manager))
    };
    let outcome = tokio::select! {
        biased;
        ready = ready => ready.map(Some),
        ending = server_ended(&host) => Err(ending.map_or(Failure::HostGone, Failure::NotReady)),
        _ = stop.recv() => Ok(None),
        () = relay.run() => unreachable!("the relay never returns"),
    };
    let mut life = Life { display, deadlines, runtime, host, host_pid, server };
    match outcome {
        Ok(Some((client, manager))) => {
            tracing::info!(
                pid = life.server.pid.as_raw(),
                "{} {} is ready on {}",
                vendor(&client),
                release(&client),
                life.display
            );
            drop(client);
            let status = format!("Serving display {display}, pid {}", life.server.pid);
            sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&status)])?;
            life.live(&manager, &mut stop, &mut relay).await
        }
        // Told to stop before it was ready: nobody can be a client yet.
        Ok(None) => {
            life.kill(&mut relay).await;
            Ok(())
        }
        Err(Failure::HostGone) => {
            let manager = Manager::connect(&life.runtime, deadlines.user_manager).await?;
            life.end_without_host(&manager, &mut relay).await
        }
        Err(failure) => {
            life.kill(&mut relay).await;
            life.report(&failure, &relay).await;
            Err(failure)
        }
    }
}

/// Asks the host for the server and takes its pid, its pidfd, and the host's own pid.
async fn launch(
    host: &Connection,
    display: Display,
    listeners: &[OwnedFd],
    output: &OwnedFd,
    deadline: Duration,
) -> Result<(Server, Pid), Failure> {
    let request = Request::Launch { display, listeners: listeners.len() }.encode();
    let fds: Vec<_> = std::iter::once(output.as_fd()).chain(listeners.iter().map(AsFd::as_fd)).collect();
    let exchange = async {
        host.send(&request, &fds).await?;
        host.receive().await
    };
    let mut answer = timeout(deadline, exchange).await.map_err(|_| Failure::HostSilent(deadline))??;
    // The host lets a server that crashed wait before it comes back. It has proven itself alive, and should it die,
    // end-of-file tells: so there is no deadline for what it says next.
    while matches!(&answer, Some((bytes, _)) if Reply::decode(bytes) == Ok(Reply::Later)) {
        answer = host.receive().await?;
    }
    let (bytes, mut fds) = answer.ok_or_else(|| Failure::Refused("it closed the connection".to_owned()))?;
    match Reply::decode(&bytes) {
        Ok(Reply::Launched(pid)) if fds.len() == 1 => {
            let pidfd = os::watch(fds.remove(0))?;
            Ok((Server { pid, pidfd }, host.peer_pid()?))
        }
        Ok(Reply::Refused(reason)) => Err(Failure::Refused(reason)),
        Ok(other) => Err(Failure::Refused(format!("it answered {other:?}"))),
        Err(malformed) => Err(Failure::Refused(malformed.to_string())),
    }
}

/// Moves the server into its unit's cgroup.
///
/// The session's scope belongs to root, so the user manager has the system's manager do it, over its own connection to
/// the system bus (unit.c, `unit_attach_pids_to_cgroup`). That connection is not made again after a restart of the bus:
/// until the user manager is executed anew nothing can be moved (seen on 252, 257 and 262). If that does not help
/// either, the server stays where it is, and a person has a session: we end it by its pidfd, whatever cgroup it is in.
async fn adopt(manager: &Manager, display: Display, server: Pid, deadline: Duration) {
    let unit = names::xorg_service(display);
    let Err(first) = manager.attach(&unit, server).await else { return };
    tracing::info!("{first}; executing the user manager anew, which has lost its connection to the system's");
    let again = async {
        manager.reexecute(deadline).await?;
        manager.attach(&unit, server).await
    };
    if let Err(error) = again.await {
        tracing::warn!(
            "the X server stays in the login session's scope, because it cannot be moved into {unit}: {error}"
        );
    }
}

/// The host's word on the server's end; `None` if the host is gone.
async fn server_ended(host: &Connection) -> Option<Ending> {
    loop {
        match host.receive().await {
            Ok(Some((bytes, _))) => {
                if let Ok(Reply::Exited(ending)) = Reply::decode(&bytes) {
                    return Some(ending);
                }
            }
            // Told before what the host has sent last; end-of-file follows.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Ok(None) | Err(_) => return None,
        }
    }
}

fn lost(error: NoManager) -> CallError {
    CallError::Local { method: "Hello", error: zbus::Error::Failure(error.why().to_owned()) }
}

fn vendor(client: &Client) -> String {
    readable(&client.setup.vendor)
}

/// The release as X.Org counts: 12101007 is 21.1.7 (include/xorg-server.h, `XORG_VERSION_NUMERIC`).
fn release(client: &Client) -> String {
    let number = client.setup.release_number;
    let (major, minor, patch, snap) = (number / 10_000_000, number / 100_000 % 100, number / 1000 % 100, number % 1000);
    // From 21.1 on the leading 1 is only there to keep the number growing.
    if major == 1 && minor >= 21 {
        format!("{minor}.{patch}.{snap}")
    } else {
        format!("{major}.{minor}.{patch}.{snap}")
    }
}

/// A supervisor whose server serves.
struct Life<'a> {
    display: Display,
    deadlines: &'a Deadlines,
    runtime: RuntimeDir,
    host: Connection,
    host_pid: Pid,
    server: Server,
}

impl Life<'_> {
    async fn live(
        &mut self,
        manager: &Manager,
        stop: &mut tokio::signal::unix::Signal,
        relay: &mut Relay,
    ) -> Result<(), Failure> {
        enum Event {
            Ended(Option<Ending>),
            Stop,
        }
        let event = tokio::select! {
            ending = server_ended(&self.host) => Event::Ended(ending),
            _ = stop.recv() => Event::Stop,
            () = relay.run() => unreachable!("the relay never returns"),
        };
        match event {
            Event::Ended(Some(ending)) => {
                let failure = Failure::Crashed(ending);
                relay.drain().await;
                self.report(&failure, relay).await;
                Err(failure)
            }
            Event::Ended(None) => self.end_without_host(manager, relay).await,
            Event::Stop => {
                self.hold(manager, relay).await;
                self.kill(relay).await;
                Ok(())
            }
        }
    }

    /// Keeps the server for as long as its clients go down.
    ///
    /// All units of a session get their stop jobs at once, and this unit is not ordered after them (it must not be
    /// before them at the start): without this the server would go first, and every client would die of a broken
    /// connection instead of its SIGTERM. If `xorg.target` is not going down, the server alone is meant.
    async fn hold(&self, manager: &Manager, relay: &mut Relay) {
        let going = async {
            // The bus may have been restarted since we connected to it.
            let mut again = None;
            let mut signals = match manager.signals().await {
                Err(error) if error.is_disconnect() => {
                    let manager =
                        again.insert(Manager::connect(&self.runtime, self.deadlines.user_manager).await.map_err(lost)?);
                    manager.signals().await?
                }
                signals => signals?,
            };
            let manager = again.as_ref().unwrap_or(manager);
            // Told so that systemd waits as long as we do; the default would be 90 s.
            let extend = u32::try_from(self.deadlines.stop.as_micros()).unwrap_or(u32::MAX);
            let _ = sd_notify::notify(&[NotifyState::ExtendTimeoutUsec(extend)]);
            while manager.state(names::XORG_TARGET).await.is_ok_and(|state| state.is_going_down()) {
                signals.next().await;
            }
            Ok::<_, CallError>(())
        };
        tokio::select! {
            _ = timeout(self.deadlines.stop, going) => {}
            () = relay.run() => unreachable!("the relay never returns"),
        }
    }

    /// The host died under us. Starts the ordered end, goes through it, and puts back what the host had recorded.
    async fn end_without_host(&mut self, manager: &Manager, relay: &mut Relay) -> Result<(), Failure> {
        tracing::error!("{}; ending the session in its place", Failure::HostGone);
        // Our own stop is part of these jobs and comes as SIGTERM, which is caught and has been asked for.
        let units = SessionRecord::of(&self.runtime).ok().flatten().map_or_else(Vec::new, |record| record.units);
        let patience = self.deadlines.applications;
        tokio::select! {
            () = applications::end(manager, &units, patience) => {}
            () = relay.run() => unreachable!("the relay never returns"),
        }
        manager.start(names::SHUTDOWN_TARGET, Mode::ReplaceIrreversibly).await?;
        self.hold(manager, relay).await;
        self.kill(relay).await;
        repair::repair_after(&self.runtime, manager, self.host_pid, self.deadlines).await;
        Ok(())
    }

    /// Ends the server: SIGTERM, and SIGKILL when its time is up. Relays its last words.
    async fn kill(&self, relay: &mut Relay) {
        let gone = async {
            for (signal, deadline) in [(Signal::SIGTERM, self.deadlines.server_stop), (Signal::SIGKILL, Duration::MAX)]
            {
                if os::pidfd_signal(self.server.pidfd.get_ref(), signal).is_err()
                    || timeout(deadline, self.server.pidfd.readable()).await.is_ok()
                {
                    return;
                }
                tracing::error!("the X server does not end within {} s; killing it", deadline.as_secs_f32());
            }
        };
        tokio::select! {
            () = gone => {}
            () = relay.run() => unreachable!("the relay never returns"),
        }
        relay.drain().await;
    }

    /// Tells the host, and so the person at the VT, what happened, with the server's last lines.
    async fn report(&self, failure: &Failure, relay: &Relay) {
        let text = match relay.tail() {
            tail if tail.is_empty() => {
                let unit = names::xorg_service(self.display);
                format!("{failure}; it said nothing; see: journalctl --user -b -u {unit}")
            }
            tail => format!("{failure}; its last lines:\n{tail}"),
        };
        let end = Instant::now() + self.deadlines.launch;
        let _ = timeout_at(end, self.host.send(&Request::Failed(text).encode(), &[])).await;
    }
}
