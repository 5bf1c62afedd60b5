//! A request for a display, and how it becomes a claim with settings.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::Failure;
use super::claim::{self, Claim, ClaimSettings, DisplaySession};
use super::server::{Program, ServerKind, ServerLine};
use crate::config::Ready;
use crate::config::size::Size;
use crate::deadline::Deadlines;
use crate::environment::{Block, of_display};
use crate::files::NotWritten;
use crate::os::Pid;
use crate::runtime_dir::RuntimeDir;
use crate::session::Choice;
use crate::x11::display::Display;
use crate::x11::number::{NotOurs, Number};
use crate::x11::occupied::{self, Taken};

/// A request.
#[derive(Debug, Clone)]
pub struct DisplayRequest {
    /// The display; a free one if `None`.
    pub display: Option<Display>,
    /// The first number to try.
    pub first: Display,
    /// The server.
    pub program: Program,
    /// The size of its screen.
    pub size: Size,
    /// Its depth in bits.
    pub depth: u8,
    /// Arguments for it from the command line.
    pub extra: Vec<String>,
    /// The session on it.
    pub session: Option<Choice>,
    /// When a session counts as up.
    pub ready: Ready,
    /// Whether other users who have the cookie may connect.
    pub others: bool,
    /// The process with which the display ends.
    pub client: Option<Pid>,
    /// A file that also gets the cookie for as long as the display is up.
    pub authority_too: Option<PathBuf>,
}

impl DisplayRequest {
    /// Takes and claims the requested number, or the first free one from `from` on.
    ///
    /// # Errors
    /// The number is taken, or none is free, or there is no space for its files.
    pub fn claim(
        &self,
        runtime: &RuntimeDir,
        deadlines: &Deadlines,
        mut from: Display,
    ) -> Result<(Number, Claim, ClaimSettings), Failure> {
        let after = |display| next(display).ok_or_else(|| Failure::NoNumber(io::ErrorKind::AddrInUse.into()));
        let not_free = |display, taken: Taken| Failure::Taken { display, taken: taken.with_owner(display) };
        loop {
            let display = match self.display {
                Some(asked) if claim::all(runtime).contains(&asked) => return Err(Failure::Yours(asked)),
                Some(asked) => match occupied::look(asked).map_err(Failure::NoNumber)? {
                    Taken::Free => asked,
                    taken => return Err(not_free(asked, taken)),
                },
                None => occupied::first_free(from).map_err(Failure::NoNumber)?,
            };
            let number = match Number::take(display) {
                Ok(number) => number,
                Err(NotOurs::Taken(taken)) if self.display.is_some() => return Err(not_free(display, taken)),
                // Another process has checked at the same moment.
                Err(NotOurs::Taken(_)) => {
                    from = after(display)?;
                    continue;
                }
                Err(NotOurs::NotWritten(error)) => return Err(error.into()),
                Err(NotOurs::Failed(error)) => return Err(Failure::NoNumber(error)),
            };
            runtime.create()?;
            let settings = self.settings(runtime, deadlines, display);
            match Claim::make(runtime, &settings) {
                Ok(Some(claim)) => return Ok((number, claim, settings)),
                Ok(None) if self.display.is_some() => return Err(Failure::Yours(display)),
                Ok(None) => from = after(display)?,
                // The directory was removed between the two calls, with the last display of another process.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(NotWritten::new(&runtime.claim(display), error).into()),
            }
        }
    }

    fn settings(&self, runtime: &RuntimeDir, deadlines: &Deadlines, display: Display) -> ClaimSettings {
        let (authority, vnc) = (runtime.authority(display), runtime.vnc_socket(display));
        let (size, depth) = (self.size, self.depth);
        let line = ServerLine { display, size, depth, authority: &authority, vnc: &vnc, extra: &self.extra };
        let (arguments, by_socket) = (line.arguments(&self.program), line.is_by_socket(&self.program));
        let mut environment = BTreeMap::new();
        if self.program.kind == ServerKind::Xephyr {
            let ours = ["DISPLAY", "XAUTHORITY"].map(|name| (name.to_owned(), std::env::var(name).ok()));
            environment.extend(ours.into_iter().filter_map(|(name, value)| Some((name, value?))));
        }
        ClaimSettings {
            display,
            server: self.program.word.clone(),
            program: self.program.path.clone(),
            arguments,
            size,
            depth,
            vnc: by_socket.then_some(vnc),
            client: self.client.map(Pid::as_raw),
            server_ready: deadlines.server_ready.as_secs_f64(),
            server_stop: deadlines.server_stop.as_secs_f64(),
            others: self.others,
            environment,
            session: self.session.as_ref().and_then(|choice| session(choice, display, &authority)),
        }
    }
}

/// The number after this one.
#[must_use]
pub fn next(display: Display) -> Option<Display> {
    display.number().checked_add(1).and_then(Display::new)
}

/// The session of a choice; `None` for a choice that has no program of its own.
fn session(choice: &Choice, display: Display, authority: &Path) -> Option<DisplaySession> {
    let service = choice.service()?;
    let mut environment: Block = of_display(display, authority);
    if let Some(desktop) = choice.desktop() {
        environment.insert("XDG_CURRENT_DESKTOP".to_owned(), desktop.names.join(":"));
        environment.extend(desktop.names.first().map(|name| ("XDG_SESSION_DESKTOP".to_owned(), name.clone())));
        environment.insert("DESKTOP_SESSION".to_owned(), desktop.session);
    }
    // Its programs are found in the same way as it was found itself.
    environment.extend(std::env::var("PATH").ok().map(|path| ("PATH".to_owned(), path)));
    Some(DisplaySession {
        what: choice.describe(),
        program: service.program.clone(),
        arguments: service.arguments.clone(),
        directory: service.directory.clone(),
        restart: service.restart.is_some(),
        environment,
        attributes: service.attributes.clone(),
    })
}
