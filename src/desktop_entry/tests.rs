use proptest::prelude::*;

use std::time::{Duration, Instant};

use super::*;

/// A whole file with these lines in its main group.
fn file(lines: &str) -> String {
    format!("[Desktop Entry]\nType=Application\nName=A\n{lines}\n")
}

fn read(text: impl AsRef<[u8]>) -> Result<Option<DesktopEntry>, BrokenEntry> {
    parse(text.as_ref(), &Locale::parse("de_AT.UTF-8@euro"), Some("/x/a b.desktop"))
}

fn exec(value: &str) -> Result<Vec<String>, String> {
    let entry = read(file(&format!("Icon=ic on\nExec={value}"))).map_err(|broken| broken.to_string())?.unwrap();
    entry.departure.map_or(Ok(entry.command), |departure| Err(departure.to_string()))
}

/// What display managers start although it departs from the specification.
#[test]
fn command_lines_that_depart_from_the_specification_are_read_as_by_a_shell() {
    let cases: [(&str, Option<&[&str]>); 12] = [
        ("sh -c 'exec openbox'", Some(&["sh", "-c", "exec openbox"])),
        (r#"sh -c "exec $WM""#, Some(&["sh", "-c", "exec $WM"])),
        (r#"wm a"b c"'d e'"#, Some(&["wm", "ab cd e"])),
        (r"wm a\\ b", Some(&["wm", "a b"])),
        (r#"wm 'x' "a\\b\\"c""#, Some(&["wm", "x", r#"a\b"c"#])),
        ("wm ~/x a;b # all", Some(&["wm", "~/x", "a;b"])),
        ("wm %x '%c x'", Some(&["wm", "%x", "A x"])),
        ("wm ''  %f 'x'", Some(&["wm", "", "x"])),
        ("wm 'x", None),
        (r#"wm "x"#, None),
        (r"wm x\\", None),
        ("A='b' wm", None),
    ];
    for (value, expected) in cases {
        let read = read(file(&format!("Exec={value}")));
        match expected {
            Some(words) => {
                let entry = read.unwrap().unwrap();
                assert_eq!(entry.command, words, "{value}");
                assert!(entry.departure.unwrap().to_string().starts_with("line 4: Exec: "), "{value}");
            }
            None => assert!(read.unwrap_err().to_string().starts_with("line 4: Exec: "), "{value}"),
        }
    }
}

#[test]
fn the_type_may_be_missing() {
    let read = read("[Desktop Entry]\nName=Window Maker\nExec=wmaker\nTryExec=wmaker\n").unwrap().unwrap();
    assert_eq!(read.command, ["wmaker"]);
    assert_eq!(read.departure.unwrap().to_string(), "there is no Type in [Desktop Entry]");
}

#[test]
fn another_group_may_be_first() {
    let entry =
        "[Window Manager]\nSessionManaged=true\n\n[Desktop Entry]\nName=A\nType=Application\nExec=/usr/bin/wm\n";
    let read = read(entry).unwrap().unwrap();
    assert_eq!((read.name.as_str(), read.command), ("A", vec!["/usr/bin/wm".to_owned()]));
    assert_eq!(
        read.departure.unwrap().to_string(),
        "line 1: the first group is \"Window Manager\", not [Desktop Entry]"
    );
}

/// The cases of "The Exec key", each with what the specification says about it.
#[test]
fn command_lines() {
    let cases: [(&str, &[&str]); 31] = [
        ("wm", &["wm"]),
        ("/usr/bin/wm --a  b ", &["/usr/bin/wm", "--a", "b"]),
        ("env A=b wm", &["env", "A=b", "wm"]),
        // Whole arguments in quotes, the program included.
        (r#"wm "a b""#, &["wm", "a b"]),
        (r#""/opt/my wm/wm" x"#, &["/opt/my wm/wm", "x"]),
        (r#"wm """#, &["wm", ""]),
        (r#"wm "a'b>c<d~e|f&g;h*i?j#k(l)m""#, &["wm", "a'b>c<d~e|f&g;h*i?j#k(l)m"]),
        // The escapes of strings come first: a literal dollar sign is \\$, a literal backslash \\\\.
        (r#"wm "\\$HOME""#, &["wm", "$HOME"]),
        (r#"wm "\\\\""#, &["wm", r"\"]),
        (r#"wm "\\"""#, &["wm", "\""]),
        (r#"wm "\\`""#, &["wm", "`"]),
        (r#"wm\s"a\sb\tc\nd""#, &["wm", "a b\tc\nd"]),
        // Field codes. A session opens no files; deprecated ones are removed.
        ("wm %%", &["wm", "%"]),
        ("wm 100%%a", &["wm", "100%a"]),
        ("wm %f x", &["wm", "x"]),
        ("wm %F", &["wm"]),
        ("wm %u", &["wm"]),
        ("wm %U", &["wm"]),
        ("wm --file=%f", &["wm", "--file="]),
        ("wm %d %D %n %N %v %m x", &["wm", "x"]),
        ("wm a%db", &["wm", "ab"]),
        ("wm %d%n", &["wm"]),
        ("wm %i", &["wm", "--icon", "ic on"]),
        ("wm --name=%c", &["wm", "--name=A"]),
        ("wm %k", &["wm", "/x/a b.desktop"]),
        // Only once: the result of an expansion is not expanded again.
        ("wm %%c", &["wm", "%c"]),
        ("wm %%%c", &["wm", "%A"]),
        (r#"wm "50%%""#, &["wm", "50%"]),
        // Neither reserved nor a field code.
        ("wm a=b:c,d.e/f-g_h+i@j!k{l}[m]^n", &["wm", "a=b:c,d.e/f-g_h+i@j!k{l}[m]^n"]),
        ("wm é", &["wm", "é"]),
        ("wm -", &["wm", "-"]),
    ];
    for (value, expected) in cases {
        assert_eq!(
            exec(value).as_deref(),
            Ok(expected.iter().map(|&a| a.to_owned()).collect::<Vec<_>>().as_slice()),
            "{value}"
        );
    }
}

#[test]
fn no_command_lines() {
    let cases = [
        ("", "empty"),
        ("   ", "empty"),
        ("%f", "empty"),
        (r#""""#, "empty"),
        ("A=b wm", "equals sign"),
        ("bin/wm", "neither an absolute path"),
        (r#"wm "a"#, "not closed"),
        (r#"wm a"b""#, "the whole argument"),
        (r#"wm "a"b"#, "the whole argument"),
        (r#"wm "a""b""#, "the whole argument"),
        ("wm 'a b'", "use double quotes"),
        ("wm $HOME", "double quotes"),
        (r#"wm "$HOME""#, r"write \\$"),
        (r#"wm "`date`""#, r"write \\`"),
        (r#"wm "a\\b""#, "backslash"),
        (r"wm a\\b", "double quotes"),
        (r"wm a\tb", "double quotes"),
        (r#"wm "\$a""#, "no escape \\$"),
        (r"wm \", "backslash at the end"),
        ("wm ~/x", "double quotes"),
        ("wm; x", "double quotes"),
        ("wm & x", "double quotes"),
        ("wm a*", "double quotes"),
        ("wm #a", "double quotes"),
        ("wm %", "write %%"),
        ("wm %x", "no field code \"%x\""),
        ("wm % f", "write %%"),
        ("wm %é", "no field code"),
        ("wm %f %u", "only one"),
        ("wm a%F", "a separate argument"),
        ("wm a%i", "a separate argument"),
        (r#"wm "%f""#, "inside quotes"),
        (r#"wm "%c""#, "inside quotes"),
        (r#"wm "%+""#, "no field code"),
        ("wm\ta", "control character"),
    ];
    for (value, part) in cases {
        let error = exec(value).unwrap_err();
        assert!(error.starts_with("line 5: ") && error.contains(part) && !error.contains('\n'), "{value}: {error}");
    }
}

#[test]
fn an_entry_with_everything() {
    let text = "\u{feff}# A comment\n\n[Desktop Entry]\r\nType=XSession\r\nVersion=1.5\nName = My WM\nName[de]=Mein\\sWM\n\
        Name[de_AT]=Mei WM\nComment[fr]=x\nComment=Small\nTryExec=wm\nExec=wm %c\nPath=/srv\nNoDisplay=true\n\
        DesktopNames=My\\;WM;GNOME:ubuntu;\nActions=safe;gone;odd;\nX-Foo=\\q\n_bad_key=1\nName[x=1\n\n\
        [Desktop Action safe]\nName=Safe\nName[de]=Sicher\nExec=wm --safe %c\n\
        [Desktop Action odd]\nName=Odd\nExec=wm 'x'\n\
        [Desktop Action unlisted]\nExec='\n\
        [X-Other]\nthis is no key\n[X-Other]\n";
    let entry = read(text).unwrap().unwrap();
    let command = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    assert_eq!(entry.name, "Mei WM");
    assert_eq!(entry.comment.as_deref(), Some("Small"));
    assert_eq!((entry.try_exec.as_deref(), entry.directory.as_deref()), (Some("wm"), Some("/srv")));
    assert!(entry.no_display);
    assert_eq!(entry.desktop_names, ["My;WM", "GNOME", "ubuntu"]);
    assert_eq!(entry.command, command(&["wm", "Mei WM"]));
    let ids: Vec<_> = entry.actions.iter().map(|action| action.id.as_str()).collect();
    assert_eq!(ids, ["safe", "gone", "odd"]);
    let safe = ActionWhat { name: "Sicher".into(), command: command(&["wm", "--safe", "Mei WM"]) };
    assert_eq!(entry.actions[0].what, Ok(safe));
    let why = |index: usize| entry.actions[index].what.clone().unwrap_err().to_string();
    assert_eq!(why(1), "there is no group [Desktop Action gone]");
    assert!(why(2).starts_with("line 27: Exec: a single quote"), "{}", why(2));
}

#[test]
fn hidden_is_gone_whatever_else_it_is() {
    for text in ["[Desktop Entry]\nHidden=true\n", "[Desktop Entry]\nType=Link\nHidden=1\nExec='"] {
        assert_eq!(read(text), Ok(None), "{text:?}");
    }
    assert!(read(file("Hidden=false\nExec=wm")).unwrap().is_some());
}

/// Every way in which a file can violate the specification, and the message about it.
#[test]
fn broken_files() {
    let whole = [
        ("", "there is no group [Desktop Entry]"),
        ("# only a comment\n", "there is no group [Desktop Entry]"),
        ("Name=A\n[Desktop Entry]\n", "line 1: only comments"),
        ("nonsense\n", "line 1: only comments"),
        ("\0\0\0\n", "line 1: only comments"),
        ("[Desktop Action a]\n", "line 1: the first group is \"Desktop Action a\""),
        ("[Desktop Action a]\n[Desktop Entry]\n", "there is no Name in [Desktop Entry]"),
        ("[KDE Desktop Entry]\n", "line 1: the first group is"),
        ("[desktop entry]\n", "line 1: the first group is"),
        ("[Desktop Entry\n", "line 1: the group's header"),
        ("[]\n", "line 1: the group's header"),
        ("[a[b]\n", "line 1: the group's header"),
        ("[é]\n", "line 1: the group's header"),
        ("[Desktop Entry]\n[Desktop Entry]\n", "line 2: [Desktop Entry] already begins in line 1"),
        ("[Desktop Entry]\nType\n", "line 2: this is neither KEY=VALUE"),
        ("[Desktop Entry]\nType=Application\nExec=wm\n", "there is no Name in [Desktop Entry]"),
        ("[Desktop Entry]\nType=Application\nName[de]=A\nExec=wm\n", "there is no Name in"),
        ("[Desktop Entry]\nType=Application\nName=\nExec=wm\n", "there is no Name in"),
        ("[Desktop Entry]\nType=Link\nName=A\nURL=x:\n", "line 2: it is of type \"Link\""),
        ("[Desktop Entry]\nType=application\nName=A\nExec=wm\n", "line 2: it is of type"),
    ];
    for (text, expected) in whole {
        let error = read(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
    let lines: [(&[u8], &str); 15] = [
        (b"", "there is no Exec in"),
        (b"exec=wm", "there is no Exec in"),
        (b"Exec=wm\nExec=wm2", "line 5: Exec is already set in line 4"),
        (b"Exec=wm\nName=B", "line 5: Name is already set in line 3"),
        (b"Exec=wm\nHidden=yes", "line 5: \"yes\" is neither true nor false"),
        (b"Exec=wm\nNoDisplay=True", "line 5: \"True\" is neither"),
        (b"Exec=wm\nNoDisplay=", "line 5: \"\" is neither"),
        (b"Exec=\xff", "line 4: the value of Exec is not UTF-8"),
        (b"Exec=wm \x1b[2J", "line 4: the value of Exec contains a control character"),
        (b"Exec=wm\nName[de]=\xe9", "line 5: the value of Name is not UTF-8"),
        (b"Exec=wm\nName[de]=\\x", "line 5: there is no escape \\x"),
        (b"Exec=wm\nPath=bin", "line 5: Path is \"bin\""),
        (b"Exec=wm\nDesktopNames=a\\nb", "line 5: \"a\\nb\" is not the name of a desktop"),
        (b"Exec=wm\nActions=a\\b", "line 5: there is no escape \\b"),
        (b"Exec=wm\n[Desktop Action a]\n[Desktop Action a]", "line 6: [Desktop Action a] already begins in line 5"),
    ];
    for (text, expected) in lines {
        let error = read([file("").trim_end().as_bytes(), b"\n", text].concat()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{:?}: {error}", String::from_utf8_lossy(text));
    }
}

#[test]
fn a_broken_translation_counts_only_for_those_who_read_it() {
    let text = [file("Exec=wm").as_bytes(), b"Name[fr]=\xe9\nName[fr]=x\n"].concat();
    assert_eq!(read(&text).unwrap().unwrap().name, "A");
    assert!(parse(&text, &Locale::parse("fr"), None).is_err());
}

/// What holds for all bytes. `fuzz` calls it.
pub(crate) fn holds(bytes: &[u8], locale: &str) {
    match parse(bytes, &Locale::parse(locale), None) {
        Err(broken) => {
            let text = broken.to_string();
            assert!(!text.is_empty() && !text.chars().any(char::is_control), "{text:?}");
            let lines = bytes.iter().filter(|&&byte| byte == b'\n').count() + 1;
            assert!(broken.line.is_none_or(|line| (1..=lines).contains(&line)));
        }
        Ok(Some(entry)) => {
            assert!(!entry.name.is_empty());
            let program = entry.command.first().unwrap();
            assert!(!program.is_empty() && !program.contains('='));
            assert!(entry.command.iter().all(|argument| !argument.contains('\0')));
            assert!(entry.desktop_names.iter().all(|name| !name.is_empty() && !name.contains(':')));
        }
        Ok(None) => {}
    }
}

/// Quotes an argument as "The Exec key" says, and escapes it as a string.
fn written(argument: &str) -> String {
    let mut quoted = String::new();
    for character in argument.chars() {
        if "\"`$\\".contains(character) {
            quoted.push('\\');
        }
        quoted.push(character);
        if character == '%' {
            quoted.push('%');
        }
    }
    let escaped = quoted.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r");
    format!("\"{escaped}\"")
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200), locale in "[a-zA-Z_.@-]{0,12}") {
        holds(&bytes, &locale);
    }

    #[test]
    fn any_lines(lines in proptest::collection::vec(
        "(Type=Application|Name=A|Name\\[de\\]=.{0,5}|Exec=.{0,20}|Exec=wm [%\"\\\\a-zA-Z $]{0,12}|Hidden=(true|false|x)\
         |DesktopNames=.{0,8}|Actions=[a;]{0,4}|\\[Desktop Action a\\]|\\[.{0,6}\\]|.{0,10})", 0..8)) {
        let text = format!("[Desktop Entry]\nType=Application\n{}", lines.join("\n"));
        holds(text.as_bytes(), "de_AT");
    }

    #[test]
    fn what_is_written_by_the_rules_is_read_as_it_was(arguments in proptest::collection::vec("[^\\p{Cc}]{0,12}|[\\\\\"$`%\t\n\r a]{0,8}", 0..4)) {
        let line: Vec<String> = arguments.iter().map(|argument| written(argument)).collect();
        let read = exec(&format!("wm {}", line.join(" "))).unwrap();
        prop_assert_eq!(&read[1..], arguments.as_slice());
    }
}

/// Files of the largest size that is read, each made to take as much time or memory as possible.
#[test]
fn a_large_file_is_soon_read_or_refused() {
    let begun = Instant::now();
    let most = 1024 * 1024;
    let name = "n".repeat(most / 2);
    let long = format!("[Desktop Entry]\nType=Application\nName={name}\nExec=wm {}\n", "%c".repeat(most / 5));
    assert!(read(long).unwrap_err().to_string().ends_with("the command line is longer than 128 KiB"));
    let words = file(&format!("Exec=wm {}", "\"\" ".repeat(most / 4)));
    assert!(read(words).unwrap_err().to_string().ends_with("the command line is longer than 128 KiB"));
    let actions = format!("Exec=wm\nActions={}\n[Desktop Action a]\nName=A\nExec=wm", "a;b;".repeat(most / 5));
    let ids = |entry: DesktopEntry| entry.actions.into_iter().map(|action| action.id).collect::<Vec<_>>();
    assert_eq!(read(file(&actions)).unwrap().map(ids), Some(vec!["a".to_owned(), "b".to_owned()]));
    let many: String = (0..most / 8).map(|number| format!("{number};")).collect();
    assert_eq!(read(file(&format!("Exec=wm\nActions={many}"))).unwrap().map(ids).map_or(0, |ids| ids.len()), 64);
    let groups = file(&format!("Exec=wm\n{}", "[x]\n".repeat(most / 4)));
    assert!(read(groups).unwrap().is_some());
    let own: String = (0..most / 24).map(|number| format!("[Desktop Action {number}]\n")).collect();
    assert!(read(file(&format!("Exec=wm\n{own}"))).unwrap().is_some());
    // A second on an idle machine; quadratic time would take minutes.
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}
