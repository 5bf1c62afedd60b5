//! One X server: its process, what it prints, and its end. For whoever has one: the host, the supervisor of the main
//! display, and those of displays without a screen.

pub mod lines;
mod process;
pub mod relay;

pub use process::{Server, environment};
