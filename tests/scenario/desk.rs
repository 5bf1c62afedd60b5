//! Ada at her desk: what she types on tty1, and what she sees there.

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use super::OPENBOX;
use super::screen::Screen;
use crate::harness::{Case, Difference, Guest, Login, Mode, Run, SOON, Snapshot, Vt, secs, wait_until};

/// Printed with the exit status when the typed command has ended.
const END: &str = "END";

/// How long an end may take in which nothing is slow: it takes a tenth of this, and every deadline of startxd that
/// could pass unnoticed is longer.
const END_DEADLINE: Duration = secs(4);

/// A case with ada logged in on tty1.
pub struct Desk {
    case: Case,
    /// Her login.
    pub login: Login,
    before: Snapshot,
}

impl Desk {
    /// Ada at the prompt, by autologin into a session of type x11, with her message bus running.
    pub fn at_prompt() -> Self {
        Self::at_prompt_in(Guest::get())
    }

    /// Like [`at_prompt`](Self::at_prompt), in a case that was prepared, for example by a profile.
    pub fn at_prompt_in(mut case: Case) -> Self {
        let login = case.at_prompt();
        // Her bus starts with its first client, whichever that is, and stays: it does not belong to the session.
        case.user("ada", "busctl --user list > /dev/null").ok();
        Self::logged_in(case, login)
    }

    /// Ada in an existing login, with or without a prompt.
    pub fn logged_in(case: Case, login: Login) -> Self {
        let before = case.snapshot();
        Self { case, login, before }
    }

    /// Everybody logs out, the user manager ends, and ada logs in again.
    pub fn logs_in_again(&mut self) {
        self.case.log_everybody_out();
        self.logs_in();
    }

    /// Ada logs in: the getty does that by itself when her last login has ended, or is started if it was stopped.
    ///
    /// A race: a getty that is restarted while it logs her in ends the login, and pid 1 may find no process for that
    /// session's scope, which then fails.
    pub fn logs_in(&mut self) {
        let getty = self.case.system().property("getty@tty1.service", "ActiveState");
        if matches!(getty.as_str(), "inactive" | "failed") {
            self.login = self.case.login_autologin(1);
        } else {
            self.login = self.case.wait_session("ada", self.vt(), SOON);
            self.vt().wait_prompt(SOON);
        }
        self.case.set_baseline();
        self.case.user("ada", "busctl --user list > /dev/null").ok();
        self.settles();
    }

    /// Waits until logind has removed the login, and expects that nothing of its session is left on the display: the
    /// terminal is in text mode, and her user manager is as before.
    pub fn is_logged_out(&self) {
        self.wait_session_gone(&self.login, SOON);
        wait_until("nothing of the session to be left", SOON, || {
            let left = self.what_is_left();
            // A getty may have logged her in again.
            let login = |line: &&String| line.contains(" -bash [pid ") || line.contains("/session-");
            let strange = |lines: &[String]| lines.iter().filter(|line| !login(line)).count();
            if strange(&left.left) + strange(&left.gone) == 0 { Ok(()) } else { Err(left.to_string()) }
        });
    }

    /// What has appeared and what has gone since the baseline.
    pub fn what_is_left(&self) -> Difference {
        self.case.snapshot().since(&self.before)
    }

    /// Takes the current state as the baseline for the end.
    pub fn settles(&mut self) {
        self.before = self.case.snapshot();
    }

    /// Fails if anything of ada's differs from the baseline.
    #[track_caller]
    pub fn is_clean(&self) {
        self.case.assert_as(&self.before);
    }

    /// Waits until nothing of ada's differs from the baseline: for ends that no command waits for.
    pub fn becomes_clean(&self) {
        wait_until("ada's things to be as they were", SOON, || match self.what_is_left() {
            left if left.is_empty() => Ok(()),
            left => Err(format!("{left}\n{}", self.vt())),
        });
    }

    /// Fails if anything of a session is left at the moment when `startxd stop` returns. The host reports that by
    /// closing its socket. It still has to exit, and the shell then continues with what was typed, so processes of the
    /// login are ignored.
    #[track_caller]
    pub fn nothing_of_the_session_is_left(&self) {
        let mut left = self.what_is_left();
        let login = format!("/session-{}.scope]", self.login.session);
        left.left.retain(|line| !(line.starts_with("process: ") && line.ends_with(&login)));
        assert!(left.is_empty(), "ada's things are not as they were:\n{left}");
    }

    /// Her terminal.
    pub fn vt(&self) -> &Vt {
        &self.login.vt
    }

    /// Types a command whose exit status [`ended`](Self::ended) finds.
    pub fn types(&self, command: &str) {
        self.vt().wait_prompt(SOON);
        if self.vt().screen().contains(&format!("\n{END}")) {
            self.clears();
        }
        // The terminal's settings that a command finds at the prompt should not change either.
        self.vt().type_line(&format!("stty -a >~/1; {command}; s=$?; stty -a >~/2; echo \"{END} $s\""));
    }

