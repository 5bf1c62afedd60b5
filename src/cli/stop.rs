//! `startxd stop`.

use super::exit::Exit;
use crate::host::repair::{self, Found};
use crate::launch::{Connection, Reply, Request};
use crate::runtime_dir::RuntimeDir;

/// Asks the host to end the session, and waits until it has.
pub async fn run(runtime: &RuntimeDir) -> Exit {
    let deadlines = super::configuration().deadlines;
    let deadline = deadlines.stop * 2;
    let connect = || Connection::connect(&runtime.host_socket());
    let found = match connect() {
        Ok(host) => Ok(host),
        Err(_) => match repair::clean_up(runtime, &deadlines).await {
            Found::Dead => return Exit::Success,
            // It serves its socket by now.
            Found::Alive => connect(),
            Found::Nothing => Err(std::io::ErrorKind::NotFound.into()),
        },
    };
    let Ok(host) = found else {
        tracing::error!("no session of startxd is up; see: startxd status");
        return Exit::NotRunning;
    };
    match tokio::time::timeout(deadline, ask(&host)).await {
        Ok(Ok(())) => Exit::Success,
        Ok(Err(reason)) => {
            tracing::error!(
                "the host of the session did not take the request ({reason}); try again, or see: startxd status"
            );
            Exit::SessionFailed
        }
        Err(_) => {
            tracing::error!(
                "the session has not gone down within {} s; see: systemctl --user list-jobs",
                deadline.as_secs_f32()
            );
            Exit::SessionFailed
        }
    }
}

/// Asks, and waits for the end.
async fn ask(host: &Connection) -> Result<(), String> {
    host.send(&Request::Stop.encode(), &[]).await.map_err(|error| error.to_string())?;
    let mut taken = false;
    loop {
        match host.receive().await {
            Ok(Some((bytes, _))) => match Reply::decode(&bytes) {
                Ok(Reply::Stopping) => taken = true,
                Ok(Reply::Refused(reason)) => return Err(reason),
                _ => {}
            },
            // The host closes its end when the session is gone; before it has said that it goes down, that means no.
            Ok(None) if taken => return Ok(()),
            Ok(None) => return Err("it closed the connection".to_owned()),
            // Told before what was sent last; end-of-file follows.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}
