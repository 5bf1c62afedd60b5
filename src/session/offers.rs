//! Everything that `startxd start` could start here, for `startxd list` and `startxd select`.

use std::path::{Path, PathBuf};

use super::entries::{self, Content};
use super::{SessionRequest, Surroundings};
use crate::desktop_entry::DesktopEntry;
use crate::manager::{Manager, UnitState, names};
use crate::records::session::SessionRecord;
use crate::text::one_line;

/// A session that can be started, or that has a state that prevents it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its kind.
    pub kind: OfferKind,
    /// The argument of `startxd start` for it.
    pub session: String,
    /// Its name for people; one line.
    pub name: String,
    /// A comment; one line.
    pub comment: Option<String>,
    /// Its file, if it has one.
    pub path: Option<PathBuf>,
    /// Whether it can be started.
    pub state: OfferState,
    /// Whether it is the session that is up.
    pub running: bool,
    /// Whether `startxd start` starts it without arguments.
    pub default: bool,
    /// The identifiers of its actions.
    pub actions: Vec<String>,
}

/// The kind of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferKind {
    /// All units that are enabled for `wm.target`.
    Enabled,
    /// One of the units that are enabled for it.
    Unit,
    /// `~/.xinitrc`.
    Xinitrc,
    /// An entry of an xsessions directory.
    Entry,
    /// `session.default`, where it is not one of the others.
    Default,
    /// The distribution's default, for when nothing is set up.
    Xsession,
}

impl Offer {
    /// The words for it on the command line of `startxd start`. An entry gets `.desktop` appended, because an entry
    /// called `x.service` would be mistaken for a unit.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        match self.kind {
            OfferKind::Entry => vec![format!("{}.desktop", self.session)],
            OfferKind::Default => self.session.split_ascii_whitespace().map(str::to_owned).collect(),
            OfferKind::Enabled | OfferKind::Unit | OfferKind::Xinitrc | OfferKind::Xsession => {
                vec![self.session.clone()]
            }
        }
    }
}

impl OfferKind {
    /// The word for it in `startxd list --json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Unit => "unit",
            Self::Xinitrc => "xinitrc",
            Self::Entry => "entry",
            Self::Default => "default",
            Self::Xsession => "xsession",
        }
    }
}

/// Whether it can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfferState {
    /// It can be started, and is offered.
    Ready,
    /// It can be started by its name, but asks not to be offered (`NoDisplay`).
    NotShown,
    /// A file with `Hidden=true` hides it.
    Hidden,
    /// It cannot be started, because something is missing.
    Missing(String),
    /// It cannot be started, because it is broken.
    Broken(String),
}

impl OfferState {
    /// The word for it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NotShown => "not shown",
            Self::Hidden => "hidden",
            Self::Missing(_) => "missing",
            Self::Broken(_) => "broken",
        }
    }

    /// Why it cannot be started.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Missing(why) | Self::Broken(why) => Some(why),
            _ => None,
        }
    }
}

/// Takes the units that are enabled for `wm.target` with their states, `session.default`, and the record of the session
/// that is up, and returns all offers: the enabled units, `~/.xinitrc`, the entries by their ids, the default.
#[must_use]
pub fn offers(
    units: &[(String, UnitState)],
    default: Option<&str>,
    around: &Surroundings,
    up: Option<&SessionRecord>,
) -> Vec<Offer> {
    let mut offers = of_units(units, up);
    let xinitrc = around.xinitrc();
    if xinitrc.is_file() {
        offers.push(of_xinitrc(&xinitrc, up));
    }
    offers.extend(entries::scan(&around.xsessions).iter().map(|file| of_entry(file, around, up)));
    mark_default(&mut offers, default, around);
    offers
}

/// The distribution's default session, if there is no other default: `startxd start` starts it then.
#[must_use]
pub fn of_distribution(offers: &[Offer], around: &Surroundings) -> Option<Offer> {
    if offers.iter().any(|offer| offer.default) {
        return None;
    }
    let what = super::services::xsession(around)?.describe();
    Some(Offer {
        kind: OfferKind::Xsession,
        session: what.clone(),
        name: "Xsession".to_owned(),
        comment: Some("the default session of this system".to_owned()),
        path: Some(what.into()),
        state: OfferState::Ready,
        running: false,
        default: true,
        actions: Vec::new(),
    })
}

