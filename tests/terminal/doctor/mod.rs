//! `startxd doctor`: each fault is caused, found by its id, and no longer found once it is gone; a healthy machine has
//! only notes.

mod report;

use crate::harness::{Autologin, Guest, SOON, secs, wait_until};
use crate::hostile::*;
use report::{Fault, Report, check, doctor, healthy};

/// A command that causes or removes a fault, run as ada; her manager reloads its units.
const RELOAD: &str = "systemctl --user daemon-reload";

#[test]
fn a_healthy_login_has_nothing_above_a_note() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    let report = || {
        at(&login, "startxd doctor > said; echo $? > status").says(0, &[]);
        Report::read(&guest)
    };
    let before = report();
    assert_eq!((before.status, before.above_notes()), (0, vec![]), "{before}");
    assert!(!before.has_area("login") && !before.has_area("manager") && !before.has_area("display"), "{before}");
    guest.assert_clean();

    let session = start(&guest, &login);
    let within = Report::of(guest.in_unit("ada", "startxd doctor"));
    assert_eq!((within.status, within.above_notes()), (0, vec![]), "in a session: {within}");
    within.finds("note", "login.none", "belongs to the user manager");
    stop(&guest, &login, &session);
    assert_eq!(report(), before, "after a session as before it");
    guest.assert_clean();
}

#[test]
fn json_says_the_same() {
    let mut guest = Guest::get();
    prompt(&mut guest);
    guest.write_as("ada", "~/.xinitrc", "dbus-run-session \"a\\b\" # \u{1b}é\n");
    let text = doctor(&guest);
    let read = "import json,sys
report = json.load(sys.stdin)
assert list(report) == ['format', 'version', 'severity', 'machine', 'findings'] and report['format'] == 1, report
print('severity', report['severity'])
for f in report['findings']:
    assert list(f) == ['id', 'severity', 'what', 'why', 'remedy'] and all(f.values()), f
    print(f['severity'], f['id'])";
    let said =
        guest.user("ada", &format!("startxd doctor --json > json; echo $?; python3 -c \"{read}\" < json")).text();
    let each = text.findings.iter().map(|finding| format!("{} {}\n", finding.severity, finding.id));
    assert_eq!(said + "\n", format!("40\nseverity warning\n{}", each.collect::<String>()));
}

#[test]
fn json_is_enough_for_a_report_and_has_no_secrets_in_it() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    // A cookie, a password in the environment of the login and in that of the user manager.
    at(&login, "export TOKEN=hunter2-login").says(0, &[]);
    guest.user("ada", "systemctl --user set-environment TOKEN=hunter2-manager").ok();
    let session = start(&guest, &login);
    guest.user("ada", "startxd doctor --json > report").ok();
    let secrets =
        "xauth -f /run/user/1000/xauth_startxd_0 list | awk '{ print $NF }'; cat /etc/machine-id /etc/hostname
        cat /proc/sys/kernel/random/boot_id; echo hunter2; echo ada";
    let report = guest.read("/home/ada/report");
    let machine = report.split("\"machine\":").nth(1).and_then(|rest| rest.split(",\"findings\":").next());
    let machine = machine.unwrap_or_else(|| panic!("{report}"));
    for secret in guest.user("ada", secrets).text().lines() {
        assert!(!machine.contains(secret) && (secret == "ada" || !report.contains(secret)), "{secret}: {report}");
    }
    let kernel = guest.root("uname -r").text();
    for part in [&format!("\"kernel\":\"{kernel}\""), "\"systemd\":\"2", " X Server ", "\"distribution\":\"Debian"] {
        assert!(machine.contains(part), "{part}: {machine}");
    }
    // The end of the session restores what was there when it began.
    stop(&guest, &login, &session);
    guest.user("ada", "systemctl --user unset-environment TOKEN").ok();
    guest.assert_clean();
}

#[test]
fn root_is_told_of_the_machine_alone() {
    let guest = Guest::get();
    let report = Report::of(guest.root("startxd doctor"));
    assert_eq!((report.status, report.above_notes()), (0, vec![]), "{report}");
    report.finds("note", "login.root", "this is root");
    guest.root("chmod 700 /tmp/.X11-unix").ok();
    let report = Report::of(guest.root("startxd doctor"));
    guest.root("chmod 1777 /tmp/.X11-unix").ok();
    assert_eq!(report.status, 41, "{report}");
    report.finds("error", "display.socket-dir", "mode 0700");
}

