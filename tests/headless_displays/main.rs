//! Displays without a screen, with the real servers, in guests without virtual terminals.

#[path = "../harness/mod.rs"]
mod harness;

mod faults;
mod many;
mod neighbours;
mod place;
mod refusals;
mod run;
mod servers;
