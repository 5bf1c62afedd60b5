//! Display numbers: their directories, and what was left in them.

use std::collections::BTreeSet;
use std::path::Path;

use super::catalogue::{DISPLAY_BLOCKED, DISPLAY_ODD_LOCK, DISPLAY_SOCKET_DIR, DISPLAY_STALE};
use super::{Finding, files};
use crate::x11::display::{Display, LOCK_DIR, SOCKET_DIR};
use crate::x11::occupied::{self, SOCKET_DIR_REMEDY, SocketDirProblem, Taken, check_socket_dir};

/// How many displays are examined: everybody can leave files in these directories.
const MOST: usize = 16;

/// The state of a display number.
#[derive(Debug, PartialEq, Eq)]
struct DisplayFacts {
    display: Display,
    /// Why it is not free.
    taken: Taken,
    /// Whether it has a lock file.
    locked: bool,
    /// The name of the program that holds the lock.
    holder: Option<String>,
}

/// Examines the directory, and each display that has left something.
pub fn examine() -> Vec<Finding> {
    let mut findings: Vec<Finding> = check_socket_dir(Path::new(SOCKET_DIR)).err().iter().map(directory).collect();
    let displays: BTreeSet<Display> = [LOCK_DIR, SOCKET_DIR]
        .iter()
        .flat_map(|directory| files::entries(Path::new(directory)))
        .filter_map(|path| display_of(files::name(&path)))
        .collect();
    findings.extend(displays.into_iter().take(MOST).filter_map(gather).filter_map(|facts| judge(&facts)));
    findings
}

/// The display that a lock `.XN-lock` or a socket `XN` belongs to.
fn display_of(name: &str) -> Option<Display> {
    let digits = match name.strip_prefix(".X") {
        Some(lock) => lock.strip_suffix("-lock")?,
        None => name.strip_prefix('X')?,
    };
    Display::from_canonical(digits)
}

fn gather(display: Display) -> Option<DisplayFacts> {
    let taken = occupied::look(display).ok()?;
    let holder = match taken {
        Taken::Locked { pid } => files::text(Path::new(&format!("/proc/{pid}/comm"))),
        _ => None,
    };
    let locked = display.lock_path().symlink_metadata().is_ok();
    Some(DisplayFacts { display, taken, locked, holder: holder.map(|name| name.trim_end().to_owned()) })
}

fn directory(problem: &SocketDirProblem) -> Finding {
    let (what, remedy) = match problem {
        SocketDirProblem::Missing { path } => (format!("{} is missing", path.display()), SOCKET_DIR_REMEDY.to_owned()),
        SocketDirProblem::NotADirectory { path } => {
            let path = path.display();
            (format!("{path} is not a directory"), format!("sudo rm {path} && {SOCKET_DIR_REMEDY}"))
        }
        SocketDirProblem::Owner { path, uid } => {
            (format!("{} belongs to user {uid} instead of root", path.display()), SOCKET_DIR_REMEDY.to_owned())
        }
        SocketDirProblem::Mode { path, mode } => {
            (format!("{} has mode {mode:04o} instead of 1777", path.display()), SOCKET_DIR_REMEDY.to_owned())
        }
        SocketDirProblem::ReadOnly { path, mount } => (
            format!("{} is mounted read-only: no display can have its socket there", path.display()),
            format!("sudo mount -o remount,rw {}", mount.display()),
        ),
        SocketDirProblem::Unreadable { path, source } => {
            (format!("{} cannot be examined: {source}", path.display()), format!("ls -ld {}", path.display()))
        }
    };
    DISPLAY_SOCKET_DIR.found(what, remedy)
}

fn judge(facts: &DisplayFacts) -> Option<Finding> {
    let display = facts.display;
    let lock = display.lock_path().display().to_string();
    let socket = display.socket_path().display().to_string();
    match &facts.taken {
        // A name without a file belongs to a number that was taken just now, or that somebody blocks.
        Taken::Bound { .. } | Taken::Named { .. } => None,
        Taken::Free if facts.locked => {
            Some(DISPLAY_STALE.found(format!("{lock} was left by a server that is gone"), format!("rm {lock}")))
        }
        Taken::Free => Some(DISPLAY_STALE.found(format!("nobody listens on {socket}"), format!("rm {socket}"))),
        Taken::Locked { pid } => {
            // Xorg, Xwayland, Xvnc, X: all begin with this letter. A process that cannot be examined may be one. For a
            // display of startxd, the host or the supervisor has the lock.
            let holder = facts.holder.as_deref().filter(|name| !name.starts_with('X') && *name != "startxd")?;
            Some(DISPLAY_ODD_LOCK.found(
                format!("{lock} names process {pid}, which is not an X server but {holder:?}"),
                format!("sudo rm {lock}"),
            ))
        }
        taken @ Taken::ForeignSocket { .. } => {
            Some(DISPLAY_BLOCKED.found(format!("display {display}: {taken}"), format!("sudo rm {socket}")))
        }
        taken @ Taken::ForeignLock { .. } => {
            Some(DISPLAY_BLOCKED.found(format!("display {display}: {taken}"), format!("sudo rm {lock}")))
        }
        Taken::Obstructed { path } => Some(DISPLAY_BLOCKED.found(
            format!("{} is in the way of display {display}", path.display()),
            format!("rm -r {}", path.display()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use nix::unistd::Uid;

    use super::{Display, DisplayFacts, SocketDirProblem, Taken, directory, display_of, judge};
    use crate::os::Pid;

    #[test]
    fn names_of_locks_and_sockets_lead_to_their_display() {
        for (name, number) in [(".X0-lock", Some(0)), ("X12", Some(12)), ("X01", None), (".X0", None), ("Xa", None)] {
            assert_eq!(display_of(name).map(Display::number), number, "{name}");
        }
    }

    #[test]
    fn each_fault_is_found() {
        let (pid, uid) = (Pid::from_raw(7), Uid::from_raw(7));
        let cases = [
            (Taken::Bound { by: Some(uid) }, true, None, None),
            (Taken::Named { by: None }, true, None, None),
            (Taken::Free, true, None, Some("display.stale")),
            (Taken::Free, false, None, Some("display.stale")),
            (Taken::Locked { pid }, true, Some("Xorg"), None),
            (Taken::Locked { pid }, true, None, None),
            (Taken::Locked { pid }, true, Some("startxd"), None),
            (Taken::Locked { pid }, true, Some("bash"), Some("display.odd-lock")),
            (Taken::ForeignLock { uid }, true, None, Some("display.blocked")),
            (Taken::ForeignSocket { uid }, false, None, Some("display.blocked")),
            (Taken::Obstructed { path: "/tmp/.X3-lock".into() }, true, None, Some("display.blocked")),
        ];
        for (taken, locked, holder, id) in cases {
            let display = Display::new(3).unwrap();
            let facts = DisplayFacts { display, taken, locked, holder: holder.map(str::to_owned) };
            let finding = judge(&facts);
            assert_eq!(finding.as_ref().map(|finding| finding.kind.id), id, "{facts:?}");
            assert!(finding.is_none_or(|finding| finding.remedy.contains("X3")), "{facts:?}");
        }
    }

    #[test]
    fn the_directory() {
        let problem = SocketDirProblem::Mode { path: "/tmp/.X11-unix".into(), mode: 0o755 };
        let finding = directory(&problem);
        assert_eq!(finding.what, "/tmp/.X11-unix has mode 0755 instead of 1777");
        assert!(finding.remedy.starts_with("sudo systemd-tmpfiles --create"));
    }
}
