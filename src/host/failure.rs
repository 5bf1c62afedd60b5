//! Why there was no session, or why it ended badly.

use thiserror::Error;

use super::checks::Refusal;
use super::prepare::NotPrepared;
use super::why::Why;
use crate::session::NoSession;
use crate::x11::server::NoServer;

/// Why there was no session, or why it ended badly.
#[derive(Debug, Error)]
#[allow(clippy::missing_docs_in_private_items, reason = "each variant's sentence is its documentation")]
pub enum Failure {
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("{0}")]
    NoServer(#[from] NoServer),
    #[error("{0}")]
    NoSession(#[from] NoSession),
    #[error("{0}")]
    NotPrepared(#[from] NotPrepared),
    #[error("{0}")]
    System(#[from] std::io::Error),
    #[error("{0}")]
    Ended(Why),
}
