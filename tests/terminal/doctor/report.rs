//! The report of `startxd doctor`, and faults that it should find.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fmt, fs};

use crate::harness::{Guest, Run};

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: String,
    pub id: String,
    /// What is wrong, and the remedy below it.
    pub text: String,
}

/// What it printed, and its exit status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub status: i32,
    pub findings: Vec<Finding>,
    text: String,
}

impl Report {
    /// The report of a run.
    pub fn of(run: Run) -> Self {
        assert_eq!(run.stderr, "", "it says something beside its findings: {run}");
        Self::parse(run.code(), run.stdout)
    }

    /// The report in ada's home, in the files `said` and `status`.
    pub fn read(guest: &Guest) -> Self {
        let status = guest.read("/home/ada/status");
        Self::parse(status.trim().parse().unwrap_or(-1), guest.read("/home/ada/said").replace('\r', ""))
    }

    fn parse(status: i32, text: String) -> Self {
        let mut findings: Vec<Finding> = Vec::new();
        for block in text.split("\n\n") {
            let mut lines = block.lines();
            let first = lines.next().unwrap_or_default();
            let Some((severity, rest)) = first.trim_start().split_once("  ") else { continue };
            let Some((what, id)) = rest.rsplit_once("  [") else { continue };
            let rest: Vec<&str> = lines.collect();
            assert!(
                rest.len() == 2 && rest[0].starts_with("    why  ") && rest[1].starts_with(" remedy  "),
                "another form than expected:\n{text}"
            );
            findings.push(Finding {
                severity: severity.to_owned(),
                id: id.trim_end_matches(']').to_owned(),
                text: format!("{what}\n{}", rest[1]),
            });
        }
        let report = Self { status, findings, text };
        let worst = report.findings.iter().map(|f| f.severity.as_str());
        let expected = worst.fold(0, |worst, severity| {
            worst.max(match severity {
                "error" => 41,
                "warning" => 40,
                _ => 0,
            })
        });
        assert_eq!(report.status, expected, "the exit status does not go with the findings: {report}");
        report
    }

    /// The finding with this id.
    pub fn find(&self, id: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.id == id)
    }

    /// Expects a finding that contains `words`.
    #[track_caller]
    pub fn finds(&self, severity: &str, id: &str, words: &str) {
        let finding = self.find(id).unwrap_or_else(|| panic!("{id} is not found: {self}"));
        assert_eq!(finding.severity, severity, "{self}");
        assert!(finding.text.contains(words), "{id} does not say {words:?}: {self}");
    }

    /// Expects that there is no such finding.
    #[track_caller]
    #[must_use]
    pub fn lacks(self, id: &str) -> Self {
        assert!(self.find(id).is_none(), "{self}");
        self
    }

    /// Whether there is a finding in an area.
    pub fn has_area(&self, area: &str) -> bool {
        self.findings.iter().any(|finding| finding.id.split('.').next() == Some(area))
    }

    /// The ids of the findings that are not notes.
    pub fn above_notes(&self) -> Vec<&str> {
        self.findings.iter().filter(|finding| finding.severity != "note").map(|finding| finding.id.as_str()).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}\n{}", self.status, self.text)
    }
}

/// Its report for ada, outside of every session.
pub fn doctor(guest: &Guest) -> Report {
    Report::of(guest.user("ada", "startxd doctor"))
}

/// Like [`doctor`], when nothing is wrong.
///
/// Ada is logged in, here as in all cases: logind may stop a user manager that was started without a login ten seconds
/// after the last logout of an earlier case (`UserStopDelaySec=`, logind.conf(5)).
pub fn healthy(guest: &Guest) -> Report {
    let report = doctor(guest);
    assert_eq!(report.above_notes(), [] as [&str; 0], "{report}");
    report
}

/// Something that can be wrong, and how to cause it.
pub struct Fault {
    id: &'static str,
    severity: &'static str,
    user: Option<&'static str>,
    make: String,
    mend: String,
    words: Vec<String>,
}

impl Fault {
    fn new(user: Option<&'static str>, id: &'static str, severity: &'static str) -> Self {
        Self { id, severity, user, make: String::new(), mend: String::new(), words: Vec::new() }
    }

    /// A fault that root causes.
    pub fn root(id: &'static str, severity: &'static str) -> Self {
        Self::new(None, id, severity)
    }

    /// A fault that ada causes.
    pub fn ada(id: &'static str, severity: &'static str) -> Self {
        Self::new(Some("ada"), id, severity)
    }

    pub fn made(mut self, script: &str) -> Self {
        self.make = script.to_owned();
        self
    }

    pub fn mended(mut self, script: &str) -> Self {
        self.mend = script.to_owned();
        self
    }

    pub fn says(mut self, words: &[&str]) -> Self {
        self.words = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    fn run(&self, guest: &Guest, script: &str) {
        let run = match self.user {
            Some(user) => guest.user(user, &format!("{{ {script}; }} 2>&1")),
            None => guest.root(&format!("{{ {script}; }} 2>&1")),
        };
        // A unit that has to fail causes its fault by that.
        assert!(run.status.success() || script.ends_with("false"), "{run}");
    }
}

/// Causes each fault, expects it in the report, removes it, and expects the earlier report.
#[track_caller]
pub fn check(guest: &Guest, faults: &[Fault]) {
    let before = healthy(guest);
    for fault in faults {
        assert!(before.find(fault.id).is_none(), "{} is found before it is made: {before}", fault.id);
        fault.run(guest, &fault.make);
        let report = doctor(guest);
        for words in &fault.words {
            report.finds(fault.severity, fault.id, words);
        }
        fault.run(guest, &fault.mend);
        assert_eq!(doctor(guest), before, "{} is mended", fault.id);
    }
}

/// Compiles a C program for the guest, statically, and returns its path there.
pub fn program(guest: &Guest, main: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("startxd-doctor-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let (source, program) = (env::temp_dir().join(format!("{name}.c")), env::temp_dir().join(&name));
    fs::write(&source, format!("#include <stdio.h>\n{main}\n")).unwrap_or_else(|e| panic!("{}: {e}", source.display()));
    let run = Command::new("cc").args(["-static", "-o"]).arg(&program).arg(&source).output();
    let run = run.unwrap_or_else(|e| panic!("cc, the C compiler, cannot be run: {e}"));
    assert!(run.status.success(), "cc: {}", String::from_utf8_lossy(&run.stderr));
    let path = format!("/usr/local/bin/{name}");
    fs::copy(&program, guest.outside(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let _ = (fs::remove_file(&source), fs::remove_file(&program));
    guest.root(&format!("chmod 755 {path}")).ok();
    path
}
