//! A command whose process exists before it may run.
//!
//! The process is forked early, so that the user manager can make a unit around it, and executes the program only when
//! it is released. It inherits everything from us: terminal, process group, descriptors, working directory, limits.

use std::ffi::{CStr, CString, c_char};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::signal::SigSet;
use nix::unistd::{Pid, pipe2};

/// What the process executes when it is released.
pub struct Command<'a> {
    /// Path of the program.
    pub program: &'a CStr,
    /// Its arguments, the name first.
    pub arguments: &'a [CString],
    /// Its environment, `NAME=value`.
    pub environment: &'a [CString],
    /// The signals to block.
    pub mask: &'a SigSet,
    /// Whether it gets SIGTERM when its parent ends (prctl(2), `PR_SET_PDEATHSIG`).
    pub ends_with_parent: bool,
}

/// A process that waits to be released. It ends when this is dropped, and when we are killed.
pub struct Held {
    /// Its pid, which does not change.
    pub pid: Pid,
    gate: File,
    report: OwnedFd,
}

/// Forks a process that waits.
///
/// # Errors
/// fork(2) or pipe(2) failed.
pub fn hold(command: &Command<'_>) -> io::Result<Held> {
    let pointers = |strings: &[CString]| -> Vec<*const c_char> {
        strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
    };
    let (arguments, environment) = (pointers(command.arguments), pointers(command.environment));
    // A script without an interpreter line is run by the shell, as execvp(3) and every shell do.
    let mut by_shell = vec![c"/bin/sh".as_ptr(), command.program.as_ptr()];
    by_shell.extend(arguments.iter().skip(1));
    let (gate_out, gate_in) = pipe2(OFlag::O_CLOEXEC)?;
    let (report_out, report_in) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: between fork and exec the child calls async-signal-safe functions only (signal-safety(7)) and allocates
    // nothing; every pointer it uses points into memory that was laid out above.
    match Errno::result(unsafe { libc::fork() })? {
        0 => {
            let fds = Fds { gate: gate_out.as_raw_fd(), ours: gate_in.as_raw_fd(), report: report_in.as_raw_fd() };
            // SAFETY: this is the freshly forked child, and the arrays end in null pointers.
            unsafe { wait_and_become(&fds, command, &arguments, &by_shell, &environment) }
        }
        pid => Ok(Held { pid: Pid::from_raw(pid), gate: File::from(gate_in), report: report_out }),
    }
}

impl Held {
    /// Releases it, and returns when it has executed the program.
    ///
    /// # Errors
    /// The program could not be executed; the process ends then, with status 127.
    pub fn release(mut self) -> io::Result<Pid> {
        self.gate.write_all(&[1])?;
        let mut errno = [0; 4];
        match File::from(self.report).read(&mut errno)? {
            0 => Ok(self.pid),
            _ => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno))),
        }
    }
}

struct Fds {
    gate: RawFd,
    /// Our end of the gate. The child must have no copy of it, or it would never see it close.
    ours: RawFd,
    report: RawFd,
}

/// # Safety
/// Only in a freshly forked child; the arrays end in null pointers.
unsafe fn wait_and_become(
    fds: &Fds,
    command: &Command<'_>,
    arguments: &[*const c_char],
    by_shell: &[*const c_char],
    environment: &[*const c_char],
) -> ! {
    // SAFETY: see the function's contract; all calls are async-signal-safe.
    unsafe {
        libc::close(fds.ours);
        let mut byte = 0_u8;
        while libc::read(fds.gate, (&raw mut byte).cast(), 1) < 0 {
            if Errno::last_raw() != libc::EINTR {
                break;
            }
        }
        if byte == 0 {
            libc::_exit(0);
        }
        if command.ends_with_parent {
            // If the parent has ended just before this, the process belongs to the next subreaper already.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
        }
        // Rust ignores it.
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::sigprocmask(libc::SIG_SETMASK, command.mask.as_ref(), ptr::null_mut());
        libc::execve(command.program.as_ptr(), arguments.as_ptr(), environment.as_ptr());
        if Errno::last_raw() == libc::ENOEXEC {
            libc::execve(c"/bin/sh".as_ptr(), by_shell.as_ptr(), environment.as_ptr());
        }
        let errno = Errno::last_raw().to_ne_bytes();
        libc::write(fds.report, errno.as_ptr().cast(), errno.len());
        libc::_exit(127)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use nix::sys::signal::SigSet;
    use nix::sys::wait::{WaitStatus, waitpid};

    use super::{Command, hold};
    use crate::test_dir::TestDir;

    fn words(words: &[&str]) -> Vec<CString> {
        words.iter().map(|word| CString::new(*word).unwrap()).collect()
    }

    #[test]
    fn nothing_happens_before_it_is_let_go() {
        let dir = TestDir::new();
        let file = dir.path("made");
        let arguments = words(&["sh", "-c", &format!("echo $A > {}; exit 3", file.display())]);
        let environment = words(&["A=b"]);
        let mask = SigSet::empty();
        let command = Command {
            program: c"/bin/sh",
            arguments: &arguments,
            environment: &environment,
            mask: &mask,
            ends_with_parent: false,
        };
        let held = hold(&command).unwrap();
        let pid = held.pid;
        drop(held);
        assert_eq!(waitpid(pid, None).unwrap(), WaitStatus::Exited(pid, 0));
        assert!(!file.exists());
        let pid = hold(&command).unwrap().release().unwrap();
        assert_eq!(waitpid(pid, None).unwrap(), WaitStatus::Exited(pid, 3));
        assert_eq!(std::fs::read_to_string(file).unwrap(), "b\n");
    }

    #[test]
    fn what_cannot_be_executed_says_so_and_a_script_without_interpreter_is_the_shells() {
        use std::os::unix::fs::PermissionsExt;
        let dir = TestDir::new();
        let script = dir.path("script");
        std::fs::write(&script, "exit $1\n").unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = CString::new(script.to_str().unwrap()).unwrap();
        let (arguments, mask) = (words(&["script", "7"]), SigSet::empty());
        let command =
            Command { program: &path, arguments: &arguments, environment: &[], mask: &mask, ends_with_parent: false };
        let pid = hold(&command).unwrap().release().unwrap();
        assert_eq!(waitpid(pid, None).unwrap(), WaitStatus::Exited(pid, 7));
        let held = hold(&Command { program: c"/nonexistent", ..command }).unwrap();
        let pid = held.pid;
        assert_eq!(held.release().unwrap_err().kind(), std::io::ErrorKind::NotFound);
        assert_eq!(waitpid(pid, None).unwrap(), WaitStatus::Exited(pid, 127));
    }
}
