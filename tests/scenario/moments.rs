//! Moments at which something is disturbed.

use std::time::Duration;

/// The moments of `whole` milliseconds, every `STARTXD_SWEEP` of them, 40 if that is not set.
pub fn moments(whole: u64) -> impl Iterator<Item = Duration> {
    let step = std::env::var("STARTXD_SWEEP").ok().and_then(|step| step.parse().ok()).unwrap_or(40);
    (0..whole).step_by(step).map(Duration::from_millis)
}
