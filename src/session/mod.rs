//! What a session runs: an entry of an xsessions directory, a command, a user unit, the units enabled for `wm.target`,
//! or `~/.xinitrc`.

pub mod activated;
pub mod applications;
pub mod autostart;
pub mod beforehand;
pub mod clients;
pub mod dotfiles;
pub mod entries;
mod error;
pub mod known;
mod named;
pub mod offers;
pub mod request;
mod services;
pub mod xserverrc;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::config::{Config, Crash};
use crate::desktop_entry::Locale;
use crate::environment::Block;
use crate::manager::transient::{self, RestartPolicy};
use crate::manager::{FileState, Manager};
use crate::program;
use crate::xdg;
pub use error::NoSession;
pub use named::named as choose_named;
use named::{by_name, command, named};
pub use request::SessionRequest;
pub use services::rescue;
use services::{startup_file, xsession};

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// A command, which becomes a transient service.
    Command {
        /// The service.
        service: transient::Service,
        /// Its names in the environment.
        desktop: Desktop,
    },
    /// A startup file, such as `~/.xinitrc`, which becomes a transient service. The name of its last command is not
    /// known beforehand.
    StartupFile {
        /// The service.
        service: transient::Service,
        /// The file and its arguments, for people.
        what: String,
    },
    /// An entry of an xsessions directory, whose command becomes a transient service.
    Entry {
        /// The service.
        service: transient::Service,
        /// The id, and the action if there is one, for people.
        what: String,
        /// The entry's names of the desktop.
        desktop: Desktop,
    },
    /// A user unit that starts in place of those enabled for `wm.target`.
    Unit(String),
    /// The services that `wm.target` wants.
    Wanted(Vec<String>),
}

/// The names of a session in the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desktop {
    /// For `XDG_CURRENT_DESKTOP`, and the first one for `XDG_SESSION_DESKTOP`; not empty.
    pub names: Vec<String>,
    /// For `DESKTOP_SESSION`.
    pub session: String,
    /// Whether these override the login's variables: true if an entry was chosen.
    pub decides: bool,
}

impl Desktop {
    /// A session with one name, which the login's variables override.
    fn named(name: String) -> Self {
        Self { names: vec![name.clone()], session: name, decides: false }
    }
}

impl Choice {
    /// The units of the session itself; the session ends with them.
    #[must_use]
    pub fn units(&self) -> Vec<String> {
        match self {
            Self::Unit(unit) => vec![unit.clone()],
            Self::Wanted(units) => units.clone(),
            made => made.service().map(|service| service.name.clone()).into_iter().collect(),
        }
    }

    /// The names of the session: those of its entry, or the name of the program, or of the unit without its suffix;
    /// `None` where that is not known.
    #[must_use]
    pub fn desktop(&self) -> Option<Desktop> {
        let stem = |unit: &String| unit.rsplit_once('.').map(|(name, _)| name.to_owned());
        let name = match self {
            Self::Command { desktop, .. } | Self::Entry { desktop, .. } => return Some(desktop.clone()),
            Self::StartupFile { .. } => None,
            Self::Unit(unit) => stem(unit),
            Self::Wanted(units) => match units.as_slice() {
                [unit] => stem(unit),
                _ => None,
            },
        }?;
        Some(Desktop::named(name))
    }

    /// Like [`desktop`](Self::desktop); for one unit, with the names in the entry of the same name.
    #[must_use]
    pub fn desktop_by_entries(&self, around: &Surroundings) -> Option<Desktop> {
        let desktop = self.desktop()?;
        match self {
            Self::Unit(_) | Self::Wanted(_) => {
                let names = named::names_of_entry(&desktop.session, around);
                Some(Desktop { names: names.unwrap_or(desktop.names), ..desktop })
            }
            _ => Some(desktop),
        }
    }

    /// The service that is created for it, if any.
    #[must_use]
    pub fn service(&self) -> Option<&transient::Service> {
        match self {
            Self::Command { service, .. } | Self::StartupFile { service, .. } | Self::Entry { service, .. } => {
                Some(service)
            }
            Self::Unit(_) | Self::Wanted(_) => None,
        }
    }

