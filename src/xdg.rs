//! Where files of a user and of everybody are (XDG Base Directory Specification). A relative path does not count.

use std::ffi::OsString;
use std::path::PathBuf;

/// A kind of files: its variables, and what they are without them.
#[derive(Debug)]
pub struct XdgDirectories {
    home: &'static str,
    below_home: &'static str,
    dirs: &'static str,
    usual: &'static str,
}

/// Configuration.
pub const CONFIGURATION: XdgDirectories =
    XdgDirectories { home: "XDG_CONFIG_HOME", below_home: ".config", dirs: "XDG_CONFIG_DIRS", usual: "/etc/xdg" };

/// Data, which is what packages install.
pub const DATA: XdgDirectories = XdgDirectories {
    home: "XDG_DATA_HOME",
    below_home: ".local/share",
    dirs: "XDG_DATA_DIRS",
    usual: "/usr/local/share:/usr/share",
};

/// What outlives the boot and is not worth a backup; only a user's own.
const STATE: XdgDirectories =
    XdgDirectories { home: "XDG_STATE_HOME", below_home: ".local/state", dirs: "", usual: "" };

/// Reads a variable of this process. Without `HOME` its value is the home directory that passwd(5) says.
#[must_use]
pub fn variable(name: &str) -> Option<OsString> {
    if name == "HOME" { std::env::home_dir().map(OsString::from) } else { std::env::var_os(name) }
}

fn absolute(value: Option<OsString>) -> Option<PathBuf> {
    value.map(PathBuf::from).filter(|path| path.is_absolute())
}

impl XdgDirectories {
    /// The user's own directory; `None` without a home.
    pub fn own(&self, variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
        absolute(variable(self.home)).or_else(|| Some(absolute(variable("HOME"))?.join(self.below_home)))
    }

    /// The directories for all users, in the order of precedence.
    pub fn everybodys(&self, variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
        let list = variable(self.dirs).filter(|list| !list.is_empty()).unwrap_or_else(|| self.usual.into());
        std::env::split_paths(&list).filter(|path| path.is_absolute()).collect()
    }
}

/// Where a file of ours is kept that outlives the boot; `None` without a home.
pub fn in_state_home(name: &str, variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    Some(STATE.own(variable)?.join("startxd").join(name))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::PathBuf;

    use super::{CONFIGURATION, DATA, in_state_home};

    #[test]
    fn directories() {
        let set = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.to_string(), OsString::from(value))).collect();
            move |name: &str| pairs.iter().find(|(one, _)| one == name).map(|(_, value)| value.clone())
        };
        let path = |path: &str| Some(PathBuf::from(path));
        assert_eq!(DATA.own(set(&[("HOME", "/h"), ("XDG_DATA_HOME", "d")])), path("/h/.local/share"));
        assert_eq!(DATA.own(set(&[("XDG_DATA_HOME", "/d")])), path("/d"));
        assert_eq!(DATA.own(set(&[("HOME", "")])), None);
        assert_eq!(DATA.everybodys(set(&[("XDG_DATA_DIRS", "/a:b::/c")])), ["/a", "/c"].map(PathBuf::from));
        assert_eq!(CONFIGURATION.everybodys(set(&[("XDG_CONFIG_DIRS", "")])), ["/etc/xdg"].map(PathBuf::from));
        assert_eq!(in_state_home("f", set(&[("HOME", "/h")])), path("/h/.local/state/startxd/f"));
        assert_eq!(in_state_home("f", set(&[("XDG_STATE_HOME", "/s")])), path("/s/startxd/f"));
        assert_eq!(in_state_home("f", set(&[("XDG_STATE_HOME", "s")])), None);
    }
}
