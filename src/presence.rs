//! Whether a user may have a graphical session now: who they are, and what of theirs is up already.

use thiserror::Error;

use crate::records::attached::AttachedRecord;
use crate::records::session::SessionRecord;
use crate::runtime_dir::RuntimeDir;
use crate::x11::display::Display;

/// The user is root.
#[derive(Debug, Error)]
#[error("startxd never runs as root: log in as yourself (to set up an autologin for a user: startxd enable)")]
pub struct IsRoot;

/// That this process is not root's.
///
/// # Errors
/// It is.
pub fn refuse_root() -> Result<(), IsRoot> {
    if nix::unistd::geteuid().is_root() { Err(IsRoot) } else { Ok(()) }
}

/// A graphical session of the user that is up, and what ends it.
#[derive(Debug, PartialEq, Eq, Error)]
#[allow(clippy::missing_docs_in_private_items, reason = "each variant's sentence is its documentation")]
pub enum AlreadyUp {
    #[error("a session of startxd is up already, on {place}, display {display}; end it first: startxd stop")]
    Ours { place: String, display: Display },
    #[error("display {display} is attached to your user manager; log out of it, or detach it: startxd detach")]
    Attached { display: Display },
    #[error(
        "a graphical session of yours is up already ({unit} is {state}); log out of it, or end it: systemctl --user stop \
         {unit}"
    )]
    Other { unit: String, state: String },
}

impl AlreadyUp {
    /// Says whose graphical session is up; `None` if there is none.
    ///
    /// `sign` is a unit that is up only while one is, with its active state. Without a sign only a session of ours counts:
    /// its record is there before its first unit.
    #[must_use]
    pub fn find(runtime: &RuntimeDir, sign: Option<(&str, &str)>) -> Option<Self> {
        if let Ok(Some(session)) = SessionRecord::of(runtime) {
            return Some(Self::Ours { place: session.seat.name(), display: session.display });
        }
        let (unit, state) = sign?;
        Some(match AttachedRecord::of(runtime) {
            Some(attached) => Self::Attached { display: attached.display },
            None => Self::Other { unit: unit.to_owned(), state: state.to_owned() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::AlreadyUp;
    use crate::environment::block::Block;
    use crate::records::Record;
    use crate::records::attached::AttachedRecord;
    use crate::records::session::SessionRecord;
    use crate::runtime_dir::RuntimeDir;
    use crate::seat::Seat;
    use crate::test_dir::TestDir;
    use crate::x11::display::Display;

    #[test]
    fn whose_it_is() {
        let directory = TestDir::new();
        let runtime = RuntimeDir::of(directory.path("")).unwrap();
        runtime.create().unwrap();
        let display = Display::new(1).unwrap();
        let sign = Some(("graphical-session.target", "active"));
        let find = |sign| AlreadyUp::find(&runtime, sign);
        assert_eq!(find(None), None);
        let other = AlreadyUp::Other { unit: "graphical-session.target".into(), state: "active".into() };
        assert_eq!(find(sign), Some(other));
        AttachedRecord::new(display, "/a".into(), Vec::new(), Block::new()).save(&runtime.attached()).unwrap();
        assert_eq!(find(sign), Some(AlreadyUp::Attached { display }));
        assert_eq!(find(None), None, "what a killed one has left");
        let seat = Seat::new("seat0".into(), Some(1)).unwrap();
        SessionRecord::new("1".into(), seat, display, String::new()).save(&runtime.record()).unwrap();
        for sign in [sign, None] {
            assert!(matches!(find(sign), Some(AlreadyUp::Ours { .. })));
        }
    }
}
