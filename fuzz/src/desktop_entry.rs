//! Entries of the xsessions directories, which packages and people write.

use startxd::for_tests::desktop_entry::{BrokenEntry, DesktopEntry, Locale, parse};

/// What is wrong is said in a line; what is read can be executed as it is, and is no larger than it may be.
pub fn holds(input: &[u8]) {
    let locale = Locale::parse("de_AT.UTF-8@euro");
    let path = Some("/usr/share/xsessions/a b.desktop");
    let read = parse(input, &locale, path);
    match &read {
        Ok(Some(entry)) => is_usable(entry),
        Ok(None) => assert!(input.windows(6).any(|part| part == b"Hidden")),
        Err(broken) => is_said(broken, input),
    }
    assert_eq!(parse(input, &locale, path), read);
    // Groups of others below it change nothing, whatever they are.
    let below = [input, b"\n[X-Other Group]\nExec=\xff\nno key\n"].concat();
    match (read, parse(&below, &locale, path)) {
        (Ok(read), below) => assert_eq!(below, Ok(read)),
        // A file without any group has got a first one.
        (Err(_), below) => assert!(below.is_err()),
    }
}

fn is_usable(entry: &DesktopEntry) {
    assert!(!entry.name.is_empty());
    is_executable(&entry.command);
    assert!(entry.directory.as_ref().is_none_or(|path| path.starts_with('/')));
    assert!(entry.desktop_names.iter().all(|name| !name.is_empty() && !name.contains([':', ';', '\n'])));
    assert!(entry.actions.len() <= 64);
    for (at, action) in entry.actions.iter().enumerate() {
        assert!(entry.actions[..at].iter().all(|other| other.id != action.id), "{} twice", action.id);
        if let Ok(what) = &action.what {
            assert!(!what.name.is_empty());
            is_executable(&what.command);
        }
    }
}

fn is_executable(command: &[String]) {
    let program = command.first().expect("a program");
    assert!(!program.is_empty() && !program.contains('='));
    assert!(program.starts_with('/') || !program.contains('/'));
    assert!(command.iter().all(|argument| !argument.contains('\0')));
    assert!(command.iter().map(|argument| argument.len() + 1).sum::<usize>() <= 128 * 1024);
}

fn is_said(broken: &BrokenEntry, input: &[u8]) {
    let text = broken.to_string();
    assert!(!text.is_empty() && !text.contains(|c: char| c.is_control()), "{text:?}");
    let lines = input.split(|byte| *byte == b'\n').count();
    assert!(broken.line.is_none_or(|line| (1..=lines).contains(&line)), "{text}");
    assert!(text.len() <= 500 + 10 * input.len(), "{} bytes", text.len());
}
