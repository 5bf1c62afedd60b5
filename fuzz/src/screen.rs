//! Names of screen's sockets, and the environments of its processes.

use startxd::for_tests::multiplexer::screen::{environment, named};

/// A name is read only as screen writes it, so that what is then told reaches that session; of an environment nothing is
/// invented, and of each variable what getenv(3) would find.
pub fn holds(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Some((pid, name)) = named(&text) {
        assert!(pid.as_raw() > 0, "kill(2) has other meanings for such a pid");
        assert_eq!(format!("{pid}.{name}"), text);
    }
    assert_eq!(named(&format!("4711.{text}")).map(|(pid, name)| (pid.as_raw(), name)), Some((4711, &*text)));

    let block = environment(input);
    let entries = || input.split(|byte| *byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok());
    for (name, value) in &block {
        assert!(!name.is_empty() && !name.contains('='));
        let found = entries().find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='));
        assert_eq!(found, Some(value.as_str()), "{name}");
    }
    let size: usize = block.iter().map(|(name, value)| name.len() + value.len() + 1).sum();
    assert!(size <= input.len());
    // Something more behind it adds, and takes nothing back.
    let more = environment(&[input, b"\0STARTXD_FUZZ=1\0"].concat());
    assert!(more.contains_key("STARTXD_FUZZ") && block.iter().all(|(name, value)| more.get(name) == Some(value)));
}