/// The units that are enabled for `wm.target`, and their states.
///
/// # Errors
/// The user manager did not answer.
pub async fn enabled(manager: &Manager) -> Result<Vec<(String, UnitState)>, crate::dbus::CallError> {
    let mut wanted = manager.wanted_by(names::WM_TARGET).await?;
    wanted.retain(|unit| unit.ends_with(".service"));
    wanted.sort();
    wanted.dedup();
    let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let states = if names.is_empty() { Vec::new() } else { manager.states(&names).await? };
    Ok(wanted.into_iter().zip(states).collect())
}

fn of_units(units: &[(String, UnitState)], up: Option<&SessionRecord>) -> Vec<Offer> {
    let is_up = |unit: &String| up.is_some_and(|record| record.units.contains(unit));
    let each = units.iter().map(|(unit, state)| Offer {
        kind: OfferKind::Unit,
        session: unit.clone(),
        name: unit.clone(),
        comment: None,
        path: None,
        state: match state.load.as_str() {
            "loaded" => OfferState::Ready,
            "not-found" => OfferState::Missing("the unit does not exist".to_owned()),
            "masked" => OfferState::Missing("the unit is masked".to_owned()),
            other => OfferState::Broken(format!("the unit cannot be used ({other})")),
        },
        running: is_up(unit),
        default: false,
        actions: Vec::new(),
    });
    let each: Vec<Offer> = each.collect();
    let usable: Vec<&Offer> = each.iter().filter(|offer| offer.state == OfferState::Ready).collect();
    let mut offers = Vec::new();
    if !usable.is_empty() {
        offers.push(Offer {
            kind: OfferKind::Enabled,
            session: names::WM_TARGET.to_owned(),
            name: usable.iter().map(|offer| offer.name.as_str()).collect::<Vec<_>>().join(", "),
            comment: Some("the units enabled for wm.target".to_owned()),
            path: None,
            state: OfferState::Ready,
            running: usable.iter().all(|offer| offer.running),
            default: false,
            actions: Vec::new(),
        });
    }
    offers.extend(each);
    offers
}

fn of_xinitrc(xinitrc: &Path, up: Option<&SessionRecord>) -> Offer {
    let unit = names::session_service("xinitrc");
    Offer {
        kind: OfferKind::Xinitrc,
        session: xinitrc.display().to_string(),
        name: "~/.xinitrc".to_owned(),
        comment: Some("your own startup file".to_owned()),
        path: Some(xinitrc.to_owned()),
        state: OfferState::Ready,
        running: up.is_some_and(|record| record.units.contains(&unit)),
        default: false,
        actions: Vec::new(),
    }
}

fn of_entry(file: &entries::EntryFile, around: &Surroundings, up: Option<&SessionRecord>) -> Offer {
    let unit = names::session_service(&file.id);
    // The command of the same name has the same unit; the record says which one was started.
    let is_its = |what: &str| what == file.id || what.strip_prefix(&file.id).is_some_and(|rest| rest.starts_with(':'));
    let mut offer = Offer {
        kind: OfferKind::Entry,
        session: one_line(&file.id),
        name: one_line(&file.id),
        comment: None,
        path: Some(file.path.clone()),
        state: OfferState::Ready,
        running: up.is_some_and(|record| record.units.contains(&unit) && is_its(&record.what)),
        default: false,
        actions: Vec::new(),
    };
    match entries::read(file, &around.locale) {
        Content::Hidden => offer.state = OfferState::Hidden,
        Content::Broken(why) => offer.state = OfferState::Broken(why),
        Content::Entry(entry) => {
            offer.name = one_line(&entry.name);
            offer.comment = entry.comment.as_deref().map(one_line);
            offer.actions = entry.actions.iter().map(|action| one_line(&action.id)).collect();
            offer.state = state(&entry, around);
        }
    }
    offer
}

fn state(entry: &DesktopEntry, around: &Surroundings) -> OfferState {
    match entries::runnable(entry, None, around) {
        Err(why) => OfferState::Missing(one_line(&why)),
        Ok(_) if entry.no_display => OfferState::NotShown,
        Ok(_) => OfferState::Ready,
    }
}

