//! What we ask and request of the kernel about a virtual terminal (ioctl_console(2), linux/kd.h, linux/vt.h).
//!
//! For a query the terminal only has to be open; for a switch it must be the controlling terminal (`vt_ioctl`).

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::libc::c_int;

/// `KDGETMODE` (linux/kd.h).
const KDGETMODE: u64 = 0x4B3B;
/// `VT_GETMODE` (linux/vt.h).
const VT_GETMODE: u64 = 0x5601;

/// `VT_ACTIVATE` (linux/vt.h).
const VT_ACTIVATE: u64 = 0x5606;

nix::ioctl_write_int_bad!(vt_activate, VT_ACTIVATE);
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
/// `EIO` after a hang-up, `ENOTTY` if it is not a virtual terminal.
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

/// Requests that virtual terminal `number` comes to the foreground, without waiting: where a server draws, that server
/// is asked first. `terminal` must be our controlling terminal, which gives us the right to switch.
///
/// # Errors
/// `EPERM` if it is not our controlling terminal, `ENOTTY` if it is not a virtual terminal, `ENXIO` if there is no
/// terminal of that number.
pub fn activate(terminal: &impl AsFd, number: u32) -> io::Result<()> {
    let number = c_int::try_from(number).map_err(io::Error::other)?;
    // SAFETY: the argument is a number, no memory is shared with the kernel.
    unsafe { vt_activate(terminal.as_fd().as_raw_fd(), number) }?;
    Ok(())
}
