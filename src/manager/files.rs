//! Unit files: which are enabled, and lists of units (org.freedesktop.systemd1(5)).

use super::{MANAGER, Manager, SERVICE_INTERFACE, UNIT_INTERFACE, UnitRow, UnitState};
use crate::dbus::{self, CallError};

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

impl Manager {
    /// Whether a unit is "enabled", "disabled", "static", "masked" and more (`GetUnitFileState`).
    ///
    /// # Errors
    /// There is no such unit.
    pub async fn unit_file_state(&self, unit: &str) -> Result<String, CallError> {
        dbus::body("GetUnitFileState", &MANAGER.call(&self.connection, "GetUnitFileState", &(unit,)).await?)
    }

    /// Enables units for good (`EnableUnitFiles`), and has the manager read its files again.
    ///
    /// # Errors
    /// There is no such unit, or its links cannot be made.
    pub async fn enable(&self, units: &[&str]) -> Result<(), CallError> {
        MANAGER.call(&self.connection, "EnableUnitFiles", &(units, false, false)).await?;
        self.reload().await
    }

    /// Takes that back (`DisableUnitFiles`).
    ///
    /// # Errors
    /// The links cannot be removed.
    pub async fn disable(&self, units: &[&str]) -> Result<(), CallError> {
        MANAGER.call(&self.connection, "DisableUnitFiles", &(units, false)).await?;
        self.reload().await
    }

    /// The units that are loaded and whose names fit one of the patterns (glob(7)), sorted (`ListUnitsByPatterns`).
    ///
    /// # Errors
    /// The manager does not answer.
    pub async fn units_like(&self, patterns: &[&str]) -> Result<Vec<ListedUnit>, CallError> {
        let states: [&str; 0] = [];
        let reply = MANAGER.call(&self.connection, "ListUnitsByPatterns", &(&states[..], patterns)).await?;
        let rows: Vec<UnitRow> = dbus::body("ListUnitsByPatterns", &reply)?;
        let listed = |(name, description, load, active, sub, _, _, job, job_type, _): UnitRow| ListedUnit {
            name,
            description,
            state: UnitState { load, active, sub, job: (job != 0).then_some(job_type) },
        };
        let mut units: Vec<ListedUnit> = rows.into_iter().map(listed).collect();
        units.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(units)
    }

    /// The main process that a service has, or had last; 0 if it had none (`ExecMainPID`).
    ///
    /// # Errors
    /// The unit is not a service.
    pub async fn last_main_pid(&self, unit: &str) -> Result<u32, CallError> {
        self.property(unit, SERVICE_INTERFACE, "ExecMainPID").await
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

    /// The units that are bound to a unit by `BindsTo=`, and so hold it or fall with it.
    ///
    /// # Errors
    /// The unit cannot be loaded.
    pub async fn bound_by(&self, unit: &str) -> Result<Vec<String>, CallError> {
        self.property(unit, UNIT_INTERFACE, "BoundBy").await
    }
}
