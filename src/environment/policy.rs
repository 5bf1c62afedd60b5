//! Which variables may travel from the login's environment into the user manager.
//!
//! A variable that describes one process, terminal or login would be wrong for every other, and one that systemd sets
//! for each unit would mislead the unit. Every other variable is the person's choice, and travels.

use thiserror::Error;

/// What else has to be done about names that never travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// It misleads programs on another display, or outside of the login.
    OtherDisplay,
    /// It misleads a server: socket activation and readiness are set anew for it, and libsystemd from 259 on checks
    /// `LISTEN_PIDFDID` as well (sd-daemon.c, `sd_listen_fds`).
    Activation,
    /// It makes a multiplexer's program believe that it runs inside the multiplexer.
    Multiplexer,
    /// It describes a unit, or one process of it, and misleads the programs that the process starts.
    Unit,
    /// It belongs to one login or terminal, and systemd itself never gives it to the user manager.
    Login,
}

/// Names that never travel, for one reason.
#[derive(Debug, PartialEq, Eq)]
pub struct VariableGroup {
    /// Why; follows "NAME stays behind: ".
    pub why: &'static str,
    /// What else has to be done about them.
    pub tags: &'static [Tag],
    /// The names; one that ends in `*` stands for all names with that beginning.
    pub names: &'static [&'static str],
}

const SHELL: &str = "it is the shell's own state";
const LOGIN: &str = "it describes the login session, and programs of the user manager are not in it";
const SYSTEMD: &str = "systemd sets it for one process or unit";
const DISPLAY: &str = "it belongs to another display, or to one window or one start of a program";
const MULTIPLEXER: &str = "it names the multiplexer that the login shell runs in";
const ORIGIN: &str = "it says where the login came from";

/// The names that never travel, by reason and tags.
pub const GROUPS: &[VariableGroup] = &[
    VariableGroup { why: SHELL, tags: &[Tag::Login, Tag::Unit], names: &["SHLVL", "OLDPWD"] },
    VariableGroup { why: SHELL, tags: &[Tag::Unit], names: &["PWD", "_"] },
    VariableGroup { why: SHELL, tags: &[], names: &["OPTIND", "SHELLOPTS", "BASHOPTS", "BASH_FUNC_*"] },
    VariableGroup {
        why: "it describes the login terminal, which programs on the display do not have",
        tags: &[],
        names: &[
            "TERM",
            "TERMCAP",
            "COLUMNS",
            "LINES",
            "COLORTERM",
            "LS_COLORS",
            "TERM_PROGRAM",
            "TERM_PROGRAM_VERSION",
            "TERM_SESSION_TYPE",
            "GPG_TTY",
            "HUSHLOGIN",
            "MOTD_SHOWN",
            "CONSOLE",
        ],
    },
    VariableGroup {
        why: LOGIN,
        tags: &[Tag::Login, Tag::OtherDisplay],
        names: &["XDG_SESSION_ID", "XDG_SEAT", "XDG_VTNR"],
    },
    VariableGroup {
        why: LOGIN,
        tags: &[],
        names: &["XDG_SESSION_CLASS", "XDG_SESSION_PATH", "XDG_SEAT_PATH", "GREETD_SOCK"],
    },
    VariableGroup { why: SYSTEMD, tags: &[Tag::Activation], names: &["NOTIFY_SOCKET", "LISTEN_*", "WATCHDOG_*"] },
    VariableGroup {
        why: SYSTEMD,
        tags: &[Tag::Unit],
        names: &[
            "INVOCATION_ID",
            "JOURNAL_STREAM",
            "MANAGERPID",
            "MANAGERPIDFDID",
            "SYSTEMD_EXEC_PID",
            // By name, because a unit cannot unset all names with a beginning.
            "MEMORY_PRESSURE_WATCH",
            "MEMORY_PRESSURE_WRITE",
        ],
    },
    VariableGroup {
        why: SYSTEMD,
        tags: &[],
        names: &[
            "MAINPID",
            "SYSTEMD_ACTIVATION_UNIT",
            "SYSTEMD_ACTIVATION_SCOPE",
            "FDSTORE",
            "PIDFILE",
            "LOG_NAMESPACE",
            "TRIGGER_*",
            "MONITOR_*",
            "SERVICE_RESULT",
            "EXIT_CODE",
            "EXIT_STATUS",
            "CREDENTIALS_DIRECTORY",
            "RUNTIME_DIRECTORY",
            "STATE_DIRECTORY",
            "CACHE_DIRECTORY",
            "LOGS_DIRECTORY",
            "CONFIGURATION_DIRECTORY",
        ],
    },
    VariableGroup {
        why: "the user manager's own value is used",
        tags: &[],
        names: &["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DBUS_STARTER_*"],
    },
    VariableGroup {
        why: "startxd sets it for the display that it starts",
        tags: &[],
        names: &["DISPLAY", "XAUTHORITY", "XDG_SESSION_TYPE"],
    },
    VariableGroup {
        why: DISPLAY,
        tags: &[Tag::OtherDisplay],
        names: &["WAYLAND_DISPLAY", "WAYLAND_SOCKET", "WINDOWPATH", "DESKTOP_STARTUP_ID", "XDG_ACTIVATION_TOKEN"],
    },
    VariableGroup { why: DISPLAY, tags: &[Tag::Login, Tag::OtherDisplay], names: &["WINDOWID"] },
    VariableGroup { why: MULTIPLEXER, tags: &[Tag::Login, Tag::Multiplexer], names: &["TMUX", "TMUX_PANE", "STY"] },
    VariableGroup {
        why: MULTIPLEXER,
        tags: &[Tag::Multiplexer],
        names: &["WINDOW", "ZELLIJ", "ZELLIJ_SESSION_NAME", "ZELLIJ_PANE_ID"],
    },
    VariableGroup {
        why: ORIGIN,
        tags: &[Tag::Login],
        names: &["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "SUDO_USER"],
    },
    VariableGroup {
        why: ORIGIN,
        tags: &[],
        // By name and not SUDO_*: SUDO_ASKPASS and SUDO_EDITOR are the person's choice.
        names: &[
            "SSH_ORIGINAL_COMMAND",
            "REMOTEHOST",
            "SUDO_COMMAND",
            "SUDO_UID",
            "SUDO_GID",
            "SUDO_HOME",
            "SUDO_TTY",
            "DOAS_USER",
            "PKEXEC_UID",
        ],
    },
];

/// Why a variable does not travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StaysBehind {
    /// The manager accepts only names of ASCII letters, digits and underscores that do not begin with a digit.
    #[error("the user manager does not accept such a name")]
    BadName,
    /// The manager accepts no control characters except tab and line break.
    #[error("the user manager does not accept a value with control characters")]
    BadValue,
    /// It is in one of the [`GROUPS`].
    #[error("{}", .0.why)]
    Never(&'static VariableGroup),
}

/// Takes a variable of the login, and returns whether it may travel.
///
/// # Errors
/// The reason why it may not.
pub fn travels(name: &str, value: &str) -> Result<(), StaysBehind> {
    if !is_name(name) {
        return Err(StaysBehind::BadName);
    }
    if let Some(group) = GROUPS.iter().find(|group| is_listed(group.names, name)) {
        return Err(StaysBehind::Never(group));
    }
    if is_value(value) { Ok(()) } else { Err(StaysBehind::BadValue) }
}

/// Returns the names that have a tag; one that ends in `*` stands for all names with that beginning.
pub fn tagged(tag: Tag) -> impl Iterator<Item = &'static str> {
    GROUPS.iter().filter(move |group| group.tags.contains(&tag)).flat_map(|group| group.names.iter().copied())
}

