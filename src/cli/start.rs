//! `startxd start`.

use super::args::Start;
use super::exit::Exit;
use crate::host::checks::Background;
use crate::host::{self, Options};
use crate::x11::display::Display;

/// Runs a session and returns how it ended.
pub async fn run(start: Start) -> Exit {
    let display = match start.display.as_deref().map(Display::parse).transpose() {
        Ok(display) => display,
        Err(error) => {
            tracing::error!("{error}");
            return Exit::Usage;
        }
    };
    let background = if start.activate { Background::Activate } else { Background::Wait };
    let options = Options { display, session: start.session, background };
    match host::run(&options, &super::configuration()).await {
        Ok(why) => {
            tracing::debug!("the session is over: {why}");
            Exit::Success
        }
        Err(failure) => {
            tracing::error!("{failure}");
            Exit::from(&failure)
        }
    }
}
