//! Names of a multiplexer's sessions, from the command line and back from the names of units.

use startxd::for_tests::multiplexer::{Kind, Name};
use startxd::for_tests::text::{one_line, shell_word};

use super::words_of_a_shell;

/// A name that is taken is the same in its unit, for its multiplexer and in a shell; why another is not is said in a line.
pub fn holds(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for kind in Kind::ALL {
        match Name::parse(kind, &text) {
            Ok(name) => is_good(kind, &name, &text),
            Err(why) => {
                let why = why.to_string();
                assert!(!why.contains(char::is_control) && why.len() <= 1000, "{why:?}");
            }
        }
    }
    assert!(!one_line(&text).contains(char::is_control));
    if !text.contains('\0') {
        assert_eq!(words_of_a_shell(shell_word(&text).as_bytes()), Some(vec![text.as_bytes().to_vec()]));
    }
}

fn is_good(kind: Kind, name: &Name, text: &str) {
    assert_eq!(name.as_str(), text);
    assert!(!text.is_empty() && !text.starts_with('-') && !text.contains(char::is_control));
    if kind == Kind::Tmux {
        // What would be a window, a pane, another session, a format or another command.
        assert!(!text.contains([':', '.', '$', '#', ';', '\\']), "{text:?}");
    } else {
        assert!(!text.contains('/') && text != "." && text != ".." && text.len() <= 50, "{text:?}");
    }
    let unit = kind.unit(name);
    assert!(unit.len() <= 255, "{unit}");
    assert!(unit.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte)), "{unit}");
    let instance = unit.strip_prefix(&format!("{kind}@")).and_then(|rest| rest.strip_suffix(".service"));
    assert_eq!(unescaped(instance.expect("an instance of the template")), text.as_bytes());
    let words = words_of_a_shell(kind.attach_command(name).as_bytes()).expect("a command");
    let [program, options @ .., last] = &words[..] else { panic!("{words:?}") };
    assert!(program == kind.program().as_bytes() && matches!(options.len(), 1 | 2) && last == text.as_bytes());
}

/// What systemd makes of an instance for `%I` (unit-name.c, `unit_name_unescape`).
fn unescaped(instance: &str) -> Vec<u8> {
    let (mut bytes, mut text) = (instance.bytes(), Vec::new());
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'-' => b'/',
            b'\\' => {
                assert_eq!(bytes.next(), Some(b'x'), "{instance}");
                let digits = [bytes.next(), bytes.next()].map(|digit| char::from(digit.expect("a digit")).to_digit(16));
                digits.iter().fold(0, |byte, digit| byte * 16 + digit.expect("a digit") as u8)
            }
            byte => byte,
        });
    }
    text
}