/// Returns whether a name has a tag.
pub fn is_tagged(tag: Tag, name: &str) -> bool {
    GROUPS.iter().any(|group| group.tags.contains(&tag) && is_listed(group.names, name))
}

/// Takes a list, in which a name that ends in `*` stands for all names with that beginning, and returns whether it has
/// the name.
pub fn is_listed<S: AsRef<str>>(list: &[S], name: &str) -> bool {
    list.iter().any(|listed| match listed.as_ref().strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == listed.as_ref(),
    })
}

/// Returns whether systemd accepts the name (`env_name_is_valid` in basic/env-util.c).
pub fn is_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && name.starts_with(|c: char| !c.is_ascii_digit())
}

/// Returns whether systemd accepts the value (`env_value_is_valid` in basic/env-util.c).
pub fn is_value(value: &str) -> bool {
    !value.bytes().any(|b| b.is_ascii_control() && b != b'\t' && b != b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn travel() {
        let names = [
            "PATH",
            "LANG",
            "LC_ALL",
            "SSH_AUTH_SOCK",
            "EDITOR",
            "SUDO_EDITOR",
            "TMUX_TMPDIR",
            "SYSTEMD_PAGER",
            "MAIL",
            "XDG_CONFIG_HOME",
            "XDG_CURRENT_DESKTOP",
            "DESKTOP_SESSION",
            "_JAVA_AWT_WM_NONREPARENTING",
            "WINDOWS",
        ];
        for name in names {
            assert_eq!(travels(name, "x"), Ok(()), "{name}");
        }
    }

    #[test]
    fn stay_behind() {
        let names = [
            "SHLVL",
            "PWD",
            "OLDPWD",
            "_",
            "TERM",
            "TERMCAP",
            "COLUMNS",
            "LINES",
            "XDG_SESSION_ID",
            "XDG_VTNR",
            "XDG_SEAT",
            "XDG_SESSION_CLASS",
            "INVOCATION_ID",
            "NOTIFY_SOCKET",
            "LISTEN_PID",
            "LISTEN_PIDFDID",
            "WATCHDOG_USEC",
            "MEMORY_PRESSURE_WATCH",
            "DISPLAY",
            "XAUTHORITY",
            "WAYLAND_DISPLAY",
            "XDG_RUNTIME_DIR",
            "DBUS_SESSION_BUS_ADDRESS",
            "TMUX",
            "STY",
            "SSH_TTY",
            "SUDO_UID",
            "XDG_SESSION_TYPE",
        ];
        for name in names {
            assert!(matches!(travels(name, "x"), Err(StaysBehind::Never(_))), "{name}");
        }
    }

    #[test]
    fn names_and_values_that_the_manager_refuses_stay_behind() {
        for name in ["", "1A", "A-B", "BASH_FUNC_which%%", "É", "A=B", "A B"] {
            assert_eq!(travels(name, "x"), Err(StaysBehind::BadName), "{name:?}");
        }
        for value in ["\0", "a\u{1b}[0m", "\r", "\u{7f}"] {
            assert_eq!(travels("A", value), Err(StaysBehind::BadValue), "{value:?}");
        }
        for value in ["", "a\tb\nc", "é", "\u{85}"] {
            assert_eq!(travels("A", value), Ok(()), "{value:?}");
        }
    }

    #[test]
    fn no_name_is_in_two_groups() {
        let mut names: Vec<_> = GROUPS.iter().flat_map(|group| group.names).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