#[test]
fn faults_of_the_machine_are_found() {
    let mut guest = Guest::get();
    prompt(&mut guest);
    let faults = [
        Fault::root("server.missing", "error")
            .made("mv /usr/lib/xorg/Xorg /root; ls /usr/bin/Xorg")
            .mended("mv /root/Xorg /usr/lib/xorg")
            .says(&["no X server was found", "apt install xserver-xorg-core"]),
        Fault::root("server.setuid", "warning")
            .made("chmod u+s /usr/lib/xorg/Xorg")
            .mended("chmod u-s /usr/lib/xorg/Xorg")
            .says(&["/usr/lib/xorg/Xorg is setuid", "chmod ug-s /usr/lib/xorg/Xorg"]),
        Fault::root("server.no-input-driver", "warning")
            .made("mv /usr/lib/xorg/modules/input/libinput_drv.so /root")
            .mended("mv /root/libinput_drv.so /usr/lib/xorg/modules/input")
            .says(&["no driver for keyboard and mouse", "xserver-xorg-input-libinput"]),
        Fault::root("server.no-kms", "warning")
            .made("mv /etc/X11/xorg.conf.d/10-dummy.conf /root")
            .mended("mv /root/10-dummy.conf /etc/X11/xorg.conf.d")
            .says(&["/dev/dri/card*"]),
        Fault::root("server.no-graphics-seat", "warning")
            .made("mv /etc/X11/xorg.conf.d/10-dummy.conf /root; mkdir /dev/dri; mknod /dev/dri/card0 c 226 0")
            .mended("mv /root/10-dummy.conf /etc/X11/xorg.conf.d; rm -r /dev/dri")
            .says(&["logind knows no graphics device on seat0", "udevadm trigger"]),
        Fault::root("server.wrapper-root", "warning")
            .made("echo needs_root_rights=yes >> /etc/X11/Xwrapper.config")
            // The remedy itself.
            .mended("sed -i --follow-symlinks -E '/^\\s*needs_root_rights\\s*=\\s*yes\\s*$/d' /etc/X11/Xwrapper.config")
            .says(&["needs_root_rights=yes", "sudo sed -i --follow-symlinks -E", "$/d' /etc/X11/Xwrapper.config"]),
        Fault::root("server.device-group", "note")
            .made("gpasswd -a ada input")
            .mended("gpasswd -d ada input")
            .says(&["(input)", "gpasswd -d $USER input"]),
        Fault::root("display.socket-dir", "error")
            .made("chmod 755 /tmp/.X11-unix")
            // The remedy itself.
            .mended("systemd-tmpfiles --create --boot --prefix=/tmp/.X11-unix x11.conf")
            .says(&["mode 0755", "sudo systemd-tmpfiles --create --boot --prefix=/tmp/.X11-unix x11.conf"]),
        Fault::root("display.stale", "note")
            .made("printf '%10d\\n' 4194000 > /tmp/.X7-lock; chown ada: /tmp/.X7-lock")
            .mended("rm /tmp/.X7-lock")
            .says(&["/tmp/.X7-lock was left by a server that is gone"]),
        Fault::root("display.blocked", "warning")
            .made("printf '%10d\\n' 4194000 > /tmp/.X7-lock; chown eve: /tmp/.X7-lock")
            .mended("rm /tmp/.X7-lock")
            .says(&["display :7", "user 1001 left a lock", "sudo rm /tmp/.X7-lock"]),
        Fault::root("display.odd-lock", "warning")
            .made("printf '%10d\\n' 1 > /tmp/.X7-lock")
            .mended("rm /tmp/.X7-lock")
            .says(&["process 1, which is not an X server but", "systemd"]),
        Fault::root("terminal.display-manager-enabled", "note")
            .made("ln -s /usr/lib/systemd/system/greetd.service /etc/systemd/system/display-manager.service")
            .mended("rm /etc/systemd/system/display-manager.service; systemctl daemon-reload")
            .says(&["(greetd.service)", "systemctl disable greetd.service"]),
        Fault::root("terminal.display-manager", "warning")
            .made("systemd-run --unit=display-manager --collect sleep infinity")
            .mended("systemctl stop display-manager")
            .says(&["a display manager is up", "disable --now"]),
        Fault::root("snippets.installed", "note")
            .made("mkdir -p /etc/X11/xinit/xinitrc.d; touch /etc/X11/xinit/xinitrc.d/50-systemd-user.sh")
            .mended("rm -r /etc/X11/xinit/xinitrc.d")
            .says(&["50-systemd-user.sh is installed"]),
        // The leftovers of packages are one note, and none of their files should be edited.
        Fault::root("units.leftover", "note")
            .made(
                "cd /etc/systemd/user; mkdir graphical.target.wants gone.target.wants; ln -s /x graphical.target.wants/dbus.service; \
                 ln -s /x gone.target.wants/gone.service",
            )
            .mended("rm -r /etc/systemd/user/graphical.target.wants /etc/systemd/user/gone.target.wants")
            .says(&[
                "dbus.service (for graphical.target)",
                "gone.service (for gone.target)",
                "nothing has to be done; to remove the links: sudo rm /etc/systemd/user/gone.target.wants/gone.service",
            ]),
        Fault::root("units.too-early", "warning")
            .made(
                "printf '[Unit]\\nAfter=graphical-session.target\\n[Service]\\nExecStart=true\\n[Install]\\nWantedBy=default.target\\n' > \
                 /usr/lib/systemd/user/vendor.service; systemctl --global enable vendor.service",
            )
            .mended("systemctl --global disable vendor.service; rm /usr/lib/systemd/user/vendor.service")
            .says(&[
                "vendor.service is enabled for default.target",
                "sudo systemctl --global disable vendor.service; systemctl --user add-wants graphical-session.target vendor.service",
            ]),
    ];
    check(&guest, &faults);
}

