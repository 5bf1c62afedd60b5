//! `$XDG_RUNTIME_DIR/startxd/`: where everything lives that a session leaves on disk.
//!
//! | file | what | who makes it |
//! |---|---|---|
//! | `host.sock` | the launch socket | the host |
//! | `notify.sock` | where a window manager says that it is ready | the host |
//! | `session.toml` | what the session is, and the environment to put back | the host |
//! | `attached.toml` | the display that `startxd attach` was given, and the environment to put back | `attach` |
//! | `multiplexers.toml` | what multiplexers had before they were told of the display | the host, or `attach` |
//! | `lock` | held (flock(2)) by the one host of this user | the host |
//! | `session.env` | what describes the login session, for `EnvironmentFile=` of a person's own units | the host |
//! | `../xauth_startxd_N` | the cookie of display `:N` | whoever comes first of host and supervisor |
//! | `display-N.toml` | the claim to the number of a display without a screen, and its settings | who starts it |
//! | `number-N.sock` | where its supervisor gets the number from | who starts it |
//! | `display-N.state` | what has become of it | its supervisor |
//! | `vnc-N.sock` | where viewers reach such a display, if its server is a VNC server | that server |
//!
//! The directory is 0700 and every file 0600 from birth. The cookie lies beside it and is called `xauth_…`: a file of
//! that name is what sandboxes let through (firejail's profiles, AppArmor's abstraction `X`).

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::x11::display::Display;

/// Why there is no place for a session's files.
#[derive(Debug, Error)]
pub enum NoRuntimeDir {
    /// The variable is not set, as after `su` or from cron.
    #[error(
        "XDG_RUNTIME_DIR is not set, so this shell is not part of a login session; log in on a virtual terminal \
         (su and sudo do not make a session)"
    )]
    Unset,
    /// The variable is not set, and no user manager runs that would have a directory.
    #[error(
        "XDG_RUNTIME_DIR is not set and {0} does not exist, so your user manager does not run; to let it run without a login: \
         sudo loginctl enable-linger {1}"
    )]
    NoManager(PathBuf, String),
    /// There is none, in a login of ours: pid 1 takes it away with the user manager, and a login that begins at that
    /// very moment gets neither. The manager's start is what the session's scope wants, and a job that is wanted gives
    /// way to the other one's that is queued already (systemd, transaction.c, `transaction_minimize_impact`).
    #[error("{0} does not exist: your user manager ended when this login began, or later; log out and in again")]
    Gone(PathBuf),
    /// The variable leads to a directory of somebody else, as after `su` without `-`.
    #[error(
        "XDG_RUNTIME_DIR is {0}, which is not a directory of yours; log in on a virtual terminal (su and sudo do not \
         make a session)"
    )]
    NotOurs(PathBuf),
    /// The directory could not be made: full, read-only, or an obstacle.
    #[error("{path} cannot be created: {error}; free some space, or check the path: ls -ld {path}")]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

/// Where logind has a directory made for us (user-runtime-dir@.service).
fn made_by_logind() -> PathBuf {
    PathBuf::from(format!("/run/user/{}", nix::unistd::geteuid()))
}

/// The name of our own directory, and how the names of cookie files begin.
const OURS: &str = "startxd";
const AUTHORITY: &str = "xauth_startxd_";

/// How the names of temporary directories begin; six characters follow.
const TEMPORARY: &str = "startxd-";

/// Whether a directory has nothing in it but what is made in a runtime directory here.
fn holds_only_what_is_ours(path: &Path) -> bool {
    let mut entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.all(|entry| {
        let name = entry.file_name();
        name == OURS || name.as_encoded_bytes().starts_with(AUTHORITY.as_bytes())
    })
}

/// The paths of one user's session.
#[derive(Debug, Clone)]
pub struct RuntimeDir {
    runtime: PathBuf,
    ours: PathBuf,
}

