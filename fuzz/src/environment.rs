//! Environments: the login's, with whatever a profile has put there, and the user manager's.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use startxd::for_tests::environment::{Block, block, export, policy, restore};

/// What is put back is what was there, whatever was exported on the way; and nothing travels that the manager refuses.
/// The input is three blocks, cut at empty lines: the login's, the manager's and the session's.
pub fn holds(input: &[u8]) {
    let mut blocks = input.splitn(3, |byte| *byte == 0).map(<[u8]>::to_vec);
    let mut next = || blocks.next().unwrap_or_default();
    let (login, manager, session) = (next(), next(), next());
    let login: Vec<(OsString, OsString)> = login.split(|byte| *byte == b'\n').filter_map(variable).collect();
    let (manager, session) = (read(&manager), read(&session));

    let never = ["SECRET*".to_owned(), "*_TOKEN".to_owned()];
    let exported = export(&login, &manager, &session, &never);
    assert!(exported.len() <= login.len() + session.len());
    for (name, value) in &exported {
        assert!(policy::is_name(name), "{name:?}");
        assert!(!value.contains(|c: char| c.is_ascii_control() && c != '\t' && c != '\n'), "{value:?}");
        if session.get(name) != Some(value) {
            assert!(policy::travels(name, value).is_ok() && !name.starts_with("SECRET"));
            assert_ne!(manager.get(name), Some(value), "{name} is there already");
        }
    }
    // The whole way: out, the bus's part of the way back, the manager's part.
    let mut now = manager.clone();
    now.extend(exported.clone());
    now.extend(restore::bus_values(&manager, &exported));
    let changes = restore::difference(&manager, &now);
    assert!(changes.unset.iter().all(|name| !changes.set.contains_key(name)));
    assert_eq!(applied(&changes, &now), manager);
    assert!(restore::difference(&manager, &applied(&changes, &now)).is_empty());
    // As after a crash: the session has changed whatever it liked in between.
    assert_eq!(applied(&restore::difference(&manager, &session), &session), manager);
}

/// What the manager makes of a block by `UnsetAndSetEnvironment` (org.freedesktop.systemd1(5)): first what is unset goes,
/// then what is set comes.
fn applied(changes: &restore::Changes, block: &Block) -> Block {
    let kept = block.iter().filter(|(name, _)| !changes.unset.contains(*name));
    kept.chain(&changes.set).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn variable(line: &[u8]) -> Option<(OsString, OsString)> {
    let at = line.iter().position(|byte| *byte == b'=')?;
    Some((OsStr::from_bytes(&line[..at]).to_owned(), OsStr::from_bytes(&line[at + 1..]).to_owned()))
}

/// As the manager tells it, over the bus, which carries text alone.
fn read(bytes: &[u8]) -> Block {
    let lines: Vec<String> = String::from_utf8_lossy(bytes).split('\n').map(str::to_owned).collect();
    let read = block::parse(&lines);
    assert!(read.len() <= lines.len() && read.keys().all(|name| !name.is_empty() && !name.contains('=')));
    assert_eq!(block::parse(&block::render(&read)), read);
    read
}
