//! Fork and exec of the X server, in the way that it needs.
//!
//! `std::process::Command` cannot do it: `LISTEN_PID` has to hold the child's *own* pid (sd_listen_fds(3)), which is
//! known only between fork and exec, where nothing may be allocated. So the environment is laid out beforehand with
//! room for a pid, and the child writes its own pid there.

use std::ffi::{CStr, CString, c_char};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::unistd::{Pid, pipe2};

/// The number of the first descriptor that is passed: `SD_LISTEN_FDS_START` (sd_listen_fds(3)).
const LISTEN_FDS_START: RawFd = 3;
/// Room for any `pid_t` in decimal, and a NUL.
const PID_ROOM: usize = 12;
/// Highest signal number of Linux (`_NSIG`).
const SIGNALS: i32 = 64;

/// What the child becomes.
pub struct Image<'a> {
    /// Absolute path of the program.
    pub program: &'a CStr,
    /// Its arguments, the name first.
    pub arguments: &'a [CString],
    /// Its environment, `NAME=value`; `LISTEN_FDS` and `LISTEN_PID` are added here, and it must not contain
    /// `LISTEN_PIDFDID`.
    pub environment: &'a [CString],
    /// Standard output and standard error; standard input is /dev/null.
    pub output: BorrowedFd<'a>,
    /// Become descriptors 3, 4, … of the child; the next one is /dev/null, for the server's `-displayfd`.
    pub listeners: &'a [BorrowedFd<'a>],
    /// Whether it gets SIGTERM when we end, however that happens (prctl(2), `PR_SET_PDEATHSIG`).
    pub ends_with_us: bool,
}

/// Forks and execs `image`, in a process group of its own, with SIGTTIN and SIGTTOU ignored and every other signal at
/// its default.
///
/// The child keeps our terminal session and with it the controlling terminal, and our cgroup and with it the logind
/// session: it needs both. The process group and the two ignored signals are as in xinit (xinit.c, `startServer`): a
/// hang-up of the terminal then does not reach the server, which would treat it as a reset.
///
/// Returns the child's pid once the exec has succeeded.
///
/// # Errors
/// fork(2) or execve(2) failed; the child is reaped then.
pub fn spawn(image: &Image<'_>) -> io::Result<Pid> {
    let mut listen_pid = *b"LISTEN_PID=\0\0\0\0\0\0\0\0\0\0\0\0";
    let listen_fds = CString::new(format!("LISTEN_FDS={}", image.listeners.len()))?;
    let mut environment: Vec<*const c_char> = image.environment.iter().map(|entry| entry.as_ptr()).collect();
    environment.extend([listen_fds.as_ptr(), listen_pid.as_ptr().cast(), ptr::null()]);
    let mut arguments: Vec<*const c_char> = image.arguments.iter().map(|argument| argument.as_ptr()).collect();
    arguments.push(ptr::null());

    // First move the descriptors above every number that the child will use. Otherwise placing one at 3 could overwrite
    // another that is still to be placed.
    let above = LISTEN_FDS_START + i32::try_from(image.listeners.len()).map_err(io::Error::other)? + 1;
    let move_up = |fd: RawFd| -> io::Result<OwnedFd> {
        // SAFETY: F_DUPFD_CLOEXEC takes two integers and makes a new descriptor, which nobody else owns.
        let raw = Errno::result(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, above) })?;
        // SAFETY: as above.
        Ok(unsafe { OwnedFd::from_raw_fd(raw) })
    };
    let dev_null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    let dev_null = move_up(dev_null.as_raw_fd())?;
    let listeners = image.listeners.iter().map(|fd| move_up(fd.as_raw_fd())).collect::<io::Result<Vec<_>>>()?;
    let output = move_up(image.output.as_raw_fd())?;
    let (report_in, report_low) = pipe2(OFlag::O_CLOEXEC)?;
    let report_out = move_up(report_low.as_raw_fd())?;
    // The parent waits for end-of-file on this pipe: no copy of the writing end may stay behind here.
    drop(report_low);
    let sources: Vec<RawFd> = listeners.iter().map(AsRawFd::as_raw_fd).collect();
    let parent = nix::unistd::getpid().as_raw();
    let pid_digits = listen_pid.last_chunk_mut().ok_or(io::ErrorKind::InvalidInput)?;

    // SAFETY: between fork and exec the child calls async-signal-safe functions only (signal-safety(7)) and
    // allocates nothing; every pointer it uses points into memory that was laid out above and lives on here.
    match Errno::result(unsafe { libc::fork() })? {
        0 => {
            let parent = image.ends_with_us.then_some(parent);
            let plan =
                SpawnPlan { nothing: dev_null.as_raw_fd(), output: output.as_raw_fd(), listeners: &sources, parent };
            // SAFETY: this is the freshly forked child; the arrays are null-terminated, and `pid_digits` is the end of
            // one of the environment's strings.
            let errno = unsafe { become_image(&plan, image.program, &arguments, &environment, pid_digits) };
            let bytes = errno.to_ne_bytes();
            // SAFETY: both are async-signal-safe, and the bytes are ours.
            unsafe {
                libc::write(report_out.as_raw_fd(), bytes.as_ptr().cast(), bytes.len());
                libc::_exit(127)
            }
        }
        pid => {
            drop(report_out);
            let pid = Pid::from_raw(pid);
            await_exec(report_in, pid)
        }
    }
}

