//! README, docs and the manual pages show commands that exist, with options that exist, and configuration that is read without
//! a complaint.

use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::ErrorKind;

use super::args::Args;
use crate::config::{self, Places, keys};
use crate::session::xserverrc;
use crate::test_dir::TestDir;

fn documents(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let paths = entries.flat_map(|path| if path.is_dir() { documents(&path) } else { vec![path] });
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

fn texts() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = documents(&root.join("docs"));
    paths.push(root.join("README.md"));
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split_once("\n```").map(|(block, _)| block)).collect()
}

/// The words of a command line, as far as documents have any: quotes, and no expansions.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut quote, mut word) = (Vec::new(), None, String::new());
    for c in command.chars() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, ' ') => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            _ => word.push(c),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// The commands of a line of a shell: of startxd alone.
fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line.split(" #").next().unwrap_or_default();
    let parts = line.split("&&").map(|part| words(part.trim()));
    let parts = parts.map(|mut words| {
        words.splice(..words.iter().take_while(|word| *word == "sudo").count(), []);
        words
    });
    parts.filter(|words| words.first().is_some_and(|word| word == "startxd")).collect()
}

#[test]
fn commands_exist() {
    let mut found = 0;
    for (path, text) in texts() {
        let shown = blocks(&text, "sh").into_iter().flat_map(str::lines).map(|line| (true, line));
        // What stands in a line of text, if it is not a pattern, may be the name of a command without its arguments.
        let named = text.split('`').skip(1).step_by(2).filter(|code| !code.contains(['[', '|', '…']));
        let lines = shown.chain(named.map(|line| (false, line)));
        let all = lines.flat_map(|(is_whole, line)| commands(line).into_iter().map(move |words| (is_whole, words)));
        for (is_whole, words) in all.filter(|(_, words)| words.len() > 1) {
            found += 1;
            if let Err(error) = Args::try_parse_from(&words) {
                let lacks = [ErrorKind::MissingRequiredArgument, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
                let is_name = !is_whole && lacks.contains(&error.kind());
                assert!(is_name || !error.use_stderr(), "{}: {words:?}: {error}", path.display());
            }
        }
    }
    assert!(found > 30, "what is looked for is not found where it is: {found}");
}

/// Expects that a file with this text is read without a complaint.
fn is_read(path: &Path, text: &str) {
    let directory = TestDir::new();
    std::fs::write(directory.path("startxd.toml"), text).unwrap();
    let loaded = config::load(&Places { directories: vec![directory.path("")] });
    let complaints: Vec<String> = loaded.complaints.iter().map(ToString::to_string).collect();
    assert!(complaints.is_empty(), "{}: {complaints:?}", path.display());
}

#[test]
fn configuration_is_read() {
    let mut found = 0;
    for (path, text) in texts() {
        for block in blocks(&text, "toml") {
            is_read(&path, block);
            found += 1;
        }
    }
    assert!(found > 0);
}

/// The manual pages, each with its lines as they are printed in a display or a quotation: escapes of mandoc_char(7) undone.
fn manuals() -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("man")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let escapes = [("\\(dq", "\""), ("\\(aq", "'"), ("\\&", ""), ("\\-", "-"), ("\\e", "\\")];
        let text = std::fs::read_to_string(&path).unwrap();
        (path, escapes.iter().fold(text, |text, (escape, is)| text.replace(escape, is)))
    };
    paths.map(read).collect()
}

/// The displays of a page, `.Bd -literal`.
fn displays(text: &str) -> Vec<&str> {
    let displays = text.split("\n.Bd -literal").skip(1).filter_map(|rest| rest.split_once('\n'));
    displays.filter_map(|(_, rest)| rest.split_once("\n.Ed").map(|(display, _)| display)).collect()
}

/// How displays begin that show something else than what can be read or run: pictures, output, and what other programs run.
const SHOWN: [&str; 6] =
    ["warning  /home/ada", " login session (getty", " graphical-session-pre", ":N vtN", "xauth extract", "agreety"];

#[test]
fn displays_of_manual_pages_are_read() {
    let (mut files, mut units, mut shown) = (0, 0, 0);
    for (path, text) in manuals() {
        for display in displays(&text) {
            match display.split_once('\n').map_or(display, |(first, _)| first) {
                // systemd reads these in tests/headless/recipes.rs.
                "[Unit]" | "[Service]" => units += 1,
                "#!/bin/sh" => {
                    // What startxd always gives is not taken again.
                    assert_eq!(xserverrc::arguments(display).unwrap(), ["-dpi", "144"], "{}", path.display());
                }
                first if SHOWN.iter().any(|begin| first.starts_with(begin)) => shown += 1,
                _ => {
                    is_read(&path, display);
                    files += 1;
                }
            }
        }
    }
    assert_eq!((shown, files > 4, units > 7), (SHOWN.len(), true, true), "{files} {units}");
}

#[test]
fn lines_of_manual_pages_are_commands_and_keys_that_exist() {
    let (mut commands_found, mut keys_found) = (0, 0);
    for (path, text) in manuals() {
        let quoted = text.lines().filter_map(|line| Some((false, line.strip_prefix(".Ql ")?)));
        let displayed = text.lines().filter_map(|line| Some((true, line.strip_prefix(".Dl ")?)));
        for (is_whole, line) in displayed.chain(quoted) {
            // Macros within the line make it a pattern; punctuation of the sentence stands apart.
            if [" Op ", " Ar ", " Ns "].iter().any(|macro_| line.contains(macro_)) {
                continue;
            }
            let line = line.trim_end_matches([' ', '.', ',', ';', ':']);
            if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| keys().any(|known| known.name == *key)) {
                assert!(!key.is_empty());
                is_read(&path, line);
                keys_found += 1;
            }
            // The prompt, a crontab's time, and what a shell does with it.
            let line =
                ["$ ", "# ", "0 4 * * * ", "exec "].iter().fold(line, |line, before| line.trim_start_matches(before));
            let line = line.split(" | ").next().unwrap_or_default();
            for words in commands(line) {
                commands_found += 1;
                if let Err(error) = Args::try_parse_from(&words) {
                    let lacks =
                        [ErrorKind::MissingRequiredArgument, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
                    let is_name = !is_whole && lacks.contains(&error.kind());
                    assert!(is_name || !error.use_stderr(), "{}: {words:?}: {error}", path.display());
                }
            }
        }
    }
    assert!(commands_found > 40 && keys_found > 0, "{commands_found} {keys_found}");
}

#[test]
fn words_are_those_of_a_shell() {
    let words = |line: &str| commands(line).into_iter().map(|words| words.join("|")).collect::<Vec<_>>();
    assert_eq!(
        words("sudo startxd enable autologin $USER && startxd enable wm i3  # x"),
        ["startxd|enable|autologin|$USER", "startxd|enable|wm|i3"]
    );
    assert_eq!(words("startxd run -- sh -c 'a b'"), ["startxd|run|--|sh|-c|a b"]);
    assert_eq!(words("make && tmux attach"), [""; 0]);
}
