//! Logging in and out on a terminal, with autologin.

use std::fs;
use std::time::Duration;

use super::guest::{Guest, STEP};
use super::logind::Session;
use super::vt::Vt;
use super::wait::wait_until;

/// A user's autologin on a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Autologin {
    /// The user's name.
    pub user: String,
    /// The number of the terminal.
    pub vt: u8,
    /// `XDG_SESSION_TYPE` of the getty, which becomes the session's type; unset if empty, as distributions ship it.
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

    /// Starts the getty with autologin and waits for the session. Does not wait for a prompt, as a profile may start
    /// something.
    ///
    /// # Panics
    /// When there is no session within 15 s.
    pub fn login(&self, who: &Autologin) -> Login {
        self.prepare_autologin(who);
        let vt = self.vt(who.vt);
        // In this order: when a VT without a getty comes to the foreground, logind starts one, and restarting that
        // would kill its login halfway.
        self.start_getty(who.vt);
        vt.switch();
        self.wait_session(&who.user, &vt, STEP)
    }

    /// Restarts the getty of terminal `vt` and waits until its program is executed: systemd's child frees the terminal
    /// first, and the kernel forgets a switch to a terminal that is freed.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_getty(&self, vt: u8) {
        let (unit, system) = (format!("getty@tty{vt}.service"), self.system());
        system.start("RestartUnit", &unit);
        wait_until(&format!("{unit} to be executed"), STEP, || {
            let pid = system.property(&unit, "MainPID");
            match fs::read_link(self.outside(&format!("/proc/{pid}/exe"))) {
                Ok(exe) if !exe.to_string_lossy().contains("/systemd/systemd") => Ok(()),
                exe => Err(format!("{pid}: {exe:?}")),
            }
        });
    }

    /// Sets up the autologin without starting it.
    ///
    /// # Panics
    /// When the unit's drop-in cannot be written.
    pub fn prepare_autologin(&self, who: &Autologin) {
        let path = format!("/run/systemd/system/getty@tty{}.service.d/zz-harness.conf", who.vt);
        if *who == Autologin::default() && !self.outside(&path).exists() {
            // The tree has a drop-in for this user.
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
        self.system().reload();
    }

    /// Waits for a session of `user` on `vt` that is active according to logind.
    ///
    /// # Panics
    /// After `deadline`, with the sessions that exist.
    pub fn wait_session(&self, user: &str, vt: &Vt, deadline: Duration) -> Login {
        let number = vt.number().to_string();
        let logind = self.logind();
        let session = wait_until(&format!("a session of {user} on tty{number}"), deadline, || {
            let sessions = logind.sessions(|(_, _, name, ..)| name == user);
            let ours = |s: &&Session| s["VTNr"] == number && s["State"] == "active";
            match sessions.iter().find(ours) {
                Some(session) => Ok(session["Id"].clone()),
                None => Err(format!("{sessions:?}\n{vt}")),
            }
        });
        Login { session, user: user.to_owned(), vt: vt.clone() }
    }

    /// Logs out as a person does: types `exit`, and waits until logind has removed the session. The getty starts again,
    /// and logs in again if it has autologin.
    ///
    /// # Panics
    /// When the session is still there after 15 s.
    pub fn exit_shell(&self, login: &Login) {
        login.vt.type_line("exit");
        self.wait_session_gone(login, STEP);
    }

    /// Stops the getty and with it the login, and waits until logind has removed the session.
    ///
    /// # Panics
    /// When the session is still there after 15 s.
    pub fn logout(&self, login: &Login) {
        self.system().stop(&[&format!("getty@tty{}.service", login.vt.number())], STEP);
        self.wait_session_gone(login, STEP);
    }

    /// Whether logind has this login's session.
    ///
    /// # Panics
    /// When logind does not answer.
    #[must_use]
    pub fn has_session(&self, login: &Login) -> bool {
        self.logind().session(&login.session).is_some()
    }

    /// Waits until logind has removed the session.
    ///
    /// # Panics
    /// After `deadline`, with the session's properties.
    pub fn wait_session_gone(&self, login: &Login, deadline: Duration) {
        let logind = self.logind();
        wait_until(&format!("the end of session {}", login.session), deadline, || {
            match logind.session(&login.session) {
                None => Ok(()),
                Some(session) => Err(format!("{session:?}\n{}", login.vt)),
            }
        });
    }

    /// Starts the user manager of `user` without a login, as lingering does, and waits for it.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_manager(&self, user: &str) {
        self.system().start("StartUnit", &format!("user@{}.service", self.uid(user)));
    }

    /// Uses dbus-broker as the bus of user managers that start from now on, until the case ends.
    ///
    /// # Panics
    /// When a user manager is already running.
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
