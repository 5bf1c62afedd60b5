//! Which display numbers are taken, found without touching any server.
//!
//! Never by connect(2): a connection to a socket that systemd holds would start its server, and the socket of a server
//! that hangs would hang us. The kernel's list of bound names and the lock files are enough.

mod socket_dir;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::kill;
use nix::unistd::{Pid, Uid, geteuid};

use super::display::{Display, LOCK_DIR, SOCKET_DIR};
use crate::files;
use crate::os::unix_sockets;

pub use socket_dir::{
    NotProvided, REMEDY as SOCKET_DIR_REMEDY, SocketDirProblem, check_socket_dir, provide_socket_dir,
};

/// How many numbers are checked for a free one. Everybody can create a lock in /tmp for every number; whoever
/// has taken that many has taken the next one as well.
const MOST: usize = 4096;

/// Why a display number is not free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Nothing: a server can have it.
    Free,
    /// A process has the display's socket. It can be our own `xorg@N.socket`.
    Bound {
        /// The user who created the socket, if that can be seen.
        by: Option<Uid>,
    },
    /// A process has only the abstract name of the display's socket.
    Named {
        /// The user; found by [`Taken::with_owner`].
        by: Option<Uid>,
    },
    /// A live process holds the display's lock.
    Locked {
        /// The process that the lock names.
        pid: Pid,
    },
    /// A socket that nobody listens on and that is not ours. Its directory is sticky: only its owner may remove it.
    ForeignSocket {
        /// The owner.
        uid: Uid,
    },
    /// A lock whose process is gone, or that names none, and that is not ours to replace.
    ForeignLock {
        /// The owner.
        uid: Uid,
    },
    /// Something of our own that neither systemd nor Xorg will replace, such as a directory.
    Obstructed {
        /// Its path.
        path: PathBuf,
    },
}

impl Taken {
    /// Returns whether a server can have the display.
    pub fn is_free(&self) -> bool {
        *self == Taken::Free
    }

    /// Adds the user who has the abstract name, for a message. Not queried earlier: the kernel's answer has all
    /// sockets, and anybody can have taken every name.
    #[must_use]
    pub fn with_owner(self, display: Display) -> Taken {
        match self {
            Taken::Named { by: None } => {
                let by = unix_sockets::owner_of_name(display.abstract_name().as_bytes());
                Taken::Named { by: by.map(Uid::from_raw) }
            }
            taken => taken,
        }
    }
}

/// The reason, which follows "display :N is not free: ".
impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Taken::Free => f.write_str("nothing is in its way"),
            Taken::Bound { by } => write!(f, "a process{} listens on its socket", of_user(*by)),
            Taken::Named { by } => write!(f, "a process{} has the abstract name of its socket", of_user(*by)),
            Taken::Locked { pid } => write!(f, "process {pid} holds its lock"),
            Taken::ForeignSocket { uid } => write!(f, "user {uid} left a socket that only they or root can remove"),
            Taken::ForeignLock { uid } => write!(f, "user {uid} left a lock file that only they or root can remove"),
            Taken::Obstructed { path } => write!(f, "{} is in the way; remove it", path.display()),
        }
    }
}

/// " of user N", which follows what the user has.
fn of_user(by: Option<Uid>) -> String {
    by.map(|uid| format!(" of user {uid}")).unwrap_or_default()
}

/// The paths to check, and the user. `Default` gives the real paths and the caller.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The kernel's list of bound Unix sockets of this network namespace, as in proc_net_unix(5).
    pub net_unix: PathBuf,
    /// The directory of the sockets.
    pub sockets: PathBuf,
    /// The directory of the lock files.
    pub locks: PathBuf,
    /// The user who wants the display: only files of this user can be replaced.
    pub uid: Uid,
}

impl Default for Paths {
    fn default() -> Self {
        Paths {
            net_unix: unix_sockets::LIST.into(),
            sockets: SOCKET_DIR.into(),
            locks: LOCK_DIR.into(),
            uid: geteuid(),
        }
    }
}

impl Paths {
    /// Takes a display and returns whether it is taken, and by what.
    ///
    /// # Errors
    /// The kernel's list, the socket or the lock cannot be read; a missing file is not an error.
    pub fn look(&self, display: Display) -> io::Result<Taken> {
        self.look_beside(&self.bound()?, display)
    }

