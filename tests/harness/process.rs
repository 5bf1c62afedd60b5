//! The guest's processes, from its own /proc.

use std::fs;
use std::path::Path;

use super::guest::{Guest, STEP};
use super::wait::wait_until;

/// A process, with its numbers in the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its pid.
    pub pid: i32,
    /// The pid of its process group's leader.
    pub leader: i32,
    /// The number of the virtual terminal that controls it, if there is one.
    pub vt: Option<u64>,
    /// When it was started, in ticks since the boot.
    pub began: u64,
    /// Its parent's pid.
    pub parent: i32,
    /// Its effective uid.
    pub uid: u32,
    /// Its name, of at most 15 bytes.
    pub name: String,
    /// `proc_pid_stat(5)`: `Z` if it has ended and was not reaped.
    pub state: char,
    /// Its command line; its name in brackets if that is empty, as ps(1) prints it.
    pub args: String,
    /// Its control group.
    pub group: String,
}

impl Guest {
    /// The processes with the effective user `user`, as `ps -u` lists them.
    ///
    /// # Panics
    /// When there is no such user.
    #[must_use]
    pub fn processes_of(&self, user: &str) -> Vec<Process> {
        let uid = self.uid(user);
        self.processes(|process| process.uid == uid)
    }

    /// The processes of `user` with this name, as `pgrep -x` finds them.
    ///
    /// # Panics
    /// When there is no such user.
    #[must_use]
    pub fn named(&self, user: &str, name: &str) -> Vec<Process> {
        let uid = self.uid(user);
        self.processes(|process| process.uid == uid && process.name == name)
    }

    /// Like [`named`](Self::named), without their children that have not executed another program yet and so have the
    /// same name. Those are in the same process group, and systemd, shells and startxd create a group for each program
    /// that they start.
    ///
    /// # Panics
    /// When there is no such user.
    #[must_use]
    pub fn programs(&self, user: &str, name: &str) -> Vec<Process> {
        let named = self.named(user, name);
        let pids: Vec<i32> = named.iter().map(|process| process.pid).collect();
        named.into_iter().filter(|process| process.leader == process.pid || !pids.contains(&process.leader)).collect()
    }

    /// Waits until `user` has one of these [`programs`](Self::programs) other than `before`, and returns the pid of the
    /// first. Children of `before` may outlive it, and do not count.
    ///
    /// # Panics
    /// After 15 s, with the processes that exist.
    pub fn another(&self, user: &str, name: &str, before: &str) -> String {
        wait_until(&format!("another {name} of {user}"), STEP, || {
            let is_other =
                |process: &Process| [process.pid, process.leader].iter().all(|pid| pid.to_string() != before);
            let first = self.programs(user, name).into_iter().find(is_other).map(|process| process.pid.to_string());
            first.ok_or_else(|| format!("{:?}", self.processes_of(user)))
        })
    }

    /// Waits until no process has a name that contains one of `parts`, as pgrep(1) searches.
    ///
    /// # Panics
    /// After 15 s, with the processes that exist.
    pub fn wait_ended(&self, parts: &[&str]) {
        let is_one = |process: &Process| parts.iter().any(|part| process.name.contains(part));
        wait_until(&format!("the end of {parts:?}"), STEP, || match self.processes(is_one) {
            processes if processes.is_empty() => Ok(()),
            processes => Err(format!("{processes:?}")),
        });
    }

    /// The processes that are `wanted`, which is asked before everything about a process is known; oldest first.
    /// Processes that end meanwhile may be missing.
    pub fn processes(&self, wanted: impl Fn(&Process) -> bool) -> Vec<Process> {
        let proc = self.outside("/proc");
        // Control groups are named as seen from outside: the guest's root has a name, too.
        let root = group_of(Path::new(&format!("/proc/{}", self.init()))).unwrap_or_default();
        let root = root.strip_suffix("/init.scope").unwrap_or_default();
        let entries = fs::read_dir(&proc).into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let read = |pid: i32, file: &str| fs::read(proc.join(format!("{pid}/{file}"))).ok();
        let process = |pid| {
            let process = parse(pid, &String::from_utf8_lossy(&read(pid, "status")?))?;
            // The other files are read only for processes that are wanted.
            wanted(&process).then_some(())?;
            let args = String::from_utf8_lossy(&read(pid, "cmdline")?).replace('\0', " ").trim().to_owned();
            let group = group_of(&proc.join(pid.to_string()))?;
            let group = group.strip_prefix(root).unwrap_or(&group).to_owned();
            let args = match process.state {
                'Z' => format!("[{}] <defunct>", process.name),
                _ if args.is_empty() => format!("[{}]", process.name),
                _ => args,
            };
            let (leader, vt, began) = parse_stat(&String::from_utf8_lossy(&read(pid, "stat")?))?;
            Some(Process { leader, vt, began, args, group, ..process })
        };
        let mut processes: Vec<Process> = pids.filter_map(process).collect();
        // Pids start again from low numbers when they are used up.
        processes.sort_by_key(|process| (process.began, process.pid));
        processes
    }
}

/// The control group of the process that a directory of /proc is about.
fn group_of(process: &Path) -> Option<String> {
    let groups = fs::read_to_string(process.join("cgroup")).ok()?;
    groups.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
}

/// The process group, the terminal and the start time, from `/proc/PID/stat`: fields 5, 7 and 22. They are counted from
/// the end of the second field, the name, which may contain spaces.
fn parse_stat(stat: &str) -> Option<(i32, Option<u64>, u64)> {
    let fields: Vec<u64> =
        stat.rsplit_once(')')?.1.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect();
    let (leader, device, began) = (i32::try_from(*fields.get(2)?).ok()?, *fields.get(4)?, *fields.get(19)?);
    // The major number of virtual terminals is 4.
    Some((leader, (device >> 8 == 4).then_some(device & 0xff), began))
}

/// What `/proc/PID/status` contains.
fn parse(pid: i32, status: &str) -> Option<Process> {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    Some(Process {
        pid,
        parent: field("PPid")?.parse().ok()?,
        leader: 0,
        vt: None,
        began: 0,
        // The real uid, then the effective one.
        uid: field("Uid")?.split('\t').nth(1)?.parse().ok()?,
        name: field("Name")?.to_owned(),
        state: field("State")?.chars().next()?,
        args: String::new(),
        group: String::new(),
    })
}
