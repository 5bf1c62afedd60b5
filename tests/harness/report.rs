//! What a person needs to see when a case has failed.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::guest::Guest;
use super::wait::secs;

/// A part of the report may take this long: the guest may be in a bad state.
const PART: Duration = secs(5);

/// The user, the title, and the command.
const PARTS: &[(Option<&str>, &str, &str)] = &[
    (None, "sessions", "loginctl list-sessions; loginctl --no-ask-password seat-status seat0 | head -40"),
    (None, "failed units", "systemctl --failed --plain; systemctl list-jobs"),
    (None, "processes of users", "ps -eo user:8,pid,ppid,tty,stat,cgroup:80,args | grep -E '^(USER|ada|eve)'"),
    (
        Some("ada"),
        "user manager of ada",
        "systemctl --user --no-pager status 2>&1 | head -80; systemctl --user --failed --plain",
    ),
    (Some("ada"), "jobs and environment of ada", "systemctl --user list-jobs; systemctl --user show-environment"),
    (None, "runtime directory", "ls -lRA /run/user/1000/startxd /tmp/.X11-unix 2>&1; ls -ld /tmp/.X*"),
    (
        None,
        "X server log",
        "for f in /home/*/.local/share/xorg/Xorg.*.log; do [ -e $f ] && echo $f && tail -n 60 $f; done",
    ),
];

impl Guest {
    /// Everything of interest about the guest, with the journal since `since`. Never panics, and never takes long.
    #[must_use]
    pub fn report(&self, since: SystemTime) -> String {
        let mut text = format!("======== the guest ({}) ========\n", self.suite());
        if !self.is_alive() {
            let _ = writeln!(text, "its pid 1 has ended\n-------- boot log\n{}", self.boot_log());
            return text;
        }
        for number in (1..=9).filter(|n| self.vt(*n).exists()) {
            let _ = write!(text, "{}", self.vt(number));
        }
        for (user, title, script) in PARTS {
            let _ = writeln!(text, "-------- {title}\n{}", self.part(*user, script));
        }
        let _ = writeln!(text, "-------- journal\n{}", self.journal_since(since, "-o short-precise"));
        text
    }

    /// The journal of system and users since `since`, with `options` of `journalctl(1)`.
    #[must_use]
    pub fn journal_since(&self, since: SystemTime, options: &str) -> String {
        let since = since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        self.part(None, &format!("journalctl --no-pager --no-hostname -q --since=@{since:.6} {options}"))
    }

    /// The output of a command, whatever it returns.
    fn part(&self, user: Option<&str>, script: &str) -> String {
        let shell = match user {
            Some(user) => self.shell_as(user, &format!("{{ {script}\n}} 2>&1")),
            None => self.shell(&format!("{{ {script}\n}} 2>&1")),
        };
        shell.deadline(PART).try_run().unwrap_or_else(|problem| format!("({problem})"))
    }
}
