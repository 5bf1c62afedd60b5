//! The manual pages name every option, command, exit status, key, deadline, finding and variable of the definitions,
//! and no other ones.

use std::collections::BTreeSet;
use std::path::Path;

use clap::CommandFactory;

use super::args::Args;
use super::exit::Exit;
use crate::config::keys;
use crate::deadline::Deadlines;
use crate::doctor::catalogue::KINDS;
use crate::environment::policy::GROUPS;

/// The pages that describe what people type.
const PAGES: [&str; 3] = ["startxd.1", "startxd-display.1", "startxd-doctor.1"];

/// A page, as much of mdoc(7) as these tests need.
struct Page {
    name: &'static str,
    /// The section and the subsection that each line is in, whether it begins an item of a list, and its words.
    lines: Vec<(String, String, bool, String)>,
}

impl Page {
    fn read(name: &'static str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("man").join(name);
        let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (mut section, mut subsection, mut lines) = (String::new(), String::new(), Vec::new());
        for line in source.lines() {
            if let Some(heading) = line.strip_prefix(".Sh ") {
                (section, subsection) = (heading.to_owned(), String::new());
            } else if let Some(heading) = line.strip_prefix(".Ss ") {
                subsection = heading.to_owned();
            }
            lines.push((section.clone(), subsection.clone(), line.starts_with(".It "), words(line)));
        }
        Self { name, lines }
    }

    /// Everything that it says.
    fn text(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(|(_, _, _, words)| words.as_str()).collect();
        lines.join(" ")
    }

    /// The items of lists in a section.
    fn items(&self, section: &str) -> impl Iterator<Item = (&str, &str)> {
        let items = self.lines.iter().filter(move |(of, _, item, _)| of == section && *item);
        items.map(|(_, subsection, _, words)| (subsection.as_str(), words.as_str()))
    }

    /// The whole words in it, which options, names and numbers are.
    fn tokens(&self) -> BTreeSet<String> {
        let is_part = |c: char| c.is_alphanumeric() || "-_*.".contains(c);
        let text = self.text();
        let words = text.split(|c: char| !is_part(c));
        words.map(|word| word.trim_end_matches('.').to_owned()).collect()
    }

    fn knows(&self, what: &str, names: &[String]) {
        let tokens = self.tokens();
        let missing: Vec<&String> = names.iter().filter(|name| !tokens.contains(*name)).collect();
        assert!(!names.is_empty() && missing.is_empty(), "man/{} does not mention the {what} {missing:?}", self.name);
    }
}

/// The words of a line as they are read: of a macro's line the arguments, with options written out.
fn words(line: &str) -> String {
    let Some(line) = line.strip_prefix('.') else { return line.to_owned() };
    let (mut text, mut joined) = (String::new(), true);
    let is_macro = |word: &str| matches!(word.as_bytes(), [a, b] if a.is_ascii_uppercase() && b.is_ascii_lowercase());
    for word in line.split_whitespace() {
        match word {
            "Ns" => joined = true,
            "Fl" => {
                if !joined {
                    text.push(' ');
                }
                text.push('-');
                joined = true;
            }
            word if is_macro(word) => {}
            word => {
                if !joined {
                    text.push(' ');
                }
                text.push_str(word);
                joined = false;
            }
        }
    }
    text
}

/// Every command that people type, with the words that lead to it, and its long options.
fn commands() -> Vec<(Vec<String>, Vec<String>)> {
    fn walk(command: &clap::Command, path: &[String], found: &mut Vec<(Vec<String>, Vec<String>)>) {
        for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
            let path = [path, &[command.get_name().to_owned()]].concat();
            let options = command.get_arguments().filter(|argument| !argument.is_hide_set());
            let long = options.filter_map(|argument| argument.get_long());
            found.push((path.clone(), long.map(|long| format!("--{long}")).collect()));
            walk(command, &path, found);
        }
    }
    let mut found = Vec::new();
    walk(&Args::command(), &[], &mut found);
    found
}

/// The page that describes a command.
fn page_of(command: &[String]) -> &'static str {
    match command[0].as_str() {
        "display" => "startxd-display.1",
        "doctor" => "startxd-doctor.1",
        _ => "startxd.1",
    }
}

#[test]
fn commands_are_known() {
    let names: BTreeSet<String> = commands().into_iter().flat_map(|(path, _)| path).collect();
    Page::read("startxd.1").knows("command", &names.into_iter().collect::<Vec<_>>());
    // The words of a command with more than one are printed together.
    for (path, _) in commands() {
        let (page, command) = (Page::read(page_of(&path)), path.join(" "));
        let text = page.text();
        let alternative = path.split_last().map(|(last, path)| (path.join(" "), format!("| {last}")));
        let is_alternative = alternative.is_some_and(|(path, last)| text.contains(&path) && text.contains(&last));
        assert!(text.contains(&command) || is_alternative, "man/{} does not mention {command}", page.name);
    }
}

