//! `startxd repair`, for `startxd-repair.service` only.

use super::exit::Exit;
use crate::host::repair;
use crate::runtime_dir::RuntimeDir;

/// Ends what is left of a session whose host is dead, or dies while it ends one that closes its login; leaves one alone whose
/// host lives.
pub async fn run(runtime: &RuntimeDir) -> Exit {
    repair::clean_up_after_supervisor(runtime, &super::configuration().deadlines).await;
    Exit::Success
}
