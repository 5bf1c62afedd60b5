//! The rescue command: what a person gets to see when the window manager does not stay up.

use super::life::Life;
use super::why::Why;
use crate::session::{self, Surroundings};

impl Life {
    /// The window manager is gone, because of `why`. Starts the rescue command in its place if it has failed, there is
    /// such a command, and it was not tried yet; else returns why the session ends.
    ///
    /// The session fails all the same in the end, with the first reason: what a person did meanwhile mended something for
    /// the next one at best.
    pub(super) async fn rescue(&mut self, why: Why) -> Option<Why> {
        if let Some(first) = self.rescued.take() {
            return Some(first);
        }
        if !matches!(why, Why::SessionFailed { .. } | Why::NotStarted { .. }) || self.config.crash.rescue.is_empty() {
            return Some(why);
        }
        let Some(manager) = self.manager.clone() else { return Some(why) };
        let service = match session::rescue(&self.config.crash.rescue, &Surroundings::from_env()) {
            Ok(service) => service,
            Err(error) => {
                tracing::error!("crash.rescue in startxd.toml: {error}");
                return Some(why);
            }
        };
        // First written down: if this host dies too, the next start ends this unit with the others.
        self.units.push(service.name.clone());
        self.prepared.record.units.clone_from(&self.units);
        if let Err(error) = self.prepared.write_record() {
            tracing::warn!("{error}");
        }
        match manager.start_transient(&service, &self.config.crash).await {
            Ok(job) => {
                tracing::error!("{why}; {} runs in its place", service.arguments.join(" "));
                self.jobs.push((job, service.name.clone()));
                self.wm_unit = Some(service.name.clone());
                self.rescue_service = Some(service);
                self.rescued = Some(why);
                None
            }
            Err(error) => {
                tracing::error!("{} cannot be started: {error}", service.name);
                Some(why)
            }
        }
    }
}
