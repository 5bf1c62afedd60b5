//! The entries of xsessions directories: where they are, which one of an id is used, and whether it can be started.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{NoSession, Surroundings};
use crate::desktop_entry::{self, DesktopEntry, Locale};
use crate::text::one_line;
use crate::xdg;

/// How deep subdirectories are searched. The specification allows them; no distribution has any.
const DEPTH: usize = 3;
/// The word in an entry by which display managers start the distribution's own session: LightDM's lightdm-xsession has
/// `Exec=default`.
pub const DEFAULT: &str = "default";
/// How many entries of a directory are read: a directory with more is not one of sessions.
const ENOUGH: usize = 1000;

/// The file of an entry that no other file shadows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryFile {
    /// Its desktop file id without `.desktop`: its path below the directory, with `-` for `/`.
    pub id: String,
    /// Its path.
    pub path: PathBuf,
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A session.
    Entry(Box<DesktopEntry>),
    /// `Hidden=true`: neither it nor the files that it shadows count.
    Hidden,
    /// It cannot be used, and why.
    Broken(String),
}

/// What the entry of a session runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runnable {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, the name first.
    pub arguments: Vec<String>,
}

/// The directories to search, in the order of precedence (XDG Base Directory Specification).
///
/// `/usr/local/share` and `/usr/share` come last even where `XDG_DATA_DIRS` does not name them: that is where window
/// managers put their entries, and where every display manager finds them.
#[must_use]
pub fn directories(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let own = xdg::DATA.own(&variable).into_iter();
    let always = ["/usr/local/share", "/usr/share"].map(PathBuf::from);
    let mut directories: Vec<PathBuf> = Vec::new();
    for path in own.chain(xdg::DATA.everybodys(&variable)).chain(always) {
        let path = path.join("xsessions");
        if !directories.contains(&path) {
            directories.push(path);
        }
    }
    directories
}

/// Takes the directories and returns each id once, with the file of the highest precedence, by id.
#[must_use]
pub fn scan(directories: &[PathBuf]) -> Vec<EntryFile> {
    let mut files = BTreeMap::new();
    for directory in directories {
        let mut here = BTreeMap::new();
        collect(directory, "", DEPTH, &mut here);
        for (id, path) in here {
            files.entry(id).or_insert(path);
        }
    }
    files.into_iter().map(|(id, path)| EntryFile { id, path }).collect()
}

fn collect(directory: &Path, prefix: &str, depth: usize, files: &mut BTreeMap<String, PathBuf>) {
    // A directory that does not exist or cannot be read has no entries.
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    let mut names: Vec<String> =
        entries.flatten().take(ENOUGH).filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    for name in names {
        let path = directory.join(&name);
        match name.strip_suffix(".desktop") {
            Some(id) if !path.is_dir() => {
                // Between a-b.desktop and a/b.desktop the choice is undefined.
                files.entry(format!("{prefix}{id}")).or_insert(path);
            }
            _ if depth > 0 && path.is_dir() => collect(&path, &format!("{prefix}{name}-"), depth - 1, files),
            _ => {}
        }
    }
}

/// Reads a file.
#[must_use]
pub fn read(file: &EntryFile, locale: &Locale) -> Content {
    let parsed = match crate::small_file::read(&file.path) {
        Ok(bytes) => desktop_entry::parse(&bytes, locale, file.path.to_str()),
        Err(error) => return Content::Broken(error.to_string()),
    };
    match parsed {
        Ok(Some(entry)) => Content::Entry(Box::new(entry)),
        Ok(None) => Content::Hidden,
        Err(broken) => Content::Broken(broken.to_string()),
    }
}

/// Takes an entry, and an action if one is asked for, and returns what to run.
///
/// # Errors
/// What is missing; follows "the session NAME cannot be started: ".
pub fn runnable(entry: &DesktopEntry, action: Option<&str>, around: &Surroundings) -> Result<Runnable, String> {
    if let Some(needed) = &entry.try_exec
        && around.find(needed).is_none()
    {
        return Err(format!("it is not installed: there is no program {needed} (TryExec)"));
    }
    let arguments = match action {
        None => entry.command.clone(),
        Some(id) => {
            let known = || entry.actions.iter().map(|action| action.id.as_str()).collect::<Vec<_>>().join(", ");
            match entry.actions.iter().find(|action| action.id == id) {
                Some(action) => action.what.as_ref().map_err(ToString::to_string)?.command.clone(),
                None if entry.actions.is_empty() => return Err(format!("it has no actions, so there is no {id}")),
                None => return Err(format!("it has no action {id}, only {}", known())),
            }
        }
    };
    let name = arguments.first().map(String::as_str).unwrap_or_default();
    if arguments == [DEFAULT] && around.find(name).is_none() {
        let program = super::services::default_program(around).ok_or(
            "the default session of this system would start nothing: /etc/X11/Xsession finds no ~/.xsession, no \
             session manager and no window manager",
        )?;
        return Ok(Runnable { arguments: vec![program.to_string_lossy().into_owned()], program });
    }
    let program = around.find(name);
    let program = program.ok_or_else(|| format!("there is no program {name} (Exec)"))?;
    if let Some(directory) = entry.directory.as_ref().filter(|directory| !Path::new(directory).is_dir()) {
        return Err(format!("{directory} is not a directory (Path)"));
    }
    Ok(Runnable { program, arguments })
}

