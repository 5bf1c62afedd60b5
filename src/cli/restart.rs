//! `startxd restart`.

use super::args::Part;
use super::exit::Exit;
use crate::dbus::CallError;
use crate::logind;
use crate::manager::{Manager, names};
use crate::records::session::SessionRecord;
use crate::runtime_dir::RuntimeDir;

/// Restarts one part of the session and waits until its unit is up again.
pub async fn run(runtime: &RuntimeDir, part: Part) -> Exit {
    let record = match SessionRecord::of(runtime) {
        Ok(Some(record)) => record,
        Ok(None) => {
            tracing::error!("no session of startxd is up; see: startxd status");
            return Exit::NotRunning;
        }
        Err(error) => {
            tracing::error!("the session's record cannot be read: {error}; see: startxd status");
            return Exit::System;
        }
    };
    let manager = match Manager::connect(runtime, super::configuration().deadlines.user_manager).await {
        Ok(manager) => manager,
        Err(error) => {
            tracing::error!("{error}");
            return Exit::NoManager;
        }
    };
    match part {
        Part::Wm => restart_all(&manager, &record.units).await,
        Part::Xorg => {
            let unit = names::xorg_service(record.display);
            if !is_in_background(&record).await {
                return restart_all(&manager, &[unit]).await;
            }
            tracing::warn!(
                "{} is in the background: the X server comes back when you switch to it",
                record.seat.name()
            );
            match manager.restart(&unit).await {
                Ok(_) => Exit::Success,
                Err(error) => cannot(&unit, &error),
            }
        }
    }
}

/// Restarts units, one after the other, and waits until each is up.
async fn restart_all(manager: &Manager, units: &[String]) -> Exit {
    for unit in units {
        match restart(manager, unit).await {
            Ok(result) if result == "done" => {}
            Ok(result) => {
                tracing::error!("{unit} did not come back ({result}); see: systemctl --user status {unit}");
                return Exit::SessionFailed;
            }
            Err(error) => return cannot(unit, &error),
        }
    }
    Exit::Success
}

fn cannot(unit: &str, error: &CallError) -> Exit {
    tracing::error!("{unit} cannot be restarted: {error}");
    Exit::SessionFailed
}

/// Whether the session is known not to be in the foreground.
async fn is_in_background(record: &SessionRecord) -> bool {
    let session = async {
        let bus = logind::connect().await.ok()?;
        logind::session_by_id(&bus, &record.session).await.ok()
    };
    session.await.is_some_and(|session| !session.active)
}

/// Restarts a unit and returns its job's result.
async fn restart(manager: &Manager, unit: &str) -> Result<String, CallError> {
    // Every start counts for the unit's start limit (systemd.unit(5), `StartLimitBurst=`). A person who tries out a
    // configuration must not run into what is there for crashes. Fails if the unit is not loaded, which the restart
    // says better.
    let _ = manager.reset_failed(unit).await;
    let result = manager.until_done(manager.restart(unit)).await?;
    Ok(result.unwrap_or_else(|| "the user manager is gone".to_owned()))
}
