//! Which display numbers are claimed, and the settings of each display.
//!
//! The file `display-N.toml` is both: it holds the settings of display `:N`, and since its name exists only once, it is
//! this user's claim to the number. (Between users, and against other servers, the kernel's bind(2) decides.) It
//! appears complete and locked (flock(2)), and only the holder of the lock removes it. So a claim that is not locked,
//! and whose unit is down, was left by a process that was killed.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, Flock, FlockArg, OFlag};
use nix::unistd::{Pid, linkat};
use serde::{Deserialize, Serialize};

use crate::attributes::Attributes;
use crate::config::size::Size;
use crate::manager::names;
use crate::records::{Record, Unreadable};
use crate::runtime_dir::RuntimeDir;
use crate::x11::display::Display;
use crate::x11::occupied::{remove_lock, remove_socket};
use crate::{deadline, files, small_file};

/// The settings of a display.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimSettings {
    /// The display.
    pub display: Display,
    /// The name by which the server was requested.
    pub server: String,
    /// The server.
    pub program: PathBuf,
    /// Its arguments, the name first.
    pub arguments: Vec<String>,
    /// The size of its screen.
    pub size: Size,
    /// Its depth in bits.
    pub depth: u8,
    /// The socket for viewers.
    pub vnc: Option<PathBuf>,
    /// The `startxd display run` to whose command the display belongs, if it belongs to one.
    pub client: Option<i32>,
    /// The deadline for the server to answer, in seconds.
    pub server_ready: f64,
    /// The deadline for the server to end, in seconds.
    pub server_stop: f64,
    /// Whether other users who have the cookie may connect.
    #[serde(default)]
    pub others: bool,
    /// Variables for the server in addition to those of the user manager.
    pub environment: BTreeMap<String, String>,
    /// The session on it.
    pub session: Option<DisplaySession>,
}

impl ClaimSettings {
    /// Takes the text of a display's file, and returns its settings.
    ///
    /// # Errors
    /// Why it belongs to another version, or to another display.
    pub fn parse(bytes: &[u8], display: Display) -> Result<Self, Unreadable> {
        let settings = Self::from_toml(bytes)?;
        if settings.display != display {
            return Err(Unreadable::Form {
                what: Self::WHAT,
                why: format!("it belongs to display {}", settings.display),
            });
        }
        Ok(settings)
    }

    /// The unit of the server: a scope if the display is a command's own, else a service.
    #[must_use]
    pub fn unit(&self) -> String {
        match self.client {
            Some(_) => names::display_scope(self.display),
            None => names::display_service(self.display),
        }
    }
}

impl Record for ClaimSettings {
    const WHAT: &'static str = "a claim to a display";
    const VERSION: Option<u32> = Some(1);
}

/// The window manager of a display, or another program in its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DisplaySession {
    /// Its name for people.
    pub what: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments, the name first.
    pub arguments: Vec<String>,
    /// Its working directory.
    pub directory: Option<String>,
    /// Whether it is restarted after a crash.
    pub restart: bool,
    /// Its variables.
    pub environment: BTreeMap<String, String>,
    /// Further properties of its unit.
    #[serde(default)]
    pub attributes: Attributes,
}

/// The state of a display, written by its supervisor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimState {
    /// The server's process.
    pub server: Option<i32>,
    /// When the server was ready, seconds since the epoch.
    pub ready: Option<u64>,
    /// Why it failed to start, or why it ended.
    pub failed: Option<String>,
}

/// A claim whose lock we hold.
pub struct Claim {
    file: Flock<File>,
    display: Display,
}

impl Claim {
    /// Claims the number that the settings name; `None` if it is claimed already.
    ///
    /// # Errors
    /// The directory is full, or not writable.
    pub fn make(runtime: &RuntimeDir, settings: &ClaimSettings) -> io::Result<Option<Self>> {
        Self::make_in(runtime, settings, |directory| options(OFlag::O_TMPFILE).open(directory))
    }

