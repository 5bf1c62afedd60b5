//! How a number passes from the process that starts a display to the supervisor, without being free in between.
//!
//! The starting process takes the number first: only then may the manager bind the path, which it would otherwise take
//! from a server of ours that has just come up. The supervisor connects to a socket beside the claim and gets the
//! number's descriptors.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use crate::files;
use crate::launch::{Connection, Listener};
use crate::runtime_dir::RuntimeDir;
use crate::x11::display::Display;
use crate::x11::number::{NotOurs, Number};
use crate::x11::occupied::Taken;

/// The message that carries the descriptors.
const NUMBER: &[u8] = b"startxd/1 number";

/// A number on offer.
pub(super) struct Offer {
    listener: Listener,
    path: PathBuf,
}

impl Offer {
    /// Offers the number of a display.
    ///
    /// # Errors
    /// The directory is full.
    pub(super) fn make(runtime: &RuntimeDir, display: Display) -> io::Result<Self> {
        let path = runtime.handover(display);
        Ok(Self { listener: Listener::bind(&path)?, path })
    }

    /// Hands it to each process of this user that connects, and to nobody else. May be dropped while it waits.
    pub(super) async fn give(&self, number: &Number) {
        while let Ok(supervisor) = self.listener.accept().await {
            if let Err(error) = supervisor.try_send(NUMBER, &number.descriptors()) {
                tracing::warn!("the number of the display cannot be handed to its supervisor: {error}");
            }
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        files::remove(&self.path);
    }
}

/// Takes the number that is on offer. If nobody offers it, because the process that started the display was killed,
/// takes it like any other process.
///
/// # Errors
/// Another process has it, in a sentence.
pub(super) async fn receive(runtime: &RuntimeDir, display: Display, deadline: Duration) -> Result<Number, String> {
    let offered = async {
        let connection = Connection::connect(&runtime.handover(display))?;
        match connection.receive().await? {
            Some((message, descriptors)) if message == NUMBER => Number::receive(display, descriptors),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    };
    let error = match timeout(deadline, offered).await {
        Ok(Ok(number)) => return Ok(number),
        Ok(Err(error)) => error,
        Err(_) => io::ErrorKind::TimedOut.into(),
    };
    tracing::debug!("no process hands over the number: {error}");
    Number::take(display).map_err(|not_ours| match not_ours {
        NotOurs::Taken(taken) => not_free(display, taken),
        NotOurs::NotWritten(error) => error.to_string(),
        NotOurs::Failed(error) => error.to_string(),
    })
}

/// The failure that the number is taken.
fn not_free(display: Display, taken: Taken) -> String {
    format!("display {display} is taken: {}", taken.with_owner(display))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Number, Offer, receive};
    use crate::runtime_dir::RuntimeDir;
    use crate::test_dir::TestDir;
    use crate::x11::display::Display;

    #[tokio::test]
    async fn the_number_is_never_free_in_between() {
        let directory = TestDir::new();
        let runtime = RuntimeDir::of(directory.path("")).unwrap();
        runtime.create().unwrap();
        let display = Display::new(59_111).unwrap();
        let number = Number::take(display).unwrap();
        let offer = Offer::make(&runtime, display).unwrap();
        let received = tokio::select! {
            () = offer.give(&number) => panic!("the offer ended"),
            received = receive(&runtime, display, Duration::from_secs(60)) => received.unwrap(),
        };
        number.hand_over();
        drop(offer);
        let text = receive(&runtime, display, Duration::from_secs(60)).await.unwrap_err();
        assert!(text.contains("display :59111 is taken: a process of user"), "{text}");
        drop(received);
        assert!(!display.lock_path().exists());
        receive(&runtime, display, Duration::from_secs(60)).await.unwrap();
    }
}
