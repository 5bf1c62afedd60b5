//! Autostart entries that a session starts although the user manager starts them, too.

use crate::harness::{SOON, wait_until};
use crate::hostile::wait_up;
use crate::neighbours::{starts_session, stops, with_seats};

/// An entry's program: a script that stays, one that executes another program, and one that runs only once.
const STAYS: &str = "#!/bin/sh\nwhile :; do sleep 1000; done\n";
const WRAPS: &str = "#!/bin/sh\nexec sleep infinity\n";
const ONCE: &str = "#!/bin/sh\nmkdir ~/runs || exit 1\nwhile :; do sleep 1000; done\n";

#[test]
fn doctor_names_entries_that_ran_twice() {
    let case = with_seats();
    for (name, script) in [("stays", STAYS), ("wraps", WRAPS), ("once", ONCE), ("alone", STAYS)] {
        case.write_as("ada", &format!("~/{name}"), script);
        let entry = format!("[Desktop Entry]\nType=Application\nName={name}\nExec=/home/ada/{name} --tray\n");
        case.write_as("ada", &format!("~/.config/autostart/{name}.desktop"), &entry);
    }
    // As a person's own line does it, which startxd cannot know.
    case.write_as(
        "ada",
        "~/.xinitrc",
        "for name in stays wraps once; do ~/$name --tray & done\nexec openbox --sm-disable\n",
    );
    case.user("ada", "chmod +x stays wraps once alone").ok();
    let units: Vec<String> =
        ["alone", "once", "stays", "wraps"].map(|name| format!("app-{name}@autostart.service")).into();
    for (autostart, ran_twice) in [("auto", true), ("no", false)] {
        case.write_as("ada", "~/.config/startxd/startxd.toml", &format!("session.autostart = {autostart:?}\n"));
        let session = starts_session(&case, "ada", "seat1", "");
        wait_up(&case, "ada");
        if ran_twice {
            wait_until("the entries to have run", SOON, || {
                let states = units.iter().map(|unit| case.manager("ada").property(unit, "ActiveState"));
                let states: Vec<String> = states.collect();
                if states == ["active", "failed", "active", "active"] { Ok(()) } else { Err(format!("{states:?}")) }
            });
        }
        let doctor = case.user("ada", "startxd doctor").stdout;
        let line = doctor.lines().find(|line| line.contains("ran twice")).unwrap_or_default();
        for (unit, twice) in units.iter().zip([false, ran_twice, ran_twice, ran_twice]) {
            assert_eq!(line.contains(&format!("{unit} (and process ")), twice, "{autostart}, {unit}: {doctor}");
        }
        assert_eq!(doctor.contains("session.autostart-twice"), ran_twice, "{autostart}: {doctor}");
        stops(&case, "ada", session);
        case.user("ada", "rmdir runs").ok();
    }
}
