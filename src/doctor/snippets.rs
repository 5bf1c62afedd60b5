//! Startup files that repeat what startxd does, or work against it.

use std::path::{Path, PathBuf};

use super::catalogue::{
    FindingKind, SNIPPETS_IMPORT, SNIPPETS_IMPORT_ALL, SNIPPETS_INSTALLED, SNIPPETS_OTHER_BUS, SNIPPETS_SECOND_START,
};
use super::machine::Machine;
use super::startup_edit::{self, Unwanted};
use super::{Finding, files};

/// Snippets that distributions run when X starts: systemd's on Arch and Fedora, D-Bus's on Debian.
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

/// Commands that start a bus, most often for another command.
const OTHER_BUSES: [&str; 2] = ["dbus-launch", "dbus-run-session"];

/// Commands that export variables.
const IMPORTERS: [&str; 2] = ["systemctl", "dbus-update-activation-environment"];

/// How many characters of a line are shown.
const SHOWN: usize = 100;

/// How many lines are named.
const MOST: usize = 8;

/// The longest command that a person would copy, in bytes.
const LONGEST: usize = 500;

/// A file of the user.
#[derive(Debug)]
pub struct StartupFile {
    /// Its path.
    pub path: PathBuf,
    /// Whether a shell reads it, not an X session.
    pub shell: bool,
    /// Its text.
    pub text: String,
}

/// Examines the snippets and the startup files of the user.
pub fn examine(machine: &Machine) -> Vec<Finding> {
    let installed = INSTALLED.iter().filter(|path| Path::new(path).exists());
    let mut findings: Vec<Finding> = installed
        .map(|path| {
            let remedy = "nothing, if only startxd starts your sessions and none of your files runs it";
            SNIPPETS_INSTALLED.found(format!("{path} is installed"), remedy)
        })
        .collect();
    let Some(home) = &machine.home else { return findings };
    let names = SESSION_FILES.map(|name| (name, false)).into_iter().chain(SHELL_FILES.map(|name| (name, true)));
    let paths = names.map(|(name, shell)| (home.join(name), shell));
    let files = paths.filter_map(|(path, shell)| Some(StartupFile { text: files::text(&path)?, path, shell }));
    findings.extend(files.flat_map(|file| judge(&file)));
    findings
}

/// What is wrong in a file: each kind of fault once, with the lines that have it.
#[must_use]
pub fn judge(file: &StartupFile) -> Vec<Finding> {
    let mut found: Vec<(&'static FindingKind, Vec<usize>)> = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        for kind in judge_line(line, file.shell) {
            match found.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, lines)) => lines.push(number),
                None => found.push((kind, vec![number])),
            }
        }
    }
    let finding = |(kind, lines): (&'static FindingKind, Vec<usize>)| {
        let line = file.text.lines().nth(lines[0] - 1).unwrap_or_default();
        let (path, shown) = (file.path.to_string_lossy(), line.trim().chars().take(SHOWN).collect::<String>());
        kind.found(format!("{path}, line {}: {shown}", lines[0]), remedy(file, kind, &lines))
    };
    found.into_iter().map(finding).collect()
}

/// How to remove a kind of fault from its lines: a command, if the file is certainly valid after it and has no other
/// fault; otherwise what to do by hand.
fn remedy(file: &StartupFile, kind: &'static FindingKind, lines: &[usize]) -> String {
    let path = file.path.to_string_lossy();
    let fish = path.ends_with(".fish");
    let is_fixed = |text: &str| {
        let mut after = text.lines().flat_map(|line| judge_line(line, file.shell));
        let others =
            |text: &str| text.lines().flat_map(|line| judge_line(line, file.shell)).filter(|one| *one != kind).count();
        after.all(|one| one != kind) && others(text) == others(&file.text)
    };
    let is_it = |command: &str| judge_line(command, file.shell).contains(&kind);
    // A name that is not UTF-8 would be printed differently in the command.
    let edits = startup_edit::edits(&file.text, lines, unwanted(kind), is_it, fish);
    let edits = edits.filter(|_| file.path.to_str().is_some());
    let command = edits.filter(|(_, text)| is_fixed(text)).map(|(edits, _)| startup_edit::command(&edits, &path));
    match command.filter(|command| command.len() <= LONGEST && !command.contains(char::is_control)) {
        Some(command) => format!("replace the command: {command}"),
        None => {
            let mut numbers: Vec<String> = lines.iter().take(MOST).map(usize::to_string).collect();
            numbers.extend((lines.len() > MOST).then(|| "…".to_owned()));
            let plural = if lines.len() == 1 { "" } else { "s" };
            let numbers = numbers.join(", ");
            format!(
                "remove it by hand, in line{plural} {numbers} of {path}; if a block becomes empty, put \"true\" there"
            )
        }
    }
}

