//! What unit tests share: stand-ins for what is outside of this process, and golden files.

mod golden;
pub(crate) mod manager;

pub(crate) use golden::golden;
pub(crate) use manager::{FakeManager, Forwarding, Job, Unit};
