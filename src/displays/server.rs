//! Servers that need no screen, and their command lines.
//!
//! Debian's Xvfb, Xephyr and Xvnc (TigerVNC) all take the socket that they are handed (sd_listen_fds(3), by libxtrans)
//! and leave name and lock to us, like the Xorg that they are built from (seen on Debian 12, 13 and sid). A server that
//! does not would try to create them itself, fail because they are taken, and say so.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::config::ServerName;
use crate::config::size::Size;
use crate::program::find;
use crate::x11::display::Display;
use crate::x11::server::ALWAYS;

/// How a server gets its size, and what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    /// Xvfb(1), and every other program that takes its arguments.
    Xvfb,
    /// Xephyr(1): a window on another display.
    Xephyr,
    /// Xvnc(1) of TigerVNC: shown by a viewer.
    Xvnc,
}

/// A server to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// How it takes its arguments.
    pub kind: ServerKind,
    /// Its path.
    pub path: PathBuf,
    /// The name by which it was requested, for people.
    pub word: String,
}

/// Why there is no server to run.
#[derive(Debug, Error)]
pub enum NoProgram {
    /// It is not installed.
    #[error("there is no {0} in $PATH; install it ({1}), or give its path: --server PATH")]
    Missing(&'static str, &'static str),
    /// The path cannot be executed.
    #[error("the server {path} {1}; give the path of an X server: --server PATH", path = .0.display())]
    Unusable(PathBuf, &'static str),
}

impl ServerKind {
    /// The names of the program, the usual one first, and the packages that contain it.
    fn program(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Xvfb => (&["Xvfb"], "Debian: apt install xvfb, Arch: xorg-server-xvfb, Fedora: xorg-x11-server-Xvfb"),
            Self::Xephyr => (
                &["Xephyr"],
                "Debian: apt install xserver-xephyr, Arch: xorg-server-xephyr, Fedora: xorg-x11-server-Xephyr",
            ),
            Self::Xvnc => (
                &["Xvnc", "Xtigervnc"],
                "Debian: apt install tigervnc-standalone-server, Arch: tigervnc, Fedora: tigervnc-server-minimal",
            ),
        }
    }
}

/// Finds the requested server, by its name in `path`, a `$PATH`.
///
/// # Errors
/// [`NoProgram`].
pub fn program(asked: &ServerName, path: Option<&OsStr>) -> Result<Program, NoProgram> {
    let word = asked.to_string();
    let kind = match asked {
        ServerName::Path(path) => {
            return match problem(path) {
                Some(problem) => Err(NoProgram::Unusable(path.clone(), problem)),
                None => Ok(Program { kind: kind_of(path), path: path.clone(), word }),
            };
        }
        ServerName::Xvfb => ServerKind::Xvfb,
        ServerName::Xephyr => ServerKind::Xephyr,
        ServerName::Xvnc => ServerKind::Xvnc,
    };
    let (names, packages) = kind.program();
    let found = names.iter().find_map(|name| find(OsStr::new(name), path));
    let path = found.ok_or(NoProgram::Missing(names[0], packages))?;
    Ok(Program { kind, path, word })
}

fn problem(path: &Path) -> Option<&'static str> {
    match std::fs::metadata(path) {
        Err(_) => Some("does not exist"),
        Ok(metadata) if !metadata.is_file() || metadata.mode() & 0o111 == 0 => Some("is not a program"),
        // A setuid server would run as another user, and could not use what it is handed.
        Ok(metadata) if metadata.mode() & 0o6000 != 0 => Some("is setuid or setgid, which startxd never runs"),
        Ok(_) => None,
    }
}

/// The kind by the name, for a server that is given by its path.
fn kind_of(path: &Path) -> ServerKind {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    if name.contains("vnc") {
        ServerKind::Xvnc
    } else if name.contains("xephyr") {
        ServerKind::Xephyr
    } else {
        ServerKind::Xvfb
    }
}

/// The values from which the arguments of a server are made.
pub struct ServerLine<'a> {
    /// The display.
    pub display: Display,
    /// Its size.
    pub size: Size,
    /// Its depth in bits.
    pub depth: u8,
    /// The cookie's file.
    pub authority: &'a Path,
    /// The socket of a VNC server.
    pub vnc: &'a Path,
    /// Arguments from the command line; they come last, and so override ours.
    pub extra: &'a [String],
}

