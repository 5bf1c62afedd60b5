//! The settings of the VT: the login shell's are restored, and no input reaches the shell in the meantime.
//!
//! While a server has the terminal, logind has its keyboard off (`K_OFF`), and no key reaches it. But from a server's
//! crash to the next one's `TakeControl` the keyboard is on again (logind-session.c, `session_restore_vt`): keys that
//! are typed then, at a screen that is about to come back, go to the terminal. They must not be shown, executed by the
//! shell after the logout, or become a signal that ends the session. So from the first server's fork on the terminal
//! has settings of ours, and the input is discarded when the terminal is given back.
//!
//! They are set before the fork, not later: Xorg restores the settings that it found when it ends in order
//! (lnx_init.c, `xf86CloseConsole`), and nothing when it crashes.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::termios::{
    FlushArg, InputFlags, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcflush, tcgetattr, tcsetattr,
};
use nix::unistd::{getpgrp, tcgetpgrp};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{self, SignalKind};
use tokio::time::{Instant, sleep};

use crate::deadline::LOOK_AGAIN;
use crate::os::{self, DisplayMode, VtMode, display_mode};

/// The controlling terminal and its settings.
pub struct Terminal {
    /// Readable when there is input.
    file: AsyncFd<OwnedFd>,
    /// The shell's settings; `None` if they are not known.
    settings: Option<Termios>,
    /// Whether ours are set.
    is_held: bool,
    /// Whether input is read, for Ctrl+C: until the first server serves.
    is_read: bool,
    /// Signalled after a stop (SIGSTOP), in which the shell has set its own settings.
    continued: Option<unix::Signal>,
}

/// An event of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// A key that ends the program in the foreground, and its signal.
    Interrupt(Signal),
    /// This process continues after a stop.
    Continued,
}

impl Terminal {
    /// Opens the controlling terminal and remembers its settings.
    ///
    /// By /dev/tty, because the node of the VT itself belongs to root again once a server has ended (logind,
    /// `vt_restore`).
    ///
    /// # Errors
    /// There is no terminal, which the checks have ruled out.
    pub fn open() -> io::Result<Self> {
        let flags = nix::libc::O_NOCTTY | nix::libc::O_NONBLOCK;
        Self::of(File::options().read(true).write(true).custom_flags(flags).open("/dev/tty")?)
    }

    /// An open terminal, in non-blocking mode.
    fn of(file: File) -> io::Result<Self> {
        let settings = tcgetattr(&file).ok();
        let continued = unix::signal(SignalKind::from_raw(Signal::SIGCONT as i32)).ok();
        let file = os::watch(file.into())?;
        Ok(Self { file, settings, is_held: false, is_read: true, continued })
    }

    /// Sets our settings, with which input is not shown, not kept as lines for the shell, and never a signal. Called
    /// before and after each server, because a server may have left other settings.
    pub fn hold(&mut self) {
        let Some(settings) = &self.settings else { return };
        self.is_held = true;
        set(self.file.get_ref(), &silent(settings));
    }

    /// The first server serves: from here on Ctrl+C is meant for programs on the screen.
    pub const fn is_served(&mut self) {
        self.is_read = false;
    }

