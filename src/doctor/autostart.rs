//! Autostart entries that ran twice: the user manager started each of them as a unit, and something in the session
//! started the same program again.
//!
//! startxd knows session managers and configurations that start the entries, and then does not have the user manager do
//! it. Others are seen here by what they leave: a second process with the same program and arguments, on the same
//! display, begun in the same moments, outside the unit. A program that ended by itself because it was running already
//! has left none, and is not named.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::unistd::Pid;

use super::Finding;
use super::catalogue::SESSION_AUTOSTART_TWICE;
use super::machine::Machine;
use crate::config;
use crate::deadline::BESIDE;
use crate::manager::Manager;
use crate::os;
use crate::records::session::SessionRecord;
use crate::session::autostart;
use crate::small_file;

/// How many entries are named; the others are counted.
const MOST_NAMED: usize = 8;

/// The kernel's unit for the times of processes, per second, as programs see it (proc_pid_stat(5), USER_HZ).
const TICKS: f64 = 100.0;

/// The unit of an entry that the user manager has started.
#[derive(Debug, Clone)]
struct Started {
    /// Its name.
    unit: String,
    /// Its program.
    program: PathBuf,
    /// Its arguments, the name first.
    arguments: Vec<String>,
    /// The last main process.
    main: Pid,
    /// For how long it has been started, in seconds.
    age: f64,
}

/// A process of the user.
#[derive(Debug, Clone, PartialEq)]
struct Running {
    /// Its pid.
    pid: Pid,
    /// The file that it executes; for a script, that of the interpreter.
    program: PathBuf,
    /// Its arguments, the name first.
    arguments: Vec<String>,
    /// Its `DISPLAY`.
    display: Option<String>,
    /// For how long it runs, in seconds.
    age: f64,
}

/// What there is.
#[derive(Debug, Default)]
struct AutostartFacts {
    /// `session.autostart`.
    wanted: config::Autostart,
    /// What starts the entries in this session, besides the user manager, which was told to start them nevertheless.
    also: Option<String>,
    /// The units that ran twice, and where else each ran.
    twice: Vec<(String, Pid, Option<String>)>,
}

/// Looks for entries that ran twice in the session that is up.
pub async fn examine(machine: &Machine) -> Option<Finding> {
    let (manager, runtime) = (machine.manager.as_ref()?, machine.runtime.as_ref()?);
    let record = SessionRecord::of(runtime).ok()??;
    let mut facts = AutostartFacts { wanted: machine.config.session.autostart, ..AutostartFacts::default() };
    let started = machine.ask(async { Ok::<_, ()>(started(manager).await) }).await.unwrap_or_default();
    if started.is_empty() {
        return None;
    }
    if facts.wanted == config::Autostart::Yes {
        let processes = autostart::processes_of(manager, &record.units);
        let known = autostart::is_ours(config::Autostart::Auto, processes);
        facts.also = machine.ask(async { Ok::<_, ()>(known.await) }).await.and_then(Result::err);
    }
    let display = record.display.to_string();
    let running: Vec<Running> = autostart::processes_of_ours().into_iter().filter_map(look).collect();
    for one in &started {
        for other in copies(one, &running, &display) {
            let unit = machine.ask(manager.unit_of_pid(other)).await.flatten();
            if unit.as_ref() != Some(&one.unit) {
                facts.twice.push((one.unit.clone(), other, unit));
                break;
            }
        }
    }
    judge(&facts)
}

/// The entries that the user manager has started since its units were made.
async fn started(manager: &Manager) -> Vec<Started> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
    let mut started = Vec::new();
    for listed in manager.units_like(&["app-*@autostart.service"]).await.unwrap_or_default() {
        let unit = listed.name;
        let (Ok(Some(begun)), Ok(Some((program, arguments))), Ok(main)) =
            tokio::join!(manager.main_began(&unit), manager.first_command(&unit), manager.last_main_pid(&unit))
        else {
            continue;
        };
        let main = Pid::from_raw(i32::try_from(main).unwrap_or_default());
        started.push(Started { unit, program: program.into(), arguments, main, age: now - begun.as_secs_f64() });
    }
    started
}

