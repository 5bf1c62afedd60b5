//! `startxd attach`, `startxd detach`, and what `startxd-attached.service` runs.

use super::exit::Exit;
use crate::attach::{self, NotAttached};

/// Attaches the display of this X session.
pub async fn attach() -> Exit {
    let config = super::configuration();
    ended(attach::attach(&config).await)
}

/// Detaches it.
pub async fn detach() -> Exit {
    ended(attach::detach(&super::configuration().deadlines).await)
}

/// What the service runs: the watch, or the clean-up after it.
pub async fn attached(restore: bool) -> Exit {
    match restore {
        true => ended(attach::restore().await),
        false => ended(attach::watch(&super::configuration()).await),
    }
}

fn ended(outcome: Result<(), NotAttached>) -> Exit {
    match outcome {
        Ok(()) => Exit::Success,
        Err(failure) => {
            tracing::error!("{failure}");
            Exit::from(&failure)
        }
    }
}
