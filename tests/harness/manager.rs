//! What systemd says about its units, pid 1 or a user's manager, over its private socket: like systemctl, but without
//! it.

use std::cell::RefCell;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use zbus::wire::DynamicType;
use zbus::{OwnedObjectPath, OwnedVariant, Type, Variant};

use super::bus::{Bus, Problem, Target};
use super::guest::{Guest, STEP};
use super::wait::{secs, wait_until};

/// How long a manager may be busy.
const DEADLINE: Duration = secs(10);

const SERVICE: &str = "org.freedesktop.systemd1";
const MANAGER: Target<'_> =
    Target { service: SERVICE, path: "/org/freedesktop/systemd1", interface: "org.freedesktop.systemd1.Manager" };

/// A row of `ListUnits` and similar calls (org.freedesktop.systemd1(5)).
type UnitRow = (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);
/// A row of `ListJobs`.
type JobRow = (u32, String, String, String, OwnedObjectPath, OwnedObjectPath);

/// A unit that is loaded.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// `ActiveState`
    pub active: String,
    /// `SubState`
    pub sub: String,
    /// Whether a job is queued for it.
    pub has_job: bool,
}

impl Unit {
    /// Whether it is down and has no job.
    fn is_down(&self) -> bool {
        !self.has_job && matches!(self.active.as_str(), "inactive" | "failed")
    }
}

/// A service manager.
///
/// It is queried over one connection that lives as long as this value. Creating one costs the manager as much as dozens
/// of queries, so a loop uses one for all rounds. But the manager sends each connection every signal, so do not keep
/// one that is not used.
pub struct Manager<'a> {
    guest: &'a Guest,
    who: String,
    socket: String,
    /// The manager's own control group.
    group: String,
    bus: RefCell<Option<Bus>>,
}

impl Guest {
    /// Pid 1.
    #[must_use]
    pub fn system(&self) -> Manager<'_> {
        let (who, socket) = ("the system's manager".to_owned(), "/run/systemd/private".to_owned());
        Manager { guest: self, who, socket, group: "/init.scope".to_owned(), bus: RefCell::default() }
    }

    /// The manager of `user`, whether it is running or not.
    ///
    /// # Panics
    /// When there is no such user.
    #[must_use]
    pub fn manager(&self, user: &str) -> Manager<'_> {
        let uid = self.uid(user);
        Manager {
            guest: self,
            who: format!("the user manager of {user}"),
            socket: format!("/run/user/{uid}/systemd/private"),
            group: format!("/user.slice/user-{uid}.slice/user@{uid}.service/init.scope"),
            bus: RefCell::default(),
        }
    }
}

