//! The signals that end a session in order.

use std::io;
use std::task::Poll;

use nix::sys::signal::Signal as Signo;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::os;

/// The signals that end a session in order.
pub struct Interrupts {
    signals: Vec<(Signo, Signal)>,
}

impl Interrupts {
    /// Catches them from now on, and ignores those of job control.
    ///
    /// # Errors
    /// sigaction(2) failed.
    pub fn catch() -> io::Result<Self> {
        os::ignore_job_control()?;
        let catch = |signo: Signo| Ok((signo, signal(SignalKind::from_raw(signo as i32))?));
        let signals = [Signo::SIGTERM, Signo::SIGINT, Signo::SIGHUP, Signo::SIGQUIT].map(catch);
        Ok(Self { signals: signals.into_iter().collect::<io::Result<_>>()? })
    }

    /// The next one. May be dropped while it waits.
    pub async fn next(&mut self) -> Signo {
        std::future::poll_fn(|context| {
            for (signo, stream) in &mut self.signals {
                if stream.poll_recv(context).is_ready() {
                    return Poll::Ready(*signo);
                }
            }
            Poll::Pending
        })
        .await
    }
}
