//! Many at once.

use std::collections::BTreeSet;

use crate::displays::place::{Place, lingers};
use crate::harness::secs;

/// As many as a test has time for; the benchmark has fifty.
const MANY: usize = 20;

#[test]
fn many_are_started_at_once_and_stopped() {
    let place = Place::new();
    let script = format!("for i in $(seq {MANY}); do startxd display start & done; wait");
    let started = place.shell_as("ada", &script).deadline(secs(120)).run().ok();
    let numbers: BTreeSet<&str> = started.stdout.lines().collect();
    assert_eq!(numbers.len(), MANY, "{started}");
    let list = place.user("ada", "startxd display list").ok().stdout;
    assert_eq!(list.matches(" ready ").count(), MANY, "{list}");
    place.shell_as("ada", "startxd display stop --all").deadline(secs(60)).run().ok();
    place.is_clean();
}

#[test]
fn commands_of_two_users_at_once_never_share_a_number() {
    let place = Place::new();
    lingers(&place, "eve");
    let script = "for i in $(seq 8); do startxd display run -- sh -c 'echo $DISPLAY; xdpyinfo > /dev/null && sleep 1' & done; wait";
    let (ada, eve) = (place.spawn("ada", script), place.spawn("eve", script));
    let (ada, eve) = (ada.wait(secs(60)).ok(), eve.wait(secs(60)).ok());
    let numbers: BTreeSet<&str> = ada.stdout.lines().chain(eve.stdout.lines()).collect();
    assert_eq!(numbers.len(), 16, "{ada}\n{eve}");
    place.is_clean();
}
