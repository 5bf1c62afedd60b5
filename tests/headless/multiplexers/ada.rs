//! ada, whose machine has no screen.

use std::ops::{Deref, DerefMut};

use crate::harness::{Background, Case, Guest, Run, SOON, wait_until};

/// A guest, and what its cases do as ada.
pub struct Ada(Case);

impl Ada {
    /// The shared guest, with ada's user manager up as after a login.
    pub fn new() -> Self {
        let case = Guest::headless();
        // A screen that an earlier case killed leaves its socket outside of her home, and `screen -ls` counts that.
        case.root("rm -f /run/screen/S-ada/*").ok();
        case.start_manager("ada");
        Self(case)
    }

    /// In a guest of its own.
    pub fn in_guest(case: Case) -> Self {
        case.start_manager("ada");
        Self(case)
    }

    /// Runs a command as ada.
    pub fn does(&self, script: &str) -> Run {
        self.user("ada", script)
    }

    /// The output of one of her commands.
    pub fn says(&self, script: &str) -> String {
        self.does(script).text()
    }

    /// A property of one of her units.
    pub fn unit(&self, unit: &str, property: &str) -> String {
        self.manager("ada").property(unit, property)
    }

    /// Waits until one of her commands prints exactly this.
    pub fn becomes(&self, script: &str, expected: &str) {
        wait_until(&format!("{script} to say {expected:?}"), SOON, || {
            let run = self.does(script);
            if run.stdout.trim() == expected { Ok(()) } else { Err(run.to_string()) }
        });
    }

    /// The unit, scope or service, whose control group contains the process.
    pub fn unit_of(&self, pid: &str) -> String {
        self.says(&format!("sed -n 's,^0::.*/,,p' /proc/{pid}/cgroup"))
    }

    /// What ada has set up: her units' links, lingering, and startxd's own records of it.
    pub fn settings(&self) -> String {
        self.root(
            "cd /home/ada; find .config .local/state/startxd -type l -o -type f | sort; ls /var/lib/systemd/linger",
        )
        .stdout
    }

    /// Lets ada log in by ssh on her own machine. Some time after a login logind ends the user manager, even one that a
    /// later case has started, so there is none in this guest.
    pub fn has_ssh(&mut self) {
        self.discard();
        self.root("mkdir -p /run/sshd; systemctl start ssh").ok();
        let key = "mkdir -pm 700 .ssh; ssh-keygen -qt ed25519 -N '' -f .ssh/id_ed25519; \
            cp .ssh/id_ed25519.pub .ssh/authorized_keys; echo 'StrictHostKeyChecking no' > .ssh/config";
        self.does(key).ok();
    }

    /// Logs in by ssh on a terminal, and runs a command there. Nothing is typed, and the terminal remains.
    pub fn on_terminal(&self, command: &str) -> Background {
        // It must not end with the pipe.
        let script = format!("exec 3> >(ssh -tt localhost '{command}' 2>&1; echo \"status $?\"); sleep infinity");
        self.shell_as("ada", &script).env("TERM", "xterm").spawn()
    }
}

impl Deref for Ada {
    type Target = Case;

    fn deref(&self) -> &Case {
        &self.0
    }
}

impl DerefMut for Ada {
    fn deref_mut(&mut self) -> &mut Case {
        &mut self.0
    }
}
