//! Finds a session by its name.

use std::path::Path;

use super::entries::{self, Content};
use super::{Choice, Desktop, NoSession, SessionRequest, Surroundings, offers, request, services};
use crate::desktop_entry::DesktopEntry;
use crate::manager::Manager;
use crate::manager::transient::{self, RestartPolicy};
use crate::suggest::nearest;
use crate::text;

/// The session of this name; `restart` says how often it may crash and come back.
///
/// The directories of entries are searched for a word that may be an entry, and for the names of a command's desktop.
///
/// # Errors
/// See [`NoSession`].
pub async fn named(
    request: &SessionRequest,
    around: &Surroundings,
    restart: Option<RestartPolicy>,
    manager: &Manager,
) -> Result<Choice, NoSession> {
    match request {
        SessionRequest::Unit(unit) => unit_by_name(unit, around, manager).await,
        SessionRequest::Name(name) => by_name(name, around, restart),
        SessionRequest::Command(words) => command(words, around, restart),
        // The default "wm.target", which was checked already.
        SessionRequest::Nothing | SessionRequest::Enabled => Err(NoSession::NothingEnabled),
        SessionRequest::Xinitrc => match around.xinitrc() {
            path if path.is_file() => Ok(services::startup_file(&path, &[])),
            path => Err(NoSession::no_command(&path.to_string_lossy())),
        },
    }
}

async fn unit_by_name(unit: &str, around: &Surroundings, manager: &Manager) -> Result<Choice, NoSession> {
    let problem = |problem: String| NoSession::Unit { unit: unit.to_owned(), problem };
    let state = manager.state(unit).await.map_err(|error| problem(format!("cannot be loaded ({error})")))?;
    match state.load.as_str() {
        "loaded" => Ok(Choice::Unit(unit.to_owned())),
        "not-found" => Err(problem(format!("does not exist{}", unit_hint(unit, around, manager).await))),
        "masked" => Err(problem(format!("is masked (systemctl --user unmask {unit})"))),
        other => Err(problem(format!("cannot be used ({other})"))),
    }
}

/// A suggestion for a unit that does not exist: one that is enabled, or a session of its name without the suffix.
async fn unit_hint(unit: &str, around: &Surroundings, manager: &Manager) -> String {
    let enabled: Vec<String> =
        offers::enabled(manager).await.unwrap_or_default().into_iter().map(|(unit, _)| unit).collect();
    let stem = unit.rsplit_once('.').map_or(unit, |(stem, _)| stem);
    // Compared without the suffix, which would make all units similar.
    let stems = enabled.iter().filter_map(|unit| unit.strip_suffix(".service"));
    if let Some(near) = nearest(stem, stems) {
        return format!(" (did you mean {near}.service?)");
    }
    if by_name(stem, around, None).is_ok() { format!(" (did you mean {stem}?)") } else { String::new() }
}

pub(super) fn command(
    words: &[String],
    around: &Surroundings,
    restart: Option<RestartPolicy>,
) -> Result<Choice, NoSession> {
    if let [word, arguments @ ..] = words
        && word.contains('/')
        && let Ok(path) = std::path::absolute(word)
        && (around.xinitrc.as_ref() == Some(&path) || services::is_startup_file(&path))
    {
        return Ok(services::startup_file(&path, arguments));
    }
    let program = services::program(words, around)?;
    let short = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let desktop = desktop(&short, &program, around);
    let description = format!("{short}, the window manager of this session");
    let (program, arguments) = if services::has_interpreter(&program) {
        (program, words.to_vec())
    } else {
        // As a shell would run it.
        let path = program.to_string_lossy().into_owned();
        services::by_shell([&[path], words.get(1..).unwrap_or_default()].concat())
    };
    let service = services::service(&short, description, program, arguments);
    Ok(Choice::Command { service: transient::Service { restart, ..service }, desktop })
}

/// The names of a command: a program that starts a desktop, like startxfce4, has an entry with the desktop's names.
fn desktop(short: &str, program: &Path, around: &Surroundings) -> Desktop {
    let files = entries::scan(&around.xsessions);
    let said = files.iter().find_map(|file| {
        let Content::Entry(entry) = entries::read(file, &around.locale) else { return None };
        let is_it = around.find(entry.command.first()?).as_deref() == Some(program);
        (is_it && !entry.desktop_names.is_empty()).then(|| (file.id.clone(), entry.desktop_names))
    });
    match said {
        Some((session, names)) => Desktop { names, session, decides: false },
        None => Desktop::named(short.to_owned()),
    }
}

/// The names of the desktop in the entry of this id, if there is one that has any.
pub(super) fn names_of_entry(id: &str, around: &Surroundings) -> Option<Vec<String>> {
    let files = entries::scan(&around.xsessions);
    match entries::read(files.iter().find(|file| file.id == id)?, &around.locale) {
        Content::Entry(entry) => Some(entry.desktop_names).filter(|names| !names.is_empty()),
        Content::Hidden | Content::Broken(_) => None,
    }
}

