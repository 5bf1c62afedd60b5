//! A display number that is ours: taken in an atomic step, and held until its holder releases it or ends.
//!
//! Two things claim a number, and no X server starts if either is taken:
//!
//! - *The abstract name* of its socket. We bind it and never listen, so connect(2) is refused, for other users and for
//!   sandboxes that share our network namespace, and libxcb goes on to the path, which has a mode. If nobody had the
//!   name, another user could take it, and collect the cookies of clients, which try it first. The kernel gives a name
//!   once (bind(2)), and frees it when its holder ends.
//! - *The lock*, `/tmp/.XN-lock`, with our pid in it, as a server writes it (`LockServer` in os/utils.c). The server of the
//!   display creates no lock (`-displayfd`, see [`super::server`]): its own would be gone between its crash and its
//!   restart, when anybody could take the number.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::sys::socket::{SockType, UnixAddr, getsockname, getsockopt, sockopt};
use nix::unistd::{geteuid, getpid, linkat};

use super::display::Display;
use super::occupied::{Paths, Taken};
use crate::files::{self, NotWritten};
use crate::unix_socket;

/// Why a number could not be taken.
#[derive(Debug)]
pub enum NotOurs {
    /// Another process has it.
    Taken(Taken),
    /// The lock cannot be written.
    NotWritten(NotWritten),
    /// The system has no room for another socket, or the like.
    Failed(io::Error),
}

impl From<io::Error> for NotOurs {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// A number that we hold. Dropping it releases it.
#[derive(Debug)]
pub struct Number {
    // Removed before the name is free, so that whoever finds the name free finds no lock.
    lock: LockFile,
    name: OwnedFd,
}

/// The lock, with a pid in it.
#[derive(Debug)]
struct LockFile {
    path: PathBuf,
    file: File,
    /// Whether another process removes it.
    is_left: bool,
}

impl Number {
    /// Takes a display's number. Does not touch what others have.
    ///
    /// Does not check whether the path of the socket is in the way.
    ///
    /// # Errors
    /// [`NotOurs`].
    pub fn take(display: Display) -> Result<Self, NotOurs> {
        Self::take_in(&Paths::default(), display)
    }

    fn take_in(paths: &Paths, display: Display) -> Result<Self, NotOurs> {
        let address = UnixAddr::new_abstract(display.abstract_name().as_bytes()).map_err(io::Error::from)?;
        let name = match unix_socket::held(SockType::Stream, &address) {
            Ok(name) => name,
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(NotOurs::Taken(Taken::Named { by: None }));
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { lock: LockFile::make(paths, display)?, name })
    }

    /// The name, for a process of ours that keeps others from taking it when this one has ended.
    #[must_use]
    pub fn name(&self) -> BorrowedFd<'_> {
        self.name.as_fd()
    }

    /// The descriptors with which another process of ours takes over the number (`SCM_RIGHTS`, unix(7)).
    #[must_use]
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.name.as_fd(), self.lock.file.as_fd()]
    }

    /// Forgets it after another process has taken it over.
    pub fn hand_over(mut self) {
        self.lock.is_left = true;
    }

    /// Takes the number over, by its [`Number::descriptors`].
    ///
    /// # Errors
    /// They are not those of this display's name and lock, or the lock cannot be written.
    pub fn receive(display: Display, descriptors: Vec<OwnedFd>) -> io::Result<Self> {
        Self::receive_in(&Paths::default(), display, descriptors)
    }

    fn receive_in(paths: &Paths, display: Display, descriptors: Vec<OwnedFd>) -> io::Result<Self> {
        let no = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let Ok([name, lock]) = <[OwnedFd; 2]>::try_from(descriptors) else {
            return Err(no("a number comes with two descriptors"));
        };
        let address = getsockname::<UnixAddr>(name.as_raw_fd())?;
        if address.as_abstract() != Some(display.abstract_name().as_bytes()) || getsockopt(&name, sockopt::AcceptConn)?
        {
            return Err(no("it is not the display's name"));
        }
        let lock = LockFile { path: paths.locks.join(display.lock_name()), file: lock.into(), is_left: false };
        if !lock.is_in_place() {
            return Err(no("it is not the display's lock"));
        }
        // Of the same length as the text that it replaces.
        lock.file.write_all_at(pid_line().as_bytes(), 0)?;
        Ok(Self { lock, name })
    }
}

