//! `~/.Xresources`, `~/.Xmodmap`, `~/.xprofile` and `~/.xsessionrc`, as display managers and startup files read them.

use crate::faults::{another, manages};
use crate::harness::{SOON, wait_until};
use crate::scenario::Desk;

/// A window manager that records what it finds, each time it starts.
const WM: &str =
    "#!/bin/sh\n{ xrdb -query; xmodmap -pke | grep 'keycode  96'; env; } > ~/seen\nexec openbox --sm-disable\n";

const UNIT: &str = "[Unit]\nRequires=xorg.target\nAfter=xorg.target\n[Service]\nExecStart=%h/wm\nRestart=on-failure\n\
    [Install]\nWantedBy=wm.target\n";

/// The files, and a window manager.
fn writes_files(desk: &Desk) {
    desk.write_as("ada", "~/wm", WM);
    desk.user("ada", "chmod +x wm").ok();
    desk.write_as("ada", "~/.Xresources", "#define VALUE of-xresources\n*test.around: VALUE\n");
    desk.write_as("ada", "~/.Xmodmap", "keycode 96 = XF86Calculator\n");
    desk.write_as("ada", "~/.xprofile", "export FROM_XPROFILE=1 TERM=x\nxset q > /dev/null && xclock &\n");
    desk.write_as("ada", "~/.xsessionrc", "export FROM_RC=\"$FROM_XPROFILE:$DISPLAY\"; echo >> ~/ran\n");
}

/// Expects that the window manager found all of it.
fn was_there(desk: &Desk) {
    let seen = desk.wait_file("/home/ada/seen");
    // The first is the system's: Debian has it in /etc/X11/Xresources.
    for wanted in ["*customization:\t-color", "of-xresources", "XF86Calculator", "FROM_XPROFILE=1", "FROM_RC=1::0"] {
        assert!(seen.contains(wanted), "{wanted}: {seen}");
    }
}

/// How often `~/.xsessionrc` was read.
fn times(desk: &Desk) -> usize {
    desk.user("ada", "cat ran 2>/dev/null | wc -l").text().trim().parse().expect("a number")
}

#[test]
fn are_read_before_the_window_manager_for_every_kind_of_session_and_every_server() {
    let mut desk = Desk::at_prompt();
    writes_files(&desk);
    desk.writes_unit("mine.service", UNIT);
    desk.settles();
    let before = desk.environment();
    let mut read = 0;
    for session in ["-- ~/wm", "mine.service", "wm.target"] {
        if session == "wm.target" {
            desk.user("ada", "systemctl --user enable mine").ok();
            desk.settles();
        }
        desk.starts(session);
        was_there(&desk);
        read += 1;
        assert_eq!(times(&desk), read, "{session}");
        assert_eq!(desk.environment().values(["FROM_RC", "TERM"]), [Some("1::0"), before.get("TERM")]);
        desk.runs("xclock");
        for how in ["pkill -KILL -x Xorg", "systemctl --user restart xorg@0.service"] {
            let (server, clock) = (desk.server().pid, desk.root("pgrep -u ada -x xclock").text());
            desk.user("ada", &format!("rm seen; {how}")).ok();
            another(&desk, "Xorg", &server);
            manages(&desk);
            was_there(&desk);
            another(&desk, "xclock", &clock);
            read += 1;
            assert_eq!(times(&desk), read, "{session} {how}");
            desk.is_up();
        }
        desk.quits_openbox();
        desk.ended(0);
        assert_eq!(desk.environment(), before);
        desk.user("ada", "rm seen").ok();
    }
}

#[test]
fn are_read_neither_twice_nor_against_the_configuration() {
    let desk = Desk::at_prompt();
    writes_files(&desk);
    desk.write_as("ada", "~/.xinitrc", "exec ~/wm\n");
    desk.starts("");
    assert!(!desk.wait_file("/home/ada/seen").contains("of-xresources"));
    assert_eq!(times(&desk), 0);
    desk.quits_openbox();
    desk.ended(0);

    // Debian's Xsession reads them, so startxd does not.
    desk.user("ada", "rm .xinitrc seen").ok();
    desk.write_as("ada", "~/.xsession", "exec ~/wm\n");
    desk.starts("");
    assert!(desk.wait_file("/home/ada/seen").contains("of-xresources"));
    assert_eq!(times(&desk), 1);
    desk.quits_openbox();
    desk.ended(0);

    // Nor against the administrator.
    desk.root("sed -i 's/^allow-user-resources/no-&/' /etc/X11/Xsession.options").ok();
    for session in ["", "-- ~/wm"] {
        desk.user("ada", "rm seen").ok();
        desk.starts(session);
        let seen = desk.wait_file("/home/ada/seen");
        assert!(seen.contains("-color") && !seen.contains("of-xresources"), "{session}: {seen}");
        desk.quits_openbox();
        desk.ended(0);
    }
    desk.root("sed -i 's/^no-//' /etc/X11/Xsession.options").ok();
    desk.user("ada", "echo > ran").ok();

    desk.write_as("ada", "~/.config/startxd/startxd.toml", "session.dotfiles = false\n");
    desk.user("ada", "rm seen").ok();
    desk.starts("-- ~/wm");
    assert!(!desk.wait_file("/home/ada/seen").contains("of-xresources"));
    assert_eq!((times(&desk), desk.state("startxd-dotfiles.service")), (1, "inactive".to_owned()));
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn that_fail_are_named_and_lock_nobody_out() {
    let desk = Desk::at_prompt();
    writes_files(&desk);
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[deadlines]\nenvironment_files = 1\n");
    desk.write_as("ada", "~/.Xmodmap", "keycode nonsense = x\n");
    for (profile, words) in
        [("exit 3\n", ".xprofile ends the shell with status 3"), ("sleep 1000\n", ".xprofile has not ended within 1 s")]
    {
        desk.write_as("ada", "~/.xprofile", profile);
        desk.starts("-- ~/wm");
        let seen = desk.wait_file("/home/ada/seen");
        assert!(seen.contains("of-xresources") && seen.contains("FROM_RC=::0"), "{seen}");
        assert_eq!(desk.root("pgrep -x sleep").stdout, "");
        desk.quits_openbox();
        desk.ended(0).says(&[".Xmodmap is not read: xmodmap fails", "the startup file", words]);
        desk.user("ada", "rm seen").ok();
    }
}

#[test]
fn of_the_system_do_not_delay_the_start() {
    let desk = Desk::at_prompt();
    desk.starts("-- openbox --sm-disable");
    wait_until("the resources of the system", SOON, || {
        let resources = desk.with_display("xrdb -query").stdout;
        if resources.contains("-color") { Ok(()) } else { Err(resources) }
    });
    desk.quits_openbox();
    desk.ended(0);
}