    /// Adds variables to the service that is created for it, if any.
    #[must_use]
    pub fn with_variables(mut self, variables: Block) -> Self {
        match &mut self {
            Self::Command { service, .. } | Self::StartupFile { service, .. } | Self::Entry { service, .. } => {
                service.environment = variables;
            }
            Self::Unit(_) | Self::Wanted(_) => {}
        }
        self
    }

    /// Its name for people.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Command { service, .. } => service.arguments.join(" "),
            Self::StartupFile { what, .. } | Self::Entry { what, .. } => what.clone(),
            Self::Unit(unit) => unit.clone(),
            Self::Wanted(units) => units.join(", "),
        }
    }
}

/// Where to look for things.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// `$PATH`.
    pub path: Option<std::ffi::OsString>,
    /// `$HOME`.
    pub home: Option<PathBuf>,
    /// `$XINITRC`, if it leads to a file (startx(1)).
    pub xinitrc: Option<PathBuf>,
    /// The xsessions directories, in the order of precedence.
    pub xsessions: Vec<PathBuf>,
    /// The language for names.
    pub locale: Locale,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn from_env() -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let xsessions = entries::directories(xdg::variable);
        let xinitrc = std::env::var_os("XINITRC").and_then(|path| std::path::absolute(path).ok());
        let xinitrc = xinitrc.filter(|path| path.is_file());
        Self { path: std::env::var_os("PATH"), home, xinitrc, xsessions, locale: Locale::from_env() }
    }

    /// The same, but with the user manager's `PATH` if there is none, as in a system unit that has no shell's.
    pub async fn or_of(mut self, manager: &Manager) -> Self {
        if self.path.is_none() {
            let environment = manager.environment().await.unwrap_or_default();
            self.path = environment.get("PATH").map(Into::into);
        }
        self
    }

    /// The program that a word means.
    #[must_use]
    pub fn find(&self, word: &str) -> Option<PathBuf> {
        program::find(OsStr::new(word), self.path.as_deref())
    }

    /// The path of `~/.xinitrc`, whether or not it exists, or the file that `$XINITRC` names in its place, as for
    /// startx(1).
    #[must_use]
    pub fn xinitrc(&self) -> PathBuf {
        let own = || self.home.as_deref().unwrap_or(Path::new("~")).join(".xinitrc");
        self.xinitrc.clone().unwrap_or_else(own)
    }
}

