//! `startxd lock` and `startxd unlock`.

use tokio::time::timeout;

use super::exit::Exit;
use crate::launch::{Connection, Reply, Request};
use crate::runtime_dir::RuntimeDir;

/// Asks the host to lock the screen, or to open it, and waits until that is so.
pub async fn run(runtime: &RuntimeDir, request: Request) -> Exit {
    let deadlines = super::configuration().deadlines;
    let Ok(host) = Connection::connect(&runtime.host_socket()) else {
        tracing::error!("no session of startxd is up; see: startxd status");
        return Exit::NotRunning;
    };
    // The host's own deadline comes first, and says more.
    let patience = deadlines.lock + deadlines.launch + deadlines.user_manager;
    let problem = match timeout(patience, ask(&host, &request)).await {
        Ok(Ok(())) => return Exit::Success,
        Ok(Err(reason)) => reason,
        Err(_) => format!("the host of the session does not answer within {} s", patience.as_secs_f32()),
    };
    let done = if request == Request::Lock { "locked" } else { "unlocked" };
    tracing::error!("the screen is not {done}: {problem}");
    Exit::NotLocked
}

/// Asks, and waits for the answer.
async fn ask(host: &Connection, request: &Request) -> Result<(), String> {
    host.send(&request.encode(), &[]).await.map_err(|error| error.to_string())?;
    loop {
        match host.receive().await {
            Ok(Some((bytes, _))) => match Reply::decode(&bytes) {
                Ok(Reply::Locked | Reply::Unlocked) => return Ok(()),
                Ok(Reply::Refused(reason)) => return Err(reason),
                _ => {}
            },
            Ok(None) => return Err("the session's host closed the connection".to_owned()),
            // Told before what was sent last; end-of-file follows.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}
