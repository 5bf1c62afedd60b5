//! Watches the display for the host: when a window manager manages it.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::{mpsc, watch as said};
use tokio::time::{Instant, sleep_until};

use super::readiness::{Readiness, Word};
use crate::x11::client::{Client, ClientError};
use crate::x11::cookie::Cookie;
use crate::x11::display::Display;
use crate::x11::managed::{Sign, Watch, WindowManager};

/// A change of the display.
#[derive(Debug)]
pub enum Sight {
    /// The server answered: it serves.
    Served,
    /// A window manager manages the display; sent once more if it identifies itself later.
    Managed(WindowManager),
    /// None manages it at the end of the deadline; the watch goes on.
    Unmanaged,
}

/// Watches a display in a task of its own, from before its server is up: the connect waits in the socket's backlog.
///
/// The queue ends when the server does, or when the display refuses us.
#[must_use]
pub fn watch(display: Display, cookie: Cookie, deadline: Duration, readiness: &Readiness) -> mpsc::Receiver<Sight> {
    let (sender, receiver) = mpsc::channel(4);
    let (word, said) = (readiness.word, readiness.subscribe());
    tokio::spawn(async move {
        if let Err(error) = look(display, &cookie, deadline, (word, said), &sender).await {
            tracing::debug!("no longer watching the display: {error}");
        }
    });
    receiver
}

async fn look(
    display: Display,
    cookie: &Cookie,
    deadline: Duration,
    (word, said): (Word, said::Receiver<()>),
    sights: &mpsc::Sender<Sight>,
) -> Result<(), ClientError> {
    // The supervisor has the deadline of the server; the window manager's begins when the server is up.
    let client = Client::connect(display, cookie).await?;
    let _ = sights.send(Sight::Served).await;
    let mut watch = Watch::new(client).await?;
    let end = Instant::now() + deadline;
    let manager = {
        let mut managed = pin!(watch.managed());
        tokio::select! {
            manager = &mut managed => manager?,
            () = sleep_until(end) => {
                let _ = sights.send(Sight::Unmanaged).await;
                managed.await?
            }
        }
    };
    if word != Word::Unneeded {
        await_word(word, said, end, &mut watch).await?;
    }
    let sign = manager.sign;
    let _ = sights.send(Sight::Managed(manager)).await;
    if sign == Sign::Redirect {
        let manager = watch.introduced().await?;
        let _ = sights.send(Sight::Managed(manager)).await;
    }
    // Held open until the server's end, so that the end of the queue shows it.
    Err(watch.closed().await)
}

/// A window manager manages the display; also waits until the session has reported that it is ready. A program that is
/// known to report it and has not by `end` counts as ready.
async fn await_word(
    word: Word,
    mut said: said::Receiver<()>,
    end: Instant,
    watch: &mut Watch,
) -> Result<(), ClientError> {
    let mut heard = pin!(said.changed());
    let mut closed = pin!(watch.closed());
    tokio::select! {
        _ = &mut heard => return Ok(()),
        error = &mut closed => return Err(error),
        () = sleep_until(end) => {}
    }
    if word == Word::Usual {
        tracing::warn!("the window manager manages the display and has not said READY=1; the session is ready without");
        return Ok(());
    }
    tracing::warn!(
        "the window manager manages the display, but nobody has said that the session is ready, which session.ready = \
         \"notified\" in startxd.toml waits for: have your configuration run startxd ready, or remove that key"
    );
    tokio::select! {
        _ = heard => Ok(()),
        error = closed => Err(error),
    }
}
