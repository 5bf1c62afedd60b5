//! One start and one end, after which nothing may be left.

use crate::harness::{SOON, secs};
use crate::scenario::Desk;

/// A window manager that needs nothing.
pub const SESSION: &str = "-- openbox --sm-disable";

/// Runs the `number`th. `thorough` compares everything of ada's with the baseline, which takes longer than a cycle.
pub fn run(desk: &Desk, number: usize, thorough: bool) {
    desk.starts(SESSION);
    if number.is_multiple_of(2) {
        desk.quits_openbox();
    } else {
        desk.shell_as("ada", "startxd stop").deadline(SOON).run().ok();
    }
    if thorough {
        desk.ended(0);
    } else {
        desk.comes_back(0, secs(4));
    }
}
