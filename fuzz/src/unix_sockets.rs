//! The kernel's list of Unix sockets, with names that anybody on the machine has chosen.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use startxd::for_tests::multiplexer::sockets::listens;
use startxd::for_tests::os::unix_sockets::named;

/// A socket is one line, and has the name that stands at its end; who listens on a path is seen whatever else is there, and
/// nobody is who does not.
pub fn holds(input: &[u8]) {
    let lines = || input.split(|byte| *byte == b'\n');
    let sockets: Vec<_> = named(input).collect();
    assert!(sockets.len() < lines().count(), "the first line is a heading");
    for socket in &sockets {
        let end = [b" ", socket.name].concat();
        let says_so = |line: &[u8]| !socket.listens || line.windows(10).any(|flags| flags == b" 00010000 ");
        assert!(lines().any(|line| line.ends_with(&end) && says_so(line)), "{socket:?} comes from nowhere");
        let path = Path::new(OsStr::from_bytes(socket.name));
        let expected = sockets.iter().any(|other| other.listens && other.name == socket.name);
        assert_eq!(listens(input, path), expected);
    }
    let path = Path::new("/tmp/tmux-4711/ours");
    assert_eq!(listens(input, path), sockets.iter().any(|it| it.listens && it.name == path.as_os_str().as_bytes()));
    let row = |flags: &str, name: &[u8]| [format!("\n0: 2 0 {flags} 1 1    15 ").as_bytes(), name].concat();
    // Not on one that is only connected, nor on one that only begins so.
    for (flags, name, seen) in [("00000000", "ours", false), ("00010000", "ours ", false), ("00010000", "ours", true)] {
        let list = [input, &row(flags, format!("/tmp/tmux-4711/{name}").as_bytes())].concat();
        assert_eq!(named(&list).count(), sockets.len() + 1);
        assert_eq!(listens(&list, path), seen || listens(input, path));
    }
    // A name as bytes.
    let odd = input.split(|byte| *byte == b'\n').next().unwrap_or_default();
    assert!(listens(&row("00010000", odd), Path::new(OsStr::from_bytes(odd))));
}