/// A word: an entry's id, else a command, else the `Name` of an entry.
pub fn by_name(name: &str, around: &Surroundings, restart: Option<RestartPolicy>) -> Result<Choice, NoSession> {
    let files = entries::scan(&around.xsessions);
    for (id, action) in request::ids(name) {
        let Some(file) = files.iter().find(|file| file.id == id) else { continue };
        let path = file.path.clone();
        return match entries::read(file, &around.locale) {
            Content::Entry(entry) => entry_choice(file, &entry, action, around, restart),
            Content::Hidden => Err(NoSession::Hidden { name: id.to_owned(), path }),
            Content::Broken(why) => Err(NoSession::Broken { path, why }),
        };
    }
    if around.find(name).is_some() {
        return command(&[name.to_owned()], around, restart);
    }
    let (file, entry) = entries::meant(name, &files, around)?;
    entry_choice(&file, &entry, None, around, restart)
}

/// The session that an entry describes.
fn entry_choice(
    file: &entries::EntryFile,
    entry: &DesktopEntry,
    action: Option<&str>,
    around: &Surroundings,
    restart: Option<RestartPolicy>,
) -> Result<Choice, NoSession> {
    let what = action.map_or_else(|| file.id.clone(), |action| format!("{}:{action}", file.id));
    if let Some(departure) = &entry.departure {
        let path = text::path(&file.path);
        tracing::warn!(
            "{path} violates the Desktop Entry Specification, {departure}; it is read as display managers read it"
        );
    }
    let runnable = entries::runnable(entry, action, around).map_err(|why| NoSession::NotRunnable {
        name: what.clone(),
        path: file.path.clone(),
        why,
    })?;
    let decided = |names: Vec<String>| Desktop { names, session: file.id.clone(), decides: true };
    if action.is_none() && entry.command == [entries::DEFAULT] && runnable.arguments != entry.command {
        let description = format!("{}, the default session of this system", text::one_line(&entry.name));
        let service = services::service("xsession", description, runnable.program, runnable.arguments);
        // The session ends with it, and it sets its own names.
        return Ok(match entry.desktop_names.as_slice() {
            [] => Choice::StartupFile { service, what },
            names => Choice::Entry { service, what, desktop: decided(names.to_vec()) },
        });
    }
    let names = if entry.desktop_names.is_empty() { vec![file.id.clone()] } else { entry.desktop_names.clone() };
    let description = format!("{}, the session {what}", text::one_line(&entry.name));
    let service = services::service(&file.id, description, runnable.program, runnable.arguments);
    let service = transient::Service { directory: entry.directory.clone(), restart, ..service };
    Ok(Choice::Entry { service, what, desktop: decided(names) })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{file, surroundings};
    use super::super::{Choice, NoSession};
    use super::by_name;
    use crate::test_dir::TestDir;

    #[test]
    fn a_word_is_an_entrys_id_then_a_command_then_an_entrys_name() {
        let dir = TestDir::new();
        for name in ["wm", "both", "tool"] {
            file(&dir, name, "#!/bin/sh\n", 0o755);
        }
        let entry = |id: &str, lines: &str| {
            let text = format!("[Desktop Entry]\nType=Application\nName=N {id}\n{lines}\n");
            file(&dir, &format!("{id}.desktop"), &text, 0o644);
        };
        entry("both", "Exec=wm --from-entry\nDesktopNames=A;B;");
        entry("plain", "Exec=wm\nPath=/\nActions=x;\n[Desktop Action x]\nName=X\nExec=wm -x");
        entry("tool:x", "Exec=wm");
        entry("hidden", "Hidden=true");
        entry("broken", "Exec='");
        entry("gone", "Exec=gone\nTryExec=gone");
        let around = surroundings(dir.path("").into(), &dir);
        let chosen = |name: &str| {
            let choice = by_name(name, &around, None).unwrap_or_else(|why| panic!("{name}: {why}"));
            let service = choice.service().unwrap();
            let desktop = choice.desktop().unwrap();
            let names = format!("{} {} {}", desktop.names.join(":"), desktop.session, desktop.decides);
            (choice.describe(), service.name.clone(), service.arguments.join(" "), names)
        };
        let expect = |what: &str, unit: &str, arguments: &str, names: &str| {
            (what.to_owned(), format!("startxd-wm@{unit}.service"), arguments.to_owned(), names.to_owned())
        };
        assert_eq!(chosen("both"), expect("both", "both", "wm --from-entry", "A:B both true"));
        assert_eq!(chosen("both.desktop"), chosen("both"));
        assert_eq!(chosen("plain:x"), expect("plain:x", "plain", "wm -x", "plain plain true"));
        assert_eq!(chosen("plain.desktop:x"), chosen("plain:x"));
        assert_eq!(chosen("tool:x"), expect("tool:x", "tool:x", "wm", "tool:x tool:x true"));
        assert_eq!(chosen("tool"), expect("tool", "tool", "tool", "tool tool false"));
        assert_eq!(chosen("n PLAIN"), expect("plain", "plain", "wm", "plain plain true"));
        let Ok(Choice::Entry { service, .. }) = by_name("plain", &around, None) else { panic!() };
        assert_eq!(service.directory.as_deref(), Some("/"));
        assert!(matches!(by_name("hidden", &around, None), Err(NoSession::Hidden { .. })));
        assert!(matches!(by_name("broken", &around, None), Err(NoSession::Broken { .. })));
        assert!(matches!(by_name("gone", &around, None), Err(NoSession::NotRunnable { .. })));
        assert!(matches!(by_name("plain:y", &around, None), Err(NoSession::NotRunnable { .. })));
        assert!(matches!(by_name("unknown", &around, None), Err(NoSession::Unknown { .. })));
    }
}
