//! What the cases share: ada's user manager, without a login.

use std::ops::{Deref, DerefMut};

use crate::harness::{Case, Difference, Guest, Run, SOON, Snapshot, wait_until};

/// A case in which ada's user manager runs by lingering.
pub struct Place {
    case: Case,
    before: Snapshot,
}

impl Place {
    /// With nothing of hers except the manager and its bus.
    pub fn new() -> Self {
        let case = Guest::headless();
        lingers(&case, "ada");
        let before = case.snapshot();
        Self { case, before }
    }

    /// Runs a script as ada that prints one line, and returns that.
    pub fn line(&self, script: &str) -> String {
        self.user("ada", script).text()
    }

    /// What has appeared and what has gone since the case began.
    pub fn what_is_left(&self) -> Difference {
        self.snapshot().since(&self.before)
    }

    /// Fails if anything of ada's has changed: process, unit, socket, lock, file, control group, variable.
    #[track_caller]
    pub fn is_clean(&self) {
        let mut left = self.what_is_left();
        // systemd removes these a moment after it has noticed the unit's end.
        left.left.retain(|line| !line.starts_with("runtime file: /run/user/1000/systemd/transient/"));
        // Ended processes are listed until the user manager reaps them.
        left.left.retain(|line| !(line.starts_with("process: [") && line.contains("] <defunct> ")));
        assert!(left.is_empty(), "ada's things are not as they were:\n{left}");
        self.becomes_clean();
    }

    /// Like [`is_clean`](Self::is_clean), but with a deadline: for ends that no command waits for.
    pub fn becomes_clean(&self) {
        wait_until("nothing to be left", SOON, || {
            let left = self.what_is_left();
            if left.is_empty() { Ok(()) } else { Err(left.to_string()) }
        });
    }

    /// Expects a refusal: this status, one line that contains these words, and nothing half-started.
    #[track_caller]
    pub fn refuses(&self, command: &str, status: i32, words: &[&str]) {
        let run: Run = self.user("ada", command);
        assert_eq!(run.code(), status, "{command}: {run}");
        for word in words {
            assert!(run.stderr.contains(word), "{command} does not say {word:?}: {run}");
        }
        self.becomes_clean();
    }

    /// A property of one of ada's units.
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.manager("ada").property(unit, name)
    }
}

/// Starts the user manager of a user permanently.
pub fn lingers(case: &Case, user: &str) {
    let uid = case.uid(user);
    case.root(&format!("loginctl enable-linger {user}; systemctl start user@{uid}")).ok();
    case.user(user, "systemctl --user is-system-running --wait; busctl --user list > /dev/null").ok();
}

impl Deref for Place {
    type Target = Case;

    fn deref(&self) -> &Case {
        &self.case
    }
}

impl DerefMut for Place {
    fn deref_mut(&mut self) -> &mut Case {
        &mut self.case
    }
}
