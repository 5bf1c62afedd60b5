//! `startxd restart`.

use std::time::Duration;

use tokio::time::timeout;

use super::args::Part;
use super::exit::Exit;
use super::status::cookie;
use crate::dbus::CallError;
use crate::deadline::STATUS;
use crate::logind;
use crate::manager::{Manager, names};
use crate::records::session::SessionRecord;
use crate::runtime_dir::RuntimeDir;
use crate::x11::client::ClientError;
use crate::x11::display::Display;
use crate::x11::managed::{Watch, WindowManager};

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
    let deadlines = super::configuration().deadlines;
    let manager = match Manager::connect(runtime, deadlines.user_manager).await {
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
                let was_managed = matches!(look(runtime, record.display).await, Ok(Some(_)));
                let exit = restart_all(&manager, &[unit]).await;
                if exit != Exit::Success || !was_managed {
                    return exit;
                }
                return managed_again(runtime, record.display, deadlines.window_manager).await;
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

/// Which window manager manages a display of ours now.
async fn look(runtime: &RuntimeDir, display: Display) -> Result<Option<WindowManager>, ClientError> {
    let Some(cookie) = cookie(runtime, display) else { return Ok(None) };
    let look = async { Watch::connect(display, &cookie).await?.look_harder().await };
    timeout(STATUS, look).await.unwrap_or(Ok(None))
}

/// Waits until a window manager manages the display of the server that has just come up.
async fn managed_again(runtime: &RuntimeDir, display: Display, deadline: Duration) -> Exit {
    let Some(cookie) = cookie(runtime, display) else { return Exit::Success };
    let managed = async { Watch::connect(display, &cookie).await?.managed().await };
    match timeout(deadline, managed).await {
        Ok(Ok(_)) => Exit::Success,
        Ok(Err(error)) => {
            tracing::error!("the X server has ended again: {error}; see: startxd status");
            Exit::SessionFailed
        }
        Err(_) => {
            // The macro has a `display` of its own.
            let which = display;
            tracing::error!(
                "the X server is back, but no window manager manages display {which} after {} s; to start it again: \
                 startxd restart wm",
                deadline.as_secs_f32()
            );
            Exit::SessionFailed
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
    // Every start counts towards the unit's start limit (systemd.unit(5), `StartLimitBurst=`). A person who tries out a
    // configuration must not reach a limit that is meant for crashes. This fails if the unit is not loaded, which the
    // restart reports in better words.
    let _ = manager.reset_failed(unit).await;
    let result = manager.until_done(manager.restart(unit)).await?;
    Ok(result.unwrap_or_else(|| "the user manager is gone".to_owned()))
}
