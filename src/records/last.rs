//! How the last session ended, `$XDG_STATE_HOME/startxd/last-session.toml`: the message that was shown on a terminal
//! that may be another user's by now.

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
    /// Whether it ended well.
    pub clean: bool,
    /// Why, in the words that were shown on the terminal.
    pub why: String,
    /// logind's id of the login session that it was in.
    pub login: String,
    /// How many logins in a row, including this one, had a session that ended as soon as it was up, and that closed the
    /// shell: a login without a password starts the next one by itself.
    pub brief: u32,
}

/// After this many of them no other one starts by itself.
const MOST: u32 = 3;

/// How long ago something was, in seconds since the epoch.
#[must_use]
pub fn age(then: u64) -> Duration {
    Duration::from_secs(seconds(SystemTime::now()).saturating_sub(then))
}

impl Record for LastSession {
    const WHAT: &'static str = "a note of the last session";
    const VERSION: Option<u32> = Some(1);

    /// It is shown on a terminal, and anybody may have written it.
    fn checked(self) -> Result<Self, String> {
        let harmless = |c: char| if c.is_control() && c != '\n' { '?' } else { c };
        Ok(Self { why: self.why.chars().map(harmless).collect(), ..self })
    }
}

impl LastSession {
    /// A session in this login session that ends now. `is_brief` says that it ended as soon as it was up and closes the
    /// shell.
    #[must_use]
    pub fn ends_now(clean: bool, why: String, login: &str, is_brief: bool) -> Self {
        let before = if is_brief { Self::recall() } else { None };
        Self::after(before.as_ref(), clean, why, login, is_brief)
    }

    /// Like [`LastSession::ends_now`], with this as the session before it.
    fn after(before: Option<&Self>, clean: bool, why: String, login: &str, is_brief: bool) -> Self {
        // If a person starts one after the other by hand, the login is the same.
        let before = before.filter(|before| before.login != login).map_or(0, Self::in_a_row);
        let brief = if is_brief { before.saturating_add(1) } else { 0 };
        Self { ended: seconds(SystemTime::now()), clean, why, login: login.to_owned(), brief }
    }

    /// How many in a row were brief, not counting those that ended long ago.
    fn in_a_row(&self) -> u32 {
        if age(self.ended) < STEADY { self.brief } else { 0 }
    }

    /// Whether so many in a row were brief that no other one should start by itself.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.in_a_row() >= MOST
    }

    /// Resets the count, so that a person may start another one.
    ///
    /// # Errors
    /// As [`LastSession::keep`].
    pub fn forgive(self) -> io::Result<()> {
        Self { brief: 0, ..self }.keep()
    }

    /// How the last session of this user ended; `None` if there is no record, or none that can be read.
    #[must_use]
    pub fn recall() -> Option<Self> {
        Self::load(&path()?).ok().flatten()
    }

    /// Writes it, 0600, in directories that only their owner can enter.
    ///
    /// # Errors
    /// There is no home directory, or it is full or read-only.
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
    fn three_brief_sessions_in_a_row_each_in_its_own_login_are_enough() {
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
