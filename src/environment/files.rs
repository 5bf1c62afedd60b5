//! The environment files: where they are, and in which order they are read.
//!
//! Places, names and order are those of uwsm (its `prepare-env.sh`), with `startxd` for `uwsm`. uwsm's own
//! files are not read, because they are for a Wayland session.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::xdg;

/// The files that were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentFiles {
    /// The files to read, in this order: a later one overrides an earlier one.
    pub files: Vec<PathBuf>,
    /// Files that cannot be read, and why.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// The directories, in the order of increasing precedence (XDG Base Directory Specification): those of `XDG_DATA_DIRS`
/// and of `XDG_CONFIG_DIRS`, the last one of each first, `/etc`, and `XDG_CONFIG_HOME`; `startxd` in each.
#[must_use]
pub fn directories(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let data = xdg::DATA.everybodys(&variable).into_iter().rev();
    let configuration = xdg::CONFIGURATION.everybodys(&variable).into_iter().rev();
    let system = data.chain(configuration).chain(["/etc".into()]);
    system.chain(xdg::CONFIGURATION.own(variable)).map(|path| path.join("startxd")).collect()
}

/// The names of files, in the order of increasing precedence: `env`, then `env-NAME` for the session and for each of
/// the desktop's names, the first name last. Names are in small letters.
///
/// `current` is the value of `XDG_CURRENT_DESKTOP`, `session` that of `DESKTOP_SESSION`.
#[must_use]
pub fn names(current: &str, session: &str) -> Vec<String> {
    let mut names = vec!["env".to_owned()];
    for name in std::iter::once(session).chain(current.rsplit(':')).map(str::to_lowercase) {
        let name = format!("env-{name}");
        // A slash would lead to another directory.
        if name.len() > "env-".len() && !name.contains('/') {
            names.retain(|earlier| *earlier != name);
            names.push(name);
        }
    }
    names
}

/// Takes directories and names, and returns the files that exist: in each directory, for each name, the file NAME and
/// those in NAME.d, sorted by their names.
///
/// Backups and disabled files in NAME.d are skipped ([`is_aside`]). For a directory that does not exist, this costs one
/// call. each.
#[must_use]
pub fn find(directories: &[PathBuf], names: &[String]) -> EnvironmentFiles {
    let mut found = EnvironmentFiles::default();
    for directory in directories.iter().filter(|directory| directory.is_dir()) {
        for name in names {
            found.add(directory.join(name));
            for name in dropped_in(&directory.join(format!("{name}.d"))) {
                found.add(directory.join(name));
            }
        }
    }
    found
}

impl EnvironmentFiles {
    fn add(&mut self, path: PathBuf) {
        if !path.is_file() {
            return;
        }
        match std::fs::File::open(&path) {
            Ok(_) => self.files.push(path),
            Err(error) => self.unreadable.push((path, error.to_string())),
        }
    }
}

fn dropped_in(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<OsString> =
        entries.flatten().map(|entry| entry.file_name()).filter(|name| !is_aside(name)).collect();
    names.sort();
    names.into_iter().map(|name| directory.join(name)).collect()
}

/// Extensions of backups and disabled files, in lower case, as editors, package managers, version control and people
/// name them; dpkg's and ucf's begin with `dpkg-` and `ucf-`. The list is systemd's (`hidden_or_backup_file` in
/// basic/path-util.c), and some more that people use.
const ASIDE: [&str; 24] = [
    "bak", "backup", "old", "orig", "save", "saved", "new", "tmp", "temp", "swp", "swo", "rej", "broken", "disabled",
    "disable", "off", "inactive", "rpmnew", "rpmsave", "rpmorig", "pacnew", "pacsave", "pacorig", "example",
];

/// Whether a name is that of a backup or a disabled file: it begins with a dot, ends in `~`, or has one of the
/// extensions.
fn is_aside(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    let ending = name.to_str().and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending.to_lowercase());
    let by_ending = |ending: &str| {
        ASIDE.contains(&ending) || ["dpkg-", "ucf-"].iter().any(|beginning| ending.starts_with(beginning))
    };
    bytes.starts_with(b".") || bytes.ends_with(b"~") || ending.is_some_and(|ending| by_ending(&ending))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::test_dir::TestDir;

    fn shown(paths: &[PathBuf]) -> String {
        paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn where_to_look() {
        let of = |pairs: &[(&str, &str)]| {
            let find = |name: &str| pairs.iter().find(|(one, _)| *one == name).map(|(_, value)| OsString::from(value));
            shown(&directories(find))
        };
        let system = "/usr/share/startxd /usr/local/share/startxd /etc/xdg/startxd /etc/startxd";
        assert_eq!(of(&[("HOME", "/h")]), format!("{system} /h/.config/startxd"));
        assert_eq!(
            of(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c"), ("XDG_DATA_DIRS", "")]),
            format!("{system} /c/startxd")
        );
        assert_eq!(of(&[("XDG_CONFIG_HOME", "c")]), system);
        let set = [("XDG_DATA_DIRS", "/a:b:/c"), ("XDG_CONFIG_DIRS", "/d:/e")];
        assert_eq!(of(&set), "/c/startxd /a/startxd /e/startxd /d/startxd /etc/startxd");
    }

    #[test]
    fn names_come_from_the_session_and_the_desktop() {
        for (current, session, expected) in [
            ("i3", "i3", "env env-i3"),
            ("Mine:GNOME", "mine-x11", "env env-mine-x11 env-gnome env-mine"),
            ("A:B", "a", "env env-b env-a"),
            ("", "", "env"),
            ("../x:", "y", "env env-y"),
        ] {
            assert_eq!(names(current, session).join(" "), expected, "{current:?} {session:?}");
        }
    }

    #[test]
    fn what_is_there() {
        let dir = TestDir::new();
        std::fs::create_dir_all(dir.path("a/env.d/sub")).unwrap();
        std::fs::create_dir_all(dir.path("b/env-i3.d")).unwrap();
        std::fs::create_dir_all(dir.path("b/env")).unwrap();
        for name in [
            "a/env",
            "a/env.d/2",
            "a/env.d/10",
            "a/env.d/20.sh",
            "a/env.d/.hidden",
            "a/env.d/2~",
            "a/env.d/5.broken",
            "a/env.d/5.disabled",
            "a/env.d/5.sh.BAK",
            "a/env.d/5.dpkg-dist",
            "a/env.d/5.pacnew",
            "a/env-other",
            "b/env-i3",
            "b/env-i3.d/x",
        ] {
            std::fs::write(dir.path(name), "").unwrap();
        }
        nix::unistd::mkfifo(&dir.path("a/env-i3"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("gone", dir.path("a/env.d/3")).unwrap();
        let found = find(&["a", "missing", "b"].map(|name| dir.path(name)), &names("i3", "i3"));
        let expected = ["a/env", "a/env.d/10", "a/env.d/2", "a/env.d/20.sh", "b/env-i3", "b/env-i3.d/x"]
            .map(|name| dir.path(name));
        assert_eq!(shown(&found.files), shown(&expected));
        assert_eq!(found.unreadable, []);
        if !nix::unistd::geteuid().is_root() {
            std::fs::set_permissions(dir.path("a/env"), std::fs::Permissions::from_mode(0o000)).unwrap();
            assert_eq!(find(&[dir.path("a")], &names("", "")).unreadable.len(), 1);
        }
    }
}
