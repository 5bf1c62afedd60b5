//! Destinations of messages that must not block: messages that are not accepted at once are kept, up to a limit, and
//! those beyond it are counted.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};
use nix::sys::stat::{SFlag, fstat};
use nix::sys::termios::tcgetsid;

/// How many bytes are kept for later.
pub(super) const ROOM: usize = 256 << 10;

/// What takes messages. A write never waits: what is not taken at once is [`ErrorKind::WouldBlock`], and of a stream a
/// part may be taken.
pub(super) type Take = Box<dyn FnMut(&[u8]) -> io::Result<usize> + Send>;

/// The sentence about lost messages, as it is written to this place.
pub(super) type Tell = fn(u64) -> Vec<u8>;

/// A place for messages.
pub(super) struct Sink {
    take: Take,
    tell: Tell,
    waiting: VecDeque<Vec<u8>>,
    /// How much of the first one is written already.
    begun: usize,
    /// The sum of the lengths of all that wait.
    bytes: usize,
    lost: u64,
}

impl Sink {
    pub(super) fn new(take: Take, tell: Tell) -> Self {
        Self { take, tell, waiting: VecDeque::new(), begun: 0, bytes: 0, lost: 0 }
    }

    /// Writes a record of `messages` messages, or keeps it for later, or drops it.
    pub(super) fn put(&mut self, record: Vec<u8>, messages: u64) {
        self.flush();
        if self.bytes + record.len() > ROOM {
            self.lost += messages;
            return;
        }
        self.keep(record);
        self.flush();
    }

    /// Writes what waits, as far as it is taken. Returns whether nothing waits any more.
    pub(super) fn flush(&mut self) -> bool {
        loop {
            let Some(first) = self.waiting.front() else {
                if self.lost == 0 {
                    return true;
                }
                let told = (self.tell)(std::mem::take(&mut self.lost));
                self.keep(told);
                continue;
            };
            let rest = &first[self.begun..];
            match (self.take)(rest) {
                Ok(count) if count < rest.len() && count > 0 => self.begun += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Nobody reads here any more, which must not end a session.
                Ok(_) | Err(_) => {
                    self.bytes -= first.len();
                    self.begun = 0;
                    self.waiting.pop_front();
                }
            }
        }
    }

    /// Whether there is as much room as a lot of messages needs.
    pub(super) fn has_room(&mut self) -> bool {
        self.flush() || self.bytes < ROOM / 2
    }

    fn keep(&mut self, record: Vec<u8>) {
        self.bytes += record.len();
        self.waiting.push_back(record);
    }
}

/// Sends one datagram to the journal's own socket.
pub(super) fn to_journal(socket: &UnixDatagram, path: &str, entry: &[u8]) -> io::Result<usize> {
    socket.send_to(entry, path)
}

/// Writes to standard error, as much as it takes at once.
///
/// It is shared with the shell and with every program that the shell starts: `O_NONBLOCK` there would be theirs as
/// well, and most take `EAGAIN` for an error. A socket, which is the journal's, is told with each message not to wait;
/// a terminal or a pipe is opened again for it.
pub(super) fn to_stderr(bytes: &[u8]) -> io::Result<usize> {
    let stderr = io::stderr();
    to_shared(stderr.as_fd(), bytes)
}

fn to_shared(shared: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let kind = SFlag::from_bits_truncate(fstat(shared)?.st_mode) & SFlag::S_IFMT;
    if kind == SFlag::S_IFSOCK {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        return Ok(send(shared.as_raw_fd(), bytes, flags)?);
    }
    if kind != SFlag::S_IFIFO && kind != SFlag::S_IFCHR {
        // A file takes everything.
        return Ok(nix::unistd::write(shared, bytes)?);
    }
    match opened_anew(shared) {
        Ok(mut own) => own.write(bytes),
        // Somebody else's, as after su(1): asked whether it takes something now, and given no more than a pipe then
        // takes for sure (pipe(7), PIPE_BUF). A terminal that is stopped between the two would still be waited for.
        Err(_) => {
            let mut ready = [PollFd::new(shared, PollFlags::POLLOUT)];
            if poll(&mut ready, PollTimeout::ZERO)? == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            Ok(nix::unistd::write(shared, &bytes[..bytes.len().min(libc::PIPE_BUF)])?)
        }
    }
}

