//! The user manager and its bus: whether they answer, and the state of the units of startxd.

use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::geteuid;
use tokio::time::timeout;

use super::Finding;
use super::catalogue::{
    MANAGER_BUS, MANAGER_FAILED, MANAGER_FAILED_OTHER, MANAGER_OTHER_BUS, MANAGER_RUNTIME_DIR, MANAGER_SILENT,
    MANAGER_UNITS,
};
use crate::environment::Block;
use crate::manager::{BusState, Manager, names};
use crate::runtime_dir::{NoRuntimeDir, RuntimeDir};

/// The units of startxd; for a template, any instance.
const UNITS: [&str; 7] = [
    names::XORG_TARGET,
    names::WM_TARGET,
    names::WM_READY_TARGET,
    names::WM_AUTOSTART_TARGET,
    names::SHUTDOWN_TARGET,
    "xorg@0.socket",
    "xorg@0.service",
];

/// How many failed units are named; the others are counted.
const MOST_FAILED: usize = 8;

/// What there is.
pub struct ManagerFacts {
    /// The uid of the user who asks.
    uid: u32,
    /// Why `$XDG_RUNTIME_DIR` cannot be used, if it cannot.
    runtime_fault: Option<NoRuntimeDir>,
    /// The directory: the variable's, or the one where it should be.
    pub runtime: Option<RuntimeDir>,
    /// `$DBUS_SESSION_BUS_ADDRESS`.
    bus_address: Option<String>,
    /// Why the bus does not answer.
    bus_fault: Option<String>,
    /// Why the manager does not answer.
    manager_fault: Option<String>,
    /// The manager, if it answers.
    pub manager: Option<Manager>,
    /// Its environment.
    pub environment: Option<Block>,
    /// [`UNITS`] and their load states.
    loads: Vec<(&'static str, String)>,
    /// The units that have failed, and what each is, in the order of their names.
    failed: Vec<String>,
    /// What `wm.target` wants.
    wanted: Vec<String>,
}

/// Asks the bus and the manager; each question has `deadline`.
pub async fn gather(deadline: Duration) -> ManagerFacts {
    let uid = geteuid();
    let (runtime, runtime_fault) = match RuntimeDir::find() {
        Ok(runtime) => (Some(runtime), None),
        Err(fault) => (RuntimeDir::of(PathBuf::from(format!("/run/user/{uid}"))).ok(), Some(fault)),
    };
    let mut facts = ManagerFacts {
        uid: uid.as_raw(),
        runtime_fault,
        runtime,
        bus_address: std::env::var("DBUS_SESSION_BUS_ADDRESS").ok().filter(|address| !address.is_empty()),
        bus_fault: None,
        manager_fault: None,
        manager: None,
        environment: None,
        loads: Vec::new(),
        failed: Vec::new(),
        wanted: Vec::new(),
    };
    let Some(runtime) = &facts.runtime else { return facts };
    let manager = match Manager::connect(runtime, deadline).await {
        Ok(manager) => manager,
        Err(error) => {
            facts.manager_fault = Some(error.why().to_owned());
            return facts;
        }
    };
    match Manager::within(deadline, manager.states(&UNITS)).await {
        Ok(states) => facts.loads = UNITS.into_iter().zip(states.into_iter().map(|state| state.load)).collect(),
        Err(error) => {
            facts.manager_fault = Some(error.why().to_owned());
            return facts;
        }
    }
    // The bus is checked even if nothing uses it yet: the next program may need it.
    if let Err(error) = manager.prove_bus(BusState::Up, deadline).await {
        facts.bus_fault = Some(error.why().to_owned());
    }
    let more =
        async { tokio::join!(manager.environment(), manager.failed_units(), manager.wanted_by(names::WM_TARGET)) };
    if let Ok((environment, failed, wanted)) = timeout(deadline, more).await {
        facts.environment = environment.ok();
        facts.failed = failed.unwrap_or_default();
        facts.wanted = wanted.unwrap_or_default();
    }
    facts.manager = Some(manager);
    facts
}

impl ManagerFacts {
    /// What is wrong with the user manager.
    pub fn judge(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.runtime_dir());
        findings.extend(self.bus());
        if let Some(why) = &self.manager_fault {
            findings.push(MANAGER_SILENT.found(
                format!("the user manager does not answer ({why})"),
                format!("see what is wrong with it: systemctl status user@{}", self.uid),
            ));
        }
        findings.extend(of_startxd(&self.loads));
        findings.extend(self.failed());
        findings
    }

