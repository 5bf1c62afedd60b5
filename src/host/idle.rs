//! The host's eye on whether somebody is at the display: what the server counts, and who on the user's bus is in the way.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::core::{Event, IdleLimit, Inhibitors};
use crate::config::IdleConfig;
use crate::deadline::TRY_AGAIN;
use crate::runtime_dir::RuntimeDir;
pub use crate::session_bus::screen_saver::Reasons;
use crate::session_bus::{self, screen_saver::ScreenSaver};
use crate::x11::client::ClientError;
use crate::x11::cookie::Cookie;
use crate::x11::display::Display;
use crate::x11::idle::IdleWatch;

/// Whether something follows when nobody is at the display.
pub const fn matters(config: &IdleConfig) -> bool {
    config.after.is_some() || config.lock.is_some()
}

/// A task that ends with this.
pub struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sets what the configuration says on the display of a new server, and watches it; `None` if there is nothing to do.
pub fn watch(display: Display, cookie: Cookie, config: &IdleConfig, events: UnboundedSender<Event>) -> Option<Task> {
    if !matters(config) && config.screen_off.is_none() {
        return None;
    }
    let config = config.clone();
    Some(Task(tokio::spawn(async move {
        if let Err(error) = look(display, &cookie, &config, &events).await {
            tracing::debug!("it is not watched any more whether somebody is at the display: {error}");
        }
    })))
}

async fn look(
    display: Display,
    cookie: &Cookie,
    config: &IdleConfig,
    events: &UnboundedSender<Event>,
) -> Result<(), ClientError> {
    let mut watch = IdleWatch::connect(display, cookie).await?;
    if let Some(when) = config.screen_off {
        watch.set_screen_off(when).await?;
    }
    let mut limits = Vec::new();
    for (limit, seconds) in [(IdleLimit::After, config.after), (IdleLimit::Lock, config.lock)] {
        let Some(seconds) = seconds else { continue };
        if !watch.watch(Duration::from_secs(seconds.into())).await? {
            tracing::warn!(
                "the X server does not count for how long nobody is there, so idle.after and idle.lock do nothing"
            );
            return Ok(());
        }
        limits.push(limit);
    }
    if limits.is_empty() {
        return Ok(());
    }
    loop {
        let crossed = watch.next().await?;
        if events.send(Event::Idle(limits[crossed.limit], crossed.is_idle)).is_err() {
            return Ok(());
        }
    }
}

/// Offers programs on the user's bus to be in the way (`org.freedesktop.ScreenSaver`), as browsers and players ask, unless
/// somebody else does. Ends when the bus does not come back within `deadline`.
pub fn offer(runtime: RuntimeDir, deadline: Duration, reasons: Reasons, events: UnboundedSender<Event>) -> Task {
    Task(tokio::spawn(async move {
        let mut end = Instant::now() + deadline;
        while Instant::now() < end {
            if let Ok(bus) = session_bus::connect(&runtime).await {
                match ScreenSaver::offer(&bus).await {
                    Ok(Some(mut saver)) => {
                        while let Some(inhibits) = saver.next(&reasons).await {
                            let _ = events.send(Event::IdleInhibited(Inhibitors::Bus, inhibits));
                        }
                        reasons.clear();
                        let _ = events.send(Event::IdleInhibited(Inhibitors::Bus, false));
                        end = Instant::now() + deadline;
                    }
                    Ok(None) => {
                        return tracing::info!(
                            "another program has the name org.freedesktop.ScreenSaver, so startxd does not hear who \
                             inhibits idleness by it"
                        );
                    }
                    Err(error) => {
                        tracing::debug!("nobody can inhibit idleness by org.freedesktop.ScreenSaver: {error}")
                    }
                }
            }
            sleep(TRY_AGAIN).await;
        }
    }))
}
