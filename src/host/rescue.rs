//! The rescue command: what a person gets to see when the window manager does not stay up.

use super::life::Life;
use super::why::Why;
use crate::manager::transient::Service;
use crate::session::{self, Surroundings};

/// The rescue command, running.
pub(super) struct Rescue {
    /// Why it does: what went wrong with the window manager.
    pub instead_of: Why,
    /// The command.
    pub service: Service,
}

impl Life {
    /// The window manager is gone, because of `why`. Starts the rescue command in its place if it has failed, there is
    /// such a command, and it was not tried yet; else returns why the session ends.
    ///
    /// The session fails all the same in the end, with the first reason: what a person did meanwhile mended something for
    /// the next one at best.
    pub(super) async fn rescue(&mut self, why: Why) -> Option<Why> {
        if let Some(rescue) = self.units.rescue.take() {
            return Some(rescue.instead_of);
        }
        if !matches!(why, Why::SessionFailed { .. } | Why::NotStarted { .. }) || self.config.crash.rescue.is_empty() {
            return Some(why);
        }
        let Some(manager) = self.link.manager().cloned() else { return Some(why) };
        let service = match session::rescue(&self.config.crash.rescue, &Surroundings::from_env()) {
            Ok(service) => service,
            Err(error) => {
                tracing::error!("crash.rescue in startxd.toml: {error}");
                return Some(why);
            }
        };
        // First written down: if this host dies too, the next start ends this unit with the others.
        self.units.names.push(service.name.clone());
        self.prepared.record.units.clone_from(&self.units.names);
        if let Err(error) = self.prepared.write_record() {
            tracing::warn!("{error}");
        }
        match manager.start_transient(&service).await {
            Ok(job) => {
                tracing::error!("{why}; {} runs in its place", service.arguments.join(" "));
                self.units.jobs.push((job, service.name.clone()));
                self.units.wm = Some(service.name.clone());
                self.units.rescue = Some(Rescue { instead_of: why, service });
                None
            }
            Err(error) => {
                tracing::error!("{} cannot be started: {error}", service.name);
                Some(why)
            }
        }
    }
}
