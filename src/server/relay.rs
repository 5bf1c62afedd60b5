//! The server's output on its way to the journal.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::lines::Lines;
use crate::deadline::{CLOSED, JOURNAL, LEFT_IN_PIPE, LOOK_AGAIN};
use crate::{log, os};

/// A task that reads the pipe of the server's standard output and error, and relays complete lines; it ends when
/// this is dropped.
///
/// Lines that arrive together are relayed together: a server that prints a lot, as with a failing driver,
/// would otherwise cost three system calls for each line, and wait for us in its write.
///
/// The server writes to a pipe, and waits when that is full. So a slow journal slows down a server that floods it,
/// but a journal that accepts nothing must not stop it: after a moment lines are dropped, and counted ([`log`]).
pub struct Relay {
    lines: Arc<Mutex<Lines>>,
    orders: mpsc::UnboundedSender<oneshot::Sender<()>>,
}

/// A destination of lines. Never waits.
#[derive(Clone, Copy)]
pub struct Out {
    /// Gets one line or several, each with its end.
    pub say: fn(&str),
    /// Whether lines would be dropped now.
    pub has_room: fn() -> bool,
}

impl Out {
    /// To our standard error, which systemd has connected to the journal.
    pub const STDERR: Self = Self { say: log::pass_on, has_room: log::has_room };
}

/// How much is read at once: a quarter of a full pipe (pipe(7)).
const PIECE: usize = 16 << 10;

impl Relay {
    /// Creates the pipe, begins to read it, and returns the end that the server writes to.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn start(out: Out) -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = io::pipe()?;
        let reader = OwnedFd::from(reader);
        // Only our end: the server's must block, or its lines would be lost when we are slow.
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let lines = Arc::<Mutex<Lines>>::default();
        let (orders, queue) = mpsc::unbounded_channel();
        let task = Task {
            pipe: os::watch(reader)?,
            buffer: vec![0; PIECE].into(),
            lines: Arc::clone(&lines),
            out,
            stuck: false,
            closed: false,
        };
        tokio::spawn(task.run(queue));
        Ok((Self { lines, orders }, writer.into()))
    }

    /// Relays what is left after the server's end. Other processes may have inherited the pipe, so end-of-file may not
    /// come.
    pub async fn drain(&self) {
        let (done, drained) = oneshot::channel();
        if self.orders.send(done).is_ok() {
            let _ = drained.await;
        }
    }

    /// The server's last lines for a person ([`Lines::tail`]). The journal has them in full.
    #[must_use]
    pub fn tail(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).tail()
    }
}

/// What a server says that could not create its socket (`CreateWellKnownSockets` in os/connection.c). Ours are given one,
/// so such a server does not look at what it is given.
const NO_SOCKETS: &str = "Cannot establish any listening sockets";

/// What a server says that cannot show anything (`InitOutput` in hw/xfree86/common/xf86Init.c).
const NO_SCREENS: &str = "no screens found";

/// Why a server does not use its socket, and what to do; ends a sentence.
pub(super) const NO_ACTIVATION: &str = "it does not use the socket that it is given, because it was built without \
    -Dsystemd_notify=true, as XLibre is by default; build it with that option, or choose another server: server.binary in \
    startxd.toml, or --server";

/// A sentence about a server, with its last lines, or with arguments for journalctl(1) that find its messages.
#[must_use]
pub fn with_last_lines(sentence: &str, tail: &str, journal: &str) -> String {
    if tail.is_empty() {
        return format!("{sentence}; it said nothing; see: journalctl --user -b {journal}");
    }
    if tail.contains(NO_SOCKETS) {
        // "Make sure an X server isn't already running", which is its last line, would mislead.
        return format!("{sentence}: {NO_ACTIVATION}");
    }
    if sentence.contains(NO_ACTIVATION) {
        // Its last lines do not explain that.
        return sentence.to_owned();
    }
    // It says no more than that to whoever has no graphics device, or none that it may use.
    let remedy = if tail.contains(NO_SCREENS) { "; to see what it lacks: startxd doctor" } else { "" };
    format!("{sentence}{remedy}; its last lines:\n{tail}")
}

struct Task {
    pipe: AsyncFd<OwnedFd>,
    buffer: Box<[u8]>,
    lines: Arc<Mutex<Lines>>,
    out: Out,
    /// No line was accepted for a long time: they are dropped until one is.
    stuck: bool,
    closed: bool,
}

