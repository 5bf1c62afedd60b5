//! Reading and typing on the kernel's virtual terminals, from outside the guest.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::libc::{EIO, O_NOCTTY, O_NONBLOCK};

use super::sys;
use super::wait::{secs, wait_until};

/// What a terminal shows: characters, or what a server draws (`KDGETMODE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `KD_TEXT`
    Text,
    /// `KD_GRAPHICS`
    Graphics,
}

/// One virtual terminal.
#[derive(Debug, Clone)]
pub struct Vt {
    number: u8,
    dev: PathBuf,
}

impl Vt {
    /// Terminal `number`, whose device nodes are in the directory `dev`.
    pub(super) const fn new(number: u8, dev: PathBuf) -> Self {
        Self { number, dev }
    }

    /// Its number, 1 for `tty1`.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// The text on it, without trailing spaces and empty last lines. Empty for a terminal that was never opened.
    #[must_use]
    pub fn screen(&self) -> String {
        let Ok(cells) = self.cells() else {
            return String::new();
        };
        let lines: Vec<&str> = cells.lines.iter().map(|line| line.trim_end()).collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// The text to the left of the cursor, in the cursor's line.
    #[must_use]
    pub fn cursor_line(&self) -> String {
        let Ok(cells) = self.cells() else {
            return String::new();
        };
        let line = cells.lines.get(cells.row).map_or("", String::as_str);
        line.chars().take(cells.column).collect()
    }

    /// Whether the cursor is behind a shell's prompt with nothing typed yet.
    #[must_use]
    pub fn at_prompt(&self) -> bool {
        matches!(self.cursor_line().trim_end().chars().next_back(), Some('$' | '#'))
    }

    /// Waits until [`at_prompt`](Self::at_prompt), and until the terminal is a shell's again: what is typed after that
    /// arrives.
    ///
    /// A race: logind restores a terminal in three steps (`vt_restore`): text mode, keyboard mode, switching. The
    /// second makes the kernel drop what was typed since the first (`KDSKBMODE` flushes the line discipline), so wait
    /// for the third.
    ///
    /// # Panics
    /// After `deadline`, with the screen.
    pub fn wait_prompt(&self, deadline: Duration) {
        wait_until(&format!("a prompt on tty{}", self.number), deadline, || {
            let is_back = || self.mode() == Mode::Text && self.switches_by_itself();
            if self.at_prompt() && is_back() { Ok(()) } else { Err(self.to_string()) }
        });
    }

    /// Waits until `text` is on the screen, and returns the screen.
    ///
    /// # Panics
    /// After `deadline`, with the screen.
    pub fn wait_text(&self, text: &str, deadline: Duration) -> String {
        wait_until(&format!("{text:?} on tty{}", self.number), deadline, || {
            let screen = self.screen();
            if screen.contains(text) { Ok(screen) } else { Err(self.to_string()) }
        })
    }

    /// Waits until the terminal is in `mode`.
    ///
    /// # Panics
    /// After `deadline`, with the mode and the screen.
    pub fn wait_mode(&self, mode: Mode, deadline: Duration) {
        wait_until(&format!("tty{} in {mode:?} mode", self.number), deadline, || {
            if self.mode() == mode { Ok(()) } else { Err(self.to_string()) }
        });
    }

    /// Types `text` as a keyboard would.
    ///
    /// # Panics
    /// When the kernel refuses.
    pub fn type_text(&self, text: &str) {
        let typed = text.bytes().try_for_each(|byte| self.with_tty(|tty| sys::insert_byte(tty, byte)));
        typed.unwrap_or_else(|e| panic!("cannot type on tty{}: {e}", self.number));
    }

    /// Types `line` and Enter.
    ///
    /// # Panics
    /// When the kernel refuses.
    pub fn type_line(&self, line: &str) {
        self.type_text(&format!("{}\n", line.trim_end_matches('\n')));
    }

    /// Text or graphics; text for a terminal that nothing has open.
    ///
    /// # Panics
    /// When the terminal cannot be opened.
    #[must_use]
    pub fn mode(&self) -> Mode {
        if !self.is_open() {
            return Mode::Text;
        }
        match self.with_tty(sys::console_mode) {
            Ok(0) => Mode::Text,
            Ok(_) => Mode::Graphics,
            Err(e) => panic!("the mode of tty{}: {e}", self.number),
        }
    }

    /// Whether its keyboard is off (`K_OFF`), as after a graphical session that did not clean up.
    ///
    /// # Panics
    /// When the terminal cannot be opened.
    #[must_use]
    pub fn keyboard_is_off(&self) -> bool {
        if !self.is_open() {
            return false;
        }
        match self.with_tty(sys::keyboard_mode) {
            Ok(mode) => mode == 4,
            Err(e) => panic!("the keyboard mode of tty{}: {e}", self.number),
        }
    }

    /// Whether the kernel switches away from it without asking a process (`VT_AUTO`), as from a shell's.
    fn switches_by_itself(&self) -> bool {
        match self.with_tty(sys::switch_mode) {
            Ok(mode) => mode == 0,
            Err(e) => panic!("who switches away from tty{}: {e}", self.number),
        }
    }

    /// Brings it to the foreground, as Alt+Fn does, and waits until it is there.
    ///
    /// # Panics
    /// When it is not in the foreground within 10 s, because a server does not release the display.
    pub fn switch(&self) {
        // Through the active terminal's node: its own should not be open when logind checks.
        let asked = open(&self.dev.join("tty0")).and_then(|tty| sys::activate_vt(&tty, self.number));
        asked.unwrap_or_else(|e| panic!("cannot switch to tty{}: {e}", self.number));
        wait_until(&format!("tty{} to be active", self.number), secs(10), || match active_vt() {
            active if active == self.number => Ok(()),
            active => Err(format!("tty{active} is active")),
        });
    }

    /// Whether it was opened since it was last freed.
    #[must_use]
    pub fn exists(&self) -> bool {
        File::open(self.dev.join(format!("vcsa{}", self.number))).is_ok()
    }

    /// Whether a process has it open.
    ///
    /// Everything else requires opening the terminal, and logind starts no getty on one that is open when it checks,
    /// even if only for a moment.
    #[must_use]
    pub fn is_open(&self) -> bool {
        // As logind does: through tty1, as tty0 would open the active terminal.
        let open = open(&self.dev.join("tty1")).and_then(|tty| sys::open_vts(&tty));
        open.is_ok_and(|mask| mask & (1 << self.number) != 0)
    }

    /// Clears its screen.
    pub fn clear(&self) {
        let _ = self.with_tty(|mut tty| tty.write_all(b"\x1bc\x1b[3J"));
    }

    /// Opens the terminal and does something with it.
    ///
    /// A race: agetty(8) and login(1) hang up the terminal (vhangup(2)), and descriptors that are open then return EIO
    /// from there on. Open it again in that case; a login hangs up at most twice.
    fn with_tty<T>(&self, what: impl Fn(&File) -> io::Result<T>) -> io::Result<T> {
        let path = self.dev.join(format!("tty{}", self.number));
        let attempt = || open(&path).and_then(|tty| what(&tty));
        let is_hung_up = |result: &io::Result<T>| result.as_ref().is_err_and(|e| e.raw_os_error() == Some(EIO));
        let mut attempts = (0..8).map(|_| attempt());
        attempts.find(|result| !is_hung_up(result)).unwrap_or_else(attempt)
    }

    /// The screen at one moment.
    ///
    /// A race: the kernel lets others write between the pieces that it copies (vc_screen.c, `vcs_read`), so a copy may
    /// mix two screens. It is right when two copies are equal.
    fn cells(&self) -> io::Result<Cells> {
        let mut cells = self.cells_of_some_moment()?;
        for _ in 0..10 {
            let again = self.cells_of_some_moment()?;
            if again == cells {
                break;
            }
            cells = again;
        }
        Ok(cells)
    }

    /// `vcs(4)`: the size and the cursor from vcsa, the characters from vcsu (UCS-4), or from vcs if that fails.
    fn cells_of_some_moment(&self) -> io::Result<Cells> {
        let head = at_once(&self.dev.join(format!("vcsa{}", self.number)))?;
        let &[_, columns, column, row, ..] = head.as_slice() else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let unicode = at_once(&self.dev.join(format!("vcsu{}", self.number)));
        let characters: Vec<char> = match unicode {
            Ok(bytes) => bytes
                .chunks_exact(4)
                .map(|c| char::from_u32(u32::from_ne_bytes([c[0], c[1], c[2], c[3]])).unwrap_or('?'))
                .collect(),
            Err(_) => at_once(&self.dev.join(format!("vcs{}", self.number)))?.into_iter().map(char::from).collect(),
        };
        let lines = characters.chunks(usize::from(columns).max(1)).map(|line| line.iter().collect()).collect();
        Ok(Cells { lines, column: column.into(), row: row.into() })
    }
}

impl fmt::Display for Vt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let active = if active_vt() == self.number { ", active" } else { "" };
        writeln!(f, "tty{} in {:?} mode{active}:", self.number, self.mode())?;
        for line in self.screen().lines() {
            writeln!(f, "    | {line}")?;
        }
        Ok(())
    }
}

/// A screen as one read(2) returns it.
fn at_once(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 1 << 17];
    let length = File::open(path)?.read(&mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

/// Opens a terminal without making it our controlling terminal.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(O_NOCTTY | O_NONBLOCK).open(path)
}

#[derive(PartialEq, Eq)]
struct Cells {
    lines: Vec<String>,
    column: usize,
    row: usize,
}

/// The number of the active terminal.
///
/// # Panics
/// When the kernel has no virtual terminals.
#[must_use]
pub fn active_vt() -> u8 {
    let name = fs::read_to_string("/sys/class/tty/tty0/active").unwrap_or_default();
    let number = name.trim().strip_prefix("tty").and_then(|n| n.parse().ok());
    number.unwrap_or_else(|| panic!("the active terminal is {name:?}"))
}
