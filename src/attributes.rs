//! What a process has in addition to its environment, and its children inherit: the umask, limits, niceness and the like.
//!
//! With `startx` a session has those of the login shell, because it is a child of it. Here the user manager starts it, with
//! its own. So they travel as properties of the session's unit (systemd.exec(5)), as the variables do.
//!
//! Not all that execve(2) preserves can: attributes that the user manager may not give are omitted, because the unit would
//! fail. These are scheduling policies (with one, systemd sets the niceness to 0 as well, which a manager that has a higher
//! one may not), a real-time class of input and output, and a lower out-of-memory score than the user manager's. Limits and
//! a better niceness are given as far as the manager may. Ignored signals, groups of newgrp(1), the personality of
//! setarch(8), securebits and namespaces stay behind: systemd has no property for them, or not for users.

use serde::{Deserialize, Serialize};

use crate::os;
use crate::small_file;

/// The limits: as /proc/PID/limits has them, and as the manager does.
const LIMITS: [(&str, &str, &str); 16] = [
    ("Max cpu time", "LimitCPU", "LimitCPUSoft"),
    ("Max file size", "LimitFSIZE", "LimitFSIZESoft"),
    ("Max data size", "LimitDATA", "LimitDATASoft"),
    ("Max stack size", "LimitSTACK", "LimitSTACKSoft"),
    ("Max core file size", "LimitCORE", "LimitCORESoft"),
    ("Max resident set", "LimitRSS", "LimitRSSSoft"),
    ("Max processes", "LimitNPROC", "LimitNPROCSoft"),
    ("Max open files", "LimitNOFILE", "LimitNOFILESoft"),
    ("Max locked memory", "LimitMEMLOCK", "LimitMEMLOCKSoft"),
    ("Max address space", "LimitAS", "LimitASSoft"),
    ("Max file locks", "LimitLOCKS", "LimitLOCKSSoft"),
    ("Max pending signals", "LimitSIGPENDING", "LimitSIGPENDINGSoft"),
    ("Max msgqueue size", "LimitMSGQUEUE", "LimitMSGQUEUESoft"),
    ("Max nice priority", "LimitNICE", "LimitNICESoft"),
    ("Max realtime priority", "LimitRTPRIO", "LimitRTPRIOSoft"),
    ("Max realtime timeout", "LimitRTTIME", "LimitRTTIMESoft"),
];

/// The slack that a process has whose parents have not set one (prctl(2), `PR_SET_TIMERSLACK`), in nanoseconds.
const USUAL_SLACK: u64 = 50_000;

/// `IOPRIO_CLASS_BE` and `IOPRIO_CLASS_IDLE` (ioprio_set(2)): the classes that everybody may have.
const MODEST_CLASSES: [i32; 2] = [2, 3];

/// One limit (getrlimit(2)); `None` stands for no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Its place among those that there are.
    kind: usize,
    soft: Option<u64>,
    hard: Option<u64>,
}

impl Limit {
    /// The properties of the hard and of the soft limit, and their values as the manager takes them.
    pub fn properties(&self) -> Option<[(&'static str, u64); 2]> {
        let (_, hard, soft) = LIMITS.get(self.kind)?;
        Some([(hard, self.hard.unwrap_or(u64::MAX)), (soft, self.soft.unwrap_or(u64::MAX))])
    }
}

/// The attributes. What is as it always is, is `None`, 0 or `false`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// umask(2)
    pub umask: Option<u32>,
    /// getpriority(2)
    pub nice: i32,
    /// proc_pid_oom_score_adj(5), if it was raised.
    pub oom_score_adjust: i32,
    /// The processors that it may run on, if not all: bit N of byte N/8 is processor N.
    pub processors: Option<Vec<u8>>,
    /// ioprio_get(2), class and level, of [`MODEST_CLASSES`].
    pub input_output: Option<(i32, i32)>,
    /// In nanoseconds.
    pub timer_slack: Option<u64>,
    /// prctl(2), `PR_SET_NO_NEW_PRIVS`.
    pub no_new_privileges: bool,
    /// Those that limit something.
    pub limits: Vec<Limit>,
}

impl Attributes {
    /// Those of this process. What cannot be read is as it always is.
    #[must_use]
    pub fn of_this_process() -> Self {
        let read = |path: &str| small_file::text(path.as_ref()).unwrap_or_default();
        let mut attributes = Self::parse(&read("/proc/self/status"), &read("/proc/1/status"));
        attributes.add_stat(&read("/proc/self/stat"));
        attributes.limits = limits(&read("/proc/self/limits"));
        attributes.oom_score_adjust = number(&read("/proc/self/oom_score_adj")).unwrap_or(0).max(0);
        let slack = number(&read("/proc/self/timerslack_ns"));
        attributes.timer_slack = slack.filter(|slack| !matches!(*slack, 0 | USUAL_SLACK));
        attributes.input_output = os::io_priority().filter(|(class, _)| MODEST_CLASSES.contains(class));
        attributes
    }

