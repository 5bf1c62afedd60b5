//! A virtual machine: `tests/vm/boot`, run by a thread of this process, with its screen, its keyboard and commands.
//!
//! ```ignore
//! let case = Case::desktop();                      // ada's, by autologin; each finds it as the first boot left it
//! case.press("ctrl-alt-f2");                       // the keyboard is the machine's
//! case.until("tty2 to be shown", |m| m.active_vt() == 2);
//! assert!(!case.screen().shows(DESK));             // so is the display
//! case.root("systemctl is-system-running").ok();   // an agent on a virtio port, which is in no session
//! ```

mod agent;
mod case;
mod monitor;
mod options;
mod qmp;
mod screen;

use std::cell::RefCell;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::{Value, json};

use agent::Agent;
use qmp::Qmp;

use crate::harness::{Run, secs, start_bound, wait_until};

pub use case::Case;
pub use monitor::Monitor;
pub use options::{AUTOLOGIN, OPENBOX, Options};
pub use screen::{DESK, Picture};

/// The deadline of most waits. The machine is emulated, ten times slower than its host, and not alone there: even what
/// is right takes seconds.
pub const SOON: Duration = secs(180);

/// Where `boot` has the sockets of the machine that is running.
const DIRECTORY: &str = "/run/startxd-machine";

/// The pause between two looks: a command in the machine takes time from what is tested.
const PAUSE: Duration = Duration::from_millis(400);

/// A running machine. It ends when the value is dropped and when this process ends, even if killed.
pub struct Machine {
    suite: String,
    directory: PathBuf,
    /// QEMU.
    process: Pid,
    keeper: Option<JoinHandle<()>>,
    qmp: RefCell<Qmp>,
    agent: RefCell<Agent>,
}

impl Machine {
    /// Switches a machine on, without waiting for anything that runs on it.
    ///
    /// # Panics
    /// When this process is not root, or the disk cannot be made, or QEMU does not start.
    pub fn switch_on(options: &Options) -> Self {
        assert!(
            geteuid().is_root(),
            "these tests make disks for virtual machines: run them as root (sudo make vm-check)"
        );
        let setup = env::temp_dir().join(format!("startxd-vm-{}", process::id()));
        options.write(&setup);
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vm/boot"));
        command.arg("--setup").arg(&setup).arg(&options.suite).args(options.devices);
        command.env("MEMORY", options.memory.to_string()).env("KERNEL_OPTIONS", options.kernel);
        let (keeper, messages) = keep(command);
        let process = messages.recv().unwrap_or_else(|_| panic!("tests/vm/boot cannot be started"));
        // Until then it may build a disk, and wait for another machine, for any length of time.
        let ready = messages.recv();
        assert!(ready.is_ok(), "tests/vm/boot {} failed; its standard error says why", options.suite);
        let _ = fs::remove_dir_all(&setup);
        let directory = PathBuf::from(DIRECTORY);
        let qmp = RefCell::new(Qmp::connect(&directory.join("qmp")));
        let agent = RefCell::new(Agent::connect(&directory.join("agent")));
        Self { suite: options.suite.clone(), directory, process, keeper: Some(keeper), qmp, agent }
    }

    /// Debian's name of the machine's release.
    pub fn suite(&self) -> &str {
        &self.suite
    }

    /// Runs `script` as root in bash, outside of any session.
    ///
    /// # Panics
    /// When it does not end soon.
    pub fn root(&self, script: &str) -> Run {
        self.run(None, script)
    }

    /// Runs `script` in bash as `user`, with the environment of the user manager's bus and of display :0, outside of
    /// any session.
    ///
    /// # Panics
    /// When it does not end soon.
    pub fn user(&self, user: &str, script: &str) -> Run {
        self.run(Some(user), script)
    }

    fn run(&self, user: Option<&str>, script: &str) -> Run {
        let run = self.agent.borrow_mut().run(user, script, SOON);
        run.unwrap_or_else(|problem| panic!("{script}: {problem}\n{}", self.serial()))
    }

    /// The same, for what must not panic.
    fn try_run(&self, user: Option<&str>, script: &str, deadline: Duration) -> String {
        let run = self.agent.try_borrow_mut().map_err(|_| "the agent is asked already".to_owned());
        match run.and_then(|mut agent| agent.run(user, script, deadline)) {
            Ok(run) => run.stdout + &run.stderr,
            Err(problem) => format!("({problem})"),
        }
    }

    /// Sends a command to the agent without waiting for its answer: a machine that falls asleep sends none.
    pub fn tell(&self, script: &str) {
        self.agent.borrow_mut().send(None, script);
    }

