//! The user to log in.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, User};

use super::Refused;
use crate::suggest;

/// The user's entry in passwd(5) or another source of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The user id.
    pub uid: Uid,
    /// The primary group.
    pub gid: Gid,
    /// The home directory.
    pub home: PathBuf,
    /// The login shell.
    pub shell: PathBuf,
}

impl Person {
    /// Finds a user who can be logged in.
    ///
    /// # Errors
    /// [`Refused`]: there is no user of that name, or the user cannot have a session.
    pub fn find(name: &str) -> Result<Self, Refused> {
        let user = match User::from_name(name) {
            Ok(Some(user)) => user,
            _ => {
                let passwd = std::fs::read("/etc/passwd").unwrap_or_default();
                let known = people(&String::from_utf8_lossy(&passwd));
                let near = suggest::nearest(name, known.iter().map(String::as_str));
                let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                return Err(Refused::NoUser { user: name.to_owned(), near });
            }
        };
        let person = Self { name: user.name, uid: user.uid, gid: user.gid, home: user.dir, shell: user.shell };
        if person.uid.is_root() {
            return Err(Refused::Root);
        }
        if !is_plain(&person.name) {
            return Err(Refused::OddName { user: person.name });
        }
        if is_no_shell(&person.shell) {
            return Err(Refused::NoShell { user: person.name, shell: person.shell });
        }
        if !person.home.to_str().is_some_and(|home| home.starts_with('/') && !home.contains(char::is_control)) {
            return Err(Refused::OddHome { user: person.name, home: person.home });
        }
        Ok(person)
    }

    /// The name for the C library.
    #[must_use]
    pub fn c_name(&self) -> CString {
        // A name from the C library has no zero in it.
        CString::new(self.name.as_str()).unwrap_or_default()
    }
}

/// Whether a name can be written literally in a unit file and in a command line.
#[must_use]
pub fn is_plain(name: &str) -> bool {
    !name.starts_with('-') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-@".contains(&b))
}

fn is_no_shell(shell: &Path) -> bool {
    shell.file_name().is_some_and(|name| name == "nologin" || name == "false")
}

/// The names in passwd(5) that may be people's: those with a login shell.
#[must_use]
pub fn people(passwd: &str) -> Vec<String> {
    let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let person = |fields: Vec<&str>| match fields[..] {
        [name, _, uid, .., shell] if uid != "0" && !is_no_shell(Path::new(shell)) && shell != "/bin/sync" => {
            Some(name.to_owned())
        }
        _ => None,
    };
    fields.filter_map(person).collect()
}

#[cfg(test)]
mod tests {
    use super::{Person, is_plain, people};
    use crate::autologin::Refused;

    #[test]
    fn people_have_shells() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\nada:x:1000:1000::/home/ada:/bin/bash\n\
             broken\nsync:x:4:65534:sync:/bin:/bin/sync\n";
        assert_eq!(people(passwd), ["ada"]);
    }

    #[test]
    fn names_must_be_literal_in_unit_files() {
        for name in ["ada", "ada.l", "ada-2", "ada@example.org"] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["-o", "a b", "DOM\\ada", "a%i", "a$b", "a'b", "ädä"] {
            assert!(!is_plain(name), "{name}");
        }
    }

    #[test]
    fn root_and_strangers_are_refused() {
        assert!(matches!(Person::find("root"), Err(Refused::Root)));
        assert!(matches!(Person::find("nobody-of-that-name"), Err(Refused::NoUser { .. })));
        assert!(matches!(Person::find("daemon"), Err(Refused::NoShell { .. })));
    }
}
