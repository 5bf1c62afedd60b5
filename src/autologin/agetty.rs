//! The command line of agetty(8), changed from asking for a name to logging one in.

/// What login(1) is to be given by agetty: `-f`, as nobody is there to authenticate, and `-p`, because login drops the
/// environment before PAM sees it otherwise, and `XDG_SESSION_TYPE` with it (shadow's does, util-linux' too).
const LOGIN_OPTIONS: &str = r"-o '-p -f -- \\u'";

/// Options of agetty that would contradict ours, with and without a value of their own.
const CONTRADICT: [(&str, &str); 2] = [("-o", "--login-options"), ("-a", "--autologin")];

/// Takes an `ExecStart=` of a getty and returns it with the autologin of `user`; everything else in it stays as the
/// distribution has it. `None` if it runs something else than agetty.
#[must_use]
pub fn with_autologin(exec_start: &str, user: &str) -> Option<String> {
    let words = words(exec_start);
    let (program, options) = words.split_first()?;
    let name = program.trim_start_matches(['-', '@', ':', '+', '!', '|']).rsplit('/').next()?;
    if name != "agetty" && name != "getty" {
        return None;
    }
    let mut changed = vec![program.as_str(), LOGIN_OPTIONS, "--autologin", user];
    let mut options = options.iter();
    while let Some(option) = options.next() {
        if CONTRADICT.iter().any(|(short, long)| option == short || option == long) {
            // Its value is the next word.
            options.next();
        } else if !CONTRADICT.iter().any(|(_, long)| option.starts_with(&format!("{long}="))) {
            changed.push(option);
        }
    }
    Some(changed.join(" "))
}

/// The words of a command line, with their quotes and escapes (systemd.service(5), "Command lines").
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut escaped = false;
    for c in line.chars() {
        if c.is_whitespace() && quote.is_none() && !escaped {
            words.push(String::new());
            continue;
        }
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' | '"' if quote.is_none() => quote = Some(c),
            _ if quote == Some(c) => quote = None,
            _ => {}
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::with_autologin;

    #[test]
    fn distributions_keep_their_own_options() {
        let cases = [
            // systemd 252, 257 and 262, as Debian ships them, and a person's own.
            (r"-/sbin/agetty -o '-p -- \\u' --noclear - $TERM", "-/sbin/agetty {} --noclear - $TERM"),
            (
                r"-/sbin/agetty -o '-- \\u' --noreset --noclear - ${TERM}",
                "-/sbin/agetty {} --noreset --noclear - ${TERM}",
            ),
            ("-/usr/sbin/agetty --noreset --noclear - ${TERM}", "-/usr/sbin/agetty {} --noreset --noclear - ${TERM}"),
            ("/sbin/agetty -a eve --login-options=\"-f x\" %I 38400 linux", "/sbin/agetty {} %I 38400 linux"),
            ("/sbin/agetty --autologin eve -J  %I", "/sbin/agetty {} -J %I"),
        ];
        for (line, expected) in cases {
            let expected = expected.replace("{}", r"-o '-p -f -- \\u' --autologin ada");
            assert_eq!(with_autologin(line, "ada"), Some(expected), "{line}");
        }
        for line in ["", "-/sbin/mingetty %I", "/usr/bin/kmscon"] {
            assert_eq!(with_autologin(line, "ada"), None, "{line}");
        }
    }
}
