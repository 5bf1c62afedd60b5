//! Another program, run to its end under a deadline.

use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use tokio::time::{Instant, timeout_at};

use crate::os::{self, Pid};

/// No program that we run says more than this.
const TOO_MUCH: usize = 16 << 20;

/// What a program said, and how it ended.
#[derive(Debug)]
pub struct Output {
    /// What it wrote to the streams that were asked for.
    pub said: Vec<u8>,
    /// How it ended; `None` if it did not in time, and was killed.
    pub end: Option<ExitStatus>,
}

/// Which of a program's streams are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// Standard output; standard error is ours.
    Output,
    /// Standard error; standard output is thrown away.
    Error,
    /// Both, in the order in which they are written.
    Both,
}

/// Runs a program to its end, with nothing to read, and returns what it wrote. What it leaves in the background stays, and
/// holds nothing up.
///
/// It gets a process group of its own, which is killed at `deadline`, and when this is dropped while it waits.
///
/// # Errors
/// It cannot be run, or says far too much.
pub async fn run(mut command: Command, streams: Streams, deadline: Instant) -> io::Result<Output> {
    let (reader, writer) = io::pipe()?;
    match streams {
        Streams::Output => command.stdout(writer),
        Streams::Error => command.stdout(Stdio::null()).stderr(writer),
        Streams::Both => command.stdout(writer.try_clone()?).stderr(writer),
    };
    let mut running = Running(command.stdin(Stdio::null()).process_group(0).spawn()?);
    // It holds the pipe's other end.
    drop(command);
    let mut said = Vec::new();
    let attended = timeout_at(deadline, attend(running.pid(), reader, &mut said)).await;
    let end = match attended {
        Ok(attended) => {
            attended?;
            running.0.try_wait()?
        }
        Err(_) => None,
    };
    Ok(Output { said, end })
}

/// Reads until the program has ended, and then what it has left in the pipe: others may still hold the other end.
async fn attend(pid: Pid, reader: PipeReader, said: &mut Vec<u8>) -> io::Result<()> {
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let pipe = os::watch(reader.into())?;
    let pidfd = os::watch(os::pidfd_open(pid)?)?;
    let mut is_open = true;
    loop {
        tokio::select! {
            readable = pipe.readable(), if is_open => {
                let mut readable = readable?;
                is_open = read(pipe.get_ref(), said)?;
                readable.clear_ready();
            }
            ended = pidfd.readable() => {
                let _ = ended?;
                return read(pipe.get_ref(), said).map(drop);
            }
        }
    }
}

/// Reads what there is; returns whether there may be more later.
fn read(pipe: &OwnedFd, said: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = [0; 16384];
    loop {
        match nix::unistd::read(pipe, &mut buffer) {
            Ok(0) => return Ok(false),
            Ok(_) if said.len() > TOO_MUCH => return Err(io::ErrorKind::FileTooLarge.into()),
            Ok(length) => said.extend_from_slice(&buffer[..length]),
            Err(Errno::EAGAIN) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A child that does not outlive our interest in it.
struct Running(Child);

impl Running {
    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.id()).unwrap_or(i32::MAX))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            // Not reaped yet, so the number of the group is still its own.
            let _ = killpg(self.pid(), Signal::SIGKILL);
            let _ = self.0.wait();
        }
    }
}
