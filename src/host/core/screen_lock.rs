//! Whether the screen is locked, as far as the locker tells logind (`LockedHint`, org.freedesktop.login1(5)). Pure.
//!
//! A locker is a client of the server: it ends with the server, and the next server would come up unlocked. So a locked
//! session gets another server only if that can be locked (`relock.rs`), and its end closes the login session.

use super::event::ServerSeen;

/// What is known of the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Open,
    Locked,
    /// The locker has reported that the screen is open; whether the server still runs is being asked.
    Opening,
}

/// The lock of a session's screen.
#[derive(Debug, Default)]
pub(super) struct ScreenLock {
    state: State,
    /// The number of the last question about the server.
    asked: u32,
}

impl ScreenLock {
    /// The locker tells logind whether it locks. Returns the number of a question about the server, if one has to be
    /// asked.
    ///
    /// A race: a server that ends takes the screen locker with it. The program that started the locker (xss-lock, for
    /// example) may then tell logind that the screen is open before we learn of the server's end. So an unlocking
    /// counts only if the server answers after it.
    pub(super) fn told(&mut self, locked: bool) -> Option<u32> {
        match (locked, self.state) {
            (true, _) => self.state = State::Locked,
            (false, State::Locked) => {
                self.state = State::Opening;
                self.asked += 1;
                return Some(self.asked);
            }
            (false, State::Open | State::Opening) => {}
        }
        None
    }

    /// The answer to this question: the state of the server, if there is one. `running` is the number of the server
    /// that runs.
    pub(super) fn answered(&mut self, question: u32, server: Option<ServerSeen>, running: Option<u32>) {
        if self.state == State::Opening && question == self.asked {
            let lives = server.is_some_and(|seen| !seen.is_ending && Some(seen.number) == running);
            self.state = if lives { State::Open } else { State::Locked };
        }
    }

    /// Whether the session has to be treated as locked.
    pub(super) fn is_locked(&self) -> bool {
        self.state != State::Open
    }
}

#[cfg(test)]
mod tests {
    use super::ScreenLock;
    use crate::host::core::event::ServerSeen;

    #[test]
    fn an_unlocking_counts_if_the_server_answers_after_it() {
        let seen = |number, is_ending| Some(ServerSeen { number, is_ending });
        for (server, running, locked) in [
            (seen(1, false), Some(1), false),
            (seen(1, true), Some(1), true),
            (None, Some(1), true),
            (seen(1, false), None, true),
            (seen(1, false), Some(2), true),
        ] {
            let mut lock = ScreenLock::default();
            assert!(!lock.is_locked());
            assert_eq!((lock.told(false), lock.told(true)), (None, None));
            assert_eq!(lock.told(false), Some(1));
            assert_eq!(lock.told(false), None, "asked already");
            assert!(lock.is_locked(), "nobody has answered yet");
            lock.answered(1, server, running);
            assert_eq!(lock.is_locked(), locked, "{server:?} {running:?}");
        }
    }

    #[test]
    fn an_answer_from_before_the_next_locking_is_ignored() {
        let alive = Some(ServerSeen { number: 1, is_ending: false });
        let mut lock = ScreenLock::default();
        lock.told(true);
        lock.told(false);
        lock.told(true);
        lock.answered(1, alive, Some(1));
        assert!(lock.is_locked());
        assert_eq!(lock.told(false), Some(2));
        lock.answered(1, alive, Some(1));
        assert!(lock.is_locked());
        lock.answered(2, alive, Some(1));
        assert!(!lock.is_locked());
    }
}
