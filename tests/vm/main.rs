//! Sessions in virtual machines: a kernel of their own, a display with modes to set, keyboards, sleep, memory that runs
//! out. One machine at a time; `tests/README.md` says how.
//!
//! This is what users have and the guests lack. Cases start with a desktop, from a snapshot of the first boot. The
//! longer ones are `#[ignore]`d; `make vm-check` runs them, too.

#[path = "../harness/mod.rs"]
mod harness;
mod machine;

mod crash;
mod desktop;
mod devices;
mod look;
mod memory;
mod sleep;
mod soak;
mod switching;
mod typing;
mod ways_in;