#[test]
fn faults_of_the_user_are_found() {
    let mut guest = Guest::get();
    prompt(&mut guest);
    let unit = |text: &str, enabled_for: &str| {
        format!(
            "mkdir -p .config/systemd/user/{enabled_for}.wants; printf '{text}' > .config/systemd/user/a.service; \
             ln -s ../a.service .config/systemd/user/{enabled_for}.wants; {RELOAD}"
        )
    };
    let no_units = format!("rm -r .config/systemd; {RELOAD}");
    let import = "systemctl --user set-environment";
    let unset = "systemctl --user unset-environment";
    let faults = [
        Fault::ada("manager.units", "error")
            .made(&format!("systemctl --user mask --runtime wm.target; {RELOAD}"))
            .mended(&format!("systemctl --user unmask --runtime wm.target; {RELOAD}"))
            .says(&["startxd are masked: wm.target", "systemctl --user unmask wm.target"]),
        Fault::ada("manager.failed", "warning")
            .made("systemd-run --user --quiet --wait --unit=startxd-wm@x.service false")
            .mended("systemctl --user reset-failed startxd-wm@x.service")
            .says(&["startxd-wm@x.service has failed", "systemctl --user reset-failed startxd-wm@x.service"]),
        Fault::ada("manager.failed-other", "note")
            .made("systemd-run --user --quiet --wait --unit=x.service false")
            .mended("systemctl --user reset-failed x.service")
            .says(&["x.service has failed"]),
        Fault::ada("units.too-early", "warning")
            .made(&unit("[Unit]\\nAfter=graphical-session.target\\n[Service]\\nExecStart=/bin/true\\n", "default.target"))
            .mended(&no_units)
            .says(&["a.service is enabled for default.target, but has After=graphical-session.target", "enable a.service"]),
        Fault::ada("units.missing-target", "warning")
            .made(&unit("[Install]\\nWantedBy=multi-user.target\\n", "multi-user.target"))
            .mended(&no_units)
            .says(&["a.service has WantedBy=multi-user.target, which only the system manager has", "WantedBy=default.target"]),
        Fault::ada("units.dangling", "warning")
            .made(&format!("{}; rm .config/systemd/user/a.service", unit("", "wm.target")))
            .mended(&no_units)
            .says(&["a.service is enabled for wm.target, but does not exist", "rm /home/ada/.config/systemd/user/wm.target"]),
        Fault::ada("units.oom", "warning")
            .made(&unit("[Service]\\nExecStart=/usr/bin/openbox\\nKillMode=process\\n", "wm.target"))
            // The remedy itself, before the unit is removed.
            .mended(&format!(
                "eval \"$(startxd doctor | sed -n '/units.oom/,/remedy/s/^ remedy  //p')\"; ! startxd doctor | grep units.oom; \
                 {no_units}"
            ))
            .says(&["a.service, the window manager, has OOMPolicy=stop", "a.service.d/oom.conf"]),
        Fault::ada("multiplexers.no-linger", "warning")
            .made(&unit("[Service]\\nExecStart=/bin/true\\n", "multiplexer.target"))
            .mended(&no_units)
            .says(&["a.service is enabled for multiplexer.target", "lingering is off for ada", "loginctl enable-linger"]),
        Fault::ada("multiplexers.disabled", "warning")
            .made(&unit("[Service]\\nExecStart=/bin/true\\n", "multiplexer.target"))
            .mended(&no_units)
            .says(&["multiplexer.target itself is not enabled", "systemctl --user enable multiplexer.target"]),
        Fault::ada("environment.dead-display", "warning")
            .made(&format!("{import} DISPLAY=:9 XAUTHORITY=/nonexistent"))
            // The remedy itself.
            .mended(&format!("{unset} DISPLAY XAUTHORITY"))
            .says(&["DISPLAY=:9, a display that does not exist", "unset-environment DISPLAY XAUTHORITY"]),
        Fault::ada("environment.dead-display", "warning")
            .made(&format!("{import} DISPLAY=localhost:10.0"))
            .mended(&format!("{unset} DISPLAY"))
            .says(&["DISPLAY=localhost:10.0, which is not a display of this machine", "ssh -X"]),
        Fault::ada("environment.dead-wayland", "warning")
            .made(&format!("{import} WAYLAND_DISPLAY=wayland-0"))
            .mended(&format!("{unset} WAYLAND_DISPLAY"))
            .says(&["WAYLAND_DISPLAY=wayland-0"]),
        Fault::ada("environment.login-variables", "note")
            .made(&format!("{import} XDG_SESSION_ID=1 TMUX=/tmp/tmux-1000/default,1,0"))
            .mended(&format!("{unset} XDG_SESSION_ID TMUX"))
            .says(&["XDG_SESSION_ID TMUX"]),
        Fault::ada("server.xserverrc", "warning")
            .made("echo 'exec Xephyr \"$@\"' > .xserverrc")
            .mended("rm .xserverrc")
            .says(&["/home/ada/.xserverrc cannot be followed", "xserverrc = false"]),
        Fault::ada("snippets.import-all", "warning")
            .made("printf 'xterm &\\ndbus-update-activation-environment --systemd --all\\n' > .xinitrc")
            .mended("rm .xinitrc")
            .says(&["/home/ada/.xinitrc, line 2", "sed -i --follow-symlinks '2s/dbus-update", "/true/' /home/ada/.xinitrc"]),
        Fault::ada("snippets.import", "note")
            .made("echo systemctl --user import-environment DISPLAY XAUTHORITY > .xprofile")
            .mended("rm .xprofile")
            .says(&["/home/ada/.xprofile, line 1"]),
        Fault::ada("snippets.other-bus", "warning")
            .made("echo exec dbus-run-session openbox > .xinitrc")
            .mended("rm .xinitrc")
            .says(&["dbus-run-session openbox"]),
        Fault::ada("snippets.second-start", "warning")
            .made("echo '[ -n \"$DISPLAY\" ] || exec startx' > .bash_profile")
            .mended("rm .bash_profile")
            .says(&[".bash_profile, line 1"]),
        Fault::ada("config.complaint", "warning")
            .made("mkdir -p .config/startxd; echo 'colour = 1' > .config/startxd/startxd.toml")
            .mended("rm -r .config/startxd")
            .says(&["startxd.toml:1:", "colour", "correct /home/ada/.config/startxd/startxd.toml"]),
        Fault::ada("lock.missing", "warning")
            .made("mkdir -p .config/startxd; echo 'lock.command = [\"nolocker\"]' > .config/startxd/startxd.toml")
            .mended("rm -r .config/startxd")
            .says(&["nolocker", "correct lock.command in startxd.toml"]),
        Fault::ada("lock.two", "warning")
            .made(
                "mkdir -p .config/startxd .config/systemd/user; echo 'lock.command = [\"i3lock\"]' > \
                 .config/startxd/startxd.toml; printf '[Service]\\nExecStart=slock\\n[Install]\\n\
                 WantedBy=startxd-lock.target\\n' > .config/systemd/user/slock.service; systemctl --user enable slock",
            )
            .mended(&format!("systemctl --user disable slock.service; rm -r .config/startxd; {no_units}"))
            .says(&["lock.command (i3lock), slock.service", "systemctl --user disable slock.service"]),
        Fault::ada("lock.xss-lock", "note")
            .made("mkdir -p .config/i3; echo 'exec --no-startup-id xss-lock -- i3lock --nofork' > .config/i3/config")
            .mended("rm -r .config/i3")
            .says(&["/home/ada/.config/i3/config, line 1", "--session $XDG_SESSION_ID"]),
        Fault::ada("server.missing", "error")
            .made("mkdir -p .config/startxd; echo 'server.binary = \"/etc/passwd\"' > .config/startxd/startxd.toml")
            .mended("rm -r .config/startxd")
            .says(&["/etc/passwd", "correct server.binary in startxd.toml"]),
        Fault::ada("portals.no-backend", "warning")
            .made("mkdir -p .local/share/dbus-1/services; touch .local/share/dbus-1/services/org.freedesktop.portal.Desktop.service")
            .mended("rm -r .local")
            .says(&["without a backend"]),
        Fault::ada("portals.no-config", "note")
            .made(&format!(
                "mkdir -p .local/share/dbus-1/services .local/share/xdg-desktop-portal/portals; \
                 touch .local/share/dbus-1/services/org.freedesktop.portal.Desktop.service; \
                 echo UseIn=gnome > .local/share/xdg-desktop-portal/portals/gtk.portal; {import} XDG_CURRENT_DESKTOP=Lab"
            ))
            .mended(&format!("rm -r .local; {unset} XDG_CURRENT_DESKTOP"))
            .says(&["\"lab\"", "portals.conf"]),
        Fault::ada("session.other", "warning")
            .made(
                "mkdir -p .config/systemd/user; printf '[Unit]\\nBindsTo=graphical-session.target\\n[Service]\\n\
                 ExecStart=sleep infinity\\n' > .config/systemd/user/kiosk.service; systemctl --user start kiosk",
            )
            // The remedy itself.
            .mended(&format!("systemctl --user stop kiosk.service; {no_units}"))
            .says(&["graphical-session.target, held by kiosk.service", "systemctl --user stop kiosk.service"]),
    ];
    check(&guest, &faults);
}