    /// Types `startxd start ARGS` and waits until a window manager manages the display.
    pub fn starts(&self, args: &str) {
        self.types(&format!("startxd start {args}"));
        self.is_up();
    }

    /// A session that works and leaves nothing. It follows every end of another session.
    pub fn starts_again(&self) {
        self.starts(OPENBOX);
        self.quits_openbox();
        self.ended(0);
    }

    /// Follows the advice of a start, if logind hangs (see [`Guest::hang_logind`]).
    pub fn restarts_a_logind_that_hangs(&self) {
        if self.logind_hangs() {
            self.types("startxd start");
            let remedy = "sudo systemctl restart systemd-logind";
            self.comes_back(21, SOON).says(&["systemd-logind does not answer", "no answer within", remedy]);
            self.root("systemctl restart systemd-logind").ok();
        }
    }

    /// Waits until a window manager manages the display.
    pub fn is_up(&self) {
        // In this order: after a session that was killed, the target is up until the next start, or systemd, has
        // repaired that, and only then is there a server.
        self.vt().wait_mode(Mode::Graphics, SOON);
        self.unit_becomes("graphical-session.target", "active");
        self.manager("ada").wait_dotfiles();
    }

    /// Waits until the typed command has ended, expects its exit status and that nothing of the session is left at that
    /// moment, and returns the screen.
    #[track_caller]
    pub fn ended(&self, status: u8) -> Screen {
        self.ended_within(status, END_DEADLINE)
    }

    /// Like [`ended`](Self::ended), for slow ends.
    #[track_caller]
    pub fn ended_within(&self, status: u8, deadline: Duration) -> Screen {
        let screen = self.comes_back(status, deadline);
        self.is_clean();
        assert_eq!(self.read("/home/ada/1"), self.read("/home/ada/2"), "the terminal's settings before and after");
        self.vt().wait_prompt(SOON);
        screen
    }

    /// Waits until the typed command has ended, and expects its exit status.
    #[track_caller]
    pub fn comes_back(&self, status: u8, deadline: Duration) -> Screen {
        let (found, screen) = self.comes_back_somehow(deadline);
        assert_eq!(found, status, "the exit status\n{screen}");
        screen
    }

    /// Waits until the typed command has ended, and returns its exit status and the screen.
    pub fn comes_back_somehow(&self, deadline: Duration) -> (u8, Screen) {
        wait_until("the exit status of what was typed", deadline, || {
            self.exit_status().map(|status| (status, Screen(self.vt().screen()))).ok_or_else(|| self.vt().to_string())
        })
    }

    /// The exit status of the typed command; `None` if it has not ended.
    pub fn exit_status(&self) -> Option<u8> {
        let screen = self.vt().screen();
        let lines: Vec<&str> = screen.lines().collect();
        // A line break may precede END in the typed line, but no number follows it there.
        let status = |line: &str| line.strip_prefix(END)?.trim().parse().ok();
        let (at, status) = lines.iter().enumerate().find_map(|(at, line)| Some((at, status(line)?)))?;
        // The screen may have been read while that line was being written: it is complete when the prompt is below it.
        lines.get(at + 1).map(|_| status)
    }

    /// Clears the terminal.
    fn clears(&self) {
        self.vt().type_line("clear");
        wait_until("a clear screen", SOON, || match self.vt().screen() {
            screen if screen.lines().count() <= 1 && self.vt().at_prompt() => Ok(()),
            screen => Err(screen),
        });
    }

    /// Logs out of openbox, as its menu does.
    pub fn quits_openbox(&self) {
        self.quits("openbox --exit");
    }

    /// Asks a window manager to exit, until it does: openbox loses a request that arrives before its main loop runs,
    /// and awesome does not answer one before that, but both manage the display earlier.
    pub fn quits(&self, command: &str) {
        let mut asked: Option<Instant> = None;
        let manager = self.manager("ada");
        wait_until(&format!("the session to end by {command}"), SOON, || {
            if asked.is_none_or(|asked| asked.elapsed() > Duration::from_millis(500)) {
                self.run(&format!("timeout 1 {command}"));
                asked = Some(Instant::now());
            }
            match manager.property("graphical-session.target", "ActiveState") {
                state if state != "active" => Ok(()),
                state => Err(state),
            }
        });
    }

    /// Runs `script` in bash as a program of the session: a service of her user manager, with its environment.
    pub fn run(&self, script: &str) -> Run {
        self.in_unit("ada", script)
    }

    /// Runs `script` in bash as ada, with the session's display, in no unit.
    pub fn with_display(&self, script: &str) -> Run {
        let environment = self.environment();
        let value = |name: &str| environment.get(name).unwrap_or_default().to_owned();
        let shell = self.shell_as("ada", script).env("DISPLAY", &value("DISPLAY"));
        shell.env("XAUTHORITY", &value("XAUTHORITY")).run()
    }
}

impl Deref for Desk {
    type Target = Case;

    fn deref(&self) -> &Case {
        &self.case
    }
}

impl DerefMut for Desk {
    fn deref_mut(&mut self) -> &mut Case {
        &mut self.case
    }
}
