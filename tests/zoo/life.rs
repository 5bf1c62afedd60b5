//! One of them from its start to each kind of end, and what was seen.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::animals::{Animal, Logout};
use crate::harness::{Case, secs, wait_until};
use crate::scenario::Desk;

/// How long a desktop may take to start or end.
pub const LONG: Duration = secs(30);

/// How long to wait, after the session is up, for autostart programs that are started twice.
const SETTLED: Duration = Duration::from_millis(300);

/// What belongs to no display and stays until the end of the login, as its authors intend: agents and keyrings that
/// every graphical session asks for, daemons for settings and files that D-Bus starts for the first program, the sound
/// server, which comes up a little after the prompt, and what these and their libraries keep in the runtime directory.
const OF_THE_LOGIN: [&str; 12] = [
    "gcr-ssh-agent",
    "gpg-agent",
    "gnome-keyring-daemon",
    "xfconfd",
    "dconf",
    "gvfs",
    "filter-chain.service",
    "pipewire",
    "wireplumber",
    "/at-spi",
    "ICEauthority",
    "iceauth_",
];

/// The columns of the table, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// `graphical-session.target` is reached.
    Up,
    /// An autostart entry ran, once for each server.
    Autostart,
    /// The window manager is killed and comes back; session and autostart program stay.
    Crash,
    /// `startxd restart xorg` is over when the display is managed.
    Restart,
    /// The server is killed and comes back with the window manager.
    Server,
    /// Its own logout ends the session.
    Logout,
    /// `startxd stop` ends the session.
    Stop,
    /// Nothing is left, and the environment is restored.
    Left,
    /// `startxd enable wm`, a crash and a stop of that unit.
    Unit,
}

impl Column {
    pub const ALL: [Self; 9] = [
        Self::Up,
        Self::Autostart,
        Self::Crash,
        Self::Restart,
        Self::Server,
        Self::Logout,
        Self::Stop,
        Self::Left,
        Self::Unit,
    ];
}

/// What was seen: the words for the table, or what went wrong.
pub type Seen = Result<String, String>;

/// The results of one.
pub struct Row {
    pub animal: &'static Animal,
    pub seen: BTreeMap<Column, Seen>,
}

impl Row {
    /// Runs all parts; one that fails ends there, and costs the guest. Pictures go to `pictures`.
    pub fn of(animal: &'static Animal, guest: fn() -> Case, pictures: Option<&Path>) -> Self {
        let mut row = Self { animal, seen: BTreeMap::new() };
        row.part(&[Column::Up, Column::Autostart, Column::Crash, Column::Stop, Column::Left], |row| {
            row.comes_and_is_stopped(guest(), pictures);
        });
        if row.seen.get(&Column::Up).is_some_and(Result::is_ok) {
            row.part(&[Column::Restart, Column::Server, Column::Logout, Column::Left], |row| {
                row.gets_other_servers_and_logs_out(guest());
            });
        }
        if animal.is_manager() {
            row.part(&[Column::Unit], |row| row.is_enabled(guest()));
        }
        row
    }

    /// The columns that failed.
    pub fn faults(&self) -> Vec<(Column, &str)> {
        self.seen.iter().filter_map(|(column, seen)| Some((*column, seen.as_ref().err()?.as_str()))).collect()
    }

    /// The columns that failed and are not known to.
    pub fn unknown_faults(&self) -> Vec<String> {
        let unknown = self.faults().into_iter().filter(|(column, _)| self.animal.reason(*column).is_none());
        unknown.map(|(column, why)| format!("{}: {column:?}: {why}", self.animal.name)).collect()
    }

    /// Does something that may panic: then the first of `columns` without a result gets the message.
    fn part(&mut self, columns: &[Column], life: impl FnOnce(&mut Self)) {
        let ended = catch_unwind(AssertUnwindSafe(|| life(self)));
        if let Err(why) = ended {
            let unseen = columns.iter().find(|column| !self.seen.contains_key(column)).or(columns.last());
            self.seen.extend(unseen.map(|column| (*column, Err(message(&*why)))));
        }
    }

