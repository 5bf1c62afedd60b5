//! What the units of multiplexers call.

use super::args::{MultiplexerName, MultiplexerStep};
use super::exit::Exit;
use crate::multiplexer::service::{self, Failed};
use crate::os::Pid;

/// Does one step.
pub async fn step(step: MultiplexerStep) -> Exit {
    let deadlines = super::configuration().deadlines;
    let name = |name: MultiplexerName| name.name.unwrap_or_default();
    let done = match step {
        MultiplexerStep::Check(MultiplexerName { kind, name }) => service::check(kind, name.as_deref()),
        MultiplexerStep::Ready(MultiplexerName { kind, name }) => {
            service::ready(kind, name.as_deref(), main_pid(), &deadlines).await
        }
        MultiplexerStep::Open(given) => service::open(&name(given), &deadlines).await,
        MultiplexerStep::Close(given) => service::close(&name(given), &deadlines).await,
        MultiplexerStep::Ended(_) => service::ended(&deadlines).await,
    };
    ended(done)
}

/// The unit's main process (systemd.exec(5), `$MAINPID`).
fn main_pid() -> Option<Pid> {
    std::env::var("MAINPID").ok()?.parse().ok().map(Pid::from_raw)
}

fn ended(done: Result<(), Failed>) -> Exit {
    match done {
        Ok(()) => Exit::Success,
        Err(failure) => {
            tracing::error!("{failure}");
            Exit::SessionFailed
        }
    }
}
