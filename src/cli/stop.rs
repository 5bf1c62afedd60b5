//! `startxd stop`.

use tokio::time::timeout;

use super::ask::ask;
use super::exit::Exit;
use crate::host::repair::{self, Found};
use crate::launch::{Connection, Reply, Request};
use crate::runtime_dir::RuntimeDir;

/// Asks the host to end the session, and waits until it has.
pub async fn run(runtime: &RuntimeDir) -> Exit {
    let deadlines = super::configuration().deadlines;
    let connect = || Connection::connect(&runtime.host_socket());
    let found = match connect() {
        Ok(host) => Ok(host),
        Err(_) => match repair::clean_up(runtime, &deadlines).await {
            Found::Dead => return Exit::Success,
            // It listens on its socket by now.
            Found::Alive => connect(),
            Found::Nothing => Err(std::io::ErrorKind::NotFound.into()),
        },
    };
    let Ok(host) = found else {
        tracing::error!("no session of startxd is up; see: startxd status");
        return Exit::NotRunning;
    };
    // While it looks for its manager, it does not answer.
    let patience = deadlines.launch + deadlines.user_manager;
    match timeout(patience, ask(&host, &Request::Stop, |reply| *reply == Reply::Stopping)).await {
        Ok(Ok(_)) => {}
        Ok(Err(reason)) => {
            tracing::error!(
                "the host of the session refused the request ({reason}); try again, or see: startxd status"
            );
            return Exit::SessionFailed;
        }
        Err(_) => {
            let pid = host.peer_pid().map_or_else(|_| "PID".to_owned(), |pid| pid.to_string());
            tracing::error!(
                "the host of the session did not answer within {} s; if it hangs, end the session without it: kill \
                 -KILL {pid}",
                patience.as_secs_f32()
            );
            return Exit::SessionFailed;
        }
    }
    let deadline = deadlines.stop * 2;
    match timeout(deadline, gone(&host)).await {
        Ok(()) => Exit::Success,
        Err(_) => {
            tracing::error!(
                "the session has not ended within {} s; see: systemctl --user list-jobs",
                deadline.as_secs_f32()
            );
            Exit::SessionFailed
        }
    }
}

/// Waits until the host closes its end of the connection: when the session is gone, or when the host is killed.
async fn gone(host: &Connection) {
    while let Ok(Some(_)) = host.receive().await {}
}
