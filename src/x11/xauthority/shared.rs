//! A file of cookies that others write, too: `~/.Xauthority`, where libXau looks if nothing says otherwise.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use super::file::hostname;
use super::{AuthorityEntry, decode, encode, entries_for};
use crate::deadline::{AUTHORITY_LOCK, AUTHORITY_LOCK_DEAD, LOOK_AGAIN};
use crate::files::replace;
use crate::small_file;
use crate::x11::cookie::Cookie;
use crate::x11::display::Display;

/// Takes a file, a display and its cookie, and puts entries for it into the file, in front of what others have written and
/// in place of what there was for the same display. A file that is not there is made, 0600.
///
/// # Errors
/// It cannot be read or written, or libXau did not write it; then it is left as it is.
pub fn add(path: &Path, display: Display, cookie: &Cookie) -> io::Result<()> {
    change(path, |mut entries| {
        let ours = entries_for(display, &hostname(), cookie);
        let replaced = |entry: &AuthorityEntry| {
            ours.iter().any(|our| {
                (our.family, &our.address, &our.number, &our.name)
                    == (entry.family, &entry.address, &entry.number, &entry.name)
            })
        };
        entries.retain(|entry| !replaced(entry));
        [ours.as_slice(), &entries].concat()
    })
}

/// Takes entries with a cookie out of the file again, which goes with the last one. What others have written since stays.
///
/// # Errors
/// As [`add`].
pub fn remove(path: &Path, cookie: &Cookie) -> io::Result<()> {
    change(path, |mut entries| {
        entries.retain(|entry| entry.data != cookie.as_bytes());
        entries
    })
}

fn change(path: &Path, change: impl FnOnce(Vec<AuthorityEntry>) -> Vec<AuthorityEntry>) -> io::Result<()> {
    // A link stays one: what it leads to is changed.
    let path = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        found => found?,
    };
    let _lock = AuthorityLock::take(&path)?;
    let before = match small_file::read(&path) {
        Ok(bytes) => decode(&bytes).map_err(io::Error::other)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let after = change(before.clone());
    if after == before {
        return Ok(());
    }
    if after.is_empty() {
        return fs::remove_file(&path);
    }
    let is_somebody_elses = fs::metadata(&path).is_ok_and(|file| file.uid() != nix::unistd::geteuid().as_raw());
    if is_somebody_elses {
        return Err(io::Error::other("the file belongs to another user"));
    }
    replace(&path, encode(&after), 0o600)
}

/// The lock that libXau and xauth(1) heed (`AuLock.c`): FILE-c is made, and linked to FILE-l, which only one can do.
struct AuthorityLock {
    made: PathBuf,
    lock: PathBuf,
}

impl AuthorityLock {
    fn take(path: &Path) -> io::Result<Self> {
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let (made, lock) = (beside("-c"), beside("-l"));
        let end = Instant::now() + AUTHORITY_LOCK;
        while Instant::now() < end {
            match fs::File::options().write(true).create_new(true).mode(0o600).open(&made) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    forget_dead(&made);
                    std::thread::sleep(LOOK_AGAIN);
                    continue;
                }
                Err(error) => return Err(error),
            }
            match fs::hard_link(&made, &lock) {
                Ok(()) => return Ok(Self { made, lock }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let _ = fs::remove_file(&made);
                    forget_dead(&lock);
                    std::thread::sleep(LOOK_AGAIN);
                }
                // A file system without links: FILE-c is enough among those that make it.
                Err(_) => return Ok(Self { made, lock }),
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("{} is held by another process", made.display())))
    }
}

impl Drop for AuthorityLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.lock);
        let _ = fs::remove_file(&self.made);
    }
}

fn forget_dead(lock: &Path) {
    let age = fs::metadata(lock).and_then(|file| file.modified()).map(|time| SystemTime::now().duration_since(time));
    if matches!(age, Ok(Ok(age)) if age > AUTHORITY_LOCK_DEAD) {
        let _ = fs::remove_file(lock);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::test_dir::TestDir;
    use crate::x11::xauthority::{FAMILY_LOCAL, PROTOCOL, cookie_in};

    const D0: Display = Display::new(0).unwrap();

    fn cookie(byte: u8) -> Cookie {
        Cookie::from_bytes([byte; 16])
    }

    fn others() -> AuthorityEntry {
        let (family, address) = (FAMILY_LOCAL, b"elsewhere".to_vec());
        AuthorityEntry { family, address, number: b"0".to_vec(), name: PROTOCOL.to_vec(), data: vec![7; 16] }
    }

    #[test]
    fn what_others_have_written_stays() {
        let dir = TestDir::new();
        let path = dir.path("xauthority");
        let old = entries_for(D0, &hostname(), &cookie(1));
        replace(&path, encode(&[old.as_slice(), &[others()]].concat()), 0o600).unwrap();
        symlink(&path, dir.path("link")).unwrap();
        add(&dir.path("link"), D0, &cookie(2)).unwrap();
        assert!(cookie_in(&path, D0) == Some(cookie(2)));
        assert_eq!(decode(&fs::read(&path).unwrap()).unwrap().len(), 3);
        remove(&path, &cookie(2)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), encode(&[others()]));
        assert_eq!(dir.names(), ["link", "xauthority"]);
    }

    #[test]
    fn a_file_that_was_not_there_goes_again() {
        let dir = TestDir::new();
        let path = dir.path("xauthority");
        remove(&path, &cookie(1)).unwrap();
        add(&path, D0, &cookie(1)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        remove(&path, &cookie(2)).unwrap();
        assert_eq!(dir.names(), ["xauthority"]);
        remove(&path, &cookie(1)).unwrap();
        assert_eq!(dir.names(), [""; 0]);
    }

    #[test]
    fn what_is_none_is_left_as_it_is() {
        let dir = TestDir::new();
        let path = dir.path("xauthority");
        fs::write(&path, "not one").unwrap();
        assert!(add(&path, D0, &cookie(1)).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"not one");
        fs::remove_file(&path).unwrap();
        fs::write(dir.path("xauthority-c"), "").unwrap();
        assert_eq!(add(&path, D0, &cookie(1)).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(dir.names(), ["xauthority-c"]);
    }
}
