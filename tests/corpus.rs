//! What the fuzzer found worth keeping, tried again: every file of `fuzz/corpus` with what must hold for it.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

#[path = "../fuzz/src/lib.rs"]
mod properties;

use properties::TARGETS;

/// The corpus is in the repository, and stays small.
const MAX_SIZE: u64 = 512 * 1024;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The paths in a directory, sorted; empty if it does not exist.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// The names in a directory, up to the first dot.
fn names(directory: &Path) -> BTreeSet<String> {
    let name = |path: &PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    entries(directory).iter().map(name).collect()
}

#[test]
fn holds_for_the_corpus() {
    let (mut count, mut failed) = (0, Vec::new());
    for (target, holds) in TARGETS {
        let files = entries(&fuzz().join("corpus").join(target));
        assert!(!files.is_empty(), "fuzz/corpus/{target} is empty: nothing of it is tried");
        for file in files {
            let input = fs::read(&file).expect("a file of the corpus");
            // All are tried, so that one run shows everything; the panic messages say what is wrong.
            if catch_unwind(|| holds(&input)).is_err() {
                failed.push(file);
            }
            count += 1;
        }
    }
    assert!(failed.is_empty(), "of {count} files {} fail: {failed:#?}", failed.len());
}

#[test]
fn every_target_has_all_its_parts() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut modules = names(&fuzz().join("src"));
    modules.remove("lib");
    assert_eq!(modules, targets, "modules");
    assert_eq!(names(&fuzz().join("fuzz_targets")), targets, "fuzz_targets");
    assert_eq!(names(&fuzz().join("corpus")), targets, "corpora");
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).expect("fuzz/Cargo.toml");
    for target in targets {
        // Only make fuzz compiles these, so they must not contain anything that could be wrong.
        let text = fs::read_to_string(fuzz().join(format!("fuzz_targets/{target}.rs"))).expect("a target");
        let call = format!("libfuzzer_sys::fuzz_target!(|input: &[u8]| startxd_fuzz::{target}::holds(input));");
        assert_eq!(text, format!("#![no_main]\n{call}\n"), "{target}");
        let bin = format!("[[bin]]\nname = \"{target}\"\npath = \"fuzz_targets/{target}.rs\"\n");
        assert!(manifest.contains(&bin), "fuzz/Cargo.toml does not have\n{bin}");
    }
}

#[test]
fn the_corpus_stays_small() {
    let files = TARGETS.iter().flat_map(|(target, _)| entries(&fuzz().join("corpus").join(target)));
    let size: u64 = files.map(|file| fs::metadata(file).expect("a file of the corpus").len()).sum();
    assert!(size <= MAX_SIZE, "the corpus has {size} bytes: minimise it by make fuzz-minimise");
}
