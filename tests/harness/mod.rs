//! Boots a real Debian in namespaces and drives it: `tests/README.md` says how, `tests/terminal/smoke.rs` shows it.
//!
//! ```ignore
//! mod harness;
//! use harness::Guest;
//!
//! #[test]
//! fn says_where_it_is() {
//!     let mut guest = Guest::get();
//!     let login = guest.at_prompt();
//!     login.vt.type_line("tty");
//!     login.vt.wait_text("/dev/tty1", harness::SOON);
//!     guest.assert_clean();
//! }
//! ```
// Every test program compiles this module and uses a part of it.
#![allow(dead_code, unused_imports)]

mod bus;
mod case;
mod clean;
mod command;
mod guest;
mod inside;
mod login;
mod logind;
mod manager;
mod polkit;
mod process;
mod report;
mod seat;
mod snapshot;
mod sys;
mod vt;
mod wait;

pub use case::{Case, SOON};
pub use command::{Background, Run, Shell};
pub use guest::{Guest, Options};
pub use login::{Autologin, Login};
pub use logind::Session;
pub use manager::{Manager, Unit};
pub use process::Process;
pub use snapshot::{Difference, Snapshot};
pub use sys::start_bound;
pub use vt::{Mode, Vt, active_vt};
pub use wait::{secs, wait_for, wait_until};