    fn runtime_dir(&self) -> Option<Finding> {
        let what = match self.runtime_fault.as_ref()? {
            NoRuntimeDir::Unset => "XDG_RUNTIME_DIR is not set".to_owned(),
            NoRuntimeDir::NotOurs(path) => {
                format!("XDG_RUNTIME_DIR is {}, which is not a directory of yours", path.display())
            }
            fault => fault.to_string(),
        };
        let remedy = match &self.runtime {
            Some(_) => format!(
                "log in on a virtual terminal (su and sudo do not make a session); for commands alone: export \
                 XDG_RUNTIME_DIR=/run/user/{}",
                self.uid
            ),
            None => "log in on a virtual terminal, and check that PAM has pam_systemd (Debian: apt install \
                     libpam-systemd)"
                .to_owned(),
        };
        Some(MANAGER_RUNTIME_DIR.found(what, remedy))
    }

    fn bus(&self) -> Option<Finding> {
        if let Some(why) = &self.bus_fault {
            return Some(MANAGER_BUS.found(
                format!("the user's message bus does not answer ({why})"),
                "systemctl --user start dbus.socket (on Debian it is in the package dbus-user-session)",
            ));
        }
        let (address, runtime) = (self.bus_address.as_deref()?, self.runtime.as_ref()?);
        let ours = format!("unix:path={}", runtime.bus_socket().display());
        // The bus's id may follow.
        let (path, _) = address.split_once(',').unwrap_or((address, ""));
        (path != ours).then(|| {
            MANAGER_OTHER_BUS.found(
                format!("DBUS_SESSION_BUS_ADDRESS is {address}, a bus that dbus-launch or dbus-run-session made"),
                format!("remove them from your startup files; in this shell: export DBUS_SESSION_BUS_ADDRESS={ours}"),
            )
        })
    }

    fn failed(&self) -> Vec<Finding> {
        let ours = |unit: &&String| {
            ["xorg@", "startxd-"].iter().any(|prefix| unit.starts_with(prefix)) || self.wanted.contains(unit)
        };
        let (of_session, others): (Vec<&String>, Vec<&String>) = self.failed.iter().partition(ours);
        let one = |unit: &String| {
            MANAGER_FAILED.found(
                format!("the user unit {unit} has failed"),
                format!("see why: journalctl --user -b -u {unit}; then: systemctl --user reset-failed {unit}"),
            )
        };
        let mut findings: Vec<Finding> = of_session.into_iter().map(one).collect();
        findings.extend(failed_others(&others));
        findings
    }
}

