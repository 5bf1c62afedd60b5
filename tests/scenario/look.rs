//! The server, and what is on the display.

use std::fs;

use super::Desk;
use crate::harness::{SOON, wait_until};

/// What `/proc` says about ada's one X server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its pid in the guest.
    pub pid: String,
    /// The program that it executes.
    pub exe: String,
    /// Real, effective, saved and file system uid.
    pub uids: String,
    /// The name of its controlling terminal.
    pub tty: String,
    /// Its control group.
    pub cgroup: String,
    /// Its command line.
    pub args: String,
}

impl Desk {
    /// Ada's X server, of which there must be exactly one.
    pub fn server(&self) -> Server {
        let servers = self.programs("ada", "Xorg");
        let [server] = &servers[..] else { panic!("{servers:?}") };
        let proc = self.outside(&format!("/proc/{}", server.pid));
        let status = fs::read_to_string(proc.join("status")).unwrap_or_default();
        let uids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
        Server {
            pid: server.pid.to_string(),
            exe: fs::read_link(proc.join("exe")).map(|exe| exe.display().to_string()).unwrap_or_default(),
            uids: uids.split_whitespace().collect::<Vec<_>>().join(" "),
            tty: server.vt.map(|number| format!("tty{number}")).unwrap_or_default(),
            cgroup: server.group.clone(),
            args: server.args.clone(),
        }
    }

    /// Waits until none of her servers runs, after a host was killed, and the prompt is there: a server that is still
    /// alive reads the keyboard and discards what is typed.
    pub fn server_is_gone(&self) {
        wait_until("the server to be gone", SOON, || match self.named("ada", "Xorg") {
            servers if servers.is_empty() => Ok(()),
            servers => Err(format!("{servers:?}")),
        });
        self.vt().wait_prompt(SOON);
    }

    /// Waits until ada has a process with that name.
    pub fn runs(&self, name: &str) {
        self.another("ada", name, "");
    }

    /// Waits until a program of the session sees a window whose name matches `pattern`.
    pub fn sees_window(&self, pattern: &str) {
        wait_until(&format!("a window named {pattern}"), SOON, || {
            let run = self.with_display(&format!("xdotool search --name '{pattern}'"));
            if run.stdout.trim().is_empty() { Err(run.to_string()) } else { Ok(()) }
        });
    }
}
