//! `~/.Xresources`, `~/.Xmodmap`, `~/.xprofile` and `~/.xsessionrc`, and those of the system: the files that display
//! managers and the startup files of distributions read before the window manager starts. startxd reads them for
//! sessions that run neither.
//!
//! Names and order are those of Debian's Xsession(5), lightdm's script and xinit's own xinitrc.

use std::path::{Path, PathBuf};

use super::Choice;
use crate::config::SessionConfig;
use crate::small_file;

/// Programs that read all of them themselves.
const XSESSION: &str = "Xsession";

/// When they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DotfilesTime {
    /// Not at all: no file exists, or the session reads them itself.
    #[default]
    Never,
    /// Before the window manager starts, which waits for them.
    First,
    /// When the window manager is up. The resources that distributions ship are not worth a delay of the start.
    Later,
}

/// The files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dotfiles {
    /// Resources of the system.
    pub system_resources: Vec<PathBuf>,
    /// The person's resources.
    pub own_resources: Vec<PathBuf>,
    /// Keymaps of xmodmap(1).
    pub keymaps: Vec<PathBuf>,
    /// Files for the shell, which set variables and may do anything.
    pub profiles: Vec<PathBuf>,
}

impl Dotfiles {
    /// Looks below `root`, which is `/` except in tests, and in the home directory.
    #[must_use]
    pub fn find(root: &Path, home: Option<&Path>) -> Self {
        let there = |paths: &[PathBuf]| paths.iter().filter(|path| path.is_file()).cloned().collect::<Vec<_>>();
        let own = |names: &[&str]| names.iter().filter_map(|name| Some(home?.join(name))).collect::<Vec<_>>();
        let system = |names: &[&str]| names.iter().map(|name| root.join(name)).collect::<Vec<_>>();
        let mut system_resources = dropped_in(&root.join("etc/X11/Xresources"));
        system_resources.extend(there(&system(&["etc/X11/Xresources", "etc/X11/xinit/.Xresources"])));
        let keymaps = [system(&["etc/X11/Xmodmap", "etc/X11/xinit/.Xmodmap"]), own(&[".Xmodmap"])].concat();
        let profiles = [system(&["etc/xprofile"]), own(&[".xprofile", ".xsessionrc"])].concat();
        Self {
            system_resources,
            own_resources: if allows_own_resources(root) { there(&own(&[".Xresources"])) } else { Vec::new() },
            keymaps: there(&keymaps),
            profiles: there(&profiles),
        }
    }

    /// When they are read for this session. A startup file itself decides what it reads.
    #[must_use]
    pub fn time(&self, choice: &Choice, config: &SessionConfig) -> DotfilesTime {
        let program = choice.service().and_then(|service| service.program.file_name());
        let reads_itself =
            matches!(choice, Choice::StartupFile { .. }) || program.is_some_and(|program| program == XSESSION);
        if config.ignores_dotfiles || reads_itself {
            DotfilesTime::Never
        } else if self.own_resources.len() + self.keymaps.len() + self.profiles.len() > 0 {
            DotfilesTime::First
        } else if self.system_resources.is_empty() {
            DotfilesTime::Never
        } else {
            DotfilesTime::Later
        }
    }
}

/// Whether the administrator of a Debian lets people's own resources be read (Xsession.options(5)). Where nothing says
/// so, there is no such rule.
fn allows_own_resources(root: &Path) -> bool {
    let mut paths = vec![root.join("etc/X11/Xsession.options")];
    paths.extend(files_in(&root.join("etc/X11/Xsession.options.d"), |name| name.ends_with(".conf")));
    let texts: Vec<String> = paths.iter().filter_map(|path| small_file::text(path).ok()).collect();
    texts.is_empty() || has_option(&texts.concat(), "allow-user-resources")
}

/// Whether an option is set, as Debian's Xsession finds it: the last line counts that begins with it, or with its
/// opposite.
fn has_option(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let value = |line: &str| {
        let (rest, on) = line.strip_prefix("no-").map_or((line, true), |rest| (rest, false));
        rest.strip_prefix(name).filter(|rest| !rest.starts_with(is_word)).map(|_| on)
    };
    text.lines().filter_map(value).next_back().unwrap_or(false)
}

/// The files of a directory, by the names that run-parts(8) accepts, as Xsession does.
fn dropped_in(directory: &Path) -> Vec<PathBuf> {
    files_in(directory, |name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)))
}

