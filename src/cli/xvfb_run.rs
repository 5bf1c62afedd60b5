//! `startxd` called as `xvfb-run`, by a link of that name: takes the options of xvfb-run(1), as getopt(1) reads them
//! there, so that no CI file has to change. Parsing is pure.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The name of the link.
const NAME: &str = "xvfb-run";
/// The first display number of xvfb-run.
const USUAL_NUMBER: u16 = 99;

const NO_TCP: &str = "startxd opens no TCP port; clients on this machine need none";

/// The options: letter, long name, whether an argument follows.
const OPTIONS: [(u8, &str, bool); 9] = [
    (b'a', "auto-servernum", false),
    (b'e', "error-file", true),
    (b'f', "auth-file", true),
    (b'h', "help", false),
    (b'n', "server-num", true),
    (b'l', "listen-tcp", false),
    (b'p', "xauth-protocol", true),
    (b's', "server-args", true),
    (b'w', "wait", true),
];

/// What `--help` prints.
pub const HELP: &str = "\
Usage: xvfb-run [OPTION ...] COMMAND
Run COMMAND (usually an X client) in a virtual X server environment; done by startxd display run.
Options:
-a        --auto-servernum          try to get a free server number, starting at
                                    --server-num
-e FILE   --error-file=FILE         file used to store Xvfb output (default: the journal alone)
-f FILE   --auth-file=FILE          also put the cookie into this file
-h        --help                    display this usage message and exit
-n NUM    --server-num=NUM          server number to use (default: 99, or the next that is free)
-l        --listen-tcp              ignored: startxd opens no TCP port
-p PROTO  --xauth-protocol=PROTO    ignored: it is MIT-MAGIC-COOKIE-1
-s ARGS   --server-args=ARGS        arguments to pass to the Xvfb server
-w DELAY  --wait=DELAY              ignored: the command starts when the server answers
";

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The number to use, or to begin with.
    pub number: u16,
    /// Whether it must be that number.
    pub is_exact: bool,
    /// The file that gets a copy of the server's output.
    pub error_file: Option<PathBuf>,
    /// The file that gets a copy of the cookie.
    pub auth_file: Option<PathBuf>,
    /// Arguments for the server.
    pub server_args: Vec<String>,
    /// Options that have no effect here, and why, for a message.
    pub ignored: Vec<String>,
    /// The same for arguments of the server.
    ignored_args: Vec<String>,
    /// The command and its arguments; not empty.
    pub command: Vec<OsString>,
}

/// Why no command is run.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum NoCall {
    /// `--help`.
    #[error("{HELP}")]
    Help,
    /// What getopt(1) would refuse.
    #[error("{0}; see: xvfb-run --help")]
    BadOption(String),
    /// Only options.
    #[error("need a command to run; see: xvfb-run --help")]
    NoCommand,
}

/// Whether this name, the program's first argument, is the link's.
pub fn is_called_so(name: Option<&OsString>) -> bool {
    name.is_some_and(|name| Path::new(name).file_name() == Some(OsStr::new(NAME)))
}

