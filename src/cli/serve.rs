//! `startxd serve N`, for `xorg@N.service`.

use super::exit::Exit;
use crate::supervisor;
use crate::x11::display::Display;

/// Runs the supervisor.
pub async fn run(display: &str) -> Exit {
    let display = match Display::parse(display) {
        Ok(display) => display,
        Err(error) => {
            tracing::error!("{error}");
            return Exit::Usage;
        }
    };
    match supervisor::run(display, &super::configuration().deadlines).await {
        Ok(()) => Exit::Success,
        Err(failure) => {
            tracing::error!("{failure}");
            Exit::ServerFailed
        }
    }
}