/// Chooses the session: the one that was named, else the enabled units, else `~/.xinitrc`, else the
/// configured one, else the distribution's default.
///
/// `installed` are the units of startxd, and whether they exist.
///
/// # Errors
/// See [`NoSession`]; nothing was changed.
pub async fn choose(
    request: &SessionRequest,
    config: &Config,
    around: &Surroundings,
    manager: &Manager,
    installed: &[(&'static str, FileState)],
) -> Result<Choice, NoSession> {
    check_installed(installed)?;
    let restart = restarts(&config.crash);
    match request {
        SessionRequest::Nothing => {}
        SessionRequest::Enabled => return not_empty(enabled(manager).await?).ok_or(NoSession::NothingEnabled),
        asked => return named(asked, around, restart, manager).await,
    }
    if let Some(wanted) = not_empty(enabled(manager).await?) {
        return Ok(wanted);
    }
    let path = around.xinitrc();
    if path.is_file() {
        return Ok(startup_file(&path, &[]));
    }
    if let Some(default) = &config.session.default {
        return named(&SessionRequest::parse_default(default, around.home.as_deref()), around, restart, manager).await;
    }
    if let Some(xsession) = xsession(around) {
        return Ok(xsession);
    }
    Err(NoSession::Nothing { xinitrc: path.display().to_string(), known: installed_ones(around) })
}

/// Chooses by one word: an entry's id, else a command, else the `Name` of an entry.
///
/// # Errors
/// See [`NoSession`].
pub fn choose_by_name(name: &str, around: &Surroundings) -> Result<Choice, NoSession> {
    by_name(name, around, None)
}

/// Chooses a command, the program first.
///
/// # Errors
/// See [`NoSession`].
pub fn choose_command(words: &[String], around: &Surroundings) -> Result<Choice, NoSession> {
    command(words, around, None)
}

/// How often a window manager that crashes is restarted; `None` for never.
#[must_use]
pub fn restarts(crash: &Crash) -> Option<RestartPolicy> {
    (crash.limit > 0).then_some(RestartPolicy { limit: crash.limit, window: crash.window })
}

fn not_empty(units: Vec<String>) -> Option<Choice> {
    (!units.is_empty()).then_some(Choice::Wanted(units))
}

/// The window managers that are installed, as the end of a sentence.
fn installed_ones(around: &Surroundings) -> String {
    let installed: Vec<&str> =
        known::KNOWN.iter().map(|known| known.name).filter(|name| around.find(name).is_some()).collect();
    if installed.is_empty() { String::new() } else { format!("; installed: {}", installed.join(", ")) }
}

/// Checks that the units of startxd exist: without one, a session would hang or end half-way.
fn check_installed(units: &[(&'static str, FileState)]) -> Result<(), NoSession> {
    for (unit, state) in units {
        match state {
            FileState::There => {}
            FileState::Missing => return Err(NoSession::NotInstalled(unit)),
            FileState::Masked => return Err(NoSession::Masked(unit)),
        }
    }
    Ok(())
}

/// The services that are enabled for `wm.target` and can be started.
async fn enabled(manager: &Manager) -> Result<Vec<String>, NoSession> {
    let wanted = offers::enabled(manager).await?;
    Ok(wanted.into_iter().filter(|(_, state)| state.load == "loaded").map(|(unit, _)| unit).collect())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::{Choice, Desktop, Surroundings};
    use crate::desktop_entry::Locale;
    use crate::test_dir::TestDir;

    pub(super) fn file(directory: &TestDir, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = directory.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// Surroundings with this `$PATH`, and entries in the directory itself.
    pub(super) fn surroundings(path: OsString, directory: &TestDir) -> Surroundings {
        let xsessions = vec![directory.path("")];
        Surroundings { path: Some(path), home: None, xinitrc: None, xsessions, locale: Locale::default() }
    }

    #[test]
    fn desktops_are_named_after_what_runs() {
        let unit = |name: &str| Choice::Unit(name.to_owned());
        let wanted = |names: &[&str]| Choice::Wanted(names.iter().map(|&name| name.to_owned()).collect());
        let cases = [
            (unit("awesome.service"), Some("awesome")),
            (unit("my.wm.target"), Some("my.wm")),
            (wanted(&["i3.service"]), Some("i3")),
            (wanted(&["i3.service", "picom.service"]), None),
        ];
        for (choice, desktop) in cases {
            let expected =
                desktop.map(|name| Desktop { names: vec![name.to_owned()], session: name.to_owned(), decides: false });
            assert_eq!(choice.desktop(), expected, "{choice:?}");
        }
    }

    #[test]
    fn the_desktop_of_a_unit_is_named_by_the_entry_of_its_name() {
        let dir = TestDir::new();
        for (id, lines) in [("xfce", "DesktopNames=XFCE;\n"), ("twm", "")] {
            let text = format!("[Desktop Entry]\nType=Application\nName=N\nExec=wm\n{lines}");
            file(&dir, &format!("{id}.desktop"), &text, 0o644);
        }
        let around = surroundings(OsString::new(), &dir);
        let name = |unit: &str| {
            let desktop = Choice::Wanted(vec![unit.to_owned()]).desktop_by_entries(&around).unwrap();
            format!("{} {} {}", desktop.names.join(":"), desktop.session, desktop.decides)
        };
        assert_eq!(name("xfce.service"), "XFCE xfce false");
        assert_eq!(name("twm.service"), "twm twm false");
        assert_eq!(name("other.service"), "other other false");
    }
}
