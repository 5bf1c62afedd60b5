//! The host's watch on logind: whether the server has its devices, and whether a new one would get any.
//!
//! The server takes control of the session over its own connection to the system bus, once (xserver, systemd-logind.c,
//! `connect_hook`); logind hands it input and graphics devices, and takes them back when that connection, or logind
//! itself, goes: seen on 252, 257 and 262, a restarted logind forgets its sessions' controllers (logind-session.c,
//! `session_free`; systemd#17308) and puts the VT in text mode, and after a restart of the system bus it does not even
//! answer until it is restarted as well. The server notices neither. It would show a picture that nobody can type into,
//! while the keys go to the shell behind it; so it is started again, which is what makes a controller.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use zbus::Connection;

use super::core::Control;
use crate::deadline::TRY_AGAIN;
use crate::logind::{self, Restarts};

/// The watch on the system bus and logind.
pub struct LogindWatch {
    session: String,
    deadline: Duration,
    events: mpsc::UnboundedReceiver<Control>,
    sender: mpsc::UnboundedSender<Control>,
}

impl LogindWatch {
    /// Watches the system bus and logind on it, in a task of its own.
    ///
    /// `system_bus` is a connection that is open already, `session` logind's id of the session, and `deadline` how long
    /// logind may take to come back.
    #[must_use]
    pub fn watch(system_bus: Connection, session: String, deadline: Duration) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        tokio::spawn(watch(system_bus, session.clone(), deadline, sender.clone()));
        Self { session, deadline, events, sender }
    }

    /// The next thing that happens. May be dropped while it waits.
    pub async fn next(&mut self) -> Control {
        match self.events.recv().await {
            Some(control) => control,
            // We hold a sender ourselves.
            None => std::future::pending().await,
        }
    }

    /// Asks whether a new server would get its devices. [`Control::Possible`] is told as soon as it would, at once as a
    /// rule.
    pub fn ask(&self) {
        let (session, deadline, sender) = (self.session.clone(), self.deadline, self.sender.clone());
        tokio::spawn(async move {
            let control = match reach(&session, deadline).await {
                Ok(_) => Control::Possible,
                Err(why) => Control::Gone(why),
            };
            let _ = sender.send(control);
        });
    }
}

/// Tells of every restart, and when it is over. Ends with [`Control::Gone`].
async fn watch(system_bus: Connection, session: String, deadline: Duration, sender: mpsc::UnboundedSender<Control>) {
    let mut restarts = Restarts::listen(&system_bus).await.ok();
    loop {
        let logind = match &mut restarts {
            Some(restarts) => restarts.next().await,
            None => false,
        };
        let lost = if logind { "systemd-logind was restarted" } else { "the system's message bus was restarted" };
        if sender.send(Control::Lost(lost)).is_err() {
            return;
        }
        let back = match reach(&session, deadline).await {
            Ok(again) => {
                restarts = Some(again);
                Control::Possible
            }
            Err(why) => Control::Gone(why),
        };
        let gone = matches!(back, Control::Gone(_));
        if sender.send(back).is_err() || gone {
            return;
        }
    }
}

/// Reaches logind, and waits until the session is active. Listens from before the first question to it.
async fn reach(session: &str, deadline: Duration) -> Result<Restarts, String> {
    let end = Instant::now() + deadline;
    let (connection, restarts, session) = loop {
        let attempt = async {
            let connection = logind::connect().await.map_err(|error| error.to_string())?;
            let restarts = Restarts::listen(&connection).await.map_err(|error| error.to_string())?;
            let session = logind::session_by_id(&connection, session).await.map_err(|error| error.to_string())?;
            Ok::<_, String>((connection, restarts, session))
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
    Ok(restarts)
}
