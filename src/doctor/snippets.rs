//! Startup files that do what startxd does, or against it.

use std::path::{Path, PathBuf};

use super::catalogue::{
    Kind, SNIPPETS_IMPORT, SNIPPETS_IMPORT_ALL, SNIPPETS_INSTALLED, SNIPPETS_OTHER_BUS, SNIPPETS_SECOND_START,
};
use super::machine::Machine;
use super::{Finding, files};
use crate::text::shell_word;

/// Snippets of distributions for the startup of X: of systemd on Arch and Fedora, of D-Bus on Debian.
const INSTALLED: [&str; 3] = [
    "/etc/X11/xinit/xinitrc.d/50-systemd-user.sh",
    "/etc/X11/Xsession.d/95dbus_update-activation-env",
    "/etc/X11/Xsession.d/75dbus_dbus-launch",
];

/// Startup files of X sessions, below the home.
const SESSION_FILES: [&str; 4] = [".xinitrc", ".xsession", ".xsessionrc", ".xprofile"];

/// Startup files of shells, below the home.
const SHELL_FILES: [&str; 9] = [
    ".profile",
    ".bash_profile",
    ".bash_login",
    ".bashrc",
    ".zprofile",
    ".zlogin",
    ".zshrc",
    ".zshenv",
    ".config/fish/config.fish",
];

/// Commands that start X without startxd.
const STARTERS: [&str; 3] = ["startx", "xinit", "sx"];

/// So much of a line is shown, in characters.
const SHOWN: usize = 100;

/// A file of one's own.
#[derive(Debug)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is a shell's, and not an X session's.
    pub shell: bool,
    /// What is in it.
    pub text: String,
}

/// Looks at the snippets and at the startup files of the user.
pub fn examine(machine: &Machine) -> Vec<Finding> {
    let installed = INSTALLED.iter().filter(|path| Path::new(path).exists());
    let mut findings: Vec<Finding> = installed
        .map(|path| {
            let remedy = "nothing, if your sessions are started by startxd alone and no file of yours runs it";
            SNIPPETS_INSTALLED.found(format!("{path} is installed"), remedy)
        })
        .collect();
    let Some(home) = &machine.home else { return findings };
    let names = SESSION_FILES.map(|name| (name, false)).into_iter().chain(SHELL_FILES.map(|name| (name, true)));
    let paths = names.map(|(name, shell)| (home.join(name), shell));
    let files = paths.filter_map(|(path, shell)| Some(File { text: files::text(&path)?, path, shell }));
    findings.extend(files.flat_map(|file| judge(&file)));
    findings
}

/// What is wrong in a file: each kind of fault once, with the first line that has it.
#[must_use]
pub fn judge(file: &File) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        let Some(kind) = judge_line(line, file.shell) else { continue };
        if findings.iter().all(|finding| finding.kind != kind) {
            let (path, shown) = (file.path.to_string_lossy(), line.trim().chars().take(SHOWN).collect::<String>());
            findings.push(kind.found(
                format!("{path}, line {number}: {shown}"),
                format!("take the line out: sed -i '{number}d' {}", shell_word(&path)),
            ));
        }
    }
    findings
}

/// What is wrong with a line of shell. It is not parsed: a command is what looks like one.
fn judge_line(line: &str, shell: bool) -> Option<&'static Kind> {
    // A `#` within a word is none that begins a comment.
    let code = line.split_ascii_whitespace().take_while(|word| !word.starts_with('#'));
    let words: Vec<&str> = code.collect();
    let ends = |word: &str| matches!(word, "&&" | "||" | ";" | "&" | "|" | "then" | "fi" | "}" | "done");
    let after = |at: usize| words[at + 1..].iter().take_while(|word| !ends(word) && !word.contains('>'));
    for (at, word) in words.iter().enumerate() {
        let command = word.trim_start_matches(['(', '{', '"', '$', '`']).trim_end_matches([';', ')', '"', '`']);
        let command = command.rsplit('/').next().unwrap_or(command);
        // What a variable, an option or a test is given is no command.
        let argument = at > 0 && matches!(words[at - 1], "-x" | "-f" | "-e" | "-v" | "which" | "echo" | "alias");
        if argument {
            continue;
        }
        match command {
            "dbus-launch" | "dbus-run-session" => return Some(&SNIPPETS_OTHER_BUS),
            "dbus-update-activation-environment" => {
                let all = after(at).any(|word| word.trim_end_matches(';') == "--all");
                return Some(if all { &SNIPPETS_IMPORT_ALL } else { &SNIPPETS_IMPORT });
            }
            "import-environment" => {
                let named = after(at).any(|word| !word.starts_with('-'));
                let bare = word.ends_with(';') || !named;
                return Some(if bare { &SNIPPETS_IMPORT_ALL } else { &SNIPPETS_IMPORT });
            }
            starter if shell && STARTERS.contains(&starter) => return Some(&SNIPPETS_SECOND_START),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{File, judge, judge_line};

    #[test]
    fn lines() {
        let cases = [
            ("", true, None),
            ("# exec startx", true, None),
            ("export A=startx", true, None),
            ("command -v startx >/dev/null", true, None),
            ("alias startx='startx -- :1'", true, None),
            ("startxd check may-start && exec startxd start", true, None),
            ("[ \"$(tty)\" = /dev/tty1 ] && exec startx", true, Some("snippets.second-start")),
            ("if [ -z \"$DISPLAY\" ]; then /usr/bin/startx; fi", true, Some("snippets.second-start")),
            ("startx", false, None),
            ("systemctl --user import-environment DISPLAY XAUTHORITY", false, Some("snippets.import")),
            ("systemctl --user import-environment", false, Some("snippets.import-all")),
            ("systemctl --user import-environment; true", false, Some("snippets.import-all")),
            ("systemctl --user import-environment && true", false, Some("snippets.import-all")),
            ("systemctl --user import-environment 2>/dev/null", false, Some("snippets.import-all")),
            ("dbus-update-activation-environment --systemd --all", true, Some("snippets.import-all")),
            ("dbus-update-activation-environment --systemd DISPLAY # --all", true, Some("snippets.import")),
            ("exec dbus-run-session openbox-session", false, Some("snippets.other-bus")),
            ("eval $(dbus-launch --sh-syntax)", false, Some("snippets.other-bus")),
            ("eval `dbus-launch`", false, Some("snippets.other-bus")),
        ];
        for (line, shell, id) in cases {
            assert_eq!(judge_line(line, shell).map(|kind| kind.id), id, "{line}");
        }
    }

    #[test]
    fn each_kind_is_told_once_with_its_line() {
        let text = "xrdb -merge ~/.Xresources\nsystemctl --user import-environment\ndbus-run-session a\n\
                    systemctl --user import-environment\n";
        let findings = judge(&File { path: "/home/ada/.xinitrc".into(), shell: false, text: text.into() });
        let said: Vec<(&str, &str)> = findings.iter().map(|f| (f.kind.id, f.what.as_str())).collect();
        assert_eq!(
            said,
            [
                ("snippets.import-all", "/home/ada/.xinitrc, line 2: systemctl --user import-environment"),
                ("snippets.other-bus", "/home/ada/.xinitrc, line 3: dbus-run-session a"),
            ]
        );
        assert!(findings[0].remedy.ends_with("sed -i '2d' /home/ada/.xinitrc"));
    }
}
