//! Ada's units: their states, and the ones that she writes.

use super::Desk;
use crate::harness::{SOON, wait_until};

impl Desk {
    /// A property of one of her units, by systemd's name for it.
    #[track_caller]
    pub fn unit(&self, unit: &str, property: &str) -> String {
        self.manager("ada").property(unit, property)
    }

    /// `ActiveState` of one of her units.
    #[track_caller]
    pub fn state(&self, unit: &str) -> String {
        self.unit(unit, "ActiveState")
    }

    /// `unit state` lines, for comparing several at once.
    pub fn states(&self, units: &[&str]) -> Vec<String> {
        units.iter().map(|unit| format!("{unit} {}", self.state(unit))).collect()
    }

    /// Waits until one of her units is in `state`.
    #[track_caller]
    pub fn unit_becomes(&self, unit: &str, state: &str) {
        let manager = self.manager("ada");
        wait_until(&format!("{unit} to be {state}"), SOON, || match manager.property(unit, "ActiveState") {
            now if now == state => Ok(()),
            now => Err(format!("{unit} is {now}\n{}", self.vt())),
        });
    }

    /// Writes `~/.config/systemd/user/NAME`, and has her manager reload.
    pub fn writes_unit(&self, name: &str, text: &str) {
        self.write_as("ada", &format!("~/.config/systemd/user/{name}"), text);
        self.user("ada", "systemctl --user daemon-reload").ok();
    }

    /// The messages of one of her units in the journal, since the case began.
    pub fn messages(&self, unit: &str) -> String {
        self.journal(&format!("-o cat _SYSTEMD_USER_UNIT={unit}"))
    }
}
