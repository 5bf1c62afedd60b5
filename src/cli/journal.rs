//! Where messages go.
//!
//! In the supervisor: to standard error, which systemd has connected to the journal, each line with its level in front
//! (sd-daemon(3)). Everywhere else: to the journal by its own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), and from
//! warnings up to the person at the terminal.

use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Where journald listens for its native protocol.
const SOCKET: &str = "/run/systemd/journal/socket";

/// Begins to log. `STARTXD_LOG` (error, warn, info, debug, trace) says how much; info if it is unset or nonsense.
pub fn begin(supervisor: bool) {
    let level = std::env::var("STARTXD_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(Level::INFO);
    let format = tracing_subscriber::fmt()
        .with_max_level(level)
        .without_time()
        .with_target(false)
        .with_level(false)
        .with_ansi(false);
    if supervisor {
        format.with_writer(Prefixed).init();
    } else {
        format.with_writer(Journal { socket: UnixDatagram::unbound().ok(), terminal: !is_journal() }).init();
    }
}

/// Whether standard error ends in the journal too, as systemd.exec(5) says under `$JOURNAL_STREAM`: in a unit without a
/// terminal everything would be there twice.
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    // Of the device that is behind the link.
    std::fs::metadata("/proc/self/fd/2").is_ok_and(|file| stream == format!("{}:{}", file.dev(), file.ino()))
}

/// The level as syslog(3) counts.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// Writes to standard error with the level in front.
struct Prefixed;

impl<'a> MakeWriter<'a> for Prefixed {
    type Writer = Message<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Message { level: Level::INFO, text: Vec::new(), journal: None }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        Message { level: *metadata.level(), text: Vec::new(), journal: None }
    }
}

/// Writes to the journal and to the terminal.
struct Journal {
    socket: Option<UnixDatagram>,
    /// Whether there is somebody to read standard error.
    terminal: bool,
}

impl<'a> MakeWriter<'a> for Journal {
    type Writer = Message<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Message { level: Level::INFO, text: Vec::new(), journal: Some(self) }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        Message { level: *metadata.level(), text: Vec::new(), journal: Some(self) }
    }
}

/// One message; sent when it is dropped, which is when it is complete.
struct Message<'a> {
    level: Level,
    text: Vec<u8>,
    journal: Option<&'a Journal>,
}

impl Write for Message<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        let text = self.text.trim_ascii_end();
        let priority = priority(self.level);
        // A journal or a terminal that is gone must not end a session: nothing here may fail.
        match self.journal {
            None => {
                for line in text.split(|&byte| byte == b'\n') {
                    let line = [format!("<{priority}>").as_bytes(), line, b"\n"].concat();
                    let _ = io::stderr().write_all(&line);
                }
            }
            Some(journal) => {
                if journal.terminal && self.level <= Level::WARN {
                    // Carriage returns: the server may have left the terminal raw.
                    let text = String::from_utf8_lossy(text).replace('\n', "\r\n");
                    let _ = io::stderr().write_all(format!("startxd: {text}\r\n").as_bytes());
                }
                if let Some(socket) = &journal.socket {
                    let _ = socket.send_to(&entry(priority, text), SOCKET);
                }
            }
        }
    }
}

/// An entry of the native protocol: fields by line, the message with its length because it may have lines of its own.
fn entry(priority: u8, text: &[u8]) -> Vec<u8> {
    let mut entry = format!("PRIORITY={priority}\nSYSLOG_IDENTIFIER=startxd\nMESSAGE\n").into_bytes();
    entry.extend((text.len() as u64).to_le_bytes());
    entry.extend(text);
    entry.push(b'\n');
    entry
}

#[cfg(test)]
mod tests {
    use super::entry;

    #[test]
    fn entries_carry_their_length() {
        let entry = entry(4, b"two\nlines");
        assert_eq!(entry, b"PRIORITY=4\nSYSLOG_IDENTIFIER=startxd\nMESSAGE\n\x09\0\0\0\0\0\0\0two\nlines\n");
    }
}