/// What has to be removed for a kind of fault.
fn unwanted(kind: &'static FindingKind) -> Unwanted {
    if kind == &SNIPPETS_OTHER_BUS {
        Unwanted::Wrapper(&OTHER_BUSES)
    } else if kind == &SNIPPETS_SECOND_START {
        Unwanted::Start(&STARTERS)
    } else {
        Unwanted::Command(&IMPORTERS)
    }
}

/// What is wrong with a line of shell, each kind once. It is not parsed: whatever looks like a command is one.
fn judge_line(line: &str, shell: bool) -> Vec<&'static FindingKind> {
    // A `#` within a word does not begin a comment.
    let code = line.split_ascii_whitespace().take_while(|word| !word.starts_with('#'));
    let words: Vec<&str> = code.collect();
    let mut kinds: Vec<&'static FindingKind> = Vec::new();
    for at in 0..words.len() {
        kinds.extend(judge_word(&words, at, shell).filter(|kind| !kinds.contains(kind)));
    }
    kinds
}

/// What is wrong with a word, if it is a command.
fn judge_word(words: &[&str], at: usize, shell: bool) -> Option<&'static FindingKind> {
    let ends = |word: &str| matches!(word, "&&" | "||" | ";" | "&" | "|" | "then" | "fi" | "}" | "done");
    let word = words[at];
    let arguments = words[at + 1..].iter().take_while(|word| !ends(word) && !word.contains('>'));
    // A word that includes the end of its command has no arguments.
    let mut arguments = arguments.take(if word.ends_with(';') { 0 } else { usize::MAX });
    let command = word.trim_start_matches(['(', '{', '"', '$', '`']).trim_end_matches([';', ')', '"', '`']);
    let command = command.rsplit('/').next().unwrap_or(command);
    // The value of a variable, an option or a test is not a command.
    if at > 0 && matches!(words[at - 1], "-x" | "-f" | "-e" | "-v" | "which" | "echo" | "alias") {
        return None;
    }
    match command {
        "dbus-launch" | "dbus-run-session" => Some(&SNIPPETS_OTHER_BUS),
        "dbus-update-activation-environment" => {
            let all = arguments.any(|word| word.trim_end_matches(';') == "--all");
            Some(if all { &SNIPPETS_IMPORT_ALL } else { &SNIPPETS_IMPORT })
        }
        "import-environment" => {
            let named = arguments.any(|word| !word.starts_with('-'));
            Some(if named { &SNIPPETS_IMPORT } else { &SNIPPETS_IMPORT_ALL })
        }
        starter if shell && STARTERS.contains(&starter) => Some(&SNIPPETS_SECOND_START),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::{StartupFile, judge, judge_line};
    use crate::test_dir::TestDir;

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
            let ids: Vec<&str> = judge_line(line, shell).iter().map(|kind| kind.id).collect();
            assert_eq!(ids, Vec::from_iter(id), "{line}");
        }
    }

    #[test]
    fn each_kind_is_reported_once_with_its_line() {
        let text = "xrdb -merge ~/.Xresources\nsystemctl --user import-environment\ndbus-run-session a\n\
                    systemctl --user import-environment\n";
        let findings = judge(&StartupFile { path: "/home/ada/.xinitrc".into(), shell: false, text: text.into() });
        let said: Vec<(&str, &str)> = findings.iter().map(|f| (f.kind.id, f.what.as_str())).collect();
        assert_eq!(
            said,
            [
                ("snippets.import-all", "/home/ada/.xinitrc, line 2: systemctl --user import-environment"),
                ("snippets.other-bus", "/home/ada/.xinitrc, line 3: dbus-run-session a"),
            ]
        );
        assert!(findings[0].remedy.ends_with(
            "sed -i --follow-symlinks -e '2s/systemctl --user import-environment/true/' \
             -e '4s/systemctl --user import-environment/true/' /home/ada/.xinitrc"
        ));
    }

    /// A file, its text, the ids that are found, and whether a command is offered for each.
    type Case = (&'static str, &'static str, &'static [(&'static str, bool)]);

    const FILES: [Case; 12] = [
        (".bash_profile", "if [ -z \"$DISPLAY\" ]; then exec startx; fi\n", &[("snippets.second-start", true)]),
        (".profile", "if true; then\n    exec startx -- vt1 # now\nfi\n", &[("snippets.second-start", true)]),
        (".bash_profile", "startx\nlogout\n", &[("snippets.second-start", false)]),
        (".xinitrc", "exec dbus-launch --exit-with-session openbox", &[("snippets.other-bus", true)]),
        (
            ".xinitrc",
            "systemctl --user import-environment\nexec dbus-run-session -- openbox-session\n",
            &[("snippets.import-all", true), ("snippets.other-bus", true)],
        ),
        (
            ".xsession",
            "if test -z \"$B\"; then\n  eval `dbus-launch --sh-syntax`\nfi\nexec dbus-launch i3\n",
            &[("snippets.other-bus", true)],
        ),
        (
            ".xsessionrc",
            "for a in 1; do systemctl --user import-environment A; done\nsystemctl --user import-environment\n",
            &[("snippets.import", false), ("snippets.import-all", true)],
        ),
        (".xinitrc", "(systemctl --user import-environment A; b) &\n", &[("snippets.import", false)]),
        (
            ".xinitrc",
            "systemctl --user import-environment A && dbus-update-activation-environment --all; dbus-run-session a",
            &[("snippets.import", true), ("snippets.import-all", true), ("snippets.other-bus", true)],
        ),
        (".xprofile", "cat <<E\nstartx\nE\nsystemctl --user import-environment A\n", &[("snippets.import", false)]),
        (".bashrc", "[ -t 0 ] && { startx; }\n", &[("snippets.second-start", true)]),
        (
            ".profile",
            "x() {\n\tstartx &\n}\ncase $(tty) in /dev/tty1) xinit;; esac\n",
            &[("snippets.second-start", true)],
        ),
    ];

    /// Runs the remedies as they are printed, one after the other, like a person who reads the report. The
    /// guest tests do the same with the files of other shells.
    #[test]
    fn a_remedy_that_is_run_leaves_a_valid_file_without_the_fault() {
        for (name, text, expected) in FILES {
            let dir = TestDir::new();
            let (path, link) = (dir.path("the file"), dir.path(name));
            fs::write(&path, text).unwrap();
            symlink("the file", &link).unwrap();
            let read = || StartupFile {
                path: link.clone(),
                shell: !name.starts_with(".x"),
                text: fs::read_to_string(&link).unwrap(),
            };
            let findings = judge(&read());
            let said: Vec<_> = findings.iter().map(|f| (f.kind.id, f.remedy.contains("sed -i"))).collect();
            assert_eq!(said, expected, "{text}");
            for finding in findings.iter().filter(|finding| finding.remedy.contains("sed -i")) {
                let command = finding.remedy.split_once(": ").unwrap().1;
                assert!(Command::new("sh").arg("-c").arg(command).status().unwrap().success(), "{command}");
            }
            let after = read();
            let left: Vec<_> = judge(&after).iter().map(|f| (f.kind.id, false)).collect();
            let by_hand: Vec<_> = expected.iter().copied().filter(|(_, command)| !command).collect();
            assert_eq!(left, by_hand, "{text}\n{}", after.text);
            assert!(link.is_symlink(), "the link became a file");
            for shell in ["sh", "bash"] {
                assert!(
                    Command::new(shell).arg("-n").arg(&link).status().unwrap().success(),
                    "{shell}: {}",
                    after.text
                );
            }
            assert_eq!(text.lines().count(), after.text.lines().count());
            for (before, after) in text.lines().zip(after.text.lines()) {
                assert!(before == after || !judge_line(before, true).is_empty(), "{before} was touched: {after}");
            }
        }
    }
}