/// A terminal or a pipe with an open file description of our own, which nobody else has. Opened for each message, and
/// so never in the way: a terminal that is hung up, and a pipe whose reader waits for the last writer.
///
/// # Errors
/// It is not ours to open.
fn opened_anew(shared: BorrowedFd<'_>) -> io::Result<std::fs::File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let mut options = std::fs::File::options();
    options.write(true).custom_flags(flags);
    // The node of a virtual terminal belongs to root again once a server has ended (logind, `vt_restore`). Only for our
    // controlling terminal does the kernel tell a session.
    match tcgetsid(shared) {
        Ok(_) => options.open("/dev/tty"),
        // Hung up: by its name somebody else's login could be on it by now.
        Err(Errno::EIO) => Err(Errno::EIO.into()),
        Err(_) => options.open(format!("/proc/self/fd/{}", shared.as_raw_fd())),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::sync::{Arc, Mutex};

    use nix::fcntl::{FcntlArg, OFlag, fcntl};

    use super::{ROOM, Sink, to_shared};

    /// How much may be taken, and what was.
    type Taken = Arc<Mutex<(usize, Vec<u8>)>>;

    /// A sink that takes as much as it is let.
    fn sink() -> (Sink, Taken) {
        let state = Arc::new(Mutex::new((0, Vec::new())));
        let theirs = Arc::clone(&state);
        let take = move |bytes: &[u8]| {
            let (may, took) = &mut *theirs.lock().unwrap();
            let count = bytes.len().min(*may);
            if count == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            *may -= count;
            took.extend(&bytes[..count]);
            Ok(count)
        };
        (Sink::new(Box::new(take), |lost| format!("{lost} lost\n").into_bytes()), state)
    }

    #[test]
    fn what_is_not_taken_is_kept_in_order_and_whole() {
        let (mut sink, state) = sink();
        state.lock().unwrap().0 = 5;
        sink.put(b"one\n".to_vec(), 1);
        sink.put(b"two\n".to_vec(), 1);
        sink.put(b"three\n".to_vec(), 1);
        assert_eq!(state.lock().unwrap().1, b"one\nt");
        assert!(!sink.flush() && sink.has_room());
        state.lock().unwrap().0 = 100;
        assert!(sink.flush());
        assert_eq!(state.lock().unwrap().1, b"one\ntwo\nthree\n");
    }

    #[test]
    fn what_is_too_much_is_counted_and_said_later() {
        let (mut sink, state) = sink();
        let line = vec![b'x'; 1024];
        for _ in 0..1000 {
            sink.put(line.clone(), 2);
        }
        assert!(!sink.has_room() && sink.bytes <= ROOM);
        state.lock().unwrap().0 = usize::MAX;
        sink.put(b"after\n".to_vec(), 1);
        let took = state.lock().unwrap().1.clone();
        let kept = ROOM / line.len();
        let end = format!("{} lost\nafter\n", 2 * (1000 - kept));
        assert_eq!(took.len(), kept * line.len() + end.len());
        assert!(took.ends_with(end.as_bytes()));
        assert!(sink.flush() && sink.bytes == 0);
    }

    #[test]
    fn where_nobody_reads_nothing_is_kept() {
        let mut sink = Sink::new(Box::new(|_| Err(ErrorKind::BrokenPipe.into())), |_| Vec::new());
        sink.put(b"one".to_vec(), 1);
        assert!(sink.flush() && sink.bytes == 0);
    }

    /// Writes until nothing more is taken, and then some.
    fn fills(shared: std::os::fd::BorrowedFd<'_>) -> usize {
        let mut written = 0;
        loop {
            match to_shared(shared, &[b'x'; 1000]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return written,
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn a_full_pipe_and_a_full_socket_are_not_waited_for_and_stay_blocking_for_others() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let written = fills(writer.as_fd());
        assert!(written > 4096);
        let flags = OFlag::from_bits_truncate(fcntl(&writer, FcntlArg::F_GETFL).unwrap());
        assert!(!flags.contains(OFlag::O_NONBLOCK));
        drop(writer);
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap();
        assert_eq!(text.len(), written);

        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert!(fills(ours.as_fd()) > 4096);
        let flags = OFlag::from_bits_truncate(fcntl(&ours, FcntlArg::F_GETFL).unwrap());
        assert!(!flags.contains(OFlag::O_NONBLOCK));
    }

    #[test]
    fn a_stopped_terminal_is_not_waited_for() {
        use nix::sys::termios::{FlowArg, tcflow};
        // The other end of a pseudo-terminal, which is not a controlling terminal here.
        let master = nix::pty::posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY).unwrap();
        nix::pty::grantpt(&master).unwrap();
        nix::pty::unlockpt(&master).unwrap();
        let name = nix::pty::ptsname_r(&master).unwrap();
        use std::os::unix::fs::OpenOptionsExt;
        let options = nix::libc::O_NOCTTY;
        let terminal = std::fs::File::options().read(true).write(true).custom_flags(options).open(name).unwrap();
        assert_eq!(to_shared(terminal.as_fd(), b"seen").unwrap(), 4);
        // As Ctrl+S does.
        tcflow(&terminal, FlowArg::TCOOFF).unwrap();
        assert_eq!(to_shared(terminal.as_fd(), b"not seen").unwrap_err().kind(), ErrorKind::WouldBlock);
        tcflow(&terminal, FlowArg::TCOON).unwrap();
        assert_eq!(to_shared(terminal.as_fd(), b"seen").unwrap(), 4);
    }
}
