//! Autologin on a virtual terminal by its getty: `startxd enable autologin` and `disable autologin`.
//!
//! The only part that runs as root. It writes a drop-in for `getty@ttyN.service`, makes `getty.target` start that at
//! boot, and, with `--profile`, adds a line to the profile of the user's login shell, with the user's rights.
//!
//! | part | what it does |
//! |---|---|
//! | [`person`] | who is logged in |
//! | [`mod@unit`] | what the system's unit files say |
//! | [`agetty`] | the getty's command line |
//! | [`drop_in`] | our file, which records what else was created |
//! | [`profile`] | the line for the login shell |
//! | [`files`] | writing and removing |

pub mod agetty;
pub mod drop_in;
pub mod files;
pub mod person;
pub mod profile;
pub mod unit;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::files::replace_durably;
use crate::unit_file;
use drop_in::DropIn;
use files::{as_user, make_directories, read_profile, remove_made, write_profile};
use person::Person;
use profile::{Shell, missing_directories, with_line, without_line};
use unit::{Fragment, Units};

/// The number of virtual terminals (linux/vt.h, `MAX_NR_CONSOLES`).
pub const VTS: std::ops::RangeInclusive<i64> = 1..=63;

/// The directory of the administrator's units.
const ADMINISTRATOR: &str = "/etc/systemd/system";

/// Why nothing was done.
#[derive(Debug, Error)]
#[allow(clippy::missing_docs_in_private_items, reason = "each variant's sentence is its documentation")]
pub enum Refused {
    #[error("there is no user {user}{near}; see: getent passwd")]
    NoUser { user: String, near: String },
    #[error("startxd starts no desktop for root; give a user's name")]
    Root,
    #[error(
        "the name {user:?} has characters that mean something in unit files; write the drop-in by hand, see startxd(1)"
    )]
    OddName { user: String },
    #[error(
        "the home of {user}, {home:?}, cannot be written into a unit file; write the drop-in by hand, see startxd(1)"
    )]
    OddHome { user: String, home: PathBuf },
    #[error("{user} cannot log in: the login shell is {}; to change that: chsh -s /bin/bash {user}", shell.display())]
    NoShell { user: String, shell: PathBuf },
    #[error("tty{vt} belongs to {by}; choose another terminal (--vt), or turn that off: systemctl disable {by}")]
    Taken { vt: u8, by: String },
    #[error(
        "{} sets the start command of getty@tty{vt} already; move that file away, or choose another terminal (--vt)",
        path.display()
    )]
    Foreign { vt: u8, path: PathBuf },
    #[error("getty@tty{vt}.service is masked ({}); run: systemctl unmask getty@tty{vt}, or choose another terminal (--vt)", path.display())]
    Masked { vt: u8, path: PathBuf },
    #[error("this system has no getty@.service, systemd's unit for logins on terminals")]
    NoGetty,
    #[error("getty@tty{vt} runs {command:?} instead of agetty, and startxd does not know how to make it log in a user")]
    NoAgetty { vt: u8, command: String },
    #[error("startxd does not know the profile of {}; omit --profile, and add this line to the profile: {line}", shell.display())]
    NoProfile { shell: PathBuf, line: &'static str },
    #[error("{} cannot be changed: {error}; nothing was changed", path.display())]
    Write { path: PathBuf, error: io::Error },
}

/// What enable would do, or has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutologinPlan {
    person: Person,
    vt: u8,
    /// The path of the drop-in.
    pub path: PathBuf,
    /// Its content.
    pub drop_in: DropIn,
    /// A link and its target, if the getty does not start at boot yet.
    pub link: Option<(PathBuf, PathBuf)>,
    /// Directories to create.
    directories: Vec<PathBuf>,
    /// The line for the profile, `None` for a shell that we do not know.
    pub line: Option<String>,
    /// Our earlier drop-in, if there is one.
    replaced: Option<DropIn>,
}

/// The path of our drop-in.
pub fn path_of(vt: u8) -> PathBuf {
    Path::new(ADMINISTRATOR).join(format!("getty@tty{vt}.service.d")).join(drop_in::NAME)
}

