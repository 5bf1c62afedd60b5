//! The services that are created for sessions: for a program, `~/.xinitrc`, the distribution's Xsession, and the
//! rescue command.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Choice, NoSession, Surroundings};
use crate::attributes::Attributes;
use crate::environment::Block;
use crate::manager::{names, transient};
use crate::program::is_executable;
use crate::text::one_line;

/// Debian's script (Xsession(5)). It runs `/etc/X11/Xsession.d`, and then `~/.xsession` or the session manager or
/// window manager of the alternatives system. Other distributions have a file there that only shows how to write an
/// xinitrc, which is not a session.
const XSESSION: &str = "/etc/X11/Xsession";
/// The files that it starts, below the home directory.
const PERSONS: [&str; 2] = [".xsession", ".Xsession"];
/// The programs that it starts otherwise; it would also start a terminal without a window manager, which is not a
/// session either.
const DISTRIBUTIONS: [&str; 2] = ["/usr/bin/x-session-manager", "/usr/bin/x-window-manager"];

/// The names of startup files, with or without a leading dot, in small letters: the file of xinit(1), and those that
/// Xsession(5) and display managers run.
const STARTUP_FILES: [&[u8]; 3] = [b"xinitrc", b"xsession", b"xclients"];
/// How many bytes of a file are read to recognise it; the first line of a shell script is shorter.
const BEGINNING: u64 = 256;

/// A service that is not restarted, with the attributes of this process.
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
        environment: Block::new(),
        attributes: Attributes::of_this_process(),
    }
}

/// The program of the first of these words.
///
/// # Errors
/// There is no such program.
pub(super) fn program(words: &[String], around: &Surroundings) -> Result<PathBuf, NoSession> {
    let name = words.first().map(String::as_str).unwrap_or_default();
    around.find(name).ok_or_else(|| NoSession::no_command(name))
}

/// The service of the rescue command, which replaces the window manager; `words` are the program and its arguments.
///
/// # Errors
/// There is no such program.
pub fn rescue(words: &[String], around: &Surroundings) -> Result<transient::Service, NoSession> {
    let program = program(words, around)?;
    Ok(service("rescue", "Rescue command, in the window manager's place", program, words.to_vec()))
}

/// A startup file as xinit(1) runs it: directly if it is executable and names its interpreter, else by the shell, with
/// its arguments.
///
/// The session ends with it, whatever its status, so it is never restarted.
pub(super) fn startup_file(path: &Path, arguments: &[String]) -> Choice {
    let file = path.to_string_lossy().into_owned();
    let words = [std::slice::from_ref(&file), arguments].concat();
    let what = words.join(" ");
    let is_program = is_executable(path) && has_interpreter(path);
    let (program, arguments) = if is_program { (path.to_owned(), words) } else { by_shell(words) };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.trim_start_matches('.');
    let description = format!("{}, the session's clients", one_line(&file));
    Choice::StartupFile { service: service(name, description, program, arguments), what }
}

/// The shell's command line for a file and its arguments.
pub(super) fn by_shell(words: Vec<String>) -> (PathBuf, Vec<String>) {
    ("/bin/sh".into(), [vec!["sh".to_owned()], words].concat())
}

/// Whether the kernel can execute it: systemd, unlike execvp(3) and every shell, does not fall back to the shell.
pub(super) fn has_interpreter(path: &Path) -> bool {
    beginning(path).is_some_and(|text| !is_text(&text) || text.starts_with(b"#!"))
}

/// Whether a command that is given by its path is a startup file and not a window manager: it is a text that only
/// the shell can run, or it has the name of a startup file.
pub(super) fn is_startup_file(path: &Path) -> bool {
    let Some(text) = beginning(path).filter(|text| is_text(text)) else { return false };
    let name = path.file_name().unwrap_or_default().as_encoded_bytes().to_ascii_lowercase();
    let is_called_so = STARTUP_FILES.contains(&name.strip_prefix(b".").unwrap_or(&name));
    !is_executable(path) || !text.starts_with(b"#!") || is_called_so
}

