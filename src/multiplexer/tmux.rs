//! tmux(1): its servers, and commands for them.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use tokio::time::Instant;

use super::command;
use super::name::Name;
use super::sockets;
use crate::os::Pid;

/// The prefix of the scopes of panes, from tmux 3.4 on.
pub const PANE_SCOPES: &str = "tmux-spawn-*.scope";

/// The directories of a user's sockets: below each `$TMUX_TMPDIR` that a process of the user may have, and below
/// `/tmp`.
#[must_use]
pub fn directories(temporary: &[&str], uid: u32) -> Vec<PathBuf> {
    let given = temporary.iter().filter(|path| path.starts_with('/'));
    let mut directories: Vec<PathBuf> =
        given.chain([&"/tmp"]).map(|path| Path::new(path).join(format!("tmux-{uid}"))).collect();
    directories.sort();
    directories.dedup();
    directories
}

/// The default socket of tmux in this process's environment.
#[must_use]
pub fn default_socket() -> PathBuf {
    let uid = nix::unistd::geteuid().as_raw();
    let given = std::env::var_os("TMUX_TMPDIR").map(PathBuf::from).filter(|path| path.is_dir());
    given.unwrap_or_else(|| "/tmp".into()).join(format!("tmux-{uid}")).join("default")
}

/// The sockets on which servers of this user may listen.
#[must_use]
pub fn sockets(temporary: &[&str], uid: u32) -> Vec<PathBuf> {
    let all = directories(temporary, uid).into_iter().flat_map(|directory| sockets::in_directory(&directory, uid));
    all.filter(|socket| sockets::is_listening(socket)).collect()
}

/// A session of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TmuxSession {
    /// `$N`, which is unique within the server forever.
    pub id: String,
    /// The clients that show it.
    pub attached: u32,
    /// Its windows.
    pub windows: u32,
    /// Its name.
    pub name: String,
}

/// A server.
#[derive(Debug, Clone)]
pub struct TmuxServer {
    socket: PathBuf,
    deadline: Instant,
}

impl TmuxServer {
    /// The server on a socket, which may answer until `deadline`.
    #[must_use]
    pub const fn new(socket: PathBuf, deadline: Instant) -> Self {
        Self { socket, deadline }
    }

    /// Gives one command, or several with `;` between them. No server is started for it.
    ///
    /// # Errors
    /// There is no server, it refuses, or it does not answer in time.
    pub async fn tell(&self, arguments: &[impl AsRef<OsStr>]) -> io::Result<String> {
        let socket = self.socket.as_os_str();
        let first = ["-N", "-u", "-S"].map(OsStr::new);
        // A client that is ended by a signal prints nothing and exits with 0, so each has to print something last.
        let last = [";", "show-options", "-s", LAST].map(OsStr::new);
        let words = first.into_iter().chain([socket]).chain(arguments.iter().map(AsRef::as_ref)).chain(last);
        let words: Vec<&OsStr> = words.collect();
        let text = command::run("tmux", &words, &[], self.deadline, |text| said(text).is_some()).await?;
        Ok(said(&text).unwrap_or_default().to_owned())
    }

    /// Its sessions.
    ///
    /// # Errors
    /// As [`tell`](Self::tell).
    pub async fn sessions(&self) -> io::Result<Vec<TmuxSession>> {
        let format = "#{session_id} #{session_attached} #{session_windows} #{session_name}";
        let text = self.tell(&["list-sessions", "-F", format]).await?;
        Ok(text.lines().filter_map(session).collect())
    }

    /// Whether there is a session of this name.
    pub async fn has(&self, name: &Name) -> bool {
        self.tell(&["has-session", "-t", &format!("={name}")]).await.is_ok()
    }