/// Opens the path of a display whose number is ours to other users: connect(2) then succeeds, and the server asks for
/// the cookie.
///
/// # Errors
/// It is not there.
pub fn open_to_others(display: Display) -> io::Result<()> {
    let path = display.socket_path();
    let facts = fs::symlink_metadata(&path)?;
    // The directory is root's and sticky, so nobody else can replace what is ours.
    if !facts.file_type().is_socket() || facts.uid() != geteuid().as_raw() {
        return Err(io::ErrorKind::NotFound.into());
    }
    fs::set_permissions(&path, Permissions::from_mode(0o666))
}

/// The text that a server writes: its pid in ten columns, and a line break.
fn pid_line() -> String {
    format!("{:>10}\n", getpid())
}

impl LockFile {
    fn make(paths: &Paths, display: Display) -> Result<Self, NotOurs> {
        /// How often we try again: a server that is started by hand again and again can be faster.
        const ATTEMPTS: u32 = 8;
        let path = paths.locks.join(display.lock_name());
        let mut in_the_way = Taken::Free;
        for _ in 0..ATTEMPTS {
            match write_new(&paths.locks, &path) {
                Ok(file) => return Ok(Self { path, file, is_left: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(NotOurs::NotWritten(NotWritten::new(&path, error))),
            }
            in_the_way = paths.look_at_lock(path.clone())?;
            if !in_the_way.is_free() {
                break;
            }
            // A lock of ours, whose process is gone; or the lock has vanished.
            files::remove_if_there(&path)?;
        }
        Err(NotOurs::Taken(in_the_way))
    }

    /// Whether the lock of the display is this one.
    fn is_in_place(&self) -> bool {
        match (fs::symlink_metadata(&self.path), self.file.metadata()) {
            (Ok(there), Ok(here)) => there.is_file() && there.ino() == here.ino() && there.dev() == here.dev(),
            _ => false,
        }
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        if !self.is_left && self.is_in_place() {
            files::remove(&self.path);
        }
    }
}

/// Creates the lock: complete and readable for everybody, or not at all.
///
/// # Errors
/// `AlreadyExists`, or the directory is full.
fn write_new(directory: &Path, path: &Path) -> io::Result<File> {
    let options = |flags: OFlag| {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o444).custom_flags(flags.bits());
        options
    };
    let fill = |file: &mut File| {
        file.write_all(pid_line().as_bytes())?;
        // By descriptor, so that the umask does not matter: another user's server has to be able to read it.
        file.set_permissions(Permissions::from_mode(0o444))
    };
    // Without a name until it is complete, so that nobody takes half of it for a stale lock.
    match options(OFlag::O_TMPFILE).open(directory) {
        Ok(mut file) => {
            fill(&mut file)?;
            let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
            linkat(AT_FDCWD, nameless.as_str(), AT_FDCWD, path, AtFlags::AT_SYMLINK_FOLLOW)?;
            Ok(file)
        }
        // Not every file system supports files without names (open(2), `O_TMPFILE`).
        Err(error)
            if [Errno::EOPNOTSUPP, Errno::EISDIR].iter().any(|errno| error.raw_os_error() == Some(*errno as i32)) =>
        {
            let mut file = options(OFlag::O_NOFOLLOW).create_new(true).open(path)?;
            fill(&mut file).inspect_err(|_| files::remove(path))?;
            Ok(file)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

    use nix::unistd::Uid;

    use super::*;
    use crate::test_dir::TestDir;

    /// Paths of locks for a number that nothing else uses.
    fn place(number: u16) -> (TestDir, Paths, Display) {
        let dir = TestDir::new();
        let paths = Paths { net_unix: dir.path("none"), sockets: dir.path(""), locks: dir.path(""), uid: geteuid() };
        (dir, paths, Display::new(number).unwrap())
    }

    fn taken(number: Result<Number, NotOurs>) -> Taken {
        match number {
            Err(NotOurs::Taken(taken)) => taken,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_number_is_taken_once_and_is_free_after_its_release() {
        let (dir, paths, display) = place(59_101);
        let number = Number::take_in(&paths, display).unwrap();
        let lock = dir.path(".X59101-lock");
        assert_eq!(fs::read_to_string(&lock).unwrap(), format!("{:>10}\n", std::process::id()));
        assert_eq!(fs::metadata(&lock).unwrap().permissions().mode() & 0o7777, 0o444);
        let taken = taken(Number::take_in(&paths, display));
        assert_eq!(taken, Taken::Named { by: None });
        assert_eq!(taken.with_owner(display), Taken::Named { by: Some(paths.uid) });
        drop(number);
        assert_eq!(dir.names(), [""; 0]);
        Number::take_in(&paths, display).unwrap();
    }

    #[test]
    fn the_name_accepts_no_connection() {
        let (_dir, paths, display) = place(59_102);
        let _number = Number::take_in(&paths, display).unwrap();
        let address = SocketAddr::from_abstract_name(display.abstract_name()).unwrap();
        let refused = UnixStream::connect_addr(&address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(UnixListener::bind_addr(&address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_lock_of_somebody_who_lives_is_left_and_one_of_ours_that_is_dead_replaced() {
        let (dir, mut paths, display) = place(59_103);
        let lock = dir.path(".X59103-lock");
        fs::write(&lock, format!("{:>10}\n", std::process::id())).unwrap();
        assert_eq!(taken(Number::take_in(&paths, display)), Taken::Locked { pid: getpid() });
        let dead = format!("{:>10}\n", 1 << 23);
        fs::write(&lock, &dead).unwrap();
        let us = std::mem::replace(&mut paths.uid, Uid::from_raw(4_000_000));
        assert_eq!(taken(Number::take_in(&paths, display)), Taken::ForeignLock { uid: us });
        assert_eq!(fs::read_to_string(&lock).unwrap(), dead);
        paths.uid = us;
        let number = Number::take_in(&paths, display).unwrap();
        // A lock that has replaced it is not ours to remove.
        fs::remove_file(&lock).unwrap();
        fs::write(&lock, &dead).unwrap();
        drop(number);
        assert_eq!(fs::read_to_string(&lock).unwrap(), dead);
    }

    #[test]
    fn a_directory_that_cannot_be_written_to_is_reported() {
        let (_dir, mut paths, display) = place(59_104);
        paths.locks = "/proc".into();
        let Err(NotOurs::NotWritten(error)) = Number::take_in(&paths, display) else { panic!("it is taken") };
        assert!(error.to_string().contains("cannot write to /proc/.X59104-lock"), "{error}");
    }

    #[test]
    fn another_process_takes_it_over() {
        let (dir, paths, display) = place(59_105);
        let number = Number::take_in(&paths, display).unwrap();
        let copies = || number.descriptors().map(|fd| fd.try_clone_to_owned().unwrap()).into();
        let (_other, paths_of_others, other_display) = place(59_106);
        assert!(Number::receive_in(&paths, other_display, copies()).is_err());
        assert!(Number::receive_in(&paths_of_others, display, copies()).is_err());
        let received = Number::receive_in(&paths, display, copies()).unwrap();
        number.hand_over();
        assert_eq!(taken(Number::take_in(&paths, display)), Taken::Named { by: None });
        assert_eq!(dir.names(), [".X59105-lock"]);
        drop(received);
        assert_eq!(dir.names(), [""; 0]);
    }
}
