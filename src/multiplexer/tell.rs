//! Gives a display's variables to running multiplexers when the display comes up, and restores theirs when it ends.
//!
//! The old values are first written to `$XDG_RUNTIME_DIR/startxd/multiplexers.toml`, so that the repair after a session
//! that ended badly can restore them. All are told at once, under one deadline: one that hangs does not delay the
//! others.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::screen::{self, Screen};
use super::tmux::{self, TmuxServer};
use super::variables::{self, Scope, TOLD};
use crate::environment::Block;
use crate::records::Record;
use crate::runtime_dir::RuntimeDir;

/// The variables that were set, and the old values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The names of the variables that are useless without the display.
    ending: Vec<String>,
    /// The variables.
    pub variables: Block,
    /// The values of `$TMUX_TMPDIR`.
    temporary: Vec<String>,
    /// The old environments of each tmux server: by its socket, and then by the session's id, which is empty for the
    /// global one.
    tmux: BTreeMap<String, BTreeMap<String, Scope>>,
}

impl Told {
    /// The variables to set: from what the session exports and from what the manager has without it, `before`.
    #[must_use]
    pub fn new(exported: &Block, before: &Block) -> Self {
        let value = |name: &str| exported.get(name).or_else(|| before.get(name)).filter(|value| is_plain(value));
        let variables: Block =
            TOLD.iter().filter_map(|name| Some(((*name).to_owned(), value(name)?.clone()))).collect();
        let ends = |name: &&String| before.get(*name) != variables.get(*name);
        let ending = variables.keys().filter(ends).cloned().collect();
        let own = std::env::var("TMUX_TMPDIR").ok();
        let temporary = own.into_iter().chain(before.get("TMUX_TMPDIR").cloned()).collect();
        Self { ending, variables, temporary, tmux: BTreeMap::new() }
    }

    fn servers(&self, deadline: Instant) -> Vec<(String, TmuxServer)> {
        let temporary: Vec<&str> = self.temporary.iter().map(String::as_str).collect();
        let sockets = tmux::sockets(&temporary, nix::unistd::geteuid().as_raw());
        let named = |socket: PathBuf| Some((socket.to_str()?.to_owned(), TmuxServer::new(socket, deadline)));
        sockets.into_iter().filter_map(named).collect()
    }
}

impl Record for Told {
    const WHAT: &'static str = "a record of what multiplexers were told";
    const VERSION: Option<u32> = Some(1);

    /// The names in it are checked, because multiplexers are told to change them.
    fn checked(self) -> Result<Self, String> {
        let is_told = |(name, value): (&String, &String)| TOLD.contains(&name.as_str()) && is_plain(value);
        match self.variables.iter().find(|variable| !is_told(*variable)) {
            Some((name, _)) => Err(format!("{name:?} is not a variable that multiplexers are told")),
            None => Ok(self),
        }
    }
}

/// Without line breaks and control characters, which would be read back differently.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && !value.chars().any(char::is_control)
}

/// Tells all of them. Failures are logged: a session works without this.
pub async fn tell(runtime: &RuntimeDir, mut told: Told, deadline: Duration) {
    // Half of the time for each step, so that one that hangs in the first step leaves time for the others.
    let (half, deadline) = halves(deadline);
    let scopes = ask(&told, half).await;
    for (socket, scopes) in &scopes {
        told.tmux.insert(socket.clone(), scopes.clone());
    }
    if let Err(error) = told.save(&runtime.multiplexers()) {
        let path = runtime.multiplexers();
        tracing::warn!(
            "multiplexers do not get the display's variables: {} cannot be written: {error}",
            path.display()
        );
        return;
    }
    let mut tasks = JoinSet::new();
    for (socket, server) in told.servers(deadline) {
        let scopes = scopes.get(&socket).cloned().unwrap_or_default();
        let ours = told.variables.clone();
        tasks.spawn(async move {
            for (session, has) in &scopes {
                let ours = less(&ours, variables::left_alone_in(has, !session.is_empty()));
                let changes = variables::to_set(has, &ours);
                let changes = changes.iter().map(|(name, had)| (name, Some(had)));
                change(&socket, &server, session, variables::commands(id(session), changes)).await;
            }
        });
    }
    for screen in screen::sessions() {
        let ours = told.variables.clone();
        tasks.spawn(async move {
            for (name, value) in &less(&ours, left_alone(&screen.first_environment())) {
                set(&screen, name, Some(value), deadline).await;
            }
        });
    }
    tasks.join_all().await;
}

