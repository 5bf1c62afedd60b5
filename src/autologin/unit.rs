//! System units, read from their files, because a manager may not run, and because a change has to be checked before it
//! is made.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::small_file;
use crate::unit_file::{self, values};

/// The system manager's directories of units, in the order of precedence (systemd.unit(5)).
const SEARCH: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// How many of [`SEARCH`], from the first on, belong to the administrator.
const ADMINISTRATORS: usize = 2;

/// The units below a root directory.
#[derive(Debug, Clone)]
pub struct Units {
    root: PathBuf,
}

/// The file of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fragment {
    /// There is none.
    Missing,
    /// It is masked, by this link or empty file.
    Masked(PathBuf),
    /// This path, without the root directory.
    File(PathBuf),
}

/// A drop-in of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropIn {
    /// Its path, without the root directory.
    pub path: PathBuf,
    /// Whether the administrator wrote it for just this instance.
    pub own: bool,
}

impl DropIn {
    /// The name by which drop-ins are ordered.
    #[must_use]
    pub fn name(&self) -> OsString {
        self.path.file_name().unwrap_or_default().to_owned()
    }
}

impl Units {
    /// The units below `root`, which is `/` except in tests.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// A path with the root directory.
    #[must_use]
    pub fn real(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The text of a file; empty if it cannot be read.
    #[must_use]
    pub fn text(&self, path: &Path) -> String {
        small_file::text(&self.real(path)).unwrap_or_default()
    }

    /// The file of an instance: its own, or its template's.
    #[must_use]
    pub fn fragment(&self, instance: &str) -> Fragment {
        let is_there = |path: &Path| std::fs::symlink_metadata(self.real(path)).is_ok();
        let Some(path) = unit_file::find(instance, &SEARCH.map(PathBuf::from), is_there) else {
            return Fragment::Missing;
        };
        let real = self.real(&path);
        let to_null = std::fs::read_link(&real).is_ok_and(|target| target == Path::new("/dev/null"));
        let is_empty = std::fs::symlink_metadata(&real).is_ok_and(|it| it.is_file() && it.len() == 0);
        if to_null || is_empty { Fragment::Masked(path) } else { Fragment::File(path) }
    }

    /// The drop-ins of an instance in the order in which they are read: by their names, and of two with the same name
    /// only the one from the directory of higher precedence.
    #[must_use]
    pub fn drop_ins(&self, instance: &str) -> Vec<DropIn> {
        let mut found: Vec<DropIn> = Vec::new();
        let template = unit_file::template(instance);
        for (rank, directory) in SEARCH.into_iter().enumerate() {
            for name in [Some(instance), template.as_deref()].into_iter().flatten() {
                let directory = Path::new(directory).join(format!("{name}.d"));
                let entries = std::fs::read_dir(self.real(&directory)).into_iter().flatten().flatten();
                let files = entries.map(|entry| directory.join(entry.file_name()));
                for path in files.filter(|path| path.extension().is_some_and(|extension| extension == "conf")) {
                    let drop_in = DropIn { path, own: rank < ADMINISTRATORS && name == instance };
                    if !found.iter().any(|other| other.name() == drop_in.name()) {
                        found.push(drop_in);
                    }
                }
            }
        }
        found.sort_by_key(DropIn::name);
        found
    }

    /// The value of a setting with one value, from file and drop-ins: the last assignment.
    #[must_use]
    pub fn last_value(&self, instance: &str, section: &str, key: &str) -> Option<String> {
        let Fragment::File(file) = self.fragment(instance) else { return None };
        let drop_ins = self.drop_ins(instance).into_iter().map(|drop_in| drop_in.path);
        std::iter::once(file).chain(drop_ins).flat_map(|path| values(&self.text(&path), section, key)).last()
    }

    /// Whether a target pulls in a unit, by a link in any of the directories.
    #[must_use]
    pub fn is_wanted(&self, unit: &str, target: &str) -> bool {
        let link = |directory: &str| Path::new(directory).join(format!("{target}.wants")).join(unit);
        SEARCH.iter().any(|directory| std::fs::symlink_metadata(self.real(&link(directory))).is_ok())
    }

    /// The instances of a template that a target pulls in by the administrator's links.
    #[must_use]
    pub fn enabled_instances(&self, template: &str) -> Vec<String> {
        let (prefix, suffix) = template.split_once('@').unwrap_or((template, ""));
        let mut found: Vec<String> = entries(&self.real(SEARCH[0].as_ref()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "wants" || extension == "requires"))
            .flat_map(|directory| entries(&directory).collect::<Vec<_>>())
            .filter_map(|link| link.file_name()?.to_str().map(str::to_owned))
            .filter(|name| name.split_once('@').is_some_and(|(start, end)| start == prefix && end.ends_with(suffix)))
            .filter(|name| name != template)
            .collect();
        found.sort();
        found.dedup();
        found
    }
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::{Fragment, Units};
    use crate::test_dir::TestDir;

    fn write(directory: &TestDir, path: &str, text: &str) {
        let path = directory.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn files_and_drop_ins_are_found_in_their_order() {
        let root = TestDir::new();
        let units = Units::below(&root.path(""));
        assert_eq!(units.fragment("getty@tty1.service"), Fragment::Missing);
        write(&root, "usr/lib/systemd/system/getty@.service", "[Service]\nTTYPath=/dev/%I\n");
        write(&root, "usr/lib/systemd/system/getty@.service.d/b.conf", "[Service]\nTTYPath=b\n");
        write(&root, "etc/systemd/system/getty@tty1.service.d/a.conf", "[Service]\nTTYPath=a\n");
        write(&root, "run/systemd/system/getty@tty1.service.d/a.conf", "[Service]\nTTYPath=hidden\n");
        write(&root, "etc/systemd/system/getty@tty1.service.d/c.conf.bak", "[Service]\nTTYPath=backup\n");
        let file = |path: &str| Fragment::File(path.into());
        assert_eq!(units.fragment("getty@tty1.service"), file("/usr/lib/systemd/system/getty@.service"));
        let found: Vec<_> =
            units.drop_ins("getty@tty1.service").iter().map(|d| (d.path.display().to_string(), d.own)).collect();
        let expected = [
            ("/etc/systemd/system/getty@tty1.service.d/a.conf".to_owned(), true),
            ("/usr/lib/systemd/system/getty@.service.d/b.conf".to_owned(), false),
        ];
        assert_eq!(found, expected);
        assert_eq!(units.last_value("getty@tty1.service", "Service", "TTYPath").as_deref(), Some("b"));
        // Another instance has only the template's drop-ins.
        assert_eq!(units.drop_ins("getty@tty2.service").len(), 1);

        std::os::unix::fs::symlink("/dev/null", root.path("etc/systemd/system/getty@tty1.service")).unwrap();
        let masked = Fragment::Masked("/etc/systemd/system/getty@tty1.service".into());
        assert_eq!(units.fragment("getty@tty1.service"), masked);
    }

    #[test]
    fn instances_are_enabled_by_links() {
        let root = TestDir::new();
        let units = Units::below(&root.path(""));
        write(&root, "etc/systemd/system/graphical.target.wants/startxd@ada.service", "");
        write(&root, "etc/systemd/system/graphical.target.wants/other@ada.service", "");
        assert_eq!(units.enabled_instances("startxd@.service"), ["startxd@ada.service"]);
        assert!(units.is_wanted("startxd@ada.service", "graphical.target"));
        assert!(!units.is_wanted("startxd@eve.service", "graphical.target"));
    }
}
