//! Names of units and of their objects; pure.

/// `xorg.target`: the display is up.
pub const XORG_TARGET: &str = "xorg.target";
/// `wm.target`: the window manager's target.
pub const WM_TARGET: &str = "wm.target";
/// `wm-ready.target`: a window manager manages the display; keeps `graphical-session.target` up.
pub const WM_READY_TARGET: &str = "wm-ready.target";

/// Whether a unit was made from an autostart entry (systemd-xdg-autostart-generator(8)).
#[must_use]
pub fn is_autostart(unit: &str) -> bool {
    unit.starts_with("app-") && unit.ends_with("@autostart.service")
}

/// `wm-autostart.target`: starts the autostart programs, unless the session starts them itself.
pub const WM_AUTOSTART_TARGET: &str = "wm-autostart.target";
/// systemd.special(7).
pub const GRAPHICAL_SESSION: &str = "graphical-session.target";
/// systemd.special(7).
pub const GRAPHICAL_SESSION_PRE: &str = "graphical-session-pre.target";
/// `startxd-lock.target`: the screen is locked, or about to be; starts the units of screen lockers.
pub const LOCK_TARGET: &str = "startxd-lock.target";
/// `startxd-unlock.target`: the screen is unlocked again.
pub const UNLOCK_TARGET: &str = "startxd-unlock.target";
/// `startxd-sleep.target`: the machine goes to sleep.
pub const SLEEP_TARGET: &str = "startxd-sleep.target";
/// `startxd-idle.target`: there was no input for a while.
pub const IDLE_TARGET: &str = "startxd-idle.target";
/// Started by systemd when a supervisor fails.
pub const REPAIR_SERVICE: &str = "startxd-repair.service";
/// Conflicts with everything above; started with `replace-irreversibly`, it ends everything in order.
pub const SHUTDOWN_TARGET: &str = "startxd-shutdown.target";

/// Watches a display that another program has started.
pub const ATTACHED: &str = "startxd-attached.service";

/// The user's message bus: the socket that starts it, and the services that may implement it.
pub const BUS: [&str; 3] = ["dbus.socket", "dbus.service", "dbus-broker.service"];

/// The path of unit objects, without the slash at the end.
pub const UNIT_NAMESPACE: &str = "/org/freedesktop/systemd1/unit";

/// The path of unit objects (org.freedesktop.systemd1(5)).
const UNIT_PREFIX: &str = "/org/freedesktop/systemd1/unit/";

/// Longest unit name in bytes (`UNIT_NAME_MAX`, systemd's unit-def.h), without the final NUL.
pub const UNIT_NAME_MAX: usize = 255;

/// The object path of a unit, as systemd makes it (`unit_dbus_path_from_name`, `bus_label_escape`): every byte that is
/// not a letter or a digit, and a leading digit, becomes `_` and two hexadecimal digits.
#[must_use]
pub fn object_path(unit: &str) -> String {
    let mut path = UNIT_PREFIX.to_owned();
    for (index, byte) in unit.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (index > 0 && byte.is_ascii_digit()) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("_{byte:02x}"));
        }
    }
    path
}

/// The unit of an object path, the reverse of [`object_path`]; `None` for other objects.
#[must_use]
pub fn unit_of_path(path: &str) -> Option<String> {
    let mut bytes = path.strip_prefix(UNIT_PREFIX)?.bytes();
    let mut name = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'_' {
            let digits = [bytes.next()?, bytes.next()?];
            name.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            name.push(byte);
        }
    }
    String::from_utf8(name).ok()
}

/// Escapes text for use within a unit name, as systemd-escape(1) does: `/` becomes `-`, and all but letters, digits,
/// `:`, `_` and `.` (and a leading `.`) becomes `\xNN`.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'/' => escaped.push('-'),
            b'.' if index == 0 => escaped.push_str("\\x2e"),
            b':' | b'_' | b'.' => escaped.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("\\x{byte:02x}")),
        }
    }
    escaped
}

/// The server of a display without a screen.
#[must_use]
pub fn display_service(display: crate::x11::display::Display) -> String {
    format!("startxd-display@{}.service", display.number())
}

/// The server of a display for one command.
#[must_use]
pub fn display_scope(display: crate::x11::display::Display) -> String {
    format!("startxd-display-{}.scope", display.number())
}

/// Its sockets.
#[must_use]
pub fn display_socket(display: crate::x11::display::Display) -> String {
    format!("startxd-display@{}.socket", display.number())
}