/// Undoes that in all of them, if there is a record, and removes the record.
pub async fn take_back(runtime: &RuntimeDir, deadline: Duration) {
    let path = runtime.multiplexers();
    let Some(told) = Told::load(&runtime.multiplexers()).ok().flatten() else {
        // No record, or not one of ours.
        let _ = std::fs::remove_file(&path);
        return;
    };
    let (half, deadline) = halves(deadline);
    let now = ask(&told, half).await;
    let mut tasks = JoinSet::new();
    for (socket, server) in told.servers(deadline) {
        let scopes = now.get(&socket).cloned().unwrap_or_default();
        let before = told.tmux.get(&socket).cloned().unwrap_or_default();
        let (ours, ending) = (told.variables.clone(), told.ending.clone());
        tasks.spawn(async move {
            for (session, has) in &scopes {
                let changes = variables::to_give_back(has, &ours, before.get(session), &ending);
                let changes = changes.iter().map(|(name, had)| (name, had.as_ref()));
                change(&socket, &server, session, variables::commands(id(session), changes)).await;
            }
        });
    }
    for screen in screen::sessions() {
        let (ours, ending) = (told.variables.clone(), told.ending.clone());
        tasks.spawn(async move {
            let first = screen.first_environment();
            let told = less(&ours, left_alone(&first));
            for (name, value) in told.iter().filter(|(name, _)| ending.contains(name)) {
                // A server that was started on this display has had the variables from the beginning.
                let before = first.get(name).filter(|before| *before != value);
                set(&screen, name, before.map(String::as_str), deadline).await;
            }
        });
    }
    tasks.join_all().await;
    let _ = std::fs::remove_file(&path);
}

/// The variables that may be set if some must be left alone.
fn less(ours: &Block, left_alone: &[&str]) -> Block {
    let told = ours.iter().filter(|(name, _)| !left_alone.contains(&name.as_str()));
    told.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The variables that a screen keeps if it was started in a remote login: its current values are not known.
fn left_alone(first: &Block) -> &'static [&'static str] {
    variables::left_alone(|name| first.get(name).map(String::as_str), false)
}

fn halves(deadline: Duration) -> (Instant, Instant) {
    let now = Instant::now();
    (now + deadline / 2, now + deadline)
}

/// The environments of each server that answers: the global one, and that of each session.
async fn ask(told: &Told, deadline: Instant) -> BTreeMap<String, BTreeMap<String, Scope>> {
    let mut tasks = JoinSet::new();
    for (socket, server) in told.servers(deadline) {
        tasks.spawn(async move {
            let scopes = async {
                let mut scopes = BTreeMap::new();
                let global = server.tell(&["show-environment", "-s", "-g"]).await?;
                scopes.insert(String::new(), variables::parse(&global));
                for session in server.sessions().await? {
                    // A server that has just ended need not be told.
                    if let Ok(text) = server.tell(&["show-environment", "-s", "-t", &session.id]).await {
                        scopes.insert(session.id, variables::parse(&text));
                    }
                }
                Ok::<_, io::Error>(scopes)
            };
            let scopes = timeout_at(deadline, scopes).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            (socket, scopes)
        });
    }
    let mut all = BTreeMap::new();
    for (socket, scopes) in tasks.join_all().await {
        match scopes {
            Ok(scopes) => drop(all.insert(socket, scopes)),
            Err(error) => {
                tracing::warn!(
                    "the tmux server on {socket} does not show its environment ({error}); try: tmux -S {socket} ls"
                )
            }
        }
    }
    all
}

fn id(session: &str) -> Option<&str> {
    (!session.is_empty()).then_some(session)
}

async fn change(socket: &str, server: &TmuxServer, session: &str, commands: Vec<String>) {
    if commands.is_empty() {
        return;
    }
    if let Err(error) = server.tell(&commands).await {
        tracing::warn!("the tmux server on {socket} has not taken the display's variables ({session} {error})");
    }
}

async fn set(screen: &Screen, name: &str, value: Option<&str>, deadline: Instant) {
    if let Err(error) = screen.set(name, value, deadline).await {
        let screen = crate::text::one_line(&format!("{}.{}", screen.pid, screen.name));
        tracing::warn!("the screen {screen} has not taken {name} ({error})");
    }
}

#[cfg(test)]
mod tests {
    use super::{Record, Told};
    use crate::environment::Block;

    fn block(pairs: &[(&str, &str)]) -> Block {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_told() {
        let before = block(&[("DBUS_SESSION_BUS_ADDRESS", "unix:path=/bus"), ("SSH_AUTH_SOCK", "/old"), ("LANG", "C")]);
        let exported =
            block(&[("DISPLAY", ":0"), ("XAUTHORITY", "/x\ny"), ("SSH_AUTH_SOCK", "/new"), ("PATH", "/bin")]);
        let told = Told::new(&exported, &before);
        let expected = [("DISPLAY", ":0"), ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/bus"), ("SSH_AUTH_SOCK", "/new")];
        assert_eq!(told.variables, block(&expected));
        assert_eq!(told.ending, ["DISPLAY", "SSH_AUTH_SOCK"]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut told = Told::new(&block(&[("DISPLAY", ":0")]), &Block::new());
        let scope = super::variables::parse("unset DISPLAY;\nXAUTHORITY=\"/x\"; export XAUTHORITY;\n");
        told.tmux.insert("/tmp/tmux-1/default".into(), [("".into(), scope.clone()), ("$0".into(), scope)].into());
        let text = told.to_toml().unwrap();
        assert_eq!(Told::from_toml(text.as_bytes()).unwrap(), told);
        for text in [text.replace("= 1", "= 2"), text.replace("DISPLAY =", "PATH ="), text.replace(":0", "\\n")] {
            assert!(Told::from_toml(text.as_bytes()).is_err(), "{text}");
        }
    }
}
