//! A getty's command line as a distribution or a person has it, our drop-in for it, and passwd(5).

use startxd::for_tests::autologin::agetty::with_autologin;
use startxd::for_tests::autologin::drop_in::DropIn;
use startxd::for_tests::autologin::person::{is_plain, people};

/// Whatever a getty was started with, it logs in who was asked for and nobody else; what a drop-in remembers is what was
/// written into it.
pub fn holds(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    // One line of a unit file.
    let line = text.lines().next().unwrap_or_default();
    if let Some(changed) = with_autologin(line, "ada") {
        assert!(changed.len() <= line.len() + 60, "{changed}");
        assert_eq!(with_autologin(&changed, "ada").as_ref(), Some(&changed), "twice is once");
        let by_eve = with_autologin(line, "eve").expect("as for ada");
        assert_eq!(with_autologin(&by_eve, "ada").as_ref(), Some(&changed));
        logs_in(&words(line).expect("words"), &words(&changed).expect("words"));
    }
    // No command that agetty is started with ends in a backslash.
    if let Some(drop_in) = DropIn::parse(&text).filter(|drop_in| !drop_in.exec_start.ends_with('\\')) {
        let written = drop_in.text(7);
        assert_eq!(DropIn::parse(&written).as_ref(), Some(&drop_in), "{written}");
        assert!(!written.contains(['\r', '\0']) && !drop_in.user.contains(char::is_control));
        let paths = drop_in.made.iter().chain(&drop_in.profile).chain(&drop_in.made_for_profile);
        assert!(paths.map(|path| path.as_os_str().len()).sum::<usize>() <= text.len());
    }
    for name in people(&text) {
        assert!(text.lines().any(|line| line.strip_prefix(&name).is_some_and(|rest| rest.starts_with(':'))), "{name}");
        assert!(!is_plain(&name) || words(&name).is_some_and(|words| words == [name.as_str()] || name.is_empty()));
    }
}

/// The words of a command line as systemd takes them apart (extract-word.c), but for what stands behind a backslash, which
/// is left as it is; `None` if a quote has no end.
fn words(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            ' ' | '\t' if quote.is_none() => words.extend(word.take()),
            '\\' => word.get_or_insert_default().extend([c, characters.next()?]),
            '"' | '\'' if quote.is_none() => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            _ if quote == Some(c) => quote = None,
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// That agetty(8) takes the name and the options for login(1) from us, and everything else as it was.
fn logs_in(before: &[String], after: &[String]) {
    let named = usize::from(before[0].split('/').next().is_some_and(|prefix| prefix.contains('@')));
    if before.len() <= named {
        return;
    }
    // With an option that there cannot be agetty ends at once.
    let Some(had) = Options::read(&before[1 + named..]) else { return };
    let has = Options::read(&after[1 + named..]).expect("no other options");
    assert_eq!((&after[..1 + named], &has.operands), (&before[..1 + named], &had.operands));
    let [(login, options), (autologin, user), rest @ ..] = &has.with_value[..] else { panic!("{after:?}") };
    assert_eq!(
        (login.as_str(), options.as_str(), autologin.as_str(), user.as_str()),
        ("o", r"-p -f -- \\u", "a", "ada")
    );
    let theirs: Vec<_> = had.with_value.iter().filter(|(name, _)| !matches!(name.as_str(), "o" | "a")).collect();
    assert!(rest.iter().eq(theirs), "{before:?} {after:?}");
    assert_eq!(has.flags, had.flags, "{before:?} {after:?}");
}

/// Options of agetty as getopt_long(3) reads them; `None` if one is not a letter or digit.
#[derive(Default)]
struct Options {
    with_value: Vec<(String, String)>,
    flags: String,
    operands: Vec<String>,
}

impl Options {
    fn read(words: &[String]) -> Option<Self> {
        const LONG: [(&str, &str); 13] = [
            ("autologin", "a"),
            ("chdir", "C"),
            ("chroot", "r"),
            ("delay", "d"),
            ("erase-chars", "erase"),
            ("host", "H"),
            ("init-string", "I"),
            ("issue-file", "f"),
            ("kill-chars", "kill"),
            ("login-options", "o"),
            ("login-program", "l"),
            ("nice", "P"),
            ("timeout", "t"),
        ];
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                options.operands.extend(words.by_ref().cloned());
            } else if let Some(long) = word.strip_prefix("--") {
                let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
                match LONG.iter().find(|(long, _)| !name.is_empty() && long.starts_with(name)) {
                    Some((_, short)) => {
                        let value = value.or_else(|| words.next().map(String::as_str)).unwrap_or_default();
                        options.with_value.push(((*short).to_owned(), value.to_owned()));
                    }
                    None => options.flags += long,
                }
            } else if word.starts_with('-') && word != "-" {
                options.cluster(&word[1..], &mut words)?;
            } else {
                options.operands.push(word.clone());
            }
        }
        Some(options)
    }

    fn cluster<'a>(&mut self, cluster: &str, words: &mut impl Iterator<Item = &'a String>) -> Option<()> {
        for (at, flag) in cluster.char_indices() {
            let rest = &cluster[at + flag.len_utf8()..];
            if "aCdfHIloPrt".contains(flag) {
                let value = if rest.is_empty() { words.next().map(String::as_str).unwrap_or_default() } else { rest };
                self.with_value.push((flag.to_string(), value.to_owned()));
                break;
            }
            self.flags.push(flag.is_ascii_alphanumeric().then_some(flag)?);
            if flag == 'L' {
                self.flags.push_str(rest);
                break;
            }
        }
        Some(())
    }
}
