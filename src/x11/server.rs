//! The X server's program and command line.

use std::ffi::{CString, OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::seat::{SEAT0, Seat};
use crate::x11::display::Display;

/// Where distributions install the server itself: Debian, Arch, Fedora, and systems without a wrapper.
pub const USUAL_PLACES: [&str; 4] = ["/usr/lib/xorg/Xorg", "/usr/lib/Xorg", "/usr/libexec/Xorg", "/usr/bin/Xorg"];

/// Why there is no server to run.
#[derive(Debug, Error)]
pub enum NoServer {
    /// None of the usual places has one.
    #[error(
        "no X server found (looked for {places}); install one (Debian: apt install xserver-xorg-core, Arch: pacman -S \
         xorg-server, Fedora: dnf install xorg-x11-server-Xorg) or set server.binary in startxd.toml"
    )]
    Missing {
        /// The paths that were tried.
        places: String,
    },
    /// The configured one cannot be run.
    #[error("the configured X server {path} {problem}; correct server.binary in startxd.toml")]
    Unusable {
        /// The configured path.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// The server to execute: the configured one, or the first of [`USUAL_PLACES`] that is a real, unprivileged program.
///
/// `/usr/bin/Xorg` is a script on Debian and Arch that runs the setuid wrapper `Xorg.wrap`, which empties the
/// environment and so loses `LISTEN_FDS`; neither is ever taken.
///
/// # Errors
/// [`NoServer`].
pub fn find(configured: Option<&Path>) -> Result<PathBuf, NoServer> {
    if let Some(path) = configured {
        return match usable(path) {
            Ok(()) => Ok(path.to_owned()),
            Err(problem) => Err(NoServer::Unusable { path: path.to_owned(), problem }),
        };
    }
    let found = USUAL_PLACES.iter().map(Path::new).find(|path| usable(path).is_ok());
    found.map(Path::to_owned).ok_or_else(|| NoServer::Missing { places: USUAL_PLACES.join(", ") })
}

/// Whether the file is a program that would run as our user.
fn usable(path: &Path) -> Result<(), &'static str> {
    let metadata = std::fs::metadata(path).map_err(|_| "does not exist")?;
    if !metadata.is_file() || metadata.mode() & 0o111 == 0 {
        return Err("is not a program");
    }
    if metadata.mode() & 0o6000 != 0 {
        return Err("is setuid or setgid: a wrapper, which startxd never runs");
    }
    let mut magic = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    if read.is_ok() && magic == *b"\x7fELF" {
        Ok(())
    } else {
        Err("is a script or of another format: a wrapper, which startxd never runs")
    }
}

/// The arguments of every server of ours; the cookie's file follows. Descriptor 4 comes after the only listening socket
/// (os/spawn.rs).
pub const ALWAYS: [&str; 8] = ["-noreset", "-nolisten", "tcp", "-nolisten", "local", "-displayfd", "4", "-auth"];

/// The server's arguments, its path first (Xserver(1), Xorg(1)).
///
/// - the path, not the name, as with startx: programs that look for a server in the list of processes, like `x11vnc -findauth`,
///   recognise it by that;
/// - `vtN -keeptty` where there is a VT: without the number an unprivileged server cannot find it, and without
///   `-keeptty` it neither uses logind nor keeps the controlling terminal (linux_parse_vt_settings,
///   systemd_logind_init);
/// - `-noreset`: a reset closes the listening socket that it was handed, for good (libxtrans,
///   SocketUNIXResetListener);
/// - `-nolisten local`: the abstract name is ours and accepts nobody ([`super::number`]); without this the server would
///   try to bind it, and give up;
/// - `-displayfd`: what the server writes there goes to /dev/null. It is used for a side effect: with it, a server
///   creates no lock (ProcessCommandLine in os/utils.c). The lock is ours, and stays when the server crashes;
/// - `-auth`: the path of the cookie's file, never the cookie;
/// - `-seat` only for others than seat0, which is the server's default; it then opens no console at all, and uses
///   logind in any case (InitOutput, `ServerIsNotSeat0`).
///
/// # Errors
/// An argument contains a NUL byte.
pub fn arguments(
    program: &Path,
    display: Display,
    seat: &Seat,
    authority: &Path,
    extra: &[String],
) -> Result<Vec<CString>, std::ffi::NulError> {
    assemble(program, display, seat, authority, &log_arguments(display, extra), extra)
}

