//! What logind asks a session for: to be locked or open, and to be ready for the machine's sleep. And what it is told.
//!
//! An inhibitor makes logind wait before a sleep (systemd-inhibit(1)). It is held from the moment in which requests are
//! listened to, and let go once for each sleep.

use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use zbus::{Connection, Message, OwnedObjectPath};

use super::core::{Event, Inhibitors};
use super::waits::if_there;
use crate::deadline::{DELAYS_SLEEP, TRY_AGAIN};
use crate::logind::locks::{Hint, LockRequest, LockRequests, set_hint};
use crate::logind::sleep::{SleepSignals, delay, longest_delay};
use crate::logind::{self, Changes};

/// What logind is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Whether the screen is locked.
    LockedHint(bool),
    /// Whether nobody is at it.
    IdleHint(bool),
    /// The machine may sleep, as far as we are concerned.
    LetSleep,
}

/// A connection to logind, and what comes over it.
struct Requests {
    connection: Connection,
    path: OwnedObjectPath,
    locks: LockRequests,
    sleeps: SleepSignals,
    /// What logind's inhibitors block, if that matters.
    blocks: Option<Changes>,
    /// Whether the session is in the foreground, if that matters.
    foreground: Option<Changes>,
}

/// What is listened to beside the requests that every session hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Whether something may be in the way of idleness.
    pub inhibitors: bool,
    /// Whether the session leaves the foreground.
    pub foreground: bool,
}

impl Requests {
    async fn listen(session: &str, wanted: Wanted) -> Option<Self> {
        let connection = logind::connect().await.ok()?;
        let path = logind::session_by_id(&connection, session).await.ok()?.path;
        let locks = LockRequests::listen(&connection, &path).await.ok()?;
        let sleeps = SleepSignals::listen(&connection).await.ok()?;
        let blocks = match wanted.inhibitors {
            true => Some(logind::idle_inhibitors(&connection).await.ok()?),
            false => None,
        };
        let foreground = match wanted.foreground {
            true => Some(logind::in_foreground(&connection, &path).await.ok()?),
            false => None,
        };
        Some(Self { connection, path, locks, sleeps, blocks, foreground })
    }

    async fn tell(&self, hint: Hint, is_so: bool) {
        if let Err(error) = set_hint(&self.connection, &self.path, hint, is_so).await {
            match hint {
                Hint::Locked => tracing::warn!("systemd-logind cannot be told whether the screen is locked: {error}"),
                // It does not take it of the sessions of most terminals, which doctor tells.
                Hint::Idle => {
                    tracing::debug!("systemd-logind cannot be told whether somebody is at the screen: {error}")
                }
            }
        }
    }
}

/// Passes on what logind asks for, and tells it what it is to know. Ends when the bus does not come back.
pub(super) async fn serve(
    session: String,
    wanted: Wanted,
    deadline: Duration,
    events: mpsc::UnboundedSender<Event>,
    mut wishes: mpsc::UnboundedReceiver<Wish>,
) {
    // It outlives a restart of logind, as the sleep that waits for it does.
    let mut inhibitor = None;
    let mut end = Instant::now() + deadline;
    while Instant::now() < end {
        if let Ok(Some(requests)) = timeout_at(end, Requests::listen(&session, wanted)).await {
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
    if let Some(event) = requests.blocked().await {
        events.send(event).ok()?;
    }
    loop {
        // Nothing that is chosen here is lost: what a signal means is asked afterwards.
        let heard = tokio::select! {
            signal = requests.locks.next() => signal.map(Heard::Lock),
            signal = requests.sleeps.next() => signal.map(Heard::Sleep),
            changed = if_there(&mut requests.blocks, Changes::next) => changed.map(|()| Heard::Blocks),
            changed = if_there(&mut requests.foreground, Changes::next) => changed.map(|()| Heard::Foreground),
            wish = wishes.recv() => Some(Heard::Wish(wish?)),
        };
        let Some(heard) = heard else { return Some(()) };
        if let Some(event) = requests.meaning(heard, inhibitor).await {
            events.send(event).ok()?;
        }
    }
}

/// What is heard, before it is known what it means.
enum Heard {
    Lock(Message),
    Sleep(Message),
    Blocks,
    Foreground,
    Wish(Wish),
}

impl Requests {
    /// What something means for the session, if it does; what is wished is done.
    async fn meaning(&self, heard: Heard, inhibitor: &mut Option<OwnedFd>) -> Option<Event> {
        match heard {
            Heard::Lock(signal) => self.locks.read(&signal).await.map(|request| match request {
                LockRequest::Lock => Event::LockAsked(None),
                LockRequest::Unlock => Event::UnlockAsked(None),
            }),
            Heard::Sleep(signal) => match self.sleeps.read(&signal).await? {
                true if inhibitor.is_some() => {
                    Some(Event::Sleeps(Some(longest_delay(&self.connection).await.unwrap_or(DELAYS_SLEEP))))
                }
                true => Some(Event::Sleeps(None)),
                false => {
                    hold(&self.connection, inhibitor).await;
                    Some(Event::Woke)
                }
            },
            Heard::Blocks => self.blocked().await,
            Heard::Foreground => match self.foreground.as_ref()?.current().await {
                Ok(false) => Some(Event::LeftForeground),
                Ok(true) | Err(_) => None,
            },
            Heard::Wish(wish) => {
                match wish {
                    Wish::LockedHint(locked) => self.tell(Hint::Locked, locked).await,
                    Wish::IdleHint(idle) => self.tell(Hint::Idle, idle).await,
                    Wish::LetSleep => *inhibitor = None,
                }
                None
            }
        }
    }

    /// Whether one of logind's inhibitors keeps the session from being idle (systemd-inhibit(1)).
    async fn blocked(&self) -> Option<Event> {
        let blocked = self.blocks.as_ref()?.current::<String>().await.ok()?;
        Some(Event::IdleInhibited(Inhibitors::Logind, blocked.split(':').any(|what| what == "idle")))
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
