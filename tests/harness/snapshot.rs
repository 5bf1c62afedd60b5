//! What a session could leave behind: a snapshot of it, and the difference between two.

use std::collections::{BTreeMap, BTreeSet};
use std::{fmt, fs};

use super::bus::Problem;
use super::guest::Guest;
use super::process::Process;
use super::vt::{Mode, Vt};

/// Everything of a user that should be the same after a session as before. Lines by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    lines: BTreeMap<String, BTreeSet<String>>,
}

/// What changes by itself: the user manager's own group and its bus, which its first client starts and which remains.
const OWN_GROUPS: [&str; 3] = ["/init.scope", "/dbus.service", "/dbus-broker.service"];
const OWN_UNITS: [&str; 4] = ["dbus.socket", "dbus.service", "dbus-broker.service", "init.scope"];

/// The types of units that a session has.
const TYPES: [&str; 6] = ["*.service", "*.socket", "*.target", "*.timer", "*.path", "*.scope"];

/// Where X servers have their sockets.
const SOCKETS: &str = "/tmp/.X11-unix/";

fn is_own_group(group: &str) -> bool {
    OWN_GROUPS.iter().any(|own| group.ends_with(own))
}

impl Snapshot {
    fn take(guest: &Guest, user: &str) -> Self {
        let mut snapshot = Self::default();
        snapshot.processes(guest, user);
        snapshot.display_files(guest);
        snapshot.runtime_files(guest, guest.uid(user));
        snapshot.control_groups(guest, guest.uid(user));
        snapshot.terminals(guest);
        let failed = guest.system().units(&["failed"], &[]);
        snapshot.add("failed system unit", failed.into_iter().map(|unit| unit.name));
        if guest.outside(&format!("/run/user/{}/systemd/private", guest.uid(user))).exists() {
            snapshot.manager(guest, user);
        }
        snapshot
    }

    fn add(&mut self, kind: &str, lines: impl IntoIterator<Item = String>) {
        self.lines.entry(kind.to_owned()).or_default().extend(lines);
    }

    fn processes(&mut self, guest: &Guest, user: &str) {
        let strange = |process: &Process| !process.group.is_empty() && !is_own_group(&process.group);
        let processes = guest.processes_of(user).into_iter().filter(strange);
        self.add("process", processes.map(|p| format!("{} [pid {} in {}]", p.args, p.pid, p.group)));
    }

    /// Lock files, sockets, abstract sockets.
    fn display_files(&mut self, guest: &Guest) {
        let is_lock = |path: &String| path.starts_with("/tmp/.X") && path.ends_with("-lock");
        self.add("X file", below(guest, "/tmp", 1).into_iter().filter(is_lock));
        self.add("X file", below(guest, SOCKETS.trim_end_matches('/'), 1));
        let sockets = fs::read_to_string(format!("/proc/{}/net/unix", guest.init())).unwrap_or_default();
        let names = sockets.lines().filter_map(|line| Some(&line[line.find(&format!("@{SOCKETS}"))?..]));
        self.add("X abstract socket", names.map(str::to_owned));
    }

    fn runtime_files(&mut self, guest: &Guest, uid: u32) {
        let runtime = format!("/run/user/{uid}");
        let files = below(guest, &runtime, 1).into_iter().filter(|path| !path.ends_with("/dbus-1"));
        self.add("runtime file", files);
        for directory in ["startxd", "systemd/transient", "systemd/user.control"] {
            self.add("runtime file", below(guest, &format!("{runtime}/{directory}"), usize::MAX));
        }
    }

    /// The control groups with processes in them.
    ///
    /// An empty group is not ours to remove: systemd does that when the kernel reports it empty. If the unit is
    /// unloaded by then, as a transient one is at once, the group stays until a unit of that name uses it again (seen
    /// on 262, with a process that ended while its unit was being stopped). The soak test checks that their number does
    /// not grow.
    fn control_groups(&mut self, guest: &Guest, uid: u32) {
        let slices = "/sys/fs/cgroup/user.slice/";
        let groups = below(guest, &format!("{slices}user-{uid}.slice"), usize::MAX).into_iter();
        let is_unit = |path: &String| path.ends_with(".service") || path.ends_with(".scope");
        let is_populated = |path: &String| {
            let events = fs::read_to_string(guest.outside(&format!("{path}/cgroup.events")));
            events.is_ok_and(|events| events.contains("populated 1"))
        };
        let groups = groups.filter(|path| is_unit(path) && !is_own_group(path) && is_populated(path));
        self.add("control group", groups.map(|path| path.replacen(slices, "", 1)));
    }