impl Manager<'_> {
    /// A property of a unit as `systemctl show --value` prints it. Only for text, numbers, and yes or no; systemctl
    /// formats times and structures differently.
    ///
    /// # Panics
    /// When there is no manager or no such property, or the property has another type.
    #[must_use]
    #[track_caller]
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.try_property(unit, name)
            .unwrap_or_else(|problem| panic!("{name} of {unit}, asked of {}: {problem}", self.who))
    }

    /// [`property`](Self::property), or why there is none.
    ///
    /// # Errors
    /// A sentence that says why.
    pub fn try_property(&self, unit: &str, name: &str) -> Result<String, String> {
        let name_of_unit = if unit.contains('.') { unit.to_owned() } else { format!("{unit}.service") };
        let path = object_path(&name_of_unit);
        let kind = interface_of(&name_of_unit);
        let value = self.ask(|bus| {
            // Most properties are those of all units; the rest belong to the unit's type.
            let target = Target { service: SERVICE, path: &path, interface: "org.freedesktop.systemd1.Unit" };
            match bus.property(target, name) {
                Err(Problem::Refused(..)) => bus.property(Target { interface: &kind, ..target }, name),
                answer => answer,
            }
        });
        let value = value.map_err(|problem| problem.to_string())?;
        plain(name, &value).ok_or_else(|| format!("systemctl has a form of its own for {value:?}"))
    }

    /// A property of the manager itself, formatted in the same way.
    ///
    /// # Panics
    /// In the same cases.
    #[must_use]
    #[track_caller]
    pub fn own_property(&self, name: &str) -> String {
        let value = self.answer(self.ask(|bus| bus.property(MANAGER, name)));
        plain(name, &value).unwrap_or_else(|| panic!("{name} is {value:?}"))
    }

    /// Waits until the service that reads `~/.Xresources` and the like has ended, if it is running: it comes and goes
    /// while a session is up.
    ///
    /// # Panics
    /// When it does not end within 15 s.
    pub fn wait_dotfiles(&self) {
        wait_until("the dotfiles to be read", STEP, || match self.property("startxd-dotfiles.service", "SubState") {
            state if matches!(state.as_str(), "exited" | "dead" | "failed" | "") => Ok(()),
            state => Err(state),
        });
    }

    /// Waits until all of `units` are active; the manager may still have to start.
    ///
    /// # Panics
    /// When they are not within 15 s.
    pub fn wait_active(&self, units: &[&str]) {
        self.wait_state(units, "active");
    }

    /// Waits until all of `units` are in that state.
    ///
    /// # Panics
    /// When they are not within 15 s.
    pub fn wait_state(&self, units: &[&str], state: &str) {
        let states = || units.iter().map(|unit| self.try_property(unit, "ActiveState")).collect::<Result<Vec<_>, _>>();
        wait_until(&format!("{units:?} to be {state}"), STEP, || match states() {
            Ok(states) if states.iter().all(|now| now == state) => Ok(()),
            states => Err(format!("{states:?}")),
        });
    }

    /// The loaded units that match one of `patterns` and are in one of `states`; an empty list matches all.
    ///
    /// # Panics
    /// When there is no manager.
    #[must_use]
    pub fn units(&self, states: &[&str], patterns: &[&str]) -> Vec<Unit> {
        self.answer(self.try_units(states, patterns))
    }

    pub(super) fn try_units(&self, states: &[&str], patterns: &[&str]) -> Result<Vec<Unit>, Problem> {
        let rows: Vec<UnitRow> = self.call("ListUnitsByPatterns", &(states, patterns))?;
        let unit = |(name, _, _, active, sub, _, _, job, _, _): UnitRow| Unit { name, active, sub, has_job: job != 0 };
        Ok(rows.into_iter().map(unit).collect())
    }

    /// The jobs: unit, type and state of each, separated by spaces.
    ///
    /// # Panics
    /// When there is no manager.
    #[must_use]
    pub fn jobs(&self) -> Vec<String> {
        self.answer(self.try_jobs())
    }

    pub(super) fn try_jobs(&self) -> Result<Vec<String>, Problem> {
        let rows: Vec<JobRow> = self.call("ListJobs", &())?;
        Ok(rows.into_iter().map(|(_, unit, kind, state, _, _)| format!("{unit} {kind} {state}")).collect())
    }

    /// The variables that it passes to its units, each as `NAME=value`.
    ///
    /// # Panics
    /// When there is no manager.
    #[must_use]
    pub fn environment(&self) -> Vec<String> {
        self.answer(self.try_environment())
    }

    pub(super) fn try_environment(&self) -> Result<Vec<String>, Problem> {
        let value = self.ask(|bus| bus.property(MANAGER, "Environment"))?;
        Vec::try_from(value).map_err(Problem::Strange)
    }

    /// Stops the units that match one of `patterns` and waits until they are down.
    ///
    /// # Panics
    /// When they are not down after `deadline`.
    pub(super) fn stop(&self, patterns: &[&str], deadline: Duration) {
        let up = || {
            let units = self.units(&[], patterns).into_iter().filter(|unit| !unit.is_down());
            units.map(|unit| unit.name).collect::<Vec<_>>()
        };
        for unit in up() {
            // A unit that has gone meanwhile is fine.
            let _ = self.call::<OwnedObjectPath>("StopUnit", &(unit, "replace"));
        }
        wait_until(&format!("the end of {patterns:?}"), deadline, || match up() {
            units if units.is_empty() => Ok(()),
            units => Err(format!("{units:?}")),
        });
    }

    /// Starts a unit by `StartUnit` or `RestartUnit`, and waits until it is active.
    ///
    /// # Panics
    /// When it is not within 15 s.
    pub(super) fn start(&self, method: &str, unit: &str) {
        let _job: OwnedObjectPath = self.answer(self.call(method, &(unit, "replace")));
        wait_until(&format!("{unit} to be started"), STEP, || match &self.units(&[], &[unit])[..] {
            [one] if one.active == "active" && !one.has_job => Ok(()),
            units => Err(format!("{units:?}")),
        });
    }

    /// Reloads all unit files, as `systemctl daemon-reload` does.
    ///
    /// # Panics
    /// When that fails.
    pub fn reload(&self) {
        self.answer(self.call::<()>("Reload", &()));
    }

    /// Clears the failed state of all units, as `systemctl reset-failed` does.
    ///
    /// # Panics
    /// When that fails.
    pub fn reset_failed(&self) {
        self.answer(self.call::<()>("ResetFailed", &()));
    }

    pub(super) fn call<T: DeserializeOwned + Type>(
        &self,
        method: &str,
        body: &(impl serde::Serialize + DynamicType),
    ) -> Result<T, Problem> {
        self.ask(|bus| bus.call(MANAGER, method, body))
    }

    fn ask<T>(&self, question: impl Fn(&mut Bus) -> Result<T, Problem>) -> Result<T, Problem> {
        let until = Instant::now() + DEADLINE;
        loop {
            match self.bus(until).and_then(|mut bus| Ok((question(&mut bus)?, bus))) {
                Ok((answer, bus)) => {
                    self.bus.replace(Some(bus));
                    return Ok(answer);
                }
                // It is being re-executed, and will listen again in a moment.
                Err(Problem::Lost(_) | Problem::Nobody(_)) if Instant::now() < until && self.runs() => {}
                Err(problem) => return Err(problem),
            }
            sleep(Duration::from_millis(2));
        }
    }

    fn bus(&self, until: Instant) -> Result<Bus, Problem> {
        if let Some(mut bus) = self.bus.take() {
            bus.until = until;
            return Ok(bus);
        }
        Bus::peer(self.guest.connect(&self.socket).map_err(Problem::Nobody)?, until)
    }

    /// Whether it is running.
    fn runs(&self) -> bool {
        let events = self.guest.outside(&format!("/sys/fs/cgroup{}/cgroup.events", self.group));
        fs::read_to_string(events).is_ok_and(|events| events.contains("populated 1"))
    }

    #[track_caller]
    fn answer<T>(&self, answer: Result<T, Problem>) -> T {
        answer.unwrap_or_else(|problem| panic!("{} does not answer: {problem}", self.who))
    }
}

