//! The state of the session: asked of logind, the user manager, the display and the kernel.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use thiserror::Error;

use super::Connected;
use super::failed::{self, FailedUnit};
use super::screen::{self, ScreenSeen};
use crate::deadline;
use crate::environment::block::Block;
use crate::launch::Connection;
use crate::logind;
use crate::manager::{Manager, NoManager, UnitState, names};
use crate::os::{self, Pid};
use crate::records::Unreadable;
use crate::records::last::LastSession;
use crate::records::session::SessionRecord;
use crate::runtime_dir::RuntimeDir;
use crate::small_file;
use crate::x11::cookie::Cookie;
use crate::x11::display::Display;
use crate::x11::managed::{Watch, WindowManager};
use crate::x11::xauthority;

/// The targets that are shown, in the order in which they are reached.
pub const TARGETS: [&str; 5] = [
    names::XORG_TARGET,
    names::GRAPHICAL_SESSION_PRE,
    names::WM_TARGET,
    names::GRAPHICAL_SESSION,
    names::WM_READY_TARGET,
];

/// Why the state is not known.
#[derive(Debug, Error)]
pub enum NotGathered {
    /// There is a record, but it cannot be read.
    #[error(
        "the session's record {path} cannot be read ({error}); end the session, if it is still up, and remove its record: \
         startxd stop",
        path = path.display()
    )]
    Record {
        /// The record's path.
        path: PathBuf,
        /// What is wrong with it.
        error: Unreadable,
    },
    /// No answer from the bus or the manager.
    #[error("{0}")]
    Manager(#[from] NoManager),
}

/// The server's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerProcess {
    /// Its pid.
    pub pid: Pid,
    /// The name of its program.
    pub program: String,
    /// Its effective uid.
    pub uid: u32,
}

/// What the display says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisplayState {
    /// No server is running.
    Down,
    /// The server answered: the window manager, and the unit that it is in.
    Up(Option<(WindowManager, Option<String>)>),
    /// The server did not answer properly.
    Unwell(String),
}

/// Everything that is shown.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What the host wrote down.
    pub record: SessionRecord,
    /// The host's pid, if it lives.
    pub host: Option<Pid>,
    /// The logind session, if it still exists.
    pub session: Option<logind::LoginSession>,
    /// The server's process.
    pub server: Option<ServerProcess>,
    /// The server's unit and its state.
    pub server_unit: (String, UnitState),
    /// When the server's unit became active, microseconds since the epoch.
    pub server_since: u64,
    /// What the display says.
    pub display: DisplayState,
    /// Whether it is locked, and who is there.
    pub screen: ScreenSeen,
    /// The states of [`TARGETS`].
    pub targets: Vec<UnitState>,
    /// The session's own units and their states.
    pub units: Vec<(String, UnitState)>,
    /// The units in which the kernel has killed programs for lack of memory, and how many.
    pub killed: Vec<(String, u64)>,
    /// Other units of the graphical session that have failed.
    pub failed: Vec<FailedUnit>,
    /// Where the cookie should be.
    pub authority: String,
    /// The manager's environment.
    pub environment: Block,
    /// How the session before this one ended.
    pub last: Option<LastSession>,
    /// Whether it was started so recently that its window manager may not be up yet.
    pub is_young: bool,
}

impl Snapshot {
    /// The state of `graphical-session.target`.
    #[must_use]
    pub fn graphical_session(&self) -> Option<&UnitState> {
        graphical_session(&TARGETS, &self.targets)
    }

    /// The terminal or seat that has to be in front before there is a server: one in the background gets no devices, so
    /// the host waits.
    #[must_use]
    pub fn waits_for(&self) -> Option<String> {
        let in_background = self.session.as_ref().is_some_and(|session| !session.active);
        let waits = self.host.is_some() && in_background && self.server.is_none();
        (waits && self.server_unit.1.active == "activating").then(|| self.record.seat.name())
    }

    /// Whether the session is being started, or its server again: what is not there yet is nothing wrong.
    #[must_use]
    pub fn is_starting(&self) -> bool {
        // A managed display is not a ready session: startxd may wait for READY=1 of the window manager before it starts
        // the target.
        let is_reached = self.graphical_session().is_some_and(|state| state.active == "active");
        let is_ready = is_reached && matches!(self.display, DisplayState::Up(Some(_)));
        let server_comes = self.server_unit.1.active == "activating";
        self.host.is_some() && (server_comes || (self.is_young && !is_ready && self.server_unit.1.active != "failed"))
    }
}

/// The state of `graphical-session.target` among the `states` of `targets`.
#[must_use]
pub(super) fn graphical_session<'a>(targets: &[&str], states: &'a [UnitState]) -> Option<&'a UnitState> {
    let at = targets.iter().position(|target| *target == names::GRAPHICAL_SESSION)?;
    states.get(at)
}

