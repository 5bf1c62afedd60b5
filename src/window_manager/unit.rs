//! The unit of a window manager, as a text; pure.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::deadline::WINDOW_MANAGER_STOP;
use crate::environment::policy::{self, Tag};
use crate::manager::names;
use crate::manager::transient::EXITED_BY_SIGTERM;
use crate::session::Choice;
use crate::session::known::{KnownManager, known};
use crate::text::one_line;

/// A unit to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagerUnit {
    /// The name of the unit.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Takes a session that was chosen by `name`, and a way to find programs, and returns its unit; `None` if the session
/// is not a window manager but a startup file or a unit.
#[must_use]
pub fn unit(name: &str, choice: &Choice, find: impl Fn(&str) -> Option<PathBuf>) -> Option<ManagerUnit> {
    let (service, entry) = match choice {
        Choice::Entry { service, what, .. } => (service, what.as_str()),
        Choice::Command { service, .. } => (service, name.rsplit('/').next().unwrap_or(name)),
        Choice::StartupFile { .. } | Choice::Unit(_) | Choice::Wanted(_) => return None,
    };
    let program = service.program.file_name().unwrap_or_default().to_string_lossy();
    let about = known(entry).or_else(|| known(&program));
    let title = one_line(entry);
    let unit = unit_name(entry);
    let mut text = format!(
        "# Written by: startxd enable wm {title}\n\
         # \"startxd disable wm\" removes this file. For changes: systemctl --user edit {unit}\n\
         # (or edit this file: it is yours then, and startxd neither replaces nor removes it).\n\n\
         [Unit]\nDescription={}, the window manager\n\
         Requires=xorg.target\nAfter=xorg.target graphical-session-pre.target\n\n[Service]\n",
        title.replace('%', "%%")
    );
    if about.is_some_and(|about| about.says_ready) {
        text += "# It says READY=1 when its configuration is read and it manages the display.\nType=notify\n";
    } else {
        text += "Type=exec\n";
    }
    let arguments = service.arguments.get(1..).unwrap_or_default();
    let _ = writeln!(text, "ExecStart={}", command(&service.program, arguments, false));
    if let Some(reload) = reload(about, find) {
        let _ = writeln!(text, "ExecReload={reload}");
    }
    if let Some(directory) = &service.directory {
        let _ = writeln!(text, "WorkingDirectory={}", directory.replace('%', "%%"));
    }
    let _ = write!(
        text,
        "# The login session that the display is in.\nEnvironmentFile=-%t/startxd/session.env\n\
         # Programs that it has started outlive its crash, and are not killed with it when memory runs out.\n\
         KillMode=process\nOOMPolicy=continue\nManagedOOMPreference=avoid\n\
         # All of the desktop is in this unit, so it may have as many processes as its user.\nTasksMax=infinity\n\
         # An exit at SIGTERM, which many programs turn into this status.\nSuccessExitStatus={EXITED_BY_SIGTERM}\n\
         # A window manager that ignores SIGTERM is killed after this; systemd waits 90 seconds by default.\nTimeoutStopSec={}\n\
         Slice=session.slice\n\
         # These describe this unit, and would mislead the programs that it starts.\nUnsetEnvironment={}\n\n\
         [Install]\nWantedBy={}\n",
        WINDOW_MANAGER_STOP.as_secs(),
        policy::tagged(Tag::Unit).collect::<Vec<_>>().join(" "),
        names::WM_TARGET
    );
    Some(ManagerUnit { name: unit, text })
}

/// The name of the unit of an entry or a program.
#[must_use]
pub fn unit_name(entry: &str) -> String {
    // A dash is part of many names, and has no meaning in the name of a service.
    let escaped: Vec<String> = entry.split('-').map(names::escape).collect();
    format!("{}.service", escaped.join("-"))
}

fn reload(about: Option<&KnownManager>, find: impl Fn(&str) -> Option<PathBuf>) -> Option<String> {
    let (program, arguments) = about?.reload.split_first()?;
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    Some(command(&find(program)?, &arguments, true))
}

