//! `make bench`, the part without a screen: `startxd display run` beside `xvfb-run -a`, in one guest, in alternating
//! rounds, alone and twenty at once; and fifty displays of one user manager.
//!
//! - *ready*: from just before the launcher is forked until the command runs and looks at the clock: one kernel, one
//!   clock. Both launchers start the command when the server has answered.
//! - *total*: until the launcher has ended. By then startxd has waited for the end of its server; xvfb-run has only
//!   signalled it.
//!
//! Both run the same server, with the same arguments as far as the launcher allows. A round of each is discarded, so
//! that everything is in the page cache. `STARTXD_BENCH_ROUNDS` is the number of rounds, 15 if unset; `_MANY` and
//! `_DISPLAYS` replace twenty and fifty.

#[path = "../harness/mod.rs"]
mod harness;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write;

use harness::{Guest, secs};

/// Enough for a median on a machine that does other things too.
const ROUNDS: usize = 15;

/// The measuring script; it prints a line `NAME VALUE` for each value.
const MEASURE: &str = include_str!("measure.py");

/// Names and values, in ms unless the name says otherwise.
type Values = BTreeMap<String, Vec<f64>>;

#[test]
#[ignore = "takes minutes; make bench runs it"]
fn full() {
    let rounds = env::var("STARTXD_BENCH_ROUNDS").map_or(ROUNDS, |text| {
        text.parse().ok().filter(|&rounds| rounds > 0).expect("STARTXD_BENCH_ROUNDS is a number above 0")
    });
    let at = |name, usual| env::var(name).map_or(usual, |text| text.parse().expect("a number"));
    print(&report(&measure(rounds, at("STARTXD_BENCH_MANY", 20), at("STARTXD_BENCH_DISPLAYS", 50))));
}

/// The same with one round of few, and no thresholds, so that the benchmark cannot rot.
#[test]
fn every_number_is_obtained() {
    let values = measure(1, 2, 2);
    let plausible = |name: &str, range: std::ops::Range<f64>| {
        let value = median(&values[name]);
        assert!(range.contains(&value), "{name} is {value}, not within {range:?}");
    };
    for launcher in ["startxd", "xvfb-run"] {
        for number in ["1", "many"] {
            plausible(&format!("{launcher} ready {number}"), 1.0..15_000.0);
            plausible(&format!("{launcher} total {number}"), 1.0..15_000.0);
            plausible(&format!("{launcher} failed {number}"), 0.0..3.0);
        }
    }
    assert_eq!(values["startxd failed many"], [0.0]);
    plausible("fifty ready", 1.0..15_000.0);
    plausible("fifty memory", 0.1..20.0);
    plausible("fifty gone", 1.0..15_000.0);
    print(&report(&values));
}

fn measure(rounds: usize, many: usize, fifty: usize) -> Values {
    let guest = Guest::headless();
    guest.root("loginctl enable-linger ada; systemctl start user@1000").ok();
    guest.write_as("ada", "~/measure.py", MEASURE);
    let script = format!("python3 measure.py {rounds} {many} {fifty}");
    let said = guest.shell_as("ada", &script).deadline(secs(600)).run().ok().stdout;
    let mut values = Values::new();
    for line in said.lines() {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        values.entry(name.to_owned()).or_default().push(value.parse().unwrap_or_else(|_| panic!("no value: {line}")));
    }
    values
}

/// The table for docs/measurements.md.
fn report(values: &Values) -> String {
    let mut text =
        String::from("\n| startxd display run : xvfb-run -a | xvfb-run | startxd | ratio |\n|---|--:|--:|--:|\n");
    for (title, name) in [
        ("until the command runs, ms", "ready 1"),
        ("until all is over, ms", "total 1"),
        ("20 at once: until each command runs, ms", "ready many"),
        ("20 at once: until all are over, ms", "total many"),
    ] {
        let (theirs, ours) = (&values[&format!("xvfb-run {name}")], &values[&format!("startxd {name}")]);
        let ratio = median(ours) / median(theirs);
        let _ = writeln!(text, "| {title} | {} | {} | {ratio:.2} |", cell(theirs), cell(ours));
    }
    let failed = |launcher: &str| values[&format!("{launcher} failed many")].iter().sum::<f64>();
    let _ = writeln!(text, "| 20 at once: failed, of all rounds | {} | {} | |", failed("xvfb-run"), failed("startxd"));
    let _ = writeln!(text, "\n| fifty displays at once | |\n|---|--:|");
    let _ =
        writeln!(text, "| `startxd display start`, each until it is ready, ms | {} |", cell(&values["fifty ready"]));
    let _ = writeln!(text, "| memory of startxd for each (PSS) | {:.2} MB |", median(&values["fifty memory"]));
    let _ = writeln!(text, "| `startxd display stop --all`, ms | {} |", cell(&values["fifty gone"]));
    text
}

/// The median and the quartiles.
fn cell(values: &[f64]) -> String {
    format!("{:.0} ({:.0}–{:.0})", median(values), quantile(values, 1), quantile(values, 3))
}

fn median(values: &[f64]) -> f64 {
    quantile(values, 2)
}

/// The value at this many quarters of the way from the lowest to the highest.
fn quantile(values: &[f64], quarters: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len().saturating_sub(1) * quarters + 2) / 4).copied().unwrap_or(0.0)
}

#[expect(clippy::print_stdout, reason = "the report is what the benchmark is for; cargo test --nocapture shows it")]
fn print(text: &str) {
    println!("{text}");
}