impl Task {
    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<oneshot::Sender<()>>) {
        loop {
            let order = tokio::select! {
                biased;
                order = orders.recv() => order,
                () = self.relay() => continue,
            };
            // Dropped: the owner is done with this server.
            let Some(done) = order else { return };
            self.drain().await;
            let _ = done.send(());
        }
    }

    /// Relays once. May be dropped while it waits.
    async fn relay(&mut self) {
        if self.closed {
            std::future::pending::<()>().await;
        }
        self.wait_for_room().await;
        self.step().await;
    }

    async fn wait_for_room(&mut self) {
        let end = Instant::now() + JOURNAL;
        loop {
            let has_room = (self.out.has_room)();
            if has_room || self.stuck || Instant::now() >= end {
                self.stuck = !has_room;
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn drain(&mut self) {
        // Another process that has inherited the pipe may write without end.
        let end = Instant::now() + CLOSED;
        while !self.closed && Instant::now() < end && timeout(LEFT_IN_PIPE, self.step()).await.is_ok() {}
        self.finish();
    }

    async fn step(&mut self) {
        let buffer = &mut self.buffer;
        let read = self.pipe.async_io(Interest::READABLE, |pipe| Ok(nix::unistd::read(pipe, buffer)?));
        match read.await {
            Ok(0) | Err(_) => {
                self.closed = true;
                self.finish();
            }
            Ok(count) => self.pass_on(Some(count)),
        }
    }

    /// Relays the rest of a line that has no end.
    fn finish(&mut self) {
        self.pass_on(None);
    }

    /// Relays the lines that `count` bytes of the buffer complete, or the last one.
    fn pass_on(&mut self, count: Option<usize>) {
        let mut whole = String::new();
        let add = |line: &str| {
            whole.push_str(line);
            whole.push('\n');
        };
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        match count {
            Some(count) => lines.take(&self.buffer[..count], add),
            None => lines.finish(add),
        }
        drop(lines);
        if !whole.is_empty() {
            (self.out.say)(&whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::{Out, Relay, with_last_lines};

    const NOWHERE: Out = Out { say: |_| {}, has_room: || true };

    #[tokio::test(flavor = "current_thread")]
    async fn long_lines_are_cut_for_the_message() {
        let (relay, writer) = Relay::start(NOWHERE).unwrap();
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
        let (relay, writer) = Relay::start(NOWHERE).unwrap();
        let told = with_last_lines("It ended", &relay.tail(), "-u a");
        assert_eq!(told, "It ended; it said nothing; see: journalctl --user -b -u a");
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
        assert!(with_last_lines("It ended", &tail, "-u a").starts_with("It ended; its last lines:\nline 29\n"));
        let lacks = with_last_lines("It ended", "(EE) no screens found(EE)", "-u a");
        assert!(lacks.starts_with("It ended; to see what it lacks: startxd doctor; its last lines:\n"), "{lacks}");
    }

    #[test]
    fn a_server_that_ignores_its_socket_is_named_by_its_build_option() {
        let tail = "(EE) \nFatal server error:\n(EE) Cannot establish any listening sockets - Make sure an X server isn't \
                    already running(EE) ";
        let told = with_last_lines("It ended", tail, "-u a");
        assert!(told.starts_with("It ended: ") && told.contains(" -Dsystemd_notify=true, "), "{told}");
        assert!(!told.contains("already running") && !told.contains('\n'), "{told}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn lines_after_a_drain_are_relayed_as_well() {
        static SAID: AtomicUsize = AtomicUsize::new(0);
        let say = |text: &str| {
            SAID.fetch_add(text.lines().count(), Ordering::Relaxed);
        };
        let (relay, writer) = Relay::start(Out { say, has_room: || true }).unwrap();
        let mut writer = std::fs::File::from(writer);
        writer.write_all(b"one\ntwo").unwrap();
        relay.drain().await;
        assert_eq!(SAID.load(Ordering::Relaxed), 2);
        writer.write_all(b"three\n").unwrap();
        relay.drain().await;
        assert_eq!((SAID.load(Ordering::Relaxed), relay.tail().as_str()), (3, "one\ntwo\nthree"));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_journal_that_accepts_nothing_does_not_stop_the_server() {
        let (relay, writer) = Relay::start(Out { say: |_| {}, has_room: || false }).unwrap();
        // More than the pipe holds, by a writer that waits for room in it.
        let server = std::thread::spawn(move || {
            let mut writer = std::fs::File::from(writer);
            for number in 0..100_000 {
                writeln!(writer, "line {number}").unwrap();
            }
        });
        let ended = async {
            while !server.is_finished() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(30), ended).await.unwrap();
        relay.drain().await;
        assert!(relay.tail().ends_with("line 99999"));
    }
}
