//! `startxd repair`, for `startxd-repair.service` only.

use super::exit::Exit;
use crate::host::repair;
use crate::runtime_dir::RuntimeDir;

/// Ends what is left of a session whose host is dead; leaves one alone whose host lives.
pub async fn run(runtime: &RuntimeDir) -> Exit {
    repair::clean_up(runtime, &super::configuration().deadlines).await;
    Exit::Success
}