/// Marks the offer that `startxd start` starts without arguments: the first of the enabled units, `~/.xinitrc` and
/// `session.default`.
fn mark_default(offers: &mut Vec<Offer>, default: Option<&str>, around: &Surroundings) {
    if let Some(first) = offers.iter_mut().find(|offer| matches!(offer.kind, OfferKind::Enabled | OfferKind::Xinitrc)) {
        first.default = true;
        return;
    }
    let Some(text) = default else { return };
    let request = SessionRequest::parse_default(text, around.home.as_deref());
    if let SessionRequest::Name(name) = &request {
        let ids = super::request::ids(name);
        let found =
            offers.iter_mut().find(|offer| ids.iter().any(|(id, action)| action.is_none() && *id == offer.session));
        if let Some(offer) = found {
            offer.default = true;
            return;
        }
    }
    let state = match &request {
        SessionRequest::Command(words) if around.find(words.first().map_or("", String::as_str)).is_none() => {
            OfferState::Missing(format!("there is no program {}", words.first().map_or("", String::as_str)))
        }
        _ => OfferState::Ready,
    };
    offers.push(Offer {
        kind: OfferKind::Default,
        session: one_line(text),
        name: one_line(text),
        comment: Some("session.default".to_owned()),
        path: None,
        state,
        running: false,
        default: true,
        actions: Vec::new(),
    });
}

#[cfg(test)]
mod tests {
    use super::super::tests::{file, surroundings};
    use super::*;
    use crate::test_dir::TestDir;

    fn unit(name: &str, load: &str) -> (String, UnitState) {
        let state = UnitState { load: load.into(), active: "inactive".into(), sub: "dead".into(), job: None };
        (name.to_owned(), state)
    }

    /// The offers as `SESSION STATE`, with a `*` after the default.
    fn summary(offers: &[Offer]) -> Vec<String> {
        let mark = |offer: &Offer| if offer.default { "*" } else { "" };
        offers.iter().map(|offer| format!("{} {}{}", offer.session, offer.state.as_str(), mark(offer))).collect()
    }

    #[test]
    fn the_distributions_session_is_the_default_if_nothing_else_is() {
        let dir = TestDir::new();
        let around = surroundings(dir.path("").into(), &dir);
        let expected = super::super::services::xsession(&around).map(|choice| choice.describe());
        let offer = of_distribution(&[], &around);
        assert_eq!(offer.as_ref().map(|offer| offer.session.clone()), expected);
        assert!(offer.is_none_or(|offer| offer.default && offer.kind.as_str() == "xsession"));
        let set = offers(&[unit("wm.service", "loaded")], None, &around, None);
        assert_eq!(of_distribution(&set, &around), None);
    }

    #[test]
    fn all_kinds_are_offered_with_their_states() {
        let dir = TestDir::new();
        file(&dir, "wm", "", 0o755);
        let entry = |id: &str, lines: &str| {
            let text = format!("[Desktop Entry]\nType=Application\nName=N\\n {id}\n{lines}\n");
            file(&dir, &format!("{id}.desktop"), &text, 0o644);
        };
        entry("a", "Exec=wm\nComment=C\nActions=x;");
        entry("b", "Exec=wm\nNoDisplay=true");
        entry("c", "Exec=wm\nTryExec=gone");
        entry("d", "Hidden=true");
        entry("e", "Exec='");
        let mut around = surroundings(dir.path("").into(), &dir);
        let entries = ["a ready", "b not shown", "c missing", "d hidden", "e broken"];
        let of = |units: &[(String, UnitState)], default: Option<&str>, around: &Surroundings| {
            summary(&offers(units, default, around, None))
        };
        assert_eq!(of(&[], None, &around), entries);
        assert_eq!(of(&[], Some("a"), &around)[0], "a ready*");
        assert_eq!(of(&[], Some("wm -x"), &around)[5], "wm -x ready*");
        assert_eq!(of(&[], Some("nowm -x"), &around)[5], "nowm -x missing*");

        around.home = Some(dir.path(""));
        let xinitrc = file(&dir, ".xinitrc", "", 0o644);
        assert_eq!(of(&[], Some("a"), &around)[0], format!("{} ready*", xinitrc.display()));
        let units = [unit("wm.service", "loaded"), unit("x.service", "masked")];
        let found = of(&units, Some("a"), &around);
        assert_eq!(&found[..3], ["wm.target ready*", "wm.service ready", "x.service missing"]);
        assert!(!found[3].ends_with('*'));

        let all = offers(&[], None, &around, None);
        let a = all.iter().find(|offer| offer.session == "a").unwrap();
        assert_eq!(
            (a.name.as_str(), a.comment.as_deref(), a.actions.as_slice()),
            ("N\\n a", Some("C"), ["x".to_owned()].as_slice())
        );
    }
}
