//! Actions that need an answer: each is one call in a task of its own, and its result is an event.
//!
//! The driver polls each call once, in the order of the actions, before it becomes a task: with that the message is sent. So
//! the manager gets what is asked of it in the order in which the core has asked, and nobody waits for an answer.

use std::collections::BTreeMap;
use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;
use zbus::OwnedObjectPath;

use super::core::{CallFailure, Event, FailureKind, JobId, LockerUnit, Observed, Order, Seen, ServerSeen};
use crate::config::Autostart;
use crate::dbus::CallError;
use crate::deadline::STATUS;
use crate::launch::Ending;
use crate::manager::transient::{Service, UnitProperties};
use crate::manager::verdict::{Verdict, judge};
use crate::manager::{Manager, Mode, ServiceEnd, UnitState, names};
use crate::server::Server;
use crate::session::{applications, autostart, clients};
use crate::x11::client::{Client, ClientError};
use crate::x11::cookie::Cookie;
use crate::x11::display::Display;
use crate::x11::occupied::{self, Taken};

/// An outstanding call, and the event with its result, if there is one.
pub(super) type Call = Pin<Box<dyn Future<Output = Option<Event>> + Send>>;

/// Sends a call, and its result to `events`.
pub(super) async fn send(mut call: Call, events: &UnboundedSender<Event>) {
    // Polled here first, and not just by its task, for the order.
    match std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await {
        Poll::Ready(event) => drop(event.map(|event| events.send(event))),
        Poll::Pending => spawn(call, events),
    }
}

/// Sends what comes of a task to `events`.
pub(super) fn spawn(task: impl Future<Output = Option<Event>> + Send + 'static, events: &UnboundedSender<Event>) {
    let events = events.clone();
    tokio::spawn(async move { drop(task.await.map(|event| events.send(event))) });
}

/// A server that runs, shared with the looks that ask it.
pub(super) struct RunningServer {
    /// Its process.
    pub process: Server,
    /// The first of a session has number 1.
    pub number: u32,
    /// Whether it has answered a client of ours.
    pub serves: AtomicBool,
}

/// How a look asks the server.
#[derive(Clone)]
pub(super) struct ServerProbe {
    /// The server.
    pub server: Arc<RunningServer>,
    /// Its display.
    pub display: Display,
    /// What opens it.
    pub cookie: Cookie,
}

impl ServerProbe {
    /// What the server is like now.
    async fn look(&self) -> ServerSeen {
        let is_ending = self.server.process.is_exiting()
            // Nobody has had a server that does not serve yet.
            || (self.server.serves.load(Ordering::Relaxed) && !self.answers().await);
        ServerSeen { number: self.server.number, is_ending }
    }

    /// Whether it has not begun to end.
    async fn answers(&self) -> bool {
        tokio::select! {
            biased;
            () = self.server.process.is_waitable() => false,
            answer = timeout(STATUS, Client::connect(self.display, &self.cookie)) => match answer {
                Ok(Err(ClientError::Io(error))) => !matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe),
                Ok(Ok(_) | Err(_)) | Err(_) => true,
            },
        }
    }
}

/// What a failed call means for the core.
pub(super) fn failure(error: &CallError) -> CallFailure {
    let kind = if error.is_disconnect() {
        FailureKind::Disconnected
    } else if error.is_timeout() {
        FailureKind::Silent
    } else {
        FailureKind::Refused
    };
    CallFailure { kind, text: error.to_string() }
}

/// What could not even be asked.
pub(super) fn refused(text: String) -> CallFailure {
    CallFailure { kind: FailureKind::Refused, text }
}

fn queued(order: Order, job: Result<OwnedObjectPath, CallError>) -> Option<Event> {
    Some(Event::Queued(order, job.map(|job| JobId(job.to_string())).map_err(|error| failure(&error))))
}

/// Starts a unit.
pub(super) fn start(manager: Manager, order: Order, unit: String, mode: Mode) -> Call {
    Box::pin(async move { queued(order, manager.start(&unit, mode).await) })
}

/// Stops a unit.
pub(super) fn stop(manager: Manager, order: Order, unit: String) -> Call {
    Box::pin(async move { queued(order, manager.stop(&unit, Mode::Replace).await) })
}

/// Makes a service and starts it.
pub(super) fn start_transient(manager: Manager, order: Order, service: Service) -> Call {
    Box::pin(async move { queued(order, manager.start_transient(&service).await) })
}

/// Starts what reads `~/.Xresources` and the like. If it has run for a server before, its unit is there still, unless it has
/// failed, and is restarted. What is tried first must be right as a rule: the start of a window manager that is asked for after
/// this must not overtake it.
pub(super) fn read_dotfiles(manager: Manager, order: Order, again: bool, properties: UnitProperties) -> Call {
    Box::pin(async move {
        let unit = names::DOTFILES_SERVICE;
        let is_refused = |error: &CallError| failure(error).kind == FailureKind::Refused;
        let job = if again {
            match manager.restart(unit).await {
                Err(error) if is_refused(&error) => manager.start_transient_unit(unit, properties).await,
                job => job,
            }
        } else {
            match manager.start_transient_unit(unit, properties).await {
                Err(error) if is_refused(&error) => manager.restart(unit).await,
                job => job,
            }
        };
        queued(order, job)
    })
}