/// Its window manager or other session: a transient service.
#[must_use]
pub fn display_session(display: crate::x11::display::Display) -> String {
    format!("{DISPLAY_SESSION}{}.service", display.number())
}

/// The unit that cleans up after a killed supervisor of such a display.
#[must_use]
pub fn display_repair(display: crate::x11::display::Display) -> String {
    format!("startxd-display-repair@{}.service", display.number())
}

/// A command on such a display, by its pid.
#[must_use]
pub fn display_command(display: crate::x11::display::Display, pid: nix::unistd::Pid) -> String {
    format!("startxd-display-run-{}-{pid}.scope", display.number())
}

/// The transient service that reads `~/.Xresources`, `~/.xprofile` and the like.
pub const DOTFILES_SERVICE: &str = "startxd-dotfiles.service";

/// The prefix before the name of the program in [`session_service`].
const SESSION_SERVICE: &str = "startxd-wm@";

/// The prefix before the number of the display in [`display_session`].
const DISPLAY_SESSION: &str = "startxd-display-session@";

/// Whether a unit is one that [`session_service`] or [`display_session`] named.
#[must_use]
pub fn is_session_service(unit: &str) -> bool {
    unit.starts_with(SESSION_SERVICE) || unit.starts_with(DISPLAY_SESSION)
}

/// The name of the transient service that runs a session given as a command: `startxd-wm@NAME.service`, where NAME is
/// the program's name, escaped, and cut so that the whole is a valid unit name.
#[must_use]
pub fn session_service(program: &str) -> String {
    let (prefix, suffix) = (SESSION_SERVICE, ".service");
    let room = UNIT_NAME_MAX - prefix.len() - suffix.len();
    // Cut before escaping, so that no escape sequence is cut in two.
    let mut end = program.len();
    while escape(&program[..end]).len() > room {
        end = program.floor_char_boundary(end - 1);
    }
    format!("{prefix}{}{suffix}", escape(&program[..end]))
}

/// The scope of a command in the session.
#[must_use]
pub fn session_command(pid: nix::unistd::Pid) -> String {
    format!("startxd-run-{pid}.scope")
}

/// `xorg@N.service` of a display number.
#[must_use]
pub fn xorg_service(display: crate::x11::display::Display) -> String {
    format!("xorg@{}.service", display.number())
}

/// `xorg@N.socket` of a display number.
#[must_use]
pub fn xorg_socket(display: crate::x11::display::Display) -> String {
    format!("xorg@{}.socket", display.number())
}

#[cfg(test)]
mod tests {
    use super::{escape, is_autostart, object_path, session_service, unit_of_path};

    #[test]
    fn autostart_units_are_known_by_their_names() {
        for (unit, expected) in [
            ("app-eyes@autostart.service", true),
            (r"app-org.example.A\x2dB@autostart.service", true),
            ("app-firefox-1234.scope", false),
            ("eyes.service", false),
        ] {
            assert_eq!(is_autostart(unit), expected, "{unit}");
        }
    }

    #[test]
    fn object_paths_are_as_systemd_makes_them() {
        let cases = [
            ("xorg@0.service", "/org/freedesktop/systemd1/unit/xorg_400_2eservice"),
            ("wm.target", "/org/freedesktop/systemd1/unit/wm_2etarget"),
            ("0.target", "/org/freedesktop/systemd1/unit/_30_2etarget"),
            ("a-b_c.service", "/org/freedesktop/systemd1/unit/a_2db_5fc_2eservice"),
        ];
        for (unit, path) in cases {
            assert_eq!(object_path(unit), path);
            assert_eq!(unit_of_path(path).as_deref(), Some(unit));
        }
        for path in [
            "/org/freedesktop/systemd1/job/1",
            "/org/freedesktop/systemd1/unit/a_2",
            "/org/freedesktop/systemd1/unit/a_zz",
        ] {
            assert_eq!(unit_of_path(path), None, "{path}");
        }
    }

    #[test]
    fn escapes_like_systemd_escape() {
        let cases = [
            ("openbox", "openbox"),
            ("a b", "a\\x20b"),
            ("x-y", "x\\x2dy"),
            (".xinitrc", "\\x2exinitrc"),
            ("a/b", "a-b"),
            ("ü", "\\xc3\\xbc"),
        ];
        for (text, escaped) in cases {
            assert_eq!(escape(text), escaped);
        }
    }

    #[test]
    fn session_services_are_never_too_long() {
        assert_eq!(session_service("openbox"), "startxd-wm@openbox.service");
        let long = session_service(&"ü ".repeat(200));
        assert!(long.len() <= 255 && long.ends_with(".service"), "{long}");
    }
}
