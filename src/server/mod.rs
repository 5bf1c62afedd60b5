//! One X server: its process, what it prints, whether it answers, and its end. For whoever has one: the host, which forks
//! it; the supervisor of the main display, which has only a descriptor of it; and those of displays without a screen, which
//! do both.

mod handshake;
pub mod lines;
mod process;
mod relay;
mod supervised;

pub use handshake::{NotReady, handshake};
pub use process::{Process, Server, environment};
pub use relay::{Out, Relay, with_last_lines};
pub use supervised::Supervised;
