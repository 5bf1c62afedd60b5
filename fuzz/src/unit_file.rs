//! Unit files, which packages and people write.

use startxd::for_tests::doctor::units::file::UnitFile;
use startxd::for_tests::unit_file::{Assignment, assignments, values};

/// What is read would be read again if it was written down, each on its line; a value can be found by its name, and what a
/// unit is said to want stands in it.
pub fn holds(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let found = assignments(&text);
    let mut written = String::new();
    for Assignment { section, name, value } in &found {
        assert!(!name.is_empty() && !name.contains('='));
        for part in [section, name, value] {
            // What ends a line for systemd ends it for us.
            assert!(!part.contains(['\n', '\r', '\0', char::REPLACEMENT_CHARACTER]), "{part:?}");
        }
        for part in [name, value] {
            assert_eq!(part.trim_ascii(), part);
        }
        // Before the first section there is none.
        if !section.is_empty() || written.contains('[') {
            written += &format!("[{section}]\n");
        }
        written += &format!("{name}={value}\n");
    }
    for Assignment { section, name, value } in found.iter().take(4) {
        assert!(values(&text, section, name).contains(value));
    }
    // A backslash that white space followed before the line was put together cannot be written at the end of one.
    if !found.iter().any(|one| one.value.ends_with('\\')) {
        assert_eq!(assignments(&written), found, "{written}");
    }
    // A section may have several headers, and the last line need not end.
    let more = format!("{}\n\n[Startxd]\nFuzz=1", text.trim_end_matches('\\'));
    assert_eq!(values(&more, "Startxd", "Fuzz").last().map(String::as_str), Some("1"));

    let unit = UnitFile::parse(&text);
    for target in unit.wanted_by() {
        assert!(!target.is_empty() && !target.contains([' ', '\t']) && !target.contains('%'), "{target:?}");
        assert!(text.contains(&target), "{target} comes from nowhere");
    }
    if let Some(why) = unit.wants_display(&["graphical-session.target"]) {
        let (name, word) = why.split_once('=').expect("a setting");
        assert!(text.contains(name) && text.contains(word), "{why:?}");
        assert!(word == "graphical-session.target" || word.starts_with("DISPLAY=") || word.starts_with("XAUTHORITY="));
    }
}
