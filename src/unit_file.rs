//! Which file a unit has (systemd.unit(5), "Unit File Load Path"), and what it says (systemd.syntax(7)), where no manager
//! can be asked.

use std::path::{Path, PathBuf};

/// The file of a unit, or of its template: in the first of the directories that has one.
pub fn find(unit: &str, directories: &[PathBuf], is_there: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let template = template(unit);
    [Some(unit), template.as_deref()]
        .into_iter()
        .flatten()
        .find_map(|name| directories.iter().map(|directory| directory.join(name)).find(|path| is_there(path)))
}

/// `NAME@.service` for `NAME@INSTANCE.service`.
#[must_use]
pub fn template(unit: &str) -> Option<String> {
    let (name, rest) = unit.split_once('@')?;
    let (_, kind) = rest.rsplit_once('.')?;
    Some(format!("{name}@.{kind}"))
}

/// A line `NAME=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The section that it is in.
    pub section: String,
    /// The name; not empty.
    pub name: String,
    /// The value; empty if it resets earlier ones.
    pub value: String,
}

/// Takes the text of a unit file and returns its assignments, in their order. What systemd does not understand is
/// ignored, as systemd does (conf-parser.c, `config_parse`).
#[must_use]
pub fn assignments(text: &str) -> Vec<Assignment> {
    let (mut found, mut section) = (Vec::new(), String::new());
    // For systemd each of these ends a line (fileio.c, `read_line_full`).
    let mut lines = text.lines().flat_map(|line| line.split(['\r', '\0'])).map(str::trim_ascii);
    let is_comment = |line: &str| line.starts_with(['#', ';']);
    while let Some(line) = lines.next() {
        if is_comment(line) {
            continue;
        }
        let mut line = line.to_owned();
        while is_continued(&line) {
            // The backslash becomes a space; comments between the parts do not count.
            line.pop();
            line.push(' ');
            let Some(next) = lines.by_ref().find(|line| !is_comment(line)) else { break };
            line.push_str(next);
        }
        let line = line.trim_ascii();
        if line.contains(char::REPLACEMENT_CHARACTER) {
            // It was not text.
        } else if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((name, value)) = line.split_once('=').filter(|(name, _)| !name.trim_ascii().is_empty()) {
            let (name, value) = (name.trim_ascii().to_owned(), value.trim_ascii().to_owned());
            found.push(Assignment { section: section.clone(), name, value });
        }
    }
    found
}

/// Whether a line ends in a backslash that is not escaped itself.
fn is_continued(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The values of a name in a section, in their order. The empty value, which takes the earlier ones back, is one of them.
#[must_use]
pub fn values(text: &str, section: &str, name: &str) -> Vec<String> {
    let ours = assignments(text).into_iter().filter(|one| one.section == section && one.name == name);
    ours.map(|one| one.value).collect()
}

#[cfg(test)]
mod tests {
    use super::{assignments, values};

    #[test]
    fn files_are_read_as_systemd_does() {
        let all =
            |text| assignments(text).into_iter().map(|one| (one.section, one.name, one.value)).collect::<Vec<_>>();
        type Expected = &'static [(&'static str, &'static str, &'static str)];
        let cases: [(&str, Expected); 9] = [
            ("A=1\n[B]\n C = d e \n[D]\nE=", &[("", "A", "1"), ("B", "C", "d e"), ("D", "E", "")]),
            ("# A=1\n;B=2\nC\n[D\n=E\n", &[]),
            ("A=b \\\n# c\n  d\\\n\nE=f", &[("", "A", "b  d"), ("", "E", "f")]),
            ("A=b\\\\\nC=d", &[("", "A", "b\\\\"), ("", "C", "d")]),
            ("A=b\\", &[("", "A", "b")]),
            ("A=b\\\r\nc\r\nD=e\rF=g\0H=i", &[("", "A", "b c"), ("", "D", "e"), ("", "F", "g"), ("", "H", "i")]),
            ("\\\n[A]\nB=c", &[("A", "B", "c")]),
            ("A=\u{fffd}\nB=#c", &[("", "B", "#c")]),
            ("[A=b]\nC=d=e", &[("A=b", "C", "d=e")]),
        ];
        for (text, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|it| (it.0.into(), it.1.into(), it.2.into())).collect();
            assert_eq!(all(text), expected, "{text:?}");
        }
    }

    #[test]
    fn values_of_a_name() {
        let text = "[Unit]\nA=0\n[Service]\nA=1\nB=2\nA=\nA=3\n";
        assert_eq!(values(text, "Service", "A"), ["1", "", "3"]);
    }
}
