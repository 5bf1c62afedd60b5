//! Displays without a screen, with the real servers, in guests without virtual terminals.

#[path = "../harness/mod.rs"]
mod harness;

mod place;
mod run;
