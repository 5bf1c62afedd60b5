//! The launchers that are measured, and how to start and quit each.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use startxd::for_tests::x11::cookie::Cookie;
use startxd::for_tests::x11::display::Display;
use startxd::for_tests::x11::xauthority;

use crate::cost;
use crate::harness::{Case, Guest, Login};

/// Where the shell on tty1 writes its stamps.
pub const STAMPS: &str = "/tmp/bench-stamps";

/// The real server, which startxd runs too: the wrapper would cost xinit and startx time.
const SERVER: &str = "/usr/lib/xorg/Xorg :0 vt1 -keeptty -noreset -nolisten tcp";

/// What starts a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launcher {
    /// xinit(1) by itself: no cookie, so every local user may connect.
    Xinit,
    /// startx(1): cookies by xauth(1), then xinit.
    Startx,
    /// startxd.
    Startxd,
}

impl Launcher {
    /// In the order of a round.
    pub const ALL: [Self; 3] = [Self::Xinit, Self::Startx, Self::Startxd];

    /// Its command line.
    pub fn command(self, wm: WindowManager) -> String {
        let wm = wm.name();
        match self {
            Self::Xinit => format!("xinit /usr/bin/{wm} -- {SERVER}"),
            Self::Startx => format!("startx /usr/bin/{wm} -- {SERVER}"),
            Self::Startxd => format!("startxd start -- {wm}"),
        }
    }

    /// The file with the cookie of its display, if it has one.
    pub const fn authority(self) -> Option<&'static str> {
        match self {
            Self::Xinit => None,
            Self::Startx => Some("/home/ada/.Xauthority"),
            Self::Startxd => Some("/run/user/1000/xauth_startxd_0"),
        }
    }
}

/// The cookie of the display in a file, as seen from outside.
///
/// # Panics
/// When there is none.
pub fn cookie_in(file: &Path) -> Cookie {
    let display = Display::new(0).expect("a display number");
    let name = file.display();
    let bytes = fs::read(file).unwrap_or_else(|e| panic!("{name}: {e}"));
    let entries = xauthority::decode(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
    xauthority::find_cookie(&entries, display, b"guest").unwrap_or_else(|| panic!("{name} has no cookie of {display}"))
}

/// The window managers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowManager {
    /// A small one in C.
    Openbox,
    /// A small one in C with its own IPC.
    I3,
    /// A larger one with a Lua interpreter.
    Awesome,
    /// A small one in C whose configuration is a program.
    Bspwm,
    /// A larger one in C++ with its own panel.
    Icewm,
}

impl WindowManager {
    /// In the order of the benchmark.
    pub const ALL: [Self; 5] = [Self::Openbox, Self::I3, Self::Awesome, Self::Bspwm, Self::Icewm];

    /// The program's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Openbox => "openbox",
            Self::I3 => "i3",
            Self::Awesome => "awesome",
            Self::Bspwm => "bspwm",
            Self::Icewm => "icewm",
        }
    }

    /// Tells it to quit, so that it exits with 0 by itself, and returns when that was.
    ///
    /// SIGTERM does this for all but i3, which takes it as a failure (status 143). So i3 is told over its own socket,
    /// as `i3-msg exit` does. Neither way starts a process, which would add to the number.
    pub fn quit(self, guest: &Guest) -> SystemTime {
        let pid = cost::pid_of(guest, self.name());
        let quit;
        if self == Self::I3 {
            let inner = cost::pid_inside(pid);
            let path = guest.outside(&format!("/run/user/1000/i3/ipc-socket.{inner}"));
            let mut socket = UnixStream::connect(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let text = b"exit";
            let mut message = b"i3-ipc".to_vec();
            message.extend(u32::try_from(text.len()).expect("a short text").to_ne_bytes());
            message.extend(0_u32.to_ne_bytes());
            message.extend(text);
            quit = SystemTime::now();
            socket.write_all(&message).expect("i3 listens");
            // To end-of-file: i3 drops an answer that it has not sent when the other end closes.
            let _ = socket.read_to_end(&mut Vec::new());
        } else {
            quit = SystemTime::now();
            kill(Pid::from_raw(pid), Signal::SIGTERM).expect("the window manager runs");
        }
        quit
    }
}

/// The display's socket, as seen from outside.
pub fn display_socket(guest: &Guest) -> PathBuf {
    guest.outside("/tmp/.X11-unix/X0")
}

/// A profile with the function that takes stamps, followed by a command. Between the stamps nothing is forked except
/// the launcher.
pub fn profile(command: &str) -> String {
    format!(
        "bench() {{ local begin=$EPOCHREALTIME; \"$@\"; local status=$? end=$EPOCHREALTIME; \
         echo $begin $end $status > {STAMPS}; }}\n{command}\n"
    )
}

/// Logs ada in, with a shell that can take stamps and window managers that start nothing else.
pub fn prepare(guest: &mut Case) -> Login {
    let missing = "startxd is not installed in the guest: use make bench, or set STARTXD_DESTDIR";
    assert!(guest.outside("/usr/bin/startxd").exists(), "{missing}");
    guest.write_profile("ada", &profile(""));
    // i3 would start a wizard for its configuration, and programs that are not installed.
    let configure = "mkdir -p ~/.config/i3 && grep -v ^exec /etc/i3/config > ~/.config/i3/config";
    guest.user("ada", configure).ok();
    // Its panel measures the machine's load all the time.
    guest.user("ada", "mkdir -p ~/.icewm && echo ShowTaskBar=0 > ~/.icewm/preferences").ok();
    // bspwm executes it.
    let configure = "mkdir -p ~/.config/bspwm && install -m 755 /dev/stdin ~/.config/bspwm/bspwmrc <<< '#!/bin/sh'";
    guest.user("ada", configure).ok();
    guest.at_prompt()
}
