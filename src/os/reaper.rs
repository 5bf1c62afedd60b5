//! The parent of a command where there is no systemd to hold it in a unit.
//!
//! ```text
//! startxd display run -- COMMAND
//!   |- the server
//!   `- the reaper           a process group of its own, with all signals blocked
//!        `- COMMAND         in our process group
//! ```
//!
//! Whatever the command starts and leaves becomes a child of the reaper (prctl(2), `PR_SET_CHILD_SUBREAPER`), even after
//! setsid(2) and two forks. So the reaper finds and ends all of it: when we ask, and when we are killed. If the reaper is
//! killed, the same processes become our children, and we end them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::{set_child_subreaper, set_name};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, setpgid};

use super::gate::{Command, Held, hold};
use super::process::{parent, processes, stat, state};
use super::{pidfd_open, pidfd_signal};
use crate::deadline::{KILLED, LOOK_AGAIN};

/// Its name in lists of processes; 15 bytes at most.
const NAME: &CStr = c"display-reaper";

/// Lets the command run.
const RUN: u8 = 1;
/// Ends the command and everything that it has started.
const END: u8 = 2;

/// The process, with the command that it holds.
pub struct Reaper {
    /// Its pid. It is our child.
    pub pid: Pid,
    /// The command's pid. It is the reaper's child.
    pub command: Pid,
    socket: UnixStream,
}

/// Forks a process that forks `command`, which waits until it is released. When we end without [`Reaper::end`], it ends
/// the command and its descendants, and then does `work`.
///
/// `patience` is the time between SIGTERM and SIGKILL. This process must have one thread, as for [`janitor`](super::janitor()).
///
/// # Errors
/// fork(2), prctl(2) or socketpair(2) failed.
pub fn reaper(command: &Command<'_>, patience: Duration, work: impl FnOnce()) -> io::Result<Reaper> {
    let (ours, its) = UnixStream::pair()?;
    let dev_null = File::options().read(true).write(true).open("/dev/null")?;
    // For the case that the reaper is killed.
    set_child_subreaper(true)?;
    // SAFETY: by the contract above, the copy is as consistent as we are; it ends by _exit(2), so nothing of ours is
    // dropped or flushed twice.
    match Errno::result(unsafe { libc::fork() })? {
        0 => {
            drop(ours);
            if hold_and_watch(its, command, &dev_null, patience).unwrap_or(false) {
                work();
            }
            // SAFETY: ends this process.
            unsafe { libc::_exit(0) }
        }
        pid => {
            drop(its);
            let pid = Pid::from_raw(pid);
            let mut reaper = Reaper { pid, command: pid, socket: ours };
            match reaper.number() {
                Ok(command) => reaper.command = Pid::from_raw(command),
                Err(error) => {
                    let _ = waitpid(pid, None);
                    return Err(error);
                }
            }
            Ok(reaper)
        }
    }
}