/// Takes the arguments behind the name.
///
/// # Errors
/// [`NoCall`].
pub fn parse(arguments: &[OsString]) -> Result<Call, NoCall> {
    let mut call = Call { number: USUAL_NUMBER, ..Call::default() };
    let (mut is_auto, mut number, mut help) = (false, None, false);
    let mut rest = arguments.iter();
    let mut take = |letter: u8, argument: Option<OsString>| -> Result<(), NoCall> {
        let argument = argument.unwrap_or_default();
        match letter {
            b'a' => is_auto = true,
            b'e' => call.error_file = Some(argument.into()).filter(|path: &PathBuf| path != Path::new("/dev/null")),
            b'f' => call.auth_file = Some(argument.into()),
            b'h' => help = true,
            b'l' => call.ignored.push(format!("--listen-tcp: {NO_TCP}")),
            b'n' => {
                let text = argument.to_string_lossy().into_owned();
                let parsed = text.parse().map_err(|_| NoCall::BadOption(format!("{text:?} is not a server number")))?;
                number = Some(parsed);
            }
            b'p' if !matches!(argument.as_bytes(), b"." | b"MIT-MAGIC-COOKIE-1" | b"") => {
                call.ignored.push("--xauth-protocol: the cookie is for MIT-MAGIC-COOKIE-1".to_owned());
            }
            b's' => {
                // As the shell of xvfb-run splits it, which does not remove quotes.
                let text = argument.to_string_lossy().into_owned();
                (call.server_args, call.ignored_args) = sift(text.split_ascii_whitespace());
            }
            _ => {}
        }
        Ok(())
    };
    while let Some(word) = rest.as_slice().first() {
        let bytes = word.as_bytes();
        // "-" is a command's name to getopt, and so is what does not begin with a dash.
        if !bytes.starts_with(b"-") || bytes == b"-" {
            break;
        }
        rest.next();
        if bytes == b"--" {
            break;
        }
        if let Some(long) = bytes.strip_prefix(b"--") {
            let (name, given) = match long.iter().position(|&byte| byte == b'=') {
                Some(at) => (&long[..at], Some(OsString::from_vec(long[at + 1..].to_vec()))),
                None => (long, None),
            };
            let (letter, name, has_argument) = long_option(name)?;
            let argument = match (has_argument, given) {
                (true, None) => Some(rest.next().cloned().ok_or_else(|| no_argument(&format!("--{name}")))?),
                (false, Some(_)) => {
                    return Err(NoCall::BadOption(format!("option --{name} does not take an argument")));
                }
                (_, given) => given,
            };
            take(letter, argument)?;
            continue;
        }
        let mut letters = &bytes[1..];
        while let [letter, after @ ..] = letters {
            let shown = char::from(*letter);
            let option = OPTIONS.iter().find(|(one, ..)| one == letter);
            let (.., has_argument) = option.ok_or_else(|| NoCall::BadOption(format!("there is no option -{shown}")))?;
            letters = after;
            let mut argument = None;
            if *has_argument {
                let behind = (!after.is_empty()).then(|| OsString::from_vec(after.to_vec()));
                argument = Some(match behind {
                    Some(behind) => behind,
                    None => rest.next().cloned().ok_or_else(|| no_argument(&format!("-{shown}")))?,
                });
                letters = &[];
            }
            take(*letter, argument)?;
        }
    }
    let command = rest.as_slice().to_vec();
    call.ignored.append(&mut call.ignored_args);
    if help {
        return Err(NoCall::Help);
    }
    if command.is_empty() {
        return Err(NoCall::NoCommand);
    }
    Ok(Call { number: number.unwrap_or(USUAL_NUMBER), is_exact: number.is_some() && !is_auto, command, ..call })
}

/// Takes the words for the server and returns those that it gets, and why others have no effect. Arguments that startxd
/// always gives are dropped silently.
fn sift<'a>(words: impl Iterator<Item = &'a str>) -> (Vec<String>, Vec<String>) {
    let (mut arguments, mut ignored) = (Vec::new(), Vec::new());
    let mut words = words.map(str::to_owned);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-noreset" => {}
            "-nolisten" => drop(words.next()),
            "-listen" => {
                words.next();
                ignored.push(format!("{word}: {NO_TCP}"));
            }
            "-auth" | "-displayfd" => {
                words.next();
                ignored.push(format!("{word}: startxd gives the server its own"));
            }
            "-terminate" | "-reset" | "-nolock" => {
                ignored.push(format!("{word}: the server runs until the command has ended"));
            }
            _ => arguments.push(word),
        }
    }
    (arguments, ignored)
}

fn no_argument(option: &str) -> NoCall {
    NoCall::BadOption(format!("option {option} requires an argument"))
}

