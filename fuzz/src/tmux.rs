//! What tmux says of its sessions, panes and environments, and what it is told then.

use std::collections::BTreeMap;

use startxd::for_tests::environment::Block;
use startxd::for_tests::multiplexer::command::complaint;
use startxd::for_tests::multiplexer::tmux::{is_id, launcher, pane, said, session};
use startxd::for_tests::multiplexer::variables::{
    PreviousValue, SSH_CONNECTION, Scope, TOLD, commands, parse, to_give_back, to_set,
};

/// What is handed back to tmux is an id, a pid or a value as it was; what somebody has changed is theirs, and everything
/// else becomes what it was. The input is three environments, cut at NULs: as it was, as it is when the display goes, and
/// the display's.
pub fn holds(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    answers(&text);
    text.lines().for_each(line);
    let complaint = complaint(&text);
    assert!(!complaint.contains(char::is_control) && complaint.chars().count() <= 158, "{complaint:?}");
    is_read(&text);
    let mut texts = text.splitn(3, '\0');
    let [before, now, ours] = [(); 3].map(|()| texts.next().unwrap_or_default());
    let (before, now, ours) = (read(before), read(now), plain(&read(ours)));
    // Any part of them may be what ends with the display.
    let ends = |(at, _): &(usize, &String)| input.len() >> at & 1 == 1;
    let ending: Vec<String> = ours.keys().enumerate().filter(ends).map(|(_, name)| name.clone()).collect();
    there_and_back(&before, &ours, &ending);
    for had in [Some(&before), None] {
        let changes = to_give_back(&now, &ours, had, &ending);
        assert!(
            changes.keys().all(|name| now.get(name) == Some(&PreviousValue::Value(ours[name].clone()))),
            "{changes:?}"
        );
        assert!(had.is_some() || changes.keys().all(|name| ending.contains(name)), "{changes:?}");
        is_told(&now, &changes);
    }
}

/// Whatever came before the last thing is what was said, and nothing is without it.
fn answers(text: &str) {
    if let Some(before) = said(text) {
        assert!(text.starts_with(before) && (before.is_empty() || before.ends_with('\n')));
        assert_eq!(text[before.len()..].matches('\n').count(), 1);
    }
    let before = if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    let whole = format!("{before}exit-empty on\n");
    assert_eq!(said(&whole), Some(before.as_str()));
    assert_eq!(said(&whole[..whole.len() - 1]), None);
}

fn line(line: &str) {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(session) = session(line) {
        assert!(is_id(&session.id) && is_number(&session.id[1..]), "{session:?}");
        let rest = line.strip_prefix(&session.id).and_then(|rest| rest.strip_suffix(&session.name)).expect("its line");
        let numbers: Vec<&str> = rest.split(' ').collect();
        let ["", attached, windows, ""] = numbers[..] else { panic!("{numbers:?}") };
        assert!(is_number(attached) && is_number(windows));
        assert_eq!((attached.parse(), windows.parse()), (Ok(session.attached), Ok(session.windows)));
    }
    assert!(!is_id(line) || line.starts_with('$') && is_number(&line[1..]));
    if let Some(pid) = pane(line) {
        assert!(pid.as_raw() > 1, "kill(2) has other meanings for such a pid");
        assert!(is_number(line) && line.trim_start_matches('0') == pid.to_string());
    }
    if let Some(pid) = launcher(line) {
        assert!(pid > 1 && line.ends_with(&pid.to_string()), "{pid}");
    }
}

fn read(text: &str) -> Scope {
    let scope = parse(text);
    for (name, had) in &scope {
        assert!(TOLD.contains(&name.as_str()) || name == SSH_CONNECTION);
        match had {
            PreviousValue::Value(value) => assert!(text.contains(&format!("{name}=\"")) && value.len() <= text.len()),
            PreviousValue::Removed => assert!(text.contains(&format!("unset {name};"))),
        }
    }
    scope
}

