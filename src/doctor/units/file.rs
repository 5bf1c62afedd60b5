//! What a unit file says (systemd.syntax(7)), as far as it is asked for.

/// A unit file: its assignments, in order.
#[derive(Debug, Default)]
pub struct UnitFile {
    /// Section, name, value.
    entries: Vec<(String, String, String)>,
}

/// The settings of section Unit that tie a unit to others that have to be up.
const TIES: [&str; 6] = ["After", "Requires", "Requisite", "BindsTo", "PartOf", "Wants"];

/// Variables that lead to a display.
const DISPLAY_VARIABLES: [&str; 2] = ["DISPLAY=", "XAUTHORITY="];

impl UnitFile {
    /// Reads the text of a unit file. What is not understood is passed over, as systemd does.
    pub fn parse(text: &str) -> Self {
        let mut file = Self::default();
        let mut section = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let mut line = line.trim().to_owned();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            // A backslash at the end continues the line; comments between the parts do not count.
            while let Some(begin) = line.strip_suffix('\\') {
                let next = lines.by_ref().map(str::trim).find(|line| !line.starts_with(['#', ';']));
                line = format!("{begin} {}", next.unwrap_or_default());
                if next.is_none() {
                    break;
                }
            }
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = name.to_owned();
            } else if let Some((name, value)) = line.split_once('=') {
                file.entries.push((section.clone(), name.trim_end().to_owned(), value.trim_start().to_owned()));
            }
        }
        file
    }

    /// The words of a setting; an empty assignment takes back those before it.
    fn words(&self, section: &str, name: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (_, _, value) in self.entries.iter().filter(|(of, key, _)| of == section && key == name) {
            if value.is_empty() {
                words.clear();
            }
            words.extend(value.split_ascii_whitespace().map(str::to_owned));
        }
        words
    }

    /// The units that it is enabled for: `WantedBy=`, `RequiredBy=` and `UpheldBy=`. Names with specifiers are left out.
    pub fn wanted_by(&self) -> Vec<String> {
        let names = ["WantedBy", "RequiredBy", "UpheldBy"].iter().flat_map(|name| self.words("Install", name));
        names.filter(|name| !name.contains('%')).collect()
    }

    /// What in the file says that the unit needs a display, if something does: a tie to one of `targets`, or a variable.
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
    fn what_wants_a_display() {
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
    fn what_it_is_enabled_for() {
        let text = "[Install]\nWantedBy=a.target b.target\nRequiredBy=c.target\nWantedBy=%i.target\nAlias=d.service\n";
        assert_eq!(UnitFile::parse(text).wanted_by(), ["a.target", "b.target", "c.target"]);
    }
}
