//! `startxd.toml`, whatever stands in it.

use std::collections::BTreeSet;
use std::path::Path;

use startxd::for_tests::config::{Config, Loaded, Origin, keys, server_args};
use startxd::for_tests::x11::display::Display;

/// It is read to the end, what is reported is one line each and not many, and what counts can be written down and
/// read again. A file is cut in two at a NUL, as the files of two layers.
pub fn holds(input: &[u8]) {
    let mut loaded = Loaded::default();
    let layers = input.splitn(2, |byte| *byte == 0);
    for (layer, bytes) in ["/etc/startxd/startxd.toml", "/home/ada/.config/startxd/startxd.toml"].iter().zip(layers) {
        let before = loaded.complaints.len();
        loaded.read(Path::new(layer), bytes);
        assert!(loaded.complaints.len() - before <= 33, "{} complaints", loaded.complaints.len() - before);
        for complaint in &loaded.complaints[before..] {
            let text = complaint.to_string();
            assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
            assert!(complaint.line.is_none_or(|line| (1..=lines(bytes)).contains(&line)), "{text}");
        }
    }
    can_be_used(&loaded.config);
    let names: BTreeSet<&str> = keys().map(|key| key.name).collect();
    assert_eq!(loaded.origins.keys().copied().collect::<BTreeSet<_>>(), names);

    // What is shown of it is a file that says the same, without a complaint.
    let mut again = Loaded::default();
    let shown: String = shown(&loaded.config);
    again.read(Path::new("/again"), shown.as_bytes());
    assert!(again.complaints.is_empty(), "{shown}\n{:?}", again.complaints);
    assert_eq!(again.config, loaded.config, "{shown}");
    let is_there = |origin: &Origin| matches!(origin, Origin::File(path, line) if path.ends_with("again") && *line > 0);
    assert!(again.origins.values().all(is_there));
}

fn lines(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count().max(1)
}

/// The configuration as a file: the keys without a table first.
fn shown(config: &Config) -> String {
    let mut text = String::new();
    let mut table = "";
    for key in keys() {
        let (of, name) = key.name.split_once('.').unwrap_or(("", key.name));
        if of != table {
            table = of;
            text += &format!("[{table}]\n");
        }
        text += &format!("{name} = {}\n", key.show(config));
    }
    text
}

/// What the session stands on.
fn can_be_used(config: &Config) {
    assert!(config.display.is_none_or(|display| display <= Display::MAX));
    assert!(config.server.binary.as_ref().is_none_or(|path| path.is_absolute()));
    assert!(config.server.args.iter().all(|argument| server_args::refusal(argument).is_none()));
    let words = config.server.args.iter().chain(&config.session.default).chain(&config.environment.never);
    assert!(words.into_iter().all(|word| !word.contains('\0')));
    let longest = std::time::Duration::from_secs(3600);
    for field in startxd::for_tests::deadline::Deadlines::FIELDS {
        let deadline = (field.get)(&config.deadlines);
        assert!(!deadline.is_zero() && deadline <= longest, "{} is {deadline:?}", field.key);
    }
}
