//! The line in the profile of a login shell that starts the session: which file, which line, adding and removing it.

use std::path::{Path, PathBuf};

const BEGIN: &str = "# Added by startxd enable autologin; to take it out: startxd disable autologin";
const END: &str = "# End of what startxd added";
/// Added to [`BEGIN`] if the file did not end with a line break, so that this can be undone as well.
const UNENDED: &str = " (the newline before this line was added as well)";

/// The line for a shell that we do not know; its user has to adapt it.
pub const ANY_SHELL: &str = "startxd check may-start && startxd start --login && exit";

/// A login shell, distinguished by its profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// bash(1)
    Bash,
    /// zsh(1)
    Zsh,
    /// fish(1)
    Fish,
    /// sh(1) and other shells that read `~/.profile`.
    Posix,
    /// csh(1), tcsh(1)
    Csh,
}

impl Shell {
    /// The shell by its path in passwd(5); `None` for one that we do not know.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.file_name()?.to_str()? {
            "bash" | "rbash" => Some(Self::Bash),
            "zsh" => Some(Self::Zsh),
            "fish" => Some(Self::Fish),
            "sh" | "dash" | "ash" | "ksh" | "ksh93" | "mksh" | "yash" => Some(Self::Posix),
            "csh" | "tcsh" => Some(Self::Csh),
            _ => None,
        }
    }

    /// The profile that the shell reads at a login, below the home directory. `exists` tells whether a file is there:
    /// bash reads the first of three.
    #[must_use]
    pub fn profile(self, exists: impl Fn(&str) -> bool) -> &'static str {
        const BASH: [&str; 3] = [".bash_profile", ".bash_login", ".profile"];
        match self {
            Self::Bash => BASH.into_iter().find(|name| exists(name)).unwrap_or(BASH[0]),
            Self::Zsh => ".zprofile",
            Self::Fish => ".config/fish/config.fish",
            Self::Posix => ".profile",
            Self::Csh => ".login",
        }
    }

    /// The line. It closes the shell after a session that was up, however that ended, so that nobody finds an open
    /// shell. After a session that could not start, the shell goes on and shows the reason: with `exec` the getty would
    /// log in again and again.
    ///
    /// On any terminal except the first, the login happens in the background, so the session has to bring the terminal
    /// forward.
    #[must_use]
    pub fn line(self, vt: u8) -> String {
        let activate = if vt == 1 { "" } else { " --activate" };
        let line = format!("startxd check may-start{activate} && startxd start --login{activate}");
        match self {
            // Every fish reads its configuration, not only at a login; and `exit` in it only ends the reading.
            Self::Fish => format!("status is-login && {line} && exec true"),
            _ => format!("{line} && exit"),
        }
    }
}

/// Adds our block with `line` to the end of a profile, in place of an earlier block.
#[must_use]
pub fn with_line(profile: &str, line: &str) -> String {
    let mut text = without_line(profile);
    let unended = if text.is_empty() || text.ends_with('\n') { "" } else { UNENDED };
    if !unended.is_empty() {
        text.push('\n');
    }
    text + &format!("{BEGIN}{unended}\n{line}\n{END}\n")
}

/// Removes our block from a profile: returns what [`with_line`] was given, with what was written below it since.
#[must_use]
pub fn without_line(profile: &str) -> String {
    // Where each open block began, innermost last. If the end of a block is gone, it is unknown what is ours, and
    // the end of a later block does not count for it.
    let (mut text, mut begun, mut unended) = (String::new(), Vec::new(), None);
    for line in profile.split_inclusive('\n') {
        let mark = line.strip_suffix('\n').unwrap_or(line);
        if let Some(rest) = mark.strip_prefix(BEGIN).filter(|rest| matches!(*rest, "" | UNENDED)) {
            begun.push((text.len(), rest == UNENDED));
        }
        text.push_str(line);
        if mark == END
            && let Some((at, was_unended)) = begun.pop()
        {
            text.truncate(at);
            unended = was_unended.then_some(at);
        }
    }
    // A line break belongs to the line before it as soon as something follows.
    if unended == Some(text.len()) {
        text.pop();
    }
    text
}

/// The directories between `home` and `file` that do not exist, the outermost first.
#[must_use]
pub fn missing_directories(home: &Path, file: &Path) -> Vec<PathBuf> {
    let between = file.ancestors().skip(1).take_while(|path| *path != home && path.starts_with(home));
    let mut missing: Vec<PathBuf> = between.filter(|path| !path.exists()).map(Path::to_owned).collect();
    missing.reverse();
    missing
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Shell, with_line, without_line};

    #[test]
    fn a_line_comes_and_goes_without_a_trace() {
        for profile in ["", "\n", "a", "a\n", "a\n\n", "if x\nfi"] {
            let with = with_line(profile, "startxd start");
            assert!(with.contains("\nstartxd start\n"), "{with}");
            assert_eq!(without_line(&with), profile);
            assert_eq!(with_line(&with, "startxd start"), with, "twice is once");
            assert_eq!(without_line(&with_line(&with, "another")), profile);
        }
    }

    #[test]
    fn what_the_person_wrote_stays() {
        assert_eq!(without_line(&(with_line("a\n", "x") + "b\n")), "a\nb\n");
        // A line break belongs to the line before it as soon as something follows.
        assert_eq!(without_line(&(with_line("a", "x") + "b\n")), "a\nb\n");
        let edited = with_line("a\n", "x").replace("# End", "# end");
        assert_eq!(without_line(&edited), edited);
        // The end of another block is not its end: the text between was never ours.
        assert_eq!(without_line(&with_line(&(edited.clone() + "mine\n"), "x")), edited.clone() + "mine\n");
        let mentioned = with_line("a\n", "x").replace("# End", "echo # End");
        assert_eq!(without_line(&mentioned), mentioned);
        // A copy is a block as well.
        let copied = with_line("a\n", "x").repeat(2);
        assert_eq!(without_line(&copied), "a\na\n");
        for profile in ["", "a\n", "echo '# Added by startxd enable autologin'\n"] {
            assert_eq!(without_line(profile), profile);
        }
    }

    #[test]
    fn shells_read_their_own_profiles() {
        let profile = |shell: &str, there: &[&str]| {
            Shell::of(Path::new(shell)).map(|shell| shell.profile(|name| there.contains(&name)))
        };
        let cases = [
            ("/bin/bash", &[][..], Some(".bash_profile")),
            ("/bin/bash", &[".profile"], Some(".profile")),
            ("/usr/bin/bash", &[".profile", ".bash_login"], Some(".bash_login")),
            ("/bin/bash", &[".profile", ".bash_profile"], Some(".bash_profile")),
            ("/usr/bin/zsh", &[".profile"], Some(".zprofile")),
            ("/usr/bin/fish", &[], Some(".config/fish/config.fish")),
            ("/bin/sh", &[], Some(".profile")),
            ("/bin/tcsh", &[], Some(".login")),
            ("/usr/bin/nu", &[], None),
        ];
        for (shell, there, expected) in cases {
            assert_eq!(profile(shell, there), expected, "{shell} {there:?}");
        }
        assert_eq!(Shell::Zsh.line(1), "startxd check may-start && startxd start --login && exit");
        assert!(Shell::Fish.line(2).starts_with("status is-login && ") && Shell::Bash.line(2).contains("--activate"));
    }
}
