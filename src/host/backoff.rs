//! Pauses between sessions that fail, for a host that a system unit starts again and again: `startxd start --backoff`.
//!
//! systemd starts the next one after a second, however the last one ended, and cannot tell a failure from a
//! logout (`RestartSteps=` of systemd 254 counts both, and never forgets). So the host counts, in a file that outlives
//! it: in the directory that systemd makes for the unit (`RuntimeDirectory=`) and keeps only from one start to an
//! automatic restart (`RuntimeDirectoryPreserve=restart`). A unit that is stopped, or started by hand, begins at 0.
//!
//! A session counts as failed from its beginning until it has ended well, so that one whose host was killed is
//! counted as well.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::deadline::{FIRST_PAUSE, STEADY};
use crate::records::Record;

/// The file's name in the directory.
const NAME: &str = "failed.toml";

/// There is no directory for the count.
#[derive(Debug, Error)]
#[error(
    "--backoff is for a system unit with RuntimeDirectory= and RuntimeDirectoryPreserve=restart, and this is not \
     (RUNTIME_DIRECTORY is not set); omit it here"
)]
pub struct NoDirectory;

/// The count of sessions that failed in a row, as on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureStreak {
    /// How many.
    pub failed: u32,
    /// When the last of them began, seconds since the epoch.
    pub began: u64,
    /// Why it failed, in one line, if its host could still record it.
    pub why: Option<String>,
    /// Whether it was a logout so early that it must not repeat without end.
    #[serde(default)]
    pub is_logout: bool,
}

impl Record for FailureStreak {
    const WHAT: &'static str = "a count of failures";
    const VERSION: Option<u32> = None;

    /// The reason may contain text from anybody.
    fn checked(self) -> Result<Self, String> {
        Ok(Self { why: self.why.as_deref().map(in_a_line), ..self })
    }
}

impl FailureStreak {
    /// The streak at `now`: a session that lasted long begins a new one.
    #[must_use]
    pub fn at(self, now: u64) -> Self {
        // After the clock was set back, a streak lasts too long, which is the smaller problem.
        let lasted = Duration::from_secs(now.saturating_sub(self.began));
        Self { failed: if lasted > STEADY { self.failed.min(1) } else { self.failed }, ..self }
    }

    /// The pause after it; `most` is the longest.
    #[must_use]
    pub fn pause(&self, most: Duration) -> Duration {
        match self.failed {
            0 => Duration::ZERO,
            // A person may log out that early once.
            1 if self.is_logout => Duration::ZERO,
            failed => FIRST_PAUSE.saturating_mul(1_u32.checked_shl(failed - 1).unwrap_or(u32::MAX)).min(most),
        }
    }

    fn why(&self) -> &str {
        self.why.as_deref().unwrap_or("it was killed")
    }
}

/// The count of a unit, for the time of one session.
#[derive(Debug)]
pub struct Backoff {
    path: PathBuf,
    limit: u32,
    streak: FailureStreak,
}

impl Backoff {
    /// Reads the count; after `limit` failures in a row no further session starts; 0 is no limit.
    ///
    /// # Errors
    /// systemd has given this process no directory (systemd.exec(5), `$RUNTIME_DIRECTORY`).
    pub fn read(limit: u32) -> Result<Self, NoDirectory> {
        let given = std::env::var_os("RUNTIME_DIRECTORY").ok_or(NoDirectory)?;
        // Several directories are separated by colons.
        let directory = std::env::split_paths(&given).next().filter(|path| path.is_absolute()).ok_or(NoDirectory)?;
        Ok(Self::in_directory(&directory, limit))
    }

    fn in_directory(directory: &Path, limit: u32) -> Self {
        let path = directory.join(NAME);
        // A file that cannot be read counts as no failure.
        let streak = FailureStreak::load(&path).ok().flatten().unwrap_or_default();
        Self { path, limit, streak: streak.at(now()) }
    }

    /// Reports the reason and the length of the pause, and waits; returns at once if the last session did not fail.
    ///
    /// No signal is caught here: one that ends this process ends the wait.
    pub async fn pause(&self, most: Duration) {
        let pause = self.streak.pause(most);
        if !pause.is_zero() {
            let times = times(self.streak.failed);
            tracing::warn!(
                "the session failed {times} ({}); the next attempt is in {} s",
                self.streak.why(),
                pause.as_secs_f32()
            );
            tokio::time::sleep(pause).await;
        }
    }

    /// A session begins.
    pub fn begin(&mut self) {
        self.streak =
            FailureStreak { failed: self.streak.failed.saturating_add(1), began: now(), ..FailureStreak::default() };
        self.write();
    }

    /// It has ended well.
    pub fn succeeded(self) {
        self.forget();
    }

    /// It has failed. Returns whether no further session starts, and reports that.
    #[must_use]
    pub fn failed(self, why: &str) -> bool {
        self.ended(why, false)
    }

