//! What starts the autostart programs of a session (Desktop Application Autostart Specification): the user manager, or
//! the session itself.
//!
//! systemd makes a unit of every entry, and `wm-autostart.target` starts them. But desktops have a session manager that
//! starts the same entries, openbox-session has a script that does so if Python's xdg is installed, and i3's own
//! configuration calls dex. With both, every program would start twice. Not starting them would be worse, so only a
//! program that is known to start them prevents the target.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nix::unistd::Pid;

use crate::config::Autostart;
use crate::manager::{Manager, names};
use crate::os;
use crate::program;
use crate::small_file;
use crate::xdg;

/// Session managers that start the autostart entries, by the kernel's name of their processes, 15 bytes at most. Those
/// of Plasma and GNOME let systemd do it, with the same target.
const SESSION_MANAGERS: [&str; 5] = ["xfce4-session", "mate-session", "lxqt-session", "lxsession", "cinnamon-sessio"];

/// Programs that only start autostart entries.
const STARTERS: [&str; 3] = ["dex", "dex-autostart", "fbautostart"];

/// The path of PyXDG, which openbox's script needs, below the directory of a version of Python: Debian's is for all of
/// them.
const PYXDG: [&str; 2] = ["dist-packages/xdg/DesktopEntry.py", "site-packages/xdg/DesktopEntry.py"];

/// A process of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Running {
    /// Its name in the kernel (proc_pid_comm(5)).
    name: String,
    /// Its arguments.
    arguments: Vec<String>,
}

/// Further facts for the decision.
struct Around<'a> {
    /// Whether Python's xdg is installed.
    has_pyxdg: &'a dyn Fn() -> bool,
    /// Whether this program is installed.
    has: &'a dyn Fn(&str) -> bool,
    /// The text of i3's configuration; takes the file that i3 was told to read, if any.
    i3_config: &'a dyn Fn(Option<&str>) -> String,
}

/// Whether the user manager should start them for a session of these processes, in which a window manager has just come
/// up.
///
/// # Errors
/// Why not: what starts them, or that nothing should.
pub async fn is_ours(wanted: Autostart, processes: impl Future<Output = Vec<Pid>>) -> Result<(), String> {
    match wanted {
        Autostart::Yes => Ok(()),
        Autostart::No => Err("session.autostart is \"no\"".to_owned()),
        Autostart::Auto => {
            let running: Vec<Running> = processes.await.into_iter().filter_map(look).collect();
            let has = |name: &str| program::find(name.as_ref(), std::env::var_os("PATH").as_deref()).is_some();
            let around = Around { has_pyxdg: &has_pyxdg, has: &has, i3_config: &|told| i3_config(told, xdg::variable) };
            started_by(&running, &around).map_or(Ok(()), |who| Err(format!("{who} starts them")))
        }
    }
}

/// The processes of the session in these units.
pub async fn processes_of(manager: &Manager, units: &[String]) -> Vec<Pid> {
    let mut pids = Vec::new();
    for unit in units {
        pids.extend(manager.processes(unit).await.unwrap_or_default());
    }
    pids
}

/// Resets the failed state of autostart programs, which belongs to the session that ends.
pub async fn forget_failed(manager: &Manager) {
    let failed = manager.failed_units().await.unwrap_or_default();
    for unit in failed.iter().filter(|unit| names::is_autostart(unit)) {
        let _ = manager.reset_failed(unit).await;
    }
}

/// All processes of this user.
#[must_use]
pub fn processes_of_ours() -> Vec<Pid> {
    let own = nix::unistd::geteuid().as_raw();
    let is_ours = |pid: &Pid| std::fs::metadata(format!("/proc/{pid}")).is_ok_and(|facts| facts.uid() == own);
    os::processes().filter(is_ours).collect()
}

/// Which of these processes starts the autostart programs; `None` if none does. Pure, except for the given functions.
fn started_by(running: &[Running], around: &Around<'_>) -> Option<String> {
    running.iter().find(|process| starts(process, around)).map(|process| process.name.clone())
}

fn starts(process: &Running, around: &Around<'_>) -> bool {
    match process.name.as_str() {
        name if SESSION_MANAGERS.contains(&name) || STARTERS.contains(&name) => true,
        // openbox-session: openbox --startup "/usr/lib/…/openbox-autostart OPENBOX".
        "openbox" => {
            process.arguments.iter().any(|argument| argument.contains("openbox-autostart")) && (around.has_pyxdg)()
        }
        "i3" => i3_calls_dex(&(around.i3_config)(option(&process.arguments, "-c")), around.has),
        _ => false,
    }
}