/// Like [`arguments`], with those for the log.
fn assemble(
    program: &Path,
    display: Display,
    seat: &Seat,
    authority: &Path,
    log: &[OsString],
    extra: &[String],
) -> Result<Vec<CString>, std::ffi::NulError> {
    let mut arguments: Vec<OsString> = vec![program.into(), display.to_string().into()];
    if let Some(vt) = seat.vt {
        arguments.extend([format!("vt{vt}").into(), "-keeptty".into()]);
    }
    if seat.id != SEAT0 {
        arguments.extend(["-seat".into(), OsString::from(&seat.id)]);
    }
    arguments.extend(ALWAYS.map(OsString::from));
    arguments.push(authority.into());
    arguments.extend(log.iter().cloned());
    arguments.extend(extra.iter().map(OsString::from));
    arguments.iter().map(|argument| CString::new(OsStr::as_bytes(argument))).collect()
}

/// The directory for the log of a server without root (Xorg(1), `-logfile`; xf86Helper.c, `xf86LogInit`); `None` if it
/// is not known.
#[must_use]
pub fn log_directory() -> Option<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share"));
    data.or_else(home).map(|data| data.join("xorg"))
}

/// Arguments for the server's log. None if the person has chosen a place.
///
/// With `-displayfd` Xorg would name its log by its pid, as if it did not know its display yet. It also exits if it
/// cannot open the log; then we make it write to its standard error, and so to the journal.
fn log_arguments(display: Display, extra: &[String]) -> Vec<OsString> {
    let Some(directory) = log_directory().filter(|_| !extra.iter().any(|argument| argument == "-logfile")) else {
        return Vec::new();
    };
    let Err(error) = try_log(&directory) else { return vec!["-logfile".into(), log_file(&directory, display)] };
    tracing::warn!(
        "the X server cannot write its log to {} ({error}); the log is in the journal: journalctl --user -b -u 'xorg@*'",
        crate::text::path(&directory)
    );
    ["-logfile", "/dev/null", "-verbose", "3"].map(OsString::from).into()
}

/// The name of Xorg's log, as a format for printf(3), because Xorg treats it as one (LogFilePrep in os/log.c).
fn log_file(directory: &Path, display: Display) -> OsString {
    let escaped = |&byte: &u8| std::iter::repeat_n(byte, if byte == b'%' { 2 } else { 1 });
    let mut file: Vec<u8> = directory.as_os_str().as_bytes().iter().flat_map(escaped).collect();
    file.extend(format!("/Xorg.{}.log", display.number()).into_bytes());
    OsString::from_vec(file)
}