/// Starts a unit again. Both calls are sent at once: a start that was sent later could come behind the end of the session.
pub(super) fn start_again(manager: Manager, unit: String) -> Call {
    Box::pin(async move {
        let (_, restarted) = tokio::join!(biased; manager.reset_failed(&unit), manager.restart(&unit));
        let outcome = restarted.map(|_| ()).map_err(|error| failure(&error));
        Some(Event::StartedAgain(unit, outcome))
    })
}

/// Makes a service of the session once more.
pub(super) fn start_anew(manager: Manager, service: Service) -> Call {
    Box::pin(async move {
        let outcome = manager.start_transient(&service).await.map(|_| ()).map_err(|error| failure(&error));
        Some(Event::StartedAgain(service.name, outcome))
    })
}

/// Restarts the server's unit.
pub(super) fn replace_server(manager: Manager, display: Display) -> Call {
    Box::pin(async move {
        let restarted = manager.restart(&names::xorg_service(display)).await;
        Some(Event::ServerReplaced(restarted.map(|_| ()).map_err(|error| failure(&error))))
    })
}

/// Ends what the window manager has started, and the display's other clients, if there is a server that serves. Tells whether
/// something may still need it.
pub(super) fn end_applications(
    manager: Manager,
    units: Vec<String>,
    server: Option<ServerProbe>,
    deadline: Duration,
) -> Call {
    Box::pin(async move {
        let server = server.filter(|server| server.server.serves.load(Ordering::Relaxed));
        let others = async {
            match &server {
                Some(server) => clients::end(&manager, &units, server.display, &server.cookie, deadline).await,
                None => true,
            }
        };
        let (_, has_clients) = tokio::join!(applications::end(&manager, &units, deadline), others);
        let has_clients = match server {
            // Some may have gone since they were counted.
            Some(server) if has_clients => clients::are_there(server.display, &server.cookie).await,
            _ => has_clients,
        };
        // What a unit runs when it stops may be a client, too.
        let needs_server = has_clients || applications::have_units_left(&manager).await;
        Some(Event::ApplicationsEnded { needs_server })
    })
}

/// Asks which units depend on `xorg.target`.
pub(super) fn ask_for_dependents(manager: Manager) -> Call {
    Box::pin(async move {
        Some(Event::Dependents(manager.dependents(names::XORG_TARGET).await.map_err(|error| failure(&error))))
    })
}

/// Asks which screen lockers `startxd-lock.target` brings, and how they are.
pub(super) fn ask_for_lockers(manager: Manager) -> Call {
    Box::pin(async move { Some(Event::Lockers(find_lockers(&manager).await.map_err(|error| failure(&error)))) })
}

async fn find_lockers(manager: &Manager) -> Result<Vec<LockerUnit>, CallError> {
    let wanted = manager.wanted_by(names::LOCK_TARGET).await?;
    let services: Vec<&str> = wanted.iter().map(String::as_str).filter(|unit| unit.ends_with(".service")).collect();
    let states = manager.states(&services).await?;
    let mut lockers = Vec::new();
    for (unit, state) in services.into_iter().zip(states).filter(|(_, state)| state.load == "loaded") {
        // One that is over when its program has ended is not a locker, but a hook.
        if manager.is_oneshot(unit).await.unwrap_or(false) {
            continue;
        }
        let notifies = manager.says_when_ready(unit).await.unwrap_or(false);
        lockers.push(LockerUnit { unit: unit.to_owned(), active: state.active, notifies });
    }
    Ok(lockers)
}

/// Asks whether the manager is on its way out.
pub(super) fn ask_whether_it_stops(manager: Manager) -> Call {
    Box::pin(async move { Some(Event::ManagerStops(manager.is_stopping().await.map_err(|error| failure(&error)))) })
}

/// When a look asks how services have ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// Together with their states, as a change after the start is mostly an end, and somebody waits for the answer.
    AtOnce,
    /// If they are not up: a start changes them many times.
    IfDown,
}

/// Looks at units: their states in one question, and how those have ended that are not up.
pub(super) fn look(manager: Manager, number: u32, units: Vec<String>, probe: Option<ServerProbe>, ends: Ends) -> Call {
    Box::pin(async move {
        let seen = observe(&manager, units, probe, ends).await.map_err(|error| failure(&error));
        Some(Event::Looked(number, seen))
    })
}

/// As [`look`], in an end, where nothing is loaded for it that the manager has forgotten (that takes it milliseconds), and
/// nothing matters but the states.
pub(super) fn look_at_rest(manager: Manager, number: u32, units: Vec<String>) -> Call {
    Box::pin(async move {
        let names: Vec<&str> = units.iter().map(String::as_str).collect();
        let states = manager.loaded_by_any_name(&names).await.map_err(|error| failure(&error));
        let observed = |state| Observed { state, end: None, never_restarts: false };
        let seen = states.map(|states| Seen {
            units: units.into_iter().zip(states.into_iter().map(observed)).collect(),
            server: None,
        });
        Some(Event::Looked(number, seen))
    })
}

