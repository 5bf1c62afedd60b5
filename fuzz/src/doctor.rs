//! What the doctor reads: startup files of shells, configuration of servers and portals, a server's `-version`.

use std::path::PathBuf;

use startxd::for_tests::doctor::Description;
use startxd::for_tests::doctor::portals::is_for;
use startxd::for_tests::doctor::render;
use startxd::for_tests::doctor::server::{names_deviceless_driver, needs_root_rights};
use startxd::for_tests::doctor::snippets::{StartupFile, judge};
use startxd::for_tests::doctor::versions::{numbers, server_line};

use super::words_of_a_shell;

/// A finding is of a line that is there, each kind is told once, and what is shown of somebody's file is short and
/// moves no cursor; versions, drivers and desktops stand in the text that they are read from.
pub fn holds(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    snippets(&text);
    if let Some((major, minor)) = numbers(&text) {
        assert!(text.trim_start_matches('0').starts_with(major.to_string().trim_start_matches('0')), "{major}");
        assert!(minor == 0 || text.contains(&minor.to_string()));
    }
    if let Some((line, version)) = server_line(&text) {
        assert!(text.lines().any(|other| other.trim() == line) && line.contains(" X Server "));
        assert!(line.contains(&version.0.to_string()), "{line:?} {version:?}");
    }
    assert_eq!(numbers(&format!("257.9-{text}")), Some((257, 9)));
    assert_eq!(server_line("X.Org X Server 1.21.1.7\n").map(|(_, version)| version), Some((1, 21)));

    assert!(!needs_root_rights(&text) || text.contains("needs_root_rights") && text.contains("yes"));
    assert!(needs_root_rights(&format!("{text}\nneeds_root_rights = yes\n")));
    let lower = text.to_ascii_lowercase();
    assert!(!names_deviceless_driver(&text) || lower.contains("driver"));
    assert!(names_deviceless_driver(&format!("{text}\n\tDriver \"dummy\"\n")));
    assert!(
        !is_for(&text, "openbox") || lower.contains("usein=") && lower.contains("openbox") || text.contains("UseIn=")
    );
    assert!(is_for(&format!("{text}\nUseIn=gnome;Openbox\n"), "openbox"));
}

fn snippets(text: &str) {
    for shell in [false, true] {
        let path = "/home/ada l/.profile";
        let findings = judge(&StartupFile { path: PathBuf::from(path), shell, text: text.to_owned() });
        for (at, finding) in findings.iter().enumerate() {
            assert!(findings[..at].iter().all(|other| other.kind != finding.kind), "{} twice", finding.kind.id);
            assert!(finding.what.chars().count() <= 160 && finding.remedy.len() <= 600, "{finding:?}");
            let number = finding.what.strip_prefix(&format!("{path}, line ")).and_then(|rest| rest.split_once(": "));
            let (number, _) = number.expect("a line");
            let line = text.lines().nth(number.parse::<usize>().expect("a number") - 1).expect("a line of the file");
            assert!(finding.what.ends_with(&*line.trim().chars().take(100).collect::<String>()));
            let Some((_, command)) = finding.remedy.split_once(": ") else {
                assert!(finding.remedy.starts_with("remove it by hand"), "{finding:?}");
                continue;
            };
            let words = words_of_a_shell(command.as_bytes()).expect("a command");
            let [sed, option, links, scripts @ .., file] = &words[..] else { panic!("{command}") };
            assert!(sed == b"sed" && option == b"-i" && links == b"--follow-symlinks" && file == path.as_bytes());
            for script in scripts.iter().filter(|script| *script != b"-e") {
                let script = String::from_utf8_lossy(script);
                let (number, edit) = script.split_once('s').expect("a line and a substitution");
                let line = number.parse::<usize>().ok().and_then(|number| text.lines().nth(number - 1));
                assert!(line.is_some() && edit.starts_with('/') && edit.ends_with('/'), "{script}");
            }
        }
        // As the command sorts them: the notes stand last, below a line that says so.
        let mut findings = findings;
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.kind.severity));
        let notes = findings.iter().filter(|finding| finding.kind.severity.word() == "note").count();
        let heading = if notes > 0 && notes < findings.len() { 2 } else { 0 };
        let shown = render::text(&findings);
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
        assert_eq!(shown.lines().count(), 4 * findings.len() + heading + 1);
        assert_eq!(render::json(&findings, &Description::default()).lines().count(), 1);
    }
}
