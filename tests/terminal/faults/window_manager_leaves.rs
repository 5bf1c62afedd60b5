//! The window manager exits 0, or is told to: logout, ordered.

use crate::faults::another;
use crate::harness::{SOON, secs, wait_until};
use crate::scenario::{Desk, OPENBOX};

#[test]
fn the_end_is_applications_then_window_manager_then_server_then_environment() {
    let desk = Desk::at_prompt();
    desk.writes_record();
    desk.writes_unit(
        "app.service",
        "[Unit]\nPartOf=graphical-session.target\nAfter=graphical-session.target\n\
         [Service]\nExecStart=sleep infinity\nExecStartPost=%h/record app\nExecStop=%h/record app\n\
         [Install]\nWantedBy=graphical-session.target\n",
    );
    desk.writes_unit(
        "mywm.service",
        "[Unit]\nRequires=xorg.target\nAfter=xorg.target\n\
         [Service]\nExecStart=openbox --sm-disable\nExecStop=%h/record wm-stops\nExecStopPost=%h/record wm-stopped\n\
         [Install]\nWantedBy=wm.target\n",
    );
    desk.writes_unit("xorg@.service.d/record.conf", "[Service]\nExecStopPost=%h/record x-stopped\n");
    desk.user("ada", "systemctl --user enable app mywm").ok();
    let (all, no_wm, no_display) = (
        "wm yes, display yes, manager has a cookie for :0",
        "wm no, display yes, manager has a cookie for :0",
        "wm no, display no, manager has a cookie for :0",
    );

    desk.starts("");
    desk.unit_becomes("app.service", "active");
    desk.user("ada", "startxd stop").ok();
    desk.ended(0);
    assert_eq!(
        desk.records(),
        [
            format!("app: {all}"),
            format!("app: {all}"),
            format!("wm-stops: {all}"),
            format!("wm-stopped: {no_wm}"),
            format!("x-stopped: {no_display}"),
        ]
    );

    // If the window manager ends first, which is how people log out, the rest is the same.
    desk.user("ada", "rm record.log").ok();
    desk.starts("");
    desk.unit_becomes("app.service", "active");
    desk.quits_openbox();
    desk.ended(0);
    let lines = desk.records();
    assert_eq!(lines.first(), Some(&format!("app: {all}")));
    assert!(lines.contains(&format!("app: {no_wm}")), "{lines:?}");
    assert_eq!(lines.last(), Some(&format!("x-stopped: {no_display}")));
}

#[test]
fn telling_it_to_end_logs_out() {
    let desk = Desk::at_prompt();
    for tells in [
        "openbox --exit",
        "pkill -TERM -u ada -x openbox",
        "systemctl --user stop startxd-wm@openbox.service",
        "systemctl --user stop graphical-session.target",
        "systemctl --user stop wm.target",
        "systemctl --user kill startxd-wm@openbox.service",
    ] {
        desk.starts(OPENBOX);
        desk.quits(tells);
        desk.ended(0);
    }
}

#[test]
fn stopping_or_ending_any_of_them_logs_out() {
    let mut desk = Desk::at_prompt();
    // i3's own directory remains; bspwm's configuration is a program.
    desk.user(
        "ada",
        "mkdir -p /run/user/1000/i3 ~/.config/i3 ~/.config/bspwm && echo '# i3 config file (v4)' > ~/.config/i3/config && \
         install -m 755 /dev/stdin ~/.config/bspwm/bspwmrc <<< '#!/bin/sh'",
    )
    .ok();
    desk.settles();
    for name in ["i3", "awesome", "bspwm", "herbstluftwm"] {
        for tells in
            [format!("systemctl --user stop startxd-wm@{name}.service"), format!("pkill -TERM -u ada -x {name}")]
        {
            desk.starts(&format!("-- {name}"));
            desk.quits(&tells);
            desk.ended(0);
        }
    }
}

#[test]
fn stopping_the_unit_logs_out_whatever_its_status() {
    let mut desk = Desk::at_prompt();
    // i3's own directory remains.
    desk.user("ada", "mkdir /run/user/1000/i3").ok();
    desk.settles();
    // i3 exits with 143 when it is told to end; others differ.
    desk.write_as("ada", "~/.config/i3/config", "# i3 config file (v4)\n");
    desk.write_as("ada", "~/rude", "#!/bin/sh\ntrap 'kill $!; exit 7' TERM\nopenbox --sm-disable &\nwait\n");
    desk.user("ada", "chmod +x rude").ok();
    for program in ["i3", "%h/rude"] {
        desk.writes_unit(
            "mywm.service",
            &format!(
                "[Unit]\nRequires=xorg.target\nAfter=xorg.target\n\
                 [Service]\nExecStart={program}\nRestart=on-failure\n[Install]\nWantedBy=wm.target\n"
            ),
        );
        desk.user("ada", "systemctl --user daemon-reload; systemctl --user enable mywm").ok();
        desk.starts("");
        desk.user("ada", "systemctl --user stop mywm").ok();
        desk.ended(0);
        if program == "i3" {
            // Killed, it would leave its socket.
            continue;
        }
        // Killing it is a crash even so.
        desk.starts("");
        let before = desk.root("systemctl --user -M ada@ show --value -p MainPID mywm").text();
        desk.root(&format!("kill -KILL {before}")).ok();
        wait_until("the window manager to be back", SOON, || {
            let after = desk.root("systemctl --user -M ada@ show --value -p MainPID mywm").text();
            if after != before && after != "0" { Ok(()) } else { Err(after) }
        });
        desk.is_up();
        desk.user("ada", "systemctl --user stop mywm").ok();
        desk.ended(0);
    }
    desk.user("ada", "systemctl --user disable mywm").ok();
}

#[test]
fn one_that_ignores_sigterm_is_killed_as_soon_as_with_startx() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/deaf", "#!/bin/bash\ntrap '' TERM\nopenbox --sm-disable &\nwait\nexec sleep infinity\n");
    desk.user("ada", "chmod +x deaf").ok();
    desk.starts("./deaf");
    desk.shell_as("ada", "startxd stop").deadline(secs(25)).run().ok();
    desk.comes_back(0, SOON);
    desk.is_clean();
    desk.starts_again();
}

#[test]
fn a_unit_that_would_come_back_after_a_clean_exit_does_not() {
    let desk = Desk::at_prompt();
    desk.writes_unit(
        "mywm.service",
        "[Unit]\nRequires=xorg.target\nAfter=xorg.target\n\
         [Service]\nExecStart=openbox --sm-disable\nRestart=always\nRestartSec=0\n\
         [Install]\nWantedBy=wm.target\n",
    );
    desk.user("ada", "systemctl --user enable mywm").ok();
    desk.starts("");
    let manager = another(&desk, "openbox", "");
    desk.root(&format!("kill -KILL {manager}")).ok();
    another(&desk, "openbox", &manager);
    desk.is_up();
    desk.quits_openbox();
    desk.ended(0);
    desk.user("ada", "systemctl --user disable mywm").ok();
    desk.starts_again();
}
