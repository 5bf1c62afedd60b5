//! `make soak`: a thousand starts and ends in one boot, then two hundred crashes at random moments, and what grows
//! because of them.
//!
//! - *Cycles* ([`cycle`]): start, a window manager manages the display, end; by `startxd stop` and by the window
//!   manager's own exit in turn.
//! - *Crashes* ([`crash`]): one or several of host, supervisor, server and window manager are killed at a random
//!   millisecond of the start, of the session or of its end. Then the next start must work, and end clean.
//! - *Measures* ([`measure`]): what the guest's managers, buses and logind hold, at intervals, after a session has
//!   ended. [`growth`] tells growth from noise, and fails if there is growth.
//!
//! `STARTXD_SOAK_CYCLES` and `STARTXD_SOAK_CRASHES` set the numbers; `STARTXD_SOAK_SEED` sets the random seed, which is
//! printed. The same seed makes the same choices, but processes need not do the same in a given millisecond.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../scenario/mod.rs"]
mod scenario;
#[path = "../statistics/mod.rs"]
mod statistics;

mod crash;
mod cycle;
mod growth;
mod measure;

use std::env;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crash::Chance;
use growth::Series;
use measure::Measures;
use scenario::Desk;

/// The length of a run.
struct Length {
    cycles: usize,
    crashes: usize,
    /// Cycles between two measurements.
    every: usize,
    seed: u64,
}

#[test]
#[ignore = "takes a quarter of an hour; make soak runs it"]
fn full() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let number = |name: &str, default: u64| {
        let given = env::var(name).ok();
        given.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    let count = |name, default| usize::try_from(number(name, default)).unwrap_or(usize::MAX);
    soak(&Length {
        cycles: count("STARTXD_SOAK_CYCLES", 1000),
        crashes: count("STARTXD_SOAK_CRASHES", 200),
        every: 10,
        seed: number("STARTXD_SOAK_SEED", now),
    });
}

/// The same in seconds, with a fixed seed, for every suite.
#[test]
fn short() {
    soak(&Length { cycles: 25, crashes: 10, every: 1, seed: 11 });
}

fn soak(length: &Length) {
    say(&format!("soak: {} cycles, {} crashes, STARTXD_SOAK_SEED={}", length.cycles, length.crashes, length.seed));
    let desk = Desk::at_prompt();
    let before = measure::all(&desk);

    let begun = Instant::now();
    let mut cycles = Vec::new();
    for number in 1..=length.cycles {
        let measured = number % length.every == 0;
        cycle::run(&desk, number, measured);
        if measured {
            cycles.push(measure::all(&desk));
        }
    }
    let cycles_took = begun.elapsed();

    let begun = Instant::now();
    let mut chance = Chance::from(length.seed);
    let (mut crashes, mut hit) = (Vec::new(), 0);
    for number in 1..=length.crashes {
        let plan = chance.plan();
        // Captured by libtest, and shown if this is the last one.
        say(&format!("crash {number}: {plan}"));
        let killed = crash::run(&desk, &plan);
        say(&format!("crash {number}: killed {killed:?}"));
        hit += usize::from(!killed.is_empty());
        crashes.push(measure::all(&desk));
    }
    assert!(2 * hit > length.crashes, "only {hit} of {} crashes hit anybody", length.crashes);
    report(&desk, &before, [&cycles, &crashes], [cycles_took, begun.elapsed()], length, hit);
}

/// Prints the table, and fails if something grows.
fn report(desk: &Desk, before: &Measures, series: [&[Measures]; 2], took: [Duration; 2], length: &Length, hit: usize) {
    let facts =
        "sed -n 's/^PRETTY_NAME=\"\\(.*\\)\"$/\\1/p' /etc/os-release; systemctl --version | head -n 1; date +%F";
    let facts = desk.root(facts).text().replace('\n', ", ");
    let each = |took: Duration, count: usize| took.as_millis() / count.max(1) as u128;
    let mut text = format!(
        "\n{facts}: {} cycles of {} ms, {} crashes ({hit} hit somebody) of {} ms, seed {}\n\n",
        length.cycles,
        each(took[0], length.cycles),
        length.crashes,
        each(took[1], length.crashes),
        length.seed
    );
    text += &format!(
        "| | before | after {} cycles | after {} crashes | growth for 100 cycles | for 100 crashes |\n|---|--:|--:|--:|--:|--:|\n",
        length.cycles, length.crashes
    );
    let mut grown = Vec::new();
    for (quantity, value) in before {
        let rows = [(series[0], length.every), (series[1], 1)];
        let rows = rows.map(|(measures, every)| Series::of(measures, *quantity, every));
        let after = rows.each_ref().map(|row| quantity.show(row.last().unwrap_or(*value)));
        let slopes = rows.each_ref().map(|row| format!("{:+.1}", 100.0 * row.slope()));
        text += &format!(
            "| {} | {} | {} | {} |\n",
            quantity.name(),
            quantity.show(*value),
            after.join(" | "),
            slopes.join(" | ")
        );
        for (row, of) in rows.iter().zip(["cycles", "crashes"]) {
            if let Some(why) = row.grows() {
                grown.push(format!("{} grows with the {of}: {why}", quantity.name()));
            }
        }
    }
    say(&text);
    assert!(grown.is_empty(), "{}\n{text}", grown.join("\n"));
}

#[expect(clippy::print_stdout, reason = "what it is for; captured where it is a test among others")]
fn say(text: &str) {
    println!("{text}");
}
