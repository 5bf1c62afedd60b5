//! The host's watch on logind: whether the server has its devices, and whether a new one would get any.
//!
//! The server takes control of the session over its own connection to the system bus, once (xserver, systemd-logind.c,
//! `connect_hook`); logind hands it input and graphics devices, and takes them back when that connection, or logind
//! itself, goes: seen on 252, 257 and 262, a restarted logind forgets its sessions' controllers (logind-session.c,
//! `session_free`; systemd#17308) and puts the VT in text mode, and after a restart of the system bus it does not even
//! answer until it is restarted as well. The server notices neither. It would show a picture that nobody can type into,
//! while the keys go to the shell behind it; so it is started again, which is what makes a controller.
//!
//! And the watch on the lock of the screen, which lockers tell logind of. What logind asks a session for is heard in
//! [`super::logind_requests`].

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use zbus::{Connection, OwnedObjectPath};

use super::core::{Control, Event};
use super::logind_requests::{Wanted, Wish, serve};
use crate::deadline::TRY_AGAIN;
use crate::logind::{self, LockChanges, LoginSession, Restarts};

/// The watch on the system bus and logind.
pub struct LogindWatch {
    session: String,
    deadline: Duration,
    wishes: Option<mpsc::UnboundedSender<Wish>>,
    events: mpsc::UnboundedReceiver<Event>,
    sender: mpsc::UnboundedSender<Event>,
}

impl LogindWatch {
    /// Watches the system bus and logind on it, in a task of its own.
    ///
    /// `system_bus` is a connection that is open already, `session` what logind said of the session, and `deadline` how
    /// long logind may take to come back.
    #[must_use]
    pub fn watch(system_bus: Connection, session: &LoginSession, deadline: Duration) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        tokio::spawn(watch(system_bus, session.clone(), deadline, sender.clone()));
        Self { session: session.id.clone(), deadline, wishes: None, events, sender }
    }

    /// The next thing that happens. May be dropped while it waits.
    pub async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            // We hold a sender ourselves.
            None => std::future::pending().await,
        }
    }

    /// Listens from now on for what logind asks a session for, in a task of its own.
    pub fn listen_for_requests(&mut self, wanted: Wanted) {
        if self.wishes.is_none() {
            let (wishes, queue) = mpsc::unbounded_channel();
            self.wishes = Some(wishes);
            tokio::spawn(serve(self.session.clone(), wanted, self.deadline, self.sender.clone(), queue));
        }
    }

    /// Tells logind something. Calls keep their order.
    pub fn tell(&self, wish: Wish) {
        if let Some(wishes) = &self.wishes {
            let _ = wishes.send(wish);
        }
    }

    /// Asks whether a new server would get its devices. [`Control::Possible`] is told as soon as it would, at once as a
    /// rule, and before that that the screen is locked, if it is: a server must not come back to one that was locked in
    /// the moment in which the last one ended.
    pub fn ask(&self) {
        let (session, deadline, sender) = (self.session.clone(), self.deadline, self.sender.clone());
        tokio::spawn(async move {
            let control = match reach(&session, deadline).await {
                Ok(reached) => {
                    tell_if_locked(&reached, &sender);
                    Control::Possible
                }
                Err(why) => Control::Gone(why),
            };
            let _ = sender.send(Event::Control(control));
        });
    }
}

/// What of logind is listened to.
struct Listening {
    restarts: Restarts,
    changes: LockChanges,
}

impl Listening {
    async fn begin(connection: &Connection, path: &OwnedObjectPath) -> zbus::Result<Self> {
        let (restarts, changes) =
            tokio::try_join!(Restarts::listen(connection), LockChanges::listen(connection, path))?;
        Ok(Self { restarts, changes })
    }
}

/// logind, after a new connection.
struct Reached {
    listening: Listening,
    /// Whether the screen is locked, as logind has it then.
    is_locked: bool,
}