    /// What is in /proc/PID/status (proc_pid_status(5)); `first` is that of pid 1, which may run everywhere.
    fn parse(status: &str, first: &str) -> Self {
        let field = |text: &'_ str, name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name))?.strip_prefix(':')?;
            Some(value.trim().to_owned())
        };
        let processors = field(status, "Cpus_allowed").and_then(|mask| bytes_of_mask(&mask));
        let all = field(first, "Cpus_allowed").and_then(|mask| bytes_of_mask(&mask));
        Self {
            umask: field(status, "Umask").and_then(|umask| u32::from_str_radix(&umask, 8).ok()),
            processors: processors.filter(|mask| all.is_some_and(|all| all != *mask)),
            no_new_privileges: field(status, "NoNewPrivs").is_some_and(|value| value == "1"),
            ..Self::default()
        }
    }

    /// What is in /proc/PID/stat (proc_pid_stat(5), field 19).
    fn add_stat(&mut self, stat: &str) {
        // The second field, the name, may contain anything, also spaces and brackets: start after its last bracket.
        let Some((_, rest)) = stat.rsplit_once(')') else { return };
        let field = |at: usize| rest.split_ascii_whitespace().nth(at - 3).and_then(|field| field.parse::<i32>().ok());
        self.nice = field(19).unwrap_or(0);
    }
}

/// Reads /proc/PID/limits (proc_pid_limits(5)); limits that limit nothing are omitted.
fn limits(text: &str) -> Vec<Limit> {
    let limit = |line: &str| {
        let kind =
            LIMITS.iter().position(|(name, ..)| line.strip_prefix(name).is_some_and(|rest| rest.starts_with("  ")))?;
        let mut values = line[LIMITS[kind].0.len()..].split_ascii_whitespace();
        let mut value = || match values.next()? {
            "unlimited" => Some(None),
            digits => digits.parse::<u64>().ok().map(Some),
        };
        let limit = Limit { kind, soft: value()?, hard: value()? };
        // No priority above the usual one is what every service has.
        let usual = match (limit.soft, limit.hard) {
            (None, None) => true,
            (Some(0), Some(0)) => matches!(LIMITS[kind].1, "LimitNICE" | "LimitRTPRIO"),
            _ => false,
        };
        (!usual).then_some(limit)
    };
    text.lines().filter_map(limit).collect()
}

/// `f,00000001`: 32 bits in each word, the highest first.
fn bytes_of_mask(mask: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for word in mask.rsplit(',') {
        bytes.extend(u32::from_str_radix(word, 16).ok()?.to_le_bytes());
    }
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    (!bytes.is_empty()).then_some(bytes)
}

fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Attributes, bytes_of_mask, limits};

    #[test]
    fn the_kernels_files_are_read() {
        let status = "Name:\ta\nUmask:\t0077\nNoNewPrivs:\t1\nCpus_allowed:\t5\nCpus_allowed_list:\t0,2\n";
        let attributes = Attributes::parse(status, "Cpus_allowed:\tf\n");
        assert_eq!((attributes.umask, attributes.no_new_privileges), (Some(0o77), true));
        assert_eq!(attributes.processors, Some(vec![5]));
        assert_eq!(Attributes::parse(status, status).processors, None);
        assert_eq!(Attributes::parse("", ""), Attributes::default());
        let mut attributes = Attributes::default();
        for nice in [10, -5, 0] {
            attributes.add_stat(&format!("7 (a) b) S {} {nice} 1 2 3", ["0"; 15].join(" ")));
            assert_eq!(attributes.nice, nice);
        }
    }

    #[test]
    fn limits_that_limit() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max cpu time              unlimited            unlimited            seconds   \n\
                    Max core file size        0                    unlimited            bytes     \n\
                    Max nice priority         0                    0                    \n\
                    Max locked memory         0                    0                    bytes     \n\
                    Max open files            256                  4096                 files     \n\
                    Max of something new      1                    2                    files     \n";
        let properties: Vec<_> = limits(text).iter().flat_map(|limit| limit.properties().unwrap()).collect();
        assert_eq!(
            properties,
            [
                ("LimitCORE", u64::MAX),
                ("LimitCORESoft", 0),
                ("LimitMEMLOCK", 0),
                ("LimitMEMLOCKSoft", 0),
                ("LimitNOFILE", 4096),
                ("LimitNOFILESoft", 256)
            ]
        );
    }

    #[test]
    fn masks_of_processors() {
        for (mask, bytes) in [
            ("3", Some(vec![3])),
            ("00000001,00000000", Some(vec![0, 0, 0, 0, 1])),
            ("ffff", Some(vec![255, 255])),
            ("", None),
            ("0", None),
            ("x", None),
        ] {
            assert_eq!(bytes_of_mask(mask), bytes, "{mask}");
        }
    }

    #[test]
    fn attributes_become_properties_and_back() {
        let attributes = Attributes::of_this_process();
        assert!(attributes.umask.is_some());
        let text = toml::to_string(&attributes).unwrap();
        assert_eq!(toml::from_str::<Attributes>(&text).unwrap(), attributes);
    }
}
