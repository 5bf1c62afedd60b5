//! `startxd enable wm` and `startxd disable wm`.
//!
//! Every possible refusal is checked before the first change; if one comes later, the changes are undone.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::record::{self, WrittenUnit, WrittenUnits, has_text};
use super::unit::{ManagerUnit, unit};
use crate::deadline::Deadlines;
use crate::manager::{Manager, NoManager};
use crate::records::Record;
use crate::runtime_dir::{NoRuntimeDir, RuntimeDir};
use crate::session::known::{KNOWN, known};
use crate::session::{NoSession, Surroundings, choose_by_name, entries, offers};
use crate::{files, text, xdg};

/// Why nothing was set up, or undone. Nothing was changed then.
#[derive(Debug, Error)]
#[allow(clippy::missing_docs_in_private_items, reason = "each variant's sentence is its documentation")]
pub enum NotEnabled {
    #[error("a window manager is set up by the user who will use it: run this as that user, not as root")]
    Root,
    #[error("{0}")]
    NoRuntimeDir(#[from] NoRuntimeDir),
    #[error("{0}")]
    NoManager(#[from] NoManager),
    #[error("{0}")]
    NoSession(#[from] NoSession),
    #[error("no window manager was found; install one, openbox or i3 for example, and run this again")]
    NoneInstalled,
    #[error("more than one window manager is installed; choose one:")]
    Several(Vec<String>),
    #[error("{0} is a startup file, not a window manager; startxd start runs it without a unit")]
    NoManagers(String),
    #[error(
        "{} was not written by startxd, or was edited since, so startxd does not change it; to use it: systemctl --user enable \
         {unit}; to replace it, first move it away: mv {} {}.old",
        text::path(path),
        word(path),
        word(path)
    )]
    NotOurs { path: PathBuf, unit: String },
    #[error("the user unit {unit} exists already ({state}); to use it: systemctl --user enable {unit}")]
    Exists { unit: String, state: String },
    #[error("{0} is masked; first run: systemctl --user unmask {0}")]
    Masked(String),
    #[error("{} is already enabled as the window manager; first run: systemctl --user disable {}", .0.join(", "), .0.join(" "))]
    Others(Vec<String>),
    #[error("the user manager refused ({0}); nothing was changed")]
    Refused(String),
    #[error("{} cannot be used: {error}; check the path and the free space", text::path(path))]
    File { path: PathBuf, error: io::Error },
    #[error("HOME is not set, so there is no place for the unit; log in again")]
    NoHome,
    #[error("startxd has not enabled a window manager{0}")]
    Nothing(String),
}

/// What will be set up.
pub struct EnablePlan {
    /// Its name on the command line.
    pub session: String,
    /// The unit.
    pub unit: ManagerUnit,
    /// Its file.
    pub path: PathBuf,
    /// Whether the file has to be written.
    pub write: bool,
    /// Whether the unit has to be enabled.
    pub enable: bool,
    /// Units that startxd has written and that it replaces.
    pub replaces: Vec<String>,
    /// Whether a session with it is up.
    pub runs: bool,
    made_before: Vec<PathBuf>,
    manager: Manager,
    record: (PathBuf, WrittenUnits),
}

/// Finds out what has to be done, and whether it is possible. Without a name, for the window manager that is installed.
///
/// # Errors
/// [`NotEnabled`].
pub async fn plan(name: Option<&str>, around: &Surroundings, deadlines: &Deadlines) -> Result<EnablePlan, NotEnabled> {
    if nix::unistd::geteuid().is_root() {
        return Err(NotEnabled::Root);
    }
    let name = match name {
        Some(name) => name.to_owned(),
        None => the_one(installed(around))?,
    };
    let choice = choose_by_name(&name, around)?;
    let unit = unit(&name, &choice, |program| around.find(program));
    let unit = unit.ok_or_else(|| NotEnabled::NoManagers(name.clone()))?;
    let path = xdg::CONFIGURATION.own(xdg::variable).ok_or(NotEnabled::NoHome)?.join("systemd/user").join(&unit.name);
    let record = record()?;
    let manager = manager(deadlines).await?;
    let before = record.1.find(&unit.name);
    let is_ours = before.is_some_and(WrittenUnit::is_unchanged) || has_text(&path, &unit.text);
    let state = manager.unit_file_state(&unit.name).await.ok();
    if state.as_ref().is_some_and(|state| state.starts_with("masked")) {
        return Err(NotEnabled::Masked(unit.name));
    }
    if !is_ours && path.symlink_metadata().is_ok() {
        return Err(NotEnabled::NotOurs { path, unit: unit.name });
    }
    if let (false, Some(state)) = (is_ours, &state) {
        return Err(NotEnabled::Exists { unit: unit.name, state: state.clone() });
    }
    let others = others(&manager, &unit.name, around).await?;
    let (replaces, others): (Vec<String>, _) = others.into_iter().partition(|other| record.1.find(other).is_some());
    if !others.is_empty() {
        return Err(NotEnabled::Others(others));
    }
    Ok(EnablePlan {
        session: name,
        write: !has_text(&path, &unit.text),
        enable: state.is_none_or(|state| state != "enabled"),
        runs: is_up(&manager, &unit.name).await,
        made_before: before.map(|unit| unit.directories.clone()).unwrap_or_default(),
        unit,
        path,
        replaces,
        manager,
        record,
    })
}

impl EnablePlan {
    /// Does it.
    ///
    /// # Errors
    /// [`NotEnabled`]; the changes so far are undone.
    pub async fn apply(self) -> Result<Self, NotEnabled> {
        let missing = missing(self.path.parent().unwrap_or(Path::new("/")));
        let written = WrittenUnit {
            name: self.unit.name.clone(),
            path: self.path.clone(),
            text: self.unit.text.clone(),
            directories: [self.made_before.clone(), missing.clone()].concat(),
        };
        let (record_path, before) = &self.record;
        let mut now = before.clone();
        now.units.retain(|unit| unit.name != written.name);
        now.units.push(written.clone());
        // Recorded first, because the changes may be interrupted.
        now.keep_or_remove(record_path).map_err(|error| NotEnabled::File { path: record_path.clone(), error })?;
        let done = self.set_up(&missing).await;
        if done.is_err() {
            if self.write && !before.units.iter().any(|unit| unit.name == written.name) {
                let _ = written.remove();
            }
            if let Err(error) = before.keep_or_remove(record_path) {
                tracing::warn!("{}: {error}", text::path(record_path));
            }
            return done.map(|()| self);
        }
        let replaced: Vec<&WrittenUnit> = before.units.iter().filter(|unit| unit.name != written.name).collect();
        for unit in replaced {
            if undo(&self.manager, unit).await? {
                now.hand_on(unit, &written.name);
            }
        }
        now.keep_or_remove(record_path).map_err(|error| NotEnabled::File { path: record_path.clone(), error })?;
        Ok(self)
    }

