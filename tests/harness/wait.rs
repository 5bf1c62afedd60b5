//! Waiting for something observable, with a deadline.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Polls `probe` until it returns `Ok`, and returns that.
///
/// `Err` is the current state, for whoever reads the failure. The pause between two looks grows from 1 to 4 ms.
///
/// # Panics
/// After `deadline`, naming `what` and the last state seen.
pub fn wait_until<T>(what: &str, deadline: Duration, mut probe: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        match probe() {
            Ok(value) => return value,
            Err(last) => assert!(
                start.elapsed() < deadline,
                "waited {:.1} s for {what}; last seen: {last}",
                start.elapsed().as_secs_f32()
            ),
        }
        sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(4));
    }
}

/// [`wait_until`] for a condition without a value: `state` is printed if it does not become true.
///
/// # Panics
/// After `deadline`, as `wait_until` does.
pub fn wait_for(
    what: &str,
    deadline: Duration,
    mut condition: impl FnMut() -> bool,
    mut state: impl FnMut() -> String,
) {
    wait_until(what, deadline, || if condition() { Ok(()) } else { Err(state()) });
}

/// Seconds, for readable deadlines.
#[must_use]
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