/// Finds out what has to be done to log `person` in on terminal `vt`; changes nothing.
///
/// # Errors
/// [`Refused`].
pub fn plan(units: &Units, person: &Person, vt: u8, profile: bool) -> Result<AutologinPlan, Refused> {
    let getty = format!("getty@tty{vt}.service");
    let template = match units.fragment(&getty) {
        Fragment::Missing => return Err(Refused::NoGetty),
        Fragment::Masked(path) => return Err(Refused::Masked { vt, path }),
        Fragment::File(path) => path,
    };
    if let Some(by) = owner(units, vt) {
        return Err(Refused::Taken { vt, by });
    }
    let command = start_command(units, &getty, &template, vt)?;
    let exec_start = agetty::with_autologin(&command, &person.name).ok_or(Refused::NoAgetty { vt, command })?;

    let path = path_of(vt);
    let replaced = DropIn::parse(&units.text(&path));
    let mut plan = AutologinPlan {
        person: person.clone(),
        vt,
        drop_in: DropIn { user: person.name.clone(), exec_start, ..DropIn::default() },
        link: None,
        directories: Vec::new(),
        line: Shell::of(&person.shell).map(|shell| shell.line(vt)),
        path,
        replaced,
    };
    plan.needs_directory(units, &format!("{getty}.d"));
    if !units.is_wanted(&getty, "getty.target") {
        plan.needs_directory(units, "getty.target.wants");
        plan.link = Some((Path::new(ADMINISTRATOR).join("getty.target.wants").join(&getty), template));
    }
    plan.remember();
    let had_profile = plan.replaced.as_ref().is_some_and(|old| old.user == person.name && old.profile.is_some());
    if profile || had_profile {
        plan.wants_profile()?;
    }
    Ok(plan)
}

/// The start command that our drop-in has to change: the last one in the getty's other files.
fn start_command(units: &Units, getty: &str, template: &Path, vt: u8) -> Result<String, Refused> {
    let commands = |path: &Path| unit_file::values(&units.text(path), "Service", "ExecStart");
    let mut command = commands(template).pop().unwrap_or_default();
    for drop_in in units.drop_ins(getty).into_iter().filter(|drop_in| drop_in.name() != drop_in::NAME) {
        if let Some(last) = commands(&drop_in.path).pop() {
            // A file for just this terminal was written on purpose, and a file that is read after ours would override
            // it.
            if drop_in.own || drop_in.name().as_os_str() > std::ffi::OsStr::new(drop_in::NAME) {
                return Err(Refused::Foreign { vt, path: drop_in.path });
            }
            command = last;
        }
    }
    Ok(command)
}

/// Another unit that uses the terminal: a display manager that is enabled and excludes its getty, or our own system
/// unit.
fn owner(units: &Units, vt: u8) -> Option<String> {
    let getty = format!("getty@tty{vt}.service");
    let alias = Path::new(ADMINISTRATOR).join("display-manager.service");
    let manager = std::fs::read_link(units.real(&alias)).ok().filter(|target| target != Path::new("/dev/null"));
    if let Some(target) = manager {
        let excluded = unit_file::values(&units.text(&target), "Unit", "Conflicts");
        if excluded.iter().flat_map(|units| units.split_whitespace()).any(|unit| unit == getty) {
            return Some(target.file_name()?.to_string_lossy().into_owned());
        }
    }
    let on_this = |unit: &String| {
        let path = units.last_value(unit, "Service", "TTYPath");
        path.is_some_and(|path| path == format!("/dev/tty{vt}"))
    };
    units.enabled_instances("startxd@.service").into_iter().find(on_this)
}

impl AutologinPlan {
    /// Adds a directory among the administrator's units to those to create, if it does not exist.
    fn needs_directory(&mut self, units: &Units, name: &str) {
        let path = Path::new(ADMINISTRATOR).join(name);
        if !units.real(&path).is_dir() {
            self.directories.push(path);
        }
    }

    /// Makes the drop-in record what is created for it, now or by the one that it replaces.
    fn remember(&mut self) {
        let earlier = self.replaced.iter().flat_map(|old| old.made.clone());
        let now = self.directories.iter().cloned().chain(self.link.iter().map(|(link, _)| link.clone()));
        for path in earlier.chain(now) {
            if !self.drop_in.made.contains(&path) {
                self.drop_in.made.push(path);
            }
        }
    }

    fn wants_profile(&mut self) -> Result<(), Refused> {
        let shell = Shell::of(&self.person.shell)
            .ok_or_else(|| Refused::NoProfile { shell: self.person.shell.clone(), line: profile::ANY_SHELL })?;
        let home = self.person.home.clone();
        let find = || {
            let profile = home.join(shell.profile(|name| home.join(name).exists()));
            // Checked before anything is changed.
            read_profile(&profile).map_err(|error| io::Error::other(format!("{}: {error}", profile.display())))?;
            let mut made = missing_directories(&home, &profile);
            made.extend((!profile.exists()).then(|| profile.clone()));
            Ok((made, profile))
        };
        let found = as_user(&self.person, find).map_err(|error| Refused::Write { path: home.clone(), error })?;
        let earlier = self.replaced.iter().filter(|old| old.profile.as_ref() == Some(&found.1));
        self.drop_in.made_for_profile = earlier.flat_map(|old| old.made_for_profile.clone()).collect();
        self.drop_in.made_for_profile.extend(found.0);
        self.drop_in.profile = Some(found.1);
        Ok(())
    }

