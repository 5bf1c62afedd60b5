//! The system calls that std and nix have no safe function for: the only unsafe code of the tests.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::Signal;

/// `ioctl_console(2)`: text or graphics.
const KDGETMODE: u64 = 0x4B3B;
/// `ioctl_console(2)`: what the keyboard delivers.
const KDGKBMODE: u64 = 0x4B44;
/// `ioctl_console(2)`: which terminals are open.
const VT_GETSTATE: u64 = 0x5603;
/// `ioctl_console(2)`: makes a terminal the active one.
const VT_ACTIVATE: u64 = 0x5606;

mod raw {
    nix::ioctl_read_bad!(kd_get_mode, super::KDGETMODE, nix::libc::c_int);
    nix::ioctl_read_bad!(kd_get_keyboard, super::KDGKBMODE, nix::libc::c_int);
    nix::ioctl_read_bad!(vt_get_state, super::VT_GETSTATE, [u16; 3]);
    nix::ioctl_write_int_bad!(vt_activate, super::VT_ACTIVATE);
    nix::ioctl_write_ptr_bad!(tty_insert, nix::libc::TIOCSTI, u8);
}

/// KDGETMODE: 0 is text, 1 is graphics.
pub(super) fn console_mode(tty: &File) -> io::Result<i32> {
    let mut mode = 0;
    // SAFETY: the kernel writes one int to the pointer, which is valid for the call.
    unsafe { raw::kd_get_mode(tty.as_raw_fd(), &raw mut mode) }?;
    Ok(mode)
}

/// KDGKBMODE: 3 is unicode, 4 is off.
pub(super) fn keyboard_mode(tty: &File) -> io::Result<i32> {
    let mut mode = 0;
    // SAFETY: the kernel writes one int to the pointer, which is valid for the call.
    unsafe { raw::kd_get_keyboard(tty.as_raw_fd(), &raw mut mode) }?;
    Ok(mode)
}

/// VT_GETSTATE: bit N says whether terminal N is open somewhere, for the first 16.
pub(super) fn open_vts(console: &File) -> io::Result<u16> {
    // struct vt_stat: v_active, v_signal, v_state.
    let mut state = [0; 3];
    // SAFETY: the kernel writes three shorts to the pointer, which is valid for the call.
    unsafe { raw::vt_get_state(console.as_raw_fd(), &raw mut state) }?;
    Ok(state[2])
}

/// VT_ACTIVATE: asks for terminal `number`, and does not wait for it.
pub(super) fn activate_vt(console: &File, number: u8) -> io::Result<()> {
    // SAFETY: the argument is a number, no memory is shared with the kernel.
    unsafe { raw::vt_activate(console.as_raw_fd(), i32::from(number)) }?;
    Ok(())
}

/// TIOCSTI: `byte` arrives at the terminal as if it had been typed.
pub(super) fn insert_byte(tty: &File, byte: u8) -> io::Result<()> {
    // SAFETY: the kernel reads one byte from the pointer, which is valid for the call.
    unsafe { raw::tty_insert(tty.as_raw_fd(), &raw const byte) }?;
    Ok(())
}

/// Lets `command` start in its own Unix session, in the control group whose `cgroup.procs` is given.
pub(super) fn start_in_cgroup(command: &mut Command, procs: OwnedFd) {
    // SAFETY: setsid and write are async-signal-safe, and nothing here allocates.
    unsafe {
        command.pre_exec(move || {
            nix::unistd::setsid()?;
            nix::unistd::write(procs.as_fd(), b"0")?;
            Ok(())
        });
    }
}

/// Lets `command` start in its own Unix session, and get `signal` when the thread that spawned it ends.
pub(super) fn start_bound(command: &mut Command, signal: Signal) {
    // SAFETY: setsid and prctl are async-signal-safe, and nothing here allocates.
    unsafe {
        command.pre_exec(move || {
            nix::unistd::setsid()?;
            nix::sys::prctl::set_pdeathsig(signal)?;
            Ok(())
        });
    }
}
