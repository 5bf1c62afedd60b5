//! The login of this process: session, seat, terminal, type.

use std::time::Duration;

use nix::unistd::geteuid;
use tokio::time::timeout;
use zbus::Connection;

use super::Finding;
use super::catalogue::{
    LOGIN_CLASS, LOGIN_LOGIND, LOGIN_NO_SCREEN, LOGIN_NONE, LOGIN_OTHER_USER, LOGIN_REMOTE, LOGIN_ROOT, LOGIN_TYPE,
};
use crate::host::checks::outside_hint;
use crate::logind::{self, LoginSession};
use crate::os;
use crate::seat::Seat;

/// Why there is no session to examine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoLoginSession {
    /// This process is in no session.
    Outside,
    /// logind does not answer.
    NoLogind(String),
}

/// What there is.
pub struct LoginFacts {
    /// The user who asks.
    pub uid: u32,
    /// What the environment says about a process outside of every session, to be appended to "this shell is not in a
    /// login session".
    pub hint: &'static str,
    /// The virtual terminal that controls this process.
    pub terminal: Option<u32>,
    /// The system bus, if it answers.
    pub system: Option<Connection>,
    /// The session of this process.
    pub session: Result<LoginSession, NoLoginSession>,
}

/// Asks logind for the session of this process.
pub async fn gather(deadline: Duration) -> LoginFacts {
    let uid = geteuid().as_raw();
    let terminal = os::controlling_vt().ok().flatten();
    let late = |_| NoLoginSession::NoLogind(format!("no answer within {} s", deadline.as_secs_f32()));
    let connect = async { logind::connect().await.map_err(|error| NoLoginSession::NoLogind(error.to_string())) };
    let connected = timeout(deadline, connect).await.map_err(late).flatten();
    let (system, session) = match connected {
        Err(why) => (None, Err(why)),
        Ok(system) => {
            let ask = async {
                logind::own_session(&system).await.map_err(|error| match error {
                    error if error.is(logind::NO_SESSION) => NoLoginSession::Outside,
                    error => NoLoginSession::NoLogind(error.to_string()),
                })
            };
            let session = timeout(deadline, ask).await.map_err(late).flatten();
            (Some(system), session)
        }
    };
    LoginFacts { uid, hint: outside_hint(), terminal, system, session }
}

impl LoginFacts {
    /// What is wrong with the login.
    pub fn judge(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.uid == 0 {
            let remedy = "log in as yourself, and run startxd doctor there";
            findings.push(LOGIN_ROOT.found("this is root", remedy));
        }
        match &self.session {
            Err(NoLoginSession::NoLogind(why)) => findings.push(LOGIN_LOGIND.found(
                format!("systemd-logind does not answer ({why})"),
                "see what is wrong with it: systemctl status systemd-logind dbus, or restart it: sudo systemctl restart systemd-logind",
            )),
            // Root may run this anywhere.
            _ if self.uid == 0 => {}
            Err(NoLoginSession::Outside) if self.terminal.is_some() && self.hint.is_empty() => {
                findings.push(LOGIN_NONE.found(
                    "this login is on a virtual terminal, but logind does not know it",
                    "log out and in again, and check that PAM has pam_systemd (Debian: apt install libpam-systemd)",
                ))
            }
            Err(NoLoginSession::Outside) => findings.push(LOGIN_NONE.found(
                format!("this shell is not in a login session{}", self.hint),
                "to start a session, log in on a virtual terminal (Ctrl+Alt+F2)",
            )),
            Ok(session) if session.uid != self.uid => findings.push(LOGIN_OTHER_USER.found(
                format!("this shell is in session {} of another user (uid {})", session.id, session.uid),
                "log in on a virtual terminal as yourself; for commands alone: machinectl shell USER@.host",
            )),
            Ok(session) => findings.extend(self.session(session)),
        }
        findings
    }