/// Whether a log can be written to a directory, tested as the server does: by creating it, and a file in it. The file
/// has no name when this returns.
fn try_log(directory: &Path) -> std::io::Result<()> {
    use std::io::Write;
    std::fs::create_dir_all(directory)?;
    let path = directory.join(format!(".startxd-{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
    std::fs::remove_file(&path)?;
    // A full file system has room for a name, but not for content.
    file.write_all(b"\n")
}

/// Why a log cannot be written to a directory, as far as that can be seen without writing; `None` if nothing is wrong.
#[must_use]
pub fn log_obstacle(directory: &Path) -> Option<String> {
    use nix::sys::statvfs::statvfs;
    use nix::unistd::{AccessFlags, access};
    let there = directory.ancestors().find(|path| path.exists())?;
    if let Err(error) = access(there, AccessFlags::W_OK | AccessFlags::X_OK) {
        return Some(format!("{}: {}", crate::text::path(there), error.desc()));
    }
    let space = statvfs(there).ok()?;
    if space.blocks() > 0 && space.blocks_available() == 0 {
        return Some(format!("{}: no space is left", crate::text::path(there)));
    }
    (space.files() > 0 && space.files_available() == 0)
        .then(|| format!("{}: there is no room for more files", crate::text::path(there)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::{NoServer, assemble, find, log_arguments, log_file, log_obstacle, try_log};
    use crate::seat::Seat;
    use crate::test_dir::TestDir;
    use crate::testing::golden;
    use crate::x11::display::Display;

    #[test]
    fn arguments_are_the_settled_ones() {
        let display = Display::parse(":1").unwrap();
        let extra = ["-dpi".to_owned(), "96".to_owned()];
        let line = |seat: &str, vt| {
            let seat = Seat::new(seat.to_owned(), vt).unwrap();
            let arguments =
                assemble(Path::new("/usr/lib/xorg/Xorg"), display, &seat, Path::new("/run/a"), &[], &extra).unwrap();
            arguments.iter().map(|a| a.to_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            line("seat0", Some(7)),
            "/usr/lib/xorg/Xorg :1 vt7 -keeptty -noreset -nolisten tcp -nolisten local -displayfd 4 -auth /run/a -dpi 96"
        );
        assert_eq!(
            line("seat1", None),
            "/usr/lib/xorg/Xorg :1 -seat seat1 -noreset -nolisten tcp -nolisten local -displayfd 4 -auth /run/a -dpi 96"
        );
    }

    #[test]
    fn golden_command_lines() {
        let extra = ["-dpi", "96", "-ardelay", "200 $x"].map(str::to_owned);
        let mut text = String::new();
        for (seat, vt, extra) in
            [("seat0", Some(1), &[][..]), ("seat0", Some(7), &extra), ("seat1", None, &[]), ("seat1", Some(2), &extra)]
        {
            let seat = Seat::new(seat.to_owned(), vt).unwrap();
            let authority = Path::new("/run/user/1000/xauth_startxd_0");
            let line =
                assemble(Path::new("/usr/lib/xorg/Xorg"), Display::parse(":0").unwrap(), &seat, authority, &[], extra)
                    .unwrap();
            let line: Vec<&str> = line.iter().map(|argument| argument.to_str().unwrap()).collect();
            text += &format!("{seat}: {line:?}\n");
        }
        golden("server/xorg", &text);
    }

    #[test]
    fn the_log_goes_where_it_can_be_written() {
        let directory = TestDir::new();
        let place = directory.path("share/xorg");
        assert_eq!(log_obstacle(&place), None);
        assert!(!place.exists(), "it is only looked at");
        try_log(&place).unwrap();
        assert_eq!(directory.names(), ["share"]);
        assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0);
        // This also holds for root, whom no mode keeps out.
        std::fs::write(directory.path("file"), "").unwrap();
        assert!(try_log(&directory.path("file/xorg")).is_err() && try_log(Path::new("/proc/xorg")).is_err());
        let display = Display::new(7).unwrap();
        assert_eq!(log_arguments(display, &["-logfile".to_owned(), "/x".to_owned()]), [""; 0]);
        assert_eq!(log_file(Path::new("/a%n/xorg"), display), "/a%%n/xorg/Xorg.7.log");
    }

    #[test]
    fn configured_server_must_be_a_plain_program() {
        assert!(find(Some(Path::new("/bin/bash"))).is_ok());
        assert!(matches!(find(Some(Path::new("/nonexistent"))), Err(NoServer::Unusable { .. })));
        assert!(matches!(find(Some(Path::new("/etc/passwd"))), Err(NoServer::Unusable { .. })));
        let directory = std::env::temp_dir().join(format!("startxd-server-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        for (name, mode) in [("setuid", 0o4755), ("setgid", 0o2755), ("plain", 0o644)] {
            let path = directory.join(name);
            std::fs::copy("/bin/true", &path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert!(find(Some(&path)).is_err(), "{name}");
        }
        std::fs::remove_dir_all(directory).unwrap();
    }
}
