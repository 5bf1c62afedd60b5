//! What logind asks a session for: to be locked or open, and to be ready for the machine's sleep. And what it is told.
//!
//! An inhibitor makes logind wait before a sleep (systemd-inhibit(1)). It is held from the moment in which requests are
//! listened to, and let go once for each sleep.

use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use zbus::{Connection, OwnedObjectPath};

use super::core::Event;
use crate::deadline::{DELAYS_SLEEP, TRY_AGAIN};
use crate::logind;
use crate::logind::locks::{LockRequest, LockRequests, set_hint};
use crate::logind::sleep::{SleepSignals, delay, longest_delay};

/// What logind is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Whether the screen is locked.
    LockedHint(bool),
    /// The machine may sleep, as far as we are concerned.
    LetSleep,
}

/// A connection to logind, and what comes over it.
struct Requests {
    connection: Connection,
    path: OwnedObjectPath,
    locks: LockRequests,
    sleeps: SleepSignals,
}

impl Requests {
    async fn listen(session: &str) -> Option<Self> {
        let connection = logind::connect().await.ok()?;
        let path = logind::session_by_id(&connection, session).await.ok()?.path;
        let locks = LockRequests::listen(&connection, &path).await.ok()?;
        let sleeps = SleepSignals::listen(&connection).await.ok()?;
        Some(Self { connection, path, locks, sleeps })
    }
}

/// Passes on what logind asks for, and tells it what it is to know. Ends when the bus does not come back.
pub(super) async fn serve(
    session: String,
    deadline: Duration,
    events: mpsc::UnboundedSender<Event>,
    mut wishes: mpsc::UnboundedReceiver<Wish>,
) {
    // It outlives a restart of logind, as the sleep that waits for it does.
    let mut inhibitor = None;
    let mut end = Instant::now() + deadline;
    while Instant::now() < end {
        if let Ok(Some(requests)) = timeout_at(end, Requests::listen(&session)).await {
            if pass_on(requests, &events, &mut wishes, &mut inhibitor).await.is_none() {
                return;
            }
            end = Instant::now() + deadline;
        }
        sleep(TRY_AGAIN).await;
    }
    tracing::debug!("systemd-logind is not listened to for requests any more");
}

/// As long as the connection lives. Returns `None` if nobody hears it any more.
async fn pass_on(
    mut requests: Requests,
    events: &mpsc::UnboundedSender<Event>,
    wishes: &mut mpsc::UnboundedReceiver<Wish>,
    inhibitor: &mut Option<OwnedFd>,
) -> Option<()> {
    hold(&requests.connection, inhibitor).await;
    loop {
        let event = tokio::select! {
            request = requests.locks.next() => match request {
                Some(LockRequest::Lock) => Event::LockAsked(None),
                Some(LockRequest::Unlock) => Event::UnlockAsked(None),
                None => return Some(()),
            },
            sleeps = requests.sleeps.next() => match sleeps {
                Some(true) if inhibitor.is_some() => {
                    Event::Sleeps(Some(longest_delay(&requests.connection).await.unwrap_or(DELAYS_SLEEP)))
                }
                Some(true) => Event::Sleeps(None),
                Some(false) => {
                    hold(&requests.connection, inhibitor).await;
                    Event::Woke
                }
                None => return Some(()),
            },
            wish = wishes.recv() => {
                match wish? {
                    Wish::LockedHint(locked) => {
                        if let Err(error) = set_hint(&requests.connection, &requests.path, locked).await {
                            tracing::warn!("systemd-logind does not hear whether the screen is locked: {error}");
                        }
                    }
                    Wish::LetSleep => *inhibitor = None,
                }
                continue;
            }
        };
        events.send(event).ok()?;
    }
}

/// Has logind wait before the next sleep. Without polkit it refuses that, which doctor tells.
async fn hold(connection: &Connection, inhibitor: &mut Option<OwnedFd>) {
    if inhibitor.is_some() {
        return;
    }
    match delay(connection, "the screen is locked before the machine sleeps").await {
        Ok(descriptor) => *inhibitor = Some(descriptor),
        Err(error) => tracing::debug!("systemd-logind does not wait for us before a sleep: {error}"),
    }
}