    async fn set_up(&self, missing: &[PathBuf]) -> Result<(), NotEnabled> {
        let failed = |error| NotEnabled::File { path: self.path.clone(), error };
        for directory in missing {
            DirBuilder::new().mode(0o700).create(directory).map_err(failed)?;
        }
        if self.write {
            files::replace_durably(&self.path, &self.unit.text, 0o600).map_err(failed)?;
        }
        let refused = |error: crate::dbus::CallError| NotEnabled::Refused(error.to_string());
        if self.enable {
            self.manager.enable(&[&self.unit.name]).await.map_err(refused)
        } else {
            self.manager.reload().await.map_err(refused)
        }
    }
}

/// What was undone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// The units that are no longer enabled, and their files.
    pub units: Vec<(String, PathBuf)>,
    /// The files that stay because they were edited.
    pub edited: Vec<PathBuf>,
    /// The units whose files stay until they have ended.
    pub running: Vec<String>,
}

/// Undoes what [`EnablePlan::apply`] did; with `dry_run` only returns what that is.
///
/// # Errors
/// [`NotEnabled`].
pub async fn disable(dry_run: bool, around: &Surroundings, deadlines: &Deadlines) -> Result<Undone, NotEnabled> {
    if nix::unistd::geteuid().is_root() {
        return Err(NotEnabled::Root);
    }
    let (path, mut record) = record()?;
    let manager = manager(deadlines).await?;
    if record.units.is_empty() {
        let others = others(&manager, "", around).await?;
        let there = if others.is_empty() {
            String::new()
        } else {
            format!("; for {}: systemctl --user disable {}", others.join(", "), others.join(" "))
        };
        return Err(NotEnabled::Nothing(there));
    }
    let mut undone = Undone::default();
    for unit in record.units.clone() {
        undone.units.push((unit.name.clone(), unit.path.clone()));
        if unit.path.symlink_metadata().is_ok() && !unit.is_unchanged() {
            undone.edited.push(unit.path.clone());
        } else if is_up(&manager, &unit.name).await {
            undone.running.push(unit.name.clone());
        }
        if !dry_run && undo(&manager, &unit).await? {
            record.units.retain(|one| one.name != unit.name);
            record.keep_or_remove(&path).map_err(|error| NotEnabled::File { path: path.clone(), error })?;
        }
    }
    Ok(undone)
}

