//! What a shell makes of the environment files, the names of which come from the desktop's.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use startxd::for_tests::environment::files::names;
use startxd::for_tests::environment::sourced::{last_whole, script};
use startxd::for_tests::text::quoted;

use super::words_of_a_shell;

/// A path is one word of the shell that reads it, whatever is in it; of what the shell writes only whole environments
/// count, and a name of a file leads nowhere else.
pub fn holds(input: &[u8]) {
    let path: Vec<u8> = input.iter().copied().filter(|byte| *byte != 0).collect();
    let path = PathBuf::from(OsStr::from_bytes(&path));
    is_read_by_a_shell(&path);
    environments(input);

    let text = String::from_utf8_lossy(input);
    let (current, session) = text.split_once('\n').unwrap_or((&text, ""));
    let found = names(current, session);
    assert_eq!(found.first().map(String::as_str), Some("env"));
    assert!(found.len() <= 3 + current.matches(':').count());
    for (at, name) in found.iter().enumerate().skip(1) {
        assert!(name.len() > 4 && name.starts_with("env-") && !name.contains('/') && !found[..at].contains(name));
    }
}

fn is_read_by_a_shell(path: &Path) {
    assert_eq!(
        words_of_a_shell(&quoted(path.as_os_str().as_bytes())),
        Some(vec![path.as_os_str().as_bytes().to_vec()])
    );
    let one = script(&[path.to_owned()]);
    let read = words_of_a_shell(&one).expect("a script");
    let begin = read.iter().position(|word| word == b".").expect("a file that is read");
    assert_eq!(read[begin + 1], path.as_os_str().as_bytes());
    // A second file is read as the first, and nothing else changes.
    let two = words_of_a_shell(&script(&[path.to_owned(), path.to_owned()])).expect("a script");
    let none = words_of_a_shell(&script(&[])).expect("a script");
    assert_eq!(two.len() - read.len(), read.len() - none.len());
}

fn environments(input: &[u8]) {
    let (count, last) = last_whole(input);
    assert_eq!(count == 0, last.is_none());
    let ends = input.split(|byte| *byte == 0).filter(|record| *record == b"whole").count();
    assert!(count <= ends && ends <= count + 1);
    let mut size = 0;
    for (name, value) in last.iter().flatten() {
        assert!(!name.is_empty() && !name.as_bytes().contains(&b'='));
        let entry = [name.as_bytes(), b"=", value.as_bytes()].concat();
        assert!(input.split(|byte| *byte == 0).any(|record| record == entry), "{name:?} comes from nowhere");
        size += entry.len() + 1;
    }
    assert!(size <= input.len());
    // One that is cut changes nothing; one more that is whole is the last.
    let cut = [input, b"\0STARTXD_FUZZ=1\0whol"].concat();
    let (after, kept) = last_whole(&cut);
    assert!(after == ends && (ends > count || kept == last));
    let (after, own) = last_whole(&[&cut[..], b"e\0"].concat());
    assert_eq!(after, ends + 1);
    let own = own.and_then(|mut own| own.pop()).expect("a variable");
    assert!(own.0 == "STARTXD_FUZZ" && own.1 == "1", "{own:?}");
}
