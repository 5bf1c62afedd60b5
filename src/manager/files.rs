//! Unit files, whether they are enabled, and lists of units (org.freedesktop.systemd1(5)).

use std::path::Path;
use std::time::Duration;

use zbus::OwnedObjectPath;

use super::{MANAGER, Manager, SERVICE_INTERFACE, UNIT_INTERFACE, UnitRow, UnitState, names};
use crate::dbus::{self, CallError};

/// A command of a service: the program, its arguments, whether a failure is ignored; then the times, the pid and the end
/// of its last run.
type CommandRow = (String, Vec<String>, bool, u64, u64, u64, u64, u32, i32, i32);

/// A unit in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedUnit {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// Its states.
    pub state: UnitState,
}

impl From<UnitRow> for ListedUnit {
    fn from((name, description, load, active, sub, _, _, job, job_type, _): UnitRow) -> Self {
        Self { name, description, state: UnitState { load, active, sub, job: (job != 0).then_some(job_type) } }
    }
}

/// The states of the named units, in that order; those missing from the list are not loaded.
pub(super) fn in_order(mut list: Vec<ListedUnit>, units: &[&str]) -> Vec<UnitState> {
    let mut take = |unit: &str| {
        let at = list.iter().position(|listed| listed.name == unit);
        at.map_or_else(UnitState::none, |at| list.swap_remove(at).state)
    };
    units.iter().map(|unit| take(unit)).collect()
}

impl Manager {
    /// Whether a unit is "enabled", "disabled", "static", "masked" and more (`GetUnitFileState`).
    ///
    /// # Errors
    /// There is no such unit.
    pub async fn unit_file_state(&self, unit: &str) -> Result<String, CallError> {
        dbus::body("GetUnitFileState", &MANAGER.call(&self.connection, "GetUnitFileState", &(unit,)).await?)
    }

    /// Enables units permanently (`EnableUnitFiles`), and has the manager reload its files.
    ///
    /// # Errors
    /// There is no such unit, or its links cannot be made.
    pub async fn enable(&self, units: &[&str]) -> Result<(), CallError> {
        MANAGER.call(&self.connection, "EnableUnitFiles", &(units, false, false)).await?;
        self.reload().await
    }

    /// Undoes that (`DisableUnitFiles`).
    ///
    /// # Errors
    /// The links cannot be removed.
    pub async fn disable(&self, units: &[&str]) -> Result<(), CallError> {
        MANAGER.call(&self.connection, "DisableUnitFiles", &(units, false)).await?;
        self.reload().await
    }

    /// The loaded units whose names match one of the patterns (glob(7)), sorted (`ListUnitsByPatterns`).
    ///
    /// # Errors
    /// The manager does not answer.
    pub async fn units_like(&self, patterns: &[&str]) -> Result<Vec<ListedUnit>, CallError> {
        let states: [&str; 0] = [];
        let reply = MANAGER.call(&self.connection, "ListUnitsByPatterns", &(&states[..], patterns)).await?;
        let rows: Vec<UnitRow> = dbus::body("ListUnitsByPatterns", &reply)?;
        let mut units: Vec<ListedUnit> = rows.into_iter().map(ListedUnit::from).collect();
        units.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(units)
    }

    /// The states of the named units, in that order. Units that are not loaded are reported as down. Loads nothing, and
    /// finds units only by their main names.
    ///
    /// # Errors
    /// The manager does not answer.
    pub async fn loaded(&self, units: &[&str]) -> Result<Vec<UnitState>, CallError> {
        Ok(in_order(self.units_like(units).await?, units))
    }

    /// Like [`Manager::loaded`], but finds units by any of their names.
    ///
    /// # Errors
    /// As there.
    pub async fn loaded_by_any_name(&self, units: &[&str]) -> Result<Vec<UnitState>, CallError> {
        let mut states = self.loaded(units).await?;
        for (unit, state) in units.iter().zip(&mut states).filter(|(_, state)| !state.is_loaded()) {
            if let Some(name) = self.main_name(unit).await?.filter(|name| name != unit) {
                *state = self.loaded(&[&name]).await?.pop().unwrap_or_else(UnitState::none);
            }
        }
        Ok(states)
    }