/// Failed units that do not belong to a session: one finding for all of them.
fn failed_others(units: &[&String]) -> Option<Finding> {
    let named: Vec<&str> = units.iter().take(MOST_FAILED).map(|unit| unit.as_str()).collect();
    let more = match units.len().saturating_sub(MOST_FAILED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (what, remedy) = match named.as_slice() {
        [] => return None,
        [unit] => (format!("the user unit {unit} has failed"), format!("see why: journalctl --user -b -u {unit}")),
        units => {
            (format!("user units have failed: {}{more}", units.join(" ")), "see: systemctl --user --failed".into())
        }
    };
    Some(MANAGER_FAILED_OTHER.found(what, format!("{remedy}; to clear the failures: systemctl --user reset-failed")))
}

/// What is wrong with the units of startxd: one finding for each kind of fault.
fn of_startxd(loads: &[(&'static str, String)]) -> Vec<Finding> {
    let with = |wanted: fn(&str) -> bool| {
        let units = loads.iter().filter(|(_, load)| wanted(load)).map(|(unit, _)| *unit).collect::<Vec<_>>();
        (!units.is_empty()).then(|| units.join(" "))
    };
    let missing = with(|load| load == "not-found").map(|units| {
        (
            format!("user units of startxd are missing: {units}"),
            "systemctl --user daemon-reload; if they are still missing, install startxd again".to_owned(),
        )
    });
    let masked = with(|load| load == "masked").map(|units| {
        (format!("user units of startxd are masked: {units}"), format!("systemctl --user unmask {units}"))
    });
    let broken = with(|load| !matches!(load, "loaded" | "not-found" | "masked")).map(|units| {
        (format!("user units of startxd cannot be used: {units}"), format!("systemctl --user status {units}"))
    });
    let found = [missing, masked, broken].into_iter().flatten();
    found.map(|(what, remedy)| MANAGER_UNITS.found(what, remedy)).collect()
}

#[cfg(test)]
mod tests {
    use super::{ManagerFacts, NoRuntimeDir};

    fn healthy() -> ManagerFacts {
        ManagerFacts {
            uid: 1000,
            runtime_fault: None,
            runtime: None,
            bus_address: None,
            bus_fault: None,
            manager_fault: None,
            manager: None,
            environment: None,
            loads: vec![("wm.target", "loaded".into())],
            failed: Vec::new(),
            wanted: vec!["openbox.service".into()],
        }
    }

    fn ids(facts: &ManagerFacts) -> Vec<&'static str> {
        facts.judge().into_iter().map(|finding| finding.kind.id).collect()
    }

    #[test]
    fn each_fault_is_found() {
        assert_eq!(ids(&healthy()), [] as [&str; 0]);
        type Fault = fn(&mut ManagerFacts);
        let faults: [(Fault, &str); 9] = [
            (|f| f.runtime_fault = Some(NoRuntimeDir::Unset), "manager.runtime-dir"),
            (|f| f.runtime_fault = Some(NoRuntimeDir::NotOurs("/".into())), "manager.runtime-dir"),
            (|f| f.bus_fault = Some("gone".into()), "manager.bus"),
            (|f| f.manager_fault = Some("late".into()), "manager.silent"),
            (|f| f.loads[0].1 = "not-found".into(), "manager.units"),
            (|f| f.loads[0].1 = "masked".into(), "manager.units"),
            (|f| f.failed = vec!["xorg@0.service".into()], "manager.failed"),
            (|f| f.failed = vec!["openbox.service".into()], "manager.failed"),
            (|f| f.failed = vec!["a.service".into()], "manager.failed-other"),
        ];
        for (fault, id) in faults {
            let mut facts = healthy();
            fault(&mut facts);
            assert_eq!(ids(&facts), [id]);
        }
    }

    #[test]
    fn one_cause_is_one_finding() {
        let mut facts = healthy();
        facts.failed = (0..20).map(|n| format!("a{n}.service")).chain(["xorg@1.socket".to_owned()]).collect();
        facts.loads = ["wm.target", "xorg.target", "xorg@0.socket"].map(|unit| (unit, "not-found".to_owned())).to_vec();
        let said: Vec<(&str, String)> = facts.judge().into_iter().map(|f| (f.kind.id, f.what)).collect();
        assert_eq!(
            said,
            [
                ("manager.units", "user units of startxd are missing: wm.target xorg.target xorg@0.socket".to_owned()),
                ("manager.failed", "the user unit xorg@1.socket has failed".to_owned()),
                (
                    "manager.failed-other",
                    "user units have failed: a0.service a1.service a2.service a3.service a4.service a5.service a6.service \
                     a7.service and 12 more"
                        .to_owned()
                ),
            ]
        );
    }
}
