//! Names of units and objects as they come over the bus, names of programs, a server's words, lines of /proc.

use startxd::for_tests::manager::names;
use startxd::for_tests::x11::client::readable;

/// Names come back from where they went, and whatever is shown is short and harmless.
pub fn holds(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if !text.is_empty() {
        let path = names::object_path(&text);
        assert_eq!(names::unit_of_path(&path).as_deref(), Some(&*text));
        // What the D-Bus specification allows in the path of an object.
        assert!(path.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'/'), "{path}");
    }
    if let Some(unit) = names::unit_of_path(&format!("{}/{text}", names::UNIT_NAMESPACE)) {
        assert!(unit.len() <= text.len());
    }
    let service = names::session_service(&text);
    assert!(service.len() <= 255 && names::is_session_service(&service) && service.ends_with(".service"));
    assert!(service.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte)), "{service}");

    let words = readable(input);
    assert!(words.chars().count() <= 158 && !words.contains(|c: char| c.is_control()), "{words:?}");

    // The second field is the program's own choice: it must not be taken for the rest.
    if let Some(vt) = startxd::for_tests::os::vt_of_stat(&text) {
        assert!((1..=63).contains(&vt));
    }
    let line = format!("12 ({text}) S 1 12 12 1031 12 4194304 0 0");
    assert_eq!(startxd::for_tests::os::vt_of_stat(&line), Some(7), "{line}");
}
