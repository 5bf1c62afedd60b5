//! The start of a display, as seen by who wants it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::timeout;
use zbus::OwnedObjectPath;

use super::claim::{self, Claim, Session, Settings, State, VERSION};
use super::server::{Kind, Line, Program};
use super::size::Size;
use super::{FIRST, Failure, end, variables};
use crate::config::Ready;
use crate::dbus::CallError;
use crate::deadline::Deadlines;
use crate::environment::Block;
use crate::host::prepare::hostname_bytes;
use crate::manager::{Manager, Mode, Signal, Signals, names};
use crate::os::Pid;
use crate::runtime_dir::RuntimeDir;
use crate::session::Choice;
use crate::x11::client::Client;
use crate::x11::display::{Display, SOCKET_DIR};
use crate::x11::managed::Watch;
use crate::x11::occupied::{self, Taken};
use crate::x11::xauthority;

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The display; a free one if `None`.
    pub display: Option<Display>,
    /// The server.
    pub program: Program,
    /// The size of its screen.
    pub size: Size,
    /// Its depth in bits.
    pub depth: u8,
    /// Arguments of the person's for it.
    pub extra: Vec<String>,
    /// What is to run on it.
    pub session: Option<Choice>,
    /// When a session counts as up.
    pub ready: Ready,
    /// The process whose end is the display's.
    pub client: Option<Pid>,
}

/// Brings up a display for somebody who holds it until it is up, or for good.
pub struct Starter<'a> {
    /// Our directories.
    pub runtime: &'a RuntimeDir,
    /// The user's manager.
    pub manager: &'a Manager,
    /// How long each thing may take.
    pub deadlines: &'a Deadlines,
    /// What is wanted.
    pub wish: &'a Wish,
    /// The claim to the number, as soon as there is one.
    claim: Option<Claim>,
    /// The number.
    display: Option<Display>,
}

/// A unit that is queued together with the server's.
pub type Queued = Result<(OwnedObjectPath, String), CallError>;

impl<'a> Starter<'a> {
    /// Nothing is done yet.
    #[must_use]
    pub fn new(runtime: &'a RuntimeDir, manager: &'a Manager, deadlines: &'a Deadlines, wish: &'a Wish) -> Self {
        Self { runtime, manager, deadlines, wish, claim: None, display: None }
    }

    /// Brings the display up. Returns its number when its server answers and, if it has a session, that manages it.
    ///
    /// `beside` is called for each number that is tried, when it is claimed, and queues another unit beside the server's.
    ///
    /// # Errors
    /// [`Failure`]; nothing is left behind then.
    pub async fn bring_up<F>(&mut self, mut beside: impl FnMut(Display) -> F) -> Result<Display, Failure>
    where
        F: Future<Output = Result<Option<Queued>, Failure>>,
    {
        occupied::check_socket_dir(Path::new(SOCKET_DIR))?;
        end::repair_all(self.runtime, self.manager).await;
        let mut signals = self.manager.signals().await?;
        let mut from = self.wish.display.unwrap_or(FIRST);
        loop {
            let display = self.claim_number(from)?;
            self.display = Some(display);
            let outcome = self.attempt(display, &mut signals, &mut beside).await;
            let Err(failure) = outcome else { return Ok(display) };
            self.take_down().await;
            // Somebody else's server, or another user's, was faster by a moment: then not this number, but the next.
            let lost = self.wish.display.is_none() && !occupied::look(display).is_ok_and(|taken| taken.is_free());
            match display.number().checked_add(1).and_then(Display::new) {
                Some(next) if lost => from = next,
                _ => return Err(failure),
            }
        }
    }

    /// Takes down what there is of it, however far it came. Returns when all is gone.
    pub async fn take_down(&mut self) {
        let Some(display) = self.display.take() else { return };
        if let Err(error) = end::stop_units(self.manager, display).await {
            let which = display;
            tracing::warn!("display {which} cannot be taken down: {error}");
        }
        if let Some(claim) = self.claim.take() {
            claim.remove(self.runtime);
        }
    }

