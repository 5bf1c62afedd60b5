//! The displays that exist.

use super::claim::{self, ClaimSettings, ClaimState};
use crate::dbus::CallError;
use crate::manager::{Manager, UnitState};
use crate::runtime_dir::RuntimeDir;

/// A display and its state.
#[derive(Debug, Clone)]
pub struct ListedDisplay {
    /// Its settings.
    pub settings: ClaimSettings,
    /// Its state, by its supervisor.
    pub state: ClaimState,
    /// Its server's unit.
    pub unit: UnitState,
}

/// All of them, by number.
///
/// # Errors
/// The user manager does not answer.
pub async fn list(runtime: &RuntimeDir, manager: &Manager) -> Result<Vec<ListedDisplay>, CallError> {
    // A file that cannot be read is of another version; the next start cleans up after its display if that is dead.
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
