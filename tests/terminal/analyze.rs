//! `startxd analyze`: what a start spent its time on.

use crate::scenario::{Desk, OPENBOX};

/// The number before " ms" behind these words.
fn milliseconds(text: &str, words: &str) -> f64 {
    let rest = text.split_once(words).unwrap_or_else(|| panic!("{words:?} is missing:\n{text}")).1;
    rest.split_once(" ms").and_then(|(number, _)| number.trim().parse().ok()).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn a_start_is_broken_down_and_drawn() {
    let desk = Desk::at_prompt();
    let none = desk.user("ada", "startxd analyze");
    assert_eq!(none.status.code(), Some(4), "{none:?}");
    desk.writes_unit(
        "slow.service",
        "[Unit]\nPartOf=graphical-session.target\nAfter=graphical-session.target\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=sleep 0.3\n\
         [Install]\nWantedBy=graphical-session.target\n",
    );
    desk.user("ada", "systemctl --user enable slow").ok();
    desk.starts(OPENBOX);
    desk.unit_becomes("slow.service", "active");
    let text = desk.user("ada", "umask 077; startxd analyze --svg start.svg").text();
    let managed = milliseconds(&text, " to a window manager: ");
    let desktop = milliseconds(&text, " to graphical-session.target: ");
    assert!(1.0 < managed && managed <= desktop && desktop < 15_000.0, "{text}");
    for part in ["xorg@0.socket", "xorg@0.service", "startxd-wm@openbox.service", "wm-ready.target", "slow.service"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    // What began before the session is not part of its start.
    assert!(!text.contains("dbus.service") && !text.contains("not up"), "{text}");
    let slow = text.lines().find(|line| line.contains("slow.service")).unwrap_or_default();
    let took: f64 = slow.split_whitespace().nth(1).and_then(|took| took.parse().ok()).unwrap_or_default();
    assert!((300.0..5000.0).contains(&took), "{slow}");
    let drawing = desk.read("/home/ada/start.svg");
    assert!(drawing.starts_with("<svg ") && drawing.ends_with("</svg>\n"), "{drawing}");
    assert!(drawing.contains("slow.service (") && drawing.contains("prefers-color-scheme: dark"), "{drawing}");
    desk.user("ada", "! startxd analyze --svg /nowhere/start.svg").ok();
    desk.user("ada", "startxd stop; systemctl --user disable slow").ok();
    desk.ended(0);
    desk.starts_again();
}