    /// It was left as soon as it was up: the first time this is an ordinary logout, later it counts as a failure.
    /// Returns what [`Backoff::failed`] returns.
    #[must_use]
    pub fn left_early(self, why: &str) -> bool {
        self.ended(why, true)
    }

    fn ended(mut self, why: &str, is_logout: bool) -> bool {
        self.streak = FailureStreak { why: Some(in_a_line(why)), is_logout, ..self.streak }.at(now());
        let exhausted = self.is_exhausted();
        if exhausted {
            self.give_up();
        } else {
            self.write();
        }
        exhausted
    }

    /// Whether no further session starts, because the limit is reached.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.limit > 0 && self.streak.failed >= self.limit
    }

    /// Reports that no further session starts, and resets the count for a start by hand.
    pub fn give_up(&self) {
        let times = times(self.streak.failed);
        tracing::error!(
            "the session failed {times} ({}), and is not tried again; mend that, then start the unit again",
            self.streak.why()
        );
        self.forget();
    }

    /// A pause that is too short locks nobody out, so neither does a directory that cannot be written to.
    fn write(&self) {
        if let Err(error) = self.streak.save(&self.path) {
            tracing::warn!("{} cannot be written, so failures are not counted: {error}", self.path.display());
        }
    }

    fn forget(&self) {
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("{} cannot be removed: {error}", self.path.display());
        }
    }
}

fn times(failed: u32) -> String {
    if failed == 1 { "once".to_owned() } else { format!("{failed} times in a row") }
}

/// The first line of a message, without characters that move a terminal's cursor.
fn in_a_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::{Backoff, FailureStreak, NAME, in_a_line};
    use crate::deadline::STEADY;
    use crate::test_dir::TestDir;

    #[test]
    fn pauses_grow() {
        let most = Duration::from_secs(60);
        let pause = |failed| FailureStreak { failed, ..FailureStreak::default() }.pause(most).as_secs();
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 6, 7, 32, 33, 34, u32::MAX].map(pause),
            [0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]
        );
    }

    #[test]
    fn a_logout_that_comes_early_is_waited_after_when_it_comes_again() {
        let pause = |failed, is_logout| {
            FailureStreak { failed, is_logout, ..FailureStreak::default() }.pause(Duration::from_secs(60)).as_secs()
        };
        assert_eq!([pause(1, true), pause(1, false), pause(2, true), pause(3, true)], [0, 1, 2, 4]);
        let directory = TestDir::new();
        for before in 0..3 {
            let mut backoff = Backoff::in_directory(&directory.path(""), 3);
            assert_eq!(backoff.streak.failed, before);
            backoff.begin();
            assert_eq!(backoff.left_early("logged out"), before == 2, "{before}");
        }
    }

    #[test]
    fn a_session_that_stood_begins_a_new_streak() {
        let streak = FailureStreak { failed: 4, began: 1000, ..FailureStreak::default() };
        let failed = |now| streak.clone().at(now).failed;
        let long = 1000 + STEADY.as_secs();
        assert_eq!([failed(1001), failed(long), failed(long + 1), failed(1)], [4, 4, 1, 4]);
    }

    #[test]
    fn failures_are_counted_from_start_to_start() {
        let directory = TestDir::new();
        let next = |limit| Backoff::in_directory(&directory.path(""), limit);
        for before in 0..2 {
            let mut backoff = next(3);
            assert_eq!(backoff.streak.failed, before);
            backoff.begin();
            assert!(!backoff.failed("the X server ended\nand said so"), "{before}");
        }
        assert_eq!(next(3).streak.why.as_deref(), Some("the X server ended"));
        let path = directory.path(NAME);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        // Killed, so the reason was not recorded.
        next(3).begin();
        assert_eq!(next(3).streak.why(), "it was killed");
        assert!(!next(0).is_exhausted() && !next(4).is_exhausted());
        assert!(next(3).is_exhausted() && next(3).is_exhausted(), "asking changes nothing");
        next(3).give_up();
        assert_eq!(next(3).streak.failed, 0, "a start by hand resets it");

        let mut last = next(1);
        last.begin();
        assert!(last.failed("x") && directory.names().is_empty());
        let mut fine = next(1);
        fine.begin();
        fine.succeeded();
        assert!(directory.names().is_empty());
    }

    #[test]
    fn what_is_no_count_is_none() {
        let directory = TestDir::new();
        for text in ["", "failed = -1", "failed = 4294967296", "\0", "failed = 1"] {
            std::fs::write(directory.path(NAME), text).unwrap();
            assert_eq!(Backoff::in_directory(&directory.path(""), 3).streak, FailureStreak::default(), "{text:?}");
        }
        std::fs::remove_file(directory.path(NAME)).unwrap();
        nix::unistd::mkfifo(&directory.path(NAME), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(Backoff::in_directory(&directory.path(""), 3).streak, FailureStreak::default());
        assert_eq!(in_a_line("a\u{1b}[2J\nb"), "a?[2J");
    }
}
