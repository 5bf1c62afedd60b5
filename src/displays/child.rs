//! The server as our child, and the session beside it: shared by the supervisor and `startxd display run`.

use std::ffi::CString;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::claim::{self, ClaimSettings};
use crate::config::Crash;
use crate::environment::Block;
use crate::manager::transient::Service;
use crate::manager::verdict::{Verdict, judge};
use crate::manager::{self, Manager, names};
use crate::os::Image;
use crate::runtime_dir::RuntimeDir;
use crate::server::{self, Out, Relay, Server, Supervised, environment};
use crate::session::restarts;
use crate::x11::display::Display;
use crate::x11::number::open_to_others;

/// A server that is our child.
pub(super) type Child = Supervised<Server>;

/// Forks the server with these sockets; its output goes to `out`.
///
/// # Errors
/// It cannot be executed.
pub(super) fn start(
    settings: &ClaimSettings,
    listeners: &[OwnedFd],
    out: Out,
    ends_with_us: bool,
) -> io::Result<Child> {
    if settings.others {
        open_to_others(settings.display)?;
    }
    let (relay, output) = Relay::start(out)?;
    let c_string = |text: &str| CString::new(text).map_err(io::Error::from);
    let program = CString::new(settings.program.as_os_str().as_bytes())?;
    let arguments = settings.arguments.iter().map(|argument| c_string(argument)).collect::<io::Result<Vec<_>>>()?;
    let replaced = |entry: &CString| {
        let name = entry.as_bytes().split(|&byte| byte == b'=').next().unwrap_or_default();
        settings.environment.keys().any(|set| set.as_bytes() == name)
    };
    let mut environment = environment()?;
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
        ends_with_us,
    };
    Ok(Supervised::new("the server", Server::start(&image)?, relay))
}

/// Ends the server, if it has not ended, and relays its last lines.
pub(super) async fn kill(server: &mut Child, settings: &ClaimSettings) {
    server.kill(claim::seconds(settings.server_stop)).await;
}

/// A sentence about a server, with its last lines, or where to find them.
pub(super) fn with_last_lines(broken: &impl fmt::Display, server: Option<&Child>, settings: &ClaimSettings) -> String {
    // We relay the output of the server of a command.
    let journal = if settings.client.is_some() { "-t startxd".to_owned() } else { format!("-u {}", settings.unit()) };
    let tail = server.map(Child::tail).unwrap_or_default();
    if tail.is_empty() && !manager::is_booted() {
        // There is no journal.
        return format!("{broken}; it said nothing");
    }
    server::with_last_lines(&broken.to_string(), &tail, &journal)
}

/// Why a display ended with its session.
pub(super) fn over(verdict: &Verdict, display: Display) -> String {
    let unit = names::display_session(display);
    match verdict {
        Verdict::Failed(end) => format!(
            "the session on display {display} has failed ({}, status {}); see its output: journalctl --user -b -u {unit}",
            end.result, end.status
        ),
        _ => format!("the session on display {display} has ended"),
    }
}

/// Starts the display's session, if it has one, and returns when the session has ended.
pub(super) async fn session(
    runtime: &RuntimeDir,
    settings: &ClaimSettings,
    crash: &Crash,
    deadline: Duration,
) -> Verdict {
    let Some(wanted) = &settings.session else { return std::future::pending().await };
    let unit = names::display_session(settings.display);
    let watched = async {
        let manager = Manager::connect(runtime, deadline).await.map_err(|error| error.why().to_owned())?;
        let mut signals = manager.signals().await.map_err(|error| error.to_string())?;
        let service = Service {
            name: unit.clone(),
            description: format!("{}, on display {}", wanted.what, settings.display),
            program: wanted.program.clone(),
            arguments: wanted.arguments.clone(),
            directory: wanted.directory.clone(),
            environment: Block::new(),
            attributes: wanted.attributes.clone(),
            restart: restarts(crash).filter(|_| wanted.restart),
        };
        let server = settings.unit();
        let properties = service.properties_on(&server, &wanted.environment);
        manager.start_transient_unit(&unit, properties).await.map_err(|error| error.to_string())?;
        loop {
            match signals.next().await {
                manager::Signal::UnitChanged(changed) if changed == unit => {}
                manager::Signal::JobDone { .. } => {}
                manager::Signal::UnitChanged(_)
                | manager::Signal::Restarts { .. }
                | manager::Signal::UnitJob { .. } => {
                    continue;
                }
                // The manager was re-executed, or has ended, and this unit with it.
                manager::Signal::Lost => return Err("the connection to the user manager broke".to_owned()),
            }
            let state = manager.state(&unit).await.map_err(|error| error.to_string())?;
            let end = if judge(&state, None) == Verdict::Up { None } else { manager.service_end(&unit).await.ok() };
            match judge(&state, end.as_ref()) {
                Verdict::Up | Verdict::Restarting => {}
                // With RemainAfterExit= the unit's state is the same after every exit.
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
            tracing::warn!("{unit} is no longer watched: {why}");
            std::future::pending().await
        }
    }
}
