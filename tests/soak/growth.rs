//! Telling growth from noise.
//!
//! An absolute limit would be wrong in both directions: each of these programs takes memory while it warms up, and
//! keeps it; and a leak of one descriptor in ten sessions stays below any limit that noise does not exceed. So the
//! *shape* counts. The run is cut into thirds. The first is ignored: caches fill, and hash tables and heaps reach their
//! size. From then on what does not leak is level, and a leak rises by the same amount in each third. So growth is the
//! difference between the medians of the last third and the middle one, as far as it exceeds
//!
//! - the spread of the middle third (between its quartiles): a value that varies by that much anyway has not grown. A
//!   steady leak spreads its own third by half of its growth from one third to the next, so this does not hide it;
//! - a grain, below which nothing can be said: two for counts, as a unit or a process may be ending when it is counted;
//!   and for memory 256 KiB, twice the amount by which glibc's malloc extends a heap (`M_TOP_PAD`, mallopt(3)), as the
//!   short run is over before the heaps have reached their size.
//!
//! The full run finds a leak of one thing in 80 sessions, or of 1.5 KiB per session.

use crate::measure::{Measures, Quantity};
use crate::statistics::quantile;

/// A quantity over time.
#[derive(Debug)]
pub struct Series {
    values: Vec<f64>,
    /// Sessions from one value to the next.
    every: usize,
    grain: f64,
}

impl Series {
    /// The values of a quantity.
    pub fn of(measures: &[Measures], quantity: Quantity, every: usize) -> Self {
        let value = |measures: &Measures| measures.iter().find(|(one, _)| *one == quantity).map(|(_, value)| *value);
        Self { values: measures.iter().filter_map(value).collect(), every, grain: quantity.grain() }
    }

    /// The last one.
    pub fn last(&self) -> Option<f64> {
        self.values.last().copied()
    }

    /// The growth from the middle third to the last, per session.
    pub fn slope(&self) -> f64 {
        let [_, middle, last] = self.thirds();
        let sessions = (self.values.len() / 3 * self.every).max(1);
        (quantile(last, 0.5) - quantile(middle, 0.5)) / sessions as f64
    }

    /// Why it is more than noise, or `None` if it is not.
    pub fn grows(&self) -> Option<String> {
        let [first, middle, last] = self.thirds();
        let spread = quantile(middle, 0.75) - quantile(middle, 0.25);
        let medians = [first, middle, last].map(|third| quantile(third, 0.5));
        let growth = medians[2] - medians[1];
        (growth > spread + self.grain).then(|| format!("medians of the thirds {medians:?}, spread {spread}"))
    }

    /// The last two have the same length.
    fn thirds(&self) -> [&[f64]; 3] {
        let third = self.values.len() / 3;
        let (rest, last) = self.values.split_at(self.values.len() - third);
        let (first, middle) = rest.split_at(rest.len() - third);
        [first, middle, last]
    }
}

#[test]
fn leaks_grow_and_noise_does_not() {
    let series =
        |grain: f64, value: &dyn Fn(usize) -> f64| Series { values: (0..100).map(value).collect(), every: 10, grain };
    let noise = |n: usize| (n * 7919 % 13) as f64;
    // Over 1000 sessions: level, warming up in the first third, up and down, one late step, going down.
    let level: [&dyn Fn(usize) -> f64; 5] = [
        &|_| 40.0,
        &|n| 40.0 + 30.0 * (n.min(30) as f64),
        &|n| 40.0 + noise(n),
        &|n| if n > 90 { 50.0 } else { 40.0 },
        &|n| 400.0 - n as f64,
    ];
    for (number, value) in level.iter().enumerate() {
        assert_eq!(series(2.0, *value).grows(), None, "{number}");
    }
    // One per session, one in fifty, and one in ten with noise.
    let leaks: [&dyn Fn(usize) -> f64; 3] =
        [&|n| 40.0 + 10.0 * n as f64, &|n| 40.0 + (n / 5) as f64, &|n| 40.0 + n as f64 + noise(n)];
    for (number, value) in leaks.iter().enumerate() {
        assert!(series(2.0, *value).grows().is_some(), "{number}");
    }
    assert!((series(2.0, leaks[0]).slope() - 1.0).abs() < 0.05);
    // Memory, in KiB: two per session, and a heap that is extended once.
    assert!(series(256.0, &|n| 5000.0 + 20.0 * n as f64).grows().is_some());
    assert_eq!(series(256.0, &|n| if n > 60 { 5132.0 } else { 5000.0 }).slope(), 0.4);
    assert_eq!(series(256.0, &|n| if n > 60 { 5132.0 } else { 5000.0 }).grows(), None);
}
