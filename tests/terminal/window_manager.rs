//! Sessions of the units that `startxd enable wm` writes, from enabling to disabling them.

use crate::harness::{SOON, wait_until};
use crate::scenario::Desk;

/// Writes the unit, starts a session of it, has it reload its configuration, crash and come back, and quits it.
fn lives(name: &str, process: &str, exit: &str) {
    let mut desk = Desk::at_prompt();
    desk.expect_crash();
    desk.user("ada", &format!("startxd enable wm {name}")).ok();
    desk.starts("");
    let unit = format!("{name}.service");
    let main = || desk.unit(&unit, "MainPID");
    assert_eq!(desk.root(&format!("cat /proc/{}/comm", main())).text(), process);
    assert_eq!(desk.environment().get("XDG_CURRENT_DESKTOP"), Some(name));
    let login = desk.root(&format!("tr '\\0' '\\n' </proc/{}/environ | grep ^XDG_SESSION_ID=", main())).text();
    assert_eq!(login, format!("XDG_SESSION_ID={}", desk.login.session));
    let first = main();
    desk.user("ada", &format!("systemctl --user reload {name}")).ok();
    assert_eq!(main(), first);
    assert_eq!(desk.state(&unit), "active");

    desk.user("ada", "systemd-run --user --quiet --collect --unit=app -p PartOf=graphical-session.target sleep 600")
        .ok();
    desk.root(&format!("kill -KILL {first}")).ok();
    wait_until("the window manager to come back", SOON, || {
        let (now, state) = (main(), desk.state(&unit));
        if now != first && now != "0" && state == "active" { Ok(()) } else { Err(format!("{now} {state}")) }
    });
    assert_eq!(desk.state("app.service"), "active");
    // The files of a killed i3 are not removed by the next one.
    desk.user("ada", &format!("rm -f /run/user/1000/i3/*.{first}")).ok();
    desk.quits(exit);
    desk.ended(0);
    desk.user("ada", "startxd disable wm; test ! -e .config/systemd/user").ok();
}

#[test]
fn openbox_lives() {
    lives("openbox", "openbox", "openbox --exit");
}

#[test]
fn i3_lives() {
    lives("i3", "i3", "i3-msg exit");
}

#[test]
fn awesome_lives() {
    lives("awesome", "awesome", "awesome-client 'awesome.quit()'");
}
