//! Checks README and docs: links lead somewhere, units go somewhere, and README stays short.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The limit for README, in words.
const WORDS: usize = 1_500;
/// The limit for a picture, in bytes.
const PICTURE: u64 = 100_000;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a directory with this extension.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = paths
        .flat_map(|path| if path.is_dir() { files(&path, extension) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|one| one == extension))
        .collect();
    files.sort();
    files
}

/// The documents for people, with their texts.
fn documents() -> Vec<(PathBuf, String)> {
    let mut paths = files(&root().join("docs"), "md");
    paths.extend(
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "tests/README.md"]
            .map(|name| root().join(name)),
    );
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("a document"))).collect()
}

/// The code blocks in a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split_once("\n```").map(|(block, _)| block)).collect()
}

/// The anchor of a heading, as links use it.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    heading
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn readme_fits_its_promise() {
    let text = fs::read_to_string(root().join("README.md")).expect("README.md");
    let words = text.split_whitespace().count();
    assert!(words <= WORDS, "README.md has {words} words: move some of it to docs");
}

#[test]
fn readme_names_a_window_manager_before_it_logs_anybody_in() {
    let text = fs::read_to_string(root().join("README.md")).expect("README.md");
    let at = |command: &str| text.find(command).unwrap_or_else(|| panic!("README.md has no {command}"));
    assert!(at("startxd enable wm") < at("startxd enable autologin"));
}

#[test]
fn readme_and_manual_say_where_each_part_of_a_desktop_goes() {
    let parts = [
        "keyboard layout",
        "xresources",
        "wallpaper",
        "monitors",
        "compositor",
        "notification",
        "tray",
        "locker",
        "environment",
    ];
    for name in ["README.md", "man/startxd.7"] {
        let text = fs::read_to_string(root().join(name)).expect("a document").to_lowercase();
        for part in parts {
            assert!(text.contains(part), "{name} does not say where this goes: {part}");
        }
    }
}

#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for (path, text) in documents() {
        let is_code = |line: &&str| line.starts_with("```");
        let mut inside = false;
        for line in text.lines() {
            inside ^= is_code(&line);
            let markdown = line.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(link, _)| link));
            let html = line.split("src=\"").skip(1).filter_map(|rest| rest.split_once('"').map(|(link, _)| link));
            for link in markdown.chain(html).filter(|link| !inside && !link.starts_with("http")) {
                checked += 1;
                let (file, heading) = link.split_once('#').unwrap_or((link, ""));
                let target = if file.is_empty() { path.clone() } else { path.parent().expect("a folder").join(file) };
                let has_heading = || {
                    let text = fs::read_to_string(&target).unwrap_or_default();
                    text.lines().any(|line| line.starts_with('#') && anchor(line) == heading)
                };
                if !target.exists() || !(heading.is_empty() || has_heading()) {
                    wrong.push(format!("{}: {link}", path.display()));
                }
            }
        }
    }
    assert!(checked > 50, "what is looked for is not found where it is: {checked}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pictures_are_small() {
    let pictures: Vec<PathBuf> = ["png", "svg"].iter().flat_map(|kind| files(&root().join("docs"), kind)).collect();
    assert!(pictures.len() >= 2);
    for picture in pictures {
        let size = fs::metadata(&picture).expect("a picture").len();
        assert!(size < PICTURE, "{}: {size} bytes", picture.display());
    }
}

/// A unit is printed once, and is the same wherever it is printed; systemd itself reads them in
/// `tests/headless/recipes.rs`.
#[test]
fn units_say_where_they_go() {
    let mut units: BTreeMap<String, String> = BTreeMap::new();
    for (path, text) in documents() {
        for block in blocks(&text, "ini") {
            let (first, unit) = block.split_once('\n').expect("a unit has more than one line");
            let name =
                first.strip_prefix("# ").unwrap_or_else(|| panic!("{}: {first}: say which file", path.display()));
            assert!(name.contains("/systemd/"), "{}: {name}", path.display());
            let other = units.insert(name.to_owned(), unit.to_owned());
            assert!(other.is_none_or(|other| other == unit), "{}: {name} is printed twice", path.display());
        }
    }
    assert!(units.len() > 5, "{units:?}");
}
