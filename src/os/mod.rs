//! Thin wrappers for system calls that no safe crate offers: the only module with `unsafe` code.
//!
//! Everything here is small, does one thing, and has a safe signature.

#![allow(unsafe_code)]

mod fds;
mod gate;
mod janitor;
mod pidfd;
mod priority;
mod process;
mod reaper;
mod signals;
mod spawn;
pub mod unix_sockets;
mod vt;
mod window;
mod witness;

pub use fds::{inherited_listeners, receive, received_fd, watch};
pub use gate::{Command, Held, hold};
pub use janitor::{Janitor, janitor};
pub use pidfd::{pidfd_open, pidfd_signal};
pub use priority::io_priority;
pub use process::{
    Ending, began, controlling_vt, ignore_job_control, is_exiting, processes, stat, state, status, vt_of_stat,
};
pub use reaper::{Reaper, end_descendants, reaper, status as exit_status};
pub use signals::{ReceivedSignal, TakenSignals};
pub use spawn::{Image, spawn};
pub use vt::{DisplayMode, VtMode, activate, display_mode};
pub use window::window_size;

pub use nix::unistd::Pid;
