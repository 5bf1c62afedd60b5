//! What `startxd doctor` asks a manager beside what a session needs.

use super::{MANAGER, Manager, UNIT_INTERFACE, UnitRow};
use crate::dbus::{self, CallError};

impl Manager {
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
