//! What the kernel tells of processes, in which names and arguments are the programs' own choice.

use std::path::Path;

use startxd::for_tests::doctor::multiplexers::is_session;
use startxd::for_tests::host::orphan::has_authority;
use startxd::for_tests::multiplexer::service::innermost_unit;
use startxd::for_tests::os::{is_exiting, status};
use startxd::for_tests::session::applications::is_in;

/// A name is taken neither for a field nor for another process's; a server is known by what startxd gives to servers, and a
/// unit is part of the path that names it.
pub fn holds(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    names(&text);
    let authority = Path::new("/run/user/1000/xauth_startxd_0");
    if has_authority(input, authority) {
        let told = [b"\0-auth\0", authority.as_os_str().as_encoded_bytes()].concat();
        assert!(input.windows(told.len()).any(|part| part == told));
        assert!(input.split(|byte| *byte == 0).nth(1).is_some_and(|display| display.starts_with(b":")));
    }
    // Arguments of the person's come last, whatever they are.
    let ours = b"Xorg\0:0\0vt1\0-auth\0/run/user/1000/xauth_startxd_0\0";
    assert!(has_authority(&[ours, input].concat(), authority));
    // In one word it is what something else was told.
    let word: Vec<u8> = input.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect();
    assert!(!has_authority(&word, authority) && !has_authority(&[b"sh\0-c\0", &word[..]].concat(), authority));
    groups(&text);
}

fn names(name: &str) {
    for (flags, exiting) in [("4194304", false), ("4194308", true)] {
        let line = format!("12 ({name}) S 1 12 12 0 -1 {flags} 0 0");
        assert_eq!(is_exiting(&line), exiting, "{line}");
    }
    if let Some(status) = status(name) {
        assert!(name.contains(status.name) && !status.name.contains('\n'));
        assert!(name.contains(&status.uid.to_string()) && name.contains(&status.effective.to_string()));
    }
    // The kernel escapes line breaks in it (proc_pid_status(5)).
    let escaped = name.replace('\n', "\\n");
    let text = format!("Name:\t{escaped}\nUmask:\t0022\nUid:\t1000\t7\t7\t7\n");
    let read = status(&text).expect("a status");
    assert_eq!((read.name, read.uid, read.effective), (escaped.trim(), 1000, 7));
}

fn groups(text: &str) {
    if let Some(unit) = innermost_unit(text) {
        assert!(
            !unit.contains(char::is_control) && (unit.ends_with(".scope") || unit.ends_with(".service")),
            "{unit:?}"
        );
        assert!(text.contains(".scope") || text.contains(".service"));
        assert!(unit.contains('\\') || is_in(text, &unit), "{unit:?}");
    }
    assert!(!is_session(text) || text.contains("session-") && text.contains(".scope"));
    for unit in ["xorg@0.service", "session-3.scope"] {
        assert!(!is_in(text, unit) || text.contains(unit));
        let path = text.lines().next().unwrap_or_default();
        let line = format!("0::/user.slice/{unit}/{path}\n");
        assert!(is_in(&line, unit) && innermost_unit(&line).is_some());
        assert!(is_session(&line) == (unit == "session-3.scope") || path.contains("session-"));
        assert!(is_in(&format!("{text}\n{line}"), unit));
    }
}
