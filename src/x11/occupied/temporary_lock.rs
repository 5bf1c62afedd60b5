//! The lock's first name, `/tmp/.tXN-lock`.
//!
//! Xorg writes its lock under this name and then links it to `/tmp/.XN-lock` (`LockServer` in os/utils.c). While a file
//! has it, a server waits 6 s, removes the file, tries on for 6 s, and gives up. So one that another user has put there
//! takes the display, and one that a server of ours left which was killed in that moment would cost the next one 6 s.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Uid;

use super::{Display, Paths, Taken, facts_of, lock_holder, start_of};

fn name(display: Display) -> String {
    format!(".tX{}-lock", display.number())
}

impl Paths {
    /// What the file means for a server that would come up now.
    pub(super) fn look_at_temporary_lock(&self, display: Display) -> io::Result<Taken> {
        let path = self.locks.join(name(display));
        let Some(facts) = facts_of(&path)? else {
            return Ok(Taken::Free);
        };
        let uid = Uid::from_raw(facts.uid());
        Ok(match (uid == self.uid, facts.is_dir()) {
            (true, false) => Taken::Free,
            (true, true) => Taken::Obstructed { path },
            (false, _) => Taken::ForeignLock { uid },
        })
    }

    fn remove_temporary_lock(&self, display: Display) {
        let path = self.locks.join(name(display));
        let ours =
            |path: &Path| facts_of(path).ok().flatten().is_some_and(|f| f.is_file() && f.uid() == self.uid.as_raw());
        let holder = if ours(&path) { start_of(&path).ok().and_then(|content| lock_holder(&content)) } else { None };
        if holder.is_some_and(|pid| kill(pid, None) == Err(Errno::ESRCH)) {
            // The directory is sticky, so nobody else can have put another in its place.
            let _ = fs::remove_file(&path);
        }
    }
}

/// Removes what a killed server of ours has left under that name: a file of ours that names a process which is gone.
pub fn remove_temporary_lock(display: Display) {
    Paths::default().remove_temporary_lock(display);
}

#[cfg(test)]
mod tests {
    use nix::unistd::{Pid, geteuid};

    use super::*;
    use crate::test_dir::TestDir;

    #[test]
    fn of_others_it_takes_the_display_and_of_ours_it_goes_with_its_server() {
        let dir = TestDir::new();
        fs::write(dir.path("net_unix"), "Num\n").unwrap();
        let mut paths =
            Paths { net_unix: dir.path("net_unix"), sockets: dir.path(""), locks: dir.path(""), uid: geteuid() };
        let (display, lock) = (Display::new(3).unwrap(), dir.path(".tX3-lock"));
        let content = |pid: Pid| format!("{:>10}\n", pid.as_raw());
        // The highest number that the kernel gives is below the second one.
        for (pid, stays) in [(Pid::this(), true), (Pid::from_raw(1 << 23), false)] {
            fs::write(&lock, content(pid)).unwrap();
            assert_eq!(paths.look(display).unwrap(), Taken::Free);
            paths.remove_temporary_lock(display);
            assert_eq!(lock.exists(), stays, "{pid}");
        }
        fs::write(&lock, content(Pid::from_raw(1 << 23))).unwrap();
        let us = std::mem::replace(&mut paths.uid, Uid::from_raw(4_000_000));
        assert_eq!(paths.look(display).unwrap(), Taken::ForeignLock { uid: us });
        paths.remove_temporary_lock(display);
        assert!(lock.exists());
        fs::remove_file(&lock).unwrap();
        fs::create_dir(&lock).unwrap();
        paths.uid = us;
        assert_eq!(paths.look(display).unwrap(), Taken::Obstructed { path: lock });
    }
}
