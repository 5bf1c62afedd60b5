//! The handshake that proves that a server serves.

use std::time::Duration;

use thiserror::Error;
use tokio::time::timeout;

use crate::os::Ending;
use crate::x11::client::{Client, ClientError};
use crate::x11::cookie::Cookie;
use crate::x11::display::Display;

/// Why a server did not come up; follows its name in a message.
#[derive(Debug, Error)]
pub enum NotReady {
    /// It ended.
    #[error("{0} before it was ready")]
    Ended(Ending),
    /// It does not answer.
    #[error(
        "did not answer within {} s (it accepted the connection and stayed silent, or never listened); raise \
         deadlines.server_ready in startxd.toml if the machine is that slow", .0.as_secs_f32()
    )]
    Silent(Duration),
    /// It answers something else.
    #[error("does not serve us: {0}")]
    Handshake(ClientError),
}

/// Returns when the server of a display answers us: only its setup reply shows that it is ready.
///
/// # Errors
/// [`NotReady`], except for its end, which its process shows.
pub async fn handshake(display: Display, cookie: &Cookie, deadline: Duration) -> Result<Client, NotReady> {
    let answered = timeout(deadline, Client::connect(display, cookie)).await;
    answered.map_err(|_| NotReady::Silent(deadline))?.map_err(NotReady::Handshake)
}
