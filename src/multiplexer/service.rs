//! What the units call, `startxd multiplexer`: what systemd cannot know of a multiplexer by itself.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};

use super::name::{BadName, Kind, Name, TARGET, TMUX_SERVER};
use super::tmux::{self, TmuxServer};
use super::{screen, sockets, zellij};
use crate::deadline::{Deadlines, LOOK_AGAIN, STATUS};
use crate::manager::{Manager, Mode, NoManager};
use crate::os::{self, Pid};
use crate::runtime_dir::{NoRuntimeDir, RuntimeDir};
use crate::small_file;

/// Why a unit cannot go on.
#[derive(Debug, Error)]
#[allow(clippy::missing_docs_in_private_items, reason = "each variant's sentence is its documentation")]
pub enum Failed {
    #[error("{0}")]
    Name(#[from] BadName),
    #[error(
        "another tmux server of yours runs already{place} on {socket}; end it (tmux \
         kill-server) and start this unit again"
    )]
    OtherServer { place: String, socket: String },
    #[error("a {kind} session {name} runs already{place}; end it, then start this unit again")]
    OtherSession { kind: Kind, name: Name, place: String },
    #[error("{what} ended before it answered; to see why, start it by hand: its configuration may be wrong")]
    Ended { what: String },
    #[error("{what} has not answered within {} s; check whether its configuration runs something that hangs", waited.as_secs_f32())]
    Late { what: String, waited: Duration },
    #[error("tmux says: {0}")]
    Tmux(io::Error),
    #[error("{0}")]
    NoRuntimeDir(#[from] NoRuntimeDir),
    #[error("{0}")]
    Manager(#[from] NoManager),
}

/// The path of a session's or server's socket, if a process listens on it.
fn socket(kind: Kind, name: Option<&Name>) -> Option<PathBuf> {
    let name = name.map_or("", Name::as_str);
    match kind {
        Kind::Tmux => Some(tmux::default_socket()).filter(|path| sockets::is_listening(path)),
        Kind::Screen => screen::sessions().iter().find(|screen| screen.name == name).map(screen::Screen::socket),
        Kind::Zellij => zellij::sessions().into_iter().find(|path| path.file_name().is_some_and(|it| it == name)),
    }
}

/// Before the start: checks that no other server or session could be mistaken for the new one.
///
/// # Errors
/// There is another one.
pub async fn check(kind: Kind, name: Option<&str>) -> Result<(), Failed> {
    let name = match kind {
        Kind::Tmux => None,
        _ => Some(Name::or_default(kind, name)?),
    };
    let Some(socket) = socket(kind, name.as_ref()) else { return Ok(()) };
    let place = place(kind, &socket).await;
    Err(match name {
        None => Failed::OtherServer { place, socket: crate::text::path(&socket) },
        Some(name) => Failed::OtherSession { kind, name, place },
    })
}

/// The process that listens on a socket, to be appended to "runs already".
pub async fn place(kind: Kind, socket: &Path) -> String {
    whereabouts(kind, socket).await.map(|place| place.to_string()).unwrap_or_default()
}

/// A process, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The process.
    pub pid: Pid,
    /// The innermost unit of it.
    pub unit: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.unit {
            Some(unit) => write!(f, " (pid {}, in {unit})", self.pid),
            None => write!(f, " (pid {})", self.pid),
        }
    }
}

/// The process that listens on a socket, if it is known.
pub async fn whereabouts(kind: Kind, socket: &Path) -> Option<Place> {
    let in_name = || screen::named(socket.file_name()?.to_str()?).map(|(pid, _)| pid);
    let pid = match kind {
        Kind::Tmux => timeout(STATUS, sockets::listener(socket)).await.ok()?.ok(),
        // For these a connection would be a message.
        Kind::Screen => in_name(),
        Kind::Zellij => None,
    };
    pid.map(|pid| Place { pid, unit: unit_of(pid) })
}

