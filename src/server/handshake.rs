//! The handshake that proves that a server serves.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use thiserror::Error;
use tokio::time::{sleep, timeout};

use super::relay::NO_ACTIVATION;
use crate::deadline::TRY_AGAIN;
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
    /// It has created a socket of its own at the path of ours.
    #[error("is not usable: {NO_ACTIVATION}")]
    OwnSocket,
    /// It answers something else.
    #[error("does not serve us: {0}")]
    Handshake(ClientError),
}

/// Returns when the server of a display answers us: only its setup reply shows that it is ready.
///
/// # Errors
/// [`NotReady`], except for its end, which its process shows.
pub async fn handshake(display: Display, cookie: &Cookie, deadline: Duration) -> Result<Client, NotReady> {
    let path = display.socket_path();
    tokio::select! {
        biased;
        answered = timeout(deadline, Client::connect(display, cookie)) => {
            answered.map_err(|_| NotReady::Silent(deadline))?.map_err(NotReady::Handshake)
        }
        () = replaced(Path::new(&path)) => Err(NotReady::OwnSocket),
    }
}

/// Returns when another socket is at this path. A server without socket activation replaces ours (`UNIXCreateListener`
/// in xtrans removes what is there), and nobody would ever accept what is connected to ours.
async fn replaced(path: &Path) {
    let inode = || std::fs::symlink_metadata(path).ok().map(|facts| facts.ino());
    let ours = inode();
    while inode().is_none_or(|now| Some(now) == ours) {
        sleep(TRY_AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::replaced;
    use crate::test_dir::TestDir;

    #[tokio::test(flavor = "current_thread")]
    async fn a_server_that_replaces_its_socket_is_noticed() {
        let directory = TestDir::new();
        let path = directory.path("X0");
        let ours = UnixListener::bind(&path).unwrap();
        let mut noticed = std::pin::pin!(replaced(&path));
        assert!(timeout(Duration::from_millis(60), &mut noticed).await.is_err());
        std::fs::remove_file(&path).unwrap();
        // Nothing is there for a moment.
        assert!(timeout(Duration::from_millis(60), &mut noticed).await.is_err());
        let theirs = UnixListener::bind(&path).unwrap();
        noticed.await;
        drop((ours, theirs));
    }
}