    fn session(&self, session: &LoginSession) -> Option<Finding> {
        let LoginSession { id, class, kind, .. } = session;
        let elsewhere = "to start a session, log in on a virtual terminal (Ctrl+Alt+F2)";
        if !matches!(class.as_str(), "user" | "user-early") {
            return Some(LOGIN_CLASS.found(format!("session {id} has class {class:?}"), elsewhere));
        }
        if session.remote {
            return Some(LOGIN_REMOTE.found(format!("session {id} comes from another machine"), elsewhere));
        }
        let Some(seat) = session.seat.clone().and_then(|seat| Seat::new(seat, session.vt)) else {
            return Some(LOGIN_NO_SCREEN.found(format!("session {id} has no virtual terminal"), elsewhere));
        };
        if let Some(vt) = seat.vt
            && self.terminal != Some(vt)
        {
            return Some(LOGIN_NO_SCREEN.found(
                format!("this shell is not on tty{vt} itself but in a terminal emulator or a multiplexer"),
                format!("to start a session, run startxd start from the login shell on tty{vt}"),
            ));
        }
        if kind == "x11" {
            return None;
        }
        let remedy = match session.unit() {
            Some(unit) => format!(
                "sudo systemctl edit {unit}, and add: [Service] Environment=XDG_SESSION_TYPE=x11 (if \
                 another unit opens the login, add it there)"
            ),
            None => "add to the unit that opens it: [Service] Environment=XDG_SESSION_TYPE=x11".to_owned(),
        };
        let what = format!("session {id} on {} has type {kind:?} in logind, not \"x11\"", seat.id);
        Some(LOGIN_TYPE.found(what, remedy))
    }
}

#[cfg(test)]
mod tests {
    use super::{LoginFacts, NoLoginSession};
    use crate::logind::LoginSession;

    fn healthy() -> LoginSession {
        LoginSession::on_tty1()
    }

    fn said(
        uid: u32,
        terminal: Option<u32>,
        session: Result<LoginSession, NoLoginSession>,
    ) -> Vec<(&'static str, String)> {
        let facts = LoginFacts { uid, hint: "", terminal, system: None, session };
        facts.judge().into_iter().map(|finding| (finding.kind.id, finding.sentence())).collect()
    }

    #[test]
    fn a_login_on_a_terminal_is_healthy() {
        assert_eq!(said(1000, Some(1), Ok(healthy())), []);
        assert_eq!(said(1000, Some(1), Ok(LoginSession { class: "user-early".into(), ..healthy() })), []);
        assert_eq!(said(1000, None, Ok(LoginSession { seat: Some("seat1".into()), vt: None, ..healthy() })), []);
    }

    #[test]
    fn each_fault_is_found() {
        let cases = [
            (1001, Some(1), Ok(healthy()), "login.other-user", "uid 1000"),
            (1000, None, Err(NoLoginSession::Outside), "login.none", "not in a login session"),
            (1000, None, Err(NoLoginSession::NoLogind("x".into())), "login.logind", "does not answer (x)"),
            (1000, Some(1), Ok(LoginSession { class: "greeter".into(), ..healthy() }), "login.class", "greeter"),
            (1000, None, Ok(LoginSession { remote: true, ..healthy() }), "login.remote", "another machine"),
            (1000, None, Ok(LoginSession { seat: None, ..healthy() }), "login.no-screen", "no virtual terminal"),
            (1000, None, Ok(LoginSession { vt: None, ..healthy() }), "login.no-screen", "no virtual terminal"),
            (1000, Some(2), Ok(healthy()), "login.no-screen", "not on tty1"),
            (1000, Some(1), Ok(LoginSession { kind: "tty".into(), ..healthy() }), "login.type", "\"tty\""),
            (
                1000,
                Some(1),
                Ok(LoginSession { kind: "tty".into(), service: "greetd".into(), ..healthy() }),
                "login.type",
                "edit greetd.service",
            ),
            (0, None, Err(NoLoginSession::Outside), "login.root", "root"),
        ];
        for (uid, terminal, session, id, words) in cases {
            let said = said(uid, terminal, session);
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(said[0].0 == id && said[0].1.contains(words), "{id}: {said:?}");
        }
    }
}