    /// Why the display came to its end, if it did so by itself.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        State::read(self.runtime, self.display?).failed
    }

    /// Claims the asked-for number, or the first free one from there on.
    fn claim_number(&mut self, from: Display) -> Result<Display, Failure> {
        let mut from = from;
        loop {
            let display = match self.wish.display {
                Some(asked) => {
                    if claim::all(self.runtime).contains(&asked) {
                        return Err(Failure::Yours(asked));
                    }
                    match occupied::look(asked).map_err(Failure::NoNumber)? {
                        Taken::Free => asked,
                        taken => return Err(Failure::Taken { display: asked, taken }),
                    }
                }
                None => occupied::first_free(from).map_err(Failure::NoNumber)?,
            };
            self.runtime.create()?;
            let settings = self.settings(display);
            match Claim::make(self.runtime, &settings) {
                Ok(Some(claim)) => {
                    self.claim = Some(claim);
                    return Ok(display);
                }
                Ok(None) if self.wish.display.is_some() => return Err(Failure::Yours(display)),
                Ok(None) => {
                    let next = display.number().checked_add(1).and_then(Display::new);
                    from = next.ok_or_else(|| Failure::NoNumber(io::ErrorKind::AddrInUse.into()))?;
                }
                // The directory went between the two, with the last display of somebody else.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let path = self.runtime.claim(display).display().to_string();
                    return Err(Failure::Write { path, error });
                }
            }
        }
    }

    fn settings(&self, display: Display) -> Settings {
        let (wish, authority) = (self.wish, self.runtime.authority(display));
        let vnc = self.runtime.vnc_socket(display);
        let (size, depth) = (wish.size, wish.depth);
        let line = Line { display, size, depth, authority: &authority, vnc: &vnc, extra: &wish.extra };
        let (arguments, by_socket) = (line.arguments(&wish.program), line.is_by_socket(&wish.program));
        let mut environment = BTreeMap::new();
        if wish.program.kind == Kind::Xephyr {
            let ours = ["DISPLAY", "XAUTHORITY"].map(|name| (name.to_owned(), std::env::var(name).ok()));
            environment.extend(ours.into_iter().filter_map(|(name, value)| Some((name, value?))));
        }
        Settings {
            version: VERSION,
            display,
            server: wish.program.word.clone(),
            program: wish.program.path.clone(),
            arguments,
            size: wish.size,
            depth: wish.depth,
            vnc: by_socket.then_some(vnc),
            client: wish.client.map(Pid::as_raw),
            server_ready: self.deadlines.server_ready.as_secs_f64(),
            server_stop: self.deadlines.server_stop.as_secs_f64(),
            environment,
            session: wish.session.as_ref().and_then(|choice| session(choice, display, &authority)),
        }
    }

    async fn attempt<F>(
        &self,
        display: Display,
        signals: &mut Signals,
        beside: &mut impl FnMut(Display) -> F,
    ) -> Result<(), Failure>
    where
        F: Future<Output = Result<Option<Queued>, Failure>>,
    {
        let authority = self.runtime.authority(display);
        let written = xauthority::ensure(&authority, display, &hostname_bytes());
        let cookie = written.map_err(|error| Failure::Write { path: authority.display().to_string(), error })?;
        let service = names::display_service(display);
        // Polled in this order, so sent in this order, without waiting for each other's answer.
        let server = async { Ok(self.manager.start(&service, Mode::Replace).await?) };
        let (server, other) = tokio::try_join!(server, beside(display))?;
        let mut jobs = vec![(server, service.clone())];
        jobs.extend(other.transpose()?);
        // The supervisor has its own deadlines; this is for a manager that does not even start it.
        let patience = self.deadlines.server_ready + self.deadlines.server_stop + self.deadlines.user_manager;
        let done = timeout(patience, self.jobs_done(jobs, signals)).await;
        done.map_err(|_| Failure::NotStarted { unit: service, result: "timeout".to_owned() })??;
        if self.wish.session.is_some() {
            self.session_is_up(display, &cookie, signals).await?;
        }
        Ok(())
    }

    async fn jobs_done(&self, mut jobs: Vec<(OwnedObjectPath, String)>, signals: &mut Signals) -> Result<(), Failure> {
        while !jobs.is_empty() {
            let (job, result) = match signals.next().await {
                Signal::JobDone { job, result } => (job, result),
                Signal::UnitChanged(_) => continue,
                Signal::Lost => return Err(Failure::NoManager("the connection broke".to_owned())),
            };
            let Some(at) = jobs.iter().position(|(queued, _)| *queued == job) else { continue };
            let (_, unit) = jobs.swap_remove(at);
            if result != "done" {
                return Err(self.why().map_or(Failure::NotStarted { unit, result }, Failure::ServerFailed));
            }
        }
        Ok(())
    }

    /// Waits until the session manages the display, or is started if that is enough.
    async fn session_is_up(
        &self,
        display: Display,
        cookie: &crate::x11::cookie::Cookie,
        signals: &mut Signals,
    ) -> Result<(), Failure> {
        let (service, unit) = (names::display_service(display), names::display_session(display));
        let managed = async {
            if self.wish.ready == Ready::Started {
                return std::future::pending().await;
            }
            let watch = async { Watch::new(Client::connect(display, cookie).await?).await?.managed().await };
            match watch.await {
                Ok(_) => {}
                // The server is going down, of which the unit tells.
                Err(_) => std::future::pending().await,
            }
        };
        let watched = async {
            loop {
                let states = self.manager.states(&[&service, &unit]).await?;
                if let [server, session] = states.as_slice() {
                    if server.is_down() || server.is_going_down() {
                        let why = self.why().unwrap_or_else(|| format!("the session on display {display} is over"));
                        return Err(Failure::SessionFailed(why));
                    }
                    let started = session.active == "active" && session.sub == "running";
                    if started && self.wish.ready == Ready::Started {
                        return Ok(());
                    }
                }
                if signals.next().await == Signal::Lost {
                    return Err(Failure::NoManager("the connection broke".to_owned()));
                }
            }
        };
        let deadline = self.deadlines.window_manager;
        let up = async {
            tokio::select! {
                () = managed => Ok(()),
                watched = watched => watched,
            }
        };
        timeout(deadline, up).await.unwrap_or(Err(Failure::NotManaged(display, deadline, unit.clone())))
    }
}

