//! Why there is nothing to run.

use std::path::PathBuf;

use thiserror::Error;

use crate::dbus::CallError;
use crate::text;

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
    /// The word is neither an entry nor a command.
    #[error(
        "there is no session entry {name}, and no command {name} in $PATH{hint}; see startxd list, or check the spelling"
    )]
    Unknown {
        /// The word.
        name: String,
        /// Suggestions, as a part of the sentence.
        hint: String,
    },
    /// The word is the name of several entries.
    #[error("more than one session is called {name}; give one of these: {ids}")]
    Ambiguous {
        /// The word.
        name: String,
        /// The ids.
        ids: String,
    },
    /// The entry's file is broken.
    #[error(
        "{} is not a usable session entry: {why}; correct it, or start a command: startxd start -- COMMAND",
        text::path(path)
    )]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The entry cannot be started on this machine.
    #[error("the session {name} of {} cannot be started: {why}; see startxd list", text::path(path))]
    NotRunnable {
        /// The id, and the action if there is one.
        name: String,
        /// The file.
        path: PathBuf,
        /// What is missing.
        why: String,
    },
    /// A file with `Hidden=true` hides the entry.
    #[error(
        "the session {name} is hidden by {}; remove that file, or start its command: startxd start -- COMMAND",
        text::path(path)
    )]
    Hidden {
        /// The id.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// Nothing was given and nothing is set up.
    #[error(
        "there is no session to start: no unit is enabled for wm.target, {xinitrc} does not exist, and session.default is \
         not set; to choose a window manager for good: startxd enable wm; for once: startxd start -- COMMAND{known}"
    )]
    Nothing {
        /// Where `~/.xinitrc` would be.
        xinitrc: String,
        /// The window managers that are installed, as the end of a sentence.
        known: String,
    },
    /// The enabled units were requested, and none is enabled.
    #[error("no unit is enabled for wm.target; to enable one: startxd enable wm")]
    NothingEnabled,
    /// A unit of startxd is missing.
    #[error(
        "the user unit {0} is missing, so startxd is not installed completely; run sudo make install in its source directory, \
         then: systemctl --user daemon-reload"
    )]
    NotInstalled(&'static str),
    /// A unit of startxd was masked.
    #[error("{0} is masked, but every session needs it; run: systemctl --user unmask {0}")]
    Masked(&'static str),
    /// The user manager did not answer.
    #[error("the user manager does not say which units are enabled: {0}; see: journalctl --user -b")]
    Manager(#[from] CallError),
}

impl NoSession {
    /// Why a word is not a command.
    pub(super) fn no_command(name: &str) -> Self {
        if name.is_empty() {
            return Self::Path("the session's name is empty; give a command or a unit, or omit it".to_owned());
        }
        if name.starts_with('-') {
            return Self::Path(format!(
                "{name} is not a command; arguments for the X server belong in startxd.toml, under [server], args = \
                 [\"{name}\"], or before the session: --server-arg={name}"
            ));
        }
        if !name.contains('/') {
            return Self::Command(name.to_owned());
        }
        Self::Path(match std::fs::metadata(name) {
            Ok(metadata) if metadata.is_dir() => {
                format!("{name} is a directory, not a program; give the program's path")
            }
            Ok(metadata) if metadata.is_file() => {
                format!("{name} is not executable; run: chmod +x {name}, or check the path")
            }
            Ok(_) => format!("{name} is not a program; check the path"),
            Err(error) => format!("{name} cannot be run: {error}; check the path"),
        })
    }
}
