//! `~/.Xresources`, `~/.xprofile` and the like: the service that reads them before the window manager starts.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::deadline::BEHIND_OURS;
use crate::environment::{Block, policy};
use crate::manager::transient::{self, UnitProperties};
use crate::session::dotfiles::{Dotfiles, DotfilesTime};
use crate::session::{Choice, Surroundings};

/// When they are read for this session.
pub(super) fn time(choice: &Choice, config: &Config) -> DotfilesTime {
    Dotfiles::find(Path::new("/"), Surroundings::from_env().home.as_deref()).time(choice, &config.session)
}

/// The service, with these variables of the login session.
pub(super) fn service(choice: &Choice, config: &Config, of_login: &Block) -> UnitProperties {
    let deadlines = &config.deadlines;
    // It has a deadline for each of what it waits for: the server, programs that hang, and two profiles that do.
    let deadline = deadlines.server_ready + 4 * deadlines.environment_files + BEHIND_OURS;
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("startxd"));
    // One that is made for the session says itself that it waits.
    let mut before = choice.units();
    before.retain(|unit| choice.service().is_none_or(|service| service.name != *unit));
    transient::dotfiles(&program, &before, of_login, deadline)
}

/// What of the variables that the files export is exported: a client may have sent them, so this is not left to it.
pub(super) fn exported(mut variables: Block, config: &Config) -> Block {
    let never = &config.environment.never;
    variables.retain(|name, value| policy::travels(name, value).is_ok() && !policy::is_listed(never, name));
    variables
}