    /// The main name of a unit, if it is loaded (`GetUnit`).
    async fn main_name(&self, unit: &str) -> Result<Option<String>, CallError> {
        match MANAGER.call(&self.connection, "GetUnit", &(unit,)).await {
            Ok(reply) => Ok(names::unit_of_path(dbus::body::<OwnedObjectPath>("GetUnit", &reply)?.as_str())),
            Err(CallError::Remote { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether these units, which may be templates, have files. The manager uses the first one in its directories
    /// (`UnitPath`; systemd.unit(5), "Unit File Load Path"). Loads nothing.
    ///
    /// # Errors
    /// The manager does not answer.
    pub async fn file_states(&self, units: &[&str]) -> Result<Vec<FileState>, CallError> {
        let directories: Vec<String> = dbus::property(&self.connection, MANAGER, "UnitPath").await?;
        Ok(units.iter().map(|unit| file_state(directories.iter().map(Path::new), unit)).collect())
    }

    /// The current or last main process of a service; 0 if it never had one (`ExecMainPID`).
    ///
    /// # Errors
    /// The unit is not a service.
    pub async fn last_main_pid(&self, unit: &str) -> Result<u32, CallError> {
        self.property(unit, SERVICE_INTERFACE, "ExecMainPID").await
    }

    /// When the last main process of a service was started, since the epoch; `None` if there was none
    /// (`ExecMainStartTimestamp`).
    ///
    /// # Errors
    /// The unit is not a service.
    pub async fn main_began(&self, unit: &str) -> Result<Option<Duration>, CallError> {
        let time: u64 = self.property(unit, SERVICE_INTERFACE, "ExecMainStartTimestamp").await?;
        Ok((time != 0).then(|| Duration::from_micros(time)))
    }

    /// The program and the arguments, the name first, of a service's first command (`ExecStart`).
    ///
    /// # Errors
    /// The unit is not a service.
    pub async fn first_command(&self, unit: &str) -> Result<Option<(String, Vec<String>)>, CallError> {
        let commands: Vec<CommandRow> = self.property(unit, SERVICE_INTERFACE, "ExecStart").await?;
        Ok(commands.into_iter().next().map(|command| (command.0, command.1)))
    }

    /// The units that have failed, sorted by name (`ListUnitsFiltered`).
    ///
    /// # Errors
    /// The manager does not answer.
    pub async fn failed_units(&self) -> Result<Vec<String>, CallError> {
        let reply = MANAGER.call(&self.connection, "ListUnitsFiltered", &(&["failed"][..],)).await?;
        let rows: Vec<UnitRow> = dbus::body("ListUnitsFiltered", &reply)?;
        let mut names: Vec<String> = rows.into_iter().map(|row| row.0).collect();
        names.sort();
        Ok(names)
    }

    /// The units that are bound to a unit by `BindsTo=`, so that they need it and stop with it.
    ///
    /// # Errors
    /// The unit cannot be loaded.
    pub async fn bound_by(&self, unit: &str) -> Result<Vec<String>, CallError> {
        self.property(unit, UNIT_INTERFACE, "BoundBy").await
    }
}

/// Whether a unit has a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileState {
    /// It has one.
    There,
    /// It has none.
    Missing,
    /// It is empty, or a link to nothing (systemctl(1), `mask`).
    Masked,
}

/// Looks for a unit's file in these directories; the first one counts.
fn file_state<'d>(directories: impl Iterator<Item = &'d Path>, unit: &str) -> FileState {
    // Symbolic links are followed, as a link to /dev/null masks a unit. A dangling link is no file.
    let found = directories.map(|directory| directory.join(unit)).find_map(|path| std::fs::metadata(path).ok());
    match found {
        None => FileState::Missing,
        Some(facts) if facts.is_file() && facts.len() > 0 => FileState::There,
        Some(_) => FileState::Masked,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::{FileState, file_state};
    use crate::test_dir::TestDir;

    #[test]
    fn the_first_file_of_a_unit_counts() {
        let directory = TestDir::new();
        for name in ["etc", "usr"] {
            std::fs::create_dir(directory.path(name)).unwrap();
        }
        let directories = [directory.path("none"), directory.path("etc"), directory.path("usr")];
        let state = |unit| file_state(directories.iter().map(std::path::PathBuf::as_path), unit);
        std::fs::write(directory.path("usr/a.target"), "[Unit]\n").unwrap();
        assert_eq!(state("a.target"), FileState::There);
        assert_eq!(state("b.target"), FileState::Missing);
        symlink("/dev/null", directory.path("etc/a.target")).unwrap();
        assert_eq!(state("a.target"), FileState::Masked);
        std::fs::write(directory.path("usr/b.target"), "").unwrap();
        assert_eq!(state("b.target"), FileState::Masked);
        symlink(directory.path("nowhere"), directory.path("etc/b.target")).unwrap();
        std::fs::write(directory.path("usr/b.target"), "[Unit]\n").unwrap();
        assert_eq!(state("b.target"), FileState::There);
    }
}
