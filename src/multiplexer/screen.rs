//! screen(1): its sessions, each a process with a socket, `PID.NAME`.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use tokio::time::Instant;

use super::{command, sockets};
use crate::environment::Block;
use crate::os::Pid;

/// The directories with the sockets of screens: `$SCREENDIR`, those that distributions build in, and
/// `~/.screen`, which is used if those cannot be.
#[must_use]
pub fn directories() -> Vec<PathBuf> {
    let given = std::env::var_os("SCREENDIR").map(PathBuf::from).filter(|path| path.is_absolute());
    // Found by listing, not by the user's name: looking up the name may take a while.
    let built_in = ["/run/screen", "/run/screens", "/tmp/screens", "/tmp/uscreens"].into_iter().flat_map(|directory| {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let is_users = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"S-"));
        entries.map(|entry| entry.path()).filter(is_users).collect::<Vec<_>>()
    });
    let home = std::env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(".screen"));
    given.into_iter().chain(built_in).chain(home).collect()
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    /// Its socket's directory.
    pub directory: PathBuf,
    /// Its process.
    pub pid: Pid,
    /// Its name.
    pub name: String,
    /// Whether a client is attached: screen marks this on its socket.
    pub attached: bool,
}

/// The sessions of this user.
#[must_use]
pub fn sessions() -> Vec<Screen> {
    let uid = nix::unistd::geteuid().as_raw();
    let of = |directory: PathBuf| {
        let sockets = sockets::in_directory(&directory, uid).into_iter().filter(|path| sockets::is_listening(path));
        sockets.filter_map(|path| screen(&path)).collect::<Vec<_>>()
    };
    directories().into_iter().flat_map(of).collect()
}

/// The session behind a socket.
fn screen(path: &Path) -> Option<Screen> {
    use std::os::unix::fs::MetadataExt;
    let (pid, name) = named(path.file_name()?.to_str()?)?;
    // socket.c, `MakeServerSocket`: executable by its owner while a client is attached.
    let attached = std::fs::symlink_metadata(path).is_ok_and(|it| it.mode() & 0o100 != 0);
    Some(Screen { directory: path.parent()?.to_owned(), pid, name: name.to_owned(), attached })
}

/// The process and the name of a session, from the name of its socket, `PID.NAME`, if it has exactly screen's form.
#[must_use]
pub fn named(socket: &str) -> Option<(Pid, &str)> {
    let (digits, name) = socket.split_once('.')?;
    let pid: i32 = digits.parse().ok().filter(|&pid| pid > 0)?;
    (pid.to_string() == digits).then_some((Pid::from_raw(pid), name))
}

/// Takes the content of /proc/PID/environ (proc_pid_environ(5)) and returns the variables that are text. Of two values
/// for a name, the first wins (getenv(3)).
#[must_use]
pub fn environment(bytes: &[u8]) -> Block {
    let entries = bytes.split(|&byte| byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok());
    let mut environment = Block::new();
    for (name, value) in entries.filter_map(|entry| entry.split_once('=')).filter(|(name, _)| !name.is_empty()) {
        environment.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    environment
}

impl Screen {
    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.join(format!("{}.{}", self.pid, self.name))
    }

    /// The environment that it was started with; there is no command that shows its current one.
    #[must_use]
    pub fn first_environment(&self) -> Block {
        environment(&std::fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default())
    }

    /// Sets a variable for the windows that it opens from now on, or unsets it.
    ///
    /// # Errors
    /// There is no such session any more, or it does not answer in time.
    pub async fn set(&self, variable: &str, value: Option<&str>, deadline: Instant) -> io::Result<()> {
        match value {
            Some(value) => self.tell(&["setenv", variable, value], deadline).await,
            None => self.tell(&["unsetenv", variable], deadline).await,
        }
    }

    /// Gives a command.
    ///
    /// # Errors
    /// There is no such session any more, or it does not answer in time.
    pub async fn tell(&self, command: &[&str], deadline: Instant) -> io::Result<()> {
        let session = format!("{}.{}", self.pid, self.name);
        let mut words = vec!["-S", &session, "-X"];
        words.extend(command);
        let directory = [("SCREENDIR", self.directory.as_os_str())];
        // Not for the built-in directory: on some distributions screen refuses `$SCREENDIR` if it names the one that
        // screen would choose.
        let environment: &[(&str, &OsStr)] = if self.directory.ends_with(".screen") { &directory } else { &[] };
        command::run("screen", &words, environment, deadline, |_| true).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::{environment, screen};

    #[test]
    fn names_of_sockets() {
        let found = screen("/run/screen/S-ada/127.a.b c".as_ref()).unwrap();
        assert_eq!((found.pid.as_raw(), found.name.as_str(), found.attached), (127, "a.b c", false));
        assert_eq!(found.socket().to_str(), Some("/run/screen/S-ada/127.a.b c"));
        for name in ["work", "x.work", "-1.work", "0.work", "+1.work", "01.work"] {
            assert_eq!(screen(format!("/run/screen/S-ada/{name}").as_ref()), None, "{name}");
        }
    }

    #[test]
    fn environments_of_processes() {
        let block = environment(b"A=1\0B=x=y\0=C\0D\0E=\xff\0A=2\0F=");
        let pairs: Vec<(&str, &str)> = block.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("A", "1"), ("B", "x=y"), ("F", "")]);
    }
}
