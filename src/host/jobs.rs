//! The jobs that make a session.

use zbus::OwnedObjectPath;

use super::life::Life;
use super::why::Why;
use crate::dbus::CallError;
use crate::manager::{Manager, Mode, names};
use crate::session::Choice;

/// A job that was queued, and the unit that it is for.
pub(super) type Job = (OwnedObjectPath, String);

impl Life {
    /// Queues what makes the display, and exports the environment.
    pub(super) async fn queue_display(&mut self) -> Result<(), Why> {
        let Some(manager) = self.link.manager() else { return Ok(()) };
        // Before the others: its Requires= brings the socket, and xorg.target is ordered after the socket, which holds
        // only among jobs that are queued. The environment is for clients, so the server's unit need not wait for it.
        let xorg = names::xorg_service(self.prepared.display);
        let export = async {
            let refused = |error: CallError| Why::NotExported(error.to_string());
            self.prepared.export(manager).await.map_err(refused)
        };
        let (server, ()) = tokio::try_join!(start(manager, &xorg, Mode::Replace), export)?;
        let display = start(manager, names::XORG_TARGET, Mode::Replace).await?;
        self.units.jobs.extend([server, display]);
        Ok(())
    }

    /// Queues the window manager, once: when the first server has been forked.
    ///
    /// Not before: it has the server's whole start to come up in, and until the server is forked the two processors of a
    /// small machine, and the kernel's lock on moving processes between cgroups, are better left to what the server
    /// waits for, the supervisor. Not later either: its own start overlaps with the server's.
    pub(super) async fn queue_session(&mut self) -> Result<(), Why> {
        if self.units.queued {
            return Ok(());
        }
        // Those of the person's own: ours are not started again after a clean exit. Before they are started, of course; if
        // that cannot be done, the connection is gone, and the start says so.
        let own = self.units.names.iter().filter(|unit| unit.ends_with(".service") && !names::is_session_service(unit));
        let _ = self.link.watch(own.cloned().collect()).await;
        let Some(manager) = self.link.manager() else { return Ok(()) };
        // A SESSION that was asked for takes the place of the units enabled for wm.target: the target is reached
        // without them.
        let alone = !matches!(self.choice, Choice::Wanted(_));
        let wm_mode = if alone { Mode::IgnoreDependencies } else { Mode::Replace };
        let session = async {
            match &self.choice {
                Choice::Command(service) | Choice::Entry { service, .. } => {
                    let failed = |error| not_started(&service.name, &error);
                    let job = manager.start_transient(service).await.map_err(failed)?;
                    Ok(Some((job, service.name.clone())))
                }
                Choice::Unit(unit) => start(manager, unit, Mode::Replace).await.map(Some),
                Choice::Wanted(_) => Ok(None),
            }
        };
        // Polled in this order, so sent in this order, without waiting for each other's answer.
        let (session, target) = tokio::try_join!(session, start(manager, names::WM_TARGET, wm_mode))?;
        self.units.jobs.extend(session.into_iter().chain([target]));
        self.units.queued = true;
        Ok(())
    }

    /// A job of the manager's is done. `Some` if it was one of these, and the session ends with its failure.
    pub(super) async fn job_done(&mut self, job: &OwnedObjectPath, result: &str) -> Option<Why> {
        let position = self.units.jobs.iter().position(|(ours, _)| ours == job)?;
        let (_, unit) = self.units.jobs.swap_remove(position);
        if result == "done" { None } else { self.job_failed(unit, result).await }
    }

    /// One of these jobs has failed, and the session with it unless the rescue command takes over.
    async fn job_failed(&mut self, unit: String, result: &str) -> Option<Why> {
        if unit != names::xorg_service(self.prepared.display) {
            let end = match self.link.manager() {
                Some(manager) if unit.ends_with(".service") => manager.service_end(&unit).await.ok(),
                _ => None,
            };
            let why = match end.filter(|end| end.code != 0) {
                Some(end) => Why::SessionFailed { unit, end },
                None => Why::NotStarted { unit, why: format!("its start job ended with \"{result}\"") },
            };
            return self.rescue(why).await;
        }
        // The supervisor tells more than the job does.
        self.await_last_words().await;
        Some(Why::ServerFailed { ending: None, words: self.serving.last_words.take().unwrap_or_default() })
    }
}

async fn start(manager: &Manager, unit: &str, mode: Mode) -> Result<Job, Why> {
    let job = manager.start(unit, mode).await.map_err(|error| not_started(unit, &error))?;
    Ok((job, unit.to_owned()))
}

fn not_started(unit: &str, error: &CallError) -> Why {
    Why::NotStarted { unit: unit.to_owned(), why: error.to_string() }
}