/// The innermost unit of a process, by its control group.
fn unit_of(pid: Pid) -> Option<String> {
    innermost_unit(&small_file::text(format!("/proc/{pid}/cgroup").as_ref()).ok()?)
}

/// The innermost unit that a text of /proc/PID/cgroup names (cgroups(7)). One line.
#[must_use]
pub fn innermost_unit(group: &str) -> Option<String> {
    let path = group.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let unit = path.rsplit('/').find(|part| part.ends_with(".scope") || part.ends_with(".service"))?;
    Some(crate::text::one_line(unit))
}

/// After the start: waits until it answers clients. `main` is the unit's main process, if it has one.
///
/// # Errors
/// It has ended, or does not answer by its deadline.
pub async fn ready(kind: Kind, name: Option<&str>, main: Option<Pid>, deadlines: &Deadlines) -> Result<(), Failed> {
    let name = match kind {
        Kind::Tmux => None,
        _ => Some(Name::or_default(kind, name)?),
    };
    let what = name.as_ref().map_or_else(|| kind.to_string(), |name| format!("the {kind} session {name}"));
    let main: Option<OwnedFd> = match main.map(os::pidfd_open) {
        Some(Err(_)) => return Err(Failed::Ended { what }),
        main => main.and_then(Result::ok),
    };
    let ended = async {
        match main.map(os::watch) {
            Some(Ok(main)) => drop(main.readable().await),
            _ => std::future::pending().await,
        }
    };
    let waited = deadlines.multiplexer_ready;
    let answers = async {
        // Nothing notifies us when a process begins to listen on a socket.
        while socket(kind, name.as_ref()).is_none() {
            sleep(LOOK_AGAIN).await;
        }
        // It reads its configuration before it answers the first client.
        if kind == Kind::Tmux {
            let server = TmuxServer::new(tmux::default_socket(), Instant::now() + waited);
            let _ = server.tell(&["show-options", "-s", "buffer-limit"]).await;
        }
    };
    tokio::select! {
        answered = timeout(waited, answers) => answered.map_err(|_| Failed::Late { what, waited })?,
        () = ended => return Err(Failed::Ended { what }),
    }
    if kind == Kind::Tmux {
        start_sessions(deadlines).await;
    }
    Ok(())
}

/// Queues the sessions that are enabled: they ended with a server that crashed, and systemd restarts only the server.
async fn start_sessions(deadlines: &Deadlines) {
    let start = async {
        let manager = manager(deadlines).await?;
        if manager.state(TARGET).await.map_err(NoManager::silent)?.active == "active" {
            let wanted = manager.wanted_by(TARGET).await.map_err(NoManager::silent)?;
            for unit in wanted.iter().filter(|unit| unit.starts_with("tmux@")) {
                // They are ordered after the server's unit, so this must not wait for them.
                manager.start(unit, Mode::Replace).await.map_err(NoManager::silent)?;
            }
        }
        Ok::<_, Failed>(())
    };
    if let Err(error) = start.await {
        tracing::warn!("the sessions of the server that ended are not started again: {error}");
    }
}

fn server(deadlines: &Deadlines) -> TmuxServer {
    TmuxServer::new(tmux::default_socket(), Instant::now() + deadlines.multiplexer_ready)
}

/// Creates a session in tmux's server, unless it exists.
///
/// # Errors
/// There is no server, or it refuses.
pub async fn open(name: &str, deadlines: &Deadlines) -> Result<(), Failed> {
    let name = Name::parse(Kind::Tmux, name)?;
    let server = server(deadlines);
    if !server.has(&name).await {
        server.tell(&["new-session", "-d", "-s", name.as_str()]).await.map_err(Failed::Tmux)?;
    }
    Ok(())
}

