//! The displays that there are.

use super::claim::{self, ClaimSettings, ClaimState};
use crate::dbus::CallError;
use crate::manager::{Manager, UnitState};
use crate::runtime_dir::RuntimeDir;

/// A display as it is.
#[derive(Debug, Clone)]
pub struct ListedDisplay {
    /// What it was made as.
    pub settings: ClaimSettings,
    /// What its supervisor says.
    pub state: ClaimState,
    /// Its server's unit.
    pub unit: UnitState,
}

/// All of them, by number.
///
/// # Errors
/// The user manager does not answer.
pub async fn list(runtime: &RuntimeDir, manager: &Manager) -> Result<Vec<ListedDisplay>, CallError> {
    // What cannot be read is not a display of this version; the next start cleans it up if it is dead.
    let settings: Vec<ClaimSettings> = claim::all(runtime)
        .into_iter()
        .filter_map(|display| claim::settings(runtime, display).ok().flatten())
        .collect();
    if settings.is_empty() {
        return Ok(Vec::new());
    }
    let units: Vec<String> = settings.iter().map(ClaimSettings::unit).collect();
    let states = manager.states(&units.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let listed = |(settings, unit): (ClaimSettings, UnitState)| {
        let state = ClaimState::read(runtime, settings.display);
        ListedDisplay { settings, state, unit }
    };
    Ok(settings.into_iter().zip(states).map(listed).collect())
}