    fn saw(&mut self, column: Column, what: &str) {
        self.seen.insert(column, Ok(what.to_owned()));
    }

    fn comes_and_is_stopped(&mut self, case: Case, pictures: Option<&Path>) {
        let desk = at_prompt(case, self.animal);
        let begun = Instant::now();
        desk.types(&format!("startxd start {}", self.animal.session));
        is_up(&desk);
        let took = begun.elapsed().as_secs_f32();
        self.saw(Column::Up, &format!("{took:.1} s"));
        autostart_ran(&desk, 1);
        self.saw(Column::Autostart, "");
        if let Some(directory) = pictures {
            let taken = desk.with_display("scrot -o /tmp/picture.png");
            if taken.status.success() {
                desk.fetch("/tmp/picture.png", &directory.join(format!("{}.png", self.animal.name)));
            }
        }
        crashes(&desk, self.animal);
        autostart_ran(&desk, 1);
        self.saw(Column::Crash, "");
        desk.shell_as("ada", "startxd stop").deadline(LONG).run().ok();
        desk.comes_back(0, LONG);
        self.saw(Column::Stop, "");
        self.left(&desk);
    }

    fn gets_other_servers_and_logs_out(&mut self, case: Case) {
        let desk = at_prompt(case, self.animal);
        desk.types(&format!("startxd start {}", self.animal.session));
        is_up(&desk);
        autostart_ran(&desk, 1);
        let server = desk.server();
        desk.shell_as("ada", "startxd restart xorg").deadline(LONG).run().ok();
        assert!(is_managed(&desk).is_ok(), "startxd restart xorg is over, and nobody manages the display");
        desk.another("ada", "Xorg", &server.pid);
        is_up(&desk);
        autostart_ran(&desk, 2);
        self.saw(Column::Restart, "");
        let server = desk.server();
        desk.root(&format!("kill -KILL {}", server.pid)).ok();
        desk.another("ada", "Xorg", &server.pid);
        becomes_managed(&desk);
        is_up(&desk);
        autostart_ran(&desk, 3);
        self.saw(Column::Server, "");
        logs_out(&desk, self.animal);
        self.saw(Column::Logout, if self.animal.logout == Logout::Signal { "SIGTERM" } else { "" });
        self.left(&desk);
    }

    fn is_enabled(&mut self, case: Case) {
        let desk = at_prompt(case, self.animal);
        let name = self.animal.session.trim_start_matches("-- ");
        desk.user("ada", &format!("startxd enable wm {name}")).ok();
        desk.types("startxd start");
        is_up(&desk);
        // As unit names go: aewm\x2b\x2b.
        let unit = desk.user("ada", &format!("systemd-escape --suffix=service -- {name}")).text();
        assert_eq!(desk.state(&unit), "active", "{unit}");
        autostart_ran(&desk, 1);
        crashes(&desk, self.animal);
        autostart_ran(&desk, 1);
        desk.shell_as("ada", "startxd stop").deadline(LONG).run().ok();
        desk.comes_back(0, LONG);
        desk.user("ada", "startxd disable wm").ok();
        self.saw(Column::Unit, "");
    }

    /// Records what is left of the session that was ended.
    fn left(&mut self, desk: &Desk) {
        let mut left = desk.what_is_left();
        let of_the_login = |line: &String| self.animal.leaves.iter().chain(&OF_THE_LOGIN).any(|own| line.contains(own));
        left.left.retain(|line| !of_the_login(line));
        left.gone.retain(|line| !of_the_login(line));
        let lines = left.left.iter().map(|line| format!("left: {line}"));
        let lines: Vec<String> = lines.chain(left.gone.iter().map(|line| format!("missing: {line}"))).collect();
        if !lines.is_empty() {
            self.seen.insert(Column::Left, Err(lines.join("; ")));
        } else if !self.seen.contains_key(&Column::Left) {
            self.saw(Column::Left, "");
        }
    }
}