impl Reaper {
    /// Releases the command, and returns when it has executed its program.
    ///
    /// # Errors
    /// The program could not be executed.
    pub fn release(&mut self) -> io::Result<()> {
        self.socket.write_all(&[RUN])?;
        match self.number()? {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// A copy of the socket on which it tells the command's status, as four bytes ([`status`]), and closes when it ends.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn socket(&self) -> io::Result<UnixStream> {
        self.socket.try_clone()
    }

    /// Tells it to end the command and everything that it has started. It ends itself then.
    pub fn end(&mut self) {
        // One that was killed has closed the socket.
        let _ = self.socket.write_all(&[END]);
    }

    fn number(&mut self) -> io::Result<i32> {
        let mut bytes = [0; 4];
        self.socket.read_exact(&mut bytes)?;
        Ok(i32::from_ne_bytes(bytes))
    }
}

/// The exit status of a process as shells define it: 128 plus the signal's number if it was killed. `None` if it has not
/// ended.
#[must_use]
pub fn status(status: WaitStatus) -> Option<u8> {
    match status {
        WaitStatus::Exited(_, status) => Some(u8::try_from(status).unwrap_or(u8::MAX)),
        WaitStatus::Signaled(_, signal, _) => {
            Some(128_u8.saturating_add(u8::try_from(signal as i32).unwrap_or(u8::MAX)))
        }
        _ => None,
    }
}

/// The reaper's part. Returns whether it was left alone, so that it has to clean up.
fn hold_and_watch(
    mut socket: UnixStream,
    command: &Command<'_>,
    dev_null: &File,
    patience: Duration,
) -> io::Result<bool> {
    // Signals are for the command, and for the process that passes them on.
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None)?;
    // What kills all processes called startxd, as pkill(1) does, is survived by this one, which then cleans up.
    set_name(NAME)?;
    set_child_subreaper(true)?;
    let held = hold(command)?;
    let pid = held.pid;
    // What is sent to the group of the command does not end us, not even SIGKILL.
    setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    // We may have inherited that it is ignored, and then the kernel would reap our children.
    // SAFETY: the default action installs no handler of ours.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }?;
    for standard in 0..3 {
        // SAFETY: both descriptors are open. A process that reads our output must not wait for this one.
        unsafe { libc::dup2(dev_null.as_raw_fd(), standard) };
    }
    let children =
        SignalFd::with_flags(&SigSet::from(Signal::SIGCHLD), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    tell(&mut socket, pid.as_raw());
    let is_alone = serve(&mut socket, held, &children);
    end_descendants(&BTreeSet::new(), patience, |ended, how| {
        if let Some(status) = status(how).filter(|_| ended == pid) {
            tell(&mut socket, status.into());
        }
    });
    Ok(is_alone)
}

/// Does what it is told until it is told to end, or until nobody is there to tell it: then returns true.
fn serve(socket: &mut UnixStream, held: Held, children: &SignalFd) -> bool {
    let command = held.pid;
    let mut held = Some(held);
    loop {
        let mut fds =
            [PollFd::new(socket.as_fd(), PollFlags::POLLIN), PollFd::new(children.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return true,
        }
        let is_told = fds[0].any().unwrap_or(true);
        while matches!(children.read_signal(), Ok(Some(_))) {}
        while let Ok(how) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            match (how.pid(), status(how)) {
                (Some(pid), Some(status)) if pid == command => tell(socket, status.into()),
                (Some(_), _) => {}
                (None, _) => break,
            }
        }
        if !is_told {
            continue;
        }
        let mut order = [0];
        match socket.read(&mut order) {
            Ok(1) if order == [RUN] => {
                let released = held.take().map_or(Ok(command), Held::release);
                tell(socket, released.err().and_then(|error| error.raw_os_error()).unwrap_or(0));
            }
            Ok(1) => return false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => return true,
        }
    }
}

/// Writes a number, if anybody reads.
fn tell(socket: &mut UnixStream, number: i32) {
    let _ = socket.write_all(&number.to_ne_bytes());
}

/// Ends all descendants of this process but `others` and theirs: SIGTERM, and SIGKILL after `patience`. Reaps those that
/// are our children, and hands over how each ended. Returns when there is none, or when even SIGKILL does not help.
///
/// A race: a process may fork, or be orphaned, while we look. So we look again until there is none.
pub fn end_descendants(others: &BTreeSet<Pid>, patience: Duration, mut ended: impl FnMut(Pid, WaitStatus)) {
    let begun = Instant::now();
    let mut asked = BTreeSet::new();
    let mut looks_without_any = 0;
    while looks_without_any < 2 && begun.elapsed() < patience + KILLED {
        let found = descendants(others);
        for (&pid, &above) in &found {
            if above == Pid::this()
                && let Ok(how @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..))) =
                    waitpid(pid, Some(WaitPidFlag::WNOHANG))
            {
                ended(pid, how);
                continue;
            }
            let is_late = begun.elapsed() >= patience;
            if is_late || asked.insert(pid) {
                let signals: &[Signal] = if is_late { &[Signal::SIGKILL] } else { &[Signal::SIGTERM, Signal::SIGCONT] };
                send(pid, above, signals);
            }
        }
        // The list in /proc is not of one moment. The kernel knows whether we have children.
        let none = waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT);
        if found.is_empty() && none == Err(Errno::ECHILD) {
            return;
        }
        looks_without_any = if found.is_empty() { looks_without_any + 1 } else { 0 };
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Sends signals to a process if it is still the child of this parent: its pid may have become another process's.
fn send(pid: Pid, above: Pid, signals: &[Signal]) {
    let Ok(pidfd) = pidfd_open(pid) else { return };
    if stat(pid).ok().and_then(|stat| parent(&stat)) == Some(above) {
        for &signal in signals {
            let _ = pidfd_signal(&pidfd, signal);
        }
    }
}

/// Our descendants with the parent of each, without `others` and theirs.
fn descendants(others: &BTreeSet<Pid>) -> BTreeMap<Pid, Pid> {
    let parents: BTreeMap<Pid, Pid> = processes()
        .filter_map(|pid| {
            let stat = stat(pid).ok()?;
            let above = parent(&stat)?;
            // Another process reaps what has ended, unless it is our child.
            (above == Pid::this() || state(&stat) != Some('Z')).then_some((pid, above))
        })
        .collect();
    let is_below = |mut pid: Pid| {
        // At most as many steps as there are processes.
        for _ in 0..=parents.len() {
            if others.contains(&pid) {
                return false;
            }
            match parents.get(&pid) {
                Some(&above) if above == Pid::this() => return true,
                Some(&above) => pid = above,
                None => return false,
            }
        }
        false
    };
    parents.iter().filter(|&(&pid, _)| is_below(pid)).map(|(&pid, &above)| (pid, above)).collect()
}
