//! Our drop-in: its text, and what it records.
//!
//! Comments in it record what was created for it, so that `disable` undoes only that and nothing has to be
//! kept elsewhere.

use std::path::PathBuf;

use crate::unit_file;

/// Its name. Drop-ins are read in the order of their names, and this comes after `override.conf`, which is where
/// `systemctl edit` writes.
pub const NAME: &str = "startxd-autologin.conf";

const USER: &str = "# User: ";
const MADE: &str = "# Made for this: ";
const PROFILE: &str = "# Line added to: ";
const MADE_BY_USER: &str = "# Made for that: ";

/// What is in the drop-in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DropIn {
    /// Who is logged in.
    pub user: String,
    /// The start command with the autologin.
    pub exec_start: String,
    /// Directories and links that were created for it, in the order of creation.
    pub made: Vec<PathBuf>,
    /// The profile that our line was added to, if it was.
    pub profile: Option<PathBuf>,
    /// Directories that were created for the profile, in the order of creation.
    pub made_for_profile: Vec<PathBuf>,
}

impl DropIn {
    /// The file's text.
    #[must_use]
    pub fn text(&self, vt: u8) -> String {
        let mut text = format!(
            "# Written by startxd enable autologin; to take it back: startxd disable autologin --vt {vt}\n{USER}{}\n",
            self.user
        );
        let mut remember = |mark, paths: &[PathBuf]| {
            for path in paths {
                text.push_str(&format!("{mark}{}\n", path.display()));
            }
        };
        remember(MADE, &self.made);
        remember(PROFILE, self.profile.as_slice());
        remember(MADE_BY_USER, &self.made_for_profile);
        // From the type logind learns, at the login, that this session is graphical.
        text.push_str(&format!(
            "[Service]\nEnvironment=XDG_SESSION_TYPE=x11\nExecStart=\nExecStart={}\n",
            self.exec_start
        ));
        text
    }

    /// Reads what [`DropIn::text`] wrote; `None` if startxd did not write it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // We never wrote a line that is not a line for systemd.
        let marked = |mark: &'static str| {
            let rest = text.lines().filter_map(move |line| line.strip_prefix(mark));
            rest.filter(|rest| !rest.contains(char::is_control))
        };
        let all = |mark| marked(mark).map(PathBuf::from).collect();
        let profile: Vec<PathBuf> = all(PROFILE);
        Some(Self {
            user: marked(USER).next()?.to_owned(),
            exec_start: unit_file::values(text, "Service", "ExecStart").pop()?,
            made: all(MADE),
            profile: profile.into_iter().next(),
            made_for_profile: all(MADE_BY_USER),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::DropIn;

    #[test]
    fn what_is_written_is_read_again() {
        let drop_in = DropIn {
            user: "ada".into(),
            exec_start: r"-/sbin/agetty -o '-p -f -- \\u' --autologin ada - ${TERM}".into(),
            made: vec!["/etc/a.d".into(), "/etc/b c".into()],
            profile: Some("/home/ada/.config/fish/config.fish".into()),
            made_for_profile: vec!["/home/ada/.config".into()],
        };
        assert_eq!(DropIn::parse(&drop_in.text(1)), Some(drop_in.clone()));
        let bare = DropIn { made: vec![], profile: None, made_for_profile: vec![], ..drop_in };
        assert_eq!(DropIn::parse(&bare.text(63)), Some(bare));
        assert_eq!(DropIn::parse("[Service]\nExecStart=\nExecStart=/sbin/agetty\n"), None);
    }
}
