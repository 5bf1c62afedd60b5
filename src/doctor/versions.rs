//! Versions: of systemd, of the X server, of the kernel; and its control groups.

use std::path::Path;
use std::process::Command;

use nix::sys::utsname::uname;
use tokio::time::Instant;

use super::Finding;
use super::catalogue::{VERSIONS_CGROUP, VERSIONS_KERNEL, VERSIONS_SERVER, VERSIONS_SYSTEMD};
use super::machine::Machine;
use crate::subprocess::{self, Streams};
use crate::x11::server;

/// The oldest systemd that the tests run on.
const SYSTEMD: u32 = 252;

/// The oldest X server that has everything. Xorg's versions are 1.20, 1.21.1 and so on; XLibre began at 25.
const SERVER: (u32, u32) = (1, 20);

/// The oldest kernel that has everything, such as pidfd_open(2) of 5.3, and is still maintained.
const KERNEL: (u32, u32) = (5, 10);

/// What there is.
#[derive(Debug, Default)]
pub struct VersionFacts {
    /// What the manager says, as `257.9-1~deb13u1`.
    pub systemd: Option<String>,
    /// What the server says of itself.
    pub server: Option<String>,
    /// The kernel's release, as `6.12.48+deb13-amd64`.
    pub kernel: Option<String>,
    /// Whether the control groups are in the unified hierarchy.
    unified: bool,
}

/// Asks for the versions.
pub async fn gather(machine: &Machine) -> VersionFacts {
    let systemd = async {
        match machine.manager.clone().or_else(|| machine.system_manager()) {
            Some(manager) => machine.ask(manager.version()).await,
            None => None,
        }
    };
    let (systemd, server) = tokio::join!(systemd, server_version(machine));
    let kernel = uname().ok().map(|name| name.release().to_string_lossy().into_owned());
    VersionFacts { systemd, server, kernel, unified: Path::new("/sys/fs/cgroup/cgroup.controllers").exists() }
}

/// The answer to `-version` of the server that startxd would run: its version is not found elsewhere. Not as root.
async fn server_version(machine: &Machine) -> Option<String> {
    let program = server::find(machine.config.server.binary.as_deref()).ok().filter(|_| !machine.is_root())?;
    let mut command = Command::new(program);
    command.arg("-version");
    let output = subprocess::run(command, Streams::Error, Instant::now() + machine.deadline()).await.ok()?;
    Some(String::from_utf8_lossy(&output.said).into_owned())
}

/// What is too old.
pub fn judge(facts: &VersionFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(version) = &facts.systemd
        && numbers(version).is_some_and(|(major, _)| major < SYSTEMD)
    {
        findings.push(VERSIONS_SYSTEMD.found(format!("systemd is {version}"), upgrade("systemd")));
    }
    if let Some((line, version)) = facts.server.as_deref().and_then(server_line)
        && version < SERVER
    {
        findings.push(VERSIONS_SERVER.found(format!("the server is {line}"), upgrade("the X server")));
    }
    if let Some(version) = &facts.kernel
        && numbers(version).is_some_and(|version| version < KERNEL)
    {
        findings.push(VERSIONS_KERNEL.found(format!("the kernel is Linux {version}"), upgrade("the kernel")));
    }
    if !facts.unified {
        findings.push(VERSIONS_CGROUP.found(
            "the control groups are not in the unified hierarchy (/sys/fs/cgroup is not cgroup2)",
            "remove systemd.unified_cgroup_hierarchy=0 from the kernel's command line, and reboot",
        ));
    }
    findings
}

fn upgrade(what: &str) -> String {
    format!("upgrade {what}, or the distribution: Debian 12 (bookworm) is new enough")
}

/// The first two numbers of a version; the second is 0 if it has only one.
#[must_use]
pub fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(|c: char| !c.is_ascii_digit());
    let first = parts.next()?.parse().ok()?;
    Some((first, parts.next().and_then(|part| part.parse().ok()).unwrap_or(0)))
}

/// The line of a server's `-version` that names it, such as `X.Org X Server 1.21.1.7`, and its version.
#[must_use]
pub fn server_line(said: &str) -> Option<(&str, (u32, u32))> {
    said.lines().map(str::trim).find_map(|line| Some((line, numbers(line.split_once(" X Server ")?.1)?)))
}

#[cfg(test)]
mod tests {
    use super::{VersionFacts, judge, numbers, server_line};

    fn healthy() -> VersionFacts {
        VersionFacts {
            systemd: Some("257.9-1~deb13u1".into()),
            server: Some("\nX.Org X Server 1.21.1.16\nX Protocol Version 11, Revision 0\n".into()),
            kernel: Some("6.12.48+deb13-amd64".into()),
            unified: true,
        }
    }

    #[test]
    fn each_fault_is_found() {
        type Fault = fn(&mut VersionFacts);
        let cases: [(Fault, &[&str]); 10] = [
            (|_| {}, &[]),
            (|f| f.systemd = Some("252".into()), &[]),
            (|f| f.systemd = Some("251.19-1".into()), &["versions.systemd"]),
            (|f| f.systemd = Some("unknown".into()), &[]),
            (|f| f.server = Some("X.Org X Server 1.19.6\n".into()), &["versions.server"]),
            (|f| f.server = Some("XLibre X Server 25.0.0\n".into()), &[]),
            (|f| f.server = Some("Unrecognized option".into()), &[]),
            (|f| f.kernel = Some("5.4.0-1".into()), &["versions.kernel"]),
            (|f| f.kernel = Some("5.10.0".into()), &[]),
            (|f| f.unified = false, &["versions.cgroup"]),
        ];
        for (index, (fault, expected)) in cases.into_iter().enumerate() {
            let mut facts = healthy();
            fault(&mut facts);
            let ids: Vec<&str> = judge(&facts).iter().map(|finding| finding.kind.id).collect();
            assert_eq!(ids, expected, "case {index}");
        }
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(numbers("262"), Some((262, 0)));
        assert_eq!(numbers("252.38-1~deb12u1"), Some((252, 38)));
        assert_eq!(numbers("v1"), None);
        assert_eq!(server_line("a\n X.Org X Server 1.21.1.7 \n"), Some(("X.Org X Server 1.21.1.7", (1, 21))));
    }
}