    /// Waits until `condition` holds.
    ///
    /// # Panics
    /// When it does not soon.
    #[track_caller]
    pub fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        wait_until(what, SOON, || {
            if condition(self) {
                return Ok(());
            }
            sleep(PAUSE);
            Err("it is not so".to_owned())
        });
    }

    /// Waits until `script`, of root, succeeds.
    #[track_caller]
    pub fn until_root(&self, what: &str, script: &str) {
        self.until_run(what, None, script);
    }

    /// Waits until `script` of ada's succeeds.
    #[track_caller]
    pub fn until_ada(&self, what: &str, script: &str) {
        self.until_run(what, Some("ada"), script);
    }

    #[track_caller]
    fn until_run(&self, what: &str, user: Option<&str>, script: &str) {
        wait_until(what, SOON, || {
            let run = self.run(user, script);
            if run.status.success() {
                return Ok(());
            }
            sleep(PAUSE);
            Err(run.to_string())
        });
    }

    /// Presses keys together and releases them: `"ctrl-alt-f2"`, by QEMU's names (`QKeyCode`).
    pub fn press(&self, keys: &str) {
        let keys: Vec<Value> = keys.split('-').map(|key| json!({"type": "qcode", "data": key})).collect();
        // QEMU sends one after the other; a PS/2 keyboard has a queue of 16 bytes, so do not hurry it.
        self.order("send-key", json!({"keys": keys, "hold-time": 40}));
    }

    /// Types a line and Enter, on a US keyboard.
    pub fn type_line(&self, line: &str) {
        self.type_text(line);
        self.press("ret");
    }

    /// Types text, without Enter.
    pub fn type_text(&self, text: &str) {
        for c in text.chars() {
            let key = match c {
                'a'..='z' | '0'..='9' => c.to_string(),
                'A'..='Z' => format!("shift-{}", c.to_ascii_lowercase()),
                ' ' => "spc".to_owned(),
                '/' => "slash".to_owned(),
                '-' => "minus".to_owned(),
                '.' => "dot".to_owned(),
                ';' => "semicolon".to_owned(),
                '~' => "shift-grave_accent".to_owned(),
                '>' => "shift-dot".to_owned(),
                '=' => "equal".to_owned(),
                ':' => "shift-semicolon".to_owned(),
                '&' => "shift-7".to_owned(),
                '?' => "shift-slash".to_owned(),
                '$' => "shift-4".to_owned(),
                _ => panic!("the key of {c:?} is not known"),
            };
            self.press(&key);
        }
    }

    /// What the display shows.
    pub fn screen(&self) -> Picture {
        self.dump(json!({}))
    }

    /// What an output of the device with that id shows; the first one is 0.
    pub fn screen_of(&self, device: &str, output: u8) -> Picture {
        self.dump(json!({"device": device, "head": output}))
    }

    fn dump(&self, mut what: Value) -> Picture {
        let file = self.directory.join("screen.ppm");
        what["filename"] = json!(file);
        self.order("screendump", what);
        Picture::read(&file)
    }

    /// The monitor at an output that has a VNC server of that name (see [`Options::devices`]).
    pub fn monitor_at(&self, name: &str) -> Monitor {
        Monitor::connect(&self.directory.join(name))
    }

    /// The same, as a PNG for people, in `file`.
    pub fn photograph(&self, file: &Path) {
        if let Some(directory) = file.parent() {
            let _ = fs::create_dir_all(directory);
        }
        self.order("screendump", json!({"filename": file, "format": "png"}));
    }

    /// The number of the virtual terminal that is shown.
    pub fn active_vt(&self) -> u8 {
        let name = self.root("cat /sys/class/tty/tty0/active").text();
        name.trim_start_matches("tty").parse().unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The text on a virtual terminal, from the kernel.
    pub fn text(&self, vt: u8) -> String {
        self.root(&format!("fold -w $(stty -F /dev/tty{vt} size | cut -d' ' -f2) /dev/vcs{vt} | sed 's/ *$//'")).text()
    }

    /// The pid of ada's X server; empty if she has none, several lines if more than one.
    pub fn server(&self) -> String {
        self.root("pgrep -x Xorg || true").text()
    }

    /// Waits for a server of ada's other than `before`, and until its display [`is_managed`](Self::is_managed); returns
    /// its pid.
    #[track_caller]
    pub fn managed_after(&self, before: &str) -> String {
        self.until("another server", |machine| {
            let pid = machine.server();
            !pid.is_empty() && !pid.contains('\n') && pid != before
        });
        self.is_managed();
        self.server()
    }

    /// Waits until ada's session is ready and its desktop is on the screen: a window manager has painted it.
    #[track_caller]
    pub fn is_managed(&self) {
        self.until_ada(
            "a session that is ready",
            "systemctl --user --quiet is-active xorg@0.service && systemctl --user --quiet is-active wm-ready.target",
        );
        self.until("the desktop on the screen", |machine| machine.screen().shows(DESK));
    }

    /// The same, and also for the terminal that comes with a new session and has the keyboard.
    #[track_caller]
    pub fn has_terminal(&self) {
        self.is_managed();
        let focus = "xprop -id $(xdotool getwindowfocus 2> /dev/null) WM_CLASS | grep -q XTerm";
        self.until_ada("a terminal with the keyboard", focus);
    }

    /// Waits until the server has the keyboard back after a switch. logind gives back each device separately, and the
    /// picture may appear earlier.
    #[track_caller]
    pub fn listens(&self) {
        self.listens_by("/home/ada/.local/share/xorg/Xorg.0.log");
    }

    /// The same for the server with this log.
    #[track_caller]
    pub fn listens_by(&self, log: &str) {
        let script = format!(
            "[ $(grep -c 'logind: got pause for 13:' {log}) -eq $(grep -c 'logind: got resume for 13:' {log}) ] || \
             {{ grep 'logind: got' {log}; false; }}"
        );
        self.until_root("the server to have its input devices", &script);
    }

    /// Presses the keys for a terminal until it is in the foreground. A key that is pressed while a terminal changes
    /// hands reaches nobody, and a person presses again.
    #[track_caller]
    pub fn insists_on(&self, vt: u8) {
        self.until(&format!("tty{vt} after its keys were pressed"), |machine| {
            let is_there = machine.active_vt() == vt;
            if !is_there {
                machine.press(&format!("ctrl-alt-f{vt}"));
            }
            is_there
        });
    }

    /// Executes a QMP command, and returns the answer.
    ///
    /// # Panics
    /// When QEMU refuses.
    pub fn order(&self, command: &str, arguments: Value) -> Value {
        let answer = self.qmp.borrow_mut().order(command, &arguments);
        answer.unwrap_or_else(|problem| panic!("{command} {arguments}: {problem}"))
    }

    /// Whether it is switched off.
    pub fn is_off(&self) -> bool {
        self.qmp.borrow_mut().order("query-status", &json!({})).is_ok_and(|status| status["status"] == "shutdown")
    }

    /// Waits for an event of QEMU: `WAKEUP`, `SUSPEND`, `SHUTDOWN`.
    ///
    /// # Panics
    /// When there is none within `deadline`.
    pub fn wait_event(&self, name: &str, deadline: Duration) -> Value {
        let event = self.qmp.borrow_mut().wait_event(name, deadline);
        event.unwrap_or_else(|problem| panic!("waited for the machine's {name}: {problem}\n{}", self.serial()))
    }

    /// Saves the current state under a name.
    pub fn save(&self, name: &str) {
        self.monitor(&format!("savevm {name}"));
    }

    /// Restores a saved state.
    pub fn load(&self, name: &str) {
        self.monitor(&format!("loadvm {name}"));
    }

    /// Runs a command of QEMU's human monitor that prints nothing on success.
    fn monitor(&self, line: &str) {
        let said = self.order("human-monitor-command", json!({"command-line": line}));
        assert_eq!(said.as_str(), Some(""), "{line}");
    }

    /// What kernel and systemd have printed on the serial line.
    pub fn serial(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.directory.join("serial")).unwrap_or_default()).replace('\r', "")
    }

    /// Everything of interest, and a screenshot beside it. Never panics, and never takes long.
    fn report(&self, photograph: &Path) -> String {
        let mut text = format!("======== the machine ({}) ========\n", self.suite);
        let taken = self.qmp.try_borrow_mut().is_ok_and(|mut qmp| {
            let arguments = json!({"filename": photograph, "format": "png"});
            qmp.order("screendump", &arguments).is_ok()
        });
        if taken {
            text += &format!("the screen: {}\n", photograph.display());
        }
        for (user, script) in [
            (None, "cat /sys/class/tty/tty0/active; loginctl list-sessions; systemctl --failed; systemctl list-jobs"),
            (None, "free -m; ps -eo user:8,pid,ppid,tty,stat,rss,args | grep -E '^(USER|ada|eve)'"),
            (Some("ada"), "timeout 3 startxd status; timeout 3 systemctl --user --no-pager status 2>&1 | head -60"),
            (None, "for n in 1 2 7; do echo tty$n; [ -e /dev/vcs$n ] && fold -w 128 /dev/vcs$n | grep '[^ ]'; done"),
            (None, "tail -n 40 /home/ada/.local/share/xorg/Xorg.0.log"),
            (None, "journalctl -b --no-pager --no-hostname -q -o short-precise -n 200"),
        ] {
            text += &format!("-------- {script}\n{}\n", self.try_run(user, script, secs(15)));
        }
        text + "-------- the serial line\n" + &self.serial()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            let _ = kill(self.process, Signal::SIGTERM);
            let _ = keeper.join();
        }
    }
}

/// Starts the machine in a thread that lives as long as the machine: the kernel ends it with the *thread* that started
/// it (`PR_SET_PDEATHSIG`), and libtest gives every case its own. Sends its pid, and a message when QEMU's turn has
/// come.
fn keep(mut command: Command) -> (JoinHandle<()>, Receiver<Pid>) {
    let (sender, receiver) = mpsc::channel();
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    start_bound(&mut command, Signal::SIGTERM);
    let keeper = thread::spawn(move || {
        let Ok(mut child) = command.spawn() else { return };
        let pid = Pid::from_raw(child.id().cast_signed());
        let _ = sender.send(pid);
        let lines = child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines);
        for _ in lines.map_while(Result::ok).filter(|line| line == "ready") {
            let _ = sender.send(pid);
        }
        drop(sender);
        let _ = child.wait();
    });
    (keeper, receiver)
}
