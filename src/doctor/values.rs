//! Values of `startxd.toml` that name something this machine does not have: a server, a program, a session.
//!
//! Reading the files finds mistakes of form. What a value names may be installed later, or be on another machine that
//! shares the home, so such a value is kept and reported here.

use std::path::Path;

use tokio::time::timeout;

use super::Finding;
use super::catalogue::CONFIG_VALUE;
use super::machine::Machine;
use crate::config::{Config, Loaded, Origin};
use crate::displays::server;
use crate::manager::Manager;
use crate::session::{SessionRequest, Surroundings, choose_by_name, choose_command, choose_named};
use crate::text;
use crate::x11;

/// The keys of values that have findings of their own.
const FOUND_ELSEWHERE: [&str; 2] = ["server.binary", "lock.command"];

/// A value that names what does not exist.
#[derive(Debug, PartialEq, Eq)]
pub struct WrongValue {
    /// Its key.
    pub key: &'static str,
    /// Where it comes from.
    origin: Origin,
    /// What is wrong, and what to do.
    why: String,
}

impl std::fmt::Display for WrongValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.origin {
            Origin::File(path, line) => write!(f, "{}:{line}", text::path(path))?,
            origin => write!(f, "{origin}")?,
        }
        write!(f, ": {}: {}", self.key, self.why)
    }
}

/// Reports them, except those that other areas report.
pub async fn examine(machine: &Machine, loaded: &Loaded) -> Vec<Finding> {
    let wrong = wrong(loaded, &Surroundings::from_env(), machine.manager.as_ref()).await;
    let wrong = wrong.into_iter().filter(|value| !FOUND_ELSEWHERE.contains(&value.key));
    let remedy = |value: &WrongValue| match &value.origin {
        Origin::File(path, _) => format!("correct {}", text::path(path)),
        Origin::Default | Origin::CommandLine => String::new(),
    };
    wrong.map(|value| CONFIG_VALUE.found(value.to_string(), remedy(&value))).collect()
}

/// Whether only the user manager knows if a value names something that exists.
#[must_use]
pub fn needs_manager(config: &Config, around: &Surroundings) -> bool {
    default_session(config, around).is_some_and(|request| matches!(request, SessionRequest::Unit(_)))
}

