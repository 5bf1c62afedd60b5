//! A request to the host of the session, and its answer.

use crate::launch::{Connection, Reply, Request};

/// Asks, and waits for an answer that is `yes`; others come in between. The caller sets the deadline.
///
/// # Errors
/// The host refuses, and why, or has closed the connection: before it has said yes, that means no.
pub(super) async fn ask(host: &Connection, request: &Request, yes: impl Fn(&Reply) -> bool) -> Result<(), String> {
    host.send(&request.encode(), &[]).await.map_err(|error| error.to_string())?;
    loop {
        match host.receive().await {
            Ok(Some((bytes, _))) => match Reply::decode(&bytes) {
                Ok(reply) if yes(&reply) => return Ok(()),
                Ok(Reply::Refused(reason)) => return Err(reason),
                _ => {}
            },
            Ok(None) => return Err("it closed the connection".to_owned()),
            // Told before what was sent last; end-of-file follows.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}
