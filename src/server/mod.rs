//! One X server: its process, its output, whether it answers, and its end. Used by all that have a server: the host,
//! which forks it; the supervisor of the main display, which has only its pidfd; and the supervisors of displays
//! without a screen, which do both.

mod handshake;
pub mod lines;
mod process;
mod relay;
mod supervised;

pub use handshake::{NotReady, handshake};
pub use process::{Process, Server, environment};
pub use relay::{Out, Relay, with_last_lines};
pub use supervised::Supervised;
