//! Signals as they arrive, with their sender: a process, or the kernel because of a key on the terminal.

use std::io;
use std::os::fd::OwnedFd;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::watch;
use super::witness::Witness;

/// `siginfo.si_code` of signals from the kernel itself (asm-generic/siginfo.h, `SI_KERNEL`).
const SI_KERNEL: i32 = 0x80;

/// A signal that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedSignal {
    /// The signal.
    pub signal: Signal,
    /// Whether the kernel sent it to the whole foreground process group: Ctrl+C, or the terminal's end.
    pub from_terminal: bool,
    /// Whether it was sent to our whole process group, by anyone.
    pub to_group: bool,
}

/// Signals that are read one by one instead of having their default effect (signalfd(2)).
pub struct TakenSignals {
    fd: AsyncFd<OwnedFd>,
    witness: Option<Witness>,
    /// What was blocked before, for programs that we execute.
    pub mask: SigSet,
}

impl TakenSignals {
    /// Blocks these from now on. Must be called while this process has one thread, as only that thread's mask is set.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn take(signals: &[Signal]) -> io::Result<Self> {
        let set: SigSet = signals.iter().copied().collect();
        let mut mask = SigSet::empty();
        pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut mask))?;
        // Without it a signal may arrive twice, which is harmless.
        let witness = Witness::begin().inspect_err(|error| tracing::debug!("no witness of signals: {error}")).ok();
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { fd: watch(fd.into())?, witness, mask })
    }

    /// The process that tells whether a signal was for the whole group; our child, if there is one.
    #[must_use]
    pub fn witness(&self) -> Option<Pid> {
        self.witness.as_ref().map(Witness::pid)
    }

    /// The next one. May be dropped while it waits.
    ///
    /// # Errors
    /// The kernel's event queue fails.
    pub async fn next(&self) -> io::Result<ReceivedSignal> {
        loop {
            // `struct signalfd_siginfo`: ssi_signo, ssi_errno and ssi_code are its first three words.
            let mut info = [0_u8; 128];
            let read = self.fd.async_io(Interest::READABLE, |fd| Ok(nix::unistd::read(fd, &mut info)?)).await?;
            let word = |at: usize| info[at..].first_chunk().copied().map(i32::from_ne_bytes).unwrap_or_default();
            if read == info.len()
                && let Ok(signal) = Signal::try_from(word(0))
            {
                let has_it_too = self.witness.as_ref().is_some_and(|witness| witness.has_it_too(signal));
                let from_terminal = word(8) == SI_KERNEL;
                return Ok(ReceivedSignal { signal, from_terminal, to_group: from_terminal || has_it_too });
            }
        }
    }
}
