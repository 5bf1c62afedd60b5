//! Checks that the directory of the sockets is safe to use.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, Uid, access, geteuid};
use thiserror::Error;

use super::facts_of;

/// What is wrong with the directory of the sockets.
#[derive(Debug, Error)]
pub enum SocketDirProblem {
    /// It does not exist.
    #[error("{} is missing, and only root can create it safely; run: {REMEDY}", path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// A link, a file or something else has its name.
    #[error("{} is not a directory, so X sockets are not safe there; run: sudo rm {} && {REMEDY}",
        path.display(), path.display())]
    NotADirectory {
        /// The directory.
        path: PathBuf,
    },
    /// It is not root's, so its owner can exchange everybody's sockets.
    #[error("{} belongs to user {uid}, who could replace your server with another one; run: {REMEDY}", path.display())]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Who owns it.
        uid: Uid,
    },
    /// Not everybody may create sockets in it, or everybody may remove those of others.
    #[error("{} has mode {mode:04o} instead of 1777; run: {REMEDY}", path.display())]
    Mode {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Nothing can be created in it: WSL mounts it read-only.
    #[error(
        "{} is on a file system that is mounted read-only, so no display can have its socket there; run: sudo mount \
         -o remount,rw {}{}", path.display(), mount.display(),
        if mount == path { format!(", or sudo umount {}", path.display()) } else { String::new() }
    )]
    ReadOnly {
        /// The directory.
        path: PathBuf,
        /// Where the file system is mounted.
        mount: PathBuf,
    },
    /// It cannot be examined.
    #[error("{} cannot be examined: {source}", path.display())]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// The error of lstat(2).
        source: io::Error,
    },
}

/// Why a container has no directory for sockets.
#[derive(Debug, Error)]
pub enum NotProvided {
    /// It cannot be created, or is not safe.
    #[error("{} {what}; as root, run: {remedy}", path.display())]
    Here {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        what: String,
        /// The command that mends it.
        remedy: String,
    },
    /// As on every machine.
    #[error("{0}")]
    Problem(#[from] SocketDirProblem),
}

/// The owner of what belongs to a user who does not exist in this container (user_namespaces(7), `overflowuid`).
const OVERFLOW: u32 = 65534;

/// Makes the directory, or mends its owner and mode. `--boot`, because x11.conf marks its lines (`!`) as safe only
/// while the system boots, and tmpfiles passes them over without it; making the directory is safe at any time.
pub const REMEDY: &str = "sudo systemd-tmpfiles --create --boot --prefix=/tmp/.X11-unix x11.conf";

/// Takes the directory of the sockets and returns whether it is as it must be: a real directory, root's, mode 1777.
///
/// To be asked before anything binds a socket there: the user manager makes missing directories (systemd.socket(5),
/// `DirectoryMode=`), owned by the user and closed to everybody else, and X servers of other users would then fail.
///
/// # Errors
/// A [`SocketDirProblem`], which says what to do.
pub fn check_socket_dir(path: &Path) -> Result<(), SocketDirProblem> {
    check_socket_dir_of(path, Uid::from_raw(0))
}

/// As [`check_socket_dir`], for a container without systemd, where nothing else creates the directory: it is created, or
/// given its mode. It may also be this user's, or root's of the machine around the container.
///
/// # Errors
/// [`NotProvided`].
pub fn provide_socket_dir(path: &Path) -> Result<(), NotProvided> {
    // The umask does not matter for chmod(2).
    let open = || fs::set_permissions(path, Permissions::from_mode(0o1777));
    let no = |what: String, remedy: &str| {
        Err(NotProvided::Here { path: path.to_path_buf(), what, remedy: format!("{remedy} {}", path.display()) })
    };
    // Another process may be faster than we are.
    let made = match DirBuilder::new().mode(0o1777).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => Ok(()),
        Ok(()) => open(),
    };
    let problem = |owner| check_socket_dir_of(path, owner);
    let trusted = [Uid::from_raw(0), geteuid(), Uid::from_raw(OVERFLOW)];
    match trusted.map(problem).into_iter().min_by_key(|result| match result {
        Ok(()) => 0,
        Err(SocketDirProblem::Owner { .. }) => 2,
        Err(_) => 1,
    }) {
        None | Some(Ok(())) => Ok(()),
        Some(Err(SocketDirProblem::Missing { .. })) => {
            let why = made.err().map_or_else(String::new, |error| format!(" ({error})"));
            no(format!("is missing and cannot be created{why}"), "mkdir -m 1777")
        }
        Some(Err(SocketDirProblem::Owner { uid, .. })) => {
            no(format!("belongs to user {uid}, who could replace your server with another one"), "chown 0:0")
        }
        Some(Err(SocketDirProblem::Mode { mode, .. })) => match open() {
            Ok(()) => Ok(()),
            Err(_) => no(format!("has mode {mode:04o} instead of 1777"), "chmod 1777"),
        },
        Some(Err(SocketDirProblem::NotADirectory { .. })) => no("is not a directory".to_owned(), "rm"),
        Some(Err(problem)) => Err(problem.into()),
    }
}

