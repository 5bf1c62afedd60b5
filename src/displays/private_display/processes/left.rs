//! What a run without units leaves if it and its reaper are killed in the same moment.
//!
//! The kernel then ends the server and the command (`PR_SET_PDEATHSIG`), but not what has left the command's process, and it
//! removes no files. Nothing short of a namespace of pids could have it do so, and that would be seen by the command.
//! So the next run does it. A directory was left if nobody holds the claim in it, which the run and its reaper do, and a
//! process if its `XAUTHORITY` is in there: the name is a random one, and its display is gone.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use crate::deadline::LOOK_AGAIN;
use crate::displays::claim::{self, Claim};
use crate::os;
use crate::runtime_dir::RuntimeDir;
use crate::small_file;

/// Ends what runs have left whose directories are in this one, and removes their files. What does not end within
/// `patience` is killed.
pub(super) async fn sweep(below: &Path, patience: Duration) {
    for runtime in RuntimeDir::temporary_in(below) {
        // One without a claim has just been made.
        let claims = claim::all(&runtime).into_iter().map(|display| Claim::hold(&runtime, display));
        let Some(claims) = claims.collect::<Option<Vec<Claim>>>().filter(|claims| !claims.is_empty()) else { continue };
        tracing::debug!("a run that was killed has left {}", runtime.base().display());
        end(runtime.base(), patience).await;
        for claim in claims {
            claim.remove(&runtime);
        }
        runtime.remove_temporary();
    }
}

/// Ends the processes whose cookie is in this directory.
async fn end(directory: &Path, patience: Duration) {
    let until = Instant::now() + patience;
    let mut asked = Vec::new();
    loop {
        let left: Vec<Pid> = os::processes().filter(|&pid| uses(pid, directory)).collect();
        if left.is_empty() {
            return;
        }
        let is_late = Instant::now() >= until;
        for pid in left {
            if is_late || !asked.contains(&pid) {
                asked.push(pid);
                let signals: &[Signal] = if is_late { &[Signal::SIGKILL] } else { &[Signal::SIGTERM, Signal::SIGCONT] };
                send(pid, directory, signals);
            }
        }
        if is_late {
            return;
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Sends signals to a process if it still is one of these: its pid may have become another process's.
fn send(pid: Pid, directory: &Path, signals: &[Signal]) {
    let Ok(pidfd) = os::pidfd_open(pid) else { return };
    if uses(pid, directory) {
        for &signal in signals {
            let _ = os::pidfd_signal(&pidfd, signal);
        }
    }
}

/// Whether the cookie of a process was in this directory when its program was executed.
fn uses(pid: Pid, directory: &Path) -> bool {
    // That of another user, or of a process that has ended, cannot be read or is empty.
    let environment = small_file::read(format!("/proc/{pid}/environ").as_ref()).unwrap_or_default();
    let mut variables = environment.split(|&byte| byte == 0);
    let authority = variables.find_map(|variable| variable.strip_prefix(b"XAUTHORITY="));
    authority.is_some_and(|path| Path::new(std::ffi::OsStr::from_bytes(path)).parent() == Some(directory))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::Command;

    use super::*;
    use crate::test_dir::TestDir;
    use crate::x11::display::Display;

    #[tokio::test]
    async fn what_was_left_is_ended_and_removed_and_nothing_else() {
        let dir = TestDir::new();
        let make = |name: &str, files: &[&str], mode: u32| {
            let path = dir.path(name);
            std::fs::create_dir_all(path.join("startxd")).unwrap();
            for file in files {
                std::fs::write(path.join(file), "").unwrap();
            }
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let (cookie, claim) = ("xauth_startxd_9999", "startxd/display-9999.toml");
        let left = make("startxd-aAb0_1", &[cookie, claim], 0o700);
        make("startxd-aAb0_2", &[claim], 0o700);
        // One in use, one that is not made completely yet, and directories of other programs and people.
        let used = make("startxd-aAb0_3", &[cookie, claim], 0o700);
        let display = Display::new(9999).unwrap();
        let held = Claim::hold(&RuntimeDir::of(used.clone()).unwrap(), display).unwrap();
        make("startxd-aAb0_4", &[], 0o700);
        make("startxd-backup", &[cookie, claim, "notes"], 0o700);
        make("startxd-shared", &[cookie, claim], 0o755);
        make("startxd-longer-name", &[cookie, claim], 0o700);
        make("other-aAb0_1", &[cookie, claim], 0o700);
        symlink(dir.path("other-aAb0_1"), dir.path("startxd-linked")).unwrap();

        let sleeps = |directory: &Path, script: &str| {
            let mut command = Command::new("sh");
            command.arg("-c").arg(script).env("XAUTHORITY", directory.join("xauth_startxd_9999")).process_group(0);
            command.spawn().unwrap()
        };
        let mut ends = sleeps(&left, "exec sleep 100");
        let mut stays = sleeps(&used, "exec sleep 100");
        // Once it ignores SIGTERM.
        let ready = dir.path("ready");
        let mut ignores = sleeps(&left, &format!("trap '' TERM; touch {}; exec sleep 100", ready.display()));
        while !ready.exists() {
            sleep(LOOK_AGAIN).await;
        }
        sweep(&dir.path(""), Duration::from_millis(500)).await;
        assert_eq!(ends.wait().unwrap().signal(), Some(15));
        assert_eq!(ignores.wait().unwrap().signal(), Some(9));
        assert!(stays.try_wait().unwrap().is_none());
        stays.kill().unwrap();
        stays.wait().unwrap();
        let mut there: Vec<String> = std::fs::read_dir(dir.path(""))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        there.sort();
        let expected = [
            "other-aAb0_1",
            "ready",
            "startxd-aAb0_3",
            "startxd-aAb0_4",
            "startxd-backup",
            "startxd-linked",
            "startxd-longer-name",
            "startxd-shared",
        ];
        assert_eq!(there, expected);
        // Its owner was killed.
        drop(held);
        sweep(&dir.path(""), Duration::from_millis(500)).await;
        assert!(!used.exists());
    }
}
