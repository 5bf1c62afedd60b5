//! The host's watch on screen lockers, and what it does on the display for them. It has a connection of its own, made
//! when the window manager is ready: a start does not wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use nix::sys::signal::Signal;

use super::core::Event;
use crate::os::{self, Pid};
use crate::x11::client::ClientError;
use crate::x11::cookie::Cookie;
use crate::x11::display::Display;
use crate::x11::lockers::LockerWatch;

/// What to do on the display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// Show the server's screen saver.
    ScreenSaver,
    /// End the locker.
    EndLocker,
    /// Check for grabs before a locker is started.
    Grabs,
    /// Put our cover below the locker,
    Cover,
    /// and remove it.
    Uncover,
}

/// The watch on one server's display.
pub struct Screen {
    wishes: mpsc::UnboundedSender<Wish>,
    task: AbortHandle,
    /// The process that locks, if the server could tell.
    locker: Arc<AtomicI32>,
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A race: a watch that waits for a server would cover the server after the next, and end at once.
        self.task.abort();
    }
}

impl Screen {
    /// Watches a display in a task of its own, which ends with the server or when this is dropped.
    #[must_use]
    pub fn watch(display: Display, cookie: Cookie, events: mpsc::UnboundedSender<Event>) -> Self {
        Self::begin(display, cookie, events, false)
    }

    /// The same on a server that is yet to come, which serves no other client before it has our cover.
    #[must_use]
    pub fn cover_first(display: Display, cookie: Cookie, events: mpsc::UnboundedSender<Event>) -> Self {
        Self::begin(display, cookie, events, true)
    }

    fn begin(display: Display, cookie: Cookie, events: mpsc::UnboundedSender<Event>, covers_first: bool) -> Self {
        let (wishes, queue) = mpsc::unbounded_channel();
        let locker = Arc::new(AtomicI32::new(0));
        let locks = Arc::clone(&locker);
        let task = tokio::spawn(async move {
            let watch = if covers_first {
                LockerWatch::connect_covering(display, &cookie).await
            } else {
                LockerWatch::connect(display, &cookie).await
            };
            let ended = match watch {
                Ok(watch) => look(watch, covers_first, &locks, queue, &events).await,
                Err(error) => Err(error),
            };
            if let Err(error) = ended {
                tracing::debug!("screen lockers are no longer watched: {error}");
            }
        });
        Self { wishes, task: task.abort_handle(), locker }
    }

    /// The process that locks, if known.
    #[must_use]
    pub fn locker(&self) -> Option<i32> {
        Some(self.locker.load(Ordering::Relaxed)).filter(|&pid| pid > 0)
    }

    /// Has the server show its screen saver.
    pub fn show_screen_saver(&self) {
        let _ = self.wishes.send(Wish::ScreenSaver);
    }

    /// Puts our cover below the locker.
    pub fn cover(&self) {
        let _ = self.wishes.send(Wish::Cover);
    }

    /// Removes it.
    pub fn uncover(&self) {
        let _ = self.wishes.send(Wish::Uncover);
    }

    /// Checks whether another program has grabbed keyboard or pointer, before a locker is started.
    pub fn look_for_grabs(&self) {
        let _ = self.wishes.send(Wish::Grabs);
    }

    /// Tells the locker to end.
    pub fn end_locker(&self) {
        let _ = self.wishes.send(Wish::EndLocker);
    }
}

async fn look(
    mut watch: LockerWatch,
    covers_first: bool,
    locker: &AtomicI32,
    mut wishes: mpsc::UnboundedReceiver<Wish>,
    events: &mpsc::UnboundedSender<Event>,
) -> Result<(), ClientError> {
    let (mut told, mut holds) = (false, !covers_first);
    loop {
        if !holds && watch.is_held() {
            holds = true;
            let _ = events.send(Event::CoveredFirst);
        }
        if std::mem::replace(&mut told, watch.is_locked()) != watch.is_locked() {
            let pid = watch.lockers().await?.into_iter().find_map(|(_, pid)| pid);
            locker.store(pid.map_or(0, Pid::as_raw), Ordering::Relaxed);
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
                Some(Wish::Grabs) => watch.look_for_grabs().await?,
                Some(Wish::Cover) => watch.cover().await?,
                Some(Wish::Uncover) => watch.uncover().await?,
                None => return Ok(()),
            },
        }
    }
}
