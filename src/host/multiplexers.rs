//! What multiplexers learn of the session's display: beside everything else, so that one that hangs holds nothing up.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::life::Life;
use crate::multiplexer::tell::{self, Told};
use crate::runtime_dir::RuntimeDir;

/// Multiplexers that are being told of the display, or have been.
pub(super) struct Telling {
    runtime: RuntimeDir,
    deadline: Duration,
    task: JoinHandle<()>,
}

impl Life {
    /// Tells the multiplexers that run, once: when the first server answers, as by then nothing of a start waits for a
    /// processor any more. Those that start later have the display from the user manager, or from whoever starts them.
    pub(super) fn tell_multiplexers(&mut self) {
        if self.telling.is_some() {
            return;
        }
        let (runtime, deadline) = (self.prepared.runtime().clone(), self.config.deadlines.multiplexers);
        let told = Told::new(self.prepared.exported(), &self.prepared.record.before);
        let task = {
            let runtime = runtime.clone();
            tokio::spawn(async move { tell::tell(&runtime, told, deadline).await })
        };
        self.telling = Some(Telling { runtime, deadline, task });
    }

    /// Begins to take it back, if they were told.
    pub(super) fn take_back_from_multiplexers(&mut self) -> Option<JoinHandle<()>> {
        let Telling { runtime, deadline, task } = self.telling.take()?;
        Some(tokio::spawn(async move {
            // Its own deadline is the same.
            let _ = task.await;
            tell::take_back(&runtime, deadline).await;
        }))
    }
}
