//! Desktop entries, as far as a session needs them: the bytes of a file in, a session or the reason why not out.
//!
//! Follows the Desktop Entry Specification 1.5; pure. Existing crates read what menus want, accept what the
//! specification forbids, and are larger than these few hundred lines.
//!
//! What the session depends on has to be right: the file's format, and each key that is read here. Mistakes in other
//! keys and groups are ignored.

mod exec;
mod key_file;
mod locale;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use thiserror::Error;

pub use locale::Locale;

use crate::text::one_line;
use key_file::{EntryGroup, KeyFile};

/// The group that counts. By the specification it is the first.
const MAIN: &str = "Desktop Entry";
/// Further actions of an entry are ignored: nobody would look at so many, and a file could list any number.
const MOST_ACTIONS: usize = 64;
/// What precedes an action's identifier in the name of its group.
const ACTION: &str = "Desktop Action ";

/// What is wrong with a file. One line, with the line number in the file if there is one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{text}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct BrokenEntry {
    /// The line, from 1; `None` if something is missing.
    pub line: Option<usize>,
    /// What is wrong.
    pub text: String,
}

impl BrokenEntry {
    fn at(line: usize, text: impl Into<String>) -> Self {
        Self { line: Some(line), text: one_line(&text.into()) }
    }

    fn whole(text: impl Into<String>) -> Self {
        Self { line: None, text: one_line(&text.into()) }
    }

    /// A part of a file in quotation marks, shortened if it is long.
    fn quote(text: &str) -> String {
        let mut shown: String = text.chars().take(40).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        format!("{shown:?}")
    }
}

/// A session as an entry describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesktopEntry {
    /// `Name`, in the user's language.
    pub name: String,
    /// `Comment`, in the user's language.
    pub comment: Option<String>,
    /// `NoDisplay`: it is not offered in lists, but can be started by name.
    pub no_display: bool,
    /// `TryExec`: the program without which the session is not installed, a path or a name.
    pub try_exec: Option<String>,
    /// `Path`: the directory to start in.
    pub directory: Option<String>,
    /// `DesktopNames`.
    pub desktop_names: Vec<String>,
    /// `Exec`: the program and its arguments.
    pub command: Vec<String>,
    /// Where and how the file departs from the specification; then it is read as display managers read it.
    pub departure: Option<BrokenEntry>,
    /// The actions that `Actions` lists, in that order.
    pub actions: Vec<EntryAction>,
}

/// Another way to start it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryAction {
    /// Its identifier.
    pub id: String,
    /// What it is, or why it cannot be used, which does not affect the others.
    pub what: Result<ActionWhat, BrokenEntry>,
}

/// What an action does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionWhat {
    /// `Name`, in the user's language.
    pub name: String,
    /// `Exec`: the program and its arguments.
    pub command: Vec<String>,
}

/// Takes the bytes of a file, the locale, and the file's path for `%k`, and returns the session. `None` if it is
/// `Hidden`: then this file and those that it shadows are treated as absent.
///
/// # Errors
/// [`BrokenEntry`]: the first thing that is wrong.
pub fn parse(bytes: &[u8], locale: &Locale, path: Option<&str>) -> Result<Option<DesktopEntry>, BrokenEntry> {
    let file = KeyFile::parse(bytes, |group| group == MAIN || group.starts_with(ACTION))?;
    let misplaced = |first: &EntryGroup<'_>| {
        let why = format!("the first group is {}, not [{MAIN}]", BrokenEntry::quote(first.name()));
        BrokenEntry::at(first.line(), why)
    };
    let (main, misplaced) = match file.first() {
        Some(first) if first.name() == MAIN => (first, None),
        // AfterStep's entry is so. The reader of LightDM and GDM (GLib's GKeyFile) takes a group by its name, wherever it is.
        Some(first) => (file.group(MAIN).ok_or_else(|| misplaced(first))?, Some(misplaced(first))),
        None => return Err(BrokenEntry::whole(format!("there is no group [{MAIN}]"))),
    };
    if flag(main, "Hidden")? {
        return Ok(None);
    }
    let reader = Reader { group: main, locale };
    let untyped = reader.check_type()?;
    let name = reader.required_name()?;
    let icon = reader.localised("Icon")?.filter(|icon| !icon.is_empty());
    let fields = exec::Fields { name: &name, path, icon: icon.as_deref() };
    let actions = match main.get("Actions", None)? {
        Some(list) => {
            let mut seen = BTreeSet::new();
            let mut ids = list.strings()?;
            ids.retain(|id| seen.insert(id.clone()));
            ids.into_iter().take(MOST_ACTIONS).map(|id| action(&file, id, fields, locale)).collect()
        }
        None => Vec::new(),
    };
    let (command, departure) = match reader.command(fields) {
        Ok(command) => (command, misplaced.or(untyped)),
        Err(broken) => (reader.command_as_shells_read_it(fields).map_err(|()| broken.clone())?, Some(broken)),
    };
    Ok(Some(DesktopEntry {
        comment: reader.localised("Comment")?.filter(|comment| !comment.is_empty()),
        no_display: flag(main, "NoDisplay")?,
        try_exec: reader.string("TryExec")?.filter(|program| !program.is_empty()),
        directory: reader.directory()?,
        desktop_names: reader.desktop_names()?,
        command,
        departure,
        actions,
        name,
    }))
}