    /// Takes a first display and returns the first free one from there on.
    ///
    /// # Errors
    /// As [`Paths::look`]; `AddrInUse` if every number is taken.
    pub fn first_free(&self, from: Display) -> io::Result<Display> {
        let mut in_the_way = Taken::Free;
        for (display, taken) in self.looks(from)? {
            match taken? {
                Taken::Free => return Ok(display),
                taken if in_the_way.is_free() => in_the_way = taken.with_owner(display),
                _ => {}
            }
        }
        Err(all_taken(from, &in_the_way))
    }

    /// Takes a first display and returns the state of each from there on, as far as the search for a free one
    /// goes; from one reading of the kernel's list.
    ///
    /// # Errors
    /// That cannot be read.
    pub fn looks(&self, from: Display) -> io::Result<impl Iterator<Item = (Display, io::Result<Taken>)>> {
        let bound = self.bound()?;
        let displays = (from.number()..=Display::MAX.number()).filter_map(Display::new).take(MOST);
        Ok(displays.map(move |display| (display, self.look_beside(&bound, display))))
    }

    fn bound(&self) -> io::Result<BoundDisplays> {
        Ok(bound_displays(&fs::read(&self.net_unix)?))
    }

    fn look_beside(&self, bound: &BoundDisplays, display: Display) -> io::Result<Taken> {
        if bound.by_path.contains(&display) {
            let by = fs::symlink_metadata(self.sockets.join(display.socket_name())).ok();
            return Ok(Taken::Bound { by: by.map(|facts| Uid::from_raw(facts.uid())) });
        }
        if bound.by_name.contains(&display) {
            return Ok(Taken::Named { by: None });
        }
        let lock = self.look_at_lock(self.locks.join(display.lock_name()))?;
        if !lock.is_free() {
            return Ok(lock);
        }
        self.look_at_socket(self.sockets.join(display.socket_name()))
    }

    /// What a lock at this path means.
    pub(super) fn look_at_lock(&self, path: PathBuf) -> io::Result<Taken> {
        let Some(facts) = facts_of(&path)? else {
            return Ok(Taken::Free);
        };
        let uid = Uid::from_raw(facts.uid());
        if facts.is_file() {
            match lock_holder(&start_of(&path)?) {
                // Xorg checks the same, and also treats another user's process (EPERM) as alive.
                Some(pid) if kill(pid, None) != Err(Errno::ESRCH) => {
                    return Ok(Taken::Locked { pid });
                }
                Some(_) if uid == self.uid => return Ok(Taken::Free),
                _ => {}
            }
        }
        Ok(if uid == self.uid { Taken::Obstructed { path } } else { Taken::ForeignLock { uid } })
    }

    fn look_at_socket(&self, path: PathBuf) -> io::Result<Taken> {
        let Some(facts) = facts_of(&path)? else {
            return Ok(Taken::Free);
        };
        let uid = Uid::from_raw(facts.uid());
        Ok(match (uid == self.uid, facts.file_type().is_socket()) {
            // systemd removes it and binds again.
            (true, true) => Taken::Free,
            (true, false) => Taken::Obstructed { path },
            (false, _) => Taken::ForeignSocket { uid },
        })
    }
}

/// [`Paths::look`] at the real places.
///
/// # Errors
/// As [`Paths::look`].
pub fn look(display: Display) -> io::Result<Taken> {
    Paths::default().look(display)
}

/// [`Paths::first_free`] at the real places.
///
/// # Errors
/// As [`Paths::first_free`].
pub fn first_free(from: Display) -> io::Result<Display> {
    Paths::default().first_free(from)
}

/// The failure that no checked display is free; `first` is the reason for the first one.
#[must_use]
pub fn all_taken(from: Display, first: &Taken) -> io::Error {
    let last = (from.number()..=Display::MAX.number()).filter_map(Display::new).take(MOST).last().unwrap_or(from);
    let text = format!(
        "every display from {from} to {last} is taken ({from}: {first}); to see by whom: ls -l {LOCK_DIR}/.X*-lock \
         {SOCKET_DIR}; or choose another one (--display)"
    );
    io::Error::new(io::ErrorKind::AddrInUse, text)
}

/// The displays whose sockets are bound.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct BoundDisplays {
    /// Those whose path is.
    pub by_path: BTreeSet<Display>,
    /// Those whose abstract name is.
    pub by_name: BTreeSet<Display>,
}