    /// `nameless` makes a file without a name in a directory.
    fn make_in(
        runtime: &RuntimeDir,
        settings: &ClaimSettings,
        nameless: impl FnOnce(&Path) -> io::Result<File>,
    ) -> io::Result<Option<Self>> {
        let text = settings.to_toml()?;
        let path = runtime.claim(settings.display);
        let claim = |file: File| {
            let mut file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| error)?;
            file.write_all(text.as_bytes())?;
            let it = format!("/proc/self/fd/{}", file.as_raw_fd());
            match linkat(AT_FDCWD, it.as_str(), AT_FDCWD, &path, AtFlags::AT_SYMLINK_FOLLOW) {
                Ok(()) => Ok(Some(Self { file, display: settings.display })),
                Err(Errno::EEXIST) => Ok(None),
                Err(error) => Err(error.into()),
            }
        };
        // The file has no name until it is complete, so nobody sees half of it and a process that is killed leaves
        // nothing.
        match nameless(runtime.path()) {
            // Not every file system supports that (open(2)), in a container for one: then it has another name first.
            Err(error)
                if matches!(Errno::from_raw(error.raw_os_error().unwrap_or(0)), Errno::EOPNOTSUPP | Errno::EISDIR) =>
            {
                let name = path.with_extension(format!("{}", Pid::this()));
                // One of a process that was killed and had our pid.
                files::remove(&name);
                let made = options(OFlag::O_NOFOLLOW).create_new(true).open(&name).and_then(claim);
                files::remove(&name);
                made
            }
            file => file.and_then(claim),
        }
    }

    /// Locks an existing claim; `None` if there is none, or if another process holds it.
    #[must_use]
    pub fn hold(runtime: &RuntimeDir, display: Display) -> Option<Self> {
        let path = runtime.claim(display);
        let file = File::options().read(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(&path).ok()?;
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()?;
        // Another process may have removed and created it again before it was locked.
        let same = is_at(&file, &path);
        same.then_some(Self { file, display })
    }

    /// Releases the number, and removes all files of the display. Its server is gone.
    pub fn remove(self, runtime: &RuntimeDir) {
        self.remove_files(runtime);
    }

    /// Like [`Claim::remove`], for a copy of this process.
    pub fn remove_files(&self, runtime: &RuntimeDir) {
        // If the user manager's directory was emptied, the claim is gone, and then nothing there is ours.
        if is_at(&self.file, &runtime.claim(self.display)) {
            remove_lock(self.display);
            // The manager removes the sockets of its socket units.
            remove_socket(self.display);
            files::remove(&runtime.authority(self.display));
            files::remove(&runtime.vnc_socket(self.display));
            files::remove(&runtime.handover(self.display));
            files::remove(&runtime.display_state(self.display));
            files::remove(&runtime.claim(self.display));
        }
        // Only if it is empty.
        let _ = std::fs::remove_dir(runtime.path());
    }
}

/// How a claim's file is made.
fn options(flags: OFlag) -> OpenOptions {
    let mut options = File::options();
    options.read(true).write(true).mode(0o600).custom_flags(flags.bits());
    options
}

fn is_at(file: &File, path: &Path) -> bool {
    match (std::fs::symlink_metadata(path), file.metadata()) {
        (Ok(there), Ok(here)) => there.ino() == here.ino() && there.dev() == here.dev(),
        _ => false,
    }
}

/// A deadline from the settings, at most the longest one that can be configured.
#[must_use]
pub fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).map_or(deadline::MAX, |given| given.min(deadline::MAX))
}

/// The settings of a display; `None` if it is not claimed.
///
/// # Errors
/// They cannot be read.
pub fn settings(runtime: &RuntimeDir, display: Display) -> io::Result<Option<ClaimSettings>> {
    let Some(bytes) = small_file::read_ours(&runtime.claim(display))? else { return Ok(None) };
    Ok(Some(ClaimSettings::parse(&bytes, display)?))
}

/// The displays that are claimed, by number.
#[must_use]
pub fn all(runtime: &RuntimeDir) -> Vec<Display> {
    let Ok(entries) = std::fs::read_dir(runtime.path()) else { return Vec::new() };
    let number = |name: &str| Display::from_canonical(name.strip_prefix("display-")?.strip_suffix(".toml")?);
    let mut displays: Vec<Display> =
        entries.flatten().filter_map(|entry| number(entry.file_name().to_str()?)).collect();
    displays.sort_unstable();
    displays
}

impl ClaimState {
    /// Creates a display's state file. This works once, so no second supervisor serves the display after the first was
    /// killed.
    ///
    /// # Errors
    /// `AlreadyExists`, or the directory is full.
    pub fn begin(runtime: &RuntimeDir, display: Display) -> io::Result<Self> {
        File::options().write(true).create_new(true).mode(0o600).open(runtime.display_state(display))?;
        Ok(Self::default())
    }

    /// Writes it.
    ///
    /// # Errors
    /// The directory is full.
    pub fn write(&self, runtime: &RuntimeDir, display: Display) -> io::Result<()> {
        self.save(&runtime.display_state(display))
    }

    /// Reads it; a file that cannot be read counts as empty.
    #[must_use]
    pub fn read(runtime: &RuntimeDir, display: Display) -> Self {
        Self::load(&runtime.display_state(display)).ok().flatten().unwrap_or_default()
    }
}

