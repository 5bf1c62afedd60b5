//! What a session runs: a command, a user unit, the units enabled for `wm.target`, or `~/.xinitrc`.

pub mod applications;
mod xsession;

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::dbus::CallError;
use crate::manager::{Manager, names, transient};

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// A command, which becomes a transient service.
    Command(transient::Service),
    /// A unit of the user's, started in place of those enabled for `wm.target`.
    Unit(String),
    /// The services that `wm.target` wants.
    Wanted(Vec<String>),
}

/// Why there is nothing to run.
#[derive(Debug, Error)]
pub enum NoSession {
    /// The named unit does not exist or is masked.
    #[error("the user unit {unit} {problem}; see systemctl --user list-unit-files")]
    Unit {
        /// The unit's name.
        unit: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The command is not in `$PATH`.
    #[error("there is no command {0} in $PATH; check the spelling, or give its full path")]
    Command(String),
    /// The path leads to nothing that can be run.
    #[error("{0}")]
    Path(String),
    /// Nothing was given and nothing is set up.
    #[error(
        "there is no session to start: no unit is enabled for wm.target, there is no {xinitrc}, and session.default is \
         not set; try: startxd start -- openbox, or enable a window manager's unit{known}"
    )]
    Nothing {
        /// Where `~/.xinitrc` would be.
        xinitrc: String,
        /// Window managers that are installed, as the tail of a sentence.
        known: String,
    },
    /// One of startxd's own units is not there.
    #[error(
        "the user unit {0} is missing, so startxd is not installed completely; run sudo make install in its source, \
         then: systemctl --user daemon-reload"
    )]
    NotInstalled(&'static str),
    /// One of startxd's own units was masked.
    #[error("{0} is masked, and no session can do without it; systemctl --user unmask {0}")]
    Masked(&'static str),
    /// One of startxd's own units does not load.
    #[error("{unit} cannot be used ({load}); see: systemctl --user status {unit}")]
    BadUnit {
        /// The unit.
        unit: &'static str,
        /// Its load state.
        load: String,
    },
    /// The user manager did not answer.
    #[error("the user manager does not say what is enabled: {0}; see journalctl --user -b")]
    Manager(#[from] CallError),
}

/// Well-known window managers, for the hint when nothing is set up.
const KNOWN: [&str; 12] =
    ["openbox", "i3", "awesome", "bspwm", "herbstluftwm", "icewm", "fluxbox", "xmonad", "qtile", "dwm", "fvwm3", "twm"];

impl Choice {
    /// The units that are the session's own; their end is its end.
    #[must_use]
    pub fn units(&self) -> Vec<String> {
        match self {
            Self::Command(service) => vec![service.name.clone()],
            Self::Unit(unit) => vec![unit.clone()],
            Self::Wanted(units) => units.clone(),
        }
    }

    /// A name for `DESKTOP_SESSION` and `XDG_CURRENT_DESKTOP`: the program's, or the unit's without its suffix.
    #[must_use]
    pub fn desktop(&self) -> Option<String> {
        match self {
            Self::Command(service) => service.program.file_name().map(|name| name.to_string_lossy().into_owned()),
            Self::Unit(unit) => unit.rsplit_once('.').map(|(name, _)| name.to_owned()),
            Self::Wanted(units) => match units.as_slice() {
                [unit] => unit.rsplit_once('.').map(|(name, _)| name.to_owned()),
                _ => None,
            },
        }
    }

    /// What people read.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Command(service) => service.arguments.join(" "),
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
}

impl Surroundings {
    /// The ones of this process.
    #[must_use]
    pub fn from_env() -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        Self { path: std::env::var_os("PATH"), home }
    }
}

/// Chooses the session: `words` if there are any, else what is enabled, else `~/.xinitrc`, else `default`, else what
/// the distribution starts.
///
/// `installed` are startxd's own units and their load states.
///
/// # Errors
/// See [`NoSession`]; nothing has been touched.
pub async fn choose(
    words: &[String],
    default: Option<&str>,
    around: &Surroundings,
    manager: &Manager,
    installed: &[(&'static str, String)],
) -> Result<Choice, NoSession> {
    check_installed(installed)?;
    if !words.is_empty() {
        return named(words, around, manager).await;
    }
    let wanted = enabled(manager).await?;
    if !wanted.is_empty() {
        return Ok(Choice::Wanted(wanted));
    }
    let xinitrc = around.home.as_deref().unwrap_or(Path::new("~")).join(".xinitrc");
    if xinitrc.is_file() {
        return Ok(Choice::Command(xinitrc_service(&xinitrc)));
    }
    if let Some(default) = default {
        let words: Vec<String> = default.split_ascii_whitespace().map(str::to_owned).collect();
        return named(&words, around, manager).await;
    }
    if let Some(xsession) = xsession::service(around) {
        return Ok(Choice::Command(xsession));
    }
    let installed: Vec<&str> = KNOWN.into_iter().filter(|name| find(OsStr::new(name), around).is_some()).collect();
    let known = if installed.is_empty() { String::new() } else { format!("; installed: {}", installed.join(", ")) };
    Err(NoSession::Nothing { xinitrc: xinitrc.display().to_string(), known })
}

/// That startxd's own units are there: a session that lacks one would hang or end half-way.
fn check_installed(units: &[(&'static str, String)]) -> Result<(), NoSession> {
    for (unit, load) in units {
        match load.as_str() {
            "loaded" => {}
            "not-found" => return Err(NoSession::NotInstalled(unit)),
            "masked" => return Err(NoSession::Masked(unit)),
            _ => return Err(NoSession::BadUnit { unit, load: load.clone() }),
        }
    }
    Ok(())
}

/// A unit by its name, or a command.
async fn named(words: &[String], around: &Surroundings, manager: &Manager) -> Result<Choice, NoSession> {
    if let [unit] = words
        && (unit.ends_with(".service") || unit.ends_with(".target"))
    {
        let problem = |problem: String| NoSession::Unit { unit: unit.clone(), problem };
        let state = manager.state(unit).await.map_err(|error| problem(format!("cannot be loaded ({error})")))?;
        return match state.load.as_str() {
            "loaded" => Ok(Choice::Unit(unit.clone())),
            "not-found" => Err(problem("does not exist".to_owned())),
            "masked" => Err(problem(format!("is masked (systemctl --user unmask {unit})"))),
            other => Err(problem(format!("cannot be used ({other})"))),
        };
    }
    let name = words.first().map(String::as_str).unwrap_or_default();
    let program = find(OsStr::new(name), around).ok_or_else(|| why_not(name))?;
    let short = program.file_name().map_or_else(|| name.to_owned(), |name| name.to_string_lossy().into_owned());
    Ok(Choice::Command(transient::Service {
        name: names::session_service(&short),
        description: format!("{short}, the window manager of this session"),
        program,
        arguments: words.to_vec(),
        restart: true,
    }))
}

/// Why a word is no command.
fn why_not(name: &str) -> NoSession {
    if name.is_empty() {
        return NoSession::Path("the session's name is empty; give a command or a unit, or leave it away".to_owned());
    }
    if !name.contains('/') {
        return NoSession::Command(name.to_owned());
    }
    NoSession::Path(match std::fs::metadata(name) {
        Ok(metadata) if metadata.is_dir() => format!("{name} is a directory, not a program; give the program's path"),
        Ok(metadata) if metadata.is_file() => format!("{name} is not executable; chmod +x {name}, or check the path"),
        Ok(_) => format!("{name} is not a program; check the path"),
        Err(error) => format!("{name} cannot be run: {error}; check the path"),
    })
}

/// The services that are enabled for `wm.target` and can be started.
async fn enabled(manager: &Manager) -> Result<Vec<String>, NoSession> {
    let mut wanted = manager.wanted_by(names::WM_TARGET).await?;
    wanted.retain(|unit| unit.ends_with(".service"));
    wanted.sort();
    wanted.dedup();
    let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let states = if names.is_empty() { Vec::new() } else { manager.states(&names).await? };
    Ok(wanted.into_iter().zip(states).filter(|(_, state)| state.load == "loaded").map(|(unit, _)| unit).collect())
}

/// `~/.xinitrc` as xinit(1) runs it: by itself if it is executable and says how, else by the shell.
///
/// Its end is the session's end, whatever its status, so it is never started again.
fn xinitrc_service(xinitrc: &Path) -> transient::Service {
    let file = xinitrc.to_string_lossy().into_owned();
    let runnable = is_executable(xinitrc) && starts_with_interpreter(xinitrc);
    let (program, arguments) =
        if runnable { (xinitrc.to_owned(), vec![file]) } else { ("/bin/sh".into(), vec!["sh".to_owned(), file]) };
    transient::Service {
        name: names::session_service("xinitrc"),
        description: "~/.xinitrc, the session's clients".to_owned(),
        program,
        arguments,
        restart: false,
    }
}

fn starts_with_interpreter(path: &Path) -> bool {
    use std::io::Read;
    let mut start = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && (start.starts_with(b"#!") || &start == b"\x7fELF")
}

/// The program that a shell would run for this word, by the login's `$PATH`.
fn find(name: &OsStr, around: &Surroundings) -> Option<PathBuf> {
    let given = Path::new(name);
    if name.is_empty() {
        return None;
    }
    if name.as_encoded_bytes().contains(&b'/') {
        // The unit's working directory is another: the path must hold there too.
        let absolute = std::path::absolute(given).ok()?;
        return is_executable(&absolute).then_some(absolute);
    }
    let path = around.path.as_ref()?;
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(given))
        .find(|file| is_executable(file))
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::{Choice, Surroundings, find, xinitrc_service};
    use crate::test_dir::TestDir;

    fn file(directory: &TestDir, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = directory.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn commands_are_found_as_a_shell_finds_them() {
        let directory = TestDir::new();
        let program = file(&directory, "wm", "#!/bin/sh\n", 0o755);
        file(&directory, "plain", "", 0o644);
        std::fs::create_dir(directory.path("folder")).unwrap();
        // A relative entry means another directory in the unit, so it does not count.
        let path = std::env::join_paths([PathBuf::from("."), "/nonexistent".into(), directory.path("")]).unwrap();
        let around = Surroundings { path: Some(path), home: None };
        let find = |name: &str| find(OsStr::new(name), &around);
        assert_eq!(find("wm"), Some(program.clone()));
        assert_eq!(find(program.to_str().unwrap()), Some(program));
        for name in ["", "plain", "folder", "missing", "/", "/nonexistent/wm"] {
            assert_eq!(find(name), None, "{name:?}");
        }
    }

    #[test]
    fn xinitrc_runs_as_xinit_runs_it() {
        let directory = TestDir::new();
        let cases = [
            ("script", "#!/bin/sh\nexec openbox\n", 0o755, false),
            ("no-interpreter", "exec openbox\n", 0o755, true),
            ("not-executable", "#!/bin/sh\nexec openbox\n", 0o644, true),
            ("empty", "", 0o755, true),
        ];
        for (name, text, mode, by_shell) in cases {
            let path = file(&directory, name, text, mode);
            let service = xinitrc_service(&path);
            let shell = PathBuf::from("/bin/sh");
            assert_eq!(service.program, if by_shell { shell } else { path.clone() }, "{name}");
            assert_eq!(service.arguments.last().map(String::as_str), path.to_str(), "{name}");
            assert!(!service.restart);
        }
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
            assert_eq!(choice.desktop().as_deref(), desktop, "{choice:?}");
        }
    }
}