/// A command line as systemd.service(5) reads it; `expands` if it uses variables.
fn command(program: &Path, arguments: &[String], expands: bool) -> String {
    let program = program.to_string_lossy().into_owned();
    let words: Vec<&String> = [&program].into_iter().chain(arguments).collect();
    let literal = !expands && words.iter().any(|word| word.contains('$'));
    let words: Vec<String> = words.into_iter().map(|word| self::word(word)).collect();
    format!("{}{}", if literal { ":" } else { "" }, words.join(" "))
}

/// One of its words, literally: specifiers, quotes and escapes of systemd.syntax(7) are escaped.
fn word(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./+:,=@$%~".contains(c);
    let percent = word.replace('%', "%%");
    if !word.is_empty() && word.chars().all(is_plain) {
        return percent;
    }
    let mut quoted = String::from("\"");
    for c in percent.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::{unit, unit_name, word};
    use crate::desktop_entry::Locale;
    use crate::session::known::KNOWN;
    use crate::session::{Surroundings, choose_by_name};
    use crate::test_dir::TestDir;
    use crate::testing::golden;

    /// Programs as a machine has them that has everything.
    fn machine() -> (TestDir, Surroundings) {
        let directory = TestDir::new();
        std::fs::create_dir_all(directory.path("bin")).unwrap();
        let program = |name: &str| {
            use std::os::unix::fs::PermissionsExt;
            let path = directory.path(format!("bin/{name}"));
            std::fs::write(&path, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        for known in &KNOWN {
            program(known.name);
            known.also.iter().for_each(|name| program(name));
            known.reload.first().iter().for_each(|name| program(name));
        }
        let around = Surroundings {
            path: Some(directory.path("bin").into()),
            home: None,
            xinitrc: None,
            xsessions: vec![directory.path("xsessions")],
            locale: Locale::default(),
        };
        (directory, around)
    }

    fn text(name: &str, directory: &TestDir, around: &Surroundings) -> String {
        let choice = choose_by_name(name, around).unwrap_or_else(|why| panic!("{name}: {why}"));
        let made = unit(name, &choice, |program| around.find(program)).unwrap();
        made.text.replace(&directory.path("bin").display().to_string(), "/usr/bin")
    }

    #[test]
    fn golden_units() {
        let (directory, around) = machine();
        for known in &KNOWN {
            golden(&format!("window-manager/{}", known.name), &text(known.name, &directory, &around));
        }
    }

    #[test]
    fn golden_units_of_entries() {
        let (directory, around) = machine();
        std::fs::create_dir_all(directory.path("xsessions")).unwrap();
        for (id, lines) in [
            ("openbox", "Exec=openbox-session"),
            ("icewm-session", "Exec=icewm-session"),
            ("odd", "Exec=twm \"a b\" 50%% \"\\\\$HOME\"\nPath=/"),
        ] {
            let entry = format!("[Desktop Entry]\nType=Application\nName=N\n{lines}\n");
            std::fs::write(directory.path(format!("xsessions/{id}.desktop")), entry).unwrap();
            golden(&format!("window-manager/entry-{id}"), &text(id, &directory, &around));
        }
    }

    #[test]
    fn words_are_literal() {
        for (text, expected) in [
            ("/usr/bin/i3", "/usr/bin/i3"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("50%", "50%%"),
            ("it's \"\\", "\"it's \\\"\\\\\""),
            ("a\nb", "\"a\\x0ab\""),
            (";", "\";\""),
        ] {
            assert_eq!(word(text), expected, "{text:?}");
        }
        assert_eq!(unit_name("i3-with-shmlog"), "i3-with-shmlog.service");
        assert_eq!(unit_name("zebra crossing"), "zebra\\x20crossing.service");
        assert_eq!(unit_name("a/b"), "a-b.service");
    }
}
