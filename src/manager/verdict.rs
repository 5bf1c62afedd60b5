//! What the state of a session's unit means for the session; pure.

use super::{ServiceEnd, UnitState};

/// The meaning of a unit's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It runs, or is starting.
    Up,
    /// It exited by itself with status 0, or was stopped: the person has logged out.
    LoggedOut,
    /// It is being restarted after a crash; its manager's policy decides for how long.
    Restarting,
    /// It has failed for good.
    Failed(ServiceEnd),
}

/// Judges a unit by its state and how its main process ended last.
///
/// `Restart=always`, as in the wiki's own units, would start a window manager again after a clean exit too; for a
/// session the clean exit is the end, whatever the unit says.
#[must_use]
pub fn judge(state: &UnitState, end: Option<&ServiceEnd>) -> Verdict {
    let clean = end.is_some_and(ServiceEnd::is_clean_exit);
    match (state.active.as_str(), state.sub.as_str()) {
        // Another state follows soon.
        _ if state.job.is_some() => Verdict::Up,
        // RemainAfterExit= keeps transient services in this state, so that their end can be seen.
        ("active", "exited") => Verdict::LoggedOut,
        ("activating", "auto-restart" | "auto-restart-queued") if clean => Verdict::LoggedOut,
        ("activating", "auto-restart" | "auto-restart-queued") => Verdict::Restarting,
        ("failed", _) => {
            let unknown = || ServiceEnd { result: "unknown".to_owned(), code: 0, status: 0, pid: 0 };
            Verdict::Failed(end.cloned().unwrap_or_else(unknown))
        }
        ("inactive", _) => Verdict::LoggedOut,
        _ => Verdict::Up,
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, judge};
    use crate::manager::{ServiceEnd, UnitState};
    use nix::libc::{CLD_EXITED, CLD_KILLED};

    fn state(active: &str, sub: &str, job: Option<&str>) -> UnitState {
        UnitState { load: "loaded".into(), active: active.into(), sub: sub.into(), job: job.map(str::to_owned) }
    }

    fn end(code: i32, status: i32) -> ServiceEnd {
        ServiceEnd { result: "any".into(), code, status, pid: 0 }
    }

    #[test]
    fn verdicts() {
        let clean = end(CLD_EXITED, 0);
        let error = end(CLD_EXITED, 1);
        let killed = end(CLD_KILLED, 11);
        let cases = [
            (state("active", "running", None), &clean, Verdict::Up),
            (state("activating", "start", Some("start")), &clean, Verdict::Up),
            (state("active", "exited", None), &clean, Verdict::LoggedOut),
            (state("activating", "auto-restart", None), &clean, Verdict::LoggedOut),
            (state("activating", "auto-restart", None), &error, Verdict::Restarting),
            (state("activating", "auto-restart", None), &killed, Verdict::Restarting),
            (state("inactive", "dead", None), &clean, Verdict::LoggedOut),
            (state("inactive", "dead", Some("start")), &clean, Verdict::Up),
            (state("deactivating", "stop-sigterm", Some("restart")), &clean, Verdict::Up),
            (state("failed", "failed", None), &killed, Verdict::Failed(killed.clone())),
            (state("failed", "failed", Some("start")), &killed, Verdict::Up),
            (state("active", "exited", Some("restart")), &clean, Verdict::Up),
            (state("activating", "auto-restart", Some("start")), &error, Verdict::Up),
        ];
        for (state, end, expected) in cases {
            assert_eq!(judge(&state, Some(end)), expected, "{state:?}");
        }
    }
}
