//! Where the driver's events come from: each branch of its `select!`, which waits for ever for what is not there.

use tokio::sync::mpsc::Receiver;

use super::{Ground, Preparation};
use crate::host::core::Event;
use crate::host::failure::Failure;
use crate::host::locker::{Locker, LockerEvent};
use crate::host::manager_link::{ManagerEvent, ManagerLink};
use crate::host::peers::{PeerEvent, Peers};
use crate::host::terminal::{Terminal, Typed};
use crate::host::watch::Sight;

/// What the one `select!` brings.
pub(super) enum Happened {
    Event(Event),
    Typed(Typed),
    ServerEnded(crate::launch::Ending),
    Locker(LockerEvent),
    Prepared(Box<Result<Ground, Failure>>),
    Peer(PeerEvent),
    Sight(Option<Sight>),
    Manager(ManagerEvent),
}

/// The end of the preparation; never, if there is none under way.
pub(super) async fn prepared(preparation: &mut Option<Preparation>) -> Result<Ground, Failure> {
    match preparation {
        Some(running) => {
            let ground = running.await;
            *preparation = None;
            ground
        }
        None => std::future::pending().await,
    }
}

/// What the screen locker's command does; never, if none runs.
pub(super) async fn of_locker(locker: &mut Option<Locker>) -> LockerEvent {
    match locker {
        Some(locker) => locker.next().await,
        None => std::future::pending().await,
    }
}

/// What somebody does on the terminal; never, if there is none.
pub(super) async fn typed(terminal: &mut Option<Terminal>) -> Typed {
    match terminal {
        Some(terminal) => terminal.typed().await,
        None => std::future::pending().await,
    }
}

/// What the watch sees next; `None` when it has ended.
pub(super) async fn seen(sights: &mut Option<Receiver<Sight>>) -> Option<Sight> {
    match sights {
        Some(queue) => queue.recv().await,
        None => std::future::pending().await,
    }
}

pub(super) async fn of_peers(peers: &mut Option<Peers>) -> PeerEvent {
    match peers {
        Some(peers) => peers.next().await,
        None => std::future::pending().await,
    }
}

pub(super) async fn of_manager(link: &mut Option<ManagerLink>) -> ManagerEvent {
    match link {
        Some(link) => link.next().await,
        None => std::future::pending().await,
    }
}
