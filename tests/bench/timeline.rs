//! Where the time of a start goes: what happened when, as others have noted it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use startxd::for_tests::manager::names;
use startxd::for_tests::x11::display::Display;

use crate::contestants::{Launcher, WindowManager};
use crate::harness::Guest;
use crate::observer::Sighting;

/// What happened, and when.
pub type Moment = (String, SystemTime);

/// The two clocks' difference, the server's log, and then the units that are named.
const ASK: &str = r"
object=/org/freedesktop/systemd1
busctl --user get-property org.freedesktop.systemd1 $object org.freedesktop.systemd1.Manager \
    UserspaceTimestamp UserspaceTimestampMonotonic | cut -c3-
head -n 1 ~/.local/share/xorg/Xorg.0.log | tr -dc '0-9.\n' | cut -d. -f1,2 | cut -c-20
";

/// Timestamps of units (org.freedesktop.systemd1(5)) and what they tell. The handoff is the executor's exec, which
/// systemd notes from version 256 on.
const STAMPS: [(&str, &str); 4] = [
    ("InactiveExitTimestampMonotonic", "leaves inactive"),
    ("ExecMainStartTimestampMonotonic", "forked"),
    ("ExecMainHandoffTimestampMonotonic", "executed"),
    ("ActiveEnterTimestampMonotonic", "active"),
];

/// Collects it while the session is up.
pub fn collect(guest: &Guest, launcher: Launcher, wm: WindowManager, sighting: &Sighting) -> Vec<Moment> {
    let display = Display::new(0).expect("a display number");
    let mut moments = vec![
        ("display listens".to_owned(), sighting.listened),
        ("server answers".to_owned(), sighting.answered),
        ("managed".to_owned(), sighting.managed),
    ];
    let mut script = ASK.to_owned();
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
    let mut number = || lines.next().and_then(|line| line.parse::<f64>().ok()).unwrap_or(0.0);
    let (real, monotonic, log) = (number(), number(), number());
    // Monotonic µs to the clock of the stamps.
    let convert = |at: f64| UNIX_EPOCH + Duration::from_secs_f64((real - monotonic + at) / 1e6);
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