/// An environment, whatever is in it, is read as tmux has it. Its variables are cut at NULs, and those without an equals
/// sign are removed.
fn is_read(text: &str) {
    let one = |entry: &str| match entry.split_once('=') {
        Some((name, value)) => (name.to_owned(), PreviousValue::Value(value.to_owned())),
        None => (entry.to_owned(), PreviousValue::Removed),
    };
    let environment = text.split('\0').map(one).filter(|(name, _)| !name.contains('\n'));
    let mut environment: BTreeMap<String, PreviousValue> = environment.collect();
    let printed: String = environment.iter().map(|(name, had)| shown(name, had)).collect();
    environment.retain(|name, _| TOLD.contains(&name.as_str()));
    assert_eq!(parse(&printed), environment, "{printed}");
}

/// A variable as `show-environment -s` prints it (cmd-show-environment.c).
fn shown(name: &str, had: &PreviousValue) -> String {
    let PreviousValue::Value(value) = had else { return format!("unset {name};\n") };
    let mut escaped = String::new();
    for character in value.chars() {
        if matches!(character, '$' | '`' | '"' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    format!("{name}=\"{escaped}\"; export {name};\n")
}

/// The values that a display can have.
fn plain(scope: &Scope) -> Block {
    let value = |had: &PreviousValue| match had {
        PreviousValue::Value(value) if !value.is_empty() && !value.contains(char::is_control) => Some(value.clone()),
        _ => None,
    };
    scope.iter().filter_map(|(name, had)| Some((name.clone(), value(had)?))).collect()
}

fn there_and_back(before: &Scope, ours: &Block, ending: &[String]) {
    let set = to_set(before, ours);
    let told = is_told(before, &set.iter().map(|(name, had)| (name.clone(), Some(had.clone()))).collect());
    for (name, value) in ours {
        assert_eq!(told.get(name), Some(&PreviousValue::Value(value.clone())));
    }
    assert!(to_set(&told, ours).is_empty());
    let back = is_told(&told, &to_give_back(&told, ours, Some(before), ending));
    assert_eq!(&back, before);
    assert!(to_give_back(&back, ours, Some(before), ending).is_empty());
}

/// Gives the commands of these changes to a tmux, once in its global environment and once in that of a session, and
/// returns what it has then.
fn is_told(has: &Scope, changes: &BTreeMap<String, Option<PreviousValue>>) -> Scope {
    let mut expected = has.clone();
    for (name, change) in changes {
        match change {
            Some(had) => drop(expected.insert(name.clone(), had.clone())),
            None => drop(expected.remove(name)),
        }
    }
    for (id, begin) in [(None, &["-g"][..]), (Some("$7"), &["-t", "$7"])] {
        let words = commands(id, changes.iter().map(|(name, had)| (name, had.as_ref())));
        let mut after = has.clone();
        for command in commands_of(&words) {
            let command: Vec<&str> = command.iter().map(String::as_str).collect();
            let Some(("set-environment", rest)) = command.split_first().map(|(first, rest)| (*first, rest)) else {
                panic!("{command:?}")
            };
            let rest = rest.strip_prefix(begin).unwrap_or_else(|| panic!("another environment: {command:?}"));
            match rest {
                ["-u", name] => drop(after.remove(*name)),
                ["-r", name] => drop(after.insert((*name).to_owned(), PreviousValue::Removed)),
                ["--", name, value] => {
                    drop(after.insert((*name).to_owned(), PreviousValue::Value((*value).to_owned())))
                }
                _ => panic!("{command:?}"),
            }
        }
        assert_eq!(after, expected, "{words:?}");
    }
    expected
}

/// Words as tmux takes them apart (cmd-parse.y, `cmd_parse_from_arguments`): one that ends in a semicolon ends its command,
/// unless that is escaped.
fn commands_of(words: &[String]) -> Vec<Vec<String>> {
    let (mut commands, mut command) = (Vec::new(), Vec::new());
    for word in words {
        let (word, ends) = match word.strip_suffix(';') {
            None => (word.clone(), false),
            Some(rest) => match rest.strip_suffix('\\') {
                Some(rest) => (format!("{rest};"), false),
                None => (rest.to_owned(), true),
            },
        };
        if !ends || !word.is_empty() {
            command.push(word);
        }
        if ends && !command.is_empty() {
            commands.push(std::mem::take(&mut command));
        }
    }
    commands.extend((!command.is_empty()).then_some(command));
    commands
}