#[test]
fn a_display_without_its_cookie_or_its_target() {
    let mut guest = Guest::get();
    prompt(&mut guest);
    guest.user("ada", "systemctl --user set-environment DISPLAY=:9 XAUTHORITY=/nonexistent").ok();
    // A unit, as the server would leave the process group of a command.
    guest.root("systemd-run --quiet --collect --unit=lab-display -p User=ada Xvfb :9").ok();
    let report = wait_until("display :9 to be alive", SOON, || {
        let report = doctor(&guest);
        if report.find("environment.dead-display").is_none() { Ok(report) } else { Err(report.to_string()) }
    });
    report.finds("warning", "environment.dead-cookie", "XAUTHORITY=/nonexistent, a file that does not exist");
    let portal = ".local/share/dbus-1/services/org.freedesktop.portal.Desktop.service";
    guest.user("ada", &format!("mkdir -p $(dirname {portal}); touch {portal}")).ok();
    doctor(&guest).finds("warning", "portals.no-target", "display :9 is up, but graphical-session.target is not");
    guest.user("ada", "systemctl --user unset-environment DISPLAY XAUTHORITY").ok();
    let _ = doctor(&guest).lacks("portals.no-target").lacks("environment.dead-cookie");
    guest.root("systemctl stop lab-display").ok();
}

