//! Rules for the sources that the compiler does not keep.

use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The lines of a file with a word in them, comments left out.
fn lines_with<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let is_word = |part: &str| part == word;
    code.filter(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(is_word)).collect()
}

#[test]
fn unsafe_code_is_in_one_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut inside, mut outside) = (0, Vec::new());
    // The tests have the same rule for themselves, and the fuzzer's targets have none at all.
    for (directory, module) in [("src", "src/os"), ("tests", "tests/harness/sys.rs"), ("fuzz/src", "none")] {
        for file in files(&root.join(directory)) {
            let text = fs::read_to_string(&file).expect("a source");
            let count = lines_with(&text, "unsafe").len() + lines_with(&text, "unsafe_code").len();
            if file.starts_with(root.join(module)) {
                inside += count;
            } else if count > 0 && !file.ends_with(file!()) {
                outside.push(file);
            }
        }
    }
    assert!(inside > 5, "what is looked for is not found where it is: {inside}");
    assert!(outside.is_empty(), "{outside:?}");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("Cargo.toml");
    assert!(manifest.contains("unsafe_code = \"deny\"") && manifest.contains("undocumented_unsafe_blocks = \"deny\""));
}

/// What stands before a file's own tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

#[test]
fn deadlines_are_in_one_place() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // How long a crash counts, and what it makes the next server wait for, are no deadlines but keys of their own; and the
    // menu counts seconds down.
    let exempt = ["src/deadline.rs", "src/config/mod.rs", "src/config/tests.rs", "src/select/mod.rs"];
    let is_number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    let elsewhere: Vec<String> = files(&sources)
        .into_iter()
        .filter(|file| !exempt.iter().any(|exempt| file.ends_with(exempt)))
        .flat_map(|file| {
            let text = fs::read_to_string(&file).expect("a source");
            let lines = without_tests(&text).lines().map(str::to_owned).collect::<Vec<_>>();
            let fixed = |line: &String| {
                let mut calls = line.split("Duration::from_").skip(1);
                calls.any(|call| call.split_once('(').is_some_and(|(_, rest)| is_number(rest)))
            };
            lines.into_iter().filter(fixed).map(move |line| format!("{}: {line}", file.display()))
        })
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
}