/// Takes the kernel's list and returns the displays whose socket is bound.
///
/// Strict about the name, because anybody can bind odd ones. A name may even hold a line break and imitate a whole
/// line, which gains nothing: who can do that can bind the name itself. Every kind of bound socket counts, listening
/// or not, since each makes bind(2) fail.
pub fn bound_displays(list: &[u8]) -> BoundDisplays {
    let mut bound = BoundDisplays::default();
    for name in unix_sockets::named(list).filter_map(|socket| std::str::from_utf8(socket.name).ok()) {
        let (path, displays) = match name.strip_prefix('@') {
            Some(path) => (path, &mut bound.by_name),
            None => (name, &mut bound.by_path),
        };
        let digits = path.strip_prefix(SOCKET_DIR).and_then(|rest| rest.strip_prefix("/X"));
        displays.extend(digits.and_then(Display::from_canonical));
    }
    bound
}

/// Takes the content of a lock file and returns the process that it names, `None` if it is not what Xorg writes
/// (`LockServer` in os/utils.c): the number in ten columns and a line break.
pub fn lock_holder(content: &[u8]) -> Option<Pid> {
    let content: &[u8; 11] = content.try_into().ok()?;
    let digits = std::str::from_utf8(content.strip_suffix(b"\n")?).ok()?.trim_start_matches(' ');
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|pid| plain && *pid > 0).map(Pid::from_raw)
}

/// Returns the process that a display's lock names, `None` if there is no lock or it names none.
///
/// Anybody can put a file of that name there while there is none: neither a link is followed nor a pipe waited for.
fn lock_holder_of(display: Display) -> Option<Pid> {
    lock_holder(&start_of(&display.lock_path()).ok()?)
}

/// Whether there is something of ours at `path` that is a file of this type.
fn is_ours(path: &Path, is_type: fn(&FileType) -> bool) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|metadata| is_type(&metadata.file_type()) && metadata.uid() == geteuid().as_raw())
}

/// Removes the lock file that a killed server has left: a file of ours that names no living process of ours.
pub fn remove_lock(display: Display) {
    let path = display.lock_path();
    let holder = lock_holder_of(display);
    // The link of a zombie cannot be read, nor that of another user's process that has got the pid since.
    let lives = |pid: Pid| fs::read_link(format!("/proc/{pid}/exe")).is_ok();
    if is_ours(&path, FileType::is_file) && holder.is_some_and(|pid| !lives(pid)) {
        files::remove(&path);
    }
}

/// Removes the socket that a killed user manager has left: one of ours without a listener.
pub fn remove_socket(display: Display) {
    let path = display.socket_path();
    // By the kernel's list, not by connecting, which would start the server of a socket that has a listener after all.
    let is_bound = || !Paths::default().bound().is_ok_and(|bound| !bound.by_path.contains(&display));
    if is_ours(&path, FileType::is_socket) && !is_bound() {
        files::remove(&path);
    }
}

