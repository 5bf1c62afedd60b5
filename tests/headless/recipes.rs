//! The units in README, docs and the manual pages: systemd understands each. And the recipes that need no terminal, run as
//! printed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::displays::place::lingers;
use crate::harness::{Case, Guest};
use crate::pages::{blocks, follow};

/// Every printed unit: its file, as printed, and its text.
fn units() -> Vec<(String, String)> {
    fn documents(directory: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(directory).expect("docs").map(|entry| entry.expect("an entry").path());
        entries.flat_map(|path| if path.is_dir() { documents(&path) } else { vec![path] }).collect()
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = documents(&root.join("docs"));
    paths.push(root.join("README.md"));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut units = Vec::new();
    for path in paths {
        let printed = blocks(path.to_str().expect("a name"));
        for (_, text) in printed.into_iter().filter(|(language, _)| language == "ini") {
            let (file, _) = text.split_once('\n').expect("more than one line");
            units.push((file.trim_start_matches("# ").to_owned(), text));
        }
    }
    units.sort();
    units.dedup();
    units.extend(of_manuals(root));
    units
}

/// The same for the manual pages, which do not say what a file is called.
fn of_manuals(root: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(root.join("man")).expect("man").map(|entry| entry.expect("an entry").path());
    let mut units = Vec::new();
    for path in entries {
        let text = fs::read_to_string(&path).expect("a page");
        let page = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // These are the system's units, and all of them drop-ins.
        let manager = if page == "startxd-login.7" { "system" } else { "user" };
        let displays = text.split("\n.Bd -literal").skip(1).filter_map(|rest| rest.split_once('\n'));
        let displays = displays.filter_map(|(_, rest)| rest.split_once("\n.Ed").map(|(display, _)| display));
        let displays = displays.filter(|display| display.starts_with("[Unit]\n") || display.starts_with("[Service]\n"));
        for (index, display) in displays.enumerate() {
            let mut unit = format!("{display}\n");
            if !unit.contains("ExecStart=") {
                unit = unit.replace("[Service]\n", "[Service]\nExecStart=/usr/bin/true\n");
            }
            units.push((format!("man/{page}/systemd/{manager}/of-{}-{index}.service", page.replace('.', "-")), unit));
        }
    }
    units
}

/// Programs of these units that the guests do not have: systemd reads the unit, but no test runs it.
const ONLY_READ: [&str; 13] = [
    "/usr/bin/autorandr",
    "/usr/bin/chromium",
    "/usr/bin/dunst",
    "/usr/bin/feh",
    "/usr/bin/lxpolkit",
    "/usr/bin/picom",
    "/usr/bin/redshift",
    "/usr/bin/stalonetray",
    "/usr/bin/tint2",
    "/usr/bin/xmobar",
    "/usr/bin/xscreensaver",
    "dunstctl",
    "playerctl",
];

/// The unit with an installed program in place of a missing one, as systemd checks for it. Missing ones are added to
/// `missing`.
fn with_programs(case: &Case, text: &str, missing: &mut BTreeSet<String>) -> String {
    let mut program = |line: &str| {
        let (name, command) = line.split_once('=').filter(|(name, _)| name.starts_with("Exec"))?;
        // What may precede the path: systemd.service(5), "Command lines".
        let path = command.split(' ').next().unwrap_or_default().trim_start_matches(['-', '@', ':', '+', '!']);
        let is_there = path.is_empty() || case.root(&format!("test -x {path}")).code() == 0;
        (!is_there).then(|| missing.insert(path.to_owned()));
        (!is_there).then(|| format!("{name}={}", command.replacen(path, "/usr/bin/true", 1)))
    };
    text.lines().map(|line| program(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

#[test]
fn systemd_understands_every_unit() {
    let case = Guest::headless();
    let units = units();
    let of_manuals = units.iter().filter(|(file, _)| file.starts_with("man/")).count();
    assert!(units.len() > 20 && of_manuals > 7, "what is looked for is not found where it is: {of_manuals}");
    // Its runtime directory has what systemd-analyze needs.
    case.start_manager("ada");
    case.user("ada", "mkdir units").ok();
    let mut missing = BTreeSet::new();
    for (file, text) in units {
        let name = file.rsplit('/').next().unwrap_or_default().to_owned();
        // A drop-in is read together with its unit; here it stands alone, named like a unit.
        let name = name.strip_suffix(".conf").map_or(name.clone(), |stem| format!("{stem}.service"));
        case.write_as("ada", &format!("~/units/{name}"), &with_programs(&case, &text, &mut missing));
        let manager = if file.contains("/systemd/user/") { "--user" } else { "--system" };
        let told = case.user("ada", &format!("systemd-analyze {manager} --man=no verify units/{name}"));
        assert_eq!((told.code(), told.stderr.as_str()), (0, ""), "{file}: {told}");
    }
    case.user("ada", "rm -r units").ok();
    let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
    assert_eq!(missing, ONLY_READ);
}

/// Puts a program into ada's path that the guests do not have.
fn stands_in(case: &Case, name: &str, script: &str) {
    let path = format!("/usr/local/bin/{name}");
    case.write(&path, &format!("#!/bin/sh\n{script}\n"));
    case.root(&format!("chmod 755 {path}")).ok();
}

/// A guest for one page, in which ada's user manager runs.
fn lingering() -> Case {
    let mut case = Guest::headless();
    case.discard();
    lingers(&case, "ada");
    case
}

#[test]
fn recipes_of_window_managers_run_as_printed() {
    let case = lingering();
    // What each enables.
    for (name, others) in
        [("i3", &[][..]), ("awesome", &[]), ("bspwm", &["sxhkd"]), ("openbox", &["tint2"]), ("dwm", &["dwm-status"])]
    {
        follow(&case, &format!("docs/recipes/{name}.md"));
        let enabled = "systemctl --user list-unit-files --state=enabled --no-legend '*.service' | cut -d' ' -f1";
        let enabled: Vec<String> = case.user("ada", enabled).ok().stdout.lines().map(str::to_owned).collect();
        for unit in [name].iter().chain(others) {
            assert!(enabled.contains(&format!("{unit}.service")), "{name}: {enabled:?}");
        }
        case.user("ada", "startxd disable wm").ok();
        for unit in others {
            case.user("ada", &format!("systemctl --user disable {unit}")).ok();
        }
    }
}

#[test]
fn the_recipe_of_a_tmux_runs_as_printed() {
    let case = lingering();
    stands_in(&case, "irssi", "exec sleep 600");
    // The page ends with undoing it, and prints the unit of a program in the session after that.
    follow(&case, "docs/recipes/headless-tmux.md");
    let windows = "tmux list-windows -t main -F '#{window_name}'";
    assert!(!case.user("ada", windows).ok().stdout.contains("irc"));
    case.user("ada", "systemctl --user daemon-reload; systemctl --user start irc").ok();
    assert!(case.user("ada", windows).ok().stdout.contains("irc"));
    case.user("ada", "systemctl --user stop irc").ok();
    assert!(!case.user("ada", windows).ok().stdout.contains("irc"));
}

#[test]
fn the_recipe_of_a_remote_desktop_runs_as_printed() {
    let case = lingering();
    follow(&case, "docs/recipes/remote-desktop.md");
    let is_up = || {
        let list = case.user("ada", "startxd display list").ok().stdout;
        assert!(list.starts_with(":5  xvnc") && list.contains("ready") && list.contains("openbox"), "{list}");
        // What a viewer reads first, by the socket that the page forwards.
        let greeting = "import socket; s = socket.socket(socket.AF_UNIX); s.settimeout(10); \
                        s.connect('/run/user/1000/startxd/vnc-5.sock'); print(s.recv(3).decode())";
        assert_eq!(case.user("ada", &format!("python3 -c \"{greeting}\"")).text(), "RFB");
    };
    is_up();
    // The unit starts the same at boot.
    case.user("ada", "startxd display stop :5").ok();
    case.user("ada", "systemctl --user start desktop").ok();
    is_up();
    case.user("ada", "systemctl --user stop desktop").ok();
    assert_eq!(case.user("ada", "ls /run/user/1000/startxd").stdout, "");
}

#[test]
fn the_recipe_of_browsers_in_ci_runs_as_printed() {
    let case = lingering();
    // What a browser needs: a display of the size that the page asks for.
    stands_in(&case, "npx", "echo \"$@\" >seen; exec xdpyinfo >>seen");
    follow(&case, "docs/recipes/browsers-in-ci.md");
    let seen = case.read("/home/ada/seen");
    assert!(seen.starts_with("playwright test --headed\n") && seen.contains("dimensions:    1920x1080"), "{seen}");
    assert_eq!(case.user("ada", "od -An -c -N4 page.png").text(), "211   P   N   G");
    case.user("ada", "rm page.png; xvfb-run -a scrot page.png && test -s page.png").ok();
    // The file of defaults is read.
    let size = case.user("ada", "startxd display run -- xdpyinfo").ok().stdout;
    assert!(size.contains("dimensions:    1920x1080"), "{size}");
}
