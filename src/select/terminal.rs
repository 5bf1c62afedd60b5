//! The controlling terminal, as the menu uses it.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use nix::sys::termios::{InputFlags, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use tokio::io::unix::AsyncFd;

use super::menu::MenuLine;
use crate::os;

/// The controlling terminal.
pub struct MenuTerminal {
    /// For writing and settings; the same open file as the other one, which is under the reactor.
    file: File,
    input: AsyncFd<std::os::fd::OwnedFd>,
}

impl MenuTerminal {
    /// Opens it with its own open file description, so that `O_NONBLOCK` affects no other process.
    ///
    /// # Errors
    /// There is none.
    pub fn open() -> io::Result<Self> {
        let flags = nix::libc::O_NOCTTY | nix::libc::O_NONBLOCK;
        let file = File::options().read(true).write(true).custom_flags(flags).open("/dev/tty")?;
        let input = os::watch(file.try_clone()?.into())?;
        Ok(Self { file, input })
    }

    /// Waits for input, and returns it; nothing after a hang-up or an end of file. May be dropped while it waits.
    ///
    /// # Errors
    /// The terminal cannot be read, as in the background.
    pub async fn read(&self) -> io::Result<Vec<u8>> {
        loop {
            let mut ready = self.input.readable().await?;
            let mut buffer = [0; 256];
            match (&self.file).read(&mut buffer) {
                Ok(length) => return Ok(buffer[..length].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes a text, all of it.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn write(&self, text: &str) -> io::Result<()> {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match (&self.file).write(rest) {
                Ok(length) => rest = &rest[length..],
                // Stopped by Ctrl+S, or slow. The rest is drawn with the next picture.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Columns and rows; 80 and 25 if the terminal does not know.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        match os::window_size(&self.file) {
            Ok((columns, rows)) if columns > 0 && rows > 0 => (columns.into(), rows.into()),
            _ => (80, 25),
        }
    }
}

/// The terminal in raw mode, for as long as this lives. Then its settings are restored, and the menu is erased.
pub struct Raw<'a> {
    terminal: &'a MenuTerminal,
    before: Termios,
    drawn: usize,
}

impl<'a> Raw<'a> {
    /// Makes it raw: each key arrives at once, without echo, and Ctrl+C is an ordinary key.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn begin(terminal: &'a MenuTerminal) -> io::Result<Self> {
        let before = tcgetattr(&terminal.file)?;
        let raw = Self { terminal, before, drawn: 0 };
        raw.set()?;
        Ok(raw)
    }

    fn set(&self) -> io::Result<()> {
        let mut settings = self.before.clone();
        settings.local_flags -= LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG | LocalFlags::IEXTEN;
        settings.input_flags -= InputFlags::IXON | InputFlags::ICRNL | InputFlags::INLCR | InputFlags::IGNCR;
        settings.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        settings.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        // Not TCSAFLUSH, which would discard keys that were typed ahead.
        tcsetattr(&self.terminal.file, SetArg::TCSADRAIN, &settings)?;
        // Hide the cursor while the menu is shown.
        self.terminal.write("\x1b[?25l")
    }

    /// Makes it raw again, after the shell used it in between.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn resume(&mut self) -> io::Result<()> {
        // The shell has written below the menu.
        self.drawn = 0;
        self.set()
    }

    /// Draws lines in place of those drawn before.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&mut self, lines: &[MenuLine]) -> io::Result<()> {
        let mut text = self.back();
        for line in lines {
            let _ = match line.is_at {
                true => write!(text, "\x1b[7m{}\x1b[0m\r\n", line.text),
                false => write!(text, "{}\r\n", line.text),
            };
        }
        self.drawn = lines.len();
        self.terminal.write(&text)
    }

    /// Moves the cursor to the beginning of the menu, and clears from there on.
    fn back(&self) -> String {
        if self.drawn == 0 { "\r\x1b[J".to_owned() } else { format!("\r\x1b[{}A\x1b[J", self.drawn) }
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        // An error cannot be reported any more, and the settings matter most.
        let _ = self.terminal.write(&format!("{}\x1b[?25h", self.back()));
        let _ = tcsetattr(&self.terminal.file, SetArg::TCSADRAIN, &self.before);
    }
}
