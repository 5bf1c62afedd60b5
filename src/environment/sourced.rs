//! The environment files, read by a shell: `/bin/sh`, because they are written for it.
//!
//! One shell reads all of them, one after the other. After each file it writes its whole environment into a pipe, so
//! that a file that ends the shell, or hangs, does not affect the files before it; another shell reads the files after
//! it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use tokio::time::Instant;

use crate::subprocess::{Output, Streams, run};
use crate::text::{self, quoted};

/// Written after a complete environment. It has no equals sign, unlike every variable.
const WHOLE: &[u8] = b"whole";

/// Names and values, as the kernel has them.
pub type Variables = Vec<(OsString, OsString)>;

/// The result of the files.
#[derive(Debug)]
pub struct Sourced {
    /// The environment after the last file that was read completely; the given one if none was.
    pub environment: Variables,
    /// The files that were not read completely, and why. One line each.
    pub problems: Vec<String>,
}

/// How many files may hang: each costs the deadline, and more would keep the person waiting for the session.
const MOST_HANGS: usize = 2;

/// Takes the files and the initial environment, and returns the result of the files.
///
/// The output of the files goes to our standard error; they have no input.
///
/// `what` is the name of such a file in messages.
pub async fn source(files: &[PathBuf], mut environment: Variables, deadline: Duration, what: &str) -> Sourced {
    let (mut problems, mut hangs, mut rest) = (Vec::new(), 0, files);
    while !rest.is_empty() {
        match run(shell(rest, &environment), Streams::Output, Instant::now() + deadline).await {
            Ok(Output { said, end }) => {
                let (read, last) = last_whole(&said);
                environment = last.unwrap_or(environment);
                let Some(broken) = rest.get(read) else { break };
                problems.push(describe(what, broken, end, deadline));
                hangs += usize::from(end.is_none());
                rest = &rest[read + 1..];
            }
            Err(error) => {
                problems.push(format!("{} not read: /bin/sh cannot be run: {error}", listed(what, rest)));
                break;
            }
        }
        if hangs == MOST_HANGS && !rest.is_empty() {
            problems.push(format!("{} not read, because {MOST_HANGS} before did not finish", listed(what, rest)));
            break;
        }
    }
    Sourced { environment, problems }
}

/// The beginning of a sentence about files.
fn listed(what: &str, files: &[PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|file| text::path(file)).collect();
    match names.as_slice() {
        [one] => format!("the {what} {one} is"),
        all => format!("the {what}s {} are", all.join(", ")),
    }
}

/// The shell that reads them.
fn shell(files: &[PathBuf], environment: &Variables) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(OsStr::from_bytes(&script(files))).arg("startxd");
    command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

/// The script for the shell. The pipe is descriptor 9, and closed while a file is read: a process that a file leaves in
/// the background must not keep it open.
#[must_use]
pub fn script(files: &[PathBuf]) -> Vec<u8> {
    let mut script = b"exec 9>&1 1>&2\n".to_vec();
    for file in files {
        script.extend_from_slice(b". ");
        script.extend(quoted(file.as_os_str().as_bytes()));
        script.extend_from_slice(b" 9>&-\n/usr/bin/env -0 >&9 && \\printf 'whole\\000' >&9\n");
    }
    script.extend_from_slice(b"exit 0\n");
    script
}

/// Takes the shell's output, and returns how many environments are complete, and the last of those.
#[must_use]
pub fn last_whole(output: &[u8]) -> (usize, Option<Variables>) {
    let (mut count, mut last, mut current) = (0, None, Vec::new());
    // After the last NUL comes a part that was not written completely.
    let end = output.iter().rposition(|&byte| byte == 0).unwrap_or(0);
    for record in output[..end].split(|&byte| byte == 0) {
        if record == WHOLE {
            count += 1;
            last = Some(std::mem::take(&mut current));
        } else if let Some(at) = record.iter().position(|&byte| byte == b'=').filter(|at| *at > 0) {
            let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
            current.push((text(&record[..at]), text(&record[at + 1..])));
        }
    }
    (count, last)
}

