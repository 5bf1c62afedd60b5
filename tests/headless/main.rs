//! Cases that need no virtual terminals, in guests that have none: such a guest runs beside any other.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../hostile/mod.rs"]
mod hostile;
#[path = "../pages/mod.rs"]
mod pages;

mod autostart;
mod completions;
mod configuration;
mod displays;
mod guest;
mod image;
mod multiplexers;
mod neighbours;
mod package;
mod recipes;
mod remedies;
mod seat;
mod window_manager;