/// Disables a unit, and removes its file unless it was edited. Returns whether all is done: a running unit needs its
/// file until it has ended, because after a reload without the file the manager would not know how to end it.
async fn undo(manager: &Manager, unit: &WrittenUnit) -> Result<bool, NotEnabled> {
    let refused = |error: crate::dbus::CallError| NotEnabled::Refused(error.to_string());
    manager.disable(&[&unit.name]).await.map_err(refused)?;
    if is_up(manager, &unit.name).await {
        return Ok(false);
    }
    if unit.path.symlink_metadata().is_ok() {
        unit.remove().map_err(|error| NotEnabled::File { path: unit.path.clone(), error })?;
    }
    manager.reload().await.map_err(refused)?;
    Ok(true)
}

fn the_one(mut installed: Vec<String>) -> Result<String, NotEnabled> {
    match installed.len() {
        0 => Err(NotEnabled::NoneInstalled),
        1 => Ok(installed.remove(0)),
        _ => Err(NotEnabled::Several(installed)),
    }
}

/// The names of the installed window managers for `startxd enable wm`, one for each.
#[must_use]
pub fn installed(around: &Surroundings) -> Vec<String> {
    let files = entries::scan(&around.xsessions);
    let is_offered = |file: &&entries::EntryFile| match entries::read(file, &around.locale) {
        entries::Content::Entry(entry) => {
            let runs = entries::runnable(&entry, None, around).is_ok();
            !entry.no_display && entry.command != [entries::DEFAULT] && runs
        }
        entries::Content::Hidden | entries::Content::Broken(_) => false,
    };
    let ids: Vec<String> = files.iter().filter(is_offered).map(|file| file.id.clone()).collect();
    let entry = |name: &str| ids.iter().find(|id| *id == name).cloned();
    let mut found: Vec<String> = Vec::new();
    for manager in &KNOWN {
        // First its own entry, then those of its variants, then the program.
        let names = [manager.name].into_iter().chain(manager.also.iter().copied());
        let program = || around.find(manager.name).map(|_| manager.name.to_owned());
        found.extend(names.clone().find_map(entry).or_else(program));
    }
    found.extend(ids.into_iter().filter(|id| known(id).is_none()));
    found.sort();
    found
}

