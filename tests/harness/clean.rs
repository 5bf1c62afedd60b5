//! Between two cases: everybody is logged out, and everything is as after the boot.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use super::guest::{Guest, STEP};
use super::snapshot::below;
use super::sys::Account;
use super::wait::{secs, wait_until};

/// The users of a guest.
const USERS: [&str; 2] = ["ada", "eve"];

/// A race: a getty that is stopped while it logs somebody in ends the login, and pid 1 finds no process for that
/// session's scope, which then fails (scope.c, `scope_start`: "No PIDs left to attach").
const FORGET_STILLBORN: &str = "systemctl list-units --failed --plain --no-legend 'session-*.scope' |
    while read -r scope _; do
      [ \"$(systemctl show --value -p Result \"$scope\")\" != resources ] || systemctl reset-failed \"$scope\"
    done";

impl Guest {
    /// Ends every login and every user manager, and waits until none of their processes is left.
    ///
    /// # Panics
    /// When something is left after 15 s.
    pub fn log_everybody_out(&self) {
        for file in below(self, "/var/lib/systemd/linger", 1) {
            let _ = fs::remove_file(self.outside(&file));
        }
        let system = self.system();
        system.stop(&["getty@*.service", "user@*.service"], secs(30));
        let logind = self.logind();
        logind.terminate_sessions();
        system.stop(&["user-runtime-dir@*.service"], secs(30));
        wait_until("the users to have no session and no process", STEP, || {
            let uids = USERS.map(|user| self.uid(user));
            let processes = self.processes(|process| uids.contains(&process.uid));
            let (sessions, directories) = (logind.sessions(|_| true), below(self, "/run/user", 1));
            let nothing = sessions.is_empty() && processes.is_empty() && directories.is_empty();
            if nothing { Ok(()) } else { Err(format!("{sessions:?}\n{processes:?}\n{directories:?}")) }
        });
        self.root(FORGET_STILLBORN).ok();
    }

    /// Restores files and terminals to their state after the boot.
    pub(super) fn reset(&self) {
        let users = USERS.map(|user| (user, self.account(user)));
        let files = self.with_files(None, || {
            users.iter().try_for_each(|(user, account)| new_home(user, account))?;
            remove_what_servers_leave()?;
            remove_getty_drop_ins()
        });
        let system = self.system();
        match files {
            Ok(false) => {}
            Ok(true) => system.reload(),
            Err(error) => panic!("the guest's files cannot be reset: {error}"),
        }
        system.reset_failed();
        for vt in (1..=9).map(|n| self.vt(n)).filter(super::vt::Vt::exists) {
            vt.clear();
        }
        if !self.is_headless() {
            self.vt(1).switch();
        }
    }
}

/// The home of a user as it was when the user was created.
fn new_home(user: &str, account: &Account) -> io::Result<()> {
    let home = format!("/home/{user}");
    remove(Path::new(&home))?;
    copy(Path::new("/etc/skel"), Path::new(&home), account)
}

/// Removes a file, or a directory with its contents, if it exists.
fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(file) if file.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    }
}

/// Copies a directory with its files, for a new owner.
fn copy(from: &Path, to: &Path, owner: &Account) -> io::Result<()> {
    let mode = fs::metadata(from)?.permissions().mode() & 0o7777;
    if from.is_dir() {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()), owner)?;
        }
    } else {
        fs::copy(from, to)?;
    }
    chown(to, Some(owner.uid.as_raw()), Some(owner.gid.as_raw()))?;
    fs::set_permissions(to, Permissions::from_mode(mode))
}

/// Removes what is in a directory and has a name that is `wanted`.
fn remove_in(directory: &str, wanted: impl Fn(&str) -> bool) -> io::Result<bool> {
    let mut some = false;
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(&wanted) {
            remove(&entry.path())?;
            some = true;
        }
    }
    Ok(some)
}

/// In directories that everybody may write to.
fn remove_what_servers_leave() -> io::Result<()> {
    remove_in("/tmp", |name| name.starts_with("tmux-") || name.starts_with(".X") && name.ends_with("-lock"))?;
    remove_in("/tmp/.X11-unix", |_| true)?;
    remove(Path::new("/etc/systemd/user/dbus.service"))
}

/// The drop-ins of cases; the tree's own is elsewhere. Returns whether there was one.
fn remove_getty_drop_ins() -> io::Result<bool> {
    remove_in("/run/systemd/system", |name| name.starts_with("getty@") && name.ends_with(".service.d"))
}
