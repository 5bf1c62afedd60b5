//! What unit tests share: stand-ins for what is outside of this process, and golden files.

use zbus::OwnedObjectPath;

use crate::logind;

mod golden;
pub(crate) mod manager;

pub(crate) use golden::golden;
pub(crate) use manager::{FakeManager, Forwarding, Job, Unit};

/// A login of this user on tty1.
pub(crate) fn login() -> logind::Session {
    logind::Session {
        path: OwnedObjectPath::try_from("/org/freedesktop/login1/session/_31").unwrap(),
        id: "1".into(),
        uid: nix::unistd::geteuid().as_raw(),
        seat: Some("seat0".into()),
        vt: Some(1),
        class: "user".into(),
        kind: "x11".into(),
        remote: false,
        active: true,
        state: "active".into(),
    }
}
