//! The directories of unit files (systemd.unit(5), "UNIT FILE LOAD PATH").

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::doctor::files;
use crate::runtime_dir::RuntimeDir;
use crate::{unit_file, xdg};

/// The directories of everybody's user units.
const SYSTEM: [&str; 7] = [
    "/etc/systemd/user",
    "/run/systemd/user",
    "/usr/local/share/systemd/user",
    "/usr/share/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
    "/lib/systemd/user",
];

/// The suffixes of directories of links.
const LINKS: [&str; 3] = [".wants", ".requires", ".upholds"];

/// A link by which a unit is enabled for another.
#[derive(Debug, PartialEq, Eq)]
pub struct UnitLink {
    /// The unit that starts it, such as `default.target`.
    pub of: String,
    /// The unit that is started.
    pub unit: String,
    /// Who made it.
    pub by: MadeBy,
    /// The link itself.
    pub path: PathBuf,
}

/// Who made a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeBy {
    /// The user.
    User,
    /// The machine's administrator, or a package that was installed, by `systemctl --global enable`.
    Administrator,
    /// The link is part of a package, so nobody should change it.
    Package,
}

/// The directories, in the order of their precedence.
pub struct Tree {
    directories: Vec<PathBuf>,
    /// How many of them, from the first on, are the user's own.
    own: usize,
}

impl Tree {
    /// These directories, of which the first `own` are the user's.
    pub fn new(directories: Vec<PathBuf>, own: usize) -> Self {
        Self { directories, own }
    }

    /// The directories of this user; `None` without a home.
    pub fn of_user(runtime: &RuntimeDir) -> Option<Self> {
        let (configuration, data) = (xdg::CONFIGURATION.own(xdg::variable)?, xdg::DATA.own(xdg::variable)?);
        let mut directories = vec![
            configuration.join("systemd/user.control"),
            configuration.join("systemd/user"),
            data.join("systemd/user"),
        ];
        let own = directories.len();
        // Generated units and those made by calls, which vanish with the manager.
        let transient = ["transient", "user.control", "user", "generator.early", "generator", "generator.late"];
        directories.extend(transient.map(|name| runtime.bus_socket().with_file_name("systemd").join(name)));
        directories.extend(SYSTEM.map(PathBuf::from));
        Some(Self::new(directories, own))
    }

    /// Every link of a unit for another; a unit that is linked more than once for the same counts once.
    pub fn links(&self) -> Vec<UnitLink> {
        let mut links: Vec<UnitLink> = Vec::new();
        for (index, directory) in self.directories.iter().enumerate() {
            for of in files::entries(directory) {
                let name = files::name(&of);
                let Some(name) = LINKS.iter().find_map(|suffix| name.strip_suffix(suffix)) else { continue };
                for path in files::entries(&of) {
                    let unit = files::name(&path);
                    // A link to /dev/null masks the links of later directories.
                    if links.iter().all(|link| link.unit != unit || link.of != name) && is_unit(unit) {
                        let (of, unit) = (name.to_owned(), unit.to_owned());
                        links.push(UnitLink { of, unit, by: self.made_by(index), path });
                    }
                }
            }
        }
        links.retain(|link| !is_mask(&link.path));
        links
    }

    fn made_by(&self, directory: usize) -> MadeBy {
        if directory < self.own {
            return MadeBy::User;
        }
        let is_configuration = self.directories[directory].components().any(|part| part.as_os_str() == "etc");
        if is_configuration { MadeBy::Administrator } else { MadeBy::Package }
    }

    /// The units that the user has written, by name, and their texts.
    pub fn own_units(&self) -> Vec<(String, String)> {
        let paths = self.directories[..self.own].iter().flat_map(|directory| files::entries(directory));
        let units = paths.filter(|path| is_unit(files::name(path)) && !path.is_symlink());
        units.filter_map(|path| Some((files::name(&path).to_owned(), files::text(&path)?))).collect()
    }

    /// Whether the unit certainly does not exist. Slices, mounts and the like need no file.
    pub fn lacks(&self, unit: &str) -> bool {
        is_unit(unit) && self.find(unit).is_none()
    }

    /// The text of a unit's file; `None` if it is masked or missing.
    pub fn text(&self, unit: &str) -> Option<String> {
        files::text(&self.find(unit)?)
    }

    /// The file of a unit, or of its template.
    fn find(&self, unit: &str) -> Option<PathBuf> {
        unit_file::find(unit, &self.directories, Path::exists)
    }
}

/// Whether a unit of this name must have a file.
fn is_unit(name: &str) -> bool {
    let kind = name.rsplit_once('.').map(|(_, kind)| kind);
    kind.is_some_and(|kind| matches!(kind, "service" | "socket" | "target" | "timer" | "path"))
}

/// Whether the path leads to /dev/null.
fn is_mask(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|facts| facts.file_type().is_char_device())
}