/// The beginning of a file; `None` if it cannot be read.
fn beginning(path: &Path) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let file = std::fs::File::open(path).ok().filter(|file| file.metadata().is_ok_and(|data| data.is_file()))?;
    file.take(BEGINNING).read_to_end(&mut text).ok()?;
    Some(text)
}

/// Whether this is a text, as shells see it: no NUL in the first line.
fn is_text(beginning: &[u8]) -> bool {
    !beginning.split(|&byte| byte == b'\n').next().unwrap_or_default().contains(&0)
}

/// The distribution's session for a person who has set up nothing, as with startx; `None` if it does not exist or would
/// find nothing to start. As with `~/.xinitrc`, the session ends with it.
pub(super) fn xsession(around: &Surroundings) -> Option<Choice> {
    let own = around.home.as_deref().is_some_and(|home| PERSONS.iter().any(|name| home.join(name).exists()));
    let runs = own || DISTRIBUTIONS.iter().any(|path| is_executable(Path::new(path)));
    let description = "Xsession, the default session of this system";
    let words = vec![XSESSION.to_owned()];
    let service = || service("xsession", description, XSESSION.into(), words.clone());
    (runs && is_executable(Path::new(XSESSION)))
        .then(|| Choice::StartupFile { service: service(), what: XSESSION.to_owned() })
}

/// Its program; `None` if there is no such session.
pub(super) fn default_program(around: &Surroundings) -> Option<PathBuf> {
    xsession(around)?.service().map(|service| service.program.clone())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::Choice;
    use super::super::tests::file;
    use super::{is_startup_file, startup_file};
    use crate::test_dir::TestDir;

    #[test]
    fn a_startup_file_runs_as_xinit_runs_it() {
        let directory = TestDir::new();
        let cases = [
            ("script", "#!/bin/sh\nexec openbox\n", 0o755, false),
            ("no-interpreter", "exec openbox\n", 0o755, true),
            ("not-executable", "#!/bin/sh\nexec openbox\n", 0o644, true),
            ("empty", "", 0o755, true),
        ];
        for (name, text, mode, by_shell) in cases {
            let path = file(&directory, name, text, mode);
            let Choice::StartupFile { service, what } = startup_file(&path, &["i3".to_owned()]) else {
                panic!("{name}")
            };
            let shell = PathBuf::from("/bin/sh");
            assert_eq!(service.program, if by_shell { shell } else { path.clone() }, "{name}");
            let words: Vec<&str> = service.arguments.iter().map(String::as_str).collect();
            let file = path.to_str().unwrap();
            assert_eq!(words, if by_shell { vec!["sh", file, "i3"] } else { vec![file, "i3"] }, "{name}");
            assert_eq!(what, format!("{file} i3"));
            assert!(service.restart.is_none());
        }
    }

    #[test]
    fn startup_files_are_recognised() {
        let directory = TestDir::new();
        let script = "#!/bin/sh\nexec openbox\n";
        for (name, text, mode, expected) in [
            ("xinitrc", script, 0o644, true),
            ("xinitrc", script, 0o755, true),
            (".xsession", script, 0o755, true),
            ("session", "exec openbox\n", 0o755, true),
            ("session", script, 0o644, true),
            // These are restarted after a crash: window managers may be scripts.
            ("session", script, 0o755, false),
            ("wm", "\x7fELF\x02\0", 0o755, false),
            ("wm", "\x7fELF\x02\0", 0o644, false),
        ] {
            let path = file(&directory, name, text, mode);
            assert_eq!(is_startup_file(&path), expected, "{name} {mode:o} {text}");
        }
        assert!(!is_startup_file(&directory.path("gone")));
        assert!(!is_startup_file(&directory.path("")));
    }
}
