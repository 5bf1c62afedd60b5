//! A command on a display, run as by xvfb-run(1): as our child, with our terminal, directory, descriptors and
//! environment, and with its exit status as ours; and in a scope of the user manager.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{getpgid, getpgrp};
use tokio::io::unix::AsyncFd;
use zbus::OwnedObjectPath;

use super::claim::ClaimSettings;
use super::{Failure, claim};
use crate::dbus::CallError;
use crate::deadline::Deadlines;
use crate::environment::policy::{self, Tag};
use crate::environment::{Block, of_display};
use crate::manager::{Manager, NoManager, names, transient};
use crate::os::{self, Held, Pid, Reaper, ReceivedSignal, TakenSignals};
use crate::program;
pub use crate::program::search_path;
use crate::runtime_dir::RuntimeDir;
use crate::x11::display::Display;

/// The signals that we pass on to the command.
const FORWARDED: [Signal; 6] =
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2];

/// A command to run.
pub struct Command {
    program: CString,
    arguments: Vec<CString>,
    name: String,
}

impl Command {
    /// Finds the program of a command, which is not empty.
    ///
    /// # Errors
    /// [`Failure::NoCommand`], [`Failure::NotExecutable`].
    pub fn find(words: &[OsString], search: &OsStr) -> Result<Self, Failure> {
        let word = words.first().map(OsString::as_os_str).unwrap_or_default();
        let name = word.to_string_lossy().into_owned();
        let path =
            if word.as_bytes().contains(&b'/') { Some(PathBuf::from(word)) } else { program::find_here(word, search) };
        let path = path.ok_or_else(|| Failure::NoCommand(name.clone()))?;
        let c_string = |text: &OsStr| CString::new(text.as_bytes()).map_err(io::Error::from);
        let arguments = words.iter().map(|word| c_string(word)).collect::<io::Result<Vec<_>>>()?;
        Ok(Self { program: c_string(path.as_os_str())?, arguments, name })
    }

    /// Forks its process, which waits until it is released.
    pub(super) fn hold(&self, display: Display, authority: &Path, taken: &TakenSignals) -> io::Result<Held> {
        self.hold_with(&environment(&of_display(display, authority)), taken)
    }

    /// Like [`hold`](Self::hold), with this environment.
    pub(super) fn hold_with(&self, environment: &[CString], taken: &TakenSignals) -> io::Result<Held> {
        os::hold(&self.image(environment, taken, false))
    }

    /// Forks a reaper, which forks the process and holds it. `patience` and `work` are as for [`os::reaper`].
    pub(super) fn hold_without_manager(
        &self,
        variables: &Block,
        taken: &TakenSignals,
        patience: Duration,
        work: impl FnOnce(),
    ) -> io::Result<Reaper> {
        os::reaper(&self.image(&environment(variables), taken, true), patience, work)
    }

    fn image<'a>(
        &'a self,
        environment: &'a [CString],
        taken: &'a TakenSignals,
        ends_with_parent: bool,
    ) -> os::Command<'a> {
        let (program, arguments) = (&self.program, &self.arguments);
        os::Command { program, arguments, environment, mask: &taken.mask, ends_with_parent }
    }

    /// The failure that the program cannot be executed.
    pub(super) fn not_executable(&self, error: io::Error) -> Failure {
        Failure::NotExecutable(self.name.clone(), error)
    }

    /// Releases it.
    pub(super) fn release(&self, held: Held) -> Result<Pid, Failure> {
        held.release().map_err(|error| self.not_executable(error))
    }

    /// Queues the scope around it; returns its job and its name.
    pub(super) async fn scope(
        &self,
        manager: &Manager,
        settings: &ClaimSettings,
        pid: Pid,
        deadlines: &Deadlines,
    ) -> Result<(OwnedObjectPath, String), CallError> {
        let display = settings.display;
        let unit = names::display_command(display, pid);
        let description = format!("{}, on display {display}", crate::text::one_line(&self.name));
        let mut properties = transient::scope(description, &[pid], "app.slice", deadlines.applications);
        // The session may not be up yet; if there is one, it must outlast the command.
        properties.extend(transient::bound_to(&settings.unit(), &[&names::display_session(display)]));
        Ok((manager.start_transient_unit(&unit, properties).await?, unit))
    }
}

