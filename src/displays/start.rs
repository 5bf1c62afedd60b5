//! The start of a display, on the side of the process that requests it.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;
use zbus::OwnedObjectPath;

use super::claim::{Claim, ClaimState};
use super::handover::Offer;
use super::request::{DisplayRequest, next};
use super::{Failure, end};
use crate::config::Ready;
use crate::deadline::Deadlines;
use crate::files::NotWritten;
use crate::manager::{Manager, Mode, NoManager, Signal, Signals, names};
use crate::runtime_dir::RuntimeDir;
use crate::x11::cookie::Cookie;
use crate::x11::display::{Display, SOCKET_DIR};
use crate::x11::managed::Watch;
use crate::x11::number::Number;
use crate::x11::occupied;
use crate::x11::xauthority;

/// Starts a display, and holds its claim until it is up.
pub struct Starter<'a> {
    /// Our directories.
    pub runtime: &'a RuntimeDir,
    /// The user's manager.
    pub manager: &'a Manager,
    /// The deadlines.
    pub deadlines: &'a Deadlines,
    /// The request.
    pub request: &'a DisplayRequest,
    /// The claim to the number, once there is one.
    claim: Option<Claim>,
    /// The number itself, until its supervisor has it.
    number: Option<Number>,
    /// The number.
    display: Option<Display>,
}

impl<'a> Starter<'a> {
    /// A start that has not begun.
    #[must_use]
    pub fn new(
        runtime: &'a RuntimeDir,
        manager: &'a Manager,
        deadlines: &'a Deadlines,
        request: &'a DisplayRequest,
    ) -> Self {
        Self { runtime, manager, deadlines, request, claim: None, number: None, display: None }
    }

    /// Starts the display. Returns its number when its server answers and its session, if it has one, manages it.
    ///
    /// # Errors
    /// [`Failure`]; nothing is left behind then.
    pub async fn bring_up(&mut self) -> Result<Display, Failure> {
        occupied::check_socket_dir(Path::new(SOCKET_DIR))?;
        end::repair_all(self.runtime, self.manager).await;
        let mut signals = self.manager.signals().await?;
        let mut from = self.request.display.unwrap_or(self.request.first);
        loop {
            let (number, claim, settings) = self.request.claim(self.runtime, self.deadlines, from)?;
            let display = settings.display;
            (self.number, self.claim, self.display) = (Some(number), Some(claim), Some(display));
            let outcome = self.attempt(display, &mut signals).await;
            let Err(failure) = outcome else { return Ok(display) };
            self.take_down().await;
            // Another server, one without a lock file, was slightly faster: try the next number.
            let lost = self.request.display.is_none() && !occupied::look(display).is_ok_and(|taken| taken.is_free());
            match next(display) {
                Some(next) if lost => from = next,
                _ => return Err(failure),
            }
        }
    }

    /// Undoes the start, however far it came. Returns when all is gone.
    pub async fn take_down(&mut self) {
        let Some(display) = self.display.take() else { return };
        if let Err(error) = end::stop_units(self.manager, &end::units(display, false)).await {
            let which = display;
            tracing::warn!("display {which} cannot be ended: {error}");
        }
        self.number = None;
        if let Some(claim) = self.claim.take() {
            claim.remove(self.runtime);
        }
    }

    /// Why the display ended, if it ended by itself.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        ClaimState::read(self.runtime, self.display?).failed
    }

    async fn attempt(&mut self, display: Display, signals: &mut Signals) -> Result<(), Failure> {
        let authority = self.runtime.authority(display);
        let written = xauthority::ensure(&authority, display);
        let cookie = written.map_err(|error| NotWritten::new(&authority, error))?;
        let service = names::display_service(display);
        let offer = Offer::make(self.runtime, display).map_err(|error| {
            let path = self.runtime.handover(display);
            NotWritten::new(&path, error)
        })?;
        let job = self.manager.start(&service, Mode::Replace).await?;
        // The supervisor has its own deadlines; this one is for a manager that does not start the supervisor.
        let patience = self.deadlines.server_ready + self.deadlines.server_stop + self.deadlines.user_manager;
        let done = async {
            let give = async {
                if let Some(number) = &self.number {
                    offer.give(number).await;
                }
                std::future::pending().await
            };
            tokio::select! {
                biased;
                done = timeout(patience, self.job_done(&job, &service, signals)) => done,
                () = give => unreachable!("it never ends"),
            }
        };
        let late = |_| Failure::NotStarted { unit: service.clone(), result: "timeout".to_owned() };
        done.await.map_err(late)??;
        drop(offer);
        // The unit is up, so its supervisor has the number.
        if let Some(number) = self.number.take() {
            number.hand_over();
        }
        if self.request.session.is_some() {
            self.session_is_up(display, &cookie, signals).await?;
        }
        Ok(())
    }

    async fn job_done(&self, job: &OwnedObjectPath, unit: &str, signals: &mut Signals) -> Result<(), Failure> {
        let result = signals.job_done(job).await;
        let result = result.ok_or_else(NoManager::lost)?;
        if result == "done" {
            return Ok(());
        }
        if let Some(display) = self.display.filter(|_| result == "dependency") {
            // The supervisor cannot be asked yet: its socket does not exist.
            let socket = names::display_socket(display);
            let result = self.manager.socket_result(&socket).await.unwrap_or(result);
            return Err(Failure::NotStarted { unit: socket, result });
        }
        Err(self.why().map_or(Failure::NotStarted { unit: unit.to_owned(), result }, Failure::ServerFailed))
    }

    /// Waits until the session manages the display, or is started if that is enough, or has ended.
    async fn session_is_up(&self, display: Display, cookie: &Cookie, signals: &mut Signals) -> Result<(), Failure> {
        let service = names::display_service(display);
        let ended = async {
            loop {
                let server = self.manager.state(&service).await?;
                if server.is_down() || server.is_going_down() {
                    let why = self.why().unwrap_or_else(|| format!("the session on display {display} has ended"));
                    return Err(Failure::SessionFailed(why));
                }
                if signals.next().await == Signal::Lost {
                    return Err(NoManager::lost().into());
                }
            }
        };
        tokio::select! {
            up = managed(display, cookie, self.request.ready, self.deadlines.window_manager) => up,
            ended = ended => ended,
        }
    }
}

/// Returns when a window manager manages the display, or at once if the request does not wait for that. Pending if the
/// server ends.
///
/// # Errors
/// [`Failure::NotManaged`].
pub async fn managed(display: Display, cookie: &Cookie, ready: Ready, deadline: Duration) -> Result<(), Failure> {
    if ready == Ready::Started {
        return Ok(());
    }
    let managed = async {
        let watch = async { Watch::connect(display, cookie).await?.managed().await };
        if watch.await.is_err() {
            // The server is ending, which is reported elsewhere.
            std::future::pending::<()>().await;
        }
    };
    let late = || Failure::NotManaged(display, deadline, names::display_session(display));
    timeout(deadline, managed).await.map_err(|_| late())
}
