//! The ordered end of a session.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::{Instant, timeout_at};
use zbus::OwnedObjectPath;

use super::life::{Event, Life};
use super::link::News;
use super::why::Why;
use crate::manager::{self, Manager, Mode, names};
use crate::session::applications;

/// Takes a session down, in order, whatever state it is in. Returns why it ended: `why`, unless the end itself failed.
pub(super) async fn end(life: &mut Life, why: Why) -> Why {
    life.ending = true;
    life.refuse_held();
    match &why {
        clean if clean.is_clean() => tracing::info!("the session ends: {clean}"),
        failed => tracing::debug!("the session ends: {failed}"),
    }
    let deadline = Instant::now() + life.config.deadlines.stop;
    let mut why = why;
    let down = match life.link.manager().cloned() {
        Some(manager) => take_down(life, &manager, deadline).await,
        None => true,
    };
    // The units of a manager that exits stop before itself does, the window manager or xorg.target first. It takes the
    // environment with it, and the next session needs another login.
    if matches!(why, Why::LoggedOut | Why::TargetStopped(_)) && manager_exits(life).await {
        why = life.link.exits();
    }
    if !down {
        force(life).await;
    }
    stop_server(life).await;
    if down || !why.is_clean() { why } else { Why::Stuck { waited: life.config.deadlines.stop } }
}

/// Whether the manager is gone or on its way out, which is what stopped its units then.
async fn manager_exits(life: &mut Life) -> bool {
    while let Some(manager) = life.link.manager().cloned() {
        match manager.is_stopping().await {
            Err(error) if error.is_disconnect() => drop(life.connect_again().await),
            stopping => return stopping.unwrap_or(false),
        }
    }
    true
}

/// Stops the units in order. Returns whether all went down in time.
async fn take_down(life: &mut Life, manager: &Manager, deadline: Instant) -> bool {
    // While they have a window manager and a display to say goodbye on.
    end_applications(life, manager).await;
    // Units that know nothing of xorg.target would outlive it and lose their display: they go first, once what runs
    // in the graphical session has gone.
    let strangers = strangers(life, manager).await;
    if !strangers.is_empty() {
        for unit in std::iter::once(names::WM_READY_TARGET).chain(strangers.iter().map(String::as_str)) {
            if let Ok(job) = manager.stop(unit, Mode::Replace).await {
                await_job(life, &job, deadline).await;
            }
        }
    }
    if !shut_down(life, deadline).await {
        return false;
    }
    // Another connection, if the bus was restarted on the way.
    let Some(manager) = &life.link.manager().cloned() else { return true };
    // What the window manager has started after that: stopping it ended its main process alone.
    end_applications(life, manager).await;
    // What has no tie to any target of ours, such as a unit without Requires=xorg.target enabled for wm.target.
    let mut units = life.units.names.clone();
    if life.serving.supervisor_failed {
        // It leaves us alone, but may still be on its way to find that out.
        units.push(names::REPAIR_SERVICE.to_owned());
    }
    for unit in units {
        if manager.state(&unit).await.is_ok_and(|state| !state.is_down() || state.sub == "exited")
            && let Ok(job) = manager.stop(&unit, Mode::Replace).await
        {
            await_job(life, &job, deadline).await;
        }
    }
    await_down(life, names::SHUTDOWN_TARGET, deadline).await;
    true
}

/// Waits until a unit is down that goes by itself: the shutdown target, when it has been reached and nothing needs it any
/// more. As a rule it went while the others were looked at, but a busy manager takes its time, and whoever looks after us
/// should find nothing.
async fn await_down(life: &mut Life, unit: &str, deadline: Instant) {
    while let Some(manager) = life.link.manager().cloned()
        && manager.state(unit).await.is_ok_and(|state| !state.is_down())
    {
        let Ok(event) = timeout_at(deadline, life.next()).await else { return };
        absorb(life, event).await;
    }
}

