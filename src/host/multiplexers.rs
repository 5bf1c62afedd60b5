//! What multiplexers learn of the session's display: beside everything else, so that one that hangs holds nothing up.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::prepare::Prepared;
use crate::multiplexer::tell::{self, Told};
use crate::runtime_dir::RuntimeDir;

/// Multiplexers that are being told of the display, or have been.
pub(super) struct Telling {
    runtime: RuntimeDir,
    deadline: Duration,
    task: JoinHandle<()>,
}

impl Telling {
    /// Tells the multiplexers that run.
    pub(super) fn begin(prepared: &Prepared, deadline: Duration) -> Self {
        let runtime = prepared.runtime().clone();
        let told = Told::new(&prepared.exported().set, &prepared.record.before);
        let task = {
            let runtime = runtime.clone();
            tokio::spawn(async move { tell::tell(&runtime, told, deadline).await })
        };
        Self { runtime, deadline, task }
    }

    /// Takes it back.
    pub(super) async fn take_back(self) {
        // Its own deadline is the same.
        let _ = self.task.await;
        tell::take_back(&self.runtime, self.deadline).await;
    }
}
