//! A command on a display, as xvfb-run(1) runs it: as a child of ours, with our terminal, directory, descriptors and
//! environment, and with its exit status as ours; and as a unit, a scope, of the user manager.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
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
use crate::os::{self, Held, Pid, ReceivedSignal, TakenSignals};
use crate::program;
pub use crate::program::search_path;
use crate::runtime_dir::RuntimeDir;
use crate::x11::display::Display;

/// What we are told is for the command.
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

    /// Forks its process, which waits to be let go.
    pub(super) fn hold(&self, display: Display, authority: &Path, taken: &TakenSignals) -> io::Result<Held> {
        self.hold_with(&environment(&of_display(display, authority)), taken)
    }

    /// As [`hold`](Self::hold), with this environment.
    pub(super) fn hold_with(&self, environment: &[CString], taken: &TakenSignals) -> io::Result<Held> {
        os::hold(&os::Command { program: &self.program, arguments: &self.arguments, environment, mask: &taken.mask })
    }

    /// Lets it go.
    pub(super) fn release(&self, held: Held) -> Result<Pid, Failure> {
        held.release().map_err(|error| Failure::NotExecutable(self.name.clone(), error))
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
        // The session may not be there yet; if there is one, it outlasts the command.
        properties.extend(transient::bound_to(&settings.unit(), &[&names::display_session(display)]));
        Ok((manager.start_transient_unit(&unit, properties).await?, unit))
    }
}

/// Ours, with the display's variables in place of others.
fn environment(variables: &Block) -> Vec<CString> {
    let ours = std::env::vars_os().filter(|(name, _)| {
        name.to_str().is_none_or(|name| !variables.contains_key(name) && !policy::is_tagged(Tag::OtherDisplay, name))
    });
    let display = variables.iter().map(|(name, value)| (name.into(), value.into()));
    let entry =
        |(name, value): (OsString, OsString)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok();
    ours.chain(display).filter_map(entry).collect()
}

/// Takes the signals that are for the command; to be called first of all.
///
/// # Errors
/// Out of descriptors.
pub fn take_signals() -> io::Result<TakenSignals> {
    TakenSignals::take(&FORWARDED)
}

/// Runs a command on a display that is there already. Returns its exit status as a shell counts: 128 and the signal's
/// number if it was killed.
///
/// # Errors
/// [`Failure`]: it has not run.
pub async fn on(
    runtime: &RuntimeDir,
    manager: &Manager,
    display: Display,
    command: &Command,
    taken: &TakenSignals,
    deadlines: &Deadlines,
) -> Result<u8, Failure> {
    let settings = claim::settings(runtime, display)?.ok_or(Failure::Unknown(display))?;
    // To a server that is not up the scope would be bound in vain, and a socket that is armed would start it.
    let state = manager.state(&settings.unit()).await?;
    if state.active != "active" || state.is_going_down() {
        return Err(Failure::NotReady(display));
    }
    let held = command.hold(display, &runtime.authority(display), taken)?;
    let scope = command.scope(manager, &settings, held.pid, deadlines);
    in_scope(manager, command, held, scope, taken).await
}

/// Lets a command go when the scope around it is there, and waits for its end. `scope` queues it, and returns its job and its
/// name.
pub(super) async fn in_scope(
    manager: &Manager,
    command: &Command,
    held: Held,
    scope: impl Future<Output = Result<(OwnedObjectPath, String), CallError>>,
    taken: &TakenSignals,
) -> Result<u8, Failure> {
    let job = async {
        // First, or the job's end could be missed.
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

    /// Waits for its end, and hands on what we are told meanwhile. Returns its status as a shell counts. May be dropped
    /// while it waits.
    pub(super) async fn ended(&mut self, taken: &TakenSignals) -> Result<u8, Failure> {
        loop {
            tokio::select! {
                biased;
                _ = self.pidfd.readable() => {}
                came = taken.next() => forward(self.pid, came?),
            }
            match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, status)) => return Ok(u8::try_from(status).unwrap_or(u8::MAX)),
                Ok(WaitStatus::Signaled(_, signal, _)) => {
                    return Ok(128_u8.saturating_add(u8::try_from(signal as i32).unwrap_or(u8::MAX)));
                }
                Ok(_) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
    }
}

/// A key on the terminal has reached the command as well, and so has what was for our process group, unless the command has
/// left that, as timeout(1) does.
fn forward(pid: Pid, came: ReceivedSignal) {
    let is_in_our_group = || getpgid(Some(pid)).is_ok_and(|group| group == getpgrp());
    if !(came.from_terminal || came.to_group && is_in_our_group()) {
        // Not waited for yet, so the pid is still its own; that it has ended is not an error.
        let _ = kill(pid, came.signal);
    }
}
