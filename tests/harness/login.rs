//! Logging in and out on a terminal, as a person with autologin does.

use std::collections::BTreeMap;
use std::time::Duration;

use super::guest::{Guest, STEP};
use super::vt::Vt;
use super::wait::wait_until;

/// Who logs in where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Autologin {
    /// The user's name.
    pub user: String,
    /// The number of the terminal.
    pub vt: u8,
    /// `XDG_SESSION_TYPE` of the getty, which becomes the session's type; none, as distributions ship it, if empty.
    pub session_type: String,
}

impl Default for Autologin {
    /// Ada on tty1, in a session of type x11.
    fn default() -> Self {
        Self { user: "ada".to_owned(), vt: 1, session_type: "x11".to_owned() }
    }
}

/// A login session on a terminal.
#[derive(Debug, Clone)]
pub struct Login {
    /// logind's id of the session.
    pub session: String,
    /// The user's name.
    pub user: String,
    /// The terminal.
    pub vt: Vt,
}

/// A session's properties, by logind's names: `Id`, `Name`, `VTNr`, `Type`, `State` …
pub type Session = BTreeMap<String, String>;

impl Guest {
    /// Logs ada in on terminal `vt` by getty's autologin, and waits for the shell's prompt.
    ///
    /// # Panics
    /// When there is no session or no prompt within 15 s.
    pub fn login_autologin(&self, vt: u8) -> Login {
        let login = self.login(&Autologin { vt, ..Autologin::default() });
        login.vt.wait_prompt(STEP);
        login
    }

    /// Starts the getty with autologin and waits for the session, not for a prompt: a profile may start something else.
    ///
    /// # Panics
    /// When there is no session within 15 s.
    pub fn login(&self, who: &Autologin) -> Login {
        self.prepare_autologin(who);
        let vt = self.vt(who.vt);
        // In this order: logind starts a getty by itself on a VT that is switched to and has none, and restarting that
        // one would kill its login half-way.
        self.root(&format!("systemctl restart getty@tty{}", who.vt)).ok();
        vt.switch();
        self.wait_session(&who.user, &vt, STEP)
    }

    /// Sets up the autologin without starting it.
    ///
    /// # Panics
    /// When the unit's drop-in cannot be written.
    pub fn prepare_autologin(&self, who: &Autologin) {
        let path = format!("/run/systemd/system/getty@tty{}.service.d/zz-harness.conf", who.vt);
        if *who == Autologin::default() && !self.outside(&path).exists() {
            // The tree has a drop-in for that one.
            return;
        }
        let kind = match who.session_type.as_str() {
            "" => "Environment=\nUnsetEnvironment=XDG_SESSION_TYPE\n".to_owned(),
            kind => format!("Environment=XDG_SESSION_TYPE={kind}\n"),
        };
        let unit = format!(
            "[Service]\n{kind}ExecStart=\nExecStart=-/sbin/agetty -o '-p -f -- \\\\u' --autologin {} --noclear %I linux\n",
            who.user
        );
        self.write(&path, &unit);
        self.root("systemctl daemon-reload").ok();
    }

    /// Waits for a session of `user` on `vt` that is active in logind's eyes.
    ///
    /// # Panics
    /// After `deadline`, with the sessions there are.
    pub fn wait_session(&self, user: &str, vt: &Vt, deadline: Duration) -> Login {
        let number = vt.number().to_string();
        let session = wait_until(&format!("a session of {user} on tty{number}"), deadline, || {
            let sessions = self.sessions();
            let ours = |s: &&Session| s["Name"] == user && s["VTNr"] == number && s["State"] == "active";
            match sessions.iter().find(ours) {
                Some(session) => Ok(session["Id"].clone()),
                None => Err(format!("{sessions:?}\n{vt}")),
            }
        });
        Login { session, user: user.to_owned(), vt: vt.clone() }
    }

    /// Every session that logind knows.
    #[must_use]
    pub fn sessions(&self) -> Vec<Session> {
        let run = self.root(
            "loginctl list-sessions --no-legend | while read -r id _; do \
             loginctl show-session \"$id\" -p Id -p Name -p Seat -p VTNr -p TTY -p Type -p Class -p State -p Active \
             -p Leader -p Scope -p Remote -p Service && echo; done; true",
        );
        run.stdout.split("\n\n").filter_map(properties).collect()
    }

    /// One session; `None` once logind has forgotten it.
    #[must_use]
    pub fn session(&self, id: &str) -> Option<Session> {
        properties(&self.root(&format!("loginctl show-session {id}")).stdout)
    }

    /// Logs out as a person does: types `exit`, and waits until logind has forgotten the session. The getty comes back,
    /// and logs in again if it has autologin.
    ///
    /// # Panics
    /// When the session is still there after 15 s.
    pub fn exit_shell(&self, login: &Login) {
        login.vt.type_line("exit");
        self.wait_session_gone(login, STEP);
    }

    /// Stops the getty and with it the login, and waits until logind has forgotten the session.
    ///
    /// # Panics
    /// When the session is still there after 15 s.
    pub fn logout(&self, login: &Login) {
        self.root(&format!("systemctl stop getty@tty{}", login.vt.number())).ok();
        self.wait_session_gone(login, STEP);
    }

    /// Waits until logind has forgotten the session.
    ///
    /// # Panics
    /// After `deadline`, with the session's properties.
    pub fn wait_session_gone(&self, login: &Login, deadline: Duration) {
        wait_until(&format!("the end of session {}", login.session), deadline, || {
            let sessions = self.sessions();
            match sessions.iter().find(|s| s["Id"] == login.session) {
                None => Ok(()),
                Some(session) => Err(format!("{session:?}\n{}", login.vt)),
            }
        });
    }

    /// Starts the user manager of `user` without a login, as linger does, and waits for it.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_manager(&self, user: &str) {
        self.root(&format!("systemctl start user@{}", self.uid(user))).ok();
    }

    /// Makes dbus-broker the bus of the user managers that start from now on, until the case ends.
    ///
    /// # Panics
    /// When a user manager runs already.
    pub fn use_dbus_broker(&self) {
        let script = "! systemctl is-active --quiet 'user@*.service' && \
            ln -s /usr/lib/systemd/user/dbus-broker.service /etc/systemd/user/dbus.service";
        self.root(script).ok();
    }

    /// Writes the `.bash_profile` of `user`, which runs at the next login.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write_profile(&self, user: &str, text: &str) {
        self.write_as(user, "~/.bash_profile", text);
    }
}

/// `Name=value` lines as a map; `None` if there are none.
fn properties(text: &str) -> Option<Session> {
    let map: Session =
        text.lines().filter_map(|l| l.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    map.contains_key("Id").then_some(map)
}