impl Record for ClaimState {
    const WHAT: &'static str = "the state of a display";
    const VERSION: Option<u32> = None;
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::test_dir::TestDir;

    fn given(display: Display) -> ClaimSettings {
        ClaimSettings {
            display,
            server: "xvfb".into(),
            program: "/usr/bin/Xvfb".into(),
            arguments: vec!["Xvfb".into(), ":7".into()],
            size: Size::USUAL,
            depth: 24,
            vnc: None,
            client: Some(42),
            server_ready: 30.0,
            server_stop: 0.5,
            others: true,
            environment: BTreeMap::from([("A".into(), "b \"c\"".into())]),
            session: None,
        }
    }

    #[test]
    fn a_number_is_given_once() {
        let dir = TestDir::new();
        let runtime = RuntimeDir::of(dir.path("")).unwrap();
        runtime.create().unwrap();
        let display = Display::new(7).unwrap();
        assert_eq!(settings(&runtime, display).unwrap(), None);
        let claim = Claim::make(&runtime, &given(display)).unwrap().unwrap();
        assert!(Claim::make(&runtime, &given(display)).unwrap().is_none());
        assert!(Claim::hold(&runtime, display).is_none());
        assert_eq!(settings(&runtime, display).unwrap(), Some(given(display)));
        assert_eq!(all(&runtime), [display]);
        let mode = std::fs::metadata(runtime.claim(display)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        drop(claim);
        ClaimState::begin(&runtime, display).unwrap();
        assert!(ClaimState::begin(&runtime, display).is_err());
        Claim::hold(&runtime, display).unwrap().remove(&runtime);
        assert!(!runtime.path().exists());
    }

    #[test]
    fn a_number_is_given_once_where_files_without_a_name_are_not_supported() {
        let dir = TestDir::new();
        let runtime = RuntimeDir::of(dir.path("")).unwrap();
        runtime.create().unwrap();
        let display = Display::new(7).unwrap();
        let files = || -> Vec<String> {
            let entries = std::fs::read_dir(runtime.path()).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        // Those of open(2) for a file system, and for a kernel, that does not know them.
        for errno in [Errno::EOPNOTSUPP, Errno::EISDIR] {
            let make = || Claim::make_in(&runtime, &given(display), |_| Err(errno.into()));
            // A process with our pid was killed before it removed its file.
            std::fs::write(runtime.claim(display).with_extension(Pid::this().to_string()), "half").unwrap();
            let claim = make().unwrap().unwrap();
            assert_eq!(files(), ["display-7.toml"], "{errno}");
            assert!(make().unwrap().is_none());
            assert_eq!(files(), ["display-7.toml"], "{errno}");
            assert!(Claim::hold(&runtime, display).is_none());
            assert_eq!(settings(&runtime, display).unwrap(), Some(given(display)));
            let facts = std::fs::metadata(runtime.claim(display)).unwrap();
            assert_eq!((facts.permissions().mode() & 0o7777, facts.nlink()), (0o600, 1));
            claim.remove(&runtime);
            runtime.create().unwrap();
            assert_eq!(files(), [] as [&str; 0]);
        }
        let refused = Claim::make_in(&runtime, &given(display), |_| Err(Errno::EACCES.into()));
        assert_eq!(refused.err().unwrap().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(files(), [] as [&str; 0]);
    }

    #[test]
    fn many_at_once_get_a_number_each() {
        let dir = TestDir::new();
        let runtime = RuntimeDir::of(dir.path("")).unwrap();
        runtime.create().unwrap();
        let first = || (100..200).filter_map(Display::new).find_map(|n| Claim::make(&runtime, &given(n)).unwrap());
        let claims: Vec<Claim> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(first)).collect();
            all.into_iter().map(|one| one.join().unwrap().unwrap()).collect()
        });
        let mut numbers: Vec<u16> = claims.iter().map(|claim| claim.display.number()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (100..108).collect::<Vec<u16>>());
    }

    #[test]
    fn an_old_claim_does_not_remove_a_new_one() {
        let dir = TestDir::new();
        let runtime = RuntimeDir::of(dir.path("")).unwrap();
        runtime.create().unwrap();
        let display = Display::new(7).unwrap();
        let old = Claim::make(&runtime, &given(display)).unwrap().unwrap();
        std::fs::remove_file(runtime.claim(display)).unwrap();
        let _new = Claim::make(&runtime, &given(display)).unwrap().unwrap();
        old.remove(&runtime);
        assert!(runtime.claim(display).exists());
    }
}
