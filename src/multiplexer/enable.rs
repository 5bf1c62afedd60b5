//! `startxd enable multiplexer`: a session that runs from the boot on, whether or not anybody is logged in.
//!
//! Three things, each recorded if it is a change: the unit is enabled for `multiplexer.target`, the target for
//! `default.target`, and the user lingers. Every possible refusal is checked before the first change; if one comes
//! later, the changes are undone.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::name::{BadName, Kind, Name, TARGET, TMUX_SERVER};
use super::remembered::{self, Remembered};
use super::service::{self, Failed};
use crate::deadline::Deadlines;
use crate::logind::{self, linger};
use crate::manager::{Manager, Mode, NoManager};
use crate::records::Record;
use crate::runtime_dir::{NoRuntimeDir, RuntimeDir};

/// Where systemd looks for the programs of units (systemd.exec(5), `ExecSearchPath=`).
const PROGRAMS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Why nothing was set up, or undone. Nothing was changed then, unless the message says so.
#[derive(Debug, Error)]
#[allow(clippy::missing_docs_in_private_items, reason = "each variant's sentence is its documentation")]
pub enum NotEnabled {
    #[error("a multiplexer is set up by the user who will own it: run this as that user, not as root")]
    Root,
    #[error("{0}")]
    Name(#[from] BadName),
    #[error("{0}")]
    NoRuntimeDir(#[from] NoRuntimeDir),
    #[error("{0}")]
    NoManager(#[from] NoManager),
    #[error("{0} is not installed where systemd looks for programs (such as /usr/bin and /usr/local/bin); install it")]
    NotInstalled(Kind),
    #[error("the user unit {unit} is missing ({why}); if startxd was just installed: systemctl --user daemon-reload")]
    NoUnit { unit: String, why: String },
    #[error("{0} is masked; first run: systemctl --user unmask {0}")]
    Masked(String),
    #[error("{0}")]
    Other(#[from] Failed),
    #[error(
        "{user} may not linger ({why}), and without it the user manager ends with the last login; run this as root, then \
         try again: loginctl enable-linger {user}"
    )]
    NoLinger { user: String, why: String },
    #[error("the user manager refused ({0}); nothing was changed")]
    Refused(String),
    #[error("{unit} could not be started ({why}), and nothing was changed; see: journalctl --user -b -u {unit}")]
    NotStarted { unit: String, why: String },
    #[error("{} cannot be used: {error}; check the path and the free space", path.display())]
    State { path: PathBuf, error: io::Error },
    #[error("HOME is not set, so there is no place for the record of what was set up; log in again")]
    NoHome,
    #[error("startxd has not enabled that multiplexer; it has enabled: {0}")]
    Nothing(String),
    #[error("startxd has not enabled a multiplexer")]
    NothingAtAll,
}

/// What will be set up.
pub struct EnablePlan {
    /// The user.
    pub user: String,
    /// The multiplexer.
    pub kind: Kind,
    /// Its session.
    pub name: Name,
    /// Its unit.
    pub unit: String,
    /// What still has to be enabled: the unit, the target.
    pub enable: Vec<String>,
    /// Whether lingering has to be turned on.
    pub linger: bool,
    runs: bool,
    manager: Manager,
    before: Remembered,
    path: PathBuf,
}

/// Finds out what has to be done, and whether it can be.
///
/// # Errors
/// [`NotEnabled`].
pub async fn plan(kind: Kind, name: Option<&str>, deadlines: &Deadlines) -> Result<EnablePlan, NotEnabled> {
    let user = user()?;
    let name = Name::or_default(kind, name)?;
    if !is_installed(kind) {
        return Err(NotEnabled::NotInstalled(kind));
    }
    let (path, before) = remembered()?;
    let manager = manager(deadlines).await?;
    let unit = kind.unit(&name);
    let mut enable = Vec::new();
    for one in [unit.as_str(), TARGET] {
        match manager.unit_file_state(one).await {
            Ok(state) if state.starts_with("masked") => return Err(NotEnabled::Masked(one.to_owned())),
            Ok(state) if matches!(state.as_str(), "enabled" | "alias" | "static") => {}
            Ok(_) => enable.push(one.to_owned()),
            Err(error) => return Err(NotEnabled::NoUnit { unit: one.to_owned(), why: error.to_string() }),
        }
    }
    let server = if kind == Kind::Tmux { TMUX_SERVER } else { unit.as_str() };
    // A unit that waits to be restarted is not up: something may be in its way.
    let is_up = async |unit: &str| manager.state(unit).await.is_ok_and(|state| state.active == "active");
    let (runs, server_runs) = (is_up(&unit).await, is_up(server).await);
    if !server_runs {
        service::check(kind, Some(name.as_str())).await?;
    }
    let linger = !linger::lingers(&user);
    Ok(EnablePlan { user, kind, name, unit, enable, linger, runs, manager, before, path })
}

impl EnablePlan {
    /// Does it. Returns when the session is up.
    ///
    /// # Errors
    /// [`NotEnabled`]; the changes so far are undone.
    pub async fn apply(self, deadlines: &Deadlines) -> Result<Self, NotEnabled> {
        if self.linger {
            let refused = |why: String| NotEnabled::NoLinger { user: self.user.clone(), why };
            set_linger(true).await.map_err(refused)?;
        }
        let done = self.set_up(deadlines).await;
        if done.is_err() {
            self.take_back().await;
        }
        done.map(|()| self)
    }

    /// Everything except lingering.
    async fn set_up(&self, deadlines: &Deadlines) -> Result<(), NotEnabled> {
        // Recorded first, because the changes may be interrupted.
        let mut now = self.before.clone();
        now.linger |= self.linger;
        now.target |= self.enable.iter().any(|unit| unit == TARGET);
        now.units.extend(self.enable.iter().filter(|unit| *unit != TARGET).cloned());
        now.keep_or_remove(&self.path).map_err(|error| NotEnabled::State { path: self.path.clone(), error })?;
        let units: Vec<&str> = self.enable.iter().map(String::as_str).collect();
        if !units.is_empty() {
            self.manager.enable(&units).await.map_err(|error| NotEnabled::Refused(error.to_string()))?;
        }
        let not_started = |why: String| NotEnabled::NotStarted { unit: self.unit.clone(), why };
        // The unit's own job first: the target's job succeeds even if the units that it wants fail.
        let start = self.manager.start(&self.unit, Mode::Replace);
        self.manager.done(start, deadlines.stop).await.map_err(not_started)?;
        let target = self.manager.until_done(self.manager.start(TARGET, Mode::Replace)).await;
        target.map(|_| ()).map_err(|error| not_started(error.to_string()))
    }

    /// Undoes what [`set_up`](Self::set_up) may have done.
    async fn take_back(&self) {
        let units: Vec<&str> = self.enable.iter().map(String::as_str).collect();
        if !units.is_empty()
            && let Err(error) = self.manager.disable(&units).await
        {
            tracing::warn!("{} stays enabled: {error}", units.join(" "));
        }
        if !self.runs {
            // It may be about to be restarted.
            let _ = self.manager.until_done(self.manager.stop(&self.unit, Mode::Replace)).await;
        }
        let _ = self.manager.reset_failed(&self.unit).await;
        if self.linger
            && let Err(error) = set_linger(false).await
        {
            tracing::warn!("{} still lingers ({error}); run: loginctl disable-linger", self.user);
        }
        if let Err(error) = self.before.keep_or_remove(&self.path) {
            tracing::warn!("{}: {error}", self.path.display());
        }
    }
}

/// What was undone.
#[derive(Debug, Default)]
pub struct TakenBack {
    /// The units that are no longer enabled.
    pub units: Vec<String>,
    /// Those of them that keep running.
    pub running: Vec<String>,
    /// Whether the target is no longer enabled.
    pub target: bool,
    /// Whether lingering was turned off, or why that was refused.
    pub linger: Option<Result<(), String>>,
    /// The user.
    pub user: String,
}

/// Undoes what was set up for a multiplexer, for one session of it, or for all; with `dry_run` only returns what that
/// is.
///
/// # Errors
/// [`NotEnabled`].
pub async fn disable(
    kind: Option<Kind>,
    name: Option<&str>,
    dry_run: bool,
    deadlines: &Deadlines,
) -> Result<TakenBack, NotEnabled> {
    let user = user()?;
    let only = match (kind, name) {
        (Some(kind), Some(name)) => Some(kind.unit(&Name::parse(kind, name)?)),
        _ => None,
    };
    let (path, mut set) = remembered()?;
    let prefix = kind.map(|kind| format!("{kind}@"));
    let asked = |unit: &String| {
        only.as_ref().is_none_or(|only| only == unit) && prefix.as_ref().is_none_or(|prefix| unit.starts_with(prefix))
    };
    let (units, rest): (Vec<String>, Vec<String>) = set.units.clone().into_iter().partition(asked);
    // After an interrupted disable, the record may name units that no longer exist.
    if units.is_empty() && (kind.is_some() || (!set.target && !set.linger)) {
        return Err(if rest.is_empty() { NotEnabled::NothingAtAll } else { NotEnabled::Nothing(rest.join(", ")) });
    }
    let manager = manager(deadlines).await?;
    let refused = |error: crate::dbus::CallError| NotEnabled::Refused(error.to_string());
    let mut taken = TakenBack { user, ..TakenBack::default() };
    for unit in &units {
        if !dry_run {
            manager.disable(&[unit]).await.map_err(refused)?;
        }
        if manager.state(unit).await.is_ok_and(|state| !state.is_down()) {
            taken.running.push(unit.clone());
        }
    }
    (taken.units, set.units) = (units, rest);
    if set.units.is_empty() && set.target {
        // The user's own units may want it by now.
        let wanted = manager.wanted_by(TARGET).await.map_err(refused)?;
        let others = wanted.iter().any(|unit| unit.ends_with(".service") && !taken.units.contains(unit));
        if !others {
            if !dry_run {
                manager.disable(&[TARGET]).await.map_err(refused)?;
            }
            taken.target = true;
        }
        set.target = false;
    }
    if set.units.is_empty() && set.linger {
        let off = if dry_run { Ok(()) } else { set_linger(false).await };
        set.linger = off.is_err();
        taken.linger = Some(off);
    }
    if !dry_run {
        set.keep_or_remove(&path).map_err(|error| NotEnabled::State { path, error })?;
    }
    Ok(taken)
}

fn user() -> Result<String, NotEnabled> {
    let uid = nix::unistd::geteuid();
    if uid.is_root() {
        return Err(NotEnabled::Root);
    }
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    Ok(user.map_or_else(|| uid.to_string(), |user| user.name))
}

fn remembered() -> Result<(PathBuf, Remembered), NotEnabled> {
    let path = remembered::path().ok_or(NotEnabled::NoHome)?;
    let before = Remembered::kept(&path).map_err(|error| NotEnabled::State { path: path.clone(), error })?;
    Ok((path, before))
}

/// Whether units find the program.
#[must_use]
pub fn is_installed(kind: Kind) -> bool {
    PROGRAMS.iter().any(|directory| crate::program::is_executable(&Path::new(directory).join(kind.program())))
}

async fn set_linger(enable: bool) -> Result<(), String> {
    let system = logind::connect().await.map_err(|error| error.to_string())?;
    linger::set(&system, enable).await.map_err(|error| error.to_string())
}

/// The user manager, once it has answered.
pub(super) async fn manager(deadlines: &Deadlines) -> Result<Manager, NotEnabled> {
    Ok(Manager::connect_proven(&RuntimeDir::find()?, deadlines.user_manager).await?)
}

#[cfg(test)]
impl EnablePlan {
    /// An example for tests of the messages.
    pub(crate) fn example(kind: Kind, name: Option<&str>, enable: Vec<String>, linger: bool, manager: Manager) -> Self {
        let (name, user) = (Name::or_default(kind, name).expect("a name"), "ada".to_owned());
        let (unit, before, path) = (kind.unit(&name), Remembered::default(), PathBuf::new());
        Self { user, kind, name, unit, enable, linger, runs: false, manager, before, path }
    }
}