/// The option of a long name, which may be shortened as long as it is unambiguous.
fn long_option(name: &[u8]) -> Result<(u8, &'static str, bool), NoCall> {
    let shown = String::from_utf8_lossy(name);
    let mut meant = OPTIONS.iter().filter(|(_, long, _)| long.as_bytes().starts_with(name));
    let exact = OPTIONS.iter().find(|(_, long, _)| long.as_bytes() == name);
    match (exact, meant.next(), meant.next()) {
        (Some(option), ..) | (None, Some(option), None) => Ok(*option),
        (None, None, _) => Err(NoCall::BadOption(format!("there is no option --{shown}"))),
        (None, Some(_), Some(_)) => Err(NoCall::BadOption(format!("option --{shown} is ambiguous"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Vec<OsString> {
        line.iter().map(OsString::from).collect()
    }

    fn parsed(line: &[&str]) -> Result<Call, NoCall> {
        parse(&words(line))
    }

    #[test]
    fn the_options_of_ci_files_are_understood() {
        let call =
            parsed(&["-a", "-s", "-screen 0 1920x1080x24", "-e", "/dev/stderr", "-w", "0", "npm", "test"]).unwrap();
        let expected = Call {
            number: 99,
            is_exact: false,
            error_file: Some("/dev/stderr".into()),
            auth_file: None,
            server_args: ["-screen", "0", "1920x1080x24"].map(str::to_owned).to_vec(),
            ignored: Vec::new(),
            ignored_args: Vec::new(),
            command: words(&["npm", "test"]),
        };
        assert_eq!(call, expected);
        // The same, as getopt takes it.
        for line in [
            &["--auto-servernum", "--server-args=-screen 0 1920x1080x24", "--error-file", "/dev/stderr", "npm", "test"]
                [..],
            &["--auto", "--server-a", "-screen 0 1920x1080x24", "--err=/dev/stderr", "--wait=3", "--", "npm", "test"],
            &["-ae/dev/stderr", "-s-screen 0 1920x1080x24", "-w0", "npm", "test"],
            &["-as", "-screen 0 1920x1080x24", "-e", "/dev/null", "-e", "/dev/stderr", "npm", "test"],
        ] {
            assert_eq!(parsed(line).as_ref(), Ok(&expected), "{line:?}");
        }
    }

    #[test]
    fn numbers() {
        for (line, number, is_exact) in [
            (&["x"][..], 99, false),
            (&["-a", "x"], 99, false),
            (&["-n", "7", "x"], 7, true),
            (&["-n7", "--auto-servernum", "x"], 7, false),
            (&["--server-num=40", "x"], 40, true),
        ] {
            let call = parsed(line).unwrap();
            assert_eq!((call.number, call.is_exact), (number, is_exact), "{line:?}");
        }
    }

    #[test]
    fn options_of_the_command_are_left_alone() {
        for (line, command) in [
            (&["-a", "prog", "-a", "--", "-x"][..], &["prog", "-a", "--", "-x"][..]),
            (&["--", "-prog"], &["-prog"]),
            (&["-", "a"], &["-", "a"]),
        ] {
            assert_eq!(parsed(line).unwrap().command, words(command), "{line:?}");
        }
    }

    #[test]
    fn ignored_options_are_reported() {
        let call = parsed(&["-l", "-p", "XDM-AUTHORIZATION-1", "-f", "a", "x"]).unwrap();
        assert_eq!((call.ignored.len(), call.auth_file), (2, Some("a".into())));
        assert_eq!(parsed(&["-p", ".", "x"]).unwrap().ignored, [""; 0]);
        let args = "-ac -nolisten tcp -screen 0 1x1x8 +extension GLX -noreset -auth /x -listen tcp -terminate";
        let call = parsed(&["-s", args, "x"]).unwrap();
        assert_eq!(call.server_args.join(" "), "-ac -screen 0 1x1x8 +extension GLX");
        assert_eq!(call.ignored.len(), 3);
    }

    #[test]
    fn what_getopt_refuses() {
        for (line, part) in [
            (&["-x", "y"][..], "no option -x"),
            (&["--nope", "y"], "no option --nope"),
            (&["--server", "y"], "--server is ambiguous"),
            (&["-s"], "-s requires an argument"),
            (&["--wait"], "--wait requires an argument"),
            (&["--help=1"], "--help does not take an argument"),
            (&["-n", "many", "x"], "not a server number"),
            (&[], "need a command"),
            (&["-a", "--"], "need a command"),
        ] {
            let why = parsed(line).unwrap_err().to_string();
            assert!(why.contains(part), "{line:?}: {why}");
        }
        assert_eq!(parsed(&["-a", "-h"]), Err(NoCall::Help));
    }

    #[test]
    fn names() {
        for (name, expected) in [("xvfb-run", true), ("/usr/local/bin/xvfb-run", true), ("startxd", false), ("", false)]
        {
            assert_eq!(is_called_so(Some(&name.into())), expected, "{name}");
        }
        assert!(!is_called_so(None));
    }
}