/// Stops everything that is the session's, by its shutdown target. Returns whether it went down in time, or with its
/// manager, which is known to be gone then.
async fn shut_down(life: &mut Life, deadline: Instant) -> bool {
    while let Some(manager) = life.link.manager().cloned() {
        match manager.start(names::SHUTDOWN_TARGET, Mode::ReplaceIrreversibly).await {
            Ok(job) => return await_job(life, &job, deadline).await,
            // A manager that exits stops the session's units first, then its bus, and is there a little longer than that:
            // what began as the end of the window manager or of xorg.target finds nobody to ask. It may as well be that the
            // bus was restarted just now, so which of both it is decides.
            Err(error) if error.is_disconnect() && Instant::now() < deadline => {
                let _ = life.connect_again().await;
            }
            Err(error) => {
                tracing::error!("{} cannot be started: {error}", names::SHUTDOWN_TARGET);
                return false;
            }
        }
    }
    true
}

/// Ends what the window manager has started, while everything else goes on being served.
async fn end_applications(life: &mut Life, manager: &Manager) {
    let (units, deadline) = (life.units.names.clone(), life.config.deadlines.applications);
    let mut ended = std::pin::pin!(applications::end(manager, &units, deadline));
    loop {
        let event = tokio::select! {
            () = &mut ended => return,
            event = life.next() => event,
        };
        absorb(life, event).await;
    }
}

/// The session's units that are not ordered after `xorg.target`.
async fn strangers(life: &Life, manager: &Manager) -> Vec<String> {
    let mut strangers = Vec::new();
    let bound = manager.dependents(names::XORG_TARGET).await.unwrap_or_default();
    for unit in life.units.names.clone() {
        if !bound.contains(&unit) {
            strangers.push(unit);
        }
    }
    strangers
}

/// Waits for a job while everything else goes on being served. Returns whether it ended in time.
async fn await_job(life: &mut Life, job: &OwnedObjectPath, deadline: Instant) -> bool {
    loop {
        let Ok(event) = timeout_at(deadline, life.next()).await else { return false };
        if let Event::Manager(News::Told(manager::Signal::JobDone { job: done, .. })) = &event
            && done == job
        {
            return true;
        }
        if absorb(life, event).await {
            return true;
        }
    }
}

/// Handles what happens while a session goes down: the supervisor waits for its server's end, and clients may ask.
/// Returns whether there is nothing left to wait for, because the manager is gone or the jobs' ends were missed.
async fn absorb(life: &mut Life, event: Event) -> bool {
    match event {
        Event::Manager(News::Told(manager::Signal::Lost)) => {
            let _ = life.connect_again().await;
            let Some(manager) = life.link.manager() else { return true };
            return manager.state(names::XORG_TARGET).await.is_ok_and(|state| state.is_down());
        }
        Event::Manager(News::Ended) => {
            life.link.has_ended();
            return true;
        }
        Event::LaunchDue => {
            life.refuse_held();
        }
        Event::ServerEnded(ending) => {
            life.server_ended(ending).await;
        }
        Event::Peer(event) => {
            // Another stop while stopping: the client waits with the rest.
            let _ = life.serve(event).await;
        }
        // A second signal changes nothing: the end is on its way and has its deadline.
        Event::Interrupt(_) | Event::Sight(_) | Event::Manager(_) | Event::Control(_) => {}
    }
    false
}

/// Kills what did not stop in time.
async fn force(life: &mut Life) {
    let Some(manager) = life.link.manager().cloned() else {
        return;
    };
    let mut units = life.units.names.clone();
    units.push(names::xorg_service(life.prepared.display));
    for unit in units {
        tracing::error!("killing what is left of {unit}");
        let _ = manager.kill(&unit, Signal::SIGKILL).await;
    }
    let deadline = Instant::now() + life.config.deadlines.server_stop;
    if let Ok(job) = manager.start(names::SHUTDOWN_TARGET, Mode::ReplaceIrreversibly).await {
        await_job(life, &job, deadline).await;
    }
}

/// Ends the server if the supervisor has not: politely, then not.
async fn stop_server(life: &mut Life) {
    for (signal, deadline) in [(Signal::SIGTERM, life.config.deadlines.server_stop), (Signal::SIGKILL, Duration::MAX)] {
        let Some(server) = &life.serving.server else { return };
        server.signal(signal);
        if let Ok(ending) = tokio::time::timeout(deadline, server.ended()).await {
            life.server_ended(ending).await;
        }
    }
}
