//! I/O priority (ioprio_get(2)), for which the C library has no function.

use nix::libc;

/// `IOPRIO_WHO_PROCESS` (linux/ioprio.h); who 0 is the caller.
const WHO_PROCESS: libc::c_int = 1;

/// The bits below the class (linux/ioprio.h, `IOPRIO_CLASS_SHIFT`).
const CLASS_SHIFT: i32 = 13;

/// The class and the level within it, of the three bits that every kernel has; `None` if none was set.
#[must_use]
pub fn io_priority() -> Option<(i32, i32)> {
    // SAFETY: it takes numbers and returns one.
    let value = unsafe { libc::syscall(libc::SYS_ioprio_get, WHO_PROCESS, 0 as libc::c_int) };
    let value = i32::try_from(value).ok().filter(|value| *value >= 0)?;
    let class = value >> CLASS_SHIFT;
    (class != 0).then_some((class, value & 0b111))
}
