//! The xss-lock(1) that runs, or that i3's configuration starts.

use std::path::{Path, PathBuf};

use super::files;
use super::machine::Machine;
use crate::os;
use crate::small_file;

/// Where an xss-lock was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XssLock {
    /// For people: a process, or a line of a file.
    pub place: String,
    /// Whether it is told which login session is its own.
    pub has_session: bool,
}

/// Finds one; of several, the first that is not told.
pub fn find(machine: &Machine) -> Option<XssLock> {
    let uid = machine.uid.as_raw();
    let found: Vec<XssLock> = running(uid).into_iter().chain(machine.home.as_deref().and_then(configured)).collect();
    found.iter().find(|one| !one.has_session).or_else(|| found.first()).cloned()
}

fn running(uid: u32) -> Vec<XssLock> {
    let one = |process: &PathBuf| {
        let text = small_file::text(&process.join("status")).ok()?;
        if os::status(&text)?.effective != uid {
            return None;
        }
        let line = String::from_utf8_lossy(&std::fs::read(process.join("cmdline")).ok()?).into_owned();
        let has_session = has_session(line.split('\0'))?;
        Some(XssLock { place: format!("xss-lock (pid {})", files::name(process)), has_session })
    };
    files::processes().iter().filter_map(one).collect()
}

/// That of i3's configuration; of its files, i3 reads the first that there is (i3(1)).
fn configured(home: &Path) -> Option<XssLock> {
    let files = [".config/i3/config", ".i3/config"].map(|file| home.join(file));
    let (file, text) = files.iter().find_map(|file| Some((file, small_file::text(file).ok()?)))?;
    in_i3(file, &text)
}

fn in_i3(file: &Path, text: &str) -> Option<XssLock> {
    text.lines().zip(1..).find_map(|(line, number): (&str, u32)| {
        let mut words = line.split_whitespace();
        words.next().filter(|word| word.starts_with("exec"))?;
        let has_session = has_session(words.skip_while(|word| word.starts_with("--")))?;
        Some(XssLock { place: format!("the xss-lock of {}, line {number},", file.display()), has_session })
    })
}

/// Whether the xss-lock with these words is told its session; `None` if they run something else.
fn has_session<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<bool> {
    let program = words.next()?.trim_matches('"');
    if program.rsplit('/').next() != Some("xss-lock") {
        return None;
    }
    while let Some(word) = words.next().filter(|word| word.starts_with('-') && *word != "--") {
        match word {
            "-n" | "--notifier" => drop(words.next()),
            word if word.starts_with("--session") || (word.starts_with("-s") && !word.starts_with("--")) => {
                return Some(true);
            }
            _ => {}
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{has_session, in_i3};

    #[test]
    fn the_options_of_xss_lock() {
        for (line, expected) in [
            ("xss-lock -- i3lock", Some(false)),
            ("/usr/bin/xss-lock -s 3 -- i3lock -s", Some(true)),
            ("xss-lock --transfer-sleep-lock --session=3 i3lock", Some(true)),
            ("xss-lock -n dim -l --session 3 -- i3lock", Some(true)),
            ("xss-lock -n -s -- i3lock", Some(false)),
            ("xss-lock i3lock --session 3", Some(false)),
            ("i3lock -s", None),
            ("", None),
        ] {
            assert_eq!(has_session(line.split(' ')), expected, "{line}");
        }
    }

    #[test]
    fn a_line_of_i3s_configuration() {
        let found = |text| in_i3(Path::new("/h/config"), text).map(|found| (found.place, found.has_session));
        let at = |line| format!("the xss-lock of /h/config, line {line},");
        // As i3 comes with it.
        let stock = "# xss-lock grabs a suspend inhibit lock\nexec --no-startup-id xss-lock --transfer-sleep-lock -- i3lock --nofork\n";
        assert_eq!(found(stock), Some((at(2), false)));
        assert_eq!(found("exec_always xss-lock -s $XDG_SESSION_ID -- i3lock"), Some((at(1), true)));
        assert_eq!(found("# exec xss-lock -- i3lock\nbindsym x exec i3lock\n"), None);
    }
}