fn describe(noun: &str, file: &Path, end: Option<ExitStatus>, deadline: Duration) -> String {
    let file = text::path(file);
    let what = match end {
        None => format!("has not ended within {} s (deadlines.environment_files)", deadline.as_secs_f32()),
        Some(status) => match (status.code(), status.signal()) {
            (Some(0), _) => "ends the shell".to_owned(),
            (Some(code), _) => format!("ends the shell with status {code}"),
            (None, signal) => format!("ends the shell by signal {}", signal.unwrap_or_default()),
        },
    };
    format!("the {noun} {file} {what}, so it is ignored; try it: sh -x {}", text::shell_word(&file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_dir::TestDir;

    /// Reads files with these texts, named `0`, `1` and so on, and returns the variables that begin with `T_`, and the
    /// problems without the directory's name.
    fn sourced(texts: &[&str], seconds: f64) -> (String, Option<String>) {
        let dir = TestDir::new();
        std::fs::create_dir(dir.path("it's")).unwrap();
        let path = |index: usize| dir.path(format!("it's/{index}"));
        for (index, text) in texts.iter().enumerate() {
            std::fs::write(path(index), text).unwrap();
        }
        let files: Vec<PathBuf> = (0..texts.len()).map(path).collect();
        let environment = vec![("T_A".into(), "a".into()), ("PATH".into(), "/usr/bin:/bin".into())];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let sourced =
            runtime.block_on(source(&files, environment, Duration::from_secs_f64(seconds), "environment file"));
        let ours = |name: &OsString| name.as_bytes().starts_with(b"T_");
        let mut found: Vec<String> = sourced
            .environment
            .iter()
            .filter(|(name, _)| ours(name))
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect();
        found.sort();
        let place = format!("{}/", dir.path("it's").display());
        let problems: Vec<String> = sourced.problems.iter().map(|problem| problem.replace(&place, "")).collect();
        (found.join(" "), (!problems.is_empty()).then(|| problems.join("\n")))
    }

    #[test]
    fn files_change_the_environment() {
        let minute = 60.0;
        assert_eq!(sourced(&[], minute), ("T_A=a".into(), None));
        // Exported, changed, unset, with lines and quotes; a status other than 0 is not a failure.
        let texts =
            ["export T_B=\"$T_A b\nc'\\\"\" T_C=1; T_D=2; false", "unset T_A; export T_C=$T_C$T_D; [ -f /nowhere ]"];
        assert_eq!(sourced(&texts, minute), ("T_B=a b\nc'\" T_C=12".into(), None));
        // They may change the shell's own state; their output is not mistaken for ours, and there is no input.
        let texts = [
            "set -- x y; cd /; printf 'whole\\000'; export T_B=whole",
            "read x; env() { :; }; exec 9>/dev/null",
            "T_A=z",
        ];
        assert_eq!(sourced(&texts, minute), ("T_A=z T_B=whole".into(), None));
        // A process in the background delays nothing.
        let (found, problem) = sourced(
            &["sleep 600 & echo $! > /dev/null; kill $! ; sleep 600 2>/dev/null & T_A=$!; kill $!; T_A=b"],
            minute,
        );
        assert_eq!((found.as_str(), problem), ("T_A=b", None));
    }

    #[test]
    fn a_file_that_ends_the_shell_affects_only_itself() {
        let good = "export T_B=1";
        for (bad, part) in [
            ("export T_C=1; exit 3", "1 ends the shell with status 3, so it is ignored; try it: sh -x "),
            ("exit", "1 ends the shell, so it is ignored"),
            ("if", "1 ends the shell with status 2"),
            (": ${T_NONE:?}", "1 ends the shell with status"),
            ("set -e; false", "1 ends the shell with status 1"),
            ("kill -9 $$", "1 ends the shell by signal 9"),
            ("exec true", "1 ends the shell, "),
        ] {
            let (found, problem) = sourced(&[good, bad, "export T_D=1"], 60.0);
            let problem = problem.unwrap();
            assert!(problem.starts_with(&format!("the environment file {part}")), "{bad}: {problem}");
            assert_eq!(found, "T_A=a T_B=1 T_D=1", "{bad}");
        }
        let (found, problems) = sourced(&["exit 1", good, "exit 2", "export T_D=$T_B"], 60.0);
        assert_eq!(found, "T_A=a T_B=1 T_D=1");
        assert_eq!(problems.unwrap().lines().count(), 2);
    }

    #[test]
    fn a_file_that_hangs_is_ended() {
        let begun = std::time::Instant::now();
        for bad in ["sleep 600", "exec sleep 600", "trap '' TERM; while :; do :; done"] {
            let (found, problem) = sourced(&["export T_B=1", bad], 0.3);
            let problem = problem.unwrap();
            assert!(problem.starts_with("the environment file 1 has not ended within 0.3 s"), "{bad}: {problem}");
            assert_eq!(found, "T_A=a T_B=1");
        }
        let hang = "sleep 600";
        let (found, problems) = sourced(&[hang, "export T_B=1", hang, "export T_C=1", hang], 0.3);
        assert_eq!(found, "T_A=a T_B=1");
        assert!(problems.unwrap().ends_with("files 3, 4 are not read, because 2 before did not finish"));
        assert!(begun.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn an_incomplete_write_is_ignored() {
        let variables = |text: &str| vec![(OsString::from("A"), OsString::from(text))];
        assert_eq!(last_whole(b""), (0, None));
        assert_eq!(last_whole(b"A=1\0whole"), (0, None));
        assert_eq!(last_whole(b"A=1\0whole\0A=2\0who"), (1, Some(variables("1"))));
        assert_eq!(last_whole(b"A=1\0whole\0noequals\0=x\0A=2\0whole\0"), (2, Some(variables("2"))));
    }
}