#[test]
fn logins_that_cannot_have_a_session_are_explained() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    healthy(&guest).finds("note", "login.none", "not in a login session");
    let typed = |command: &str| {
        at(&login, &format!("{command} > ~ada/said; echo $? > ~ada/status"));
        Report::read(&guest)
    };
    guest.root("chmod 777 /home/ada").ok();
    let report = typed("env -u XDG_RUNTIME_DIR startxd doctor");
    assert_eq!(report.status, 41, "{report}");
    report.finds("error", "manager.runtime-dir", "XDG_RUNTIME_DIR is not set");
    // The other checks still run.
    let _ = report.lacks("manager.bus");
    let bus = "unix:path=/tmp/dbus-x,guid=0123";
    let report = typed(&format!("env DBUS_SESSION_BUS_ADDRESS={bus} startxd doctor"));
    report.finds("warning", "manager.other-bus", "/tmp/dbus-x");
    let pty = "import os,pty,sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    typed(&format!("python3 -c '{pty}' startxd doctor")).finds("note", "login.no-screen", "not on tty1 itself");
    typed("env DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent startxd doctor").finds(
        "error",
        "login.logind",
        "systemd-logind does not answer",
    );
    guest.assert_clean();
    at(&login, "rm said status");
    let report = typed("su eve -c 'cd; startxd doctor'");
    report.finds("warning", "login.other-user", "of another user (uid 1000)");
    report.finds("error", "manager.runtime-dir", "not");
    guest.logout(&login);

    let cases = [
        ("", "-p -h far.example.org", "note", "login.remote", "another machine"),
        ("Environment=XDG_SESSION_CLASS=greeter", "-p", "warning", "login.class", "greeter"),
    ];
    for (line, options, severity, id, words) in cases {
        let login = log_in_second_with(&guest, line, options);
        at(&login, "startxd doctor > said; echo $? > status");
        Report::read(&guest).finds(severity, id, words);
        guest.logout(&login);
    }
    let login = guest.login(&Autologin { vt: 3, session_type: String::new(), ..Autologin::default() });
    login.vt.wait_prompt(SOON);
    at(&login, "startxd doctor > said; echo $? > status");
    let report = Report::read(&guest);
    report.finds("note", "login.type", "type \"tty\"");
    assert_eq!(report.status, 0, "{report}");
    // logind acts on such a session even while somebody types below X.
    let file = "/etc/systemd/logind.conf.d/50-idle.conf";
    let hears = |action: &str| {
        guest.root("systemctl kill --signal=HUP systemd-logind").ok();
        wait_until(&format!("IdleAction={action}"), SOON, || {
            let path = "/org/freedesktop/login1 org.freedesktop.login1.Manager IdleAction";
            let now = guest.root(&format!("busctl get-property org.freedesktop.login1 {path}"));
            if now.stdout.contains(action) { Ok(()) } else { Err(now.to_string()) }
        });
    };
    guest.root(&format!("mkdir -p $(dirname {file}); printf '[Login]\\nIdleAction=lock\\n' > {file}")).ok();
    hears("lock");
    at(&login, "startxd doctor > said; echo $? > status");
    Report::read(&guest).finds("warning", "lock.idle-action", "IdleAction=lock of logind.conf");
    guest.root(&format!("rm {file}")).ok();
    hears("ignore");
}

