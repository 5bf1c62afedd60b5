//! `startxd select`: a small menu on the terminal, and the choice of last time.
//!
//! What is shown and what a key does is pure ([`menu`], [`keys`]); [`terminal`] is raw while the menu is shown, and is
//! restored afterwards, whatever ends it.

pub mod keys;
pub mod memory;
pub mod menu;
pub mod terminal;

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use keys::Keys;
use menu::{Menu, Step};
use terminal::{MenuTerminal, Raw};

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The item with this index was chosen, or its time was up.
    Chosen(usize),
    /// The person cancelled, or a signal came.
    Cancelled,
}

/// Asks on the controlling terminal, by a menu or, if the terminal can only print, by a numbered prompt.
///
/// `timeout` is the time after which the selected item is taken; `None` for never.
///
/// # Errors
/// There is no terminal, or it is gone.
pub async fn ask(menu: Menu, timeout: Option<Duration>) -> io::Result<Answer> {
    let terminal = MenuTerminal::open()?;
    let term = std::env::var("TERM").unwrap_or_default();
    let mut signals = MenuSignals::catch()?;
    let end = timeout.map(|timeout| Instant::now() + timeout);
    if matches!(term.as_str(), "" | "dumb" | "unknown") {
        by_prompt(&menu, &terminal, end, &mut signals).await
    } else {
        by_menu(menu, &terminal, end, &mut signals).await
    }
}

async fn by_menu(
    mut menu: Menu,
    terminal: &MenuTerminal,
    mut end: Option<Instant>,
    signals: &mut MenuSignals,
) -> io::Result<Answer> {
    let mut raw = Raw::begin(terminal)?;
    let mut keys = Keys::default();
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        raw.draw(&menu.lines(left, terminal.size()))?;
        let step = tokio::select! {
            bytes = terminal.read() => {
                let bytes = bytes?;
                // A key was pressed.
                end = None;
                match bytes.as_slice() {
                    [] => Step::Cancelled,
                    bytes => menu.press(keys.decode(bytes)),
                }
            }
            () = tick(end) => match end {
                Some(end) if Instant::now() >= end => Step::Chosen(menu.at()),
                _ => Step::Stay,
            },
            ends = signals.next() => {
                if ends {
                    Step::Cancelled
                } else {
                    raw.resume()?;
                    Step::Stay
                }
            }
        };
        match step {
            Step::Stay => {}
            Step::Chosen(index) => return Ok(Answer::Chosen(index)),
            Step::Cancelled => return Ok(Answer::Cancelled),
        }
    }
}

/// Waits until what is shown of the time that is left changes, or it is up.
async fn tick(end: Option<Instant>) {
    match end {
        Some(end) => {
            let left = end.saturating_duration_since(Instant::now());
            let part = Duration::from_nanos(u64::from(left.subsec_nanos()));
            let next = if part.is_zero() { Duration::from_secs(1) } else { part };
            sleep_until(end - left.saturating_sub(next)).await;
        }
        None => std::future::pending().await,
    }
}

async fn by_prompt(
    menu: &Menu,
    terminal: &MenuTerminal,
    mut end: Option<Instant>,
    signals: &mut MenuSignals,
) -> io::Result<Answer> {
    terminal.write(&menu.numbered(end.map(|end| end.saturating_duration_since(Instant::now()))))?;
    let up = |end: Option<Instant>| async move {
        match end {
            Some(end) => sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    loop {
        tokio::select! {
            line = terminal.read() => {
                let line = line?;
                end = None;
                if line.is_empty() {
                    terminal.write("\n")?;
                    return Ok(Answer::Cancelled);
                }
                match menu.answer(&String::from_utf8_lossy(&line)) {
                    Step::Chosen(index) => return Ok(Answer::Chosen(index)),
                    Step::Cancelled => return Ok(Answer::Cancelled),
                    Step::Stay => terminal.write(&menu.again())?,
                }
            }
            () = up(end) => {
                terminal.write("\n")?;
                return Ok(Answer::Chosen(menu.at()));
            }
            ends = signals.next() => if ends {
                terminal.write("\n")?;
                return Ok(Answer::Cancelled);
            }
        }
    }
}

/// The signals that end a question, and the one after which the terminal has to be made raw again.
struct MenuSignals {
    end: Vec<Signal>,
    goes_on: Signal,
}

impl MenuSignals {
    fn catch() -> io::Result<Self> {
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup(), SignalKind::quit()];
        let end = kinds.into_iter().map(signal).collect::<io::Result<_>>()?;
        Ok(Self { end, goes_on: signal(SignalKind::from_raw(nix::libc::SIGCONT))? })
    }

    /// Waits for one of them, and returns whether it ends the question.
    async fn next(&mut self) -> bool {
        std::future::poll_fn(|context| {
            if self.end.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
                return std::task::Poll::Ready(true);
            }
            self.goes_on.poll_recv(context).map(|_| false)
        })
        .await
    }
}
