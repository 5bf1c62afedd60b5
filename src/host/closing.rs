//! Ends the login session of a session, so that whoever is at the terminal finds no shell.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::timeout;

use crate::deadline::KILLED;
use crate::logind;
use crate::os::{self, Pid};
use crate::records::session::SessionRecord;

/// Makes logind end the login session of that id, which kills its processes.
///
/// # Errors
/// logind does not answer within `deadline`, or refuses, in words.
async fn terminate(session: &str, deadline: Duration) -> Result<(), String> {
    let terminate = async {
        let connection = logind::connect().await.map_err(|error| error.to_string())?;
        logind::terminate(&connection, session).await.map_err(|error| error.to_string())
    };
    let late = |_| Err(format!("no answer within {} s", deadline.as_secs_f32()));
    timeout(deadline, terminate).await.unwrap_or_else(late)
}

/// Ends the login session that this process is in, as its last act. Returns when the shell above is gone, so that it
/// does not go on for the moment between our end and its own.
///
/// A shell that logind does not end, because it does not answer or because the shell ignores SIGHUP, is killed.
pub async fn close_own(session: &str, deadline: Duration) {
    let shell = Shell::above();
    tracing::warn!("the login session {session} ends with the session that was locked");
    let outcome = terminate(session, deadline).await;
    if let Err(error) = &outcome {
        tracing::error!("systemd-logind does not end the login session {session} ({error}); its shell is killed");
    }
    let Some(shell) = shell else { return };
    if outcome.is_ok() && timeout(KILLED, shell.is_gone()).await.is_ok() {
        return;
    }
    shell.signal(Signal::SIGHUP);
    shell.signal(Signal::SIGKILL);
    let _ = timeout(KILLED, shell.is_gone()).await;
}

/// Ends the login session of a session whose host was killed, if the record says that it ends with it.
pub async fn close_in_place_of_host(record: &SessionRecord, deadline: Duration) {
    if !record.closes_login {
        return;
    }
    match terminate(&record.session, deadline).await {
        Ok(()) => tracing::warn!("the login session {} was ended with its session on the display", record.session),
        // Usually it has ended already.
        Err(error) => tracing::debug!("the login session {} cannot be ended: {error}", record.session),
    }
}

/// The process that waits for us, if it is one of ours: a login shell.
struct Shell {
    pidfd: tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>,
}

impl Shell {
    /// Finds it; `None` if login(1), a greeter or systemd has started us, which end with the session or have no
    /// shell.
    fn above() -> Option<Self> {
        let parent = Pid::parent();
        let text = crate::small_file::text(format!("/proc/{parent}/status").as_ref()).ok()?;
        if os::status(&text)?.effective != nix::unistd::geteuid().as_raw() {
            return None;
        }
        let pidfd = os::pidfd_open(parent).and_then(os::watch).ok()?;
        Some(Self { pidfd })
    }

    async fn is_gone(&self) {
        let _ = self.pidfd.readable().await;
    }

    fn signal(&self, signal: Signal) {
        // It may have ended in the meantime.
        let _ = os::pidfd_signal(self.pidfd.get_ref(), signal);
    }
}
