//! The zoo: window managers and desktops, each from the start to the end of a session.
//!
//! Ten of them are in every guest's tree and part of `make check`. `make zoo` runs all that the release has, in a tree
//! of its own (`tests/guest/make-zoo`), and writes the table `docs/zoo.md`; `STARTXD_ZOO=i3,mate` chooses a few.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../pages/mod.rs"]
mod pages;
#[path = "../scenario/mod.rs"]
mod scenario;

mod animals;
mod life;
mod recipes;
mod table;

use std::path::PathBuf;
use std::{env, fs};

use animals::{ANIMALS, Animal, TEN};
use harness::Guest;
use life::Row;

/// A window manager of every tree completes all parts without a fault.
fn lives(name: &str) {
    let animal = Animal::named(name);
    let row = Row::of(animal, Guest::get, None);
    let faults = row.faults();
    assert!(faults.is_empty(), "{name}: {faults:#?}");
}

macro_rules! ten {
    ($($name:ident)*) => {
        $(#[test] fn $name() { lives(stringify!($name)); })*

        #[test]
        fn they_are_ten() {
            assert_eq!([$(stringify!($name)),*], TEN);
        }
    };
}

ten!(awesome bspwm dwm fluxbox herbstluftwm i3 icewm jwm openbox twm);

#[test]
#[ignore = "takes half an hour; make zoo runs it"]
fn every() {
    let only = env::var("STARTXD_ZOO").unwrap_or_default();
    let wanted = |animal: &&Animal| only.is_empty() || only.split(',').any(|name| name == animal.name);
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("zoo");
    fs::create_dir_all(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut rows = Vec::new();
    for animal in ANIMALS.iter().filter(wanted) {
        let row = Row::of(animal, Guest::zoo, Some(&directory));
        print(&format!("{}{}", table::line(&row), table::notes(&row)));
        rows.push(row);
    }
    let suite = Guest::zoo().suite().to_owned();
    let text = table::text(&suite, &rows);
    print(&text);
    let path = directory.join(format!("{suite}.md"));
    fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let unknown: Vec<String> = rows.iter().flat_map(Row::unknown_faults).collect();
    assert!(unknown.is_empty(), "what is not known of them:\n{}", unknown.join("\n"));
}

#[expect(clippy::print_stdout, reason = "the table is what this is for")]
fn print(text: &str) {
    println!("{text}");
}