/// Tells that the screen is locked. That it is not is not told: a logind that was restarted has forgotten a lock.
fn tell_if_locked(reached: &Reached, sender: &mpsc::UnboundedSender<Event>) {
    if reached.is_locked {
        let _ = sender.send(Event::LockedHint(true));
    }
}

/// Tells of every restart, and when it is over, and of the lock. Ends with [`Control::Gone`].
async fn watch(
    system_bus: Connection,
    session: LoginSession,
    deadline: Duration,
    sender: mpsc::UnboundedSender<Event>,
) {
    let mut listening = Listening::begin(&system_bus, &session.path).await.ok();
    // There is no display yet that a locker could lock. What an earlier one has left would hide the next one: logind tells
    // of changes alone.
    if let Some(Listening { changes, .. }) = &listening
        && let Ok(true) = changes.current().await
        && let Err(error) = changes.clear().await
    {
        tracing::debug!("the locked hint that an earlier screen locker has left stays: {error}");
    }
    loop {
        let logind = match &mut listening {
            Some(listening) => match until_restart(listening, &sender).await {
                Some(logind) => logind,
                None => return,
            },
            None => false,
        };
        let lost = if logind { "systemd-logind was restarted" } else { "the system's message bus was restarted" };
        if sender.send(Event::Control(Control::Lost(lost))).is_err() {
            return;
        }
        let back = match reach(&session.id, deadline).await {
            Ok(again) => {
                tell_if_locked(&again, &sender);
                listening = Some(again.listening);
                Control::Possible
            }
            Err(why) => Control::Gone(why),
        };
        let gone = matches!(back, Control::Gone(_));
        if sender.send(Event::Control(back)).is_err() || gone {
            return;
        }
    }
}

/// Tells of the lock until logind is restarted (`true`), or the bus has closed the connection (`false`). Returns `None` if
/// nobody hears it any more.
async fn until_restart(listening: &mut Listening, sender: &mpsc::UnboundedSender<Event>) -> Option<bool> {
    let Listening { restarts, changes } = listening;
    loop {
        tokio::select! {
            biased;
            logind = restarts.next() => return Some(logind),
            locked = changes.next() => match locked {
                Some(locked) => sender.send(Event::LockedHint(locked)).ok()?,
                None => return Some(false),
            },
        }
    }
}

/// Reaches logind, and waits until the session is active. Listens from before the first question to it.
async fn reach(session: &str, deadline: Duration) -> Result<Reached, String> {
    let end = Instant::now() + deadline;
    let (connection, listening, session) = loop {
        let attempt = async {
            let connection = logind::connect().await.map_err(|error| error.to_string())?;
            let restarts = Restarts::listen(&connection).await.map_err(|error| error.to_string())?;
            let session = logind::session_by_id(&connection, session).await.map_err(|error| error.to_string())?;
            let changes = LockChanges::listen(&connection, &session.path).await.map_err(|error| error.to_string())?;
            Ok::<_, String>((connection, Listening { restarts, changes }, session))
        };
        let late = || format!("no answer within {} s", deadline.as_secs_f32());
        match timeout_at(end, attempt).await.unwrap_or_else(|_| Err(late())) {
            Ok(reached) => break reached,
            Err(why) if Instant::now() >= end => return Err(why),
            Err(_) => sleep(TRY_AGAIN).await,
        }
    };
    if !session.active {
        let place = session.vt.map_or_else(|| "the session".to_owned(), |vt| format!("tty{vt}"));
        tracing::warn!("{place} is in the background: the X server comes back when you switch to it");
    }
    // A server that starts in the background gets paused devices and gives up, or switches terminals under whoever works
    // on another. A person who has switched away comes back some time, or not, so this has no deadline; each look at it
    // has.
    while !logind::wait_active(&connection, &session.path, deadline).await.map_err(|error| error.to_string())? {}
    // Not as it was before that: it may have been a long time.
    let is_locked = listening.changes.current().await.unwrap_or(session.locked);
    Ok(Reached { listening, is_locked })
}