/// A value as `systemctl show` prints it, for simple types.
fn plain(name: &str, value: &OwnedVariant) -> Option<String> {
    if name.ends_with("Timestamp") || name.ends_with("USec") || name.contains("Mask") {
        return None;
    }
    Some(match &**value {
        Variant::Str(text) => text.to_string(),
        Variant::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Variant::I32(number) => number.to_string(),
        Variant::U32(number) if *number != u32::MAX => number.to_string(),
        Variant::U64(number) if *number != u64::MAX => number.to_string(),
        _ => return None,
    })
}

/// The object path of a unit: every byte that is neither a letter nor a digit becomes `_` and two hexadecimal digits,
/// and so does a leading digit (`bus_label_escape`).
fn object_path(unit: &str) -> String {
    let escaped = unit.bytes().enumerate().map(|(at, byte)| match byte {
        b'0'..=b'9' if at > 0 => char::from(byte).to_string(),
        b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        _ => format!("_{byte:02x}"),
    });
    format!("/org/freedesktop/systemd1/unit/{}", escaped.collect::<String>())
}

/// The interface of the unit's type: `Service` of `a.service`.
fn interface_of(unit: &str) -> String {
    let kind = unit.rsplit('.').next().unwrap_or_default();
    let (first, rest) = kind.split_at(kind.len().min(1));
    format!("org.freedesktop.systemd1.{}{rest}", first.to_uppercase())
}
