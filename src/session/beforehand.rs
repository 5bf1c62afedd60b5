//! What a user's session will be, for root before the login, when the user manager cannot be asked.

use std::path::{Path, PathBuf};

use super::Surroundings;
use super::services::xsession;
use crate::config::{self, Places};
use crate::manager::names::WM_TARGET;

/// The directories of user units in which units are enabled for everybody (systemd.unit(5), "User Unit Search Path").
const EVERYBODYS: [&str; 4] =
    ["/etc/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user", "/usr/share/systemd/user"];

/// What `startxd start` will start without arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// The units that are enabled for `wm.target`.
    Units(Vec<String>),
    /// The startup file.
    Xinitrc(PathBuf),
    /// `session.default` of the configuration.
    Default(String),
    /// What the distribution starts.
    Xsession(String),
    /// Nothing is set up.
    Nothing,
}

/// Takes a home directory and returns what its owner's session will be. Variables that a login may set are not known
/// here.
#[must_use]
pub fn expected(home: &Path) -> Expected {
    let configuration = home.join(".config");
    let everybodys = EVERYBODYS.map(PathBuf::from);
    let units = enabled([configuration.join("systemd/user")].iter().chain(&everybodys));
    if !units.is_empty() {
        return Expected::Units(units);
    }
    let xinitrc = home.join(".xinitrc");
    if xinitrc.is_file() {
        return Expected::Xinitrc(xinitrc);
    }
    let mut places = Places::from_env();
    places.directories.truncate(2);
    places.directories.push(configuration.join("startxd"));
    if let Some(default) = config::load(&places).config.session.default {
        return Expected::Default(default);
    }
    let around = Surroundings { home: Some(home.to_owned()), ..Surroundings::from_env() };
    match xsession(&around) {
        Some(choice) => Expected::Xsession(choice.describe()),
        None => Expected::Nothing,
    }
}

/// The services that are enabled in these directories.
fn enabled<'a>(directories: impl Iterator<Item = &'a PathBuf>) -> Vec<String> {
    let links =
        directories.filter_map(|directory| std::fs::read_dir(directory.join(format!("{WM_TARGET}.wants"))).ok());
    let names = links.flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".service")).collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::{Expected, expected};
    use crate::test_dir::TestDir;

    #[test]
    fn the_order_is_that_of_start() {
        let home = TestDir::new();
        let unset = expected(&home.path(""));
        assert!(matches!(unset, Expected::Nothing | Expected::Xsession(_)), "{unset:?}");
        std::fs::create_dir_all(home.path(".config/startxd")).unwrap();
        std::fs::write(home.path(".config/startxd/startxd.toml"), "session.default = \"twm\"\n").unwrap();
        assert_eq!(expected(&home.path("")), Expected::Default("twm".into()));
        std::fs::write(home.path(".xinitrc"), "").unwrap();
        assert_eq!(expected(&home.path("")), Expected::Xinitrc(home.path(".xinitrc")));
        let wants = home.path(".config/systemd/user/wm.target.wants");
        std::fs::create_dir_all(&wants).unwrap();
        std::os::unix::fs::symlink("../i3.service", wants.join("i3.service")).unwrap();
        assert_eq!(expected(&home.path("")), Expected::Units(vec!["i3.service".into()]));
    }
}