#[test]
fn a_getty_beside_the_login_is_reported() {
    let guest = Guest::get();
    // A unit that opens a login on a terminal and does not stop the getty that runs there.
    guest.vt(4).switch();
    guest.root("systemctl start getty@tty4").ok();
    let unit = "systemd-run --quiet --collect --wait -p User=ada -p PAMName=login -p TTYPath=/dev/tty4 \
        -p StandardInput=tty-force -p StandardOutput=file:/home/ada/said -E XDG_SESSION_TYPE=x11 startxd doctor";
    guest.root(&format!("{unit}; echo $? > /home/ada/status; systemctl stop getty@tty4")).ok();
    Report::read(&guest).finds("warning", "terminal.getty", "runs on tty4 beside your login");
}

#[test]
fn services_that_hang_are_given_up() {
    let mut guest = Guest::get();
    prompt(&mut guest);
    configure(&guest, "deadlines.user_manager = 0.5\n");
    let late = "no answer within 0.5 s";
    let manager = "kill -{} $(systemctl show --value -p MainPID user@1000)";
    for (kill, id) in [
        ("pkill -{} -u ada dbus-daemon", "manager.bus"),
        (manager, "manager.silent"),
        ("pkill -{} -x systemd-logind", "login.logind"),
    ] {
        guest.root(&kill.replace("{}", "STOP")).ok();
        let report = Report::of(guest.shell_as("ada", "startxd doctor").deadline(secs(10)).run());
        guest.root(&kill.replace("{}", "CONT")).ok();
        assert_eq!(report.status, 41, "{report}");
        report.finds("error", id, late);
    }
    // A server that does not end when it is asked for its version.
    configure(&guest, "deadlines.user_manager = 3\nserver.binary = \"/usr/bin/yes\"\n");
    let report = Report::of(guest.shell_as("ada", "startxd doctor").deadline(secs(10)).run());
    assert_eq!(report.above_notes(), [] as [&str; 0], "{report}");
    assert_eq!(guest.root("pgrep -x yes").stdout, "", "the server is left behind");
    guest.user("ada", "systemctl --user stop dbus.socket dbus.service").ok();
    let report = doctor(&guest);
    guest.user("ada", "systemctl --user start dbus.socket").ok();
    report.finds("error", "manager.bus", "does not answer");
}