/// Gathers everything; `None` if there is no session.
///
/// # Errors
/// [`NotGathered`].
///
/// A session is young for as long as `patience`, which a window manager has to manage its display.
pub(super) async fn gather(
    runtime: &RuntimeDir,
    manager: &Connected,
    patience: Duration,
) -> Result<Option<Snapshot>, NotGathered> {
    let unreadable = |error| NotGathered::Record { path: runtime.record(), error };
    let Some(record) = SessionRecord::of(runtime).map_err(unreadable)? else { return Ok(None) };
    let manager = manager.as_ref().map_err(Clone::clone)?;
    let server_unit = names::xorg_service(record.display);
    let units: Vec<&str> = record.units.iter().map(String::as_str).collect();
    let (environment, targets, server_state, session, since) = tokio::join!(
        manager.environment(),
        manager.states(&TARGETS),
        manager.state(&server_unit),
        find_session(&record.session),
        manager.active_since(&server_unit),
    );
    let (environment, targets) = (environment.map_err(NoManager::silent)?, targets.map_err(NoManager::silent)?);
    let server_state = server_state.map_err(NoManager::silent)?;
    let states = manager.states(&units).await.map_err(NoManager::silent)?;
    let mut killed = Vec::new();
    for unit in &record.units {
        let programs = manager.killed_for_memory(unit).await.filter(|&programs| programs > 0);
        killed.extend(programs.map(|programs| (unit.clone(), programs)));
    }
    let failed = failed::failed(manager, &record.units).await;
    // Asked only if a server runs: otherwise the connection would start one.
    let display = if server_state.active == "active" {
        ask_display(record.display, cookie(runtime, record.display), manager).await
    } else {
        DisplayState::Down
    };
    let host = Connection::connect(&runtime.host_socket()).ok();
    let screen = match &host {
        Some(host) => screen::gather(host, manager).await,
        None => ScreenSeen::default(),
    };
    let host = host.and_then(|host| host.peer_pid().ok());
    let server = find_server(manager, &server_unit).await;
    Ok(Some(Snapshot {
        host,
        session,
        server,
        server_unit: (server_unit, server_state),
        server_since: since.unwrap_or(0),
        display,
        screen,
        targets,
        units: record.units.iter().cloned().zip(states).collect(),
        killed,
        failed,
        authority: runtime.authority(record.display).display().to_string(),
        environment,
        last: LastSession::recall(),
        is_young: SystemTime::now() < SystemTime::UNIX_EPOCH + Duration::from_secs(record.started) + patience,
        record,
    }))
}

async fn find_session(id: &str) -> Option<logind::LoginSession> {
    logind::session_by_id(&logind::connect().await.ok()?, id).await.ok()
}

/// The server among the processes of its unit: the one that is not the supervisor.
async fn find_server(manager: &Manager, unit: &str) -> Option<ServerProcess> {
    let supervisor = manager.main_pid(unit).await.ok()?;
    let processes = manager.processes(unit).await.ok()?;
    let pid = processes.into_iter().find(|&pid| Some(pid) != supervisor)?;
    let text = small_file::text(format!("/proc/{pid}/status").as_ref()).ok()?;
    let status = os::status(&text)?;
    Some(ServerProcess { pid, program: status.name.to_owned(), uid: status.effective })
}

/// The cookie of a display of ours.
pub fn cookie(runtime: &RuntimeDir, display: Display) -> Option<Cookie> {
    let entries = xauthority::decode(&small_file::read_ours(&runtime.authority(display)).ok()??).ok()?;
    xauthority::find_cookie(&entries, display, b"")
}

/// Asks a display that has a server who manages it.
pub(super) async fn ask_display(display: Display, cookie: Option<Cookie>, manager: &Manager) -> DisplayState {
    let Some(cookie) = cookie else { return DisplayState::Unwell("its cookie is missing".to_owned()) };
    let look = async { Watch::connect(display, &cookie).await?.look_harder().await };
    let manager_window = match tokio::time::timeout(deadline::STATUS, look).await {
        Ok(Ok(window_manager)) => window_manager,
        Ok(Err(error)) => return DisplayState::Unwell(error.to_string()),
        Err(_) => return DisplayState::Unwell(format!("it did not answer within {} s", deadline::STATUS.as_secs())),
    };
    let Some(window_manager) = manager_window else { return DisplayState::Up(None) };
    let unit = match window_manager.pid {
        Some(pid) => manager.unit_of_pid(pid).await.ok().flatten(),
        None => None,
    };
    DisplayState::Up(Some((window_manager, unit)))
}