/// The session that a choice is on a display; `None` for what has no program of its own.
fn session(choice: &Choice, display: Display, authority: &Path) -> Option<Session> {
    let service = choice.service()?;
    let mut environment: Block = variables(display, authority);
    if let Some(desktop) = choice.desktop() {
        environment.insert("XDG_CURRENT_DESKTOP".to_owned(), desktop.names.join(":"));
        environment.extend(desktop.names.first().map(|name| ("XDG_SESSION_DESKTOP".to_owned(), name.clone())));
        environment.insert("DESKTOP_SESSION".to_owned(), desktop.session);
    }
    // Where its programs are found as it was found itself.
    environment.extend(std::env::var("PATH").ok().map(|path| ("PATH".to_owned(), path)));
    Some(Session {
        what: choice.describe(),
        program: service.program.clone(),
        arguments: service.arguments.clone(),
        directory: service.directory.clone(),
        restart: service.restart,
        environment,
    })
}

/// Connects to the user manager; its absence is what is most likely wrong where nobody is logged in.
///
/// # Errors
/// [`Failure::NoManager`].
pub async fn connect(runtime: &RuntimeDir, deadline: Duration) -> Result<Manager, Failure> {
    let connected = timeout(deadline, Manager::connect(runtime)).await;
    let connected = connected.map_err(|_| Failure::NoManager("no answer".to_owned()))?;
    connected.map_err(|error| Failure::NoManager(error.to_string()))
}

/// Where the cookie of a display is.
#[must_use]
pub fn authority(runtime: &RuntimeDir, display: Display) -> PathBuf {
    runtime.authority(display)
}
