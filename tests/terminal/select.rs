//! The menu: what it shows, what keys, signals and time do to it, and what it leaves on the terminal.

use crate::harness::{Case, Guest, SOON, wait_until};
use crate::scenario::Desk;

const DOWN: &str = "\x1b[B";
const UP: &str = "\x1b[A";
const REMEMBERED: &str = "~/.local/state/startxd/selected";

/// Hides entries of the system from ada.
fn hides(case: &Case, ids: &[&str]) {
    for id in ids {
        case.write_as("ada", &format!("~/.local/share/xsessions/{id}.desktop"), "[Desktop Entry]\nHidden=true\n");
    }
}

/// Hides all entries of the system from ada except these.
fn keeps(case: &Case, ids: &[&str]) {
    let entries = case.root("cd /usr/share/xsessions; ls").text();
    let all = entries.lines().filter_map(|file| file.strip_suffix(".desktop"));
    hides(case, &all.filter(|id| !ids.contains(id)).collect::<Vec<_>>());
}

/// Ada at the prompt, with awesome, i3 and openbox to choose from, in this order.
fn at_prompt() -> Desk {
    let case = Guest::get();
    keeps(&case, &["awesome", "i3", "openbox"]);
    Desk::at_prompt_in(case)
}

/// Waits until the menu's cursor is on this line.
fn stands_on(desk: &Desk, line: &str) {
    wait_until(&format!("the menu to stand on {line:?}"), SOON, || {
        let screen = desk.vt().screen();
        let at = screen.lines().find(|found| found.starts_with('>'));
        if at.is_some_and(|found| found.starts_with(&format!(">  {line}"))) { Ok(()) } else { Err(screen) }
    });
}

#[test]
fn keys_choose_and_the_choice_is_remembered() {
    let desk = at_prompt();
    desk.types("startxd select --dpi 96");
    let screen = desk.vt().wait_text("q to leave", SOON);
    for line in ["   2  i3       improved dynamic tiling", "   3  Openbox  Log in using the Openbox window manager"] {
        assert!(screen.lines().any(|found| found.starts_with(line)), "{line:?} is not in\n{screen}");
    }
    stands_on(&desk, "1  awesome");
    desk.vt().type_text(DOWN);
    stands_on(&desk, "2  i3");
    desk.vt().type_text("3");
    stands_on(&desk, "3  Openbox");
    desk.vt().type_text(UP);
    stands_on(&desk, "2  i3");
    desk.vt().type_text("\n");
    desk.is_up();
    assert_eq!(desk.state("startxd-wm@i3.service"), "active");
    desk.with_display("xdpyinfo | grep -F '96x96 dots per inch'").ok();
    desk.quits("i3-msg exit");
    let screen = desk.ended(0);
    assert!(!screen.has("Which session?"), "{screen}");
    assert_eq!(desk.user("ada", &format!("cat {REMEMBERED}; stat -c %a {REMEMBERED}")).ok().stdout, "i3\n600\n");

    // Next time the cursor starts there.
    desk.types("startxd select");
    stands_on(&desk, "2  i3");
    desk.vt().type_text("\n");
    desk.is_up();
    desk.quits("i3-msg exit");
    desk.ended(0);
}

#[test]
fn leaving_it_restores_the_terminal() {
    let desk = at_prompt();
    let by_menu = ["q", "\x03", "\x04", "TERM", "INT", "HUP", "QUIT"].map(|leave| ("linux", leave));
    let by_prompt = ["q\n", "\x03", "\x04", "TERM"].map(|leave| ("dumb", leave));
    for (term, leave) in by_menu.into_iter().chain(by_prompt) {
        desk.types(&format!("env TERM={term} startxd select"));
        desk.vt().wait_text("q to leave", SOON);
        if leave.len() > 2 {
            desk.root(&format!("pkill -{leave} -u ada -f '^startxd select'")).ok();
        } else {
            desk.vt().type_text(leave);
        }
        let screen = desk.ended(25);
        assert_eq!(screen.has("Which session?"), term == "dumb", "{leave:?}\n{screen}");
    }
    assert_eq!(desk.user("ada", &format!("ls {REMEMBERED}")).code(), 2, "nothing was chosen");
}