/// The values, of files and of the command line, that name what does not exist. Without a manager, units are not
/// looked up.
pub async fn wrong(loaded: &Loaded, around: &Surroundings, manager: Option<&Manager>) -> Vec<WrongValue> {
    let config = &loaded.config;
    let missing = |words: &[String]| {
        let program = words.first().filter(|program| around.find(program).is_none())?;
        Some(format!("the program {program} is not installed; install it, or correct this value"))
    };
    let found = [
        ("server.binary", x11::server::find(config.server.binary.as_deref()).err().map(|why| why.to_string())),
        ("session.default", session(config, around, manager).await),
        ("crash.rescue", missing(&config.crash.rescue)),
        ("lock.command", missing(&config.lock.command)),
        (
            "displays.server",
            server::program(&config.displays.server, around.path.as_deref()).err().map(|why| why.to_string()),
        ),
    ];
    let of_somebody = |key| loaded.origins.get(key).filter(|origin| **origin != Origin::Default).cloned();
    let wrong =
        |(key, why): (&'static str, Option<String>)| Some(WrongValue { key, origin: of_somebody(key)?, why: why? });
    found.into_iter().filter_map(wrong).collect()
}

fn default_session(config: &Config, around: &Surroundings) -> Option<SessionRequest> {
    Some(SessionRequest::parse_default(config.session.default.as_deref()?, around.home.as_deref()))
}

/// Why `session.default` cannot be started.
async fn session(config: &Config, around: &Surroundings, manager: Option<&Manager>) -> Option<String> {
    let command = |words: &[String]| choose_command(words, around).err();
    let why = match &default_session(config, around)? {
        SessionRequest::Name(name) => choose_by_name(name, around).err(),
        SessionRequest::Command(words) => command(words),
        SessionRequest::Xinitrc => command(&[Path::display(&around.xinitrc()).to_string()]),
        unit @ SessionRequest::Unit(_) => {
            // One that does not answer says nothing about the unit.
            timeout(config.deadlines.user_manager, choose_named(unit, around, None, manager?)).await.ok()?.err()
        }
        // Units may be enabled at any time.
        SessionRequest::Nothing | SessionRequest::Enabled => None,
    };
    why.map(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{needs_manager, wrong};
    use crate::config::{Override, Places, load};
    use crate::desktop_entry::Locale;
    use crate::session::Surroundings;
    use crate::test_dir::TestDir;

    #[tokio::test]
    async fn a_value_that_names_nothing_is_found_with_its_line() {
        let dir = TestDir::new();
        for (name, mode) in [("wm", 0o755), ("plain", 0o644), ("Xvfb", 0o755)] {
            std::fs::write(dir.path(name), "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(dir.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let entry = "[Desktop Entry]\nType=Application\nName=Entry\nExec=wm\n";
        std::fs::write(dir.path("entry.desktop"), entry).unwrap();
        let around = Surroundings {
            path: Some(dir.path("").into()),
            home: Some(dir.path("")),
            xinitrc: None,
            xsessions: vec![dir.path("")],
            locale: Locale::default(),
        };
        let places = Places { directories: vec![dir.path("")] };
        let file = dir.path("startxd.toml");
        let xinitrc = dir.path(".xinitrc");
        for (line, why) in [
            // Defaults are nobody's mistake, whatever is installed.
            (String::new(), None),
            ("server.binary = \"/nowhere/X\"".into(), Some("/nowhere/X does not exist")),
            (format!("server.binary = {:?}", dir.path("wm")), Some("is a script")),
            ("session.default = \"wm\"".into(), None),
            ("session.default = \"wm -x\"".into(), None),
            ("session.default = \"entry\"".into(), None),
            ("session.default = \"Entry\"".into(), None),
            ("session.default = \"wn\"".into(), Some("no session entry wn")),
            ("session.default = \"wn -x\"".into(), Some("no command wn")),
            ("session.default = \"plain\"".into(), Some("no session entry plain")),
            (format!("session.default = {xinitrc:?}"), Some("cannot be run")),
            ("session.default = \"wm.target\"".into(), None),
            // Only the manager knows, and there is none here.
            ("session.default = \"gone.service\"".into(), None),
            ("crash.rescue = [\"wm\", \"-x\"]".into(), None),
            ("crash.rescue = [\"xterm\"]".into(), Some("the program xterm is not installed")),
            ("lock.command = [\"wm\"]".into(), None),
            ("lock.command = [\"plain\"]".into(), Some("the program plain is not installed")),
            ("displays.server = \"xvfb\"".into(), None),
            ("displays.server = \"xephyr\"".into(), Some("there is no Xephyr in $PATH")),
            ("displays.server = \"/nowhere/X\"".into(), Some("/nowhere/X does not exist")),
        ] {
            std::fs::write(&file, format!("# a comment\n{line}\n")).unwrap();
            let loaded = load(&places);
            assert!(loaded.complaints.is_empty(), "{:?}", loaded.complaints);
            let found: Vec<String> = wrong(&loaded, &around, None).await.iter().map(ToString::to_string).collect();
            let Some(why) = why else {
                assert_eq!(found, [] as [&str; 0], "{line}");
                continue;
            };
            let key = line.split(' ').next().unwrap();
            let begin = format!("{}:2: {key}: ", file.display());
            assert!(found.len() == 1 && found[0].starts_with(&begin) && found[0].contains(why), "{line}: {found:?}");
        }
        std::fs::write(&file, "session.default = \"i3.service\"\n").unwrap();
        assert!(needs_manager(&load(&places).config, &around));
        std::fs::write(&file, "session.default = \"i3\"\n").unwrap();
        assert!(!needs_manager(&load(&places).config, &around));

        std::fs::remove_file(&file).unwrap();
        let given = Override { option: "--server", key: "server.binary".into(), value: "/nowhere/X".into() };
        let found = wrong(&load(&places).over(&[given]).unwrap(), &around, None).await;
        let expected = "command line: server.binary: the configured X server /nowhere/X does not exist; correct \
                        server.binary in startxd.toml";
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    }
}