/// Other window managers that are enabled for `wm.target`, and would start beside this unit.
async fn others(manager: &Manager, unit: &str, around: &Surroundings) -> Result<Vec<String>, NotEnabled> {
    let ids: Vec<String> = entries::scan(&around.xsessions).into_iter().map(|file| file.id).collect();
    let is_manager = |name: &str| {
        let stem = name.trim_end_matches(".service");
        known(stem).is_some() || ids.iter().any(|id| super::unit::unit_name(id) == name)
    };
    let enabled = offers::enabled(manager).await.map_err(NoSession::from)?;
    let mut others: Vec<String> = enabled.into_iter().map(|(name, _)| name).filter(|name| name != unit).collect();
    others.retain(|name| is_manager(name));
    Ok(others)
}

/// The directories that do not exist, the outermost first.
fn missing(directory: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> =
        directory.ancestors().take_while(|path| !path.exists()).map(Path::to_owned).collect();
    missing.reverse();
    missing
}

fn record() -> Result<(PathBuf, WrittenUnits), NotEnabled> {
    let path = record::path().ok_or(NotEnabled::NoHome)?;
    let record = WrittenUnits::kept(&path).map_err(|error| NotEnabled::File { path: path.clone(), error })?;
    Ok((path, record))
}

async fn is_up(manager: &Manager, unit: &str) -> bool {
    manager.state(unit).await.is_ok_and(|state| !state.is_down())
}

/// The user manager, once it has answered.
async fn manager(deadlines: &Deadlines) -> Result<Manager, NotEnabled> {
    Ok(Manager::connect_proven(&RuntimeDir::find()?, deadlines.user_manager).await?)
}

fn word(path: &Path) -> String {
    text::shell_word(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::{NotEnabled, installed, missing, the_one};
    use crate::desktop_entry::Locale;
    use crate::session::Surroundings;
    use crate::test_dir::TestDir;

    #[test]
    fn each_window_manager_is_offered_once() {
        use std::os::unix::fs::PermissionsExt;
        let directory = TestDir::new();
        let around = Surroundings {
            path: Some(directory.path("bin").into()),
            home: None,
            xinitrc: None,
            xsessions: vec![directory.path("xsessions")],
            locale: Locale::default(),
        };
        for name in ["bin", "xsessions"] {
            std::fs::create_dir(directory.path(name)).unwrap();
        }
        let program = |name: &str| {
            let path = directory.path(format!("bin/{name}"));
            std::fs::write(&path, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        let entry = |id: &str, lines: &str| {
            let text = format!("[Desktop Entry]\nType=Application\nName=N\n{lines}\n");
            std::fs::write(directory.path(format!("xsessions/{id}.desktop")), text).unwrap();
        };
        assert_eq!(installed(&around), [""; 0]);
        program("i3");
        assert_eq!(installed(&around), ["i3"]);
        program("i3-with-shmlog");
        entry("i3", "Exec=i3");
        entry("i3-with-shmlog", "Exec=i3-with-shmlog");
        entry("openbox", "Exec=openbox-session\nTryExec=openbox-session");
        entry("lightdm-xsession", "Exec=default");
        entry("quiet", "Exec=i3\nNoDisplay=true");
        assert_eq!(installed(&around), ["i3"]);
        program("icewm");
        program("icewm-session");
        entry("icewm-session", "Exec=icewm-session");
        entry("own", "Exec=i3 -c own");
        assert_eq!(installed(&around), ["i3", "icewm-session", "own"]);
    }

    #[test]
    fn without_a_name_the_installed_one_is_taken() {
        let the_one = |names: &[&str]| the_one(names.iter().map(|&name| name.to_owned()).collect());
        assert!(matches!(the_one(&[]), Err(NotEnabled::NoneInstalled)));
        assert_eq!(the_one(&["i3"]).unwrap(), "i3");
        assert!(matches!(the_one(&["i3", "twm"]), Err(NotEnabled::Several(names)) if names == ["i3", "twm"]));
    }

    #[test]
    fn missing_directories_are_found() {
        let directory = TestDir::new();
        assert_eq!(missing(&directory.path("a/b")), ["a", "a/b"].map(|name| directory.path(name)));
        assert!(missing(&directory.path("")).is_empty());
    }
}
