//! The server's output on its way to the journal.

use std::io::{self, Write};
use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use tokio::io::unix::AsyncFd;

use super::lines::Lines;
use crate::deadline::LEFT_IN_PIPE;
use crate::os;

/// Reads the pipe that is the server's standard output and error, and writes whole lines to our standard error, which
/// systemd has connected to the journal.
///
/// All lines that came at once are passed on at once: a server that says a lot, as one does whose driver is in trouble,
/// would otherwise cost two system calls of ours and one of the journal's for each, and wait for us in its write.
pub struct Relay {
    pipe: AsyncFd<OwnedFd>,
    buffer: Box<[u8]>,
    lines: Lines,
    whole: String,
    closed: bool,
    say: fn(&str),
}

/// How much is read at once: a quarter of what is in a full pipe (pipe(7)).
const PIECE: usize = 16 << 10;

impl Relay {
    /// Makes the pipe, and returns the end that the server writes to.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn new() -> io::Result<(Self, OwnedFd)> {
        Self::to(say)
    }

    /// As [`Relay::new`], with another place for the lines: `say` gets one or several, each with its end.
    ///
    /// # Errors
    /// As there.
    pub fn to(say: fn(&str)) -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = io::pipe()?;
        let reader = OwnedFd::from(reader);
        // Only our end: the server's must block, or its lines would be lost when we are slow.
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let relay = Self {
            pipe: os::watch(reader)?,
            buffer: vec![0; PIECE].into(),
            lines: Lines::default(),
            whole: String::new(),
            closed: false,
            say,
        };
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
        while !self.closed && tokio::time::timeout(LEFT_IN_PIPE, self.step()).await.is_ok() {}
        self.finish();
    }

    /// The server's last lines for a person ([`Lines::tail`]). The journal has them whole.
    #[must_use]
    pub fn tail(&self) -> String {
        self.lines.tail()
    }

    async fn step(&mut self) {
        let buffer = &mut self.buffer;
        let read = self.pipe.async_io(tokio::io::Interest::READABLE, |pipe| Ok(nix::unistd::read(pipe, buffer)?));
        match read.await {
            Ok(0) | Err(_) => {
                self.closed = true;
                self.finish();
            }
            Ok(count) => {
                self.lines.take(&self.buffer[..count], |line| add(&mut self.whole, line));
                self.pass_on();
            }
        }
    }

    /// Passes on what there is of a line that has no end.
    fn finish(&mut self) {
        self.lines.finish(|line| add(&mut self.whole, line));
        self.pass_on();
    }

    fn pass_on(&mut self) {
        if !self.whole.is_empty() {
            (self.say)(&self.whole);
            self.whole.clear();
        }
    }
}

fn add(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// A full or closed journal must not stop the server's output, or the server with it.
fn say(lines: &str) {
    let _ = io::stderr().write_all(lines.as_bytes());
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
        assert!(tail.lines().all(|line| line.chars().count() <= 159));
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