    /// The next event that matters. May be dropped while it waits.
    pub async fn typed(&mut self) -> Typed {
        let Self { file, settings, is_held, is_read, continued } = self;
        let is_read = *is_read && *is_held;
        let key = async {
            match settings {
                Some(settings) if is_read => interrupt(file, settings).await,
                _ => std::future::pending().await,
            }
        };
        let again = async {
            match continued {
                Some(continued) => continued.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            signal = key => Typed::Interrupt(signal),
            Some(()) = again => Typed::Continued,
        }
    }

    /// This process continues after a stop, in which the shell had the terminal.
    pub fn continues(&mut self) {
        // In the background, the shell still has it.
        if self.is_held && tcgetpgrp(self.file.get_ref()) == Ok(getpgrp()) {
            self.hold();
        }
    }

    /// Waits until the VT is in text mode and switches by itself, then discards the input and restores the settings.
    ///
    /// A server that ends in order restores both itself. After one that was killed logind restores the mode when it
    /// notices, but not the settings, and the shell would have no echo. They are restored when this is dropped.
    pub async fn restore(self, deadline: Duration) {
        let end = Instant::now() + deadline;
        loop {
            match display_mode(self.file.get_ref()) {
                Ok((DisplayMode::Text, VtMode::Auto)) => break,
                // Hung up: the next process that opens it gets a fresh one.
                Err(_) => return,
                Ok(seen) if Instant::now() >= end => {
                    tracing::error!(
                        "the virtual terminal is still in graphics mode {} s after the server's end ({seen:?}); switch \
                         to another and back, or run: sudo systemctl restart systemd-logind",
                        deadline.as_secs_f32()
                    );
                    break;
                }
                Ok(_) => sleep(LOOK_AGAIN).await,
            }
        }
    }

    fn give_back(&mut self) {
        let (file, Some(settings)) = (self.file.get_ref(), &self.settings) else { return };
        if !std::mem::take(&mut self.is_held) {
            return;
        }
        // Twice: otherwise keys that are typed between the two steps would be at the beginning of the shell's line.
        for _ in 0..2 {
            if let Err(error) = tcflush(file, FlushArg::TCIFLUSH) {
                tracing::debug!("what was typed cannot be discarded: {error}");
            }
            // Without waiting for the output (TCSADRAIN): after Ctrl+S it is never written.
            set(file, settings);
        }
    }
}

impl Drop for Terminal {
    /// Gives it back in every case, also after a start that is given up.
    fn drop(&mut self) {
        self.give_back();
    }
}

fn set(file: &OwnedFd, settings: &Termios) {
    // From the background, as after `startxd start &`, this works because SIGTTOU is ignored: os::ignore_job_control.
    if let Err(error) = tcsetattr(file, SetArg::TCSANOW, settings) {
        tracing::debug!("the terminal's settings could not be changed: {error}");
    }
}

/// The settings of the shell, changed so that keys do nothing. Output is unchanged, for messages.
fn silent(settings: &Termios) -> Termios {
    let mut silent = settings.clone();
    silent.local_flags &=
        !(LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::IEXTEN);
    // Ctrl+S would also stop the shell's output.
    silent.input_flags &= !(InputFlags::IXON | InputFlags::IXOFF | InputFlags::BRKINT);
    silent.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
    silent.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
    silent
}

/// Reads input until a key interrupts by these settings; never returns if input cannot be read, as in the
/// background. Other input is discarded.
async fn interrupt(file: &AsyncFd<OwnedFd>, settings: &Termios) -> Signal {
    loop {
        let mut typed = [0_u8; 64];
        let read = file.async_io(Interest::READABLE, |file| Ok(nix::unistd::read(file.as_fd(), &mut typed)?)).await;
        match read {
            Ok(0) => break,
            Ok(count) => {
                if let Some(signal) = typed[..count].iter().find_map(|&key| signal_of(key, settings)) {
                    return signal;
                }
            }
            Err(error) if error.raw_os_error() == Some(Errno::EINTR as i32) => {}
            Err(error) => {
                tracing::debug!("what is typed cannot be read: {error}");
                break;
            }
        }
    }
    std::future::pending().await
}

/// The signal of a key by these settings; `None` for any other key, and if keys cause no signals.
fn signal_of(key: u8, settings: &Termios) -> Option<Signal> {
    // The value _POSIX_VDISABLE (termios(3)) means that there is no such key.
    if key == 0 || !settings.local_flags.contains(LocalFlags::ISIG) {
        return None;
    }
    let keys = [(SpecialCharacterIndices::VINTR, Signal::SIGINT), (SpecialCharacterIndices::VQUIT, Signal::SIGQUIT)];
    keys.into_iter().find(|(index, _)| settings.control_chars[*index as usize] == key).map(|(_, signal)| signal)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::{AsFd, OwnedFd};
    use std::time::Duration;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::sys::signal::Signal;
    use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
    use tokio::time::timeout;

    use super::{Terminal, Typed};

    /// How long the kernel may take to pass on what is typed, in milliseconds.
    const PATIENCE: u16 = 5000;

    /// A pseudo-terminal: the person's side, and the shell's.
    struct Person {
        keyboard: File,
        shell: OwnedFd,
    }

    fn is_readable(fd: &impl AsFd, patience: PollTimeout) -> bool {
        poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], patience).unwrap() == 1
    }

    impl Person {
        fn new() -> (Self, Terminal) {
            let pty = nix::pty::openpty(None, None).unwrap();
            let terminal = File::from(pty.slave.try_clone().unwrap());
            fcntl(&terminal, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
            (Self { keyboard: pty.master.into(), shell: pty.slave }, Terminal::of(terminal).unwrap())
        }

        /// Types, and waits until that has arrived.
        fn types(&mut self, keys: &[u8]) {
            self.keyboard.write_all(keys).unwrap();
            assert!(is_readable(&self.shell, PATIENCE.into()), "it does not arrive");
        }

        /// What is on the screen.
        fn sees(&mut self) -> String {
            let mut screen = [0; 256];
            if !is_readable(&self.keyboard, PollTimeout::ZERO) {
                return String::new();
            }
            let count = self.keyboard.read(&mut screen).unwrap();
            String::from_utf8_lossy(&screen[..count]).into_owned()
        }

        fn flags(&self) -> LocalFlags {
            tcgetattr(&self.shell).unwrap().local_flags
        }

        /// Whether the shell would read something.
        fn shell_reads(&self) -> bool {
            is_readable(&self.shell, PollTimeout::ZERO)
        }
    }

    const SHELL: LocalFlags = LocalFlags::ECHO.union(LocalFlags::ICANON).union(LocalFlags::ISIG);

    #[tokio::test]
    async fn what_is_typed_while_it_is_held_is_nobodys() {
        let (mut person, mut terminal) = Person::new();
        person.types(b"echo\r");
        assert_eq!(person.sees(), "echo\r\n", "a terminal as any");
        let before = tcgetattr(&person.shell).unwrap();
        terminal.hold();
        terminal.is_served();
        assert!(!person.flags().intersects(SHELL));
        person.types(b"touch x\r\x03\x1c\x1a\x13secret\r");
        assert_eq!(person.sees(), "");
        terminal.give_back();
        assert!(tcgetattr(&person.shell).unwrap() == before);
        assert_eq!((person.sees().as_str(), person.shell_reads()), ("", false));
        person.types(b"ls\r");
        assert_eq!(person.sees(), "ls\r\n");
    }

    #[tokio::test]
    async fn it_is_given_back_however_it_is_left_and_only_if_it_was_held() {
        let (mut person, mut terminal) = Person::new();
        terminal.hold();
        person.types(b"x\r");
        drop(terminal);
        assert!(person.flags().contains(SHELL) && !person.shell_reads());
        let (mut person, terminal) = Person::new();
        person.types(b"x\r");
        drop(terminal);
        assert!(person.shell_reads(), "a start that was refused");
    }

    #[tokio::test]
    async fn a_server_that_leaves_other_settings_changes_nothing() {
        let (mut person, mut terminal) = Person::new();
        let before = tcgetattr(&person.shell).unwrap();
        terminal.hold();
        tcsetattr(&person.shell, SetArg::TCSANOW, &before).unwrap();
        terminal.hold();
        person.types(b"touch x\r");
        assert_eq!(person.sees(), "");
        drop(terminal);
        assert!(tcgetattr(&person.shell).unwrap() == before && !person.shell_reads());
    }

    #[tokio::test]
    async fn ctrl_c_interrupts_until_a_server_has_served() {
        for (keys, signal) in [(&b"ab\x03"[..], Signal::SIGINT), (b"\x1c", Signal::SIGQUIT)] {
            let (mut person, mut terminal) = Person::new();
            terminal.hold();
            person.types(b"abc\r");
            assert!(timeout(Duration::from_millis(20), terminal.typed()).await.is_err());
            person.types(keys);
            assert_eq!(timeout(Duration::from_secs(5), terminal.typed()).await.unwrap(), Typed::Interrupt(signal));
            terminal.is_served();
            person.types(keys);
            assert!(timeout(Duration::from_millis(20), terminal.typed()).await.is_err());
        }
    }
}