/// Which descriptors the child puts where.
struct SpawnPlan<'a> {
    /// /dev/null, open for reading and writing.
    nothing: RawFd,
    output: RawFd,
    listeners: &'a [RawFd],
    /// The parent, if the child is to end with it.
    parent: Option<libc::pid_t>,
}

/// The child's part: returns only if something failed, and then the errno.
///
/// # Safety
/// Only in a freshly forked child; `arguments` and `environment` are null-terminated arrays of C strings, and one
/// string of `environment` ends in `pid_digits`.
unsafe fn become_image(
    plan: &SpawnPlan<'_>,
    program: &CStr,
    arguments: &[*const c_char],
    environment: &[*const c_char],
    pid_digits: &mut [u8; PID_ROOM],
) -> i32 {
    // SAFETY: see the function's contract; all calls are async-signal-safe.
    unsafe {
        write_decimal(pid_digits, libc::getpid());
        libc::setpgid(0, 0);
        if let Some(parent) = plan.parent {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            // The parent may have ended before that.
            if libc::getppid() != parent {
                return libc::ESRCH;
            }
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        for signal in 1..=SIGNALS {
            // Rust ignores SIGPIPE, and tokio catches the signals that it was asked for. An ignored SIGUSR1 would make
            // the server signal its parent (os/connection.c, InitParentProcess).
            libc::signal(signal, libc::SIG_DFL);
        }
        libc::signal(libc::SIGTTIN, libc::SIG_IGN);
        libc::signal(libc::SIGTTOU, libc::SIG_IGN);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        let standard = [(plan.nothing, 0), (plan.output, 1), (plan.output, 2)];
        let behind = std::iter::once(&plan.nothing);
        let placed = plan.listeners.iter().chain(behind).zip(LISTEN_FDS_START..).map(|(&from, to)| (from, to));
        for (from, to) in standard.into_iter().chain(placed) {
            // dup2 clears close-on-exec on the copy.
            if libc::dup2(from, to) < 0 {
                return Errno::last_raw();
            }
        }
        // Descriptors that a shell or a greeter leaked into us must not reach the server. Best effort:
        // CLOSE_RANGE_CLOEXEC came with Linux 5.11, and our own descriptors are close-on-exec anyway.
        let first = 3 + plan.listeners.len() + 1;
        libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
        libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr());
    }
    Errno::last_raw()
}

/// Writes `number` at the start of `digits`, followed by a NUL. No leading zeros: systemd's `parse_pid` would read them
/// as octal. Allocates nothing.
fn write_decimal(digits: &mut [u8; PID_ROOM], number: i32) {
    let mut reversed = [0; PID_ROOM];
    let (mut length, mut rest) = (0, number.unsigned_abs());
    while length == 0 || rest > 0 {
        reversed[length] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        length += 1;
    }
    for (to, from) in digits.iter_mut().zip(reversed[..length].iter().rev()) {
        *to = *from;
    }
    digits[length] = 0;
}

/// Waits for the exec: the pipe closes if it succeeds, and brings the errno if it fails.
fn await_exec(report: OwnedFd, pid: Pid) -> io::Result<Pid> {
    use std::io::Read;
    let mut errno = [0; 4];
    match std::fs::File::from(report).read(&mut errno)? {
        0 => Ok(pid),
        _ => {
            nix::sys::wait::waitpid(pid, None)?;
            Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno)))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::io::Read;
    use std::os::fd::AsFd;

    use super::{Image, spawn, write_decimal};

    #[test]
    fn decimal_has_no_leading_zeros_and_ends_in_nul() {
        for (number, expected) in [(1, &b"1\0"[..]), (4_194_303, b"4194303\0"), (i32::MAX, b"2147483647\0")] {
            let mut digits = [b'x'; super::PID_ROOM];
            write_decimal(&mut digits, number);
            assert_eq!(&digits[..expected.len()], expected);
        }
    }

    #[test]
    fn child_gets_its_own_pid_and_the_listeners_at_three() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let listener = std::os::unix::net::UnixDatagram::unbound().unwrap();
        let script = "echo $((10#$LISTEN_PID == $$)) $LISTEN_FDS; readlink /proc/self/fd/3 | cut -c1-6; readlink /proc/self/fd/4; ls /proc/self/fd | wc -l";
        let arguments = ["bash", "-c", script].map(|text| CString::new(text).unwrap());
        let environment = [CString::new("PATH=/usr/bin:/bin").unwrap()];
        let image = Image {
            program: c"/bin/bash",
            arguments: &arguments,
            environment: &environment,
            output: writer.as_fd(),
            listeners: &[listener.as_fd()],
            ends_with_us: false,
        };
        let pid = spawn(&image).unwrap();
        drop(writer);
        let mut output = String::new();
        reader.read_to_string(&mut output).unwrap();
        nix::sys::wait::waitpid(pid, None).unwrap();
        // 0, 1, 2, 3, 4, and the directory that ls itself reads: nothing else leaked.
        assert_eq!(output, "1 1\nsocket\n/dev/null\n6\n");
    }

    #[test]
    fn missing_program_is_an_error_here_and_no_zombie() {
        let (_reader, writer) = std::io::pipe().unwrap();
        let image = Image {
            program: c"/nonexistent",
            arguments: &[],
            environment: &[],
            output: writer.as_fd(),
            listeners: &[],
            ends_with_us: false,
        };
        let error = spawn(&image).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    }
}