fn action(file: &KeyFile<'_>, id: String, fields: exec::Fields<'_>, locale: &Locale) -> EntryAction {
    let what = || {
        let group = file.group(&format!("{ACTION}{id}"));
        let group = group.ok_or_else(|| BrokenEntry::whole(format!("there is no group [{ACTION}{id}]")))?;
        let reader = Reader { group, locale };
        let name = reader.required_name()?;
        let icon = reader.localised("Icon")?.filter(|icon| !icon.is_empty());
        let fields = exec::Fields { icon: icon.as_deref().or(fields.icon), ..fields };
        Ok(ActionWhat { name, command: reader.command(fields)? })
    };
    EntryAction { what: what(), id }
}

fn flag(group: &EntryGroup<'_>, name: &str) -> Result<bool, BrokenEntry> {
    group.get(name, None)?.map_or(Ok(false), |value| value.boolean())
}

/// Reads the keys of a group.
struct Reader<'a> {
    group: &'a EntryGroup<'a>,
    locale: &'a Locale,
}

impl Reader<'_> {
    fn string(&self, name: &str) -> Result<Option<String>, BrokenEntry> {
        self.group.get(name, None)?.map(|value| value.string()).transpose()
    }

    /// The value in the best matching locale, or the one without a locale.
    fn localised(&self, name: &str) -> Result<Option<String>, BrokenEntry> {
        for locale in self.locale.keys() {
            if let Some(value) = self.group.get(name, Some(locale))?.filter(|value| !value.text.is_empty()) {
                return value.string().map(Some);
            }
        }
        self.string(name)
    }

    fn missing(&self, name: &str) -> BrokenEntry {
        BrokenEntry::whole(format!("there is no {name} in [{}]", self.group.name()))
    }

    /// The name, which an entry must have untranslated.
    fn required_name(&self) -> Result<String, BrokenEntry> {
        self.string("Name")?.filter(|name| !name.is_empty()).ok_or_else(|| self.missing("Name"))?;
        Ok(self.localised("Name")?.unwrap_or_default())
    }

    /// `XSession` is not in the specification but is used: display managers accept it, and i3's entry of 2024 has it. Nor do
    /// they need the key, which Window Maker's entry does not have: that is returned as a departure.
    fn check_type(&self) -> Result<Option<BrokenEntry>, BrokenEntry> {
        let Some(value) = self.group.get("Type", None)? else { return Ok(Some(self.missing("Type"))) };
        match value.text {
            "Application" | "XSession" => Ok(None),
            other => {
                Err(BrokenEntry::at(value.line, format!("it is of type {}, not a session", BrokenEntry::quote(other))))
            }
        }
    }

    fn directory(&self) -> Result<Option<String>, BrokenEntry> {
        let Some(value) = self.group.get("Path", None)? else { return Ok(None) };
        let path = value.string()?;
        if !path.is_empty() && !path.starts_with('/') {
            return Err(BrokenEntry::at(
                value.line,
                format!("Path is {}, which is not an absolute path", BrokenEntry::quote(&path)),
            ));
        }
        Ok(Some(path).filter(|path| !path.is_empty()))
    }

    /// Colons are accepted as separators too, as in the variable that the names are for: distributions write both.
    fn desktop_names(&self) -> Result<Vec<String>, BrokenEntry> {
        let Some(value) = self.group.get("DesktopNames", None)? else { return Ok(Vec::new()) };
        let items = value.strings()?;
        let names = items.iter().flat_map(|item| item.split(':')).filter(|name| !name.is_empty()).map(str::to_owned);
        let names: Vec<String> = names.collect();
        match names.iter().find(|name| name.chars().any(char::is_control)) {
            Some(name) => {
                Err(BrokenEntry::at(value.line, format!("{} is not the name of a desktop", BrokenEntry::quote(name))))
            }
            None => Ok(names),
        }
    }

    fn command(&self, fields: exec::Fields<'_>) -> Result<Vec<String>, BrokenEntry> {
        let value = self.group.get("Exec", None)?.ok_or_else(|| self.missing("Exec"))?;
        exec::command(&value.string()?, fields).map_err(|why| BrokenEntry::at(value.line, format!("Exec: {why}")))
    }

    /// Like [`command`](Self::command), for a value that departs from the specification.
    fn command_as_shells_read_it(&self, fields: exec::Fields<'_>) -> Result<Vec<String>, ()> {
        let value = self.group.get("Exec", None).ok().flatten().ok_or(())?;
        exec::command_as_shells_read_it(&value.string().map_err(|_| ())?, fields).map_err(|_| ())
    }
}
