//! `startxd start --multiplexer`: shows a session of a multiplexer on this terminal, in place of X.

use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::process::Command;

use thiserror::Error;

use super::enable::{self, NotEnabled};
use super::name::{Kind, Name, TMUX_SERVER};
use super::service;
use crate::deadline::Deadlines;
use crate::manager::Mode;
use crate::multiplexer::tmux::{self, TmuxServer};

/// Why this terminal was not given to a multiplexer.
#[derive(Debug, Error)]
#[allow(clippy::missing_docs_in_private_items, reason = "each variant's sentence is its documentation")]
pub enum NotInMultiplexer {
    #[error("{0}")]
    NotUsable(#[from] NotEnabled),
    #[error("this shell runs inside {0}; detach first, or create another session in it")]
    Inside(Kind),
    #[error("a multiplexer needs a terminal, and this is not one; run this in a login shell")]
    NoTerminal,
    #[error("{unit} could not be started ({why}); see: journalctl --user -b -u {unit}")]
    NotStarted { unit: String, why: String },
    #[error("{kind} cannot be run: {error}")]
    NotRun { kind: Kind, error: std::io::Error },
}

/// The multiplexer that this process runs in, by the variables that each sets in its panes.
fn inside() -> Option<Kind> {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    [(Kind::Tmux, "TMUX"), (Kind::Screen, "STY"), (Kind::Zellij, "ZELLIJ")]
        .into_iter()
        .find_map(|(kind, name)| set(name).then_some(kind))
}

/// Starts the session if it is not up, and becomes the client that shows it: returns only if that fails.
///
/// # Errors
/// [`NotInMultiplexer`].
pub async fn attach(kind: Kind, name: Option<&str>, deadlines: &Deadlines) -> NotInMultiplexer {
    match ready(kind, name, deadlines).await {
        Ok(name) => NotInMultiplexer::NotRun { kind, error: client(kind, &name).exec() },
        Err(error) => error,
    }
}

/// The command that shows a session on this terminal. Other clients stay attached.
fn client(kind: Kind, name: &Name) -> Command {
    let mut command = Command::new(kind.program());
    match kind {
        Kind::Tmux => command.arg("attach-session").arg("-t").arg(format!("={name}")),
        Kind::Screen => command.arg("-x").arg(name.as_str()),
        Kind::Zellij => command.arg("attach").arg(name.as_str()),
    };
    command
}

async fn ready(kind: Kind, name: Option<&str>, deadlines: &Deadlines) -> Result<Name, NotInMultiplexer> {
    if nix::unistd::geteuid().is_root() {
        return Err(NotEnabled::Root.into());
    }
    let name = Name::or_default(kind, name).map_err(NotEnabled::from)?;
    if let Some(kind) = inside() {
        return Err(NotInMultiplexer::Inside(kind));
    }
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Err(NotInMultiplexer::NoTerminal);
    }
    if !enable::is_installed(kind) {
        return Err(NotEnabled::NotInstalled(kind).into());
    }
    let manager = enable::manager(deadlines).await?;
    let unit = kind.unit(&name);
    let server = if kind == Kind::Tmux { TMUX_SERVER } else { unit.as_str() };
    if manager.state(server).await.is_ok_and(|state| state.active != "active") {
        service::check(kind, Some(name.as_str())).await.map_err(NotEnabled::from)?;
    }
    // A session of tmux may have ended while its unit stays.
    let gone = kind == Kind::Tmux && {
        let end = tokio::time::Instant::now() + deadlines.multiplexer_ready;
        !TmuxServer::new(tmux::default_socket(), end).has(&name).await
    };
    let job = async { if gone { manager.restart(&unit).await } else { manager.start(&unit, Mode::Replace).await } };
    let not_started = |why: String| NotInMultiplexer::NotStarted { unit: unit.clone(), why };
    manager.done(job, deadlines.stop).await.map_err(not_started)?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::{Kind, Name, client};

    #[test]
    fn clients() {
        for (kind, line) in [
            (Kind::Tmux, r#""tmux" "attach-session" "-t" "=a b""#),
            (Kind::Screen, r#""screen" "-x" "a b""#),
            (Kind::Zellij, r#""zellij" "attach" "a b""#),
        ] {
            assert_eq!(format!("{:?}", client(kind, &Name::parse(kind, "a b").unwrap())), line);
        }
    }
}
