//! How the last session ended, which a person reads, and which may keep the next one from beginning.

use startxd::for_tests::records::Record as _;
use startxd::for_tests::records::last::LastSession;

/// What is read would be written so, has nothing in it that moves a terminal's cursor, and is forgotten at the latest when
/// so much time has passed that nothing begins again by itself.
pub fn holds(input: &[u8]) {
    let Ok(last) = LastSession::from_toml(input) else { return };
    let written = last.to_toml().expect("what came from a file can be written into one");
    assert_eq!(LastSession::from_toml(written.as_bytes()).expect("what is written can be read"), last);
    assert!(!last.why.contains(|c: char| c.is_control() && c != '\n') && last.why.len() <= input.len(), "{last:?}");
    assert!(!last.is_enough() || last.ended > 0);
}