#[test]
fn sessions_with_problems_and_dead_ones_are_reported() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    let session = start(&guest, &login);
    guest.user("ada", "systemctl --user set-environment DISPLAY=:9").ok();
    let report = doctor(&guest);
    assert_eq!(report.status, 41, "{report}");
    report.finds("error", "session.unwell", "the user manager has DISPLAY=:9");
    stop(&guest, &login, &session);

    // The record of a session whose host is dead; a live host would hold the lock.
    guest.user("ada", "mkdir -p -m 700 $XDG_RUNTIME_DIR/startxd; echo > $XDG_RUNTIME_DIR/startxd/session.toml").ok();
    doctor(&guest).finds("warning", "session.dead-host", "has died");
    guest.user("ada", "rm -r $XDG_RUNTIME_DIR/startxd").ok();
    let _ = doctor(&guest).lacks("session.dead-host");
}

#[test]
fn versions_that_are_too_old_are_reported() {
    let mut guest = Guest::get();
    prompt(&mut guest);
    let report = Report::of(guest.user("ada", "setarch --uname-2.6 startxd doctor"));
    report.finds("warning", "versions.kernel", "the kernel is Linux 2.6");
    let hidden = "unshare --mount sh -c 'mount -t tmpfs none /sys/fs/cgroup && exec setpriv --reuid ada --regid ada \
        --init-groups env XDG_RUNTIME_DIR=/run/user/1000 HOME=/home/ada startxd doctor'";
    let report = Report::of(guest.root(hidden));
    report.finds("error", "versions.cgroup", "/sys/fs/cgroup is not cgroup2");
    let server = report::program(&guest, "int main(void){fputs(\"X.Org X Server 1.19.6\\n\", stderr);return 0;}");
    configure(&guest, &format!("server.binary = \"{server}\"\n"));
    doctor(&guest).finds("warning", "versions.server", "X.Org X Server 1.19.6");
}

#[test]
fn a_multiplexer_that_the_logout_will_kill_is_reported() {
    let mut guest = Guest::get();
    // logind is a different process afterwards.
    guest.discard();
    guest.write("/run/systemd/logind.conf.d/kill.conf", "[Login]\nKillUserProcesses=yes\n");
    guest.root("systemctl restart systemd-logind").ok();
    let login = guest.login_autologin(1);
    let _ = doctor(&guest).lacks("multiplexers.killed");
    at(&login, "screen -dmS work").says(0, &[]);
    let report = wait_until("screen to be found", SOON, || {
        let report = doctor(&guest);
        if report.find("multiplexers.killed").is_some() { Ok(report) } else { Err(report.to_string()) }
    });
    report.finds("warning", "multiplexers.killed", "screen (pid");
}
