//! Facts about window managers that their xsessions entries do not contain.

/// A window manager.
#[derive(Debug, PartialEq, Eq)]
pub struct KnownManager {
    /// Its program, and the id of its entry.
    pub name: &'static str,
    /// Other programs and entries that start it: scripts that end in it.
    pub also: &'static [&'static str],
    /// Whether its process says READY=1 (sd_notify(3)).
    pub says_ready: bool,
    /// The command that makes it read its configuration again, the program first; empty if there is none.
    pub reload: &'static [&'static str],
}

/// A window manager that does not notify systemd.
const fn silent(name: &'static str, reload: &'static [&'static str]) -> KnownManager {
    KnownManager { name, also: &[], says_ready: false, reload }
}

/// All of them, the most common ones first.
pub const KNOWN: [KnownManager; 14] = [
    KnownManager { also: &["openbox-session"], ..silent("openbox", &["openbox", "--reconfigure"]) },
    // main.c: `sd_notify(1, "READY=1")`, just before the loop.
    KnownManager { also: &["i3-with-shmlog"], says_ready: true, ..silent("i3", &["i3-msg", "reload"]) },
    // awesome(1): SIGHUP restarts it, in the same process.
    silent("awesome", &["kill", "-HUP", "$MAINPID"]),
    silent("bspwm", &["bspc", "wm", "--restart"]),
    silent("herbstluftwm", &["herbstclient", "reload"]),
    KnownManager { also: &["icewm-session"], ..silent("icewm", &["icewm", "--restart"]) },
    KnownManager { also: &["startfluxbox"], ..silent("fluxbox", &[]) },
    silent("xmonad", &["xmonad", "--restart"]),
    // Its documentation: SIGUSR1 makes it read its configuration.
    silent("qtile", &["kill", "-USR1", "$MAINPID"]),
    silent("dwm", &[]),
    silent("fvwm3", &[]),
    silent("jwm", &["jwm", "-restart"]),
    silent("spectrwm", &[]),
    silent("twm", &[]),
];

/// Takes the name of an entry or a program and returns the facts about that window manager.
#[must_use]
pub fn known(name: &str) -> Option<&'static KnownManager> {
    KNOWN.iter().find(|known| known.name == name || known.also.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::{KNOWN, known};

    #[test]
    fn known_by_program_and_by_entry() {
        for (name, expected) in [
            ("i3", Some("i3")),
            ("i3-with-shmlog", Some("i3")),
            ("openbox-session", Some("openbox")),
            ("xterm", None),
            ("", None),
        ] {
            assert_eq!(known(name).map(|known| known.name), expected, "{name}");
        }
        for manager in &KNOWN {
            assert_eq!(known(manager.name), Some(manager), "two rows say {}", manager.name);
        }
    }
}
