//! The server's output on its way to the journal.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use tokio::io::unix::AsyncFd;

use crate::os;

/// How many of the server's last lines are kept for a message, and how many rows of a VT they may take.
const TAIL: usize = 12;
/// So many characters of each are shown: two rows of a VT.
const SHOWN: usize = 2 * COLUMNS - 2;
/// Columns of a VT.
const COLUMNS: usize = 80;
/// A line is passed on in pieces of at most this many bytes (journald's own `LineMax=` is 48 KiB).
const LINE: usize = 2048;

/// Reads the pipe that is the server's standard output and error, and writes whole lines to our standard error, which
/// systemd has connected to the journal.
pub struct Relay {
    pipe: AsyncFd<OwnedFd>,
    partial: Vec<u8>,
    tail: VecDeque<String>,
    closed: bool,
}

impl Relay {
    /// Makes the pipe, and returns the end that the server writes to.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn new() -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = io::pipe()?;
        let reader = OwnedFd::from(reader);
        // Only our end: the server's must block, or its lines would be lost when we are slow.
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let relay = Self { pipe: os::watch(reader)?, partial: Vec::new(), tail: VecDeque::new(), closed: false };
        Ok((relay, writer.into()))
    }

    /// Relays for ever; may be dropped while it waits.
    pub async fn run(&mut self) {
        loop {
            if self.closed {
                std::future::pending::<()>().await;
            }
            self.step().await;
        }
    }

    /// Relays what is left after the server's end. Others may have inherited the pipe, so end-of-file may not come.
    pub async fn drain(&mut self) {
        /// What a dead server has written is in the pipe already.
        const LEFT: Duration = Duration::from_millis(50);
        while !self.closed && tokio::time::timeout(LEFT, self.step()).await.is_ok() {}
        self.flush_partial();
    }

    /// The server's last lines for a person, without control characters, each cut to two rows of a VT. The journal has
    /// them whole.
    #[must_use]
    pub fn tail(&self) -> String {
        let cut = |line: &String| match line.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line.clone(),
        };
        let lines: Vec<String> = self.tail.iter().map(cut).collect();
        // The last ones that fit, or the sentence above them would be scrolled away.
        let mut rows = 0;
        let fits = |line: &&String| {
            rows += line.chars().count().div_ceil(COLUMNS).max(1);
            rows <= TAIL
        };
        let shown = lines.iter().rev().take_while(fits).count();
        lines[lines.len() - shown..].join("\n")
    }

    async fn step(&mut self) {
        let mut buffer = [0; 4096];
        let read = self.pipe.async_io(tokio::io::Interest::READABLE, |pipe| Ok(nix::unistd::read(pipe, &mut buffer)?));
        match read.await {
            Ok(0) | Err(_) => {
                self.closed = true;
                self.flush_partial();
            }
            Ok(count) => self.take(&buffer[..count]),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' || self.partial.len() >= LINE {
                self.flush_partial();
            }
            if byte != b'\n' {
                self.partial.push(byte);
            }
        }
    }

    fn flush_partial(&mut self) {
        if self.partial.is_empty() {
            return;
        }
        let line = String::from_utf8_lossy(&self.partial);
        // The lines end up on a person's terminal: escape sequences must not.
        let line: String = line.chars().map(|c| if c.is_control() && c != '\t' { '?' } else { c }).collect();
        self.partial.clear();
        // A full or closed journal must not stop the server's output, or the server with it.
        let _ = writeln!(io::stderr(), "{line}");
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::Relay;

    #[tokio::test(flavor = "current_thread")]
    async fn long_lines_are_cut_for_the_message() {
        let (mut relay, writer) = Relay::new().unwrap();
        let mut writer = std::fs::File::from(writer);
        writer.write_all("ü".repeat(5000).as_bytes()).unwrap();
        drop(writer);
        relay.drain().await;
        let tail = relay.tail();
        assert!(tail.lines().all(|line| line.chars().count() <= super::SHOWN + 1));
        assert!((1..=6).contains(&tail.lines().count()), "{tail}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn keeps_the_last_lines_and_no_escape_sequences() {
        let (mut relay, writer) = Relay::new().unwrap();
        let mut writer = std::fs::File::from(writer);
        for number in 0..40 {
            writeln!(writer, "line {number}").unwrap();
        }
        writer.write_all(b"\x1b[2Jlast, \xff without an end").unwrap();
        drop(writer);
        relay.drain().await;
        let tail = relay.tail();
        assert_eq!(tail.lines().count(), 12);
        assert!(tail.starts_with("line 29\n"), "{tail}");
        assert!(tail.ends_with("?[2Jlast, \u{fffd} without an end"), "{tail}");
    }
}
