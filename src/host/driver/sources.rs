//! What the driver's one `select!` waits for.

use super::{Ground, Preparation};
use crate::host::core::Event;
use crate::host::failure::Failure;
use crate::host::locker::LockerEvent;
use crate::host::manager_link::ManagerEvent;
use crate::host::peers::PeerEvent;
use crate::host::terminal::Typed;
use crate::host::watch::Sight;

/// The sources of that `select!`.
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

/// The end of the preparation; pending forever if none is running.
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
