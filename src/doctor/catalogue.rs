//! Every kind of finding: its id, how much it matters, and why. The ids are an interface, like the exit statuses.

use super::{Finding, Severity};

/// A kind of finding.
#[derive(Debug, PartialEq, Eq)]
pub struct FindingKind {
    /// Its name, `AREA.FAULT`: stable, for scripts and for the manual page.
    pub id: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Why it matters, a sentence without a full stop.
    pub why: &'static str,
}

impl FindingKind {
    /// Such a finding: what is so on this machine, and what mends it.
    pub fn found(&'static self, what: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { kind: self, what: what.into(), remedy: remedy.into() }
    }
}

/// Makes a constant of each kind, and the table of them all, from one list.
macro_rules! kinds {
    ($($name:ident: $id:literal, $severity:ident, $why:literal;)+) => {
        $(
            #[doc = $why]
            pub static $name: FindingKind = FindingKind { id: $id, severity: Severity::$severity, why: $why };
        )+

        /// All of them, by area. For tests alone: so the compiler finds a kind that is never found.
        #[cfg(test)]
        pub static KINDS: &[&FindingKind] = &[$(&$name),+];
    };
}

kinds! {
    LOGIN_ROOT: "login.root", Note,
        "startxd never runs as root, and root's login says nothing about yours, so only the machine was checked";
    LOGIN_LOGIND: "login.logind", Error,
        "only logind gives devices to an X server that is not root";
    LOGIN_OTHER_USER: "login.other-user", Warning,
        "su and sudo do not make a login session: the server would get no devices, and the terminal is not yours";
    LOGIN_NONE: "login.none", Note,
        "a session cannot be started from here; everything else was checked";
    LOGIN_CLASS: "login.class", Warning,
        "only the login of a person can have a display";
    LOGIN_REMOTE: "login.remote", Note,
        "a login from another machine has no screen here, so a session cannot be started from it";
    LOGIN_NO_SCREEN: "login.no-screen", Note,
        "a session needs a seat and a virtual terminal for its screen and its keyboard";
    LOGIN_TYPE: "login.type", Note,
        "programs that ask logind do not treat the session as graphical, and the type cannot be changed later";

    MANAGER_RUNTIME_DIR: "manager.runtime-dir", Error,
        "the user manager, its bus and every part of a session are reached through this directory";
    MANAGER_BUS: "manager.bus", Error,
        "startxd talks to the user manager over this bus, and so do most programs of a session";
    MANAGER_SILENT: "manager.silent", Error,
        "the server and the window manager are units of the user manager";
    MANAGER_OTHER_BUS: "manager.other-bus", Warning,
        "programs started from here do not see the services that the user manager starts";
    MANAGER_UNITS: "manager.units", Error,
        "no session can start without the units of startxd";
    MANAGER_FAILED: "manager.failed", Warning,
        "this unit belongs to a session; what failed once fails again until its cause is gone";
    MANAGER_FAILED_OTHER: "manager.failed-other", Note,
        "they do not belong to startxd, but a session may need them";

    TERMINAL_DISPLAY_MANAGER: "terminal.display-manager", Warning,
        "it takes a virtual terminal and the screen for its greeter, and restarts what you end";
    TERMINAL_DISPLAY_MANAGER_ENABLED: "terminal.display-manager-enabled", Note,
        "at the next boot its greeter has the screen, and your login on a terminal waits behind it";
    TERMINAL_GETTY: "terminal.getty", Warning,
        "two programs read the same keyboard, and the one that ends hangs up the terminal of the other";

    SERVER_MISSING: "server.missing", Error,
        "without an X server there is no display";
    SERVER_XSERVERRC: "server.xserverrc", Warning,
        "startx executes this file; startxd only reads the server's arguments from it, if they are written out there";
    SERVER_SETUID: "server.setuid", Warning,
        "a setuid server runs as root; startxd never starts one";
    SERVER_NO_INPUT_DRIVER: "server.no-input-driver", Warning,
        "the server would come up without keyboard and mouse";
    SERVER_NO_KEYBOARD: "server.no-keyboard", Note,
        "the X server comes up, and nothing can be typed until a keyboard is there; it takes one that is plugged in later";
    SERVER_UNTRIED: "server.untried", Note,
        "nothing speaks against it, but no test of startxd has run on such a graphics device";
    SERVER_NO_KMS: "server.no-kms", Warning,
        "a server without root can use a graphics device only by the kernel's mode setting";
    SERVER_NO_GRAPHICS_SEAT: "server.no-graphics-seat", Warning,
        "logind hands out only devices that it knows to be of the seat";
    SERVER_WRAPPER: "server.wrapper", Note,
        "startx starts the server through it; startxd never runs it, and does not need it";
    SERVER_WRAPPER_ROOT: "server.wrapper-root", Warning,
        "every startx on this machine runs the whole server as root, which startxd does not need";
    SERVER_LOG: "server.log", Warning,
        "Xorg ends if it cannot open its log; startxd has it write into the journal instead";
    SERVER_DEVICE_GROUP: "server.device-group", Note,
        "all of your programs can read every keyboard or draw on the screen; the server gets its devices from logind";

    DISPLAY_SOCKET_DIR: "display.socket-dir", Error,
        "no display can be created there, or other users could replace yours";
    DISPLAY_STALE: "display.stale", Note,
        "a server that was killed left it; the next one on that display replaces it";
    DISPLAY_BLOCKED: "display.blocked", Warning,
        "the display cannot be used, and a session that asks for it does not start";
    DISPLAY_ODD_LOCK: "display.odd-lock", Warning,
        "another process has the number of the server that wrote it; X servers do not use the display while that process runs";
    DISPLAY_HOST_ACCESS: "display.host-access", Note,
        "whoever is on the server's host access list needs no cookie, and every client of a display can read its keyboard";
    DISPLAY_OPEN: "display.open", Warning,
        "every client of a display can read its keyboard and see its windows, and no cookie is asked for";

    SESSION_DEAD_HOST: "session.dead-host", Warning,
        "its environment and its units are still in your user manager";
    SESSION_OTHER: "session.other", Warning,
        "a user manager has one graphical session, so startxd start refuses while this one is up";
    SESSION_UNWELL: "session.unwell", Error,
        "a part of the session that is up does not work";
    SESSION_SERVICE: "session.service", Warning,
        "the session has to do without it";
    SESSION_AUTOSTART_TWICE: "session.autostart-twice", Warning,
        "two copies of a program are in each other's way, and take twice the memory";

    LOCK_MISSING: "lock.missing", Warning,
        "the screen cannot be locked, by no key, lid or command";
    LOCK_TWO: "lock.two", Warning,
        "each of them is started for every request, and the screen is open only when all of them have been unlocked";
    LOCK_XSS_LOCK: "lock.xss-lock", Note,
        "loginctl lock-session and the lid do not reach it by logind, and some versions end after the first lock";
    LOCK_IDLE_ACTION: "lock.idle-action", Warning,
        "logind ignores what startxd tells it of such a session, and goes by what is typed on its terminal: nothing below X";
    LOCK_NO_DELAY: "lock.no-delay", Note,
        "the machine may be asleep before the screen is locked, and show the desktop for a moment when it wakes";
    LOCK_SLEEP: "lock.sleep", Note,
        "whoever wakes the machine finds the desktop";

    PORTALS_NO_BACKEND: "portals.no-backend", Warning,
        "file choosers and screen sharing of sandboxed programs fail, or wait until a deadline";
    PORTALS_NO_CONFIG: "portals.no-config", Note,
        "the portal guesses which backend to use, and starting programs may take long";
    PORTALS_NO_TARGET: "portals.no-target", Warning,
        "xdg-desktop-portal needs graphical-session.target (from 1.21 on it does not start without), and programs wait for it";

    UNITS_MISSING_TARGET: "units.missing-target", Warning,
        "a target that does not exist is never reached, so the unit never starts";
    UNITS_LEFTOVER: "units.leftover", Note,
        "packages enabled them for programs that are not installed; they never start, and nothing depends on them";
    UNITS_DANGLING: "units.dangling", Warning,
        "the unit that should start does not exist";
    UNITS_TOO_EARLY: "units.too-early", Warning,
        "default.target is reached at login, when there is no display yet: the unit fails, or has no DISPLAY";
    UNITS_OOM: "units.oom", Warning,
        "when memory runs out and the kernel kills one program of the unit, systemd stops the whole unit, and the session ends";

    MULTIPLEXERS_NO_LINGER: "multiplexers.no-linger", Warning,
        "your user manager, and with it the multiplexers, ends with your last login";
    MULTIPLEXERS_DISABLED: "multiplexers.disabled", Warning,
        "the units that are enabled for multiplexer.target start only if something starts that target";
    MULTIPLEXERS_KILLED: "multiplexers.killed", Warning,
        "logind is set to kill everything that a login leaves behind (KillUserProcesses), including multiplexers";

    ENVIRONMENT_DEAD_DISPLAY: "environment.dead-display", Warning,
        "services that start now look for a display that does not exist, and fail";
    ENVIRONMENT_DEAD_COOKIE: "environment.dead-cookie", Warning,
        "the display refuses services that start now";
    ENVIRONMENT_DEAD_WAYLAND: "environment.dead-wayland", Warning,
        "programs prefer Wayland where this is set, and fail";
    ENVIRONMENT_LOGIN_VARIABLES: "environment.login-variables", Note,
        "they describe one login or terminal, and mislead every service that starts now";

    SNIPPETS_INSTALLED: "snippets.installed", Note,
        "it sets DISPLAY in the user manager when a startx session begins, and never unsets it";
    SNIPPETS_IMPORT_ALL: "snippets.import-all", Warning,
        "variables of one login get into the user manager, stay there, and mislead the next session";
    SNIPPETS_IMPORT: "snippets.import", Note,
        "startxd exports them already, and undoes only its own exports";
    SNIPPETS_OTHER_BUS: "snippets.other-bus", Warning,
        "the session's programs would be on another bus than the services of the user manager";
    SNIPPETS_SECOND_START: "snippets.second-start", Warning,
        "two programs would start a session at login, on the same terminal";

    VERSIONS_SYSTEMD: "versions.systemd", Warning,
        "startxd needs systemd 252 or later, the oldest version that it is tested with";
    VERSIONS_SERVER: "versions.server", Warning,
        "startxd needs an X server of version 1.20 or later; it is tested with 21.1 and later";
    VERSIONS_KERNEL: "versions.kernel", Warning,
        "startxd needs Linux 5.10 or later; it is tested with 6.1 and later";
    VERSIONS_CGROUP: "versions.cgroup", Error,
        "the user manager can move the server into its unit only in the unified hierarchy";

    CONFIG_COMPLAINT: "config.complaint", Warning,
        "mistakes in a configuration file are ignored, and the default is used";
    CONFIG_VALUE: "config.value", Warning,
        "it names something that this machine does not have, so what needs it fails";
}

#[cfg(test)]
mod tests {
    use super::KINDS;

    #[test]
    fn ids_are_unique_and_well_formed() {
        let mut ids: Vec<&str> = KINDS.iter().map(|kind| kind.id).collect();
        for id in &ids {
            let (area, fault) = id.split_once('.').unwrap();
            let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            assert!(plain(area) && plain(fault), "{id}");
        }
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
