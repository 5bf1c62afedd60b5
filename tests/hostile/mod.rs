//! What the cases about bad input and bad places share: the output of a command line, and how it ended.
// Every test program compiles this module and uses a part of it.
#![allow(dead_code)]

pub mod servers;

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::harness::{Autologin, Background, Case, Guest, Login, Mode, Run, SOON, Vt, secs, wait_until};

/// A session with a real window manager.
pub const START: &str = "startxd start -- openbox";
/// Only the checks.
pub const CHECK: &str = "startxd check may-start -v";

/// A program of the graphical session that ends when somebody reads ada's `pipe`.
pub const SLOW: &str = "[Unit]\nPartOf=graphical-session.target\nAfter=graphical-session.target\n\
    [Service]\nExecStart=sleep infinity\nExecStop=sh -c 'echo going > /home/ada/pipe'\n";

/// The output of a command line, and its exit status.
#[derive(Debug, Clone)]
pub struct Told {
    /// The exit status, as `$?` has it.
    pub status: i32,
    /// The output, as displayed.
    pub text: String,
}

impl Told {
    /// Fails unless the exit status is `status` and one message contains all of `words`, whatever the line breaks.
    #[track_caller]
    pub fn says(&self, status: i32, words: &[&str]) -> &Self {
        assert_eq!(self.status, status, "another exit status than expected: {self}");
        let missing: Vec<_> = words.iter().filter(|word| !self.has(word)).collect();
        assert!(missing.is_empty(), "the message lacks {missing:?}: {self}");
        self
    }

    /// Whether `words` were printed. A terminal breaks lines anywhere, so white space is ignored.
    pub fn has(&self, words: &str) -> bool {
        squeeze(&self.text).contains(&squeeze(words))
    }

    /// Fails unless the whole output is one message of startxd.
    #[track_caller]
    pub fn in_one_message(&self) -> &Self {
        assert_eq!(self.messages().len(), 1, "not one message: {self}");
        self
    }

    /// Fails unless the journal has every message, too.
    #[track_caller]
    pub fn in_journal(&self, case: &Case) -> &Self {
        wait_until("the journal to have what was said", SOON, || {
            let journal = case.journal("-t startxd -o cat");
            let squeezed = squeeze(&journal);
            let missing: Vec<_> = self.messages().into_iter().filter(|message| !squeezed.contains(message)).collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?} not in the journal:\n{journal}")) }
        });
        self
    }

    fn messages(&self) -> Vec<String> {
        format!("\n{}", self.text).split("\nstartxd: ").skip(1).map(squeeze).collect()
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "status {}, said:\n{}", self.status, self.text.trim())
    }
}

