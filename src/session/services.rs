//! The services that are made for sessions: of a program, of `~/.xinitrc`, of the distribution's Xsession, and of the
//! rescue command.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::{NoSession, Surroundings};
use crate::attributes::Attributes;
use crate::manager::{names, transient};
use crate::program::is_executable;

/// Debian's script (Xsession(5)). It runs `/etc/X11/Xsession.d`, and then `~/.xsession` or the session manager or window
/// manager of the alternatives system. Other distributions have in this place an xinitrc that shows how to write one's
/// own, which is no session.
const XSESSION: &str = "/etc/X11/Xsession";
/// What it starts, below the home directory.
const PERSONS: [&str; 2] = [".xsession", ".Xsession"];
/// What it starts otherwise; it would also start a terminal with no window manager, which is no session either.
const DISTRIBUTIONS: [&str; 2] = ["/usr/bin/x-session-manager", "/usr/bin/x-window-manager"];

/// A service that is not started again, with what this process has.
pub(super) fn service(
    name: &str,
    description: impl Into<String>,
    program: PathBuf,
    arguments: Vec<String>,
) -> transient::Service {
    transient::Service {
        name: names::session_service(name),
        description: description.into(),
        program,
        arguments,
        directory: None,
        restart: None,
        attributes: Attributes::of_this_process(),
    }
}

/// The program that the first of these words means.
///
/// # Errors
/// There is no such program.
pub(super) fn program(words: &[String], around: &Surroundings) -> Result<PathBuf, NoSession> {
    let name = words.first().map(String::as_str).unwrap_or_default();
    around.find(name).ok_or_else(|| NoSession::no_command(name))
}

/// The service of the rescue command, `words` being the program and its arguments, in the window manager's place.
///
/// # Errors
/// There is no such program.
pub fn rescue(words: &[String], around: &Surroundings) -> Result<transient::Service, NoSession> {
    let program = program(words, around)?;
    Ok(service("rescue", "Rescue command, in the window manager's place", program, words.to_vec()))
}

/// `~/.xinitrc` as xinit(1) runs it: by itself if it is executable and says how, else by the shell.
///
/// Its end is the session's end, whatever its status, so it is never started again.
pub(super) fn xinitrc(path: &Path) -> transient::Service {
    let file = path.to_string_lossy().into_owned();
    let runnable = is_executable(path) && starts_with_interpreter(path);
    let (program, arguments) =
        if runnable { (path.to_owned(), vec![file]) } else { ("/bin/sh".into(), vec!["sh".to_owned(), file]) };
    service("xinitrc", "~/.xinitrc, the session's clients", program, arguments)
}

fn starts_with_interpreter(path: &Path) -> bool {
    let mut start = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && (start.starts_with(b"#!") || &start == b"\x7fELF")
}

/// What the distribution starts where a person has set up nothing, as startx does; `None` if it is not there or would find
/// nothing to start. As with `~/.xinitrc`, its end is the session's end.
pub(super) fn xsession(around: &Surroundings) -> Option<transient::Service> {
    let own = around.home.as_deref().is_some_and(|home| PERSONS.iter().any(|name| home.join(name).exists()));
    let runs = own || DISTRIBUTIONS.iter().any(|path| is_executable(Path::new(path)));
    let description = "Xsession, what this system starts by default";
    (runs && is_executable(Path::new(XSESSION)))
        .then(|| service("xsession", description, XSESSION.into(), vec![XSESSION.to_owned()]))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::tests::file;
    use super::xinitrc;
    use crate::test_dir::TestDir;

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
            let service = xinitrc(&path);
            let shell = PathBuf::from("/bin/sh");
            assert_eq!(service.program, if by_shell { shell } else { path.clone() }, "{name}");
            assert_eq!(service.arguments.last().map(String::as_str), path.to_str(), "{name}");
            assert!(service.restart.is_none());
        }
    }
}
