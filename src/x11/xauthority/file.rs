//! The file on disk: complete, private, and the same for every process that asks for it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::unistd::geteuid;

use super::{AuthorityEntry, decode, encode, entries_for, find_cookie};
use crate::files::replace;
use crate::small_file;
use crate::x11::cookie::Cookie;
use crate::x11::display::Display;

/// More than any authority file that we would write or accept as ours.
const MAX_FILE: u64 = 64 * 1024;

/// Takes a path and a display, and returns the cookie for the display in the file there. If there is no complete,
/// private file of our own with such a cookie, creates one, with a new cookie.
///
/// Host and supervisor both call this, in any order, and must get the same cookie. It does not touch a
/// valid file: clients may be waiting in the server's socket already, and have read their cookie when they
/// connected, so a change would lock them out. Concurrent calls are serialised by flock(2) on the
/// directory, which needs no lock file that a crash could leave behind, and which the kernel releases with the process.
/// Nobody may hold a lock on that directory for longer than such a moment.
///
/// # Errors
/// A system call failed. An invalid file is not an error: it is replaced.
pub fn ensure(path: &Path, display: Display) -> io::Result<Cookie> {
    ensure_on(path, display, &hostname())
}

/// As [`ensure`], on a host of this name.
fn ensure_on(path: &Path, display: Display, hostname: &[u8]) -> io::Result<Cookie> {
    // The next call removes, under the lock, what a crash has left beside the file.
    let _lock = lock_directory_of(path)?;
    // Only under the lock: otherwise two processes could each find a broken file, and the second replace what the
    // first has already handed to its clients.
    if let Some(cookie) = read_ours(path).and_then(|entries| find_cookie(&entries, display, hostname)) {
        return Ok(cookie);
    }
    let cookie = Cookie::generate()?;
    replace(path, encode(&entries_for(display, hostname, &cookie)), 0o600)?;
    Ok(cookie)
}

/// Takes a path and a display, and returns the cookie that a client on this host would find in the file there, whoever
/// wrote it; `None` if there is none.
#[must_use]
pub fn cookie_in(path: &Path, display: Display) -> Option<Cookie> {
    find_cookie(&decode(&small_file::read(path).ok()?).ok()?, display, &hostname())
}

/// This host's name, as libXau asks for it (gethostname(2)).
pub(super) fn hostname() -> Vec<u8> {
    nix::unistd::gethostname().unwrap_or_default().into_vec()
}

/// Reads the file if it is one that only we can have written and only we can read.
fn read_ours(path: &Path) -> Option<Vec<AuthorityEntry>> {
    // O_NONBLOCK: opening a FIFO would wait for a writer.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).ok()?;
    let facts = file.metadata().ok()?;
    let ours = facts.is_file() && facts.uid() == geteuid().as_raw() && facts.mode() & 0o7777 == 0o600;
    if !ours || facts.len() > MAX_FILE {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    decode(&bytes).ok()
}

fn lock_directory_of(path: &Path) -> io::Result<Flock<File>> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut directory = OpenOptions::new().read(true).custom_flags(OFlag::O_DIRECTORY.bits()).open(directory)?;
    loop {
        match Flock::lock(directory, FlockArg::LockExclusive) {
            Ok(lock) => return Ok(lock),
            Err((same, Errno::EINTR)) => directory = same,
            Err((_, error)) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use nix::sys::stat::Mode;

    use super::*;
    use crate::test_dir::TestDir;

    const D0: Display = Display::new(0).unwrap();
    const D1: Display = Display::new(1).unwrap();

    fn cookie(byte: u8) -> Cookie {
        Cookie::from_bytes([byte; 16])
    }

    #[test]
    fn ensure_makes_it_private_and_keeps_it() {
        let dir = TestDir::new();
        let path = dir.path("xauthority");
        let first = ensure_on(&path, D0, b"box").unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        // The second call comes after the host was renamed: the wild entry still fits.
        assert_eq!(ensure_on(&path, D0, b"renamed").unwrap(), first);
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
        assert_eq!(dir.names(), ["xauthority"]);
    }

    #[test]
    fn ensure_replaces_what_is_not_a_good_file_of_ours() {
        let whole = |byte| encode(&entries_for(D0, b"box", &cookie(byte)));
        type Prepare = fn(&Path, &[u8]);
        let cases: [(&str, Prepare); 6] = [
            ("readable by others", |path, bytes| {
                fs::write(path, bytes).unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
            }),
            ("cut off", |path, bytes| replace(path, &bytes[..30], 0o600).unwrap()),
            ("empty", |path, _| replace(path, b"", 0o600).unwrap()),
            ("for another display", |path, _| {
                replace(path, encode(&entries_for(D1, b"box", &cookie(1))), 0o600).unwrap();
            }),
            ("a symbolic link", |path, bytes| {
                let target = path.with_file_name("target");
                replace(&target, bytes, 0o600).unwrap();
                symlink(target, path).unwrap();
            }),
            ("a FIFO", |path, _| nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap()),
        ];
        for (what, prepare) in cases {
            let dir = TestDir::new();
            let path = dir.path("xauthority");
            prepare(&path, &whole(1));
            let made = ensure_on(&path, D0, b"box").unwrap();
            assert_ne!(made, cookie(1), "{what}");
            assert!(fs::symlink_metadata(&path).unwrap().is_file(), "{what}");
            assert_eq!(ensure_on(&path, D0, b"box").unwrap(), made, "{what}");
            if what == "a symbolic link" {
                assert_eq!(fs::read(dir.path("target")).unwrap(), whole(1), "the link was followed");
            }
        }
    }

    #[test]
    fn what_a_crash_left_is_cleared() {
        let dir = TestDir::new();
        fs::write(dir.path("xauthority.startxd-new"), b"half").unwrap();
        ensure(&dir.path("xauthority"), D0).unwrap();
        assert_eq!(dir.names(), ["xauthority"]);
    }

    #[test]
    fn many_at_once_agree() {
        let dir = TestDir::new();
        let path = dir.path("xauthority");
        fs::write(&path, b"broken").unwrap();
        let cookies: Vec<Cookie> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| ensure_on(&path, D0, b"box").unwrap())).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(cookies.iter().all(|one| *one == cookies[0]));
    }

    #[test]
    fn a_directory_in_its_place_is_an_error() {
        let dir = TestDir::new();
        fs::create_dir(dir.path("xauthority")).unwrap();
        assert!(ensure(&dir.path("xauthority"), D0).is_err());
        assert_eq!(dir.names(), ["xauthority"]);
    }
}