/// Ends a session; `main` is the unit's main process. systemd ends what is left in the unit.
///
/// # Errors
/// The user manager does not answer.
pub async fn close(kind: Kind, name: &str, main: Option<Pid>, deadlines: &Deadlines) -> Result<(), Failed> {
    let name = Name::parse(kind, name)?;
    if kind == Kind::Tmux {
        return close_tmux(&name, deadlines).await;
    }
    let Some(screen) = screen::sessions().into_iter().find(|it| Some(it.pid) == main) else { return Ok(()) };
    let quit = async {
        let process = os::watch(os::pidfd_open(screen.pid)?)?;
        screen.tell(&["quit"], Instant::now() + deadlines.multiplexer_stop).await?;
        // When this returns, systemd sends signals to whatever is left.
        process.readable().await.map(drop)
    };
    if let Err(error) = timeout(deadlines.multiplexer_stop, quit).await.unwrap_or_else(|late| Err(late.into())) {
        tracing::warn!("screen has not ended its session {name}: {error}");
    }
    Ok(())
}

/// Ends a session of the tmux server, and the processes that remain in its panes.
async fn close_tmux(name: &Name, deadlines: &Deadlines) -> Result<(), Failed> {
    let server = server(deadlines);
    // A session that is gone already need not be ended.
    let Ok(panes) = server.panes(name).await else { return Ok(()) };
    let manager = manager(deadlines).await?;
    let mut scopes = Vec::new();
    for pane in panes {
        if let Ok(Some(unit)) = manager.unit_of_pid(pane).await
            && unit.ends_with(".scope")
        {
            scopes.push(unit);
        }
    }
    if let Err(error) = server.tell(&["kill-session", "-t", &format!("={name}")]).await {
        tracing::warn!("tmux has not ended its session {name}: {error}");
    }
    end_scopes(&manager, scopes, deadlines.multiplexer_stop).await;
    Ok(())
}

/// Ends the processes that remain in the panes after the tmux server has ended, however it ended.
///
/// # Errors
/// The user manager does not answer.
pub async fn ended(deadlines: &Deadlines) -> Result<(), Failed> {
    let manager = manager(deadlines).await?;
    let server = manager.last_main_pid(TMUX_SERVER).await.map_err(NoManager::silent)?;
    let scopes = manager.units_like(&[tmux::PANE_SCOPES]).await.map_err(NoManager::silent)?;
    let ours = |unit: &crate::manager::ListedUnit| tmux::launcher(&unit.description) == Some(server);
    let scopes = scopes.into_iter().filter(ours).map(|unit| unit.name).collect();
    end_scopes(&manager, scopes, deadlines.multiplexer_stop).await;
    Ok(())
}

/// Ends the processes in scopes, all at once, by SIGTERM and SIGHUP; then by SIGKILL.
///
/// Not by stopping them: tmux 3.6 and later order them before the server's unit, so their stop jobs would wait for the
/// end of the unit that waits here.
async fn end_scopes(manager: &Manager, scopes: Vec<String>, deadline: Duration) {
    let mut tasks = tokio::task::JoinSet::new();
    for scope in scopes {
        let manager = manager.clone();
        tasks.spawn(async move {
            // Both fail for a scope that has just ended.
            let _ = manager.kill(&scope, Signal::SIGTERM).await;
            let _ = manager.kill(&scope, Signal::SIGHUP).await;
            let empty = async {
                while manager.processes(&scope).await.is_ok_and(|processes| !processes.is_empty()) {
                    sleep(LOOK_AGAIN).await;
                }
            };
            if timeout(deadline, empty).await.is_err() {
                tracing::warn!("the processes in {scope} do not end; killing them");
                let _ = manager.kill(&scope, Signal::SIGKILL).await;
            }
            // systemd misses the end of a scope if its program ended before the scope was started. Nothing waits for
            // this.
            let _ = manager.stop(&scope, Mode::Replace).await;
        });
    }
    tasks.join_all().await;
}

async fn manager(deadlines: &Deadlines) -> Result<Manager, Failed> {
    Ok(Manager::connect(&RuntimeDir::find()?, deadlines.user_manager).await?)
}
