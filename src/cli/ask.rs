//! A request to the session's host, and its answer.

use std::time::Duration;

use tokio::time::timeout;

use super::exit::Exit;
use crate::launch::{Connection, Reply, Request};

/// Sends a request and waits for the answer for which `yes` returns a value, ignoring others. The caller sets the
/// deadline.
///
/// # Errors
/// The host refuses, and why; or it has closed the connection without that answer, which means no.
pub(super) async fn ask(host: &Connection, request: &Request, yes: impl Fn(&Reply) -> bool) -> Result<Reply, String> {
    host.send(&request.encode(), &[]).await.map_err(|error| error.to_string())?;
    loop {
        match host.receive().await {
            Ok(Some((bytes, _))) => match Reply::decode(&bytes) {
                Ok(reply) if yes(&reply) => return Ok(reply),
                Ok(Reply::Refused(reason)) => return Err(reason),
                _ => {}
            },
            Ok(None) => return Err("it closed the connection".to_owned()),
            // Already known when the last request was sent; end-of-file follows.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Waits at most `patience` until the host was told something, and reports why it was not.
pub(super) async fn told<T>(patience: Duration, telling: impl Future<Output = Result<T, String>>) -> Exit {
    match timeout(patience, telling).await {
        Ok(Ok(_)) => Exit::Success,
        Ok(Err(reason)) => {
            tracing::error!("the host of the session refused it: {reason}");
            Exit::SessionFailed
        }
        Err(_) => {
            let patience = patience.as_secs_f32();
            tracing::error!("the host of the session did not answer within {patience} s; see: startxd status");
            Exit::SessionFailed
        }
    }
}