impl RuntimeDir {
    /// The directory by `$XDG_RUNTIME_DIR` (XDG Base Directory Specification); nothing is made yet.
    ///
    /// # Errors
    /// The variable is unset, not absolute, or its directory is not ours.
    pub fn find() -> Result<Self, NoRuntimeDir> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
        Self::of(runtime.ok_or(NoRuntimeDir::Unset)?)
    }

    /// As [`RuntimeDir::find`], but where the variable is of no use, the directory that logind makes (pam_systemd(8)):
    /// for what needs the user manager alone, and no login. It is not set in cron(8), it leads to somebody else's
    /// directory after su(1), and in CI to one that was never made.
    ///
    /// # Errors
    /// As there; or there is none.
    pub fn find_without_login() -> Result<Self, NoRuntimeDir> {
        let set = std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|path| !path.is_empty());
        let fault = match Self::find() {
            Err(fault) if set => Some(fault),
            Err(_) => None,
            found => return found,
        };
        let (uid, path) = (nix::unistd::geteuid(), made_by_logind());
        Self::of(path.clone()).map_err(|_| match fault {
            Some(NoRuntimeDir::NotOurs(theirs)) if theirs.exists() => NoRuntimeDir::NotOurs(theirs),
            _ => {
                let user = nix::unistd::User::from_uid(uid).ok().flatten();
                NoRuntimeDir::NoManager(path, user.map_or_else(|| uid.to_string(), |user| user.name))
            }
        })
    }

    /// As [`RuntimeDir::find`], in a login session that is known to be ours.
    ///
    /// # Errors
    /// As there; [`NoRuntimeDir::Gone`] if there is none, whatever the variable says.
    pub fn find_in_login() -> Result<Self, NoRuntimeDir> {
        Self::find().map_err(|fault| match made_by_logind() {
            path if path.exists() => fault,
            path => NoRuntimeDir::Gone(path),
        })
    }

    /// The directory at this path; nothing is made yet.
    ///
    /// # Errors
    /// It is not a directory, or not ours.
    pub fn of(runtime: PathBuf) -> Result<Self, NoRuntimeDir> {
        let metadata = std::fs::metadata(&runtime).map_err(|_| NoRuntimeDir::NotOurs(runtime.clone()))?;
        if !metadata.is_dir() || metadata.uid() != nix::unistd::geteuid().as_raw() {
            return Err(NoRuntimeDir::NotOurs(runtime));
        }
        Ok(Self { ours: runtime.join(OURS), runtime })
    }

    /// A new directory below `$TMPDIR` or /tmp, 0700, for where there is no user manager whose directory could be used.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn temporary() -> Result<Self, NoRuntimeDir> {
        let template = std::env::temp_dir().join(format!("{TEMPORARY}XXXXXX"));
        let made = nix::unistd::mkdtemp(&template);
        Self::of(made.map_err(|error| NoRuntimeDir::Unusable { path: template, error: error.into() })?)
    }

    /// The directories in `below` that [`RuntimeDir::temporary`] has made for this user.
    pub fn temporary_in(below: &Path) -> Vec<Self> {
        let is_one = |path: PathBuf| {
            let name = path.file_name()?.to_str()?.strip_prefix(TEMPORARY)?;
            let facts = std::fs::symlink_metadata(&path).ok()?;
            let is_private = facts.is_dir() && facts.mode() & 0o077 == 0;
            (name.len() == 6 && is_private && holds_only_what_is_ours(&path)).then(|| Self::of(path).ok())?
        };
        let entries = std::fs::read_dir(below).into_iter().flatten().flatten();
        entries.filter_map(|entry| is_one(entry.path())).collect()
    }

    /// Removes a directory that [`RuntimeDir::temporary`] has made, with what is in it.
    pub fn remove_temporary(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.runtime) {
            tracing::warn!("cannot remove {}: {error}", self.runtime.display());
        }
    }

    /// Makes our directory, 0700, if it is not there.
    ///
    /// # Errors
    /// It cannot be made, or something else is in its place.
    pub fn create(&self) -> Result<(), NoRuntimeDir> {
        let unusable = |error| NoRuntimeDir::Unusable { path: self.ours.clone(), error };
        let metadata = loop {
            match std::fs::DirBuilder::new().mode(0o700).create(&self.ours) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(unusable(error)),
                _ => {}
            }
            match std::fs::symlink_metadata(&self.ours) {
                // A race: it was there, and the last one who needed it has just removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                metadata => break metadata.map_err(unusable)?,
            }
        };
        let ours = metadata.is_dir() && metadata.uid() == nix::unistd::geteuid().as_raw();
        if !ours || metadata.mode() & 0o077 != 0 {
            return Err(unusable(io::Error::other("it is not a directory that only you can enter")));
        }
        Ok(())
    }

    /// The directory that ours is in.
    #[must_use]
    pub fn base(&self) -> &Path {
        &self.runtime
    }

    /// Our own directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.ours
    }

    /// The launch socket.
    #[must_use]
    pub fn host_socket(&self) -> PathBuf {
        self.ours.join("host.sock")
    }

    /// Where a window manager says that it is ready (sd_notify(3)).
    #[must_use]
    pub fn notify_socket(&self) -> PathBuf {
        self.ours.join("notify.sock")
    }

    /// The session's record.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.ours.join("session.toml")
    }

    /// The record of a display that is attached.
    #[must_use]
    pub fn attached(&self) -> PathBuf {
        self.ours.join("attached.toml")
    }

    /// The record of what multiplexers had before they were told of the display.
    #[must_use]
    pub fn multiplexers(&self) -> PathBuf {
        self.ours.join("multiplexers.toml")
    }

    /// The lock that the host holds.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.ours.join("lock")
    }

    /// What describes the login session, for `EnvironmentFile=`.
    #[must_use]
    pub fn session_env(&self) -> PathBuf {
        self.ours.join("session.env")
    }

    /// The variables by which programs find user manager and message bus.
    #[must_use]
    pub fn variables(&self) -> BTreeMap<String, String> {
        let bus = format!("unix:path={}", self.bus_socket().display());
        let runtime = ("XDG_RUNTIME_DIR".to_owned(), self.runtime.display().to_string());
        BTreeMap::from([runtime, ("DBUS_SESSION_BUS_ADDRESS".to_owned(), bus)])
    }

    /// The Xauthority file of a display.
    #[must_use]
    pub fn authority(&self, display: Display) -> PathBuf {
        self.runtime.join(format!("{AUTHORITY}{}", display.number()))
    }

    /// The claim to a display without a screen, with its settings.
    #[must_use]
    pub fn claim(&self, display: Display) -> PathBuf {
        self.ours.join(format!("display-{}.toml", display.number()))
    }

    /// What has become of that display.
    #[must_use]
    pub fn display_state(&self, display: Display) -> PathBuf {
        self.ours.join(format!("display-{}.state", display.number()))
    }

    /// Where the supervisor of that display gets its number from.
    #[must_use]
    pub fn handover(&self, display: Display) -> PathBuf {
        self.ours.join(format!("number-{}.sock", display.number()))
    }

    /// Where viewers reach it.
    #[must_use]
    pub fn vnc_socket(&self, display: Display) -> PathBuf {
        self.ours.join(format!("vnc-{}.sock", display.number()))
    }

    /// Where the user manager listens, as long as it lives (systemctl(1) comes by this way).
    #[must_use]
    pub fn manager_socket(&self) -> PathBuf {
        self.runtime.join("systemd/private")
    }

    /// Where the user's message bus listens unless `$DBUS_SESSION_BUS_ADDRESS` says otherwise.
    #[must_use]
    pub fn bus_socket(&self) -> PathBuf {
        self.runtime.join("bus")
    }
}