#[test]
fn when_the_time_is_up_the_last_choice_is_taken() {
    let desk = at_prompt();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[select]\ntimeout = 1\n");
    // There is no earlier choice yet, and nobody to ask: the menu waits.
    desk.types("startxd select --timeout 0.1");
    let screen = desk.vt().wait_text("q to leave", SOON);
    assert!(!screen.contains("starts in"), "{screen}");
    desk.vt().type_text("q");
    desk.ended(25);

    desk.write_as("ada", REMEMBERED, "openbox\n");
    for term in ["linux", "dumb"] {
        desk.types(&format!("env TERM={term} startxd select"));
        desk.is_up();
        assert_eq!(desk.state("startxd-wm@openbox.service"), "active");
        desk.quits_openbox();
        desk.ended(0);
    }

    desk.types("startxd select --timeout 3600");
    desk.vt().wait_text("Openbox starts in 3600 s. Any key stops that.", SOON);
    desk.vt().type_text("x");
    wait_until("the countdown to stop", SOON, || match desk.vt().screen() {
        screen if screen.contains("starts in") => Err(screen),
        _ => Ok(()),
    });
    desk.vt().type_text("q");
    desk.ended(25);

    // A session that was removed cannot be chosen.
    desk.write_as("ada", REMEMBERED, "gone\n");
    desk.types("startxd select --timeout 0.1");
    let screen = desk.vt().wait_text("q to leave", SOON);
    assert!(!screen.contains("starts in"), "{screen}");
    desk.vt().type_text("q");
    desk.ended(25);
}

#[test]
fn a_terminal_that_can_only_print_gets_numbers() {
    let desk = at_prompt();
    desk.write_as("ada", "~/.xinitrc", "exec openbox --sm-disable\n");
    desk.types("TERM=dumb startxd select");
    let screen = desk.vt().wait_text("Number, or q to leave [1]:", SOON);
    for line in ["*  1  ~/.xinitrc  your own startup file", "   3  i3          improved"] {
        assert!(screen.lines().any(|found| found.starts_with(line)), "{line:?} is not in\n{screen}");
    }
    desk.vt().type_line("5");
    desk.vt().wait_text("Type a number from 1 to 4", SOON);
    desk.vt().type_line("");
    desk.is_up();
    assert_eq!(desk.state("startxd-wm@xinitrc.service"), "active");
    desk.quits_openbox();
    desk.ended(0);

    desk.types("TERM=dumb startxd select --print > chosen");
    desk.vt().wait_text("leave [1]:", SOON);
    desk.vt().type_line("3");
    desk.ended(0);
    assert_eq!(desk.user("ada", "cat chosen").ok().stdout, "i3\n");
}

#[test]
fn without_a_terminal_or_a_choice_it_does_not_ask() {
    let case = Guest::get();
    keeps(&case, &["i3", "openbox"]);
    let desk = Desk::at_prompt_in(case);
    // Two sessions, and no terminal for a menu.
    let run = desk.user("ada", "setsid startxd select --print");
    assert_eq!(run.code(), 23);
    assert!(run.stderr.contains("no terminal to ask on"), "{}", run.stderr);
    hides(&desk, &["i3"]);
    assert_eq!(desk.user("ada", "setsid startxd select --print").ok().stdout, "openbox\n");
    desk.types("startxd select");
    desk.is_up();
    assert_eq!(desk.state("startxd-wm@openbox.service"), "active");
    desk.quits_openbox();
    desk.ended(0);
    hides(&desk, &["openbox"]);
    desk.types("startxd select");
    desk.ended(23).says(&["no session was found to choose from", "startxd list"]);
}

#[test]
fn it_does_not_ask_where_no_session_can_start() {
    let desk = at_prompt();
    let run = desk.user("ada", "startxd select");
    assert_eq!(run.code(), 12, "{}", run.stderr);
    desk.types("startxd select --timeout soon");
    desk.ended(2).says(&["--timeout: select.timeout: write a number"]);
}

#[test]
fn a_menu_that_does_not_fit_says_how_many_more_there_are() {
    let desk = at_prompt();
    for number in 1..=40 {
        let entry = format!("[Desktop Entry]\nType=XSession\nName=Desktop {number:02}\nExec=openbox\n");
        desk.write_as("ada", &format!("~/.local/share/xsessions/d{number:02}.desktop"), &entry);
    }
    desk.types("startxd select");
    // The screen may be read while the menu is being drawn.
    let shows = |what: &str, not: &str| {
        wait_until(&format!("the question, and {what:?}"), SOON, || match desk.vt().screen() {
            screen if ["Which session?", what, "q to leave"].iter().all(|one| screen.contains(one)) => Ok(screen),
            screen => Err(screen),
        });
        let screen = desk.vt().screen();
        assert!(!screen.contains(not), "{screen}");
    };
    shows("more below", "more above");
    desk.vt().type_text(UP);
    shows("more above", "more below");
    desk.vt().type_text("q");
    desk.ended(25);
}
