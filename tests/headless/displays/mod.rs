//! Displays without a screen, with the real servers, in guests without virtual terminals.

mod faults;
mod many;
mod neighbours;
pub mod place;
mod refusals;
mod run;
mod servers;
mod sessions;
