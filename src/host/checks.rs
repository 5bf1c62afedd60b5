//! Whether a session may start here and now: asked before anything is touched.
//!
//! `startxd check may-start` makes only these checks.

use std::time::Duration;

use thiserror::Error;
use tokio::time::timeout;
use zbus::Connection;

use super::repair;
use super::session_lock::is_free;
use crate::deadline::Deadlines;
use crate::launch::Connection as HostConnection;
use crate::logind::{self, LoginSession};
use crate::manager::{FileState, Manager, NoManager, UnitState, is_session_ending, names};
use crate::os;
use crate::presence::{AlreadyUp, IsRoot, refuse_root};
use crate::runtime_dir::{NoRuntimeDir, RuntimeDir};
use crate::seat::{SEAT0, Seat};

/// Why a session may not start. One sentence each, with the remedy.
#[derive(Debug, Error)]
#[allow(clippy::missing_docs_in_private_items, reason = "each variant's sentence is its documentation")]
pub enum Refusal {
    #[error("{0}")]
    Root(#[from] IsRoot),
    #[error("{0}")]
    NoRuntimeDir(#[from] NoRuntimeDir),
    #[error(
        "HOME {0}: the X server and most programs need it; log in again, or run: HOME=$(getent passwd {1} | cut -d: -f6) startxd start"
    )]
    NoHome(&'static str, u32),
    /// A restart helps if it hangs for good: if a process dies between logind's queries of the bus for its uid and for
    /// its name, while it takes control, an empty track is left, and `on_bus_track()` is called for it forever
    /// (logind-session.c and bus-track.c of 252 to 262).
    #[error(
        "systemd-logind does not answer ({0}); see: systemctl status systemd-logind dbus, or restart it: sudo systemctl \
         restart systemd-logind"
    )]
    NoLogind(String),
    #[error("this shell is not in a login session{hint}; log in on a virtual terminal and run startxd start there")]
    NoSession { hint: &'static str },
    /// logind cannot create a session of a user whom it is just removing, and login(1) goes on without a session.
    #[error(
        "this login on tty{vt} is not in logind's list: it came while your last one was being cleaned up, or PAM lacks \
         pam_systemd; log out and in again"
    )]
    UnknownLogin { vt: u32 },
    #[error(
        "this shell is in session {session} of another user (uid {uid}): su and sudo do not make a session; log in on a \
         virtual terminal as yourself"
    )]
    OthersSession { session: String, uid: u32 },
    #[error(
        "session {session} has class {class:?}, only a person's login (class user) can have a display; log in on a \
         virtual terminal"
    )]
    WrongClass { session: String, class: String },
    #[error(
        "session {session} comes from another machine and has no screen here; log in on a virtual terminal, or start \
         programs on a display of their own over ssh -X"
    )]
    Remote { session: String },
    #[error("session {session} is on no seat, so it has no screen; log in on a virtual terminal")]
    NoSeat { session: String },
    #[error("session {session} is on no virtual terminal; log in on one (Ctrl+Alt+F2) and run startxd start there")]
    NoVt { session: String },
    #[error(
        "this shell is not on tty{vt} itself but in a terminal emulator or a multiplexer; run startxd start from the \
         login shell on tty{vt}"
    )]
    NotOnVt { vt: u32 },
    #[error(
        "tty{vt} is not in the foreground (waited {}): the server gets no devices there; switch to it (chvt {vt}, or \
         Ctrl+Alt+F{vt}) and try again", seconds(*waited)
    )]
    NotActive { vt: u32, waited: Duration },
    #[error(
        "session {session} is not in the foreground of {seat} (waited {}): the server gets no devices there; bring it \
         there (loginctl activate {session}) and try again", seconds(*waited)
    )]
    NotActiveOnSeat { session: String, seat: String, waited: Duration },
    #[error("{0}")]
    NoManager(#[from] NoManager),
    #[error("{0}")]
    AlreadyUp(#[from] AlreadyUp),
    #[error(
        "your last graphical session is still going down (waited {}, {unit} is {state}); see what holds it: systemctl \
         --user list-jobs", seconds(*waited)
    )]
    GoingDown { unit: String, state: String, waited: Duration },
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f32())
}

/// The units that are up only during a graphical session. A unit that is not loaded is not up: this query loads
/// nothing, because loading would take the manager longer than the rest of the start.
const SIGNS: [&str; 5] = [
    names::GRAPHICAL_SESSION,
    names::GRAPHICAL_SESSION_PRE,
    names::WM_TARGET,
    names::XORG_TARGET,
    names::SHUTDOWN_TARGET,
];

/// The units of startxd that every session needs.
const OURS: [&str; 7] = [
    names::WM_TARGET,
    names::XORG_TARGET,
    names::SHUTDOWN_TARGET,
    names::WM_READY_TARGET,
    names::WM_AUTOSTART_TARGET,
    "xorg@.socket",
    "xorg@.service",
];

