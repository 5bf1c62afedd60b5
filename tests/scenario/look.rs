//! Looking at the server and at what is on the display.

use super::Desk;
use crate::harness::{SOON, wait_until};

/// What `/proc` says of the one X server of ada's.
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

const SERVER: &str = r"
for pid in $(pgrep -u ada -x 'Xorg'); do
    echo $pid
    readlink /proc/$pid/exe
    awk '/^Uid:/ { print $2, $3, $4, $5 }' /proc/$pid/status
    ps -o tty= -p $pid
    sed -n 's/^0:://p' /proc/$pid/cgroup
    tr '\0' ' ' < /proc/$pid/cmdline; echo
done
";

impl Desk {
    /// The X server of ada's, of which there must be one.
    pub fn server(&self) -> Server {
        let text = self.root(SERVER).text();
        let lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
        let [pid, exe, uids, tty, cgroup, args] = lines.try_into().unwrap_or_else(|lines| panic!("{lines:?}"));
        Server { pid, exe, uids, tty, cgroup, args }
    }

    /// Waits until no server of hers runs, after a host that was killed, and the prompt is there: a server that lives has
    /// the keyboard, and drains the terminal of what is typed.
    pub fn server_is_gone(&self) {
        wait_until("the server to be gone", SOON, || {
            let run = self.root("pgrep -u ada -x Xorg");
            if run.status.success() { Err(run.to_string()) } else { Ok(()) }
        });
        self.vt().wait_prompt(SOON);
    }

    /// Waits until a process of ada's has that name.
    pub fn runs(&self, name: &str) {
        wait_until(&format!("a process {name} of ada's"), SOON, || {
            let run = self.root(&format!("pgrep -u ada -x {name} || ps -u ada -o pid,args"));
            if run.stdout.contains("PID") { Err(run.stdout) } else { Ok(()) }
        });
    }

    /// Waits until a program of the session sees a window whose name matches `pattern`.
    pub fn sees_window(&self, pattern: &str) {
        wait_until(&format!("a window named {pattern}"), SOON, || {
            let run = self.with_display(&format!("xdotool search --name '{pattern}'"));
            if run.stdout.trim().is_empty() { Err(run.to_string()) } else { Ok(()) }
        });
    }
}