/// Leaves the session as a person does.
pub fn logs_out(desk: &Desk, animal: &Animal) {
    let process = desk.another("ada", animal.process, "");
    match animal.logout {
        Logout::Command(command) => {
            desk.run(&format!("timeout 10 {command}"));
        }
        Logout::Keys(keys) => {
            // The end of the session ends its clients, and this is one.
            desk.with_display(&format!("xdotool key {keys}"));
        }
        Logout::Signal => {
            desk.root(&format!("kill -TERM {process}")).ok();
        }
    }
    desk.comes_back(0, LONG);
}

/// Ada at the prompt, with the settings that it needs and an autostart entry that counts.
pub fn at_prompt(mut case: Case, animal: &Animal) -> Desk {
    case.expect_crash();
    for (path, text) in animal.files {
        case.write_as("ada", path, text);
        if text.starts_with("#!") {
            case.user("ada", &format!("chmod +x {path}")).ok();
        }
    }
    case.write_as("ada", "~/counted", "#!/bin/sh\necho run >>~/runs\nexec sleep 4711\n");
    let entry = "[Desktop Entry]\nType=Application\nName=Counted\nExec=/home/ada/counted\n";
    case.write_as("ada", "~/.config/autostart/counted.desktop", entry);
    case.user("ada", "chmod +x counted; touch runs").ok();
    Desk::at_prompt_in(case)
}

/// Waits until the graphical session is up, or what was typed has ended.
pub fn is_up(desk: &Desk) {
    let manager = desk.manager("ada");
    wait_until("graphical-session.target to be active", LONG, || {
        if let Some(status) = desk.exit_status() {
            panic!("the session ended with {status}: {}", desk.vt());
        }
        match manager.property("graphical-session.target", "ActiveState") {
            state if state == "active" => Ok(()),
            state => Err(state),
        }
    });
    desk.manager("ada").wait_dotfiles();
    becomes_managed(desk);
}

/// Whether a client has the root window's redirect, which defines a window manager.
fn is_managed(desk: &Desk) -> Result<(), String> {
    let root = desk.with_display("xwininfo -root -events");
    let wanted = root.stdout.split("Do not propagate").next().unwrap_or_default();
    if wanted.contains("SubstructureRedirect") { Ok(()) } else { Err(root.to_string()) }
}

fn becomes_managed(desk: &Desk) {
    wait_until("a window manager on the display", LONG, || is_managed(desk));
}

/// Kills the window manager, and waits until another one manages the display. The session stays.
fn crashes(desk: &Desk, animal: &Animal) {
    let process = desk.another("ada", animal.process, "");
    let server = desk.server();
    desk.root(&format!("kill -KILL {process}")).ok();
    desk.another("ada", animal.process, &process);
    becomes_managed(desk);
    assert_eq!(desk.state("graphical-session.target"), "active", "after the crash of the window manager");
    assert_eq!(desk.server(), server, "the server after the crash of the window manager");
}

/// Waits until the autostart program has run once for each server, and expects that it stays so.
pub fn autostart_ran(desk: &Desk, times: usize) {
    let runs = || desk.read("/home/ada/runs").lines().count();
    wait_until(&format!("run {times} of the autostart program"), LONG, || match runs() {
        count if count >= times => Ok(()),
        count => Err(format!("{count} runs")),
    });
    let until = Instant::now() + SETTLED;
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
        assert!(runs() <= times, "the autostart program ran {} times with server {times}", runs());
    }
}

/// A panic's message, on one line.
fn message(why: &(dyn Any + Send)) -> String {
    let text = why.downcast_ref::<String>().cloned();
    let text = text.or_else(|| why.downcast_ref::<&str>().map(|&text| text.to_owned()));
    let text = text.unwrap_or_else(|| "a panic without words".to_owned());
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(400).collect()
}
