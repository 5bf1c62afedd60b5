//! Where messages go.
//!
//! In the supervisor: to standard error, which systemd has connected to the journal, each line with its level in front
//! (sd-daemon(3)). Everywhere else: to the journal by its own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), and from
//! warnings up to the person at the terminal.
//!
//! # Nothing here blocks
//!
//! A journald that is stopped, or a terminal after Ctrl+S, accepts nothing for an unlimited time. A process that waited
//! for it would delay everything: signals, the server's end, `startxd stop`. So no write of ours waits ([`sink`]).
//! Messages that are not accepted are kept and tried again; beyond a limit they are dropped, and their number is the
//! first message afterwards. A thread that may wait would be the alternative: but it costs time at every start,
//! `display run` forks itself and must have one thread, and the queue would still need a limit.

mod sink;

use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use crate::deadline::{LAST_MESSAGES, LOOK_AGAIN, TRY_TO_LOG_AGAIN};
use sink::Sink;

/// Where journald listens for its native protocol.
const SOCKET: &str = "/run/systemd/journal/socket";

/// Where this process logs to.
struct LogTargets {
    /// Standard error.
    stderr: Mutex<Sink>,
    /// The journal; `None` if it is behind standard error.
    journal: Option<Mutex<Sink>>,
    /// Whether messages of ours go to standard error: each line with its level, warnings for a person, or none.
    ours: Ours,
    /// Something waits.
    late: Notify,
}

/// What of our own messages is written to standard error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ours {
    Prefixed,
    Warnings,
    Nothing,
}

static PLACES: OnceLock<LogTargets> = OnceLock::new();

/// The places; those of a supervisor if nothing was begun, as in tests.
fn places() -> &'static LogTargets {
    PLACES.get_or_init(|| LogTargets::new(true))
}

impl LogTargets {
    fn new(supervisor: bool) -> Self {
        let prefixed = |lost: u64| format!("<4>{}\n", lost_messages(lost)).into_bytes();
        let for_a_person = |lost: u64| format!("startxd: {}\r\n", lost_messages(lost)).into_bytes();
        let stderr = Sink::new(Box::new(sink::to_stderr), if supervisor { prefixed } else { for_a_person });
        // Our own, so that it may be one that never waits.
        let socket = UnixDatagram::unbound().and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
        let journal = socket.ok().filter(|_| !supervisor).map(|socket| {
            let take = move |entry: &[u8]| sink::to_journal(&socket, SOCKET, entry);
            Mutex::new(Sink::new(Box::new(take), |lost| entry(priority(Level::WARN), lost_messages(lost).as_bytes())))
        });
        let ours = match supervisor {
            true => Ours::Prefixed,
            false if is_journal() => Ours::Nothing,
            false => Ours::Warnings,
        };
        Self { stderr: Mutex::new(stderr), journal, ours, late: Notify::new() }
    }

    fn put(&self, sink: &Mutex<Sink>, record: Vec<u8>, messages: u64) {
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        sink.put(record, messages);
        if !sink.flush() {
            self.late.notify_one();
        }
    }

    /// Whether nothing waits any more.
    fn flush(&self) -> bool {
        let flush = |sink: &Mutex<Sink>| sink.lock().unwrap_or_else(PoisonError::into_inner).flush();
        // Both, whatever the first one says.
        flush(&self.stderr) & self.journal.as_ref().is_none_or(flush)
    }
}

fn lost_messages(lost: u64) -> String {
    let messages = if lost == 1 { "message was" } else { "messages were" };
    format!("{lost} {messages} lost here: the journal or the terminal did not accept more")
}

/// Begins to log. `STARTXD_LOG` (error, warn, info, debug, trace) says how much; info if it is unset or nonsense.
pub fn begin(supervisor: bool) {
    let level = std::env::var("STARTXD_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(Level::INFO);
    let places = PLACES.get_or_init(|| LogTargets::new(supervisor));
    tracing_subscriber::fmt()
        .with_max_level(level)
        .without_time()
        .with_target(false)
        .with_level(false)
        .with_ansi(false)
        .with_writer(Writer(places))
        .init();
}

/// Keeps trying to write what was not accepted at once. Runs forever, in a task of its own.
pub async fn keep_trying() {
    let places = places();
    loop {
        places.late.notified().await;
        while !places.flush() {
            tokio::time::sleep(TRY_TO_LOG_AGAIN).await;
        }
    }
}

/// Writes what waits, at the end of the program; for a moment only.
pub fn finish() {
    let end = Instant::now() + LAST_MESSAGES;
    while PLACES.get().is_some_and(|places| !places.flush()) && Instant::now() < end {
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Writes lines of another program to standard error, for the journal: each with the level of information in front.
///
/// journald takes a level from the beginning of a line (sd-daemon(3)), the first one only. Without ours, a line
/// `<0>...` of a server would be an emergency, and on every terminal of the machine.
pub fn pass_on(lines: &str) {
    let priority = priority(Level::INFO);
    let text = lines.trim_end_matches('\n').as_bytes();
    let count = text.split(|&byte| byte == b'\n').count();
    let places = places();
    places.put(&places.stderr, prefixed(priority, text), u64::try_from(count).unwrap_or(u64::MAX));
}

/// Whether a program that logs a lot may continue. If not, it should wait, but not forever.
pub fn has_room() -> bool {
    let has_room = |sink: &Mutex<Sink>| sink.lock().unwrap_or_else(PoisonError::into_inner).has_room();
    let places = places();
    has_room(&places.stderr) && places.journal.as_ref().is_none_or(has_room)
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

/// Makes messages.
struct Writer(&'static LogTargets);

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Message;

    fn make_writer(&'a self) -> Self::Writer {
        Message { level: Level::INFO, text: Vec::new(), places: self.0 }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        Message { level: *metadata.level(), text: Vec::new(), places: self.0 }
    }
}

/// One message; sent when it is dropped, which is when it is complete.
struct Message {
    level: Level,
    text: Vec<u8>,
    places: &'static LogTargets,
}

impl Write for Message {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        let text = self.text.trim_ascii_end();
        let (places, priority) = (self.places, priority(self.level));
        match places.ours {
            Ours::Prefixed => places.put(&places.stderr, prefixed(priority, text), 1),
            Ours::Warnings if self.level <= Level::WARN => {
                // Carriage returns: the server may have left the terminal raw.
                let text = String::from_utf8_lossy(text).replace('\n', "\r\n");
                places.put(&places.stderr, format!("startxd: {text}\r\n").into_bytes(), 1);
            }
            Ours::Warnings | Ours::Nothing => {}
        }
        if let Some(journal) = &places.journal {
            places.put(journal, entry(priority, text), 1);
        }
    }
}

/// Lines with the level in front of each.
fn prefixed(priority: u8, text: &[u8]) -> Vec<u8> {
    let lines = text.split(|&byte| byte == b'\n');
    lines.flat_map(|line| [format!("<{priority}>").as_bytes(), line, b"\n"].concat()).collect()
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
    use super::{entry, lost_messages, prefixed};

    #[test]
    fn entries_carry_their_length() {
        let entry = entry(4, b"two\nlines");
        assert_eq!(entry, b"PRIORITY=4\nSYSLOG_IDENTIFIER=startxd\nMESSAGE\n\x09\0\0\0\0\0\0\0two\nlines\n");
    }

    #[test]
    fn each_line_has_a_level_of_ours() {
        assert_eq!(prefixed(3, b"one\n<0>two"), b"<3>one\n<3><0>two\n");
        assert_eq!(lost_messages(1), "1 message was lost here: the journal or the terminal did not accept more");
    }
}