/// Takes a name that is neither an entry's id nor a command, and returns the one entry that has it as id or `Name`,
/// ignoring case.
///
/// # Errors
/// Several entries have the name, or none has it.
pub fn meant(
    name: &str,
    files: &[EntryFile],
    around: &Surroundings,
) -> Result<(EntryFile, Box<DesktopEntry>), NoSession> {
    let wanted = name.to_lowercase();
    let usable: Vec<(EntryFile, Box<DesktopEntry>)> = files
        .iter()
        .filter_map(|file| match read(file, &around.locale) {
            Content::Entry(entry) => Some((file.clone(), entry)),
            _ => None,
        })
        .collect();
    let means = |file: &EntryFile, entry: &DesktopEntry| {
        file.id.to_lowercase() == wanted || entry.name.to_lowercase() == wanted
    };
    let mut found: Vec<_> = usable.iter().filter(|(file, entry)| means(file, entry)).cloned().collect();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(NoSession::Unknown { name: name.to_owned(), hint: hint(&wanted, &usable, around) }),
        _ => {
            let ids: Vec<String> = found.into_iter().map(|(file, _)| file.id).collect();
            Err(NoSession::Ambiguous { name: name.to_owned(), ids: one_line(&ids.join(", ")) })
        }
    }
}

/// Suggestions, as a part of a sentence.
fn hint(wanted: &str, usable: &[(EntryFile, Box<DesktopEntry>)], around: &Surroundings) -> String {
    let shown = usable.iter().filter(|(_, entry)| !entry.no_display && runnable(entry, None, around).is_ok());
    let mut known: Vec<&str> = shown.map(|(file, _)| file.id.as_str()).collect();
    known.extend(super::known::KNOWN.iter().map(|one| one.name).filter(|name| around.find(name).is_some()));
    known.sort_unstable();
    known.dedup();
    let begins: Vec<&str> =
        known.iter().copied().filter(|id| !wanted.is_empty() && id.to_lowercase().starts_with(wanted)).collect();
    let near = crate::suggest::nearest(wanted, known.iter().copied());
    match (begins.as_slice(), near) {
        ([], None) => String::new(),
        ([], Some(near)) => format!("; did you mean {}?", one_line(near)),
        (begins, _) => format!("; did you mean {}?", one_line(&begins.join(" or "))),
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::super::tests::{file, surroundings};
    use super::*;
    use crate::test_dir::TestDir;

    #[test]
    fn where_to_look() {
        let home = Some("/home/a");
        let find = |data_home: Option<&str>, dirs: Option<&str>, home: Option<&str>| {
            let variable = |name: &str| match name {
                "HOME" => home,
                "XDG_DATA_HOME" => data_home,
                _ => dirs,
            };
            let found = directories(|name| variable(name).map(OsString::from));
            found.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
        };
        let system = "/usr/local/share/xsessions /usr/share/xsessions";
        assert_eq!(find(None, None, home), format!("/home/a/.local/share/xsessions {system}"));
        assert_eq!(
            find(Some("/d"), Some("/x:y::/usr/share"), home),
            "/d/xsessions /x/xsessions /usr/share/xsessions /usr/local/share/xsessions"
        );
        assert_eq!(find(Some("d"), Some(""), None), system);
    }

    #[test]
    fn each_id_is_listed_once() {
        let dir = TestDir::new();
        for path in ["own/sub/deep", "system/kde", "own/dir.desktop"] {
            std::fs::create_dir_all(dir.path(path)).unwrap();
        }
        for path in [
            "own/i3.desktop",
            "own/sub/deep/x.desktop",
            "own/notes.txt",
            "system/i3.desktop",
            "system/kde/plasma.desktop",
        ] {
            std::fs::write(dir.path(path), "").unwrap();
        }
        std::os::unix::fs::symlink("..", dir.path("own/sub/loop")).unwrap();
        let found = scan(&[dir.path("own"), dir.path("missing"), dir.path("system")]);
        let found: Vec<(&str, &Path)> = found
            .iter()
            .filter(|file| !file.id.contains("loop"))
            .map(|file| (file.id.as_str(), file.path.strip_prefix(dir.path("")).unwrap()))
            .collect();
        let expected = [
            ("i3", "own/i3.desktop"),
            ("kde-plasma", "system/kde/plasma.desktop"),
            ("sub-deep-x", "own/sub/deep/x.desktop"),
        ];
        assert_eq!(found, expected.map(|(id, path)| (id, Path::new(path))));
    }

    #[test]
    fn entries_are_read_and_run_or_say_what_is_missing() {
        let dir = TestDir::new();
        file(&dir, "wm", "#!/bin/sh\n", 0o755);
        let around = surroundings(dir.path("").into(), &dir);
        let entry = |lines: &str| {
            let text = format!("[Desktop Entry]\nType=Application\nName=A\n{lines}\n");
            let path = file(&dir, "a.desktop", &text, 0o644);
            read(&EntryFile { id: "a".into(), path }, &Locale::default())
        };
        let run = |lines: &str, action: Option<&str>| match entry(lines) {
            Content::Entry(entry) => runnable(&entry, action, &around),
            other => panic!("{other:?}"),
        };
        let runs = |arguments: &[&str]| {
            let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
            Ok(Runnable { program: dir.path("wm"), arguments })
        };
        assert_eq!(run("Exec=wm --a", None), runs(&["wm", "--a"]));
        assert_eq!(run("TryExec=wm\nExec=wm\nPath=/", None), runs(&["wm"]));
        let actions = "Exec=wm\nActions=safe;odd\n[Desktop Action safe]\nName=S\nExec=wm -s";
        assert_eq!(run(actions, Some("safe")), runs(&["wm", "-s"]));
        let cases = [
            ("Exec=wm\nTryExec=gone", None, "no program gone (TryExec)"),
            ("Exec=gone", None, "no program gone (Exec)"),
            ("Exec=/gone", None, "no program /gone (Exec)"),
            ("Exec=wm\nPath=/gone", None, "/gone is not a directory (Path)"),
            ("Exec=wm", Some("safe"), "no actions"),
            (actions, Some("odd"), "no group [Desktop Action odd]"),
            (actions, Some("gone"), "no action gone, only safe, odd"),
        ];
        for (lines, action, part) in cases {
            let error = run(lines, action).unwrap_err();
            assert!(error.contains(part), "{lines}: {error}");
        }
        assert_eq!(entry("Hidden=true"), Content::Hidden);
        assert!(matches!(entry("Exec='"), Content::Broken(why) if why.starts_with("line 4: Exec:")));
        let broken = |path: PathBuf| match read(&EntryFile { id: "a".into(), path }, &Locale::default()) {
            Content::Broken(why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(broken("/dev/null".into()), "it is not a regular file");
        assert!(broken(dir.path("gone")).contains("No such file"));
    }

    #[test]
    fn what_was_meant() {
        let dir = TestDir::new();
        file(&dir, "wm", "", 0o755);
        let around = surroundings(dir.path("").into(), &dir);
        let entries = [("one", "Same"), ("two", "same"), ("Openbox", "Box"), ("i3", "I three"), ("i3-debug", "x")];
        for (id, name) in entries {
            file(
                &dir,
                &format!("{id}.desktop"),
                &format!("[Desktop Entry]\nType=Application\nName={name}\nExec=wm\n"),
                0o644,
            );
        }
        let files = scan(&[dir.path("")]);
        let meant = |name: &str| meant(name, &files, &around).map(|(file, _)| file.id).map_err(|why| why.to_string());
        assert_eq!(meant("openbox").as_deref(), Ok("Openbox"));
        assert_eq!(meant("i THREE").as_deref(), Ok("i3"));
        for (name, part) in [
            ("SAME", "more than one session is called SAME; give one of these: one, two"),
            ("opnbox", "did you mean Openbox?"),
            ("i", "did you mean i3 or i3-debug?"),
            ("nothing-like-it", "nothing-like-it in $PATH; "),
        ] {
            let error = meant(name).unwrap_err();
            assert!(error.contains(part), "{name}: {error}");
        }
    }
}
