//! What is attached: the record of it, and `$DISPLAY` as a display manager or ssh has set it.

use startxd::for_tests::attach::local;
use startxd::for_tests::records::Record as _;
use startxd::for_tests::records::attached::AttachedRecord;

/// A record that is read is one that would be written so; a display is one of this machine's only if nothing else stands
/// there.
pub fn holds(input: &[u8]) {
    if let Ok(attached) = AttachedRecord::from_toml(input) {
        let written = attached.to_toml().expect("a path that was text");
        let names = attached.before.keys().chain(&attached.exported);
        assert!(names.map(String::len).sum::<usize>() <= input.len());
        assert_eq!(AttachedRecord::from_toml(written.as_bytes()).expect("what is written can be read"), attached);
    }
    let text = String::from_utf8_lossy(input);
    if let Some(display) = local(&text) {
        let rest = text.strip_prefix("unix").unwrap_or(&text).strip_prefix(':').expect("no host");
        let (number, screen) = rest.split_once('.').unwrap_or((rest, ""));
        assert!(screen.bytes().all(|byte| byte.is_ascii_digit()), "{text:?}");
        assert_eq!(number.parse(), Ok(display.number()), "{text:?}");
        assert_eq!(local(&display.to_string()), Some(display));
    }
}
