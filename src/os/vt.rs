//! The two questions about a virtual terminal that we ask the kernel (ioctl_console(2), linux/kd.h, linux/vt.h).
//!
//! Both only read, which any process that can open the terminal may do.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::libc::c_int;

/// `KDGETMODE` (linux/kd.h).
const KDGETMODE: u64 = 0x4B3B;
/// `VT_GETMODE` (linux/vt.h).
const VT_GETMODE: u64 = 0x5601;

nix::ioctl_read_bad!(kdgetmode, KDGETMODE, c_int);
nix::ioctl_read_bad!(vt_getmode, VT_GETMODE, RawVtMode);

/// `struct vt_mode` (linux/vt.h).
#[repr(C)]
#[derive(Default)]
pub struct RawVtMode {
    mode: u8,
    waitv: u8,
    relsig: i16,
    acqsig: i16,
    frsig: i16,
}

/// What the terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisplayMode {
    /// `KD_TEXT`: the kernel draws.
    Text,
    /// `KD_GRAPHICS`: a display server draws.
    Graphics,
}

/// Who decides about switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VtMode {
    /// `VT_AUTO`: the kernel.
    Auto,
    /// `VT_PROCESS`: a process, by signals.
    Process,
}

/// The display mode and the switching mode of the terminal.
///
/// # Errors
/// `EIO` after a hang-up, `ENOTTY` if it is no virtual terminal.
pub fn display_mode(terminal: &impl AsFd) -> io::Result<(DisplayMode, VtMode)> {
    let fd = terminal.as_fd().as_raw_fd();
    let mut mode: c_int = 0;
    // SAFETY: KDGETMODE writes one int to where we point, which is one.
    unsafe { kdgetmode(fd, &raw mut mode) }?;
    let mut switching = RawVtMode::default();
    // SAFETY: VT_GETMODE writes one struct vt_mode to where we point, which is one.
    unsafe { vt_getmode(fd, &raw mut switching) }?;
    let display = if mode == 0 { DisplayMode::Text } else { DisplayMode::Graphics };
    Ok((display, if switching.mode == 0 { VtMode::Auto } else { VtMode::Process }))
}