fn facts_of(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(facts) => Ok(Some(facts)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads slightly more than a lock, so that a longer file is not taken for one; nothing if it cannot be read.
fn start_of(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let opened: io::Result<File> = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
    let mut content = Vec::new();
    match opened {
        Ok(file) => file.take(12).read_to_end(&mut content)?,
        Err(_) => 0,
    };
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::test_dir::TestDir;

    const HEADER: &str = "Num       RefCount Protocol Flags    Type St Inode Path\n";
    const D0: Display = Display::new(0).unwrap();
    const D1: Display = Display::new(1).unwrap();

    fn row(name: &str) -> String {
        format!("{HEADER}000000006bb6b16b: 00000002 00000000 00010000 0001 01    15 {name}\n")
    }

    /// A directory without sockets and locks, and a way to look at it.
    fn nothing_there() -> (TestDir, Paths) {
        let dir = TestDir::new();
        fs::write(dir.path("net_unix"), HEADER).unwrap();
        let (net_unix, sockets, locks) = (dir.path("net_unix"), dir.path(""), dir.path(""));
        (dir, Paths { net_unix, sockets, locks, uid: geteuid() })
    }

    /// A pid that no process has: the kernel's highest pid is lower.
    fn dead_lock() -> String {
        format!("{:10}\n", 1 << 23)
    }

    #[test]
    fn names_are_read_strictly() {
        let cases = [
            ("/tmp/.X11-unix/X0", Some(0)),
            ("@/tmp/.X11-unix/X10", Some(10)),
            ("/tmp/.X11-unix/X00", None),
            ("/tmp/.X11-unix/X", None),
            ("/tmp/.X11-unix/X+1", None),
            ("/tmp/.X11-unix/X1 ", None),
            (" /tmp/.X11-unix/X1", None),
            ("@/tmp/.X11-unix/X1@", None),
            ("@@/tmp/.X11-unix/X1", None),
            ("/tmp/.X11-unix/X59536", None),
            ("/home/x/tmp/.X11-unix/X1", None),
            ("/tmp/.X11-unix/Xé", None),
        ];
        for (name, number) in cases {
            let BoundDisplays { by_path, by_name } = bound_displays(row(name).as_bytes());
            let (found, none) = if name.starts_with('@') { (by_name, by_path) } else { (by_path, by_name) };
            let found: Vec<_> = found.into_iter().map(Display::number).collect();
            assert_eq!((found, none), (Vec::from_iter(number), BTreeSet::new()), "{name:?}");
        }
        for text in ["", "\n", HEADER, "a b c d e f g\nx", "Num\n0: 2 0 0 1 01 15"] {
            assert_eq!(bound_displays(text.as_bytes()), BoundDisplays::default(), "{text:?}");
        }
    }

    #[test]
    fn lock_contents() {
        let cases: [(&[u8], Option<i32>); 8] = [
            (b"       123\n", Some(123)),
            (b"2147483647\n", Some(2147483647)),
            (b"         0\n", None),
            (b"        -1\n", None),
            (b"        +1\n", None),
            (b"123\n", None),
            (b"       123\nx", None),
            (b"9999999999\n", None),
        ];
        for (content, pid) in cases {
            assert_eq!(lock_holder(content), pid.map(Pid::from_raw), "{content:?}");
        }
    }

    #[test]
    fn a_display_is_free_if_unused_or_left_by_a_dead_server_of_ours() {
        let (dir, paths) = nothing_there();
        assert_eq!(paths.look(D0).unwrap(), Taken::Free);
        drop(UnixListener::bind(dir.path("X0")).unwrap());
        fs::write(dir.path(".X0-lock"), dead_lock()).unwrap();
        assert_eq!(paths.look(D0).unwrap(), Taken::Free);
    }

    #[test]
    fn each_obstacle() {
        let (dir, mut paths) = nothing_there();
        drop(UnixListener::bind(dir.path("X0")).unwrap());
        let (us, them) = (paths.uid, Uid::from_raw(4_000_000));
        let lock = dir.path(".X0-lock");

        paths.uid = them;
        assert_eq!(paths.look(D0).unwrap(), Taken::ForeignSocket { uid: us });
        fs::write(&lock, dead_lock()).unwrap();
        assert_eq!(paths.look(D0).unwrap(), Taken::ForeignLock { uid: us });

        paths.uid = us;
        let pid = Pid::this();
        fs::write(&lock, format!("{pid:>10}\n")).unwrap();
        assert_eq!(paths.look(D0).unwrap(), Taken::Locked { pid });
        fs::write(&lock, "").unwrap();
        assert_eq!(paths.look(D0).unwrap(), Taken::Obstructed { path: lock.clone() });
        fs::remove_file(&lock).unwrap();
        symlink("X0", &lock).unwrap();
        assert_eq!(paths.look(D0).unwrap(), Taken::Obstructed { path: lock.clone() });

        fs::write(&paths.net_unix, row("@/tmp/.X11-unix/X0")).unwrap();
        assert_eq!(paths.look(D0).unwrap(), Taken::Named { by: None });
        assert_eq!(paths.first_free(D0).unwrap(), D1);
        fs::write(&paths.net_unix, row("/tmp/.X11-unix/X0")).unwrap();
        assert_eq!(paths.look(D0).unwrap(), Taken::Bound { by: Some(us) });
    }

    /// Anybody can create a lock for every number: the search ends, and the reason is reported.
    #[test]
    fn a_lock_for_every_number() {
        let (dir, mut paths) = nothing_there();
        for number in 0..=MOST {
            fs::write(dir.path(format!(".X{number}-lock")), "").unwrap();
        }
        paths.uid = Uid::from_raw(4_000_000);
        let begun = std::time::Instant::now();
        let error = paths.first_free(D0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let said = error.to_string();
        assert!(said.contains("from :0 to :4095") && said.contains("left a lock file that only they"), "{said}");
        assert!(begun.elapsed().as_secs() < 2, "{:?}", begun.elapsed());
        assert_eq!(paths.first_free(Display::new(1000).unwrap()).unwrap(), Display::new(4097).unwrap());
    }

    #[test]
    fn none_free() {
        let (_dir, paths) = nothing_there();
        fs::write(&paths.net_unix, row("@/tmp/.X11-unix/X59535")).unwrap();
        assert_eq!(paths.first_free(Display::MAX).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
