//! What a session exports: its own variables, and those of the login that differ and may travel, both after the
//! environment files have changed them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::config::Config;
use crate::environment::block::Block;
use crate::environment::sourced::Variables;
use crate::environment::{self, files, policy, sourced};
use crate::seat::Seat;
use crate::session::{Choice, Desktop, Surroundings};
use crate::text;
use crate::x11::display::Display;
use crate::xdg;

/// The changes in the user manager for the session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// The variables to set.
    pub set: Block,
    /// The names that the manager has and the environment files have unset.
    pub unset: Vec<String>,
}

/// The variables that describe the login session: for the session's own programs, which belong to it, not for the user
/// manager, which serves all of a user's logins.
#[must_use]
pub fn of_login(session: &str, seat: &Seat) -> Block {
    let known = [
        ("XDG_SESSION_ID", Some(session.to_owned())),
        ("XDG_SEAT", Some(seat.id.clone())),
        ("XDG_VTNR", seat.vt.map(|vt| vt.to_string())),
    ];
    // Set by pam_systemd(8), and by display managers.
    let inherited = ["XDG_SESSION_CLASS", "XDG_SESSION_PATH", "XDG_SEAT_PATH"];
    let inherited = inherited.into_iter().map(|name| (name, std::env::var(name).ok()));
    let all = known.into_iter().chain(inherited).filter_map(|(name, value)| Some((name.to_owned(), value?)));
    all.filter(|(_, value)| !value.is_empty() && environment::is_value(value)).collect()
}

/// The desktop's names in the environment.
const DESKTOP: [&str; 3] = ["XDG_CURRENT_DESKTOP", "XDG_SESSION_DESKTOP", "DESKTOP_SESSION"];

/// Computes the exports. `before` is the manager's environment.
pub async fn exported(
    config: &Config,
    choice: &Choice,
    display: Display,
    authority: &Path,
    before: &Block,
) -> Exported {
    let login: Variables = std::env::vars_os().collect();
    let desktop = desktop(choice);
    let mut session = environment::of_display(display, authority);
    let value = |name: &str| desktop.get(name).map(String::as_str).unwrap_or_default();
    let names = files::names(value(DESKTOP[0]), value(DESKTOP[2]));
    let found = files::find(&files::directories(xdg::variable), &names);
    for (path, why) in &found.unreadable {
        tracing::warn!("the environment file {} is ignored: {why}", text::path(path));
    }
    if found.files.is_empty() {
        session.extend(desktop);
        return Exported {
            set: environment::export(&login, before, &session, &config.environment.never),
            unset: Vec::new(),
        };
    }
    // The environment of the session's programs, so that a file sees the variables that it changes.
    let mut given: BTreeMap<OsString, OsString> = os(before).collect();
    given.extend(login);
    given.extend(os(&desktop));
    given.insert("XDG_SESSION_TYPE".into(), "x11".into());
    let deadline = config.deadlines.environment_files;
    let sourced = sourced::source(&found.files, given.into_iter().collect(), deadline, "environment file").await;
    for problem in &sourced.problems {
        tracing::warn!("{problem}");
    }
    let sourced = sourced.environment;
    let find = |name: &str| sourced.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_os_str());
    for name in DESKTOP {
        if let Some(value) = find(name).and_then(OsStr::to_str) {
            session.insert(name.to_owned(), value.to_owned());
        }
    }
    let never = &config.environment.never;
    let may_go = |name: &str| policy::travels(name, "").is_ok() && !policy::is_listed(never, name);
    let unset = before.keys().filter(|name| find(name).is_none() && may_go(name)).cloned().collect();
    Exported { set: environment::export(&sourced, before, &session, never), unset }
}

fn os(block: &Block) -> impl Iterator<Item = (OsString, OsString)> {
    block.iter().map(|(name, value)| (name.into(), value.into()))
}

/// The desktop's names: those that the login shell has set are the person's choice, unless they chose an entry, which
/// has its own names: a greeter's variables describe the greeter's own entry.
fn desktop(choice: &Choice) -> Block {
    let desktop = choice.desktop_by_entries(&Surroundings::from_env());
    let decides = desktop.as_ref().is_some_and(|desktop| desktop.decides);
    let given = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty() && !decides);
    let named = |of: fn(&Desktop) -> String| desktop.as_ref().map(of);
    let values = [
        named(|desktop| desktop.names.join(":")),
        named(|desktop| desktop.names.first().cloned().unwrap_or_default()),
        named(|desktop| desktop.session.clone()),
    ];
    let values = DESKTOP.into_iter().zip(values);
    values.filter_map(|(name, value)| Some((name.to_owned(), given(name).or(value)?))).collect()
}
