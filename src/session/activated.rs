//! Programs that the message bus has activated for a session and that are no units of their own: services of D-Bus with
//! `Exec=` alone. Where the user manager outlives the session (loginctl(1), `enable-linger`), so do they, with the DISPLAY
//! of a server and the name of a cookie that are gone, and they would serve the next session.
//!
//! dbus-daemon(1) keeps them in its own unit, dbus-broker(1) in transient units that it names `dbus-:…`.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::applications::{self, Asked};
use crate::deadline::KILLED;
use crate::manager::Manager;
use crate::os::{self, Pid};
use crate::small_file;
use crate::x11::display::Display;

/// The programs that are the bus itself, by the beginning of their name: also while they activate something.
const BUSES: &str = "dbus-";

/// Ends those that have this display in their environment: SIGTERM, and SIGKILL after `deadline`. Returns when they are
/// gone. To be called when the display's variables are exported no more, so that none is activated with them again.
pub async fn end(manager: &Manager, display: Display, deadline: Duration) {
    let units = manager.units_like(&["dbus.service", "dbus-:*.service"]).await.unwrap_or_default();
    let mut asked = Vec::new();
    for unit in units.iter().filter(|unit| !unit.state.is_down()) {
        let pids = manager.processes(&unit.name).await.unwrap_or_default();
        asked.extend(pids.into_iter().filter_map(|pid| ask(pid, display)));
    }
    let until = Instant::now() + deadline;
    if timeout_at(until, applications::gone(&asked)).await.is_err() {
        applications::kill(&asked);
        let _ = timeout_at(Instant::now() + KILLED, applications::gone(&asked)).await;
    }
}

/// Tells a process to end that was activated for this display. Held before it is looked at: if its pid becomes another's
/// meanwhile, the pidfd reaches nobody.
fn ask(pid: Pid, display: Display) -> Option<Asked> {
    let pidfd = os::pidfd_open(pid).ok()?;
    let name = small_file::text(format!("/proc/{pid}/comm").as_ref()).ok()?;
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    if name.starts_with(BUSES) || !is_for(&environment, display) {
        return None;
    }
    // The macro has a `display` of its own.
    let which = display;
    tracing::debug!("process {pid} ({}), which D-Bus has activated for {which}, is asked to end", name.trim());
    applications::terminate(pid, pidfd)
}

/// Whether an environment, as in /proc/PID/environ, has this display.
fn is_for(environment: &[u8], display: Display) -> bool {
    let wanted = format!("DISPLAY={display}");
    environment.split(|&byte| byte == 0).any(|entry| entry == wanted.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::is_for;
    use crate::x11::display::Display;

    #[test]
    fn whose_display_it_is() {
        let display = Display::new(1).unwrap();
        for (environment, expected) in [
            (&b"A=b\0DISPLAY=:1\0C=d\0"[..], true),
            (b"DISPLAY=:1", true),
            (b"DISPLAY=:10\0", false),
            (b"XDISPLAY=:1\0", false),
            (b"DISPLAY=localhost:1\0", false),
            (b"", false),
        ] {
            assert_eq!(is_for(environment, display), expected, "{environment:?}");
        }
    }
}