/// The files of a directory with accepted names, sorted.
fn files_in(directory: &Path, accepted: fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_str().is_some_and(accepted));
    let mut paths: Vec<PathBuf> = named.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Dotfiles, DotfilesTime, has_option};
    use crate::config::SessionConfig;
    use crate::session::services::{service, startup_file};
    use crate::session::{Choice, Desktop};
    use crate::test_dir::TestDir;

    fn write(directory: &TestDir, names: &[&str]) {
        for name in names {
            let path = directory.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
    }

    #[test]
    fn files_are_found_in_their_order() {
        let directory = TestDir::new();
        write(
            &directory,
            &[
                "etc/X11/Xresources/b",
                "etc/X11/Xresources/a-1",
                "etc/X11/Xresources/a.dpkg-old",
                "etc/X11/Xresources/c/d",
                "etc/X11/xinit/.Xresources",
                "etc/X11/Xmodmap",
                "etc/xprofile",
                "home/.Xresources",
                "home/.Xmodmap",
                "home/.xsessionrc",
                "home/.xprofile",
            ],
        );
        let home = directory.path("home");
        let found = Dotfiles::find(&directory.path(""), Some(&home));
        let path = |name: &&str| directory.path(name);
        let paths = |names: &[&str]| names.iter().map(path).collect::<Vec<_>>();
        let system = ["etc/X11/Xresources/a-1", "etc/X11/Xresources/b", "etc/X11/xinit/.Xresources"];
        assert_eq!(found.system_resources, paths(&system));
        assert_eq!(found.own_resources, paths(&["home/.Xresources"]));
        assert_eq!(found.keymaps, paths(&["etc/X11/Xmodmap", "home/.Xmodmap"]));
        assert_eq!(found.profiles, paths(&["etc/xprofile", "home/.xprofile", "home/.xsessionrc"]));
        // On other distributions this is a file.
        let other = TestDir::new();
        write(&other, &["etc/X11/Xresources"]);
        let found = Dotfiles::find(&other.path(""), None);
        assert_eq!(found.system_resources, [other.path("etc/X11/Xresources")]);
    }

    #[test]
    fn debians_options_are_respected() {
        let name = "allow-user-resources";
        for (text, expected) in [
            ("allow-failsafe\nallow-user-resources\n", true),
            ("allow-user-resources\nno-allow-user-resources\n", false),
            ("no-allow-user-resources # and why\nallow-user-resources\n", true),
            ("#allow-user-resources\n allow-user-resources\nallow-user-resources2\n", false),
            ("", false),
        ] {
            assert_eq!(has_option(text, name), expected, "{text:?}");
        }
        let directory = TestDir::new();
        write(&directory, &["home/.Xresources", "etc/X11/Xsession.options.d/a.off"]);
        let home = directory.path("home");
        let count = || Dotfiles::find(&directory.path(""), Some(&home)).own_resources.len();
        let says = |path: &str, text: &str| std::fs::write(directory.path(path), text).unwrap();
        // As elsewhere.
        assert_eq!(count(), 1);
        says("etc/X11/Xsession.options", "allow-user-resources\n");
        assert_eq!(count(), 1);
        says("etc/X11/Xsession.options.d/a.off", "no-allow-user-resources\n");
        assert_eq!(count(), 1);
        says("etc/X11/Xsession.options.d/b.conf", "no-allow-user-resources\n");
        assert_eq!(count(), 0);
        says("etc/X11/Xsession.options.d/c.conf", "allow-user-resources\n");
        assert_eq!(count(), 1);
        says("etc/X11/Xsession.options", "");
        std::fs::remove_dir_all(directory.path("etc/X11/Xsession.options.d")).unwrap();
        assert_eq!(count(), 0);
    }

    #[test]
    fn the_time_of_reading_depends_on_the_files_and_the_session() {
        let desktop = || Desktop { names: vec!["N".into()], session: "n".into(), decides: false };
        let command = |program: &str| Choice::Command {
            service: service("wm", "", program.into(), vec![program.into()]),
            desktop: desktop(),
        };
        let system = || Dotfiles { system_resources: vec!["/etc/a".into()], ..Dotfiles::default() };
        let own = || Dotfiles { profiles: vec!["/home/a/.xprofile".into()], ..system() };
        let unit = || Choice::Unit("i3.service".into());
        let xinitrc = startup_file(Path::new("/home/a/.xinitrc"), &[]);
        for (files, choice, expected) in [
            (Dotfiles::default(), unit(), DotfilesTime::Never),
            (system(), unit(), DotfilesTime::Later),
            (own(), unit(), DotfilesTime::First),
            (own(), command("/usr/bin/i3"), DotfilesTime::First),
            (own(), command("/etc/X11/Xsession"), DotfilesTime::Never),
            (own(), xinitrc, DotfilesTime::Never),
        ] {
            let on = SessionConfig::default();
            assert_eq!(files.time(&choice, &on), expected, "{files:?} {choice:?}");
            let off = SessionConfig { ignores_dotfiles: true, ..on };
            assert_eq!(files.time(&choice, &off), DotfilesTime::Never);
        }
    }
}
