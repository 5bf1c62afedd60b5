//! Runs a multiplexer's own program, under a deadline.

use std::ffi::OsStr;
use std::io;
use std::process::Command;

use tokio::time::Instant;

use crate::environment::policy::{self, Tag};
use crate::subprocess::{self, Output, Streams};
use crate::text::one_line;

/// How often a program is run if it fails without a message.
const TRIES: u32 = 10;

/// Runs a program of `$PATH` to its end, without input, and returns its output. `environment` is added to ours.
///
/// When a login is ended, every process in it gets a signal, and this may hit a program that was started just
/// before. Then it fails without a message, unlike a refusal, or its output is not complete, as `is_whole` checks;
/// so it is run again.
///
/// # Errors
/// It cannot be run; it failed, with its message; or it did not end by the deadline, and was killed.
pub async fn run(
    program: &str,
    arguments: &[impl AsRef<OsStr>],
    environment: &[(&str, &OsStr)],
    deadline: Instant,
    is_whole: impl Fn(&str) -> bool,
) -> io::Result<String> {
    for _ in 0..TRIES {
        let mut command = Command::new(program);
        command.args(arguments).envs(environment.iter().copied());
        for name in policy::tagged(Tag::Multiplexer) {
            command.env_remove(name);
        }
        let Output { said, end } = subprocess::run(command, Streams::Both, deadline).await?;
        let status = end.ok_or(io::ErrorKind::TimedOut)?;
        let text = String::from_utf8_lossy(&said).into_owned();
        if status.success() && is_whole(&text) {
            return Ok(text);
        }
        if !status.success() && !text.trim().is_empty() {
            return Err(io::Error::other(complaint(&text)));
        }
    }
    Err(io::Error::other(format!("{program} fails without a message")))
}

/// The message of a program that failed, in one line for people, and cut: the reason is at its beginning.
#[must_use]
pub fn complaint(text: &str) -> String {
    /// Two rows of a terminal, in characters.
    const LONGEST: usize = 158;
    one_line(text.trim()).chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::io::ErrorKind;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{complaint, run};
    use crate::test_dir::TestDir;

    fn sh(script: &str, seconds: f64) -> std::io::Result<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let environment = [("T_A", OsStr::new("a b"))];
        runtime.block_on(async {
            let deadline = Instant::now() + Duration::from_secs_f64(seconds);
            run("sh", &["-c", script], &environment, deadline, |text| text != "part\n").await
        })
    }

    #[test]
    fn the_output_and_the_failure_are_returned() {
        assert_eq!(sh("echo $T_A; echo x >&2", 60.0).unwrap(), "a b\nx\n");
        assert_eq!(sh("echo why; exit 3", 60.0).unwrap_err().to_string(), "why");
        assert_eq!(sh("echo part", 60.0).unwrap_err().to_string(), "sh fails without a message");
        assert_eq!(sh("kill -9 $$", 60.0).unwrap_err().to_string(), "sh fails without a message");
    }

    #[test]
    fn complaints_are_short() {
        assert_eq!(complaint(" no server\nrunning \n"), "no server\\nrunning");
        assert_eq!(complaint(&"\x1b".repeat(1000)).len(), 158);
    }

    #[test]
    fn a_program_that_a_signal_has_ended_is_run_again() {
        let directory = TestDir::new();
        let file = directory.path("tried").display().to_string();
        assert_eq!(
            sh(&format!("[ -e {file} ] && echo done && exit; : > {file}; kill -KILL $$"), 60.0).unwrap(),
            "done\n"
        );
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        for script in ["exec sleep 600", "trap '' TERM; exec >&- 2>&-; while :; do :; done"] {
            assert_eq!(sh(script, 0.2).unwrap_err().kind(), ErrorKind::TimedOut, "{script}");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let missing = runtime.block_on(run("startxd-none", &[""], &[], Instant::now(), |_| true));
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
    }
}