    /// What the user manager has; nothing if it is not running.
    fn manager(&mut self, guest: &Guest, user: &str) {
        let manager = guest.manager(user);
        let asked = manager
            .try_units(&[], &TYPES)
            .and_then(|units| Ok((units, manager.try_jobs()?, manager.try_environment()?)));
        let (units, jobs, environment) = match asked {
            Ok(answers) => answers,
            Err(Problem::Nobody(_) | Problem::Lost(_)) => return,
            Err(problem) => panic!("the user manager of {user} does not answer: {problem}"),
        };
        let units = units.into_iter().filter(|unit| unit.active != "inactive" && !OWN_UNITS.contains(&&*unit.name));
        self.add("user unit", units.map(|unit| format!("{} is {} ({})", unit.name, unit.active, unit.sub)));
        self.add("user job", jobs);
        self.add("manager environment", environment);
    }

    fn terminals(&mut self, guest: &Guest) {
        for vt in (1..=9).map(|n| guest.vt(n)).filter(Vt::exists) {
            if vt.mode() == Mode::Graphics {
                self.add("terminal", [format!("tty{} in graphics mode", vt.number())]);
            }
            if vt.keyboard_is_off() {
                self.add("terminal", [format!("tty{} without keyboard", vt.number())]);
            }
        }
    }

    /// What has changed since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Difference {
        let none = BTreeSet::new();
        let minus = |a: &Self, b: &Self| {
            let kinds = a.lines.iter();
            kinds
                .flat_map(|(kind, lines)| {
                    let others = b.lines.get(kind).unwrap_or(&none);
                    lines.difference(others).map(move |line| format!("{kind}: {line}")).collect::<Vec<_>>()
                })
                .collect()
        };
        Difference { left: minus(self, before), gone: minus(before, self) }
    }
}

/// The difference between two snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What is there now and was not there before.
    pub left: Vec<String>,
    /// What was there before and is gone.
    pub gone: Vec<String>,
}

impl Difference {
    /// Whether there is no difference.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.left.is_empty() && self.gone.is_empty()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.left.iter().try_for_each(|line| writeln!(f, "  left behind  {line}"))?;
        self.gone.iter().try_for_each(|line| writeln!(f, "  missing      {line}"))
    }
}

/// The guest's files in a directory, down to this depth, without following symbolic links. Files that vanish meanwhile
/// may be missing.
pub(super) fn below(guest: &Guest, directory: &str, depth: usize) -> Vec<String> {
    let entries = fs::read_dir(guest.outside(directory)).into_iter().flatten().flatten();
    let mut files = Vec::new();
    for entry in entries {
        let path = format!("{directory}/{}", entry.file_name().to_string_lossy());
        let deeper = depth > 1 && entry.file_type().is_ok_and(|kind| kind.is_dir());
        let inner = if deeper { below(guest, &path, depth - 1) } else { Vec::new() };
        files.push(path);
        files.extend(inner);
    }
    files
}

impl Guest {
    /// A snapshot of what `user` has now.
    #[must_use]
    pub fn snapshot_of(&self, user: &str) -> Snapshot {
        Snapshot::take(self, user)
    }

    /// A snapshot of what ada has now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_of("ada")
    }

    /// Fails if anything of ada's differs from `before`.
    ///
    /// # Panics
    /// With a list of what was left behind or is missing.
    #[track_caller]
    pub fn assert_as(&self, before: &Snapshot) {
        let difference = self.snapshot().since(before);
        assert!(difference.is_empty(), "ada's things are not as they were:\n{difference}");
    }
}
