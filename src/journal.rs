//! What a unit's program has said, by journalctl(1).

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::subprocess::{self, Streams};

/// The last `lines` lines that the processes of a user unit of ours have written since then, as they wrote them, and nothing
/// that the manager says of it. `pid` is its last main process. Empty if there are none, if we may not read them, and at
/// `deadline`.
///
/// A race: journald finds a line's unit by its process. One that exits at once may be gone by then, and its lines have no unit,
/// but the number of the process, which journald has from its socket. So journalctl's own `-u` does not find them.
pub async fn last(unit: &str, pid: u32, lines: usize, since: SystemTime, deadline: Instant) -> Vec<u8> {
    let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut command = Command::new("journalctl");
    command.args(["--boot", "--quiet", "--output=cat"]);
    command.arg(format!("--lines={lines}")).arg(format!("--since=@{}.{:06}", since.as_secs(), since.subsec_micros()));
    // Whoever may read everything would see the same unit of others, too.
    let uid = format!("_UID={}", nix::unistd::geteuid());
    command.arg(format!("_SYSTEMD_USER_UNIT={unit}")).arg(&uid);
    if pid != 0 {
        command.arg("+").arg(format!("_PID={pid}")).arg(&uid);
    }
    let output = subprocess::run(command, Streams::Output, deadline).await;
    output.map(|output| output.said).unwrap_or_default()
}
