//! Access to the guest without running a program there: its accounts, its files, its sockets.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

use nix::cmsg_space;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recv, recvmsg, send, sendmsg,
    setsockopt, socketpair, sockopt::ReceiveTimeout,
};
use nix::sys::time::TimeVal;
use nix::unistd::{Gid, Uid};

use super::guest::{Guest, STEP};
use super::sys::{self, Account};
use super::wait::wait_until;

impl Guest {
    /// The account of `user`, with the user's current groups.
    ///
    /// # Panics
    /// When there is no such user, or no group of that name.
    pub(super) fn account(&self, user: &str) -> Account {
        let file = fs::read_to_string(self.outside("/etc/group")).unwrap_or_default();
        let groups: Vec<Vec<&str>> = file.lines().map(|line| line.split(':').collect()).collect();
        let id = |group: &Vec<&str>| group.get(2)?.parse().ok().map(Gid::from_raw);
        let own = groups.iter().find(|group| group[0] == user).and_then(id);
        let gid = own.unwrap_or_else(|| panic!("the guest has no group {user}"));
        let has = |group: &&Vec<&str>| group.last().is_some_and(|members| members.split(',').any(|name| name == user));
        let groups = std::iter::once(gid).chain(groups.iter().filter(has).filter_map(id)).collect();
        Account { uid: Uid::from_raw(self.uid(user)), gid, groups }
    }

    /// Writes `text` to the file `path` as root, creating directories as needed.
    ///
    /// # Panics
    /// When that fails.
    pub fn write(&self, path: &str, text: &str) {
        self.write_file(None, path, text);
    }

    /// Writes `text` to the file `path` as `user`; `~/` is the user's home.
    ///
    /// # Panics
    /// When that fails.
    pub fn write_as(&self, user: &str, path: &str, text: &str) {
        let in_home = path.strip_prefix("~/").map(|path| format!("/home/{user}/{path}"));
        self.write_file(Some(user), in_home.as_deref().unwrap_or(path), text);
    }

    fn write_file(&self, user: Option<&str>, path: &str, text: &str) {
        let file = Path::new(path);
        let write = || {
            file.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(file, text)
        };
        self.with_files(user, write).unwrap_or_else(|e| panic!("writing the guest's {path}: {e}"));
    }

    /// The text of a file, read as root.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn read(&self, path: &str) -> String {
        let bytes = self.with_files(None, || fs::read(path));
        String::from_utf8_lossy(&bytes.unwrap_or_else(|e| panic!("reading the guest's {path}: {e}"))).into_owned()
    }

    /// Waits until the file `path` exists and is not empty, and returns its text.
    ///
    /// # Panics
    /// After 15 s.
    pub fn wait_file(&self, path: &str) -> String {
        wait_until(&format!("something in {path}"), STEP, || match self.with_files(None, || fs::read_to_string(path)) {
            Ok(text) if !text.is_empty() => Ok(text),
            Ok(_) => Err("it is empty".to_owned()),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Does `work` in a thread that sees the guest's files, as root or with the rights of `user`.
    ///
    /// # Errors
    /// Those of `work`; or the guest has ended.
    pub(super) fn with_files<T: Send>(
        &self,
        user: Option<&str>,
        work: impl FnOnce() -> io::Result<T> + Send,
    ) -> io::Result<T> {
        let who = user.map(|user| self.account(user));
        let init = self.process()?;
        let inside = move || sys::see_files_inside(&init, who.as_ref()).and_then(|()| work());
        thread::scope(|scope| scope.spawn(inside).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }

    /// Connects to the guest's socket `path`.
    ///
    /// # Errors
    /// Those of `connect(2)`; or the guest has ended.
    pub(super) fn connect(&self, path: &str) -> io::Result<UnixStream> {
        let mut porter = self.porter.0.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..2 {
            let socket = match porter.take() {
                Some(socket) => socket,
                None => start_porter(self)?,
            };
            // Absolute symbolic links would be resolved outside; /run has none.
            if let Ok(answer) = ask(&socket, &self.outside(path).into_os_string()) {
                *porter = Some(socket);
                return answer;
            }
            // A case killed it, with everything else: start another one.
        }
        Err(io::Error::other("the process that connects for us does not answer"))
    }
}

/// A process in the guest that connects to sockets there and passes the connections on.
///
/// systemd asks the kernel which process is at the other end of its private socket, and refuses one without a pid in
/// its own namespace. A process cannot move into that namespace: it has to be forked there.
#[derive(Default)]
pub(super) struct Porter(Mutex<Option<OwnedFd>>);

fn start_porter(guest: &Guest) -> io::Result<OwnedFd> {
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    setsockopt(&ours, ReceiveTimeout, &TimeVal::new(5, 0))?;
    let (init, procs) = (guest.process()?, guest.command_cgroup()?);
    let inside = move || sys::bear_inside(&init).and_then(|()| sys::fork_inside(theirs, &procs, connect_for));
    thread::scope(|scope| scope.spawn(inside).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    Ok(ours)
}

/// The porter's loop: each packet is a path, each answer an error number, with the connection if that is 0.
fn connect_for(socket: &OwnedFd) {
    let mut path = [0; 256];
    while let Ok(length @ 1..) = recv(socket.as_raw_fd(), &mut path, MsgFlags::empty()) {
        let connected = UnixStream::connect(OsStr::from_bytes(&path[..length]));
        let (error, fds) = match &connected {
            Ok(stream) => (0, vec![stream.as_raw_fd()]),
            Err(error) => (error.raw_os_error().unwrap_or(nix::libc::EINVAL), Vec::new()),
        };
        let rights = [ControlMessage::ScmRights(&fds)];
        let rights = if fds.is_empty() { &[][..] } else { &rights[..] };
        let answer = i32::to_ne_bytes(error);
        if sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&answer)], rights, MsgFlags::empty(), None).is_err() {
            return;
        }
    }
}

/// Asks the porter to connect; the outer error is the porter's own.
fn ask(porter: &OwnedFd, path: &OsStr) -> io::Result<io::Result<UnixStream>> {
    send(porter.as_raw_fd(), path.as_bytes(), MsgFlags::MSG_NOSIGNAL)?;
    let (mut error, mut space) = ([0; 4], cmsg_space!([i32; 1]));
    let mut parts = [IoSliceMut::new(&mut error)];
    let answer = recvmsg::<()>(porter.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    if answer.bytes != 4 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let fds = answer.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
        _ => None,
    });
    Ok(match fds {
        Some(fd) => Ok(sys::own(fd).into()),
        None => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(error))),
    })
}