fn look(pid: Pid) -> Option<Running> {
    let words = |name: &str| -> Option<Vec<String>> {
        let text = small_file::text(format!("/proc/{pid}/{name}").as_ref()).ok()?;
        Some(text.split_terminator('\0').map(str::to_owned).collect())
    };
    let uptime: f64 = small_file::text("/proc/uptime".as_ref()).ok()?.split_whitespace().next()?.parse().ok()?;
    let begun = os::began(&os::stat(pid).ok()?)?;
    let display =
        words("environ").and_then(|all| all.iter().find_map(|one| Some(one.strip_prefix("DISPLAY=")?.to_owned())));
    Some(Running {
        pid,
        program: std::fs::read_link(format!("/proc/{pid}/exe")).ok()?,
        arguments: words("cmdline")?,
        display,
        age: uptime - begun / TICKS,
    })
}

/// The other processes that run the program of a unit. Pure, except for links to programs.
fn copies(one: &Started, running: &[Running], display: &str) -> Vec<Pid> {
    let program = std::fs::canonicalize(&one.program).unwrap_or_else(|_| one.program.clone());
    // A wrapper executes another program, in both copies.
    let own = running.iter().find(|other| other.pid == one.main);
    let is_copy = |other: &&Running| {
        let given = one.arguments.get(1..).unwrap_or_default();
        let is_same = match other.arguments.as_slice() {
            [_, rest @ ..] if rest == given && other.program == program => true,
            // A script: its interpreter, and then its path.
            [_, path, rest @ ..] if Path::new(path) == one.program && rest == given => true,
            arguments => own.is_some_and(|own| own.program == other.program && own.arguments == arguments),
        };
        let is_beside = (other.age - one.age).abs() <= BESIDE.as_secs_f64();
        // The X server's screen may be named, too: :0.0.
        let is_there = other.display.as_deref().is_some_and(|at| at.split('.').next() == Some(display));
        is_same && is_beside && is_there && other.pid != one.main
    };
    running.iter().filter(is_copy).map(|other| other.pid).collect()
}