    /// Does it: all of it, or nothing.
    ///
    /// # Errors
    /// [`Refused::Write`]; the changes so far are undone.
    pub fn apply(&self, units: &Units) -> Result<(), Refused> {
        let done = self.write(units).and_then(|()| self.write_profile());
        if done.is_err() {
            match &self.replaced {
                // Restore the earlier one, and what it had created.
                Some(old) => drop(replace_durably(&units.real(&self.path), &old.text(self.vt), 0o644)),
                None => take_back(units, self.vt, &self.drop_in, Some(&self.person)),
            }
        }
        done
    }

    fn write(&self, units: &Units) -> Result<(), Refused> {
        let directories: Vec<PathBuf> = self.directories.iter().map(|path| units.real(path)).collect();
        let failed = |path: &Path| {
            let path = path.to_owned();
            |error| Refused::Write { path, error }
        };
        make_directories(&directories).map_err(failed(Path::new(ADMINISTRATOR)))?;
        replace_durably(&units.real(&self.path), &self.drop_in.text(self.vt), 0o644).map_err(failed(&self.path))?;
        if let Some((link, target)) = &self.link {
            std::os::unix::fs::symlink(target, units.real(link)).map_err(failed(link))?;
        }
        Ok(())
    }

    fn write_profile(&self) -> Result<(), Refused> {
        if let Some(old) = self.replaced.as_ref().filter(|old| old.profile != self.drop_in.profile) {
            match old.user == self.person.name {
                true => take_line_out(old, Some(&self.person)),
                false => take_line_out(old, Person::find(&old.user).ok().as_ref()),
            }
        }
        let (Some(profile), Some(line)) = (&self.drop_in.profile, &self.line) else { return Ok(()) };
        let write = || {
            let missing = missing_directories(&self.person.home, profile);
            make_directories(&missing)?;
            write_profile(profile, &with_line(&read_profile(profile)?, line))
        };
        as_user(&self.person, write).map_err(|error| Refused::Write { path: profile.clone(), error })
    }

    /// The user whose autologin this one replaces.
    #[must_use]
    pub fn replaces(&self) -> Option<&str> {
        self.replaced.as_ref().map(|old| old.user.as_str()).filter(|user| *user != self.person.name)
    }

    /// The drop-in's text.
    #[must_use]
    pub fn text(&self) -> String {
        self.drop_in.text(self.vt)
    }
}

/// The autologins that startxd has set up, by terminal.
#[must_use]
pub fn enabled(units: &Units) -> Vec<(u8, DropIn)> {
    let vts = VTS.filter_map(|vt| u8::try_from(vt).ok());
    vts.filter_map(|vt| Some((vt, DropIn::parse(&units.text(&path_of(vt)))?))).collect()
}

/// Undoes one, with everything that was created for it. Problems with the profile are logged: the rest must go on.
pub fn take_back(units: &Units, vt: u8, drop_in: &DropIn, person: Option<&Person>) {
    take_line_out(drop_in, person);
    let path = units.real(&path_of(vt));
    if let Err(error) = std::fs::remove_file(&path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::error!("{} cannot be removed: {error}", path.display());
    }
    let made: Vec<PathBuf> = drop_in.made.iter().map(|path| units.real(path)).collect();
    remove_made(&made);
}

/// Removes the line from the profile that it was added to.
fn take_line_out(drop_in: &DropIn, person: Option<&Person>) {
    let Some(profile) = &drop_in.profile else { return };
    let Some(person) = person else {
        tracing::warn!("user {} no longer exists; {} was left alone", drop_in.user, profile.display());
        return;
    };
    let take_out = || {
        let text = read_profile(profile)?;
        match without_line(&text) {
            rest if rest == text => {}
            // An empty profile of ours would hide another one from bash.
            rest if rest.is_empty() && drop_in.made_for_profile.contains(profile) => std::fs::remove_file(profile)?,
            rest => write_profile(profile, &rest)?,
        }
        let directories: Vec<PathBuf> =
            drop_in.made_for_profile.iter().filter(|path| *path != profile).cloned().collect();
        remove_made(&directories);
        Ok(())
    };
    if let Err(error) = as_user(person, take_out) {
        tracing::warn!("{} cannot be changed: {error}; remove startxd's line by hand", profile.display());
    }
}

#[cfg(test)]
mod tests;