/// The value after an option.
fn option<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1).map(String::as_str)
}

/// Whether a configuration of i3 executes dex for autostart entries, and dex is installed: `exec --no-startup-id dex
/// --autostart --environment i3`, as in the default configuration.
fn i3_calls_dex(config: &str, has: impl Fn(&str) -> bool) -> bool {
    config.lines().any(|line| {
        let mut words = line.split_whitespace();
        let is_exec = words.next().is_some_and(|first| first == "exec" || first == "exec_always");
        let words: Vec<&str> = words.collect();
        let calls = words.iter().any(|word| ["dex", "dex-autostart"].contains(word) && has(word));
        is_exec && calls && words.iter().any(|word| ["-a", "--autostart"].contains(word))
    })
}

fn look(pid: Pid) -> Option<Running> {
    let name = small_file::text(format!("/proc/{pid}/comm").as_ref()).ok()?;
    let arguments = small_file::text(format!("/proc/{pid}/cmdline").as_ref()).unwrap_or_default();
    Some(Running { name: name.trim_end().to_owned(), arguments: arguments.split('\0').map(str::to_owned).collect() })
}

fn has_pyxdg() -> bool {
    let versions = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut versions = versions.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"python3"));
    versions.any(|version| PYXDG.iter().any(|file| version.path().join(file).exists()))
}

/// The text of the file that i3 reads (i3's user's guide, "Configuring i3"); empty if it does not exist.
fn i3_config(told: Option<&str>, variable: impl Fn(&str) -> Option<OsString>) -> String {
    let home = variable("HOME").map(PathBuf::from);
    let places = match told {
        Some(path) => vec![PathBuf::from(path)],
        None => {
            let own = xdg::CONFIGURATION.own(&variable).map(|path| path.join("i3/config"));
            let everybodys = xdg::CONFIGURATION.everybodys(&variable).into_iter().map(|path| path.join("i3/config"));
            let old = home.map(|home| home.join(".i3/config"));
            own.into_iter().chain(old).chain(everybodys).chain([PathBuf::from("/etc/i3/config")]).collect()
        }
    };
    places.iter().find_map(|path| small_file::text(path).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Around, Running, started_by};

    const STOCK: &str = "# i3 config file (v4)\nfont pango:monospace 8\n\
        # xss-lock grabs a logind suspend inhibit lock\n\
        exec --no-startup-id xss-lock --transfer-sleep-lock -- i3lock --nofork\n\
        exec --no-startup-id dex --autostart --environment i3\n";

    fn who(processes: &[&[&str]], installed: &[&str], config: &str) -> Option<String> {
        let running: Vec<Running> = processes
            .iter()
            .map(|words| Running {
                name: words[0].chars().take(15).collect(),
                arguments: words.iter().map(|&word| word.to_owned()).collect(),
            })
            .collect();
        let around = Around {
            has_pyxdg: &|| installed.contains(&"pyxdg"),
            has: &|name| installed.contains(&name),
            i3_config: &|told| if told == Some("other") { String::new() } else { config.to_owned() },
        };
        started_by(&running, &around)
    }

    #[test]
    fn programs_that_start_them_are_known() {
        let session: &[&str] = &["openbox", "--startup", "/usr/lib/x86_64-linux-gnu/openbox-autostart OPENBOX"];
        let dex = &["dex"][..];
        for (processes, installed, config, expected) in [
            (&[&["openbox"][..]][..], &["pyxdg", "dex"][..], "", None),
            (&[session], &["pyxdg"], "", Some("openbox")),
            // Its script says "ImportError: No module named xdg" then.
            (&[session], &[], "", None),
            (&[&["i3"]], dex, STOCK, Some("i3")),
            (&[&["i3"]], &[], STOCK, None),
            (&[&["i3"]], dex, "# exec dex --autostart\nexec dex --version\nbindsym x exec dex -a\n", None),
            (&[&["i3"]], dex, "exec_always --no-startup-id dex -a -s ~/.config/autostart\n", Some("i3")),
            (&[&["i3", "-c", "other"]], dex, STOCK, None),
            (&[&["sh", "/home/ada/.xinitrc"], &["xfce4-session"], &["xfwm4"]], &[], "", Some("xfce4-session")),
            (&[&["cinnamon-session", "--session", "cinnamon"]], &[], "", Some("cinnamon-sessio")),
            (&[&["bspwm"], &["dex", "-a"]], dex, "", Some("dex")),
            (&[], dex, STOCK, None),
        ] {
            assert_eq!(who(processes, installed, config).as_deref(), expected, "{processes:?} {installed:?}");
        }
    }
}