async fn observe(
    manager: &Manager,
    units: Vec<String>,
    probe: Option<ServerProbe>,
    ends: Ends,
) -> Result<Seen, CallError> {
    let names: Vec<&str> = units.iter().map(String::as_str).collect();
    let services = async {
        let mut known = BTreeMap::new();
        for unit in names.iter().filter(|unit| ends == Ends::AtOnce && unit.ends_with(".service")) {
            known.insert((*unit).to_owned(), manager.service_end(unit).await.ok());
        }
        known
    };
    // In this order: an end that was read before the state could be an earlier one.
    let (states, mut known) = tokio::join!(biased; manager.states(&names), services);
    let mut observed = Vec::new();
    let mut is_missing = false;
    for (unit, state) in units.into_iter().zip(states?) {
        let one = observe_one(manager, &unit, state, known.remove(&unit)).await;
        is_missing |= unit.ends_with(".service") && one.verdict() != Verdict::Up;
        observed.push((unit, one));
    }
    let server = match probe {
        Some(probe) if is_missing => Some(probe.look().await),
        _ => None,
    };
    Ok(Seen { units: observed, server })
}

/// How a service's main process has ended (unless it is `known`), and whether it restarts itself, is asked only where it
/// matters: not at every step of a start.
async fn observe_one(manager: &Manager, unit: &str, state: UnitState, known: Option<Option<ServiceEnd>>) -> Observed {
    let mut observed = Observed { state, end: None, never_restarts: false };
    if unit.ends_with(".service") && judge(&observed.state, None) != Verdict::Up {
        observed.end = match known {
            Some(end) => end,
            None => manager.service_end(unit).await.ok(),
        };
        if matches!(observed.verdict(), Verdict::Failed(_)) {
            observed.never_restarts = manager.never_restarts(unit).await.unwrap_or(false);
        }
    }
    observed
}

/// Looks at the server, for the question with this number; `probe` tells what it is like.
pub(super) async fn look_at_server(question: u32, probe: Option<ServerProbe>) -> Option<Event> {
    let server = match probe {
        Some(probe) => Some(probe.look().await),
        None => None,
    };
    Some(Event::ServerLooked(question, server))
}

/// A service was restarted by its own policy; `probe` tells what its server was like.
pub(super) fn restarts(unit: String, end: ServiceEnd, probe: Option<ServerProbe>) -> Call {
    Box::pin(async move {
        let server = match probe {
            Some(probe) => Some(probe.look().await),
            None => None,
        };
        Some(Event::Restarts { unit, end, server })
    })
}

/// A job has ended; if it failed, how the main process of its service has.
pub(super) fn job_done(manager: Option<Manager>, job: OwnedObjectPath, unit: String, result: String) -> Call {
    Box::pin(async move {
        let end = match manager {
            Some(manager) if result != "done" && unit.ends_with(".service") => manager.service_end(&unit).await.ok(),
            _ => None,
        };
        Some(Event::JobDone { job: JobId(job.to_string()), result, end })
    })
}

/// The job of the server's unit has failed because its socket did not come up: which has failed, and why, as far as that
/// can be seen.
pub(super) fn socket_failed(manager: Option<Manager>, job: OwnedObjectPath, display: Display) -> Call {
    Box::pin(async move {
        let unit = names::xorg_socket(display);
        let result = match manager {
            Some(manager) => manager.socket_result(&unit).await.unwrap_or_default(),
            None => String::new(),
        };
        let in_the_way = match occupied::look(display) {
            // The name is ours.
            Ok(Taken::Free | Taken::Named { .. } | Taken::Locked { .. }) | Err(_) => String::new(),
            Ok(taken) => format!(": {taken}"),
        };
        let path = display.socket_path();
        let text = format!(
            "{unit} failed ({result}), so nobody listens on {}{in_the_way}; see: journalctl --user -b -u {unit}",
            path.display()
        );
        Some(Event::JobDone { job: JobId(job.to_string()), result: format!("dependency: {text}"), end: None })
    })
}

/// Whether the user manager is to start the autostart programs.
pub(super) fn ask_for_autostart(manager: Manager, wanted: Autostart, units: Vec<String>) -> Call {
    Box::pin(async move {
        Some(Event::Autostart(autostart::is_ours(wanted, autostart::processes_of(&manager, &units)).await))
    })
}

/// The unit that the window manager's process is in.
pub(super) fn find_window_manager(manager: Manager, pid: crate::os::Pid) -> Call {
    Box::pin(async move {
        match manager.unit_of_pid(pid).await {
            Ok(unit) => unit.map(Event::WindowManagerUnit),
            Err(error) => {
                tracing::debug!("the window manager's unit is unknown: {error}");
                None
            }
        }
    })
}

/// The end of a server; never, if there is none. May be dropped while it waits.
pub(super) async fn ended(server: Option<&Arc<RunningServer>>) -> Ending {
    match server {
        Some(server) => server.process.ended().await,
        None => std::future::pending().await,
    }
}
