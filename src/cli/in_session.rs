//! `startxd run` and `startxd env`: the session, used from outside.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use nix::unistd::{User, geteuid, initgroups, setgid, setuid};

use super::args::RunInSession;
use super::display::{ended, status, surroundings};
use super::exit::Exit;
use crate::deadline::Deadlines;
use crate::displays::run::take_signals;
use crate::displays::{Failure, in_session};
use crate::manager::Manager;
use crate::runtime_dir::RuntimeDir;
use crate::text;

/// Runs a command in the session, and exits with its status.
pub async fn run(run: RunInSession) -> ExitCode {
    let ran = async {
        let taken = take_signals()?;
        let (runtime, deadlines) = match &run.user {
            Some(user) => (become_user(user)?, Deadlines::default()),
            None if geteuid().is_root() => return Err(root_has_none()),
            None => (RuntimeDir::find_without_login()?, super::configuration().deadlines),
        };
        let manager = Manager::connect(&runtime, deadlines.user_manager).await?;
        in_session::run(&runtime, &manager, &run.command, &taken, &deadlines).await
    };
    status(ran.await)
}

/// Prints the session's variables as lines of a shell.
pub async fn env() -> Exit {
    let printed = async {
        let (runtime, manager) = surroundings(&super::configuration()).await?;
        let variables = in_session::exported(&runtime, &manager).await?;
        let mut lines = Vec::new();
        for (name, value) in variables {
            lines.extend([b"export ", name.as_bytes(), b"=", &text::quoted(value.as_bytes()), b"\n"].concat());
        }
        std::io::stdout().write_all(&lines)?;
        Ok(())
    };
    match printed.await {
        Ok(()) => Exit::Success,
        Err(failure) => ended(&failure),
    }
}

/// Gives the user manager and the message bus the session's display again.
pub async fn repair() -> Exit {
    let repaired = async {
        let (runtime, manager) = surroundings(&super::configuration()).await?;
        in_session::repair(&runtime, &manager).await
    };
    match repaired.await {
        Ok(()) => Exit::Success,
        Err(failure) => ended(&failure),
    }
}

fn root_has_none() -> Failure {
    Failure::Usage("root has no session; name a user: startxd run --user NAME -- COMMAND".to_owned())
}

/// As root, becomes a user for good, in that user's home. Nothing is done as root before this, and nothing can be after
/// it.
fn become_user(name: &str) -> Result<RuntimeDir, Failure> {
    let user = User::from_name(name).map_err(std::io::Error::from)?;
    let user = user.ok_or_else(|| Failure::Usage(format!("there is no user {name:?}; check the spelling")))?;
    if user.uid != geteuid() {
        if !geteuid().is_root() {
            return Err(Failure::Usage("only root can run a command in the session of another user".to_owned()));
        }
        let name = std::ffi::CString::new(user.name.as_str()).map_err(std::io::Error::from)?;
        // In this order: the first two need root's rights.
        initgroups(&name, user.gid)
            .and_then(|()| setgid(user.gid))
            .and_then(|()| setuid(user.uid))
            .map_err(std::io::Error::from)?;
        // The user may not be allowed to enter root's directory.
        if std::env::set_current_dir(&user.dir).is_err() {
            std::env::set_current_dir("/")?;
        }
    }
    if user.uid.is_root() {
        return Err(root_has_none());
    }
    Ok(RuntimeDir::of(PathBuf::from(format!("/run/user/{}", user.uid)))?)
}
