//! README and docs show commands that exist, with options that exist, and configuration that is read without a complaint.

use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::ErrorKind;

use super::args::Args;
use crate::config::{self, Places};
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
        // What stands in a line of text, if it is no pattern, may be the name of a command without its arguments.
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

#[test]
fn configuration_is_read() {
    let mut found = 0;
    for (path, text) in texts() {
        for block in blocks(&text, "toml") {
            let directory = TestDir::new();
            std::fs::write(directory.path("startxd.toml"), block).unwrap();
            let loaded = config::load(&Places { directories: vec![directory.path("")] });
            let complaints: Vec<String> = loaded.complaints.iter().map(ToString::to_string).collect();
            assert!(complaints.is_empty(), "{}: {complaints:?}", path.display());
            found += 1;
        }
    }
    assert!(found > 0);
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
