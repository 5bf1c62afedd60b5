//! `startxd lock` and `startxd unlock`.

use tokio::time::timeout;

use super::ask::ask;
use super::exit::Exit;
use crate::launch::{Connection, Reply, Request};
use crate::runtime_dir::RuntimeDir;

/// Asks the host to lock or unlock the screen, and waits until it has.
pub async fn run(runtime: &RuntimeDir, request: Request) -> Exit {
    let deadlines = super::configuration().deadlines;
    let Ok(host) = Connection::connect(&runtime.host_socket()) else {
        tracing::error!("no session of startxd is up; see: startxd status");
        return Exit::NotRunning;
    };
    // The host's own deadline is shorter, and its message says more. The opposite request may be under way before this
    // one.
    let patience = deadlines.lock * 2 + deadlines.launch + deadlines.user_manager;
    let problem =
        match timeout(patience, ask(&host, &request, |reply| matches!(reply, Reply::Locked | Reply::Unlocked))).await {
            Ok(Ok(_)) => return Exit::Success,
            Ok(Err(reason)) => reason,
            Err(_) => format!("the host of the session did not answer within {} s", patience.as_secs_f32()),
        };
    let done = if request == Request::Lock { "locked" } else { "unlocked" };
    tracing::error!("the screen is not {done}: {problem}");
    Exit::NotLocked
}