impl ServerLine<'_> {
    /// The arguments, the program's path first, which people find in the list of processes.
    ///
    /// [`ALWAYS`] has the reasons for its arguments.
    #[must_use]
    pub fn arguments(&self, program: &Program) -> Vec<String> {
        let name = program.path.to_string_lossy().into_owned();
        let (size, depth) = (self.size, self.depth);
        let mut arguments = vec![name, self.display.to_string()];
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(|&word| word.to_owned()));
        match program.kind {
            ServerKind::Xvfb => add(&["-screen", "0", &format!("{size}x{depth}")]),
            ServerKind::Xephyr => {
                add(&["-screen", &format!("{size}x{depth}"), "-title", &format!("display {}", self.display)])
            }
            ServerKind::Xvnc => add(&["-geometry", &size.to_string(), "-depth", &depth.to_string()]),
        }
        add(&ALWAYS);
        add(&[&self.authority.display().to_string()]);
        if self.is_by_socket(program) {
            // Only the user can reach this socket, so viewers need no authentication; and no TCP port is open. Whoever
            // asks for a port gets the server's default: viewers need a password.
            let socket = self.vnc.display().to_string();
            add(&["-rfbport", "-1", "-rfbunixpath", &socket, "-rfbunixmode", "0600", "-SecurityTypes", "None"]);
        }
        arguments.extend(self.extra.iter().cloned());
        arguments
    }

    /// Whether viewers use our socket: the server is a VNC server, and no port was requested.
    #[must_use]
    pub fn is_by_socket(&self, program: &Program) -> bool {
        // TigerVNC's parameters have no case, and are written "-rfbport 5900", "--rfbport=5900" or "rfbport=5900".
        let asks = |argument: &String| {
            let argument = argument.trim_start_matches('-').to_lowercase();
            ["rfbport", "inetd", "interface"].iter().any(|name| argument.split('=').next() == Some(name))
        };
        program.kind == ServerKind::Xvnc && !self.extra.iter().any(asks)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Program, ServerKind, ServerLine, kind_of, program};
    use crate::config::ServerName;
    use crate::config::size::Size;
    use crate::testing::golden;
    use crate::x11::display::Display;

    fn line(kind: ServerKind, extra: &[&str]) -> String {
        let program = Program { kind, path: "/usr/bin/X".into(), word: String::new() };
        let extra: Vec<String> = extra.iter().map(|&argument| argument.to_owned()).collect();
        let line = ServerLine {
            display: Display::new(7).unwrap(),
            size: Size::USUAL,
            depth: 24,
            authority: Path::new("/a"),
            vnc: Path::new("/v"),
            extra: &extra,
        };
        line.arguments(&program).join(" ")
    }

    #[test]
    fn command_lines() {
        let common = "-noreset -nolisten tcp -nolisten local -displayfd 4 -auth /a";
        assert_eq!(
            line(ServerKind::Xvfb, &["-ardelay", "9"]),
            format!("/usr/bin/X :7 -screen 0 1280x1024x24 {common} -ardelay 9")
        );
        assert_eq!(
            line(ServerKind::Xephyr, &[]),
            format!("/usr/bin/X :7 -screen 1280x1024x24 -title display :7 {common}")
        );
        let vnc = format!("/usr/bin/X :7 -geometry 1280x1024 -depth 24 {common}");
        let by_socket = "-rfbport -1 -rfbunixpath /v -rfbunixmode 0600 -SecurityTypes None";
        assert_eq!(line(ServerKind::Xvnc, &["-AlwaysShared"]), format!("{vnc} {by_socket} -AlwaysShared"));
    }

    #[test]
    fn golden_command_lines() {
        let mut text = String::new();
        for (path, extra) in [
            ("/usr/bin/Xvfb", &[][..]),
            ("/opt/x/server", &["-ardelay", "9"]),
            ("/usr/bin/Xephyr", &["-resizeable"]),
            ("/usr/bin/Xtigervnc", &[]),
            ("/usr/bin/Xvnc", &["-rfbport", "5907"]),
        ] {
            let extra: Vec<String> = extra.iter().map(|&argument| argument.to_owned()).collect();
            let line = ServerLine {
                display: Display::new(100).unwrap(),
                size: Size::USUAL,
                depth: 24,
                authority: Path::new("/run/user/1000/xauth_startxd_100"),
                vnc: Path::new("/run/user/1000/startxd/vnc-100.sock"),
                extra: &extra,
            };
            let program = Program { kind: kind_of(Path::new(path)), path: path.into(), word: path.into() };
            text += &format!("{path}: {:?}\n", line.arguments(&program));
        }
        golden("server/displays", &text);
    }

    #[test]
    fn a_port_is_never_open_without_a_password() {
        for asked in [&["-rfbport", "5907"][..], &["rfbport=5907"], &["--RFBPort=5907"], &["-inetd"]] {
            let line = line(ServerKind::Xvnc, asked);
            assert!(!line.contains("SecurityTypes") && !line.contains("rfbunixpath"), "{line}");
        }
        assert!(line(ServerKind::Xvnc, &["-rfbportal"]).contains("-rfbport -1"));
    }

    #[test]
    fn kinds_are_known_by_their_names() {
        for (path, kind) in [
            ("/usr/bin/Xtigervnc", ServerKind::Xvnc),
            ("/opt/Xephyr", ServerKind::Xephyr),
            ("/opt/vnc/Xvfb", ServerKind::Xvfb),
        ] {
            assert_eq!(kind_of(Path::new(path)), kind, "{path}");
        }
    }

    #[test]
    fn programs_that_are_not_servers_are_refused() {
        for (asked, part) in [
            (ServerName::Xvnc, "apt install tigervnc-standalone-server"),
            (ServerName::Path("/nonexistent".into()), "does not exist"),
            (ServerName::Path("/etc/passwd".into()), "is not a program"),
            (ServerName::Path("/etc".into()), "is not a program"),
        ] {
            let error = program(&asked, None).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains('\n'), "{asked}: {error}");
        }
        assert!(program(&ServerName::Path("/bin/true".into()), None).is_ok());
    }
}
