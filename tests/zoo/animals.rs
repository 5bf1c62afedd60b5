//! The window managers and desktops of the zoo, and what is known about each.

use crate::life::Column;

/// A window manager or a desktop.
pub struct Animal {
    /// What people call it.
    pub name: &'static str,
    /// The argument of `startxd start`: an entry's name, or `-- COMMAND`.
    pub session: &'static str,
    /// The name of the window manager's process, of at most 15 bytes.
    pub process: &'static str,
    /// How a person logs out of it.
    pub logout: Logout,
    /// Files that it needs: paths in the home, and texts.
    pub files: &'static [(&'static str, &'static str)],
    /// Parts of the lines of a [`Difference`](crate::harness::Difference) that it causes itself.
    pub leaves: &'static [&'static str],
    /// What is known to be wrong with it, and why we cannot fix it.
    pub known: &'static [(Column, &'static str)],
}

/// How a person logs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logout {
    /// By a command that menus run.
    Command(&'static str),
    /// By keys.
    Keys(&'static str),
    /// At best by a menu: SIGTERM.
    Signal,
}

use Logout::{Command, Keys, Signal};

/// One whose program, entry and process have the same name.
const fn plain(name: &'static str, logout: Logout) -> Animal {
    Animal { name, session: name, process: name, logout, files: &[], leaves: &[], known: &[] }
}

impl Animal {
    /// # Panics
    /// When there is none of that name.
    pub fn named(name: &str) -> &'static Self {
        ANIMALS.iter().find(|animal| animal.name == name).unwrap_or_else(|| panic!("there is no {name} in the zoo"))
    }

    /// Whether it is only a window manager, as `startxd enable wm` needs.
    pub fn is_manager(&self) -> bool {
        !DESKTOPS.contains(&self.name)
    }

    /// Why a column is wrong, if that is known.
    pub fn reason(&self, column: Column) -> Option<&'static str> {
        self.known.iter().find(|(known, _)| *known == column).map(|(_, reason)| *reason)
    }
}

/// Those in every guest's tree.
pub const TEN: [&str; 10] =
    ["awesome", "bspwm", "dwm", "fluxbox", "herbstluftwm", "i3", "icewm", "jwm", "openbox", "twm"];

const DESKTOPS: [&str; 7] = ["cinnamon", "flashback", "lxde", "lxqt", "mate", "plasma", "xfce"];

/// Why SIGTERM is no logout of some.
const DEAF: &str = "it does not end at a SIGTERM; people leave it by its menu";

/// What fvwm3 does after a crash.
const MODULE: &str = "a module of it that is told to end waits for fvwm3, and is killed after 30 seconds";

/// What Enlightenment does after a crash.
const ALERT: &str = "after a crash its alert covers the screen and has the keyboard, as a locker does, so the login session \
    ends with the session";