/// Our environment, with the display's variables in place of ours.
fn environment(variables: &Block) -> Vec<CString> {
    let ours = std::env::vars_os().filter(|(name, _)| {
        name.to_str().is_none_or(|name| !variables.contains_key(name) && !policy::is_tagged(Tag::OtherDisplay, name))
    });
    let display = variables.iter().map(|(name, value)| (name.into(), value.into()));
    let entry =
        |(name, value): (OsString, OsString)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok();
    ours.chain(display).filter_map(entry).collect()
}

/// Catches the signals that are for the command; to be called first.
///
/// # Errors
/// Out of descriptors.
pub fn take_signals() -> io::Result<TakenSignals> {
    TakenSignals::take(&FORWARDED)
}

/// Runs a command on a display that is up. Returns its exit status as shells define it: 128 plus the signal's
/// number if it was killed.
///
/// # Errors
/// [`Failure`]: it did not run.
pub async fn on(
    runtime: &RuntimeDir,
    manager: &Manager,
    display: Display,
    command: &Command,
    taken: &TakenSignals,
    deadlines: &Deadlines,
) -> Result<u8, Failure> {
    let settings = claim::settings(runtime, display)?.ok_or(Failure::Unknown(display))?;
    // A scope bound to a server that is not up would end at once, and a connection to an armed socket would start the
    // server.
    let state = manager.state(&settings.unit()).await?;
    if state.active != "active" || state.is_going_down() {
        return Err(Failure::NotReady(display));
    }
    let held = command.hold(display, &runtime.authority(display), taken)?;
    let scope = command.scope(manager, &settings, held.pid, deadlines);
    in_scope(manager, command, held, scope, taken).await
}

/// Releases a command when its scope is up, and waits for its end. `scope` queues the scope, and returns its job and
/// its name.
pub(super) async fn in_scope(
    manager: &Manager,
    command: &Command,
    held: Held,
    scope: impl Future<Output = Result<(OwnedObjectPath, String), CallError>>,
    taken: &TakenSignals,
) -> Result<u8, Failure> {
    let job = async {
        // First, because otherwise the job's end could be missed.
        let mut signals = manager.signals().await?;
        let (job, unit) = scope.await?;
        match signals.job_done(&job).await {
            Some(result) if result == "done" => Ok(()),
            Some(result) => Err(Failure::NotStarted { unit, result }),
            None => Err(NoManager::lost().into()),
        }
    };
    tokio::select! {
        biased;
        job = job => job?,
        came = taken.next() => return Err(Failure::Interrupted(came?.signal as i32)),
    }
    let pid = command.release(held)?;
    Waiting::new(pid)?.ended(taken).await
}

/// Waits for a command.
pub(super) struct Waiting {
    pid: Pid,
    pidfd: AsyncFd<OwnedFd>,
}

impl Waiting {
    pub(super) fn new(pid: Pid) -> io::Result<Self> {
        Ok(Self { pid, pidfd: os::watch(os::pidfd_open(pid)?)? })
    }

    /// Waits for its end, and passes on signals in the meantime. Returns its status as shells define it. May be dropped
    /// while it waits.
    pub(super) async fn ended(&mut self, taken: &TakenSignals) -> Result<u8, Failure> {
        loop {
            tokio::select! {
                biased;
                _ = self.pidfd.readable() => {}
                came = taken.next() => forward(self.pid, came?),
            }
            match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)) {
                Ok(how) => {
                    if let Some(status) = os::exit_status(how) {
                        return Ok(status);
                    }
                }
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
    }
}

fn forward(pid: Pid, came: ReceivedSignal) {
    if !has_reached(pid, came) {
        // It was not waited for yet, so the pid is still its own; if it has ended, that is not an error.
        let _ = kill(pid, came.signal);
    }
}

/// A signal from the terminal's keys, or for our process group, has reached the command as well, unless the command has
/// left the group, as timeout(1) does.
pub(super) fn has_reached(pid: Pid, came: ReceivedSignal) -> bool {
    let is_in_our_group = || getpgid(Some(pid)).is_ok_and(|group| group == getpgrp());
    came.from_terminal || came.to_group && is_in_our_group()
}
