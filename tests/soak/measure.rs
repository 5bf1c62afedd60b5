//! What exists in the guest while there is no session.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::harness::{Guest, Manager};
use crate::scenario::Desk;

/// The programs that see every session start and end, and stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// ada's `systemd --user`
    Manager,
    /// ada's message bus
    Bus,
    /// `systemd-logind`
    Logind,
    /// the system's message bus
    SystemBus,
    /// pid 1
    Init,
}

impl Program {
    const ALL: [Self; 5] = [Self::Manager, Self::Bus, Self::Logind, Self::SystemBus, Self::Init];

    const fn name(self) -> &'static str {
        match self {
            Self::Manager => "the user manager",
            Self::Bus => "the user's message bus",
            Self::Logind => "logind",
            Self::SystemBus => "the system's message bus",
            Self::Init => "the system manager",
        }
    }
}

/// Something to count or to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// A number of things, by their kind.
    Count(&'static str),
    /// File descriptors.
    Descriptors(Program),
    /// Anonymous memory (proc_pid_smaps(5)) in KiB: what a program has allocated, without what it shares with files.
    Memory(Program),
}

impl Quantity {
    /// Its name in the report.
    pub fn name(self) -> String {
        match self {
            Self::Count(what) => what.to_owned(),
            Self::Descriptors(program) => format!("file descriptors of {}", program.name()),
            Self::Memory(program) => format!("memory of {}", program.name()),
        }
    }

    /// A value with its unit.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Memory(_) => format!("{value:.0} KiB"),
            _ => format!("{value:.0}"),
        }
    }

    /// See [`crate::growth`].
    pub const fn grain(self) -> f64 {
        match self {
            Self::Memory(_) => 256.0,
            _ => 2.0,
        }
    }
}

/// All quantities with their values.
pub type Measures = Vec<(Quantity, f64)>;

/// Measures everything.
///
/// # Panics
/// When something cannot be measured, as it would then not grow.
pub fn all(desk: &Desk) -> Measures {
    let (user, system) = (desk.manager("ada"), desk.system());
    let count = |manager: &Manager, what: &str| -> f64 { manager.own_property(what).parse().expect("a number") };
    // Each with a line feed, as printed.
    let environment: usize = user.environment().iter().map(|variable| variable.len() + 1).sum();
    let everybody = processes(desk);
    let ada = desk.uid("ada");
    let sockets = fs::read_to_string(format!("/proc/{}/net/unix", desk.init())).expect("the guest's sockets");
    let files = |path: &str| count_files(&desk.outside(path), &[]) as f64;
    // The journal rotates by size.
    let elsewhere = ["/run/user", "/run/log"].map(|path| desk.outside(path));
    let mut measures = vec![
        (Quantity::Count("units of the user manager"), count(&user, "NNames")),
        (Quantity::Count("failed ones"), count(&user, "NFailedUnits")),
        (Quantity::Count("jobs"), count(&user, "NJobs")),
        (Quantity::Count("bytes of its environment"), environment as f64),
        (Quantity::Count("units of the system manager"), count(&system, "NNames")),
        (Quantity::Count("failed ones of the system manager"), count(&system, "NFailedUnits")),
        (
            Quantity::Count("processes of the user"),
            everybody.iter().filter(|&&pid| owner(pid) == Some(ada)).count() as f64,
        ),
        (Quantity::Count("processes of everybody"), everybody.len() as f64),
        (Quantity::Count("control groups"), count_directories(&desk.outside("/sys/fs/cgroup")) as f64),
        (Quantity::Count("Unix sockets"), sockets.lines().count() as f64),
        (Quantity::Count("files in /run/user/1000"), files("/run/user/1000")),
        (Quantity::Count("other files in /run"), count_files(&desk.outside("/run"), &elsewhere) as f64),
        (Quantity::Count("files in /tmp"), files("/tmp")),
        (Quantity::Count("files in the user's home"), files("/home/ada")),
    ];
    for program in Program::ALL {
        let pid = find(desk, &everybody, program);
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("descriptors").count();
        measures.push((Quantity::Descriptors(program), descriptors as f64));
        measures.push((Quantity::Memory(program), anonymous(pid)));
    }
    measures
}

/// The guest's processes, as seen from outside.
pub fn processes(guest: &Guest) -> Vec<i32> {
    let namespace = |pid| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let ours = namespace(guest.init());
    let all = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|&pid| namespace(pid) == ours).collect()
}

fn find(guest: &Guest, everybody: &[i32], program: Program) -> i32 {
    let ada = guest.uid("ada");
    let (name, of_ada) = match program {
        Program::Init => return guest.init(),
        Program::Manager => ("systemd", true),
        Program::Bus => ("dbus-daemon", true),
        Program::Logind => ("systemd-logind", false),
        Program::SystemBus => ("dbus-daemon", false),
    };
    let is = |pid: &&i32| (owner(**pid) == Some(ada)) == of_ada && **pid != guest.init() && command(**pid) == name;
    *everybody.iter().find(is).unwrap_or_else(|| panic!("{} does not run", program.name()))
}

fn owner(pid: i32) -> Option<u32> {
    fs::metadata(format!("/proc/{pid}")).ok().map(|process| process.uid())
}

fn command(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

fn anonymous(pid: i32) -> f64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("the process's memory");
    let value =
        rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")?.trim().strip_suffix(" kB")?.parse().ok());
    value.unwrap_or_else(|| panic!("no anonymous memory in {rollup}"))
}

/// The number of files in a directory, on any file system, except those below `without`.
fn count_files(directory: &Path, without: &[PathBuf]) -> usize {
    // What vanishes meanwhile is not counted.
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() && !without.contains(&entry.path()) => 1 + count_files(&entry.path(), without),
            _ => 1,
        })
        .sum()
}

fn count_directories(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.map(|entry| 1 + count_directories(&entry.path())).sum()
}
