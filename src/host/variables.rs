//! What a session exports: its own variables, and of the login's environment what differs and may travel, both as the
//! environment files leave them.

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

/// What the user manager is to have for the session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// What to set.
    pub set: Block,
    /// What the manager has and the environment files have unset.
    pub unset: Vec<String>,
}

/// What describes the login session: for the session's own programs, which belong to it, and not for the user manager,
/// which serves all of a user's logins.
#[must_use]
pub fn of_login(session: &str, seat: &Seat) -> Block {
    let known = [
        ("XDG_SESSION_ID", Some(session.to_owned())),
        ("XDG_SEAT", Some(seat.id.clone())),
        ("XDG_VTNR", seat.vt.map(|vt| vt.to_string())),
    ];
    // By pam_systemd(8), and by display managers.
    let inherited = ["XDG_SESSION_CLASS", "XDG_SESSION_PATH", "XDG_SEAT_PATH"];
    let inherited = inherited.into_iter().map(|name| (name, std::env::var(name).ok()));
    let all = known.into_iter().chain(inherited).filter_map(|(name, value)| Some((name.to_owned(), value?)));
    all.filter(|(_, value)| !value.is_empty() && environment::is_value(value)).collect()
}

/// The desktop's names in the environment.
const DESKTOP: [&str; 3] = ["XDG_CURRENT_DESKTOP", "XDG_SESSION_DESKTOP", "DESKTOP_SESSION"];

/// Puts together what to export. `before` is what the manager has.
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
    // What the session's programs will have, so that a file sees what it changes.
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

/// The desktop's names: what the login shell has set itself is what the person wants, unless they chose an entry, which
/// says itself what it is: a greeter's variables tell of the greeter's own entry.
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