#[test]
fn options_are_described_and_exist() {
    let commands = commands();
    for name in PAGES {
        let page = Page::read(name);
        let its = commands.iter().filter(|(path, _)| page_of(path) == name);
        let options: Vec<String> = its.flat_map(|(_, options)| options.clone()).collect();
        page.knows("option", &options);
        let all: BTreeSet<&str> = commands.iter().flat_map(|(_, options)| options).map(String::as_str).collect();
        let general = ["--help", "--version"];
        let described = page.items("OPTIONS").chain(page.items("DESCRIPTION"));
        let described =
            described.flat_map(|(_, item)| item.split([' ', ',', '='])).filter(|word| word.starts_with("--"));
        for option in described.filter(|option| *option != "--") {
            assert!(
                all.contains(option) || general.contains(&option),
                "man/{name} describes {option}, which does not exist"
            );
        }
    }
}

#[test]
fn exit_statuses_are_described_and_exist() {
    let page = Page::read("startxd.1");
    let told: BTreeSet<u8> = page.items("EXIT STATUS").filter_map(|(_, item)| item.parse().ok()).collect();
    let ours: BTreeSet<u8> = Exit::ALL.iter().map(|exit| *exit as u8).collect();
    assert_eq!(told, ours, "man/startxd.1, EXIT STATUS, and src/cli/exit.rs");
    let page = Page::read("startxd-doctor.1");
    let told: Vec<u8> = page.items("EXIT STATUS").filter_map(|(_, item)| item.parse().ok()).collect();
    assert_eq!(told, [Exit::Success, Exit::Warnings, Exit::Faults].map(|exit| exit as u8));
}

#[test]
fn keys_are_described_and_exist() {
    let page = Page::read("startxd.toml.5");
    let told: BTreeSet<String> = page
        .items("KEYS")
        .map(|(table, item)| {
            let name = item.split(" = ").next().unwrap_or_default();
            let table = table.trim_matches(['[', ']']);
            if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") }
        })
        .collect();
    let ours: BTreeSet<String> = keys().map(|key| key.name.to_owned()).collect();
    assert_eq!(told, ours, "man/startxd.toml.5, KEYS, and src/config/keys.rs");
}

#[test]
fn deadlines_are_described_with_their_defaults() {
    let page = Page::read("startxd.toml.5");
    let told: Vec<&str> =
        page.items("KEYS").filter(|(table, _)| *table == "[deadlines]").map(|(_, item)| item).collect();
    let defaults = Deadlines::default();
    let line = |field: &crate::deadline::Field| {
        let name = field.key.strip_prefix("deadlines.").unwrap();
        format!("{name} = {}", (field.get)(&defaults).as_secs())
    };
    assert_eq!(told, Deadlines::FIELDS.iter().map(line).collect::<Vec<_>>());
}

#[test]
fn findings_are_described_with_their_severities() {
    let page = Page::read("startxd-doctor.1");
    let told: BTreeSet<String> = page.items("FINDINGS").map(|(_, item)| item.to_owned()).collect();
    let ours: BTreeSet<String> = KINDS.iter().map(|kind| format!("{} {}", kind.id, kind.severity.word())).collect();
    assert_eq!(told, ours, "man/startxd-doctor.1, FINDINGS, and src/doctor/catalogue.rs");
}

#[test]
fn variables_that_are_said_to_stay_behind_do() {
    let page = Page::read("startxd.7");
    let ours: Vec<String> = GROUPS.iter().flat_map(|group| group.names).map(|&name| name.to_owned()).collect();
    page.knows("variable", &ours);
    let told = page.lines.iter().filter(|(_, subsection, item, words)| {
        subsection == "What stays behind" && !item && words.contains('_') && words.to_uppercase() == *words
    });
    for name in told.flat_map(|(_, _, _, words)| words.split([' ', ','])).filter(|name| !name.is_empty()) {
        assert!(ours.iter().any(|our| our == name), "man/startxd.7 says that {name} stays behind, and it does not");
    }
}

#[test]
fn words_are_those_that_are_read() {
    for (line, read) in [
        (".It Fl Fl deadline Ar NAME Ns = Ns Ar SECONDS", "--deadline NAME=SECONDS"),
        (".It Fl v , Fl Fl verbose", "-v , --verbose"),
        (".It login.root Pq note", "login.root note"),
        ("It is plain.", "It is plain."),
    ] {
        assert_eq!(words(line), read);
    }
}