    /// The processes that were started in the panes of a session.
    ///
    /// # Errors
    /// As for [`tell`](Self::tell), or the session does not exist.
    pub async fn panes(&self, name: &Name) -> io::Result<Vec<Pid>> {
        let target = format!("={name}:");
        let text = self.tell(&["list-panes", "-s", "-F", "#{pane_pid}", "-t", &target]).await?;
        Ok(text.lines().filter_map(pane).collect())
    }
}

/// The option that each client prints last, because every server has it.
const LAST: &str = "exit-empty";

/// The output of a client before that option; `None` if the option is missing.
#[must_use]
pub fn said(text: &str) -> Option<&str> {
    let text = text.strip_suffix('\n')?;
    let start = text.rfind('\n').map_or(0, |at| at + 1);
    text[start..].starts_with(LAST).then(|| &text[..start])
}

/// A line of `list-sessions` in our format.
#[must_use]
pub fn session(line: &str) -> Option<TmuxSession> {
    let mut fields = line.splitn(4, ' ');
    let id = fields.next().filter(|id| is_id(id))?.to_owned();
    let (attached, windows) = (number(fields.next()?)?, number(fields.next()?)?);
    Some(TmuxSession { id, attached, windows, name: fields.next()?.to_owned() })
}

/// A line of `list-panes` in our format: the pid of what was started in the pane.
#[must_use]
pub fn pane(line: &str) -> Option<Pid> {
    number(line).and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 1).map(Pid::from_raw)
}

/// A number as tmux prints it.
fn number(digits: &str) -> Option<u32> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// Whether this is the id of a session. Nothing else from a server's output is sent back to it.
#[must_use]
pub fn is_id(text: &str) -> bool {
    text.strip_prefix('$').is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The server whose pane is in a scope, by the scope's description (tmux, compat/systemd.c): its pid.
#[must_use]
pub fn launcher(description: &str) -> Option<u32> {
    let (_, pid) = description.strip_prefix("tmux child pane ")?.split_once(" launched by process ")?;
    pane(pid).and_then(|pid| u32::try_from(pid.as_raw()).ok())
}

#[cfg(test)]
mod tests {
    use super::{TmuxSession, directories, launcher, pane, said, session};

    #[test]
    fn where_sockets_are() {
        let paths =
            |given: &[&str]| directories(given, 7).iter().map(|it| it.display().to_string()).collect::<Vec<_>>();
        assert_eq!(paths(&[]), ["/tmp/tmux-7"]);
        assert_eq!(
            paths(&["/run/user/7", "", "relative", "/tmp", "/run/user/7"]),
            ["/run/user/7/tmux-7", "/tmp/tmux-7"]
        );
    }

    #[test]
    fn the_output_of_a_server_is_parsed() {
        assert_eq!(said("a\nb\nexit-empty on\n"), Some("a\nb\n"));
        assert_eq!(said("exit-empty off\n"), Some(""));
        for text in ["", "a\n", "exit-empty on", "exit-empty on\na\n"] {
            assert_eq!(said(text), None, "{text:?}");
        }
        let expected = TmuxSession { id: "$3".into(), attached: 1, windows: 2, name: "a b".into() };
        assert_eq!(session("$3 1 2 a b"), Some(expected));
        for line in
            ["", "$3 1 2", "3 1 2 a", "$ 1 2 a", "$x 1 2 a", "$3 -1 2 a", "$3 +1 2 a", "no server running on /tmp/x"]
        {
            assert_eq!(session(line), None, "{line}");
        }
        assert_eq!(pane("4711").map(|pid| pid.as_raw()), Some(4711));
        // kill(2) and systemd have other meanings for the first of these.
        for line in ["0", "-1", "1", "", "+7", "4294967296", "no such session"] {
            assert_eq!(pane(line), None, "{line}");
        }
        assert_eq!(launcher("tmux child pane 117 launched by process 113"), Some(113));
        for text in [
            "",
            "tmux child pane 1 launched by process x",
            "pane 1 launched by process 2",
            "tmux child pane 1 launched by process 0",
        ] {
            assert_eq!(launcher(text), None, "{text}");
        }
    }
}