/// The results of the checks, for the host.
pub struct Clearance {
    /// Our directories.
    pub runtime: RuntimeDir,
    /// The session in logind.
    pub session: LoginSession,
    /// A connection to the system bus, where logind is.
    pub system_bus: Connection,
    /// The session's seat and VT.
    pub seat: Seat,
    /// The user manager.
    pub manager: Manager,
    /// The units of startxd, and whether they are there.
    pub installed: Vec<(&'static str, FileState)>,
}

/// What to do if the terminal is in the background.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Background {
    /// Wait for it to come forward, for its deadline.
    #[default]
    Wait,
    /// Bring it forward, because nobody is there yet to do it.
    Activate,
    /// Nothing: it will be brought forward.
    Accept,
}

/// Checks everything that `startxd start` has to know before it changes anything.
///
/// # Errors
/// The first reason against a start.
pub async fn may_start(deadlines: &Deadlines, background: Background) -> Result<Clearance, Refusal> {
    refuse_root()?;
    // A missing runtime directory is reported only inside a login session; everybody else hears about the session
    // first.
    let runtime = RuntimeDir::find_in_login();
    let manager = async {
        Ok(match &runtime {
            Ok(runtime) => Some(manager_answers(runtime, deadlines.user_manager).await),
            Err(_) => None,
        })
    };
    // The two halves are independent, and run at once because a person waits. Only the session's refusal ends this
    // early: it is the one that explains the others.
    let session = async {
        let late = |_| Refusal::NoLogind(format!("no answer within {}", seconds(deadlines.user_manager)));
        timeout(deadlines.user_manager, own_session()).await.map_err(late)?
    };
    let ((session, connection), manager) = tokio::try_join!(session, manager)?;
    let runtime = runtime?;
    let seat = on_a_screen(&session)?;
    home()?;
    if !session.active && background != Background::Accept {
        if background == Background::Activate
            && let Some(vt) = seat.vt
        {
            bring_forward(vt);
        }
        let active = logind::wait_active(&connection, &session.path, deadlines.vt_active).await;
        if !active.map_err(|error| Refusal::NoLogind(error.to_string()))? {
            return Err(not_active(session, seat, deadlines.vt_active));
        }
    }
    let Some(Answer { manager, states, files }) = manager.transpose()? else { return Err(NoRuntimeDir::Unset.into()) };
    let installed = OURS.into_iter().zip(files).collect();
    nothing_up(&runtime, &manager, states, deadlines.going_down).await?;
    Ok(Clearance { runtime, session, system_bus: connection, seat, manager, installed })
}

/// The logind session of this process, if it is one of ours.
async fn own_session() -> Result<(LoginSession, Connection), Refusal> {
    let connection = logind::connect().await.map_err(|error| Refusal::NoLogind(error.to_string()))?;
    let session = logind::own_session(&connection).await.map_err(|error| match error {
        error if error.is(logind::NO_SESSION) => match (outside_hint(), os::controlling_vt()) {
            ("", Ok(Some(vt))) => Refusal::UnknownLogin { vt },
            (hint, _) => Refusal::NoSession { hint },
        },
        error => Refusal::NoLogind(error.to_string()),
    })?;
    if session.uid != nix::unistd::geteuid().as_raw() {
        return Err(Refusal::OthersSession { session: session.id, uid: session.uid });
    }
    Ok((session, connection))
}

/// Why there is no session, according to the environment; appended to "this shell is not in a login session".
#[must_use]
pub fn outside_hint() -> &'static str {
    let set = |name| std::env::var_os(name).is_some();
    if set("DISPLAY") || set("WAYLAND_DISPLAY") {
        " but in a graphical one (a terminal window belongs to the user manager)"
    } else if set("TMUX") || set("STY") || set("ZELLIJ") {
        " but in a multiplexer that outlives logins"
    } else if set("SSH_CONNECTION") {
        " (this ssh login was made without PAM)"
    } else if set("SUDO_USER") {
        " (sudo does not make one)"
    } else if !set("XDG_SESSION_ID") && std::env::var_os("XDG_SEAT").is_some_and(|seat| seat != SEAT0) {
        // A seat exists only once udev has told logind about its devices.
        " (logind does not know the seat that XDG_SEAT names; see: loginctl list-seats)"
    } else if set("INVOCATION_ID") && os::controlling_vt().ok().flatten().is_none() {
        // On a VT the getty sets it, and a login that keeps the environment passes it on.
        " but in a service of the user manager"
    } else {
        ""
    }
}

/// Checks class, place and seat, and that the VT, if the seat has one, is this process's controlling terminal.
fn on_a_screen(session: &LoginSession) -> Result<Seat, Refusal> {
    let id = session.id.clone();
    // user-early (systemd 256) is a person's login before the machine is fully up, which makes no difference here.
    if !matches!(session.class.as_str(), "user" | "user-early") {
        return Err(Refusal::WrongClass { session: id, class: session.class.clone() });
    }
    if session.remote {
        return Err(Refusal::Remote { session: id });
    }
    let Some(seat) = session.seat.clone() else {
        return Err(Refusal::NoSeat { session: id });
    };
    let Some(seat) = Seat::new(seat, session.vt) else {
        return Err(Refusal::NoVt { session: id });
    };
    match seat.vt {
        Some(vt) if os::controlling_vt().ok().flatten() != Some(vt) => Err(Refusal::NotOnVt { vt }),
        _ => Ok(seat),
    }
}