/// All of them.
pub const ANIMALS: [Animal; 53] = [
    Animal { known: &[(Column::Logout, DEAF)], ..plain("9wm", Signal) },
    Animal { known: &[(Column::Logout, DEAF)], ..plain("aewm++", Signal) },
    Animal { session: "AfterStep", ..plain("afterstep", Signal) },
    plain("awesome", Command("awesome-client 'awesome.quit()'")),
    plain("blackbox", Signal),
    Animal { files: &[("~/.config/bspwm/bspwmrc", "#!/bin/sh\n")], ..plain("bspwm", Command("bspc quit")) },
    Animal { process: "cinnamon", ..plain("cinnamon", Command("cinnamon-session-quit --logout --no-prompt --force")) },
    plain("clfswm", Signal),
    plain("ctwm", Signal),
    plain("cwm", Keys("ctrl+alt+shift+q")),
    plain("dwm", Keys("alt+shift+q")),
    Animal {
        known: &[(Column::Stop, ALERT), (Column::Server, ALERT), (Column::Unit, ALERT)],
        ..plain("enlightenment", Command("enlightenment_remote -exit"))
    },
    plain("evilwm", Signal),
    Animal {
        process: "metacity",
        session: "gnome-flashback-metacity",
        ..plain("flashback", Command("gnome-session-quit --logout --no-prompt --force"))
    },
    plain("flwm", Signal),
    Animal {
        files: &[("~/.fluxbox/init", "session.screen0.allowRemoteActions: true\n")],
        ..plain("fluxbox", Command("fluxbox-remote exit"))
    },
    Animal { process: "fvwm2", ..plain("fvwm", Signal) },
    plain("fvwm-crystal", Signal),
    Animal { known: &[(Column::Stop, MODULE), (Column::Unit, MODULE)], ..plain("fvwm3", Command("FvwmCommand Quit")) },
    plain("herbstluftwm", Command("herbstclient quit")),
    Animal {
        files: &[("~/.config/i3/config", "# i3 config file (v4)\n")],
        leaves: &["/run/user/1000/i3"],
        ..plain("i3", Command("i3-msg exit"))
    },
    Animal { files: &[("~/.icewm/preferences", "ConfirmLogout=0\n")], ..plain("icewm", Command("icesh logout")) },
    plain("jwm", Command("jwm -exit")),
    Animal { session: "-- kwin_x11", process: "kwin_x11", ..plain("kwin", Signal) },
    plain("lwm", Signal),
    Animal { session: "LXDE", process: "openbox", ..plain("lxde", Command("pkill -x lxsession")) },
    Animal {
        process: "openbox",
        // It asks at its first start.
        files: &[("~/.config/lxqt/session.conf", "[General]\nwindow_manager=openbox\n")],
        known: &[(Column::Crash, "lxqt-session does not start its window manager again")],
        ..plain("lxqt", Command("busctl --user call org.lxqt.session /LXQtSession org.lxqt.session logout"))
    },
    Animal { session: "-- marco", ..plain("marco", Signal) },
    Animal {
        session: "matchbox-window-manager",
        process: "matchbox-window",
        ..plain("matchbox", Command("matchbox-remote -exit"))
    },
    Animal { process: "marco", ..plain("mate", Command("mate-session-save --force-logout")) },
    Animal { session: "-- metacity", ..plain("metacity", Signal) },
    plain("miwm", Signal),
    Animal { session: "-- mutter --x11", ..plain("mutter", Signal) },
    plain("mwm", Signal),
    plain("notion", Command("notionflux -e 'ioncore.shutdown()'")),
    plain("openbox", Command("openbox --exit")),
    plain("pekwm", Command("pekwm_ctrl Exit")),
    Animal {
        session: "plasmax11",
        process: "kwin_x11",
        known: &[
            (Column::Restart, "Plasma, which starts autostart programs itself here, does not start them again"),
            (Column::Left, "plasma-kwin_x11.service is still being stopped when the session is over"),
        ],
        ..plain("plasma", Command("busctl --user call org.kde.Shutdown /Shutdown org.kde.Shutdown logout"))
    },
    plain("qtile", Command("qtile cmd-obj -o root -f shutdown")),
    plain("ratpoison", Command("ratpoison -c quit")),
    plain("sawfish", Command("sawfish-client -e '(quit)'")),
    plain("spectrwm", Keys("alt+shift+q")),
    plain("stumpwm", Keys("ctrl+t")),
    Animal { session: "-- twm", ..plain("twm", Signal) },
    plain("ukwm", Signal),
    plain("vtwm", Signal),
    plain("w9wm", Signal),
    plain("windowlab", Signal),
    plain("wm2", Signal),
    Animal { process: "WindowMaker", ..plain("wmaker", Signal) },
    Animal { process: "xfwm4", ..plain("xfce", Command("xfce4-session-logout --logout --fast")) },
    Animal { session: "-- xfwm4", ..plain("xfwm4", Signal) },
    plain("xmonad", Keys("alt+shift+q")),
];
