//! `startxd repair`, for `startxd-repair.service` only.

use super::exit::Exit;
use crate::host::repair;
use crate::runtime_dir::RuntimeDir;

/// Ends what is left of a session if its host is dead, or dies while it ends a session that closes its login. Leaves a
/// session alone if its host lives.
pub async fn run(runtime: &RuntimeDir) -> Exit {
    repair::clean_up_after_supervisor(runtime, &super::configuration().deadlines).await;
    Exit::Success
}