fn judge(facts: &AutostartFacts) -> Option<Finding> {
    let named: Vec<String> = facts
        .twice
        .iter()
        .take(MOST_NAMED)
        .map(|(unit, pid, other)| match other {
            Some(other) => format!("{unit} (and process {pid} of {other})"),
            None => format!("{unit} (and process {pid})"),
        })
        .collect();
    let more = match facts.twice.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let off = "in startxd.toml, under [session], set autostart = ";
    let (what, remedy) = match (&facts.also, named.as_slice()) {
        (None, []) => return None,
        (Some(also), []) => {
            (format!("the user manager starts the autostart entries, and {also} as well"), format!("{off}\"auto\""))
        }
        (Some(also), named) => (
            format!("autostart entries ran twice, as {also}, too: {}{more}", named.join(", ")),
            format!("{off}\"auto\""),
        ),
        (None, named) if facts.wanted == config::Autostart::No => (
            format!("autostart entries ran twice: {}{more}", named.join(", ")),
            "find what starts the units besides your session: systemctl --user list-dependencies --reverse \
             xdg-desktop-autostart.target"
                .to_owned(),
        ),
        (None, named) => (
            format!("autostart entries ran twice: {}{more}", named.join(", ")),
            format!("remove what starts them from your configuration; or, if it is to start all of them, {off}\"no\""),
        ),
    };
    Some(SESSION_AUTOSTART_TWICE.found(what, remedy))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use nix::unistd::Pid;

    use super::{AutostartFacts, Running, Started, copies, judge};
    use crate::config::Autostart;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_copy_is_the_same_program_in_the_same_moments() {
        let started = |line: &str| Started {
            unit: "app-x@autostart.service".into(),
            program: PathBuf::from(line.split(' ').next().unwrap()),
            arguments: words(line),
            main: Pid::from_raw(10),
            age: 60.0,
        };
        let running = |pid: i32, program: &str, line: &str, display: Option<&str>, age: f64| Running {
            pid: Pid::from_raw(pid),
            program: program.into(),
            arguments: words(line),
            display: display.map(str::to_owned),
            age,
        };
        let (applet, script) = ("/opt/bin/applet --tray", "/opt/bin/script -x");
        let here = Some(":0");
        for (unit, other, expected) in [
            (applet, running(11, "/opt/bin/applet", "applet --tray", here, 59.5), true),
            (applet, running(11, "/opt/bin/applet", "/opt/bin/applet --tray", Some(":0.0"), 61.0), true),
            // The unit's own process.
            (applet, running(10, "/opt/bin/applet", "applet --tray", here, 60.0), false),
            // Started by hand, later.
            (applet, running(11, "/opt/bin/applet", "applet --tray", here, 20.0), false),
            (applet, running(11, "/opt/bin/applet", "applet", here, 60.0), false),
            (applet, running(11, "/opt/bin/other", "applet --tray", here, 60.0), false),
            // On a display without a screen, or none.
            (applet, running(11, "/opt/bin/applet", "applet --tray", Some(":5"), 60.0), false),
            (applet, running(11, "/opt/bin/applet", "applet --tray", None, 60.0), false),
            (script, running(11, "/usr/bin/dash", "/bin/sh /opt/bin/script -x", here, 60.0), true),
            (script, running(11, "/usr/bin/dash", "/bin/sh /opt/bin/script", here, 60.0), false),
            (script, running(11, "/usr/bin/dash", "/bin/sh", here, 60.0), false),
        ] {
            let found = copies(&started(unit), std::slice::from_ref(&other), ":0");
            assert_eq!(!found.is_empty(), expected, "{unit}: {other:?}");
        }
        // Both wrappers have executed the same program.
        let of_wrapper = |pid| running(pid, "/usr/bin/sleep", "sleep infinity", here, 60.0);
        let all = [of_wrapper(10), of_wrapper(11), running(12, "/usr/bin/sleep", "sleep 5", here, 60.0)];
        assert_eq!(copies(&started(script), &all, ":0"), [Pid::from_raw(11)]);
        assert_eq!(copies(&started(script), &all[1..], ":0"), []);
    }

    #[test]
    fn what_is_found() {
        let twice = |count: i32| -> Vec<_> {
            let one = |n| (format!("app-{n}@autostart.service"), Pid::from_raw(n), Some("wm.service".to_owned()));
            (1..=count).map(one).collect()
        };
        let also = || Some("i3 starts them".to_owned());
        assert_eq!(judge(&AutostartFacts::default()), None);
        for (wanted, also, count, what, remedy) in [
            (
                Autostart::Auto,
                None,
                1,
                "ran twice: app-1@autostart.service (and process 1 of wm.service)",
                "autostart = \"no\"",
            ),
            (
                Autostart::Auto,
                None,
                10,
                "app-8@autostart.service (and process 8 of wm.service) and 2 more",
                "remove what",
            ),
            (Autostart::Yes, None, 1, "ran twice: app-1@", "autostart = \"no\""),
            (Autostart::Yes, also(), 1, "as i3 starts them, too: app-1@", "autostart = \"auto\""),
            (
                Autostart::Yes,
                also(),
                0,
                "starts the autostart entries, and i3 starts them as well",
                "autostart = \"auto\"",
            ),
            (Autostart::No, None, 1, "ran twice: app-1@", "list-dependencies --reverse"),
        ] {
            let finding = judge(&AutostartFacts { wanted, also, twice: twice(count) }).unwrap();
            assert_eq!(finding.kind.id, "session.autostart-twice");
            assert!(finding.what.contains(what) && finding.remedy.contains(remedy), "{finding:?}");
        }
    }
}
