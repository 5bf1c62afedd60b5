//! What a start and an end spend their time on: what happened when, as logged by others.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use startxd::for_tests::manager::names;
use startxd::for_tests::x11::display::Display;

use crate::contestants::{Launcher, WindowManager};
use crate::harness::Guest;
use crate::observer::Sighting;

/// An event and its time.
pub type Moment = (String, SystemTime);

/// The difference of the two clocks.
const CLOCKS: &str = r"
object=/org/freedesktop/systemd1
busctl --user get-property org.freedesktop.systemd1 $object org.freedesktop.systemd1.Manager \
    UserspaceTimestamp UserspaceTimestampMonotonic | cut -c3-
";

/// The server's log, and then the given units.
const ASK: &str = r"
head -n 1 ~/.local/share/xorg/Xorg.0.log | tr -dc '0-9.\n' | cut -d. -f1,2 | cut -c-20
";

/// When the server wrote its last line, and the last messages of the user manager and the launcher in the journal.
const ASK_END: &str = r"
tail -n 1 ~/.local/share/xorg/Xorg.0.log | sed -n 's/^\[ *\([0-9.]*\)\].*/\1/p'
journalctl _UID=1000 -b -n 60 -q -o short-unix --no-hostname
";

/// Timestamps of units (org.freedesktop.systemd1(5)) and what they mean. The handoff is the executor's exec, which
/// systemd records since version 256.
const STAMPS: [(&str, &str); 4] = [
    ("InactiveExitTimestampMonotonic", "leaves inactive"),
    ("ExecMainStartTimestampMonotonic", "forked"),
    ("ExecMainHandoffTimestampMonotonic", "executed"),
    ("ActiveEnterTimestampMonotonic", "active"),
];

/// Collects the timeline while the session is up.
pub fn collect(guest: &Guest, launcher: Launcher, wm: WindowManager, sighting: &Sighting) -> Vec<Moment> {
    let display = Display::new(0).expect("a display number");
    let mut moments = vec![
        ("display listens".to_owned(), sighting.listened),
        ("server answers".to_owned(), sighting.answered),
        ("managed".to_owned(), sighting.managed),
    ];
    let mut script = CLOCKS.to_owned() + ASK;
    if launcher == Launcher::Startxd {
        let properties: Vec<String> = STAMPS.iter().map(|(name, _)| format!("-p {name}")).collect();
        let units = [
            names::xorg_socket(display),
            names::xorg_service(display),
            names::session_service(wm.name()),
            names::XORG_TARGET.to_owned(),
            names::WM_TARGET.to_owned(),
            names::WM_READY_TARGET.to_owned(),
            names::GRAPHICAL_SESSION.to_owned(),
        ];
        script += &format!("systemctl --user show -p Id {} '{}'", properties.join(" "), units.join("' '"));
    }
    let answer = guest.user("ada", &script).text();
    let mut lines = answer.lines();
    let convert = clock(&mut lines);
    let log = number(&mut lines);
    moments.push(("server's log begins".to_owned(), convert(log * 1e6)));
    let rest = lines.collect::<Vec<_>>().join("\n");
    for unit in rest.split("\n\n") {
        let properties: BTreeMap<&str, &str> = unit.lines().filter_map(|line| line.split_once('=')).collect();
        for (name, meaning) in STAMPS {
            let at = properties.get(name).and_then(|at| at.parse().ok()).filter(|&at: &f64| at > 0.0);
            moments.extend(at.map(|at| (format!("{} {meaning}", properties["Id"]), convert(at))));
        }
    }
    moments
}

/// Collects it after an end that began at `quit`.
pub fn collect_end(guest: &Guest, quit: SystemTime) -> Vec<Moment> {
    let answer = guest.user("ada", &(CLOCKS.to_owned() + ASK_END)).text();
    let mut lines = answer.lines();
    let convert = clock(&mut lines);
    let last = convert(number(&mut lines) * 1e6);
    let told = lines.filter_map(|line| {
        let (at, text) = line.split_once(' ')?;
        Some((text.to_owned(), UNIX_EPOCH + Duration::from_secs_f64(at.parse().ok()?)))
    });
    let all = told.chain([("the server's last line".to_owned(), last)]);
    all.filter(|(_, at)| *at >= quit).collect()
}

/// Reads the clocks' difference, and returns what turns monotonic µs into the time of the stamps.
fn clock(lines: &mut dyn Iterator<Item = &str>) -> impl Fn(f64) -> SystemTime + use<> {
    let (real, monotonic) = (number(lines), number(lines));
    move |at| UNIX_EPOCH + Duration::from_secs_f64((real - monotonic + at) / 1e6)
}

/// The number on the next line, 0 if there is none.
fn number(lines: &mut dyn Iterator<Item = &str>) -> f64 {
    lines.next().and_then(|line| line.parse().ok()).unwrap_or(0.0)
}
