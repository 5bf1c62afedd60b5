//! The host's eye on screen lockers, and its hand on the display for them. A connection of its own, made when the window
//! manager is there: a start does not wait for it.

use tokio::sync::mpsc;

use nix::sys::signal::Signal;

use super::core::Event;
use crate::os;
use crate::x11::client::ClientError;
use crate::x11::cookie::Cookie;
use crate::x11::display::Display;
use crate::x11::lockers::LockerWatch;

/// What is wanted of the display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// The server's screen saver.
    ScreenSaver,
    /// The end of whoever locks.
    EndLocker,
    /// Our cover below the locker,
    Cover,
    /// and its end.
    Uncover,
}

/// The watch on one server's display.
pub struct Screen {
    wishes: mpsc::UnboundedSender<Wish>,
}

impl Screen {
    /// Watches a display in a task of its own, which ends with the server, or with this.
    #[must_use]
    pub fn watch(display: Display, cookie: Cookie, events: mpsc::UnboundedSender<Event>) -> Self {
        let (wishes, queue) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            if let Err(error) = look(display, &cookie, queue, &events).await {
                tracing::debug!("screen lockers are not watched any more: {error}");
            }
        });
        Self { wishes }
    }

    /// Has the server show its screen saver.
    pub fn show_screen_saver(&self) {
        let _ = self.wishes.send(Wish::ScreenSaver);
    }

    /// Puts our cover below the locker.
    pub fn cover(&self) {
        let _ = self.wishes.send(Wish::Cover);
    }

    /// Takes it away.
    pub fn uncover(&self) {
        let _ = self.wishes.send(Wish::Uncover);
    }

    /// Tells whoever locks to end.
    pub fn end_locker(&self) {
        let _ = self.wishes.send(Wish::EndLocker);
    }
}

async fn look(
    display: Display,
    cookie: &Cookie,
    mut wishes: mpsc::UnboundedReceiver<Wish>,
    events: &mpsc::UnboundedSender<Event>,
) -> Result<(), ClientError> {
    let mut watch = LockerWatch::connect(display, cookie).await?;
    let mut told = false;
    loop {
        if std::mem::replace(&mut told, watch.is_locked()) != watch.is_locked() {
            let _ = events.send(Event::Covered(watch.is_locked()));
        }
        tokio::select! {
            happened = watch.next() => {
                let happened = happened?;
                watch.take(happened).await?;
            }
            wish = wishes.recv() => match wish {
                Some(Wish::ScreenSaver) => watch.show_screen_saver().await?,
                Some(Wish::EndLocker) => {
                    for (window, pid) in watch.lockers().await? {
                        let process = pid.and_then(|pid| os::pidfd_open(pid).ok());
                        if process.is_none_or(|process| os::pidfd_signal(&process, Signal::SIGTERM).is_err()) {
                            watch.disconnect(window).await?;
                        }
                    }
                }
                Some(Wish::Cover) => watch.cover().await?,
                Some(Wish::Uncover) => watch.uncover().await?,
                None => return Ok(()),
            },
        }
    }
}