fn check_socket_dir_of(path: &Path, owner: Uid) -> Result<(), SocketDirProblem> {
    let path = path.to_path_buf();
    let facts = match facts_of(&path) {
        Ok(Some(facts)) => facts,
        Ok(None) => return Err(SocketDirProblem::Missing { path }),
        Err(source) => return Err(SocketDirProblem::Unreadable { path, source }),
    };
    let (uid, mode) = (Uid::from_raw(facts.uid()), facts.mode() & 0o7777);
    if !facts.is_dir() {
        Err(SocketDirProblem::NotADirectory { path })
    } else if access(&path, AccessFlags::W_OK) == Err(Errno::EROFS) {
        // What is wrong with it otherwise could not be mended before.
        Err(SocketDirProblem::ReadOnly { mount: mount_of(&path, facts.dev()), path })
    } else if uid != owner {
        Err(SocketDirProblem::Owner { path, uid })
    } else if mode & 0o1777 != 0o1777 {
        Err(SocketDirProblem::Mode { path, mode })
    } else {
        Ok(())
    }
}

/// Where the file system with this device number is mounted that a path is on.
fn mount_of(path: &Path, device: u64) -> PathBuf {
    let on_it = |path: &&Path| std::fs::metadata(path).is_ok_and(|facts| facts.dev() == device);
    path.ancestors().take_while(on_it).last().unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::test_dir::TestDir;

    #[test]
    fn a_container_has_its_own_directory() {
        let dir = TestDir::new();
        let path = dir.path(".X11-unix");
        let error = provide_socket_dir(&dir.path("missing/.X11-unix")).unwrap_err().to_string();
        assert!(error.contains("as root, run: mkdir -m 1777 "), "{error}");
        for _ in 0..2 {
            provide_socket_dir(&path).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o1777);
        }
        // As by `RUN mkdir` in the recipe of an image.
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        provide_socket_dir(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o1777);
        fs::remove_dir(&path).unwrap();
        fs::write(&path, "").unwrap();
        let error = provide_socket_dir(&path).unwrap_err().to_string();
        assert!(error.contains("is not a directory; as root, run: rm "), "{error}");
    }

    #[test]
    fn socket_directory() {
        let dir = TestDir::new();
        let path = dir.path(".X11-unix");
        let said = |uid| check_socket_dir_of(&path, uid).err().map_or(String::new(), |problem| problem.to_string());
        let us = geteuid();
        assert!(said(us).contains("is missing"));
        fs::write(&path, "").unwrap();
        assert!(said(us).contains("not a directory"));
        fs::remove_file(&path).unwrap();
        symlink(dir.path(""), &path).unwrap();
        assert!(said(us).contains("not a directory"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(said(us).contains("mode 0755 instead of 1777"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(said(us), "");
        assert!(said(Uid::from_raw(4_000_000)).contains(&format!("belongs to user {us}")));
    }
}
