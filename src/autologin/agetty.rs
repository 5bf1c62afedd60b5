//! The command line of agetty(8), changed so that it logs a user in instead of asking for a name.

/// The options that agetty gives to login(1): `-f`, as nobody is there to authenticate, and `-p`, because otherwise
/// login drops the environment, and with it `XDG_SESSION_TYPE`, before PAM sees it (both shadow's login and that of
/// util-linux do).
const LOGIN_OPTIONS: &str = r"-o '-p -f -- \\u'";

/// Prefixes of a program (systemd.service(5), "Command lines").
const PREFIXES: [char; 6] = ['-', '@', ':', '+', '!', '|'];

/// Options of agetty that take a value, in the same word or as the next word.
const SHORT: &str = "aCdfHIloPrt";
/// The same with long names, which may be abbreviated (getopt_long(3)), and options that have only a long name.
const LONG: [&str; 13] = [
    "autologin",
    "chdir",
    "chroot",
    "delay",
    "erase-chars",
    "host",
    "init-string",
    "issue-file",
    "kill-chars",
    "login-options",
    "login-program",
    "nice",
    "timeout",
];
/// The options that would contradict ours.
const CONTRADICT: (&str, [&str; 2]) = ("ao", ["autologin", "login-options"]);

/// Takes an `ExecStart=` of a getty and returns it with the autologin of `user`; everything else stays as the
/// distribution wrote it. `None` if it does not run agetty, or is not a command line for systemd.
#[must_use]
pub fn with_autologin(exec_start: &str, user: &str) -> Option<String> {
    let mut words = words(exec_start)?;
    let program = &words.first()?.written;
    let path = program.trim_start_matches(PREFIXES);
    // systemd takes no other paths.
    let is_program = path.starts_with('/') || !path.contains('/');
    if !is_program || !matches!(path.rsplit('/').next(), Some("agetty" | "getty")) {
        return None;
    }
    // With this prefix the next word is the program's argv[0].
    let is_named = program[..program.len() - path.len()].contains('@');
    let own = 1 + usize::from(is_named);
    if words.len() < own {
        return None;
    }
    let options = words.split_off(own);
    let mut line: Vec<_> = words.into_iter().map(|word| word.written).collect();
    line.extend([LOGIN_OPTIONS, "--autologin", user].map(str::to_owned));
    line.extend(without_contradiction(options));
    Some(line.join(" "))
}

/// Takes the options of a getty and returns them, unchanged, without those that would contradict ours.
fn without_contradiction(options: Vec<GettyWord>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut options = options.into_iter();
    while let Some(word) = options.next() {
        let Some(option) = option(&word.meant) else {
            kept.push(word.written);
            // After two dashes there are no more options.
            if word.meant == "--" {
                kept.extend(options.by_ref().map(|word| word.written));
            }
            continue;
        };
        let value = if option.is_whole { None } else { options.next() };
        if option.contradicts {
            kept.extend(option.before);
        } else {
            kept.extend([word].into_iter().chain(value).map(|word| word.written));
        }
    }
    kept
}

/// An option that takes a value.
struct Valued {
    contradicts: bool,
    /// Whether the value is in the same word.
    is_whole: bool,
    /// Options without a value that precede it in the same word.
    before: Option<String>,
}

/// The option in a word without its quotes that takes a value, if there is one.
fn option(word: &str) -> Option<Valued> {
    // Escapes are not decoded: options need none, only values do.
    let plain = word.split('\\').next()?;
    if let Some(long) = plain.strip_prefix("--") {
        let (begin, is_whole) = long.split_once('=').map_or((long, false), |(begin, _)| (begin, true));
        let is_name = !begin.is_empty() && (is_whole || plain == word);
        let name = LONG.iter().find(|name| is_name && name.starts_with(begin))?;
        return Some(Valued { contradicts: CONTRADICT.1.contains(name), is_whole, before: None });
    }
    let flags = plain.strip_prefix('-')?;
    // The rest of the word after -L is its value, but the next word never is; and a word with other characters is not
    // an option.
    let is_last = |flag: char| flag == 'L' || SHORT.contains(flag) || !flag.is_ascii_alphanumeric();
    let (at, flag) = flags.char_indices().find(|(_, flag)| is_last(*flag))?;
    SHORT.contains(flag).then(|| Valued {
        contradicts: CONTRADICT.0.contains(flag),
        is_whole: word.len() > "-".len() + at + flag.len_utf8(),
        before: (at > 0).then(|| format!("-{}", &flags[..at])),
    })
}

