//! Units as docs/recipes prints them, in a session: what they set is set, and set again after a restart of the server.

use crate::harness::{SOON, wait_until};
use crate::scenario::{Desk, OPENBOX};

const PAGE: &str = include_str!("../../docs/recipes/units-for-a-desktop.md");

/// A unit of the page.
fn unit(name: &str) -> &'static str {
    let first = format!("# ~/.config/systemd/user/{name}.service\n");
    let mut blocks = PAGE.split("```ini\n").skip(1).filter_map(|rest| rest.split_once("\n```")).map(|(block, _)| block);
    blocks.find(|block| block.starts_with(&first)).unwrap_or_else(|| panic!("the page has no {name}"))
}

#[test]
fn settings_are_made_again_after_a_restart_of_the_server() {
    let mut desk = Desk::at_prompt();
    desk.expect_crash();
    desk.write_as("ada", "~/.Xresources", "words.test: kept\n");
    for name in ["keyboard", "xresources"] {
        desk.writes_unit(&format!("{name}.service"), &format!("{}\n", unit(name)));
        desk.user("ada", &format!("systemctl --user enable {name}")).ok();
    }
    desk.starts(OPENBOX);
    let is_set = || {
        let keyboard = desk.run("setxkbmap -query").stdout;
        let resources = desk.run("xrdb -query").stdout;
        let is = keyboard.lines().any(|line| line.starts_with("layout:") && line.ends_with("us,de"));
        if is && resources.contains("words.test:\tkept") { Ok(()) } else { Err(format!("{keyboard}{resources}")) }
    };
    wait_until("the settings", SOON, is_set);
    let before = desk.server();
    desk.user("ada", "startxd restart xorg").ok();
    assert_ne!(desk.server(), before);
    wait_until("the settings again", SOON, is_set);
    desk.quits_openbox();
    desk.ended(0);
    desk.user("ada", "systemctl --user disable keyboard xresources").ok();
}
