//! When a unit is started, according to its file.

use crate::unit_file::{Assignment, assignments};

/// A unit file: its assignments, in order.
#[derive(Debug)]
pub struct UnitFile(Vec<Assignment>);

/// The settings of section Unit that tie a unit to other units.
const TIES: [&str; 6] = ["After", "Requires", "Requisite", "BindsTo", "PartOf", "Wants"];

/// Variables that name a display.
const DISPLAY_VARIABLES: [&str; 2] = ["DISPLAY=", "XAUTHORITY="];

impl UnitFile {
    /// Reads the text of a unit file.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(assignments(text))
    }

    /// The words of a setting; an empty assignment removes those before it.
    fn words(&self, section: &str, name: &str) -> Vec<String> {
        let mut words = Vec::new();
        for one in self.0.iter().filter(|one| one.section == section && one.name == name) {
            if one.value.is_empty() {
                words.clear();
            }
            words.extend(one.value.split_ascii_whitespace().map(str::to_owned));
        }
        words
    }

    /// The units that it is enabled for: `WantedBy=`, `RequiredBy=` and `UpheldBy=`. Names with specifiers are omitted.
    #[must_use]
    pub fn wanted_by(&self) -> Vec<String> {
        let names = ["WantedBy", "RequiredBy", "UpheldBy"].iter().flat_map(|name| self.words("Install", name));
        names.filter(|name| !name.contains('%')).collect()
    }

    /// The line that shows that the unit needs a display, if any: a tie to one of `targets`, or a variable.
    #[must_use]
    pub fn wants_display(&self, targets: &[&str]) -> Option<String> {
        let ties = TIES.iter().find_map(|name| {
            let words = self.words("Unit", name);
            words.into_iter().find(|word| targets.contains(&word.as_str())).map(|word| format!("{name}={word}"))
        });
        ties.or_else(|| {
            let words = self.words("Service", "Environment");
            let mut words = words.iter().map(|word| word.trim_matches(['"', '\'']));
            let word = words.find(|word| DISPLAY_VARIABLES.iter().any(|variable| word.starts_with(variable)))?;
            Some(format!("Environment={word}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::UnitFile;

    #[test]
    fn a_tie_or_a_variable_shows_that_a_unit_needs_a_display() {
        let targets = ["graphical-session.target", "xorg.target"];
        let cases = [
            ("[Unit]\nAfter=network.target\n[Service]\nExecStart=/bin/a DISPLAY=:0\n", None),
            ("[Unit]\nBefore=graphical-session.target\n", None),
            ("[Service]\nAfter=graphical-session.target\n", None),
            ("[Unit]\nAfter=graphical-session.target\nAfter=\n", None),
            ("# After=xorg.target\n[Unit]\n;PartOf=xorg.target", None),
            ("[Unit]\nPartOf = graphical-session.target", Some("PartOf=graphical-session.target")),
            ("[Unit]\nAfter=a.target \\\n# b\n xorg.target", Some("After=xorg.target")),
            ("[Service]\nEnvironment=A=1 \"DISPLAY=:0\"", Some("Environment=DISPLAY=:0")),
            ("[Unit]\nAfter=\\", None),
        ];
        for (text, why) in cases {
            assert_eq!(UnitFile::parse(text).wants_display(&targets).as_deref(), why, "{text:?}");
        }
    }

    #[test]
    fn the_targets_of_a_unit_are_read() {
        let text = "[Install]\nWantedBy=a.target b.target\nRequiredBy=c.target\nWantedBy=%i.target\nAlias=d.service\n";
        assert_eq!(UnitFile::parse(text).wanted_by(), ["a.target", "b.target", "c.target"]);
    }
}