impl From<Run> for Told {
    fn from(run: Run) -> Self {
        Self { status: run.code(), text: run.stdout.clone() + &run.stderr }
    }
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Logs ada in on tty1, starts the user's bus, and takes that state as the baseline.
pub fn prompt(case: &mut Case) -> Login {
    let login = case.login_autologin(1);
    wake_bus(case);
    login
}

/// Starts the user's bus, as the first query would, and takes the state then as the baseline.
pub fn wake_bus(case: &mut Case) {
    case.user("ada", "busctl --user list").ok();
    case.set_baseline();
}

/// Logs `user` in on tty2 and waits for the prompt. The getty is started before the switch, so logind does not start
/// one.
pub fn log_in_second(guest: &Guest, user: &str) -> Login {
    guest.prepare_autologin(&Autologin { user: user.to_owned(), vt: 2, ..Autologin::default() });
    second_getty(guest, user)
}

/// Like [`log_in_second`] for ada, with a line for the getty's unit and other options for login(1).
pub fn log_in_second_with(guest: &Guest, line: &str, options: &str) -> Login {
    let agetty = format!("/sbin/agetty -o '{options} -f -- \\\\u' --autologin ada --noclear %I linux");
    let unit = format!("[Service]\n{line}\nExecStart=\nExecStart=-{agetty}\n");
    guest.write("/run/systemd/system/getty@tty2.service.d/zz-case.conf", &unit);
    guest.system().reload();
    second_getty(guest, "ada")
}

fn second_getty(guest: &Guest, user: &str) -> Login {
    guest.start_getty(2);
    let vt = guest.vt(2);
    vt.switch();
    let login = guest.wait_session(user, &vt, SOON);
    vt.wait_prompt(SOON);
    login
}

/// A command line that was typed and has not ended yet.
pub struct Typed {
    vt: Vt,
    mark: u32,
}

/// Types `command` at the prompt of `login`, on an empty screen.
pub fn type_at(login: &Login, command: &str) -> Typed {
    static MARK: AtomicU32 = AtomicU32::new(0);
    let mark = MARK.fetch_add(1, Ordering::Relaxed);
    login.vt.wait_prompt(SOON);
    login.vt.clear();
    // The marks differ, so that no earlier one is mistaken for this one, and the typed line does not contain them.
    login.vt.type_line(&format!("echo $(({mark}))\\>; {command}; echo \"<$(({mark}))=$?\""));
    Typed { vt: login.vt.clone(), mark }
}

impl Typed {
    /// Waits for the end of the command.
    ///
    /// # Panics
    /// After `deadline`, with the screen.
    pub fn end(&self, deadline: Duration) -> Told {
        let (begin, end) = (format!("\n{}>\n", self.mark), format!("<{}=", self.mark));
        wait_until("the command's end", deadline, || {
            // It is complete when the prompt is below it, and some shells have child processes until then.
            let screen = self.vt.screen();
            // The beginning may have scrolled off.
            let said = screen.split_once(&begin).map_or(screen.as_str(), |(_, said)| said);
            let (said, after) = said.rsplit_once(&end).ok_or_else(|| self.vt.to_string())?;
            let (status, _) = after.split_once('\n').ok_or_else(|| self.vt.to_string())?;
            let status = status.parse().map_err(|_| self.vt.to_string())?;
            Ok(Told { status, text: said.trim().to_owned() })
        })
    }
}

/// Types `command` and waits for its end.
pub fn at(login: &Login, command: &str) -> Told {
    type_at(login, command).end(SOON)
}

/// Runs `command` outside of every session.
pub fn outside(guest: &Guest, user: &str, command: &str) -> Told {
    guest.shell_as(user, &format!("exec 2>&1; {command}")).run().into()
}

/// Both the check and the start refuse, in one message with all of `words`, and the start's is in the journal.
#[track_caller]
pub fn refuses(case: &Case, status: i32, words: &[&str], run: impl Fn(&str) -> Told) {
    run(CHECK).says(status, words).in_one_message();
    run(START).says(status, words).in_one_message().in_journal(case);
}

/// Waits until the graphical session of `user` is up.
pub fn wait_up(guest: &Guest, user: &str) {
    let manager = guest.manager(user);
    manager.wait_active(&["xorg.target", "wm-ready.target", "graphical-session.target"]);
    manager.wait_dotfiles();
}

/// Starts a session by hand and waits until it is up.
pub fn start(guest: &Guest, login: &Login) -> Typed {
    let typed = type_at(login, START);
    login.vt.wait_mode(Mode::Graphics, SOON);
    wait_up(guest, &login.user);
    typed
}

/// Ends the session, and returns the last output of `startxd start`.
pub fn stop(guest: &Guest, login: &Login, session: &Typed) -> Told {
    guest.user(&login.user, "startxd stop").ok();
    login.vt.wait_mode(Mode::Text, SOON);
    session.end(SOON)
}

/// Logs `user` out of openbox, which loses a request that arrives before its main loop, and waits for the session's
/// end.
pub fn logs_out_of_openbox(case: &Case, user: &str, session: &str) {
    wait_until("the logout", SOON, || {
        case.in_unit(user, "timeout 1 openbox --exit");
        match case.session(session) {
            None => Ok(()),
            Some(session) => Err(format!("{session:?}")),
        }
    });
}

/// A complete session works, from one prompt to the next, without a message.
#[track_caller]
pub fn a_session_works(guest: &Guest, login: &Login) {
    let session = start(guest, login);
    let told = stop(guest, login, &session).says(0, &[]).clone();
    assert_eq!(told.text, "", "a session that works has nothing to say");
    login.vt.wait_prompt(SOON);
}

/// Waits until `user` has a process of this name, and returns its pid.
pub fn wait_process(guest: &Guest, user: &str, name: &str) -> i32 {
    wait_until(&format!("a process {name} of {user}"), SOON, || {
        let newest = guest.named(user, name).pop().map(|process| process.pid);
        newest.ok_or_else(|| format!("{:?}", guest.processes_of(user)))
    })
}

/// Writes ada's `startxd.toml`.
pub fn configure(guest: &Guest, text: &str) {
    guest.write_as("ada", "~/.config/startxd/startxd.toml", text);
}

/// Waits until a background command has printed `text`.
pub fn wait_output(background: &Background, text: &str) {
    wait_until(&format!("{text:?}"), secs(10), || {
        let out = background.stdout();
        if out.contains(text) { Ok(()) } else { Err(format!("{out}{}", background.stderr())) }
    });
}

/// Waits until ada's user manager has this job: unit, type, state, as `systemctl list-jobs` prints it.
pub fn wait_job(guest: &Guest, job: &str) {
    let manager = guest.manager("ada");
    wait_until(&format!("the job {job}"), SOON, || match manager.jobs() {
        jobs if jobs.iter().any(|one| one == job) => Ok(()),
        jobs => Err(format!("{jobs:?}")),
    });
}

/// Waits until ada has this many hosts: the second waits for the first one's end.
pub fn wait_hosts(guest: &Guest, count: usize) {
    wait_until(&format!("{count} hosts of ada"), SOON, || {
        let hosts = guest.processes_of("ada").into_iter().filter(|process| process.args == START).collect::<Vec<_>>();
        if hosts.len() == count { Ok(()) } else { Err(format!("{hosts:?}")) }
    });
}
