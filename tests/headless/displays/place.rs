//! What the cases share: ada's user manager, without a login.

use std::ops::{Deref, DerefMut};

use crate::harness::{Case, Difference, Guest, Run, SOON, Snapshot, wait_until};

/// A case in which ada's user manager runs by lingering.
pub struct Place {
    case: Case,
    before: Snapshot,
}

impl Place {
    /// With nothing of hers but the manager and its bus.
    pub fn new() -> Self {
        let case = Guest::headless();
        lingers(&case, "ada");
        let before = case.snapshot();
        Self { case, before }
    }

    /// Runs a script as ada, whose output is one line, and returns that.
    pub fn line(&self, script: &str) -> String {
        self.user("ada", script).text()
    }

    /// What is there now that was not before, and the other way round.
    pub fn what_is_left(&self) -> Difference {
        self.snapshot().since(&self.before)
    }

    /// Fails if anything of ada's is not as it was: process, unit, socket, lock, file, control group, variable.
    #[track_caller]
    pub fn is_clean(&self) {
        let mut left = self.what_is_left();
        // systemd removes these a moment after it has learned that the unit has ended.
        left.left.retain(|line| !line.starts_with("runtime file: /run/user/1000/systemd/transient/"));
        // And what has ended is listed until the user manager has come round to reaping it.
        left.left.retain(|line| !(line.starts_with("process: [") && line.contains("] <defunct> ")));
        assert!(left.is_empty(), "ada's things are not as they were:\n{left}");
        self.becomes_clean();
    }

    /// As [`is_clean`](Self::is_clean), within a time: for ends that nobody waits for.
    pub fn becomes_clean(&self) {
        wait_until("nothing to be left", SOON, || {
            let left = self.what_is_left();
            if left.is_empty() { Ok(()) } else { Err(left.to_string()) }
        });
    }

    /// Expects a refusal: this status, one line that holds these words, and nothing half-started.
    #[track_caller]
    pub fn refuses(&self, command: &str, status: i32, words: &[&str]) {
        let run: Run = self.user("ada", command);
        assert_eq!(run.code(), status, "{command}: {run}");
        for word in words {
            assert!(run.stderr.contains(word), "{command} does not say {word:?}: {run}");
        }
        self.becomes_clean();
    }

    /// A property of a unit of ada's.
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.manager("ada").property(unit, name)
    }
}

/// Starts the user manager of a user, to stay.
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
