//! `make bench`: startxd beside xinit and startx, in one guest, in alternating rounds.
//!
//! - *start*: from the moment before the shell on tty1 forks the launcher, to *a window manager manages the display*:
//!   the root window's `_NET_SUPPORTING_WM_CHECK` names a window that names itself (EWMH). The first stamp is the
//!   shell's own `$EPOCHREALTIME`, the second is taken here when the server's PropertyNotify comes ([`observer`]): one
//!   kernel, one clock.
//! - *end*: from *quit*, the message or signal after which the window manager exits with 0 by itself ([`contestants`]),
//!   to *prompt back*: the shell has the launcher's exit status.
//! - *first login*: like *start*, in a login with a new user manager; from the profile's line.
//! - for startxd also its memory, processor time and size ([`cost`]), and what a start and an end spend their time on
//!   ([`timeline`]).
//!
//! All three launchers run the same server binary, with the same arguments as far as the launcher allows, and the same
//! window manager with the same configuration. A round of each is discarded, so that everything is in the page cache.
//! `STARTXD_BENCH_ROUNDS` is the number of rounds, 15 if unset.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../statistics/mod.rs"]
mod statistics;

mod contestants;
mod cost;
mod lock;
mod observer;
mod round;
mod table;
mod timeline;

use std::env;

use contestants::{Launcher, WindowManager};
use harness::{Guest, Login};
use round::{Rounds, Sample};

/// Enough for a median on a machine that does other things too.
const ROUNDS: usize = 15;

#[test]
#[ignore = "takes minutes; make bench runs it"]
fn full() {
    let rounds = env::var("STARTXD_BENCH_ROUNDS").map_or(ROUNDS, |text| {
        text.parse().ok().filter(|&rounds| rounds > 0).expect("STARTXD_BENCH_ROUNDS is a number above 0")
    });
    let mut guest = Guest::get();
    let mut login = contestants::prepare(&mut guest);
    let mut results = Vec::new();
    for wm in WindowManager::ALL {
        results.push((wm, measure(&guest, &login, wm, 1, rounds)));
    }
    let facts = table::Facts::of(&guest);
    let first = measure_first_logins(&guest, &mut login, WindowManager::Openbox, 1, rounds);
    let locks = lock::measure(&guest, &login, 1, rounds);
    print(&table::report(&facts, &results, &first, &locks));
}

/// The same with one round of one window manager and no thresholds, so that the benchmark cannot rot.
#[test]
fn every_number_is_obtained() {
    let mut guest = Guest::get();
    let mut login = contestants::prepare(&mut guest);
    let rounds = measure(&guest, &login, WindowManager::Openbox, 0, 1);
    let plausible = |what: &str, value: f64, range: std::ops::Range<f64>| {
        assert!(range.contains(&value), "{what} is {value}, not within {range:?}");
    };
    for (launcher, samples) in rounds.by_launcher() {
        let [Sample { start, end, answered, parts, .. }] = samples else {
            panic!("{launcher:?}: one round is one sample")
        };
        plausible("the start in ms", *start, 1.0..15_000.0);
        plausible("the server's answer in ms", *answered, 1.0..*start);
        plausible("the end in ms", *end, 0.1..15_000.0);
        plausible("the login session's processor time in ms", parts[0], 1.0..15_000.0);
    }
    let [sample] = rounds.of(Launcher::Startxd) else { panic!("one round is one sample") };
    let cost = sample.cost.as_ref().expect("startxd's cost is measured");
    plausible("the host's processor time in ms", cost.host_cpu, 0.1..1000.0);
    plausible("the supervisor's processor time in ms", cost.supervisor_cpu, 0.1..1000.0);
    plausible("the memory in MB", cost.memory, 0.1..100.0);
    assert!(sample.timeline.len() > 5, "{:?}", sample.timeline);
    assert!(sample.end_timeline.len() > 5, "{:?}", sample.end_timeline);
    let facts = table::Facts::of(&guest);
    let first = measure_first_logins(&guest, &mut login, WindowManager::Openbox, 0, 1);
    for value in first.1.iter().flatten() {
        plausible("a first login in ms", *value, 1.0..15_000.0);
    }
    let locks = lock::measure(&guest, &login, 0, 1);
    for value in locks.iter().flatten() {
        plausible("a lock in ms", *value, 1.0..15_000.0);
    }
    let report = table::report(&facts, &[(WindowManager::Openbox, rounds)], &first, &locks);
    assert!(report.contains("| openbox |"), "{report}");
    print(&report);
}

/// Rounds of every launcher in turn; the first `discarded` of each are dropped.
fn measure(guest: &Guest, login: &Login, wm: WindowManager, discarded: usize, rounds: usize) -> Rounds {
    let mut result = Rounds::default();
    for number in 0..discarded + rounds {
        for launcher in Launcher::ALL {
            let sample = round::run(guest, login, launcher, wm);
            if number >= discarded {
                result.add(launcher, sample);
            }
        }
    }
    result
}

/// First logins by every launcher in turn; the first `discarded` of each are dropped.
fn measure_first_logins(
    guest: &Guest,
    login: &mut Login,
    wm: WindowManager,
    discarded: usize,
    rounds: usize,
) -> table::FirstLogins {
    let mut values = Launcher::ALL.map(|_| Vec::new());
    for number in 0..discarded + rounds {
        for launcher in Launcher::ALL {
            let value = round::first_login(guest, login, launcher, wm);
            if number >= discarded {
                values[launcher as usize].push(value);
            }
        }
    }
    (wm, values)
}

#[expect(clippy::print_stdout, reason = "the report is what the benchmark is for; cargo test --nocapture shows it")]
fn print(text: &str) {
    println!("{text}");
}
