//! Steps that cases about sessions share: ada at her desk, what she does with startxd, and what is visible of it.
//!
//! A test program has `mod harness; mod scenario;`, and its cases begin with [`Desk::at_prompt`].
// Every test program compiles this module and uses a part of it.
#![allow(dead_code, unused_imports)]

mod desk;
mod environment;
mod look;
mod moments;
mod record;
mod screen;
mod units;

pub use desk::Desk;
pub use environment::{Environment, write_bus_services};
pub use look::Server;
pub use moments::moments;
pub use screen::Screen;

/// The argument of `startxd start` for a session with only a window manager.
pub const OPENBOX: &str = "-- openbox --sm-disable";
