//! How the last session ended, `$XDG_STATE_HOME/startxd/last-session.toml`: what there was to read on a terminal that is
//! somebody else's by now.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::Record;
use crate::deadline::STEADY;
use crate::{files, xdg};

/// The file's name.
const NAME: &str = "last-session.toml";

/// How the last session of this user ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSession {
    /// When, seconds since the epoch.
    pub ended: u64,
    /// Whether it ended as sessions should.
    pub clean: bool,
    /// Why, as it was said on the terminal.
    pub why: String,
    /// logind's id of the login session that it was in.
    pub login: String,
    /// How many logins in a row, this one included, had a session that was over as soon as it was up, and that closed the
    /// shell: a login without a password begins the next one by itself.
    pub brief: u32,
}

/// After so many of those no next one begins by itself.
const MOST: u32 = 3;

/// How long ago something was, in seconds since the epoch.
#[must_use]
pub fn age(then: u64) -> Duration {
    Duration::from_secs(seconds(SystemTime::now()).saturating_sub(then))
}

impl Record for LastSession {
    const WHAT: &'static str = "a note of the last session";
    const VERSION: Option<u32> = Some(1);

    /// It goes to a terminal, and anybody may have written it.
    fn checked(self) -> Result<Self, String> {
        let harmless = |c: char| if c.is_control() && c != '\n' { '?' } else { c };
        Ok(Self { why: self.why.chars().map(harmless).collect(), ..self })
    }
}

impl LastSession {
    /// One in this login session that ends now. `is_brief` says that it was over as soon as it was up and closes the shell.
    #[must_use]
    pub fn ends_now(clean: bool, why: String, login: &str, is_brief: bool) -> Self {
        let before = if is_brief { Self::recall() } else { None };
        Self::after(before.as_ref(), clean, why, login, is_brief)
    }

    /// As [`LastSession::ends_now`], after this one.
    fn after(before: Option<&Self>, clean: bool, why: String, login: &str, is_brief: bool) -> Self {
        // A person who starts one after the other by hand is still in the same login.
        let before = before.filter(|before| before.login != login).map_or(0, Self::in_a_row);
        let brief = if is_brief { before.saturating_add(1) } else { 0 };
        Self { ended: seconds(SystemTime::now()), clean, why, login: login.to_owned(), brief }
    }

    /// How many were brief in a row, as it counts now: what ended long ago does not count.
    fn in_a_row(&self) -> u32 {
        if age(self.ended) < STEADY { self.brief } else { 0 }
    }

    /// Whether so many were brief in a row that no other one is to begin by itself.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.in_a_row() >= MOST
    }

    /// Counts anew: a person may begin another one.
    ///
    /// # Errors
    /// As [`LastSession::keep`].
    pub fn forgive(self) -> io::Result<()> {
        Self { brief: 0, ..self }.keep()
    }

    /// What there is to read of the last session of this user; `None` if there is nothing, or nothing that can be read.
    #[must_use]
    pub fn recall() -> Option<Self> {
        Self::load(&path()?).ok().flatten()
    }

    /// Writes it down, 0600, in directories that only their owner can enter.
    ///
    /// # Errors
    /// There is no home, or it is full or read-only.
    pub fn keep(&self) -> io::Result<()> {
        let path = path().ok_or(io::ErrorKind::NotFound)?;
        files::make_directory_of(&path)?;
        self.save(&path)
    }
}

fn path() -> Option<PathBuf> {
    xdg::in_state_home(NAME, xdg::variable)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::{LastSession, Record};
    use crate::deadline::STEADY;

    #[test]
    fn what_is_written_is_read_again() {
        let last = LastSession::ends_now(
            false,
            "the X server was ended by SIGKILL; its last lines:\n \"(EE)\"".into(),
            "c1",
            false,
        );
        assert_eq!(LastSession::from_toml(last.to_toml().unwrap().as_bytes()).unwrap(), last);
        let moves = LastSession { why: "a\u{1b}[2J\nb".into(), ..last };
        assert_eq!(LastSession::from_toml(moves.to_toml().unwrap().as_bytes()).unwrap().why, "a?[2J\nb");
        for text in ["", "version = 1", "version = 2\nended = 1\nclean = true\nwhy = ''\nlogin = ''\nbrief = 0", "\0"] {
            assert!(LastSession::from_toml(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn three_brief_ones_in_a_row_are_enough_each_in_a_login_of_its_own() {
        let one = |before: Option<&LastSession>, login: &str, is_brief| {
            LastSession::after(before, true, String::new(), login, is_brief)
        };
        let count = |logins: [(&str, bool); 4]| {
            let last = logins.iter().fold(None, |before: Option<LastSession>, (login, is_brief)| {
                Some(one(before.as_ref(), login, *is_brief))
            });
            let last = last.unwrap();
            (last.brief, last.is_enough())
        };
        assert_eq!(count([("1", false), ("2", true), ("3", true), ("4", true)]), (3, true));
        assert_eq!(count([("1", true), ("2", true), ("3", true), ("4", false)]), (0, false));
        assert_eq!(count([("1", true), ("2", false), ("3", true), ("4", true)]), (2, false));
        // By hand, in one login.
        assert_eq!(count([("1", true), ("1", true), ("1", true), ("1", true)]), (1, false));
        let mut old = one(None, "1", true);
        (old.brief, old.ended) = (3, old.ended - STEADY.as_secs());
        assert!(!old.is_enough());
        assert_eq!(one(Some(&old), "2", true).brief, 1);
    }
}