fn not_active(session: LoginSession, seat: Seat, waited: Duration) -> Refusal {
    match seat.vt {
        Some(vt) => Refusal::NotActive { vt, waited },
        None => Refusal::NotActiveOnSeat { session: session.id, seat: seat.id, waited },
    }
}

/// Switches to our terminal, which is virtual terminal `vt`. If that fails, it stays in the background.
pub fn bring_forward(vt: u32) {
    let terminal = std::fs::File::options().read(true).write(true).open("/dev/tty");
    if let Err(error) = terminal.and_then(|terminal| os::activate(&terminal, vt)) {
        tracing::warn!("cannot switch to tty{vt}: {error}");
    }
}

/// Checks that `HOME` exists: a server without root writes its log there, and exits if it cannot.
fn home() -> Result<(), Refusal> {
    let uid = nix::unistd::geteuid().as_raw();
    match std::env::var_os("HOME").map(std::path::PathBuf::from) {
        None => Err(Refusal::NoHome("is not set", uid)),
        Some(home) if !home.is_absolute() || !home.is_dir() => Err(Refusal::NoHome("is not a directory", uid)),
        // The user manager accepts only text, so the session would look for its files elsewhere.
        Some(home) if home.to_str().is_none() => Err(Refusal::NoHome("is not text in UTF-8", uid)),
        Some(_) => Ok(()),
    }
}

/// The user manager, once it has answered, and its answers.
struct Answer {
    manager: Manager,
    /// The states of [`SIGNS`].
    states: Vec<UnitState>,
    /// The states of [`OURS`].
    files: Vec<FileState>,
}

/// The user manager and the user's bus, once both have answered, if the bus is up.
async fn manager_answers(runtime: &RuntimeDir, deadline: Duration) -> Result<Answer, Refusal> {
    let manager = Manager::connect(runtime, deadline).await?;
    // Sent together, and answered in this order.
    let questions = async { tokio::try_join!(manager.loaded(&SIGNS), manager.bus_state(), manager.file_states(&OURS)) };
    let (states, bus, files) = Manager::within(deadline, questions).await?;
    manager.prove_bus(bus, deadline).await?;
    Ok(Answer { manager, states, files })
}

/// Checks that no graphical session of this user is up, and waits for one that is ending. A session whose host is dead
/// does not count: the next start ends what is left of it.
///
/// `states` are those of [`SIGNS`], as they were a moment ago.
async fn nothing_up(
    runtime: &RuntimeDir,
    manager: &Manager,
    mut states: Vec<UnitState>,
    deadline: Duration,
) -> Result<(), Refusal> {
    let mut signals = None;
    // A race: the states are from a moment ago, and the files are read now. A repair after a dead session may have
    // ended between the two, and then the earlier states are outdated.
    let mut is_certain = false;
    let end = tokio::time::Instant::now() + deadline;
    loop {
        let up = SIGNS.into_iter().zip(&states).find(|(_, state)| !state.is_down());
        // A host without units is just beginning, or restores the terminal and the environment at its end.
        let host = HostConnection::connect(&runtime.host_socket()).ok();
        let (unit, state) = match up {
            None if host.is_none() => return Ok(()),
            None => ("startxd start", "at work"),
            Some((unit, state)) if is_session_ending(&SIGNS, &states) => (unit, state.active.as_str()),
            Some(_) if repair::is_dead(runtime) => return Ok(()),
            // The holder has no launch socket: it cleans up after a dead session.
            Some((unit, state)) if host.is_none() && !is_free(runtime) => (unit, state.active.as_str()),
            Some((unit, state)) if is_certain => {
                // Another sign exists, so there is a session.
                return AlreadyUp::find(runtime, Some((unit, &state.active))).map_or(Ok(()), |up| Err(up.into()));
            }
            Some(_) => {
                is_certain = true;
                states = ask(manager).await?;
                continue;
            }
        };
        is_certain = false;
        // Rarely needed. The states are queried again afterwards, because earlier changes are not announced.
        let first = signals.is_none();
        let listening = match &mut signals {
            Some(listening) => listening,
            None => signals.insert(manager.signals().await.map_err(NoManager::silent)?),
        };
        let host_gone = async {
            match &host {
                Some(host) => while let Ok(Some(_)) = host.receive().await {},
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = std::future::ready(()), if first => {}
            _ = listening.next() => {}
            () = host_gone => {}
            () = tokio::time::sleep_until(end) => {
                let (unit, state) = (unit.to_owned(), state.to_owned());
                return Err(Refusal::GoingDown { unit, state, waited: deadline });
            }
        }
        states = ask(manager).await?;
    }
}

async fn ask(manager: &Manager) -> Result<Vec<UnitState>, Refusal> {
    Ok(manager.loaded(&SIGNS).await.map_err(NoManager::silent)?)
}
