//! Running a multiplexer's own program, under a deadline.

use std::ffi::OsStr;
use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use tokio::net::unix::pipe;
use tokio::time::{Instant, timeout_at};

use crate::os::{self, Pid};

/// More than this none of them says.
const TOO_MUCH: usize = 4 << 20;

/// By these a program would take itself for one that runs inside of a multiplexer.
const INSIDE: [&str; 6] = ["TMUX", "TMUX_PANE", "STY", "WINDOW", "ZELLIJ", "ZELLIJ_SESSION_NAME"];

/// What a program said, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Whether it exited with status 0.
    pub success: bool,
    /// What it wrote to standard output and standard error.
    pub text: String,
}

impl Output {
    /// The text of a program that succeeded.
    ///
    /// # Errors
    /// What it said, if it failed.
    pub fn text(self) -> io::Result<String> {
        if self.success { Ok(self.text) } else { Err(io::Error::other(crate::text::one_line(self.text.trim()))) }
    }
}

/// Runs a program of `$PATH` to its end, with nothing to read. `environment` is added to ours.
///
/// # Errors
/// It cannot be run; or it is not done by the deadline, and was killed.
pub async fn run(
    program: &str,
    arguments: &[impl AsRef<OsStr>],
    environment: &[(&str, &OsStr)],
    deadline: Instant,
) -> io::Result<Output> {
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
    command.stdout(writer.try_clone()?).stderr(writer).process_group(0);
    for name in INSIDE {
        command.env_remove(name);
    }
    let mut child = command.spawn()?;
    // It holds the pipe's other end.
    drop(command);
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let attended = async {
        let text = read(reader).await?;
        os::watch(os::pidfd_open(pid)?)?.readable().await.map(drop)?;
        Ok::<_, io::Error>(text)
    };
    let outcome = timeout_at(deadline, attended).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    if outcome.is_err() {
        // Not reaped yet, so the number of the group is still its own.
        let _ = killpg(pid, Signal::SIGKILL);
    }
    let status = child.wait()?;
    Ok(Output { success: status.success(), text: String::from_utf8_lossy(&outcome?).into_owned() })
}

async fn read(reader: PipeReader) -> io::Result<Vec<u8>> {
    let pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
    let (mut output, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        pipe.readable().await?;
        match pipe.try_read(&mut buffer) {
            Ok(0) => return Ok(output),
            Ok(_) if output.len() > TOO_MUCH => return Err(io::ErrorKind::FileTooLarge.into()),
            Ok(length) => output.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::io::ErrorKind;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Output, run};

    fn sh(script: &str, seconds: f64) -> std::io::Result<Output> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let environment = [("T_A", OsStr::new("a b"))];
        runtime.block_on(async {
            let deadline = Instant::now() + Duration::from_secs_f64(seconds);
            run("sh", &["-c", script], &environment, deadline).await
        })
    }

    #[test]
    fn what_it_says_and_how_it_ends() {
        assert_eq!(sh("echo $T_A; echo x >&2", 60.0).unwrap().text().unwrap(), "a b\nx\n");
        assert_eq!(sh("echo why; exit 3", 60.0).unwrap().text().unwrap_err().to_string(), "why");
        assert!(!sh("kill -9 $$", 60.0).unwrap().success);
    }

    #[test]
    fn one_that_hangs_is_ended() {
        for script in ["exec sleep 600", "trap '' TERM; exec >&- 2>&-; while :; do :; done"] {
            assert_eq!(sh(script, 0.2).unwrap_err().kind(), ErrorKind::TimedOut, "{script}");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let missing = runtime.block_on(run("startxd-none", &[""], &[], Instant::now()));
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
    }
}
