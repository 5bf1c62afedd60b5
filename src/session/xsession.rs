//! What the distribution starts where a person has set up nothing, as startx does: Debian's Xsession(5).
//!
//! It runs `/etc/X11/Xsession.d`, and then `~/.xsession` or the session manager or window manager of the alternatives
//! system. Other distributions have in this place an xinitrc that shows how to write one's own, which is no session.

use std::path::Path;

use super::Surroundings;
use crate::attributes::Attributes;
use crate::manager::{Manager, names, transient};
use crate::program::is_executable;

/// The script (Xsession(5)).
const SCRIPT: &str = "/etc/X11/Xsession";
/// What it starts, below the home directory.
const PERSONS: [&str; 2] = [".xsession", ".Xsession"];
/// What it starts otherwise; it would also start a terminal with no window manager, which is no session either.
const DISTRIBUTIONS: [&str; 2] = ["/usr/bin/x-session-manager", "/usr/bin/x-window-manager"];

/// The service that runs it; `None` if it is not there or would find nothing to start.
#[must_use]
pub fn service(around: &Surroundings) -> Option<transient::Service> {
    let own = around.home.as_deref().is_some_and(|home| PERSONS.iter().any(|name| home.join(name).exists()));
    let runs = own || DISTRIBUTIONS.iter().any(|path| is_executable(Path::new(path)));
    (runs && is_executable(Path::new(SCRIPT))).then(|| transient::Service {
        name: names::session_service("xsession"),
        description: "Xsession, what this system starts by default".to_owned(),
        program: SCRIPT.into(),
        arguments: vec![SCRIPT.to_owned()],
        // As with ~/.xinitrc, its end is the session's end.
        directory: None,
        restart: None,
        attributes: Attributes::of_this_process(),
    })
}

impl Surroundings {
    /// As before, but for a `PATH` that is not there, as in a system unit that knows no shell's: the user manager's.
    pub async fn or_of(mut self, manager: &Manager) -> Self {
        if self.path.is_none() {
            let environment = manager.environment().await.unwrap_or_default();
            self.path = environment.get("PATH").map(Into::into);
        }
        self
    }
}
