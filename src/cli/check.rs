//! `startxd check`.

use std::io::Write;

use super::exit::Exit;
use crate::host::checks::{self, Background, Refusal};

/// `check may-start`: the answer is the exit status, and with `--verbose` a sentence as well.
pub async fn may_start(activate: bool, verbose: bool) -> Exit {
    let background = if activate { Background::Accept } else { Background::Wait };
    match checks::may_start(&super::configuration().deadlines, background).await {
        Ok(clearance) => {
            if verbose {
                let (session, seat) = (clearance.session.id, clearance.seat);
                let _ = writeln!(std::io::stdout(), "a session may start: session {session} on {seat}");
            }
            Exit::Success
        }
        Err(refusal) => {
            if verbose {
                let _ = writeln!(std::io::stderr(), "startxd: {refusal}");
            } else if let Refusal::NotActive { vt, .. } = refusal {
                // Only an automatic login can happen in the background. Without this line, whoever switches to it later
                // would find a prompt instead of a desktop, and no reason.
                let why = format!("tty{vt} was in the background at this login, so it starts no session");
                let _ = writeln!(std::io::stderr(), "startxd: {why}; to start one: startxd start");
            }
            Exit::from(&refusal)
        }
    }
}
