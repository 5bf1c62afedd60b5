//! The multiplexers that run, for `startxd status`.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::name::{Kind, TARGET};
use super::service::{self, Place};
use super::tmux::{self, TmuxServer};
use super::{screen, zellij};
use crate::manager::{Manager, UnitState};

/// A session of a multiplexer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiplexerSession {
    /// The multiplexer.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// How many clients are attached; `None` if that is not known.
    pub attached: Option<u32>,
}

/// The multiplexers of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Multiplexers {
    /// The units that are loaded or enabled for `multiplexer.target`, with their states.
    pub units: Vec<(String, UnitState)>,
    /// The sessions that run, and where their servers run, if that is known.
    pub sessions: Vec<(MultiplexerSession, Option<Place>)>,
    /// The servers that do not answer: their sockets, and why.
    pub silent: Vec<String>,
}

/// Finds all multiplexers of this user, within `deadline`. Without a manager there are no units.
pub async fn look(manager: Option<&Manager>, deadline: Duration) -> Multiplexers {
    let mut found = Multiplexers::default();
    if let Some(manager) = manager {
        found.units = units(manager).await;
    }
    let own = std::env::var("TMUX_TMPDIR").unwrap_or_default();
    let mut tasks = JoinSet::new();
    for socket in tmux::sockets(&[&own], nix::unistd::geteuid().as_raw()) {
        tasks.spawn(async move {
            let name = crate::text::path(&socket);
            let server = TmuxServer::new(socket.clone(), Instant::now() + deadline);
            let place = timeout(deadline, service::whereabouts(Kind::Tmux, &socket));
            let (place, sessions) = tokio::join!(place, server.sessions());
            (name, place.ok().flatten(), sessions)
        });
    }
    for (socket, place, sessions) in tasks.join_all().await {
        match sessions {
            Ok(sessions) => found.sessions.extend(sessions.into_iter().map(|session| {
                let attached = Some(session.attached);
                (MultiplexerSession { kind: Kind::Tmux, name: session.name, attached }, place.clone())
            })),
            Err(error) => {
                let place = place.map(|place| place.to_string()).unwrap_or_default();
                found.silent.push(format!("the tmux server on {socket}{place} does not answer ({error})"));
            }
        }
    }
    for screen in screen::sessions() {
        let place = service::whereabouts(Kind::Screen, &screen.socket()).await;
        let attached = Some(u32::from(screen.attached));
        found.sessions.push((MultiplexerSession { kind: Kind::Screen, name: screen.name, attached }, place));
    }
    for socket in zellij::sessions() {
        let name = socket.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let place = service::whereabouts(Kind::Zellij, &socket).await;
        found.sessions.push((MultiplexerSession { kind: Kind::Zellij, name, attached: None }, place));
    }
    found.sessions.sort_by(|(a, _), (b, _)| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    found
}

/// The units, and their states. None if the manager does not answer.
async fn units(manager: &Manager) -> Vec<(String, UnitState)> {
    let patterns = ["tmux.service", "tmux@*.service", "screen@*.service", "zellij@*.service"];
    let loaded = manager.units_like(&patterns).await.unwrap_or_default();
    let mut units: Vec<(String, UnitState)> = loaded.into_iter().map(|unit| (unit.name, unit.state)).collect();
    let mut wanted = manager.wanted_by(TARGET).await.unwrap_or_default();
    wanted.retain(|unit| unit.ends_with(".service") && units.iter().all(|(known, _)| known != unit));
    let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
    if !names.is_empty() {
        let states = manager.states(&names).await.unwrap_or_default();
        units.extend(wanted.into_iter().zip(states));
    }
    // Loaded only because something has asked for them.
    units.retain(|(_, state)| state.load == "loaded");
    units.sort_by(|(a, _), (b, _)| a.cmp(b));
    units
}
