//! The VT as the login shell knew it.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use tokio::time::{Instant, sleep};

use crate::deadline::LOOK_AGAIN;
use crate::os::{DisplayMode, VtMode, display_mode};

/// The controlling terminal and its settings.
pub struct Terminal {
    file: File,
    settings: Option<Termios>,
}

impl Terminal {
    /// Opens the controlling terminal and remembers its settings.
    ///
    /// By /dev/tty, because the node of the VT itself belongs to root again once a server has ended (logind,
    /// `vt_restore`).
    ///
    /// # Errors
    /// There is none, which the checks have ruled out.
    pub fn open() -> io::Result<Self> {
        let flags = nix::libc::O_NOCTTY | nix::libc::O_NONBLOCK;
        let file = File::options().read(true).write(true).custom_flags(flags).open("/dev/tty")?;
        let settings = tcgetattr(&file).ok();
        Ok(Self { file, settings })
    }

    /// Waits until the VT is in text mode and switches by itself, then puts the settings back.
    ///
    /// A server that ends in order does both itself. After one that was killed logind puts the mode back, when it
    /// notices, but not the settings: the shell would have no echo.
    pub async fn restore(self, deadline: Duration) {
        let end = Instant::now() + deadline;
        loop {
            match display_mode(&self.file) {
                Ok((DisplayMode::Text, VtMode::Auto)) => break,
                // Hung up: whoever opens it next gets a fresh one.
                Err(_) => return,
                Ok(seen) if Instant::now() >= end => {
                    tracing::error!(
                        "the virtual terminal is still in graphics mode {} s after the server's end ({seen:?}); switch \
                         to another and back, or run: sudo systemctl restart systemd-logind",
                        deadline.as_secs_f32()
                    );
                    break;
                }
                Ok(_) => sleep(LOOK_AGAIN).await,
            }
        }
        if let Some(settings) = &self.settings {
            // From the background, as after `startxd start &`, this takes an ignored SIGTTOU: os::ignore_job_control.
            if let Err(error) = tcsetattr(&self.file, SetArg::TCSANOW, settings) {
                tracing::debug!("the terminal's settings could not be put back: {error}");
            }
        }
    }
}
