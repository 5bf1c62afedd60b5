//! Displays without a screen, with the real servers, in guests without virtual terminals.

mod container;
mod faults;
mod many;
mod neighbours;
pub mod place;
mod refusals;
mod run;
mod servers;
mod sessions;
