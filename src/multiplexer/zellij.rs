//! zellij: its sessions, each a server with a socket of its name.
//!
//! It has no command that changes the environment of a running server, so it cannot be told a display's variables;
//! its panes get the environment that the server was started with.

use std::path::PathBuf;

use super::sockets;

/// The directories with the sockets (zellij-utils, consts.rs, `ZELLIJ_SOCK_DIR`): one for each version of what client
/// and server say to each other.
#[must_use]
pub fn directories() -> Vec<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("ZELLIJ_SOCKET_DIR").or_else(|| Some(set("XDG_RUNTIME_DIR")?.join("zellij")));
    let entries = base.and_then(|base| std::fs::read_dir(base).ok());
    let mut directories: Vec<PathBuf> = entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    directories.sort();
    directories
}

/// The sockets of this user's sessions.
#[must_use]
pub fn sessions() -> Vec<PathBuf> {
    let uid = nix::unistd::geteuid().as_raw();
    let all = directories().into_iter().flat_map(|directory| sockets::in_directory(&directory, uid));
    // One more socket, beside those of sessions, is that of its web server.
    let session = |path: &PathBuf| path.file_name().is_some_and(|name| name != "web_server_bus");
    all.filter(session).filter(|path| sockets::is_listening(path)).collect()
}
