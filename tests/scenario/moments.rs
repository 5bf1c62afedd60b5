//! Moments at which a case disturbs something.

use std::time::Duration;

/// Moments within `whole` milliseconds, `STARTXD_SWEEP` ms apart, or 40 if that is unset.
pub fn moments(whole: u64) -> impl Iterator<Item = Duration> {
    let step = std::env::var("STARTXD_SWEEP").ok().and_then(|step| step.parse().ok()).unwrap_or(40);
    (0..whole).step_by(step).map(Duration::from_millis)
}