/// A word of a command line.
#[derive(Default)]
struct GettyWord {
    /// With its quotes and escapes.
    written: String,
    /// Without quotes, as agetty gets it, except for escapes.
    meant: String,
}

/// The words of a command line (systemd.service(5), "Command lines"); `None` if a quote or an escape has no end.
fn words(line: &str) -> Option<Vec<GettyWord>> {
    let mut words = vec![GettyWord::default()];
    let mut quote = None;
    let mut escaped = false;
    for c in line.chars() {
        if matches!(c, ' ' | '\t') && quote.is_none() && !escaped {
            words.push(GettyWord::default());
            continue;
        }
        let was_quoted = quote;
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' | '"' if quote.is_none() => quote = Some(c),
            _ if quote == Some(c) => quote = None,
            _ => {}
        }
        if let Some(word) = words.last_mut() {
            word.written.push(c);
            // Only an opening or closing quote has changed it.
            if quote == was_quoted {
                word.meant.push(c);
            }
        }
    }
    words.retain(|word| !word.written.is_empty());
    (quote.is_none() && !escaped).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::with_autologin;

    #[test]
    fn distributions_keep_their_own_options() {
        let cases = [
            // systemd 252, 257 and 262, as Debian ships them, and lines that a person wrote.
            (r"-/sbin/agetty -o '-p -- \\u' --noclear - $TERM", "-/sbin/agetty {} --noclear - $TERM"),
            (
                r"-/sbin/agetty -o '-- \\u' --noreset --noclear - ${TERM}",
                "-/sbin/agetty {} --noreset --noclear - ${TERM}",
            ),
            ("-/usr/sbin/agetty --noreset --noclear - ${TERM}", "-/usr/sbin/agetty {} --noreset --noclear - ${TERM}"),
            ("/sbin/agetty -a eve --login-options=\"-f x\" %I 38400 linux", "/sbin/agetty {} %I 38400 linux"),
            ("/sbin/agetty --autologin eve -J  %I", "/sbin/agetty {} -J %I"),
            ("-@/sbin/agetty login -J", "-@/sbin/agetty login {} -J"),
            // As getopt_long(3) understands them.
            (r"/sbin/agetty -aeve -o'-p \\u' --auto eve --login-o x -Ja eve %I", "/sbin/agetty {} -J %I"),
            ("/sbin/agetty -I -a --ho -o -L=a -8 -- -a b", "/sbin/agetty {} -I -a --ho -o -L=a -8 -- -a b"),
            // systemd removes the quotes first.
            ("/sbin/agetty '-a' \"eve\" ''-- -a b", "/sbin/agetty {} ''-- -a b"),
            ("/sbin/agetty \"'\"-a eve", "/sbin/agetty {} \"'\"-a eve"),
        ];
        for (line, expected) in cases {
            let expected = expected.replace("{}", r"-o '-p -f -- \\u' --autologin ada");
            assert_eq!(with_autologin(line, "ada"), Some(expected), "{line}");
        }
        for line in [
            "",
            "-/sbin/mingetty %I",
            "/usr/bin/kmscon",
            "-x@/sbin/agetty",
            "@/sbin/agetty",
            "/sbin/agetty 'a",
            "/sbin/agetty a\\",
        ] {
            assert_eq!(with_autologin(line, "ada"), None, "{line}");
        }
    }
}
